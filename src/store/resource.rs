//! Resources: locked for an order that is to work on them.

use domain::id::ResourceId;

use super::{Reads, Tx, sql::Sql};
use crate::error::Result;

impl Tx {
    /// Locks resources, in the order of their ids: of two orders that want one at once, the second waits, and
    /// then reads who holds it. On SQLite there is one writer anyway.
    ///
    /// # Errors
    /// The database's.
    pub async fn lock_resources(&self, ids: &[ResourceId]) -> Result<()> {
        let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
        let mut sql = Sql::new(self.db(), "SELECT id FROM resources WHERE ");
        if ids.is_empty() || !sql.is_postgres() {
            return Ok(());
        }
        sql.among("id", &ids).push(" ORDER BY id FOR UPDATE");
        sql.all(self.db(), |row| row.id::<ResourceId>()).await.map(|_| ())
    }
}
