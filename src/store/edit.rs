//! Edits of orders: what is written with them, and how they are read back.

use std::collections::HashMap;

use domain::{
    id::{EventId, ItemId, OrderId},
    order::{Change, Decision, Head, Particulars},
    refusal::Refusal,
};
use sea_orm::{DbErr, SqlErr, Value};
use uuid::Uuid;

use super::{
    Reads, Tx,
    sql::{Sql, to_json, update_many},
};
use crate::error::{Error, Result};

/// What an edit may change of an order besides what every decision does.
const COLUMNS: &[&str] = &[
    "id",
    "customer_id",
    "offering_id",
    "external_reference",
    "expires_on",
    "tags",
    "contact",
    "shipping_address",
    "billing_address",
    "customer_note",
    "payment_method",
    "metadata",
];

/// Writes what the edits among these decisions change, besides what every decision does.
///
/// # Errors
/// DUPLICATE_REFERENCE; the database's.
pub(super) async fn save(tx: &Tx, decisions: &[Decision]) -> Result<()> {
    let mut orders = Vec::new();
    for decision in decisions {
        let (Some((event, changes)), Some(particulars)) = (decision.edit(), decision.particulars()) else {
            continue;
        };
        let head = &decision.after().head;
        let reference = head.external_reference.clone();
        let row = vec![row(head, particulars)?];
        update_many(tx.db(), "orders", COLUMNS, row).await.map_err(|error| taken(error, reference))?;
        orders.push((*event, head.id, changes));
        remove_lines(tx, decision).await?;
    }
    for (event, order, changes) in orders {
        let mut sql = Sql::new(tx.db(), "INSERT INTO order_edits (event_uid, order_id, changes) VALUES (");
        sql.bind(event.0).push(", ").bind(order.0).push(", ").bind(to_json(changes)?).push(")");
        sql.run(tx.db()).await?;
    }
    Ok(())
}

fn row(head: &Head, particulars: &Particulars) -> Result<Vec<Value>> {
    Ok(vec![
        head.id.0.into(),
        head.parties.customer.0.into(),
        head.parties.offering.map(|id| id.0).into(),
        head.external_reference.clone().into(),
        head.expires_on.into(),
        to_json(&head.tags)?.into(),
        to_json(&particulars.contact)?.into(),
        particulars.shipping_address.as_ref().map(to_json).transpose()?.into(),
        particulars.billing_address.as_ref().map(to_json).transpose()?.into(),
        particulars.customer_note.clone().into(),
        particulars.payment_method.map(|method| method.name()).into(),
        particulars.metadata.clone().unwrap_or_else(|| serde_json::json!({})).into(),
    ])
}

/// Removes lines that the order had, and has no more.
async fn remove_lines(tx: &Tx, decision: &Decision) -> Result<()> {
    let kept = |id: ItemId| decision.after().items.iter().any(|item| item.id == id);
    let before = decision.before().into_iter().flat_map(|order| &order.items);
    let gone: Vec<Uuid> = before.filter(|item| !kept(item.id)).map(|item| item.id.0).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new(tx.db(), "DELETE FROM order_items WHERE ");
    sql.among("id", &gone);
    sql.run(tx.db()).await.map(|_| ())
}

/// Tells a reference that the customer used before from faults.
fn taken(error: Error, reference: Option<String>) -> Error {
    let violation = match &error {
        Error::Internal(inside) => inside.downcast_ref().and_then(DbErr::sql_err),
        _ => None,
    };
    match (violation, reference) {
        (Some(SqlErr::UniqueConstraintViolation(text)), Some(reference)) if text.contains("reference") => {
            Refusal::DuplicateReference { reference }.into()
        }
        _ => error,
    }
}

/// What each edit of some orders changed, by the event that tells of it: one statement, however many orders.
///
/// # Errors
/// The database's.
pub async fn of_orders(
    from: &impl Reads,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, HashMap<EventId, Vec<Change>>>> {
    let ids: Vec<Uuid> = orders.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(from.db(), "SELECT order_id, event_uid, changes FROM order_edits WHERE ");
    sql.among("order_id", &ids);
    let rows = sql.all(from.db(), |row| Ok((row.id()?, row.id()?, row.json()?))).await?;
    let mut edits: HashMap<OrderId, HashMap<EventId, Vec<Change>>> = HashMap::new();
    for (order, event, changes) in rows {
        edits.entry(order).or_default().insert(event, changes);
    }
    Ok(edits)
}
