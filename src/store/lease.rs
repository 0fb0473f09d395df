//! Attempts as far as they are held: which order one belongs to, leases renewed, and those that ran out.

use chrono::{DateTime, Utc};
use domain::{
    actor::Actor,
    id::{AttemptId, OrderId},
    order::{Attempt, Head, Renewal},
};

use super::{
    Reads, Store, Tx,
    order::{HEAD, read_head, visible},
    parts,
    sql::Sql,
};
use crate::error::Result;

/// Attempts whose lease has run out at this moment, the longest ago first.
///
/// # Errors
/// The database's.
pub async fn expired(store: &Store, now: DateTime<Utc>, limit: usize) -> Result<Vec<(OrderId, AttemptId)>> {
    let mut sql = Sql::new(store.db(), "SELECT order_id, id FROM attempts WHERE lease_until IS NOT NULL");
    sql.push(" AND lease_until <= ").bind(now).push(&format!(" ORDER BY lease_until LIMIT {limit}"));
    sql.all(store.db(), |row| Ok((row.id()?, row.id()?))).await
}

impl Tx {
    /// The order that an attempt is at, if the actor may see it, locked, with all attempts at it: a lease is not
    /// renewed while somebody decides that it has run out.
    ///
    /// # Errors
    /// The database's.
    pub async fn attempts_beside(
        &self,
        actor: &Actor,
        attempt: AttemptId,
    ) -> Result<Option<(Head, Vec<Attempt>)>> {
        let mut sql = Sql::new(self.db(), "SELECT ");
        sql.push(HEAD).push(" FROM orders o WHERE o.id = (SELECT a.order_id FROM attempts a WHERE a.id = ");
        sql.bind(attempt.0).push(")");
        if sql.is_postgres() {
            sql.push(" FOR UPDATE OF o");
        }
        let head = sql.one(self.db(), read_head).await?.filter(|head| visible(actor, head));
        let Some(head) = head else { return Ok(None) };
        let attempts = parts::attempts(self, &[head.id]).await?.remove(&head.id).unwrap_or_default();
        Ok(Some((head, attempts)))
    }

    /// Writes a lease made longer.
    ///
    /// # Errors
    /// The database's.
    pub async fn renew(&self, renewal: Renewal) -> Result<()> {
        let mut sql = Sql::new(self.db(), "UPDATE attempts SET lease_until = ");
        sql.bind(renewal.until()).push(" WHERE id = ").bind(renewal.attempt().0);
        sql.run(self.db()).await.map(|_| ())
    }
}
