//! What people do to an order besides moving it: assign, take money, give it back, write notes.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{
    Order, OrderError,
    change::{Answer, act, input, payload},
    event::{Audience, OrderEvent},
    money::{MoneyInput, PaymentMethod},
};
use crate::{
    graphql::{failure::Result, paging::parse_id},
    usecase::order::{Intent, Terms},
};

input!("Gives an order to a customer-service representative.", OrderAssignCsrInput {
    /// The account; null takes the order away from whoever has it.
    csr: Option<ID>,
});
payload!("Gives an order to a customer-service representative.", OrderAssignCsrPayload);

input!("Gives an order to a delivery agent.", OrderAssignAgentInput {
    /// The account; null takes the order away from whoever has it.
    agent: Option<ID>,
});
payload!("Gives an order to a delivery agent.", OrderAssignAgentPayload);

input!("Records money received.", OrderRecordPaymentInput {
    /// How much, in the order's currency.
    amount: MoneyInput,
    /// How.
    method: PaymentMethod,
    /// The bank's or terminal's reference.
    reference: Option<String>,
});
payload!("Records money received.", OrderRecordPaymentPayload);

input!("Gives money back through the gateway it came by.", OrderRefundInput {
    /// How much; all that is left if not given.
    amount: Option<MoneyInput>,
    /// Of which payment; of the newest ones first if not given.
    payment: Option<ID>,
    /// Why.
    reason: String,
});
payload!("Gives money back through the gateway it came by.", OrderRefundPayload);

input!("Writes a note on an order.", OrderAddNoteInput {
    /// The text.
    body: String,
    /// Who reads it; the operator alone if not given.
    audience: Option<Audience>,
});
payload!("Writes a note on an order.", OrderAddNotePayload);

/// What people do to an order besides moving it.
#[derive(Debug, Default)]
pub struct DeskMutation;

#[Object]
impl DeskMutation {
    /// Gives an order to a customer-service representative, or takes it away.
    async fn order_assign_csr(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: OrderAssignCsrInput,
    ) -> Result<OrderAssignCsrPayload> {
        let to = input.csr.as_ref().map(|id| parse_id(id, "input.csr")).transpose()?;
        let intent = Intent::AssignCsr { to };
        Ok(act(ctx, "order_assign_csr", &input.order, intent, input.terms()).await?.into())
    }

    /// Gives an order to a delivery agent, or takes it away.
    async fn order_assign_agent(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: OrderAssignAgentInput,
    ) -> Result<OrderAssignAgentPayload> {
        let to = input.agent.as_ref().map(|id| parse_id(id, "input.agent")).transpose()?;
        let intent = Intent::AssignAgent { to };
        Ok(act(ctx, "order_assign_agent", &input.order, intent, input.terms()).await?.into())
    }

    /// Records money received. Payments that cover the total confirm an order that waits for them.
    async fn order_record_payment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: OrderRecordPaymentInput,
    ) -> Result<OrderRecordPaymentPayload> {
        let terms = input.terms();
        let amount = match input.amount.read("amount") {
            Ok(amount) => amount,
            Err(error) => return Ok(refused(ctx, error).await?.into()),
        };
        let OrderRecordPaymentInput { order, method, reference, .. } = input;
        let intent = Intent::RecordPayment { amount, method: method.into(), reference };
        Ok(act(ctx, "order_record_payment", &order, intent, terms).await?.into())
    }

    /// Gives money back through the gateway it came by.
    async fn order_refund(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: OrderRefundInput,
    ) -> Result<OrderRefundPayload> {
        let terms = input.terms();
        let amount = match input.amount.as_ref().map(|amount| amount.read("amount")).transpose() {
            Ok(amount) => amount,
            Err(error) => return Ok(refused(ctx, error).await?.into()),
        };
        let payment = input.payment.as_ref().map(|id| parse_id(id, "input.payment")).transpose()?;
        let intent = Intent::Refund { amount, payment, reason: input.reason };
        Ok(act(ctx, "order_refund", &input.order, intent, terms).await?.into())
    }

    /// Writes a note on an order.
    async fn order_add_note(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: OrderAddNoteInput,
    ) -> Result<OrderAddNotePayload> {
        let terms = input.terms();
        let audience = input.audience.map_or(domain::event::Audience::Staff, Into::into);
        let intent = Intent::AddNote { body: input.body, audience };
        Ok(act(ctx, "order_add_note", &input.order, intent, terms).await?.into())
    }
}

/// An answer that refuses before anything was looked up.
async fn refused(ctx: &Context<'_>, error: crate::error::Error) -> Result<Answer> {
    Answer::of(ctx, super::viewer(ctx)?, None, Err(error)).await
}
