//! Orders removed for good: what was theirs goes with them, the books and the log stay.

use chrono::{DateTime, Utc};
use domain::{
    id::OrderId,
    order::{Decision, OrderKind, OrderNumber},
};
use uuid::Uuid;

use super::{Reads, Tx, event, sql::Sql};
use crate::error::{Error, Result};

/// Removes the orders of these decisions, and remembers their numbers. Lines, attempts and notes go with an
/// order, and the resources that it brought into being, unless another order works on them. Invoices that were
/// issued or paid, payments and refunds stay; the reasons that people wrote there and in the log are blanked.
///
/// # Errors
/// The database's.
pub(super) async fn remove(tx: &Tx, gone: &[&Decision]) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = gone.iter().map(|decision| decision.after().head.id.0).collect();
    for decision in gone {
        let head = &decision.after().head;
        remember(tx, head.id, head.number, head.updated_at).await?;
    }
    for text in [
        "DELETE FROM invoices WHERE issued_at IS NULL AND paid_at IS NULL AND ",
        "UPDATE refunds SET reason = NULL WHERE ",
    ] {
        let mut sql = Sql::new(tx.db(), text);
        sql.among("order_id", &ids);
        sql.run(tx.db()).await?;
    }
    event::forget_reasons(tx, &ids).await?;
    let mut sql = Sql::new(tx.db(), "DELETE FROM orders WHERE ");
    sql.among("id", &ids);
    if sql.run(tx.db()).await? != gone.len() as u64 {
        return Err(Error::internal("an order went although it was locked"));
    }
    let brought = gone.iter().map(|decision| decision.after()).filter(|it| it.head.kind == OrderKind::Create);
    let resources: Vec<Uuid> =
        brought.flat_map(|order| &order.resources).map(|resource| resource.id.0).collect();
    if resources.is_empty() {
        return Ok(());
    }
    let unused = "DELETE FROM resources WHERE NOT EXISTS \
        (SELECT 1 FROM order_items i WHERE i.resource_id = resources.id) AND ";
    let mut sql = Sql::new(tx.db(), unused);
    sql.among("id", &resources);
    sql.run(tx.db()).await.map(|_| ())
}

async fn remember(tx: &Tx, order: OrderId, number: OrderNumber, at: DateTime<Utc>) -> Result<()> {
    let mut sql = Sql::new(tx.db(), "INSERT INTO purged_orders (order_id, number, purged_at) VALUES (");
    sql.bind(order.0).push(", ").bind(number.0).push(", ").bind(at).push(")");
    sql.run(tx.db()).await.map(|_| ())
}

/// Refuses numbers of orders that are gone: a number that was on an invoice must not come to mean another order.
///
/// # Errors
/// [`Error::NumberTaken`]; the database's.
pub(super) async fn check_numbers(tx: &Tx, numbers: &[i64]) -> Result<()> {
    if numbers.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new(tx.db(), "SELECT 1 FROM purged_orders WHERE number IN (");
    for (place, number) in numbers.iter().enumerate() {
        sql.push(if place == 0 { "" } else { ", " }).bind(*number);
    }
    sql.push(") LIMIT 1");
    match sql.one(tx.db(), |row| row.get::<i32>()).await? {
        Some(_) => Err(Error::NumberTaken),
        None => Ok(()),
    }
}
