//! Resources: who sees which, the orders that worked on them, and locks for an order that is to.
//!
//! A resource is seen by whoever sees an order about it: the policy table has no second opinion.

use domain::{
    actor::{Actor, Reach},
    id::{OrganizationId, ProductId, ResourceId},
    order::{Head, Resource, ResourceState},
    permission::SEES_DELETED,
};
use uuid::Uuid;

use super::{
    Reads, Store, Tx,
    order::{HEAD, read_head},
    parts::{RESOURCE, read_resource},
    people::Stretch,
    scope::push_reach,
    sql::Sql,
};
use crate::error::Result;

/// The most orders that are read of the resources of one answer; the newest.
const MOST_ORDERS: usize = 10_000;

/// Conditions on resources; all that are given must hold.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// One of these states.
    pub states: Option<Vec<ResourceState>>,
    /// Of one of these products.
    pub products: Option<Vec<ProductId>>,
    /// Of one of these customers.
    pub customers: Option<Vec<OrganizationId>>,
}

/// Appends the condition that an order `o` is there for the actor.
fn push_order_seen(sql: &mut Sql, actor: &Actor) {
    sql.push("(FALSE");
    for grant in actor.grants() {
        sql.push(" OR (");
        push_reach(sql, grant.reach);
        sql.push(")");
    }
    sql.push(")");
    if !actor.roles().meets(SEES_DELETED) {
        sql.push(" AND o.deleted_at IS NULL");
    }
}

/// Appends the condition that a resource `r` is there for the actor. The first half is what an index serves.
fn push_seen(sql: &mut Sql, actor: &Actor) {
    sql.push("(FALSE");
    for grant in actor.grants() {
        sql.push(" OR ");
        match grant.reach {
            Reach::Provider(provider) => sql.push("r.provider_id = ").bind(provider.0),
            Reach::Offering(_, product) => sql.push("r.product_id = ").bind(product.0),
            Reach::Customer(customer) | Reach::Created(customer, _) => {
                sql.push("r.customer_id = ").bind(customer.0)
            }
            Reach::Everything | Reach::Csr(_) | Reach::Unassigned | Reach::Agent(_) => sql.push("TRUE"),
        };
    }
    sql.push(") AND EXISTS (SELECT 1 FROM order_items i JOIN orders o ON o.id = i.order_id ");
    sql.push("WHERE i.resource_id = r.id AND ");
    push_order_seen(sql, actor);
    sql.push(")");
}

/// A page of the resources that the actor sees, oldest first, in the list's own direction.
///
/// # Errors
/// The database's.
pub async fn page(store: &Store, actor: &Actor, wanted: &Wanted, stretch: Stretch) -> Result<Vec<Resource>> {
    let mut sql = Sql::new(store.db(), RESOURCE);
    push_seen(&mut sql, actor);
    if let Some(states) = &wanted.states {
        sql.push(" AND ").among_texts("r.state", states.iter().map(|state| state.name()));
    }
    let products = wanted.products.as_ref().map(|ids| ids.iter().map(|id| id.0).collect::<Vec<Uuid>>());
    let customers = wanted.customers.as_ref().map(|ids| ids.iter().map(|id| id.0).collect::<Vec<Uuid>>());
    for (column, ids) in [("r.product_id", products), ("r.customer_id", customers)] {
        match ids {
            Some(ids) if ids.is_empty() => sql.push(" AND FALSE"),
            Some(ids) => sql.push(" AND ").among(column, &ids),
            None => &mut sql,
        };
    }
    stretch.push(&mut sql);
    let mut rows = sql.all(store.db(), read_resource).await?;
    if stretch.from_end {
        rows.reverse();
    }
    Ok(rows)
}

/// Those of the resources that the actor sees, in no order.
///
/// # Errors
/// The database's.
pub async fn by_ids(store: &Store, actor: &Actor, ids: &[ResourceId]) -> Result<Vec<Resource>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(store.db(), RESOURCE);
    sql.among("r.id", &ids).push(" AND ");
    push_seen(&mut sql, actor);
    sql.all(store.db(), read_resource).await
}

/// The orders with a line about one of the resources, as far as the actor sees them, oldest first.
///
/// # Errors
/// The database's.
pub async fn orders(store: &Store, actor: &Actor, ids: &[ResourceId]) -> Result<Vec<(ResourceId, Head)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(store.db(), "SELECT i.resource_id, ");
    sql.push(HEAD).push(" FROM order_items i JOIN orders o ON o.id = i.order_id WHERE ");
    sql.among("i.resource_id", &ids).push(" AND ");
    push_order_seen(&mut sql, actor);
    sql.push(&format!(" ORDER BY o.id DESC, i.id DESC LIMIT {MOST_ORDERS}"));
    let mut rows = sql.all(store.db(), |row| Ok((row.id()?, read_head(row)?))).await?;
    rows.reverse();
    Ok(rows)
}

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
