//! Orders with all that a decision may read or change, locked for the rest of the transaction.

use domain::{
    actor::Actor,
    id::{OrderId, ResourceId},
    order::Order,
};
use uuid::Uuid;

use super::{
    Reads, Tx,
    order::{HEAD, read_head, visible},
    parts,
    sql::Sql,
};
use crate::error::Result;

impl Tx {
    /// Those of the orders that the actor may see, locked by ascending id so that two writers never wait
    /// for each other in a circle. On SQLite the transaction is the only writer already. The number of
    /// statements does not depend on the number of orders, and an order out of reach costs as many as
    /// one that does not exist.
    ///
    /// # Errors
    /// The database's.
    pub async fn orders(&self, actor: &Actor, ids: &[OrderId]) -> Result<Vec<Order>> {
        let uuids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let mut sql = Sql::new(self.db(), "SELECT ");
        sql.push(HEAD).push(" FROM orders o WHERE ").among("o.id", &uuids).push(" ORDER BY o.id");
        if sql.is_postgres() {
            sql.push(" FOR UPDATE");
        }
        let mut heads = sql.all(self.db(), read_head).await?;
        heads.retain(|head| visible(actor, head));
        if heads.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<OrderId> = heads.iter().map(|head| head.id).collect();
        let mut items = parts::items(self, &ids).await?;
        let mut attempts = parts::attempts(self, &ids).await?;
        let mut invoices = parts::invoices(self, &ids).await?;
        let mut payments = parts::payments(self, &ids).await?;
        let mut refunds = parts::refunds(self, &ids).await?;
        let resource_ids: Vec<ResourceId> =
            items.values().flatten().filter_map(|item| item.resource).collect();
        let resources = parts::resources(self, &resource_ids).await?;
        let orders = heads.into_iter().map(|head| {
            let items = items.remove(&head.id).unwrap_or_default();
            let own = items.iter().filter_map(|item| resources.get(&item.resource?)).cloned().collect();
            Order {
                resources: own,
                items,
                attempts: attempts.remove(&head.id).unwrap_or_default(),
                invoice: invoices.remove(&head.id),
                payments: payments.remove(&head.id).unwrap_or_default(),
                refunds: refunds.remove(&head.id).unwrap_or_default(),
                notes: Vec::new(),
                schedules: Vec::new(),
                head,
            }
        });
        Ok(orders.collect())
    }
}
