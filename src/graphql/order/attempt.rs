//! What workers do: claim attempts at orders, renew their leases, tell how they ended.

use async_graphql::{Context, ID, InputObject, Json, Object, SimpleObject};
use domain::order::Hold;

use super::{
    Order, OrderError,
    change::{Answer, OrderFailureInput, input, payload},
    event::OrderEvent,
    item::Attempt,
    store, viewer,
};
use crate::{
    app::App,
    graphql::{failure::Result, paging::parse_id, scalar::DateTime, siblings::One},
    store::order::Name,
    usecase::order::{Held, Terms, claim_attempt, fail_attempt, renew_lease, succeed_attempt},
};

input!("Claims an attempt at an order: the first one that nobody holds.", AttemptClaimInput {
    /// For how long, in seconds, between 10 and 3,600; 60 if not given.
    lease_seconds: Option<i32>,
});

/// What came of a claim.
#[derive(Clone, Debug, SimpleObject)]
pub struct AttemptClaimPayload {
    /// The attempt that the caller holds now; null when the mutation was refused.
    attempt: Option<Attempt>,
    /// The number that renewals and reports name: it grows with each claim on an attempt at the line, through all
    /// retries.
    fence: Option<i32>,
    /// What the attempt was begun with: told once, with this answer, and destroyed. Null when there was nothing, or
    /// when it was told before; see `Attempt.inputs`.
    inputs: Option<Json<serde_json::Value>>,
    /// The order as it is now; null when the mutation was refused.
    order: Option<Order>,
    /// What happened; null when the mutation was refused.
    event: Option<OrderEvent>,
    /// Whether the same request, by its idempotency key, had been carried out before.
    replayed: bool,
    /// Why it was refused; empty on success.
    errors: Vec<OrderError>,
}

/// Makes the lease of a held attempt longer.
#[derive(Clone, Debug, InputObject)]
pub struct AttemptRenewInput {
    /// The attempt's id.
    pub attempt: ID,
    /// The number that the claim was given.
    pub fence: i32,
    /// For how long from now, in seconds, between 10 and 3,600; 60 if not given.
    pub lease_seconds: Option<i32>,
}

/// What came of a renewal.
#[derive(Clone, Debug, SimpleObject)]
pub struct AttemptRenewPayload {
    /// When the lease ends now; null when the mutation was refused.
    lease_until: Option<DateTime>,
    /// Why it was refused; empty on success.
    errors: Vec<OrderError>,
}

/// Tells that a held attempt delivered.
#[derive(Clone, Debug, InputObject)]
pub struct AttemptSucceedInput {
    /// The attempt's id.
    pub attempt: ID,
    /// The number that the claim was given.
    pub fence: i32,
    /// The id of what was provisioned, at the provider's backend.
    pub backend_id: Option<String>,
    /// A key of the caller's choice: the same request under the same key is done once.
    pub idempotency_key: Option<String>,
}
payload!("Tells that a held attempt delivered.", AttemptSucceedPayload);

/// Tells that a held attempt failed.
#[derive(Clone, Debug, InputObject)]
pub struct AttemptFailInput {
    /// The attempt's id.
    pub attempt: ID,
    /// The number that the claim was given.
    pub fence: i32,
    /// What failed.
    pub error: OrderFailureInput,
    /// The id of what is left of it at the provider's backend: what has one is not gone.
    pub backend_id: Option<String>,
    /// A key of the caller's choice: the same request under the same key is done once.
    pub idempotency_key: Option<String>,
}
payload!("Tells that a held attempt failed.", AttemptFailPayload);

fn hold(attempt: &ID, fence: i32) -> Result<Hold> {
    Ok(Hold { attempt: parse_id(attempt, "input.attempt")?, fence: fence.into() })
}

fn once(idempotency_key: Option<String>) -> Terms {
    Terms { idempotency_key, expected_version: None }
}

/// What workers do.
#[derive(Debug, Default)]
pub struct AttemptMutation;

#[Object]
impl AttemptMutation {
    /// Claims an attempt at an order: the caller alone works on it until the lease ends. An order that waits for a
    /// worker to begin is begun, and moves on to the status in which the work can be finished. A lease that runs
    /// out fails the attempt, and only a retry runs it again. For workers.
    async fn attempt_claim(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: AttemptClaimInput,
    ) -> Result<AttemptClaimPayload> {
        let session = viewer(ctx)?;
        let order = parse_id(&input.order, "input.order")?;
        let (app, seconds) = (ctx.data_unchecked::<App>(), input.lease_seconds.map(i64::from));
        let claimed = claim_attempt(app, session.actor(), order, seconds, input.terms()).await;
        let (held, inputs, written) = match claimed {
            Ok(Held { written, attempt, inputs }) => (Some(attempt), inputs, Ok(written)),
            Err(error) => (None, None, Err(error)),
        };
        let inputs = inputs.map(|inputs| Json(inputs.0));
        let fence = held.as_ref().map(|attempt| i32::try_from(attempt.fence).unwrap_or(i32::MAX));
        let Answer { order, event, replayed, errors } =
            Answer::of(ctx, session, Some(Name::Id(order)), written).await?;
        let one = held.and_then(|attempt| One::each(&vec![attempt].into()).next());
        let attempt = one.zip(order.clone()).map(|(attempt, order)| Attempt::new(attempt, order));
        Ok(AttemptClaimPayload { attempt, fence, inputs, order, event, replayed, errors })
    }

    /// Makes the lease of a held attempt longer. No event tells of it.
    async fn attempt_renew(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: AttemptRenewInput,
    ) -> Result<AttemptRenewPayload> {
        let session = viewer(ctx)?;
        let (hold, seconds) = (hold(&input.attempt, input.fence)?, input.lease_seconds.map(i64::from));
        match renew_lease(ctx.data_unchecked::<App>(), session.actor(), hold, seconds).await {
            Ok(until) => Ok(AttemptRenewPayload { lease_until: Some(DateTime(until)), errors: Vec::new() }),
            Err(error) => {
                let error = OrderError::expect(error, store(ctx), session, None).await?;
                Ok(AttemptRenewPayload { lease_until: None, errors: vec![error] })
            }
        }
    }

    /// Tells that a held attempt delivered. With the last one of its order, the order is fulfilled, or fails if
    /// the newest attempt at another line did.
    async fn attempt_succeed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: AttemptSucceedInput,
    ) -> Result<AttemptSucceedPayload> {
        let session = viewer(ctx)?;
        let hold = hold(&input.attempt, input.fence)?;
        let (app, terms) = (ctx.data_unchecked::<App>(), once(input.idempotency_key));
        let written = succeed_attempt(app, session.actor(), hold, input.backend_id, terms).await;
        Ok(Answer::of(ctx, session, None, written).await?.into())
    }

    /// Tells that a held attempt failed. With the last one of its order, the order fails.
    async fn attempt_fail(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do.")] input: AttemptFailInput,
    ) -> Result<AttemptFailPayload> {
        let session = viewer(ctx)?;
        let hold = hold(&input.attempt, input.fence)?;
        let (app, terms) = (ctx.data_unchecked::<App>(), once(input.idempotency_key));
        let written =
            fail_attempt(app, session.actor(), hold, (input.error.into(), input.backend_id), terms).await;
        Ok(Answer::of(ctx, session, None, written).await?.into())
    }
}
