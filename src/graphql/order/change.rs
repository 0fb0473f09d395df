//! Transition mutations: one for any action of any workflow, and named ones over the same engine.

use async_graphql::{Context, ID, InputObject, Json, Object, SimpleObject};
use domain::{
    id::OrderId,
    order::{Failure as Cause, Transition},
};

use super::{Order, OrderError, event::OrderEvent, item::ErrorCategory, viewer};
use crate::{
    app::App,
    error::Error,
    graphql::{
        failure::{Failure, Result},
        paging::parse_id,
        viewer::Session,
    },
    store::order::Name,
    usecase::order::{Inputs, Intent, Terms, Written, change},
};

/// Why an attempt failed.
#[derive(Clone, Debug, InputObject)]
pub struct OrderFailureInput {
    /// What it was due to; OTHER if not told.
    pub category: Option<ErrorCategory>,
    /// In words.
    pub message: String,
    /// Where in the provider's code; shown to staff and the provider alone.
    pub traceback: Option<String>,
}

impl From<OrderFailureInput> for Cause {
    fn from(input: OrderFailureInput) -> Cause {
        let category = input.category.map_or(domain::order::ErrorCategory::Other, Into::into);
        Cause { category, message: input.message, traceback: input.traceback }
    }
}

/// What a write comes to: the order and event, or errors that were to be expected.
pub(super) struct Answer {
    pub order: Option<Order>,
    pub event: Option<OrderEvent>,
    pub replayed: bool,
    pub errors: Vec<OrderError>,
}

impl Answer {
    /// The answer to a use case.
    pub async fn of(
        ctx: &Context<'_>,
        session: &Session,
        name: Option<Name>,
        written: std::result::Result<Written, Error>,
    ) -> Result<Answer> {
        match written {
            Ok(Written { head, event, replayed }) => {
                let order = Order::single(session, head);
                let event = OrderEvent::single(event, order.clone());
                Ok(Answer { order: Some(order), event: Some(event), replayed, errors: Vec::new() })
            }
            Err(error) => {
                let error = OrderError::expect(error, super::store(ctx), session, name).await?;
                Ok(Answer { order: None, event: None, replayed: false, errors: vec![error] })
            }
        }
    }
}

/// Carries out what somebody wants of an order.
pub(super) async fn act(
    ctx: &Context<'_>,
    operation: &'static str,
    order: &ID,
    intent: Intent,
    terms: Terms,
) -> Result<Answer> {
    let session = viewer(ctx)?;
    let order: OrderId = parse_id(order, "input.order")?;
    let app = ctx.data_unchecked::<App>();
    let written = change(app, session.actor(), operation, (order, intent), terms).await;
    Answer::of(ctx, session, Some(Name::Id(order)), written).await
}

/// What workers need for a line: server, user name, overrides.
#[derive(Clone, Debug, InputObject)]
pub struct OrderItemInputsInput {
    /// The line's id.
    pub item: ID,
    /// A JSON object of at most 16 KiB. It is sealed at rest, told once, to the worker that claims the attempt, and
    /// then destroyed.
    pub inputs: Json<serde_json::Value>,
}

/// An action that begins work, with what workers need for it.
fn begin(
    transition: Transition,
    inputs: Option<Vec<OrderItemInputsInput>>,
) -> std::result::Result<Intent, Failure> {
    let given = inputs.unwrap_or_default();
    if given.is_empty() {
        return Ok(Intent::Transition(transition));
    }
    let each = given.into_iter().map(|OrderItemInputsInput { item, inputs: Json(inputs) }| {
        Ok((parse_id(&item, "input.inputs.item")?, Inputs(inputs)))
    });
    let inputs = each.collect::<std::result::Result<Vec<_>, Error>>()?;
    Ok(Intent::Begin { transition, inputs })
}

/// Reads the ids of lines.
fn items(ids: Vec<ID>) -> std::result::Result<Vec<domain::id::ItemId>, Failure> {
    let ids = ids.iter().map(|id| parse_id(id, "input.items")).collect::<std::result::Result<_, Error>>();
    Ok(ids?)
}

/// A payload type of a mutation on an order, and how an [`Answer`] becomes one.
macro_rules! payload {
    ($doc:literal, $payload:ident) => {
        #[doc = $doc]
        #[derive(Clone, Debug, SimpleObject)]
        pub struct $payload {
            /// The order as it is now; null when the mutation was refused.
            order: Option<Order>,
            /// What happened; null when the mutation was refused.
            event: Option<OrderEvent>,
            /// Whether the same request, by its idempotency key, had been carried out before.
            replayed: bool,
            /// Why it was refused; empty on success.
            errors: Vec<OrderError>,
        }

        impl From<Answer> for $payload {
            fn from(answer: Answer) -> $payload {
                let Answer { order, event, replayed, errors } = answer;
                $payload { order, event, replayed, errors }
            }
        }
    };
}
pub(super) use payload;

/// The input type of a mutation on an order: its own fields and those that every write has.
macro_rules! input {
    ($doc:literal, $input:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        #[doc = $doc]
        #[derive(Clone, Debug, InputObject)]
        pub struct $input {
            /// The order's id.
            pub order: ID,
            $($(#[$field_doc])* pub $field: $type,)*
            /// A key of the caller's choice: the same request under the same key is done once.
            pub idempotency_key: Option<String>,
            /// Refuse if the order has another version than this.
            pub expected_version: Option<i32>,
        }

        impl $input {
            /// What every write may carry.
            fn terms(&self) -> Terms {
                Terms {
                    idempotency_key: self.idempotency_key.clone(),
                    expected_version: self.expected_version.map(i64::from),
                }
            }
        }
    };
}
pub(super) use input;

/// The named transition mutations: input, payload, and a resolver that takes one action.
macro_rules! transitions {
    ($($doc:literal $mutation:ident($input:ident $fields:tt) -> $payload:ident = $intent:expr;)*) => {
        $(
            input!($doc, $input $fields);
            payload!($doc, $payload);
        )*

        /// Moving orders along their workflows.
        #[derive(Debug, Default)]
        pub struct ActionMutation;

        #[Object]
        impl ActionMutation {
            $(
                #[doc = $doc]
                async fn $mutation(
                    &self,
                    ctx: &Context<'_>,
                    #[graphql(desc = "What to do.")] input: $input,
                ) -> Result<$payload> {
                    let (order, terms) = (input.order.clone(), input.terms());
                    let intent: fn($input) -> std::result::Result<Intent, Failure> = $intent;
                    Ok(act(ctx, stringify!($mutation), &order, intent(input)?, terms).await?.into())
                }
            )*
        }
    };
}

/// An action with nothing but a reason.
fn plain(action: &str, reason: Option<String>) -> std::result::Result<Intent, Failure> {
    Ok(Intent::Transition(Transition { action: action.to_owned(), reason, ..Transition::default() }))
}

transitions! {
    "Takes any action of the order's workflow; see `Order.availableActions`."
    order_transition(OrderTransitionInput {
        /// The action's name.
        action: String,
        /// Why.
        reason: Option<String>,
        /// What failed, for actions that report a failure.
        error: Option<OrderFailureInput>,
        /// The status to go to, for actions that let the caller choose.
        to: Option<String>,
        /// The lines it concerns; all if not given.
        items: Option<Vec<ID>>,
        /// Cancel although payments stay with us, as a credit.
        keep_credit: Option<bool>,
        /// The order's number typed again, for what cannot be undone.
        number: Option<String>,
        /// What workers need, by line, for actions that begin work.
        inputs: Option<Vec<OrderItemInputsInput>>,
        /// Begin again although the workflow would not; for staff, with a reason.
        #[graphql(name = "override")] overrides: Option<bool>,
    }) -> OrderTransitionPayload = |input| {
        let number = input.number.map(|number| number.parse());
        let number = number.transpose().map_err(|message: String| Error::bad_input("input.number", message))?;
        let transition = Transition {
            action: input.action,
            reason: input.reason,
            error: input.error.map(Into::into),
            to: input.to,
            items: input.items.map(items).transpose()?,
            keep_credit: input.keep_credit.unwrap_or(false),
            number,
            overrides: input.overrides.unwrap_or(false),
            inputs: Vec::new(),
        };
        begin(transition, input.inputs)
    };

    "Moves an order of a workflow that moves freely to any of its statuses."
    order_set_status(OrderSetStatusInput {
        /// The status to go to.
        to: String,
        /// Why; needed where the named action into that status needs it.
        reason: Option<String>,
    }) -> OrderSetStatusPayload = |input| Ok(Intent::Transition(Transition {
        action: "set_status".to_owned(),
        to: Some(input.to),
        reason: input.reason,
        ..Transition::default()
    }));

    "Submits a draft; its prices are frozen from then on."
    order_submit(OrderSubmitInput {}) -> OrderSubmitPayload = |_| plain("submit", None);

    "Approves an order at the step it stands in."
    order_approve(OrderApproveInput {}) -> OrderApprovePayload = |_| plain("approve", None);

    "Rejects an order; the customer reads the reason."
    order_reject(OrderRejectInput {
        /// Why; the customer reads it.
        reason: String,
    }) -> OrderRejectPayload = |input| plain("reject", Some(input.reason));

    "Accepts a hosting order: work begins on all lines, or on the ones named."
    order_accept(OrderAcceptInput {
        /// The lines to begin with; the others stay pending.
        items: Option<Vec<ID>>,
        /// What workers need, by line.
        inputs: Option<Vec<OrderItemInputsInput>>,
    }) -> OrderAcceptPayload = |input| {
        let (action, items) = ("accept".to_owned(), input.items.map(items).transpose()?);
        begin(Transition { action, items, ..Transition::default() }, input.inputs)
    };

    "Confirms that an order is paid."
    order_confirm_payment(OrderConfirmPaymentInput {}) -> OrderConfirmPaymentPayload =
        |_| plain("confirm_payment", None);

    "Begins to check an order's configuration and the capacity for it."
    order_validate(OrderValidateInput {}) -> OrderValidatePayload = |_| plain("validate", None);

    "Begins to provision an order."
    order_provision(OrderProvisionInput {}) -> OrderProvisionPayload = |_| plain("provision", None);

    "Tells that an order is provisioned and active."
    order_fulfill(OrderFulfillInput {}) -> OrderFulfillPayload = |_| plain("fulfill", None);

    "Tells that an order has been carried out."
    order_complete(OrderCompleteInput {}) -> OrderCompletePayload = |_| plain("complete", None);

    "Tells that an order failed: with an error where an attempt at provisioning failed, with a reason where a delivery did."
    order_fail(OrderFailInput {
        /// What failed, for attempts at provisioning.
        error: Option<OrderFailureInput>,
        /// Why, for deliveries.
        reason: Option<String>,
    }) -> OrderFailPayload = |input| Ok(Intent::Transition(Transition {
        action: "fail".to_owned(),
        error: input.error.map(Into::into),
        reason: input.reason,
        ..Transition::default()
    }));

    "Tries a failed order again. Earlier attempts stay as they are."
    order_retry(OrderRetryInput {
        /// What workers need, by line.
        inputs: Option<Vec<OrderItemInputsInput>>,
        /// Retry although the workflow would not, after such a failure or so often; for staff, with a reason.
        #[graphql(name = "override")] overrides: Option<bool>,
        /// Why; needed with `override`.
        reason: Option<String>,
    }) -> OrderRetryPayload = |input| {
        let (action, overrides) = ("retry".to_owned(), input.overrides.unwrap_or(false));
        begin(Transition { action, overrides, reason: input.reason, ..Transition::default() }, input.inputs)
    };

    "Cancels an order: picks `cancel`, `cancel_and_refund` or `cancel_failed` by its status."
    order_cancel(OrderCancelInput {
        /// Why; needed for orders that failed.
        reason: Option<String>,
        /// Give all payments back.
        refund: Option<bool>,
        /// Cancel although payments stay with us, as a credit.
        keep_credit: Option<bool>,
    }) -> OrderCancelPayload = |input| Ok(Intent::Cancel {
        refund: input.refund.unwrap_or(false),
        transition: Transition {
            reason: input.reason,
            keep_credit: input.keep_credit.unwrap_or(false),
            ..Transition::default()
        },
    });

    "Marks an order as fraud: ends what is active and cancels the invoice."
    order_mark_fraud(OrderMarkFraudInput {
        /// Why.
        reason: String,
    }) -> OrderMarkFraudPayload = |input| plain("mark_fraud", Some(input.reason));

    "Sets an order and its lines back to pending. What was ended stays so."
    order_reset_to_pending(OrderResetToPendingInput {
        /// Why.
        reason: Option<String>,
    }) -> OrderResetToPendingPayload = |input| plain("reset_to_pending", input.reason);

    "Begins to prepare an order for delivery."
    order_process(OrderProcessInput {}) -> OrderProcessPayload = |_| plain("process", None);

    "Sends an order out with its delivery agent."
    order_dispatch(OrderDispatchInput {}) -> OrderDispatchPayload = |_| plain("dispatch", None);

    "Tells that an order was handed over."
    order_deliver(OrderDeliverInput {}) -> OrderDeliverPayload = |_| plain("deliver", None);

    "Marks an order as shipped."
    order_ship(OrderShipInput {}) -> OrderShipPayload = |_| plain("ship", None);

    "Closes an order: all obligations are met."
    order_close(OrderCloseInput {}) -> OrderClosePayload = |_| plain("close", None);

    "Archives a closed order; it leaves the lists and stays findable."
    order_archive(OrderArchiveInput {}) -> OrderArchivePayload = |_| plain("archive", None);
}
