//! Single orders: found, locked with all that a decision reads, and their particulars.

use std::collections::HashMap;

use domain::{
    actor::{Actor, Parties, standing},
    id::{OrderId, OrganizationId},
    money::Currency,
    order::{Head, OrderKind, OrderNumber, Particulars, PaymentMethod},
    workflow::Category,
};
use uuid::Uuid;

use super::{
    Reads,
    sql::{Row, Sql},
};
use crate::error::{Error, Result};

/// The columns of [`Head`], read by [`read_head`].
pub(super) const HEAD: &str = "o.id, o.number, o.kind, o.external_reference, o.version, o.workflow, \
    o.workflow_version, o.status, o.category, o.status_changed_at, o.stalls_at, o.expires_at, o.created_at, o.updated_at, \
    o.placed_at, o.completed_at, o.expires_on, o.deleted_at, o.provider_id, o.offering_id, \
    o.customer_id, o.creator_id, o.csr_id, o.agent_id, o.currency, o.subtotal, o.discount, o.tax, \
    o.delivery_fee, o.total, o.paid, o.tags";

pub(super) fn read_head(row: &mut Row<'_>) -> Result<Head> {
    Ok(Head {
        id: row.id()?,
        number: OrderNumber(row.get()?),
        kind: row.named(OrderKind::parse)?,
        external_reference: row.get()?,
        version: row.get()?,
        workflow: row.get()?,
        workflow_version: row.get()?,
        status: row.get()?,
        category: row.named(Category::parse)?,
        status_changed_at: row.get()?,
        stalls_at: row.get()?,
        expires_at: row.get()?,
        created_at: row.get()?,
        updated_at: row.get()?,
        placed_at: row.get()?,
        completed_at: row.get()?,
        expires_on: row.get()?,
        deleted_at: row.get()?,
        parties: Parties {
            provider: row.id()?,
            offering: row.maybe_id()?,
            customer: row.id()?,
            creator: row.maybe_id()?,
            csr: row.maybe_id()?,
            agent: row.maybe_id()?,
        },
        currency: read_currency(row)?,
        subtotal: row.get()?,
        discount: row.get()?,
        tax: row.get()?,
        delivery_fee: row.get()?,
        total: row.get()?,
        paid: row.get()?,
        tags: row.json()?,
    })
}

pub(super) fn read_currency(row: &mut Row<'_>) -> Result<Currency> {
    row.named(|code| code.parse().ok())
}

/// How a single order is named.
#[derive(Clone, Debug)]
pub enum Name {
    /// By id.
    Id(OrderId),
    /// By number.
    Number(OrderNumber),
    /// By the reference that a customer gave it.
    Reference(OrganizationId, String),
}

/// The order of this name, if the actor may see it.
///
/// # Errors
/// The database's.
pub async fn find(from: &impl Reads, actor: &Actor, name: &Name) -> Result<Option<Head>> {
    let mut sql = Sql::new(from.db(), "SELECT ");
    sql.push(HEAD).push(" FROM orders o WHERE ");
    match name {
        Name::Id(id) => sql.push("o.id = ").bind(id.0),
        Name::Number(number) => sql.push("o.number = ").bind(number.0),
        Name::Reference(customer, reference) => sql
            .push("o.customer_id = ")
            .bind(customer.0)
            .push(" AND o.external_reference = ")
            .bind(reference.as_str()),
    };
    let head = sql.one(from.db(), read_head).await?;
    Ok(head.filter(|head| visible(actor, head)))
}

/// Those of the orders that the actor may see, in no order.
///
/// # Errors
/// The database's.
pub async fn by_ids(from: &impl Reads, actor: &Actor, ids: &[OrderId]) -> Result<HashMap<OrderId, Head>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(from.db(), "SELECT ");
    sql.push(HEAD).push(" FROM orders o WHERE ").among("o.id", &ids);
    let heads = sql.all(from.db(), read_head).await?;
    let grants = actor.grants();
    let visible = heads
        .into_iter()
        .filter(|head| !standing(&grants, actor.user(), &head.parties, head.deleted_at.is_some()).is_empty());
    Ok(visible.map(|head| (head.id, head)).collect())
}

/// Whether the order exists for the actor.
pub(super) fn visible(actor: &Actor, head: &Head) -> bool {
    !actor.standing(&head.parties, head.deleted_at.is_some()).is_empty()
}

/// What only the order's page shows.
///
/// # Errors
/// The database's.
pub async fn particulars(from: &impl Reads, orders: &[OrderId]) -> Result<HashMap<OrderId, Particulars>> {
    let ids: Vec<Uuid> = orders.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(
        from.db(),
        "SELECT o.id, o.contact, o.shipping_address, o.billing_address, o.customer_note, \
         o.payment_method, o.client_ip, o.metadata FROM orders o WHERE ",
    );
    sql.among("o.id", &ids);
    let rows = sql.all(from.db(), |row| Ok((row.id()?, read_particulars(row)?))).await?;
    Ok(rows.into_iter().collect())
}

fn read_particulars(row: &mut Row<'_>) -> Result<Particulars> {
    Ok(Particulars {
        contact: row.json()?,
        shipping_address: row.maybe_json()?,
        billing_address: row.maybe_json()?,
        customer_note: row.get()?,
        payment_method: row.get::<Option<String>>()?.as_deref().map(read_method).transpose()?,
        client_ip: row.get()?,
        metadata: row.maybe_json()?,
    })
}

fn read_method(name: &str) -> Result<PaymentMethod> {
    PaymentMethod::parse(name).ok_or_else(|| Error::internal(format!("payment method {name:?}")))
}
