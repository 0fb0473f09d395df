//! Orders deleted, restored, and removed for good.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use domain::{id::OrderId, order::OrderNumber};

use super::{
    Order, OrderError,
    change::{Answer, act, input, payload},
    event::OrderEvent,
    store, viewer,
};
use crate::{
    app::App,
    error::Error,
    graphql::{failure::Result, paging::parse_id},
    store::order::Name,
    usecase::order::{Intent, Terms, purge},
};

input!("Deletes an order: it is hidden from all but staff until it is restored.", OrderDeleteInput {
    /// Why; for staff.
    reason: Option<String>,
});
payload!("Deletes an order: it is hidden from all but staff until it is restored.", OrderDeletePayload);

input!("Brings a deleted order back as it was.", OrderRestoreInput {});
payload!("Brings a deleted order back as it was.", OrderRestorePayload);

input!(
    "Removes an order for good; it cannot be undone.",
    OrderPurgeInput {
        /// The order's number typed again.
        number: String,
    }
);

/// Removes an order for good; it cannot be undone.
#[derive(Clone, Debug, SimpleObject)]
pub struct OrderPurgePayload {
    /// The id of the order that is gone; null when the mutation was refused.
    purged: Option<ID>,
    /// Whether the same request, by its idempotency key, had been carried out before.
    replayed: bool,
    /// Why it was refused; empty on success.
    errors: Vec<OrderError>,
}

/// Orders deleted, restored, and removed for good.
#[derive(Debug, Default)]
pub struct RemovalMutation;

#[Object]
impl RemovalMutation {
    /// Deletes an order: it is hidden from all but staff, refuses every action, and its number stays its own.
    async fn order_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: OrderDeleteInput,
    ) -> Result<OrderDeletePayload> {
        let (terms, intent) = (input.terms(), Intent::Delete { reason: input.reason });
        Ok(act(ctx, "order_delete", &input.order, intent, terms).await?.into())
    }

    /// Brings a deleted order back as it was.
    async fn order_restore(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: OrderRestoreInput,
    ) -> Result<OrderRestorePayload> {
        Ok(act(ctx, "order_restore", &input.order, Intent::Restore, input.terms()).await?.into())
    }

    /// Removes an order for good: one that is deleted, or that stands where its workflow lets it go. Its lines,
    /// notes and resources go with it. Invoices that were issued, payments and refunds stay on the books.
    async fn order_purge(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: OrderPurgeInput,
    ) -> Result<OrderPurgePayload> {
        let session = viewer(ctx)?;
        let order: OrderId = parse_id(&input.order, "input.order")?;
        let number: std::result::Result<OrderNumber, String> = input.number.parse();
        let number = number.map_err(|message| Error::bad_input("input.number", message))?;
        let app = ctx.data_unchecked::<App>();
        Ok(match purge(app, session.actor(), (order, number), input.terms()).await {
            Ok(replayed) => OrderPurgePayload { purged: Some(input.order), replayed, errors: Vec::new() },
            Err(error) => {
                let name = Some(Name::Id(order));
                let error = OrderError::expect(error, store(ctx), session, name).await?;
                OrderPurgePayload { purged: None, replayed: false, errors: vec![error] }
            }
        })
    }
}
