//! Idempotency keys: what a write answered, kept so that the same request is not done twice.

use domain::id::{EventId, OrderId};
use uuid::Uuid;

use super::{Reads, Tx, sql::Sql};
use crate::error::Result;
use chrono::{DateTime, Utc};

/// Whose key, for what.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The account.
    pub actor: String,
    /// The mutation.
    pub operation: &'static str,
    /// The caller's key.
    pub key: String,
    /// HMAC of the input, so that the key cannot be used for another.
    pub input: Vec<u8>,
}

/// What is replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The order it was about.
    pub order: OrderId,
    /// What it made happen: the caller's own of the events it appended.
    pub event: EventId,
}

/// What becomes of a claim.
#[derive(Debug)]
pub enum Claimed {
    /// The key is new: do the work, then [`fulfil`] it.
    New,
    /// The same input was answered so.
    Replay(Outcome),
    /// The key was used for another input.
    Mismatch,
}

/// Takes the key, or waits for the transaction that holds it and tells what it answered. Keys older
/// than `fresh_from` are free again.
///
/// # Errors
/// The database's.
pub async fn claim(tx: &Tx, claim: &Claim, now: DateTime<Utc>, fresh_from: DateTime<Utc>) -> Result<Claimed> {
    let mut stale = Sql::new(tx.db(), "DELETE FROM idempotency WHERE created_at < ");
    stale.bind(fresh_from).push(" AND ");
    push_key(&mut stale, claim);
    stale.run(tx.db()).await?;
    let mut insert =
        Sql::new(tx.db(), "INSERT INTO idempotency (actor, operation, key, input_hash, created_at) VALUES (");
    insert.bind(claim.actor.as_str()).push(", ").bind(claim.operation).push(", ");
    insert.bind(claim.key.as_str()).push(", ").bind(claim.input.clone()).push(", ").bind(now);
    insert.push(") ON CONFLICT DO NOTHING");
    if insert.run(tx.db()).await? == 1 {
        return Ok(Claimed::New);
    }
    let mut sql = Sql::new(tx.db(), "SELECT input_hash, order_id, event_uid FROM idempotency WHERE ");
    push_key(&mut sql, claim);
    let stored = sql
        .one(tx.db(), |row| {
            let input: Vec<u8> = row.get()?;
            let (order, event): (Option<Uuid>, Option<Uuid>) = (row.get()?, row.get()?);
            Ok((input, order, event))
        })
        .await?;
    Ok(match stored {
        Some((input, Some(order), Some(event))) if input == claim.input => {
            Claimed::Replay(Outcome { order: OrderId(order), event: EventId(event) })
        }
        _ => Claimed::Mismatch,
    })
}

/// Notes what a claimed key is to answer from now on.
///
/// # Errors
/// The database's.
pub async fn fulfil(tx: &Tx, claim: &Claim, outcome: &Outcome) -> Result<()> {
    let mut sql = Sql::new(tx.db(), "UPDATE idempotency SET order_id = ");
    sql.bind(outcome.order.0).push(", event_uid = ").bind(outcome.event.0).push(" WHERE ");
    push_key(&mut sql, claim);
    sql.run(tx.db()).await.map(|_| ())
}

fn push_key(sql: &mut Sql, claim: &Claim) {
    sql.push("actor = ").bind(claim.actor.as_str());
    sql.push(" AND operation = ").bind(claim.operation);
    sql.push(" AND key = ").bind(claim.key.as_str());
}
