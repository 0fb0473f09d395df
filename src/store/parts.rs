//! What belongs to orders, read for many orders at once: the caller has seen that the orders are
//! the viewer's.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
};

use domain::{
    event::Audience,
    id::{ItemId, OrderId, ProductId, ResourceId},
    money::UnitPrice,
    order::{
        Attempt, Claim, ErrorCategory, Failure, InputsState, Invoice, InvoiceState, Item, ItemStatus, Note,
        Outcome, Payment, PaymentMethod, Refund, Resource, ResourceState,
    },
};
use uuid::Uuid;

use super::{
    Reads,
    sql::{Row, Sql},
};
use crate::error::Result;

/// Rows of a child table by the order they belong to, which is the first column; each order's in the
/// order that `sorted` gives.
async fn grouped<T>(
    from: &impl Reads,
    select: &str,
    sorted: &str,
    orders: &[OrderId],
    mut read: impl FnMut(&mut Row<'_>) -> Result<T>,
) -> Result<HashMap<OrderId, Vec<T>>> {
    if orders.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = orders.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(from.db(), select);
    sql.push(" WHERE ").among("order_id", &ids).push(" ORDER BY ").push(sorted);
    let rows = sql.all(from.db(), |row| Ok((row.id::<OrderId>()?, read(row)?))).await?;
    Ok(group(rows))
}

fn group<K: Eq + Hash, T>(rows: Vec<(K, T)>) -> HashMap<K, Vec<T>> {
    let mut groups: HashMap<K, Vec<T>> = HashMap::new();
    for (key, row) in rows {
        groups.entry(key).or_default().push(row);
    }
    groups
}

fn read_item(row: &mut Row<'_>) -> Result<Item> {
    Ok(Item {
        id: row.id()?,
        position: row.get()?,
        product: row.maybe_id()?,
        name: row.get()?,
        sku: row.get()?,
        configuration: row.get()?,
        quantity: row.get()?,
        unit_price: UnitPrice(row.get()?),
        tax_rate: row.get()?,
        discount: row.get()?,
        tax: row.get()?,
        line_total: row.get()?,
        status: row.named(ItemStatus::parse)?,
        resource: row.maybe_id()?,
        holds: row.get()?,
        attempts: row.get()?,
        failed_of: row.get::<Option<String>>()?.as_deref().and_then(ErrorCategory::parse),
    })
}

/// The lines, by position.
///
/// # Errors
/// The database's.
pub async fn items(from: &impl Reads, orders: &[OrderId]) -> Result<HashMap<OrderId, Vec<Item>>> {
    let select = "SELECT order_id, id, position, product_id, name, sku, configuration, quantity, \
        unit_price, tax_rate, discount, tax, line_total, status, resource_id, holds, attempts, failed_of \
        FROM order_items";
    grouped(from, select, "order_id, position", orders, read_item).await
}

/// What lists show of a line: every column that is not read counts where there are hundreds of them.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its id.
    pub id: ItemId,
    /// The product.
    pub product: Option<ProductId>,
    /// The product's name when the order was placed.
    pub name: String,
    /// How many.
    pub quantity: i64,
    /// Before tax, minor units.
    pub line_total: i64,
    /// Where the line stands.
    pub status: ItemStatus,
}

/// The lines of several orders, by position, and today's names of their products.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// By order.
    pub lines: HashMap<OrderId, Vec<Line>>,
    /// As far as they were read.
    pub products: HashMap<ProductId, String>,
}

impl Lines {
    /// Of lines of which all is known, but not the products.
    pub fn of(items: &HashMap<OrderId, Vec<Item>>) -> Lines {
        let line = |item: &Item| Line {
            id: item.id,
            product: item.product,
            name: item.name.clone(),
            quantity: item.quantity,
            line_total: item.line_total,
            status: item.status,
        };
        let lines = items.iter().map(|(order, items)| (*order, items.iter().map(line).collect()));
        Lines { lines: lines.collect(), products: HashMap::new() }
    }
}

/// What lists show of the lines.
///
/// # Errors
/// The database's.
pub async fn lines(from: &impl Reads, orders: &[OrderId]) -> Result<Lines> {
    let select = "SELECT i.order_id, i.id, i.product_id, i.name, i.quantity, i.line_total, i.status, \
        p.name FROM order_items i LEFT JOIN products p ON p.id = i.product_id";
    let mut products = HashMap::new();
    let lines = grouped(from, select, "i.order_id, i.position", orders, |row| {
        let line = Line {
            id: row.id()?,
            product: row.maybe_id()?,
            name: row.get()?,
            quantity: row.get()?,
            line_total: row.get()?,
            status: row.named(ItemStatus::parse)?,
        };
        if let Some(id) = line.product
            && let Entry::Vacant(place) = products.entry(id)
            && let Some(name) = row.get()?
        {
            place.insert(name);
        }
        Ok(line)
    });
    let lines = lines.await?;
    Ok(Lines { lines, products })
}

/// Every attempt, oldest first.
///
/// # Errors
/// The database's.
pub async fn attempts(from: &impl Reads, orders: &[OrderId]) -> Result<HashMap<OrderId, Vec<Attempt>>> {
    let select = "SELECT order_id, id, item_id, number, stage, outcome, started_at, ended_at, \
        error_category, error_message, error_traceback, holder_id, lease_until, fence, \
        inputs FROM attempts";
    grouped(from, select, "order_id, id", orders, |row| {
        Ok(Attempt {
            id: row.id()?,
            item: row.id()?,
            number: row.get()?,
            stage: row.get()?,
            outcome: row.named(Outcome::parse)?,
            started_at: row.get()?,
            ended_at: row.get()?,
            failure: read_failure(row)?,
            claim: read_claim(row)?,
            fence: row.get()?,
            inputs: row.get::<Option<String>>()?.as_deref().and_then(InputsState::parse),
        })
    })
    .await
}

fn read_failure(row: &mut Row<'_>) -> Result<Option<Failure>> {
    let category: Option<String> = row.get()?;
    let message: Option<String> = row.get()?;
    let traceback = row.get()?;
    let category = category.as_deref().and_then(ErrorCategory::parse);
    Ok(category.map(|category| Failure { category, message: message.unwrap_or_default(), traceback }))
}

fn read_claim(row: &mut Row<'_>) -> Result<Option<Claim>> {
    let (holder, until) = (row.maybe_id()?, row.get()?);
    Ok(holder.zip(until).map(|(holder, until)| Claim { holder, until }))
}

/// The newest invoice of each order.
///
/// # Errors
/// The database's.
pub async fn invoices(from: &impl Reads, orders: &[OrderId]) -> Result<HashMap<OrderId, Invoice>> {
    let select = "SELECT order_id, id, number, state, total, opened_at, issued_at, paid_at, \
        cancelled_at FROM invoices";
    let invoices = grouped(from, select, "order_id, id", orders, |row| {
        Ok(Invoice {
            id: row.id()?,
            number: row.get()?,
            state: row.named(InvoiceState::parse)?,
            total: row.get()?,
            opened_at: row.get()?,
            issued_at: row.get()?,
            paid_at: row.get()?,
            cancelled_at: row.get()?,
        })
    });
    let invoices = invoices.await?;
    Ok(invoices.into_iter().filter_map(|(order, mut all)| Some((order, all.pop()?))).collect())
}

/// Money received, oldest first.
///
/// # Errors
/// The database's.
pub async fn payments(from: &impl Reads, orders: &[OrderId]) -> Result<HashMap<OrderId, Vec<Payment>>> {
    let select = "SELECT order_id, id, amount, method, gateway, reference, recorded_by, recorded_at \
        FROM payments";
    grouped(from, select, "order_id, id", orders, |row| {
        Ok(Payment {
            id: row.id()?,
            amount: row.get()?,
            method: row.named(PaymentMethod::parse)?,
            gateway: row.get()?,
            reference: row.get()?,
            recorded_by: row.maybe_id()?,
            recorded_at: row.get()?,
        })
    })
    .await
}

/// Money given back, oldest first.
///
/// # Errors
/// The database's.
pub async fn refunds(from: &impl Reads, orders: &[OrderId]) -> Result<HashMap<OrderId, Vec<Refund>>> {
    let select = "SELECT order_id, id, payment_id, amount, reason, recorded_by, recorded_at FROM refunds";
    grouped(from, select, "order_id, id", orders, |row| {
        Ok(Refund {
            id: row.id()?,
            payment: row.id()?,
            amount: row.get()?,
            reason: row.get()?,
            recorded_by: row.maybe_id()?,
            recorded_at: row.get()?,
        })
    })
    .await
}

/// Notes, oldest first.
///
/// # Errors
/// The database's.
pub async fn notes(from: &impl Reads, orders: &[OrderId]) -> Result<HashMap<OrderId, Vec<Note>>> {
    let select = "SELECT order_id, id, body, audience, author_id, created_at FROM notes";
    grouped(from, select, "order_id, id", orders, |row| {
        Ok(Note {
            id: row.id()?,
            body: row.get()?,
            audience: row.named(Audience::parse)?,
            author: row.maybe_id()?,
            created_at: row.get()?,
        })
    })
    .await
}

/// Begins a statement that reads resources `r`, with [`read_resource`].
pub(super) const RESOURCE: &str = "SELECT r.id, r.product_id, r.provider_id, r.customer_id, r.name, r.state, r.previous_state, \
    r.backend_id, (SELECT i.order_id FROM order_items i WHERE i.resource_id = r.id AND i.holds), \
    r.created_at, r.updated_at FROM resources r WHERE ";

/// Resources by id.
///
/// # Errors
/// The database's.
pub async fn resources(from: &impl Reads, ids: &[ResourceId]) -> Result<HashMap<ResourceId, Resource>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(from.db(), RESOURCE);
    sql.among("r.id", &ids);
    let rows = sql.all(from.db(), read_resource).await?;
    Ok(rows.into_iter().map(|resource| (resource.id, resource)).collect())
}

pub(super) fn read_resource(row: &mut Row<'_>) -> Result<Resource> {
    Ok(Resource {
        id: row.id()?,
        product: row.id()?,
        provider: row.id()?,
        customer: row.id()?,
        name: row.get()?,
        state: row.named(ResourceState::parse)?,
        previous_state: row.get::<Option<String>>()?.as_deref().and_then(ResourceState::parse),
        backend_id: row.get()?,
        held_by: row.maybe_id()?,
        created_at: row.get()?,
        updated_at: row.get()?,
    })
}
