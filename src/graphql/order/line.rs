//! What is told of single lines by hand: delivered, failed, begun again.

use async_graphql::{Context, ID, InputObject, Json, Object, SimpleObject};

use super::{
    Order, OrderError,
    change::{Answer, OrderFailureInput, act, input, payload},
    event::OrderEvent,
};
use crate::{
    graphql::{failure::Result, paging::parse_id},
    usecase::order::{Inputs, Intent, Terms},
};

input!("Tells that a line was delivered.", OrderItemProvisionedInput {
    /// The line's id.
    item: ID,
    /// The id of what was provisioned, at the provider's backend.
    backend_id: Option<String>,
});
payload!("Tells that a line was delivered.", OrderItemProvisionedPayload);

input!("Tells that a line failed.", OrderItemFailedInput {
    /// The line's id.
    item: ID,
    /// What failed.
    error: OrderFailureInput,
    /// The id of what is left of it at the provider's backend: what has one is not gone.
    backend_id: Option<String>,
});
payload!("Tells that a line failed.", OrderItemFailedPayload);

input!("Begins a line again that failed, or that was left out when its order was accepted.", OrderItemRetryInput {
    /// The line's id.
    item: ID,
    /// What its worker needs: a JSON object of at most 16 KiB, told once to the worker that claims the attempt.
    inputs: Option<Json<serde_json::Value>>,
    /// Retry although the workflow would not, after such a failure or so often; for staff, with a reason.
    #[graphql(name = "override")] overrides: Option<bool>,
    /// Why; needed with `override`.
    reason: Option<String>,
});
payload!(
    "Begins a line again that failed, or that was left out when its order was accepted.",
    OrderItemRetryPayload
);

/// What is told of single lines.
#[derive(Debug, Default)]
pub struct LineMutation;

#[Object]
impl LineMutation {
    /// Tells that a line was delivered, for attempts that no worker holds, and by people for any. The other lines
    /// stay as they are, and so does the order, unless its workflow ends with its last line.
    async fn order_item_provisioned(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: OrderItemProvisionedInput,
    ) -> Result<OrderItemProvisionedPayload> {
        let (terms, item) = (input.terms(), parse_id(&input.item, "input.item")?);
        let intent = Intent::LineProvisioned { item, backend_id: input.backend_id };
        Ok(act(ctx, "order_item_provisioned", &input.order, intent, terms).await?.into())
    }

    /// Tells that a line failed, for attempts that no worker holds, and by people for any. The other lines stay as
    /// they are, and so does the order, unless its workflow ends with its last line.
    async fn order_item_failed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: OrderItemFailedInput,
    ) -> Result<OrderItemFailedPayload> {
        let (terms, item) = (input.terms(), parse_id(&input.item, "input.item")?);
        let OrderItemFailedInput { order, error, backend_id, .. } = input;
        let intent = Intent::LineFailed { item, failure: error.into(), backend_id };
        Ok(act(ctx, "order_item_failed", &order, intent, terms).await?.into())
    }

    /// Begins a line again that failed, or that was left out when its order was accepted. Earlier attempts stay as
    /// they are.
    async fn order_item_retry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: OrderItemRetryInput,
    ) -> Result<OrderItemRetryPayload> {
        let (terms, item) = (input.terms(), parse_id(&input.item, "input.item")?);
        let OrderItemRetryInput { order, inputs, overrides, reason, .. } = input;
        let inputs = inputs.map(|Json(inputs)| Inputs(inputs));
        let intent = Intent::LineRetry { item, inputs, overrides: overrides.unwrap_or(false), reason };
        Ok(act(ctx, "order_item_retry", &order, intent, terms).await?.into())
    }
}
