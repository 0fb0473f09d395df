//! Orders that follow one version of a workflow, found by the stretch of ids that they lie in: every order is in
//! exactly one of the stretches, and a stretch is read from the table's own order, without an index of its own.

use domain::id::OrderId;
use uuid::Uuid;

use super::{Reads, Store, sql::Sql};
use crate::error::Result;

/// A version of a workflow.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    /// The workflow's code.
    pub workflow: &'a str,
    /// The version.
    pub version: i32,
}

impl Version<'_> {
    fn push(self, sql: &mut Sql) {
        sql.push(" FROM orders WHERE workflow = ").bind(self.workflow);
        sql.push(" AND workflow_version = ").bind(self.version);
    }
}

/// How many orders of a version stand in each status, deleted ones too; by status.
///
/// # Errors
/// The database's.
pub async fn counts(store: &Store, version: Version<'_>) -> Result<Vec<(String, i64)>> {
    let mut sql = Sql::new(store.db(), "SELECT status, COUNT(*)");
    version.push(&mut sql);
    sql.push(" GROUP BY status ORDER BY status");
    sql.all(store.db(), |row| Ok((row.get()?, row.get()?))).await
}

/// Every so manieth of the orders of a version, by id: where they can be cut into pieces of this size.
///
/// # Errors
/// The database's.
pub async fn cuts(store: &Store, version: Version<'_>, size: i64) -> Result<Vec<OrderId>> {
    let mut sql = Sql::new(store.db(), "SELECT id FROM (SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS place");
    version.push(&mut sql);
    sql.push(") numbered WHERE place % ").bind(size).push(" = 0 ORDER BY id");
    sql.all(store.db(), |row| row.id()).await
}

/// The first orders of a version between two ids, the second of them included.
///
/// # Errors
/// The database's.
pub async fn within(
    from: &impl Reads,
    version: Version<'_>,
    (after, until): (Option<OrderId>, Option<OrderId>),
    limit: usize,
) -> Result<Vec<OrderId>> {
    let mut sql = Sql::new(from.db(), "SELECT id");
    version.push(&mut sql);
    sql.push(" AND id > ").bind(after.map_or(Uuid::nil(), |id| id.0));
    sql.push(" AND id <= ").bind(until.map_or(Uuid::max(), |id| id.0));
    sql.push(&format!(" ORDER BY id LIMIT {limit}"));
    sql.all(from.db(), |row| row.id()).await
}
