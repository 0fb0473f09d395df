//! What workers do: claim an attempt, keep it, tell how it ended. And what becomes of attempts whose worker is
//! lost.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{
    actor::Actor,
    event::Detail,
    id::{AttemptId, OrderId},
    order::{Attempt, Command, Failure, Hold, Order, Setting, Work, decide, lease, renew},
    permission::Field,
    refusal::Refusal,
};
use serde::Serialize;

use super::{
    Done, Terms, Written, answer,
    change::{check_version, facts},
    claim, commit,
    inputs::{Inputs, handed_over},
    replay, workflow,
};
use crate::{
    app::App,
    error::{Error, Result},
    store::{self, Tx, parts},
};

/// How often a server looks for leases that ran out.
const SWEEP: Duration = Duration::from_secs(1);
/// How many it ends at most before it looks again.
const SWEPT: usize = 100;

/// What a claim answers.
#[derive(Clone, Debug)]
pub struct Held {
    /// The order, and the event.
    pub written: Written,
    /// The attempt as it is now, with the number that reports need.
    pub attempt: Attempt,
    /// What it was begun with, this once.
    pub inputs: Option<Inputs>,
}

/// Claims an attempt at an order; see [`Work::Claim`].
///
/// # Errors
/// NOT_FOUND; ATTEMPT_CLAIMED when others hold all there is; NOT_PERMITTED, ILLEGAL_TRANSITION, VALIDATION.
pub async fn claim_attempt(
    app: &App,
    actor: &Actor,
    order: OrderId,
    seconds: Option<i64>,
    terms: Terms,
) -> Result<Held> {
    let work = Work::Claim { lease: lease(seconds)? };
    let target = (Target::Order(order), work);
    let (written, inputs) = carry_out(app, actor, "attempt_claim", target, (order, seconds), terms).await?;
    let Some(Detail::Attempt { id }) = written.event.event.detail else {
        return Err(Error::internal("a claim without an attempt"));
    };
    let attempts = parts::attempts(&app.store, &[written.head.id]).await?.remove(&written.head.id);
    let attempt = attempts.unwrap_or_default().into_iter().find(|attempt| attempt.id == id);
    let attempt = attempt.ok_or_else(|| Error::internal("an attempt that is gone"))?;
    Ok(Held { written, attempt, inputs })
}

/// Tells that a held attempt delivered.
///
/// # Errors
/// NOT_FOUND; LEASE_LOST; NOT_PERMITTED, VALIDATION.
pub async fn succeed_attempt(
    app: &App,
    actor: &Actor,
    hold: Hold,
    backend_id: Option<String>,
    terms: Terms,
) -> Result<Written> {
    let work = Work::Succeed { hold, backend_id: backend_id.clone() };
    let target = (Target::Attempt(hold.attempt), work);
    carry_out(app, actor, "attempt_succeed", target, (hold, backend_id), terms).await.map(|(told, _)| told)
}

/// Tells that a held attempt failed.
///
/// # Errors
/// NOT_FOUND; LEASE_LOST; NOT_PERMITTED, VALIDATION.
pub async fn fail_attempt(
    app: &App,
    actor: &Actor,
    hold: Hold,
    (failure, backend_id): (Failure, Option<String>),
    terms: Terms,
) -> Result<Written> {
    let input = (hold, failure.clone(), backend_id.clone());
    let target = (Target::Attempt(hold.attempt), Work::Fail { hold, failure, backend_id });
    carry_out(app, actor, "attempt_fail", target, input, terms).await.map(|(told, _)| told)
}

/// Makes the lease of a held attempt longer; until when it lasts now.
///
/// # Errors
/// NOT_FOUND; LEASE_LOST; NOT_PERMITTED, VALIDATION.
pub async fn renew_lease(
    app: &App,
    actor: &Actor,
    hold: Hold,
    seconds: Option<i64>,
) -> Result<DateTime<Utc>> {
    let lease = lease(seconds)?;
    let (world, actor) = (app.world.clone(), actor.clone());
    let renewed = app.store.write(async move |tx| {
        let beside = attempts_beside(&tx, &actor, hold.attempt).await?;
        let (head, attempts) = beside.ok_or(Refusal::NotFound { what: "attempt" })?;
        let standing = actor.standing(&head.parties, head.deleted_at.is_some());
        // Read once the order is locked: waiting for that may have taken a while.
        let renewal = renew(&attempts, (actor.user(), standing), (hold, lease), world.now())?;
        tx.renew(renewal).await?;
        Ok(renewal.until())
    });
    renewed.await
}

/// What an attempt is looked up by.
#[derive(Clone, Copy)]
enum Target {
    Order(OrderId),
    Attempt(AttemptId),
}

async fn carry_out(
    app: &App,
    actor: &Actor,
    operation: &'static str,
    (target, work): (Target, Work),
    input: impl Serialize,
    terms: Terms,
) -> Result<(Written, Option<Inputs>)> {
    let claim = claim(app, actor, operation, &(input, terms.expected_version), &terms)?;
    let (context, actor_) = (app.clone(), actor.clone());
    let done = app.store.write(async move |tx| {
        if let Some(outcome) = replay(&tx, claim.as_ref(), context.world.now()).await? {
            return Ok((Done::Before(outcome), None));
        }
        let order = match target {
            Target::Order(order) => order,
            Target::Attempt(attempt) => {
                let beside = attempts_beside(&tx, &actor_, attempt).await?;
                beside.ok_or(Refusal::NotFound { what: "attempt" })?.0.id
            }
        };
        let order = tx.orders(&actor_, &[order]).await?.pop();
        let order = order.ok_or(Refusal::NotFound { what: "order" })?;
        check_version(&order.head, terms.expected_version)?;
        let decision = work_on(&context, &tx, &actor_, &order, work).await?;
        let inputs = handed_over(&tx, &context.keys, &decision).await?;
        Ok((commit(&tx, claim.as_ref(), decision).await?, inputs))
    });
    let (done, inputs) = done.await?;
    Ok((answer(app, actor, done).await?, inputs))
}

/// The attempts at an order beside one of them, for those who see attempts; to all others none exists.
async fn attempts_beside(
    tx: &Tx,
    actor: &Actor,
    attempt: AttemptId,
) -> Result<Option<(domain::order::Head, Vec<Attempt>)>> {
    let beside = tx.attempts_beside(actor, attempt).await?;
    let shown = |head: &domain::order::Head| {
        Field::Attempts.shows(actor.standing(&head.parties, head.deleted_at.is_some()))
    };
    Ok(beside.filter(|(head, _)| shown(head)))
}

/// Decides, at a moment after the order was locked: a lease may run out while one waits for it.
async fn work_on(
    app: &App,
    tx: &Tx,
    actor: &Actor,
    order: &Order,
    work: Work,
) -> Result<domain::order::Decision> {
    let mut mint = app.world.mint();
    let workflow = workflow(app, tx, &order.head).await?;
    let facts = facts(tx, &workflow, order, mint.now()).await?;
    let setting = Setting { workflow: &workflow, actor, facts: &facts };
    Ok(decide(setting, order, &Command::Work(work), &mut mint)?)
}

/// Fails the attempts whose worker is lost: their leases have run out. Each in a transaction of its own, which
/// looks again; how many it failed.
///
/// # Errors
/// The database's; what could be failed is.
pub async fn lose_expired(app: &App) -> Result<usize> {
    let (mut lost, mut fault) = (0, None);
    for (order, attempt) in store::lease::expired(&app.store, app.world.now(), SWEPT).await? {
        match lose(app, order, attempt).await {
            Ok(()) => lost += 1,
            // Somebody else was first, or the lease was renewed after all.
            Err(Error::Refusal(_)) => {}
            Err(error) => fault = Some(error),
        }
    }
    if lost > 0 {
        app.feed.ring();
    }
    fault.map_or(Ok(lost), Err)
}

async fn lose(app: &App, order: OrderId, attempt: AttemptId) -> Result<()> {
    let context = app.clone();
    let done = app.store.write(async move |tx| {
        let order = tx.orders(&Actor::System, &[order]).await?.pop();
        let order = order.ok_or(Refusal::NotFound { what: "order" })?;
        let decision = work_on(&context, &tx, &Actor::System, &order, Work::Lose(attempt)).await?;
        commit(&tx, None, decision).await
    });
    done.await.map(|_| ())
}

/// Fails attempts whose worker is lost for as long as the server runs. Every instance does, and none twice.
pub async fn watch_leases(app: App) {
    loop {
        tokio::time::sleep(SWEEP).await;
        if let Err(error) = lose_expired(&app).await {
            tracing::warn!(%error, "attempts of lost workers could not be failed");
        }
    }
}
