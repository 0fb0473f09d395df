//! Provisioning inputs: sealed texts, read with a claim, destroyed, sealed anew under another key.

use domain::{
    id::{AttemptId, InputsId},
    order::Sealed,
};

use super::{Reads, Tx, sql::Sql};
use crate::error::Result;

impl Tx {
    /// The sealed inputs of an attempt, if there still are any.
    ///
    /// # Errors
    /// The database's.
    pub async fn inputs(&self, attempt: AttemptId) -> Result<Option<Sealed>> {
        let mut sql = Sql::new(self.db(), "SELECT id, sealed FROM provisioning_inputs WHERE attempt_id = ");
        sql.bind(attempt.0);
        sql.one(self.db(), |row| Ok(Sealed { id: row.id()?, text: row.get()? })).await
    }

    /// Destroys the inputs of attempts.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn destroy_inputs(&self, attempts: &[AttemptId]) -> Result<()> {
        if attempts.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = attempts.iter().map(|id| id.0).collect();
        let mut sql = Sql::new(self.db(), "DELETE FROM provisioning_inputs WHERE ");
        sql.among("attempt_id", &ids);
        sql.run(self.db()).await.map(|_| ())
    }

    /// Some of the inputs behind this one that are sealed under another key than this, locked.
    ///
    /// # Errors
    /// The database's.
    pub async fn inputs_under_others(
        &self,
        key: &str,
        after: Option<InputsId>,
        limit: usize,
    ) -> Result<Vec<Sealed>> {
        let mut sql =
            Sql::new(self.db(), "SELECT id, sealed FROM provisioning_inputs WHERE sealed NOT LIKE ");
        sql.bind(format!("{key}.%"));
        if let Some(after) = after {
            sql.push(" AND id > ").bind(after.0);
        }
        sql.push(&format!(" ORDER BY id LIMIT {limit}"));
        if sql.is_postgres() {
            sql.push(" FOR UPDATE");
        }
        sql.all(self.db(), |row| Ok(Sealed { id: row.id()?, text: row.get()? })).await
    }

    /// Writes inputs as they are sealed now.
    ///
    /// # Errors
    /// The database's.
    pub async fn seal_anew(&self, inputs: &Sealed) -> Result<()> {
        let mut sql = Sql::new(self.db(), "UPDATE provisioning_inputs SET sealed = ");
        sql.bind(inputs.text.as_str()).push(" WHERE id = ").bind(inputs.id.0);
        sql.run(self.db()).await.map(|_| ())
    }
}
