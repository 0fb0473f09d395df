//! Orders placed and changed: the one write path. Find with facts, decide, save, commit, ring.

mod attempt;
mod change;
mod edit;
mod inputs;
mod place;
mod purge;
mod timer;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Person},
    event::{Detail, Event},
    id::{ProductId, UserId},
    order::{Assignee, Decision, FreeText, Head, limits},
    refusal::Refusal,
    workflow::Definition,
};
use serde::Serialize;

pub use attempt::{
    Held, claim_attempt, fail_attempt, lose_expired, renew_lease, succeed_attempt, watch_leases,
};
pub use change::{Intent, change};
pub use edit::{Edited, edit};
pub use inputs::Inputs;
pub use place::{Basket, Customer, Line, place};
pub use purge::purge;
pub use timer::{fire_timers, next_timers};

use crate::{
    app::App,
    error::{Error, Result},
    store::{
        self, Reads, Tx,
        event::Logged,
        idempotency::{self, Claim, Claimed, Outcome},
        order::Name,
        people,
    },
};

/// How long an idempotency key is remembered.
const KEY_LIFE: TimeDelta = TimeDelta::hours(24);

/// What every write may carry.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Do this once, however often it is sent.
    pub idempotency_key: Option<String>,
    /// Refuse if the order has another version.
    pub expected_version: Option<i64>,
}

/// What a write answers.
#[derive(Clone, Debug)]
pub struct Written {
    /// The order as it is now.
    pub head: Head,
    /// What the caller made happen.
    pub event: Logged,
    /// Whether it had happened before, under the same key.
    pub replayed: bool,
}

/// Each id once.
fn distinct(ids: impl Iterator<Item = ProductId>) -> Vec<ProductId> {
    let mut ids: Vec<ProductId> = ids.collect();
    ids.sort();
    ids.dedup();
    ids
}

/// What a transaction ended with.
enum Done {
    Now(Box<(Head, Event)>),
    Before(Outcome),
}

/// Saves the decision and notes what a repeated request is to be answered.
async fn commit(tx: &Tx, claim: Option<&Claim>, decision: Decision) -> Result<Done> {
    store::save(tx, std::slice::from_ref(&decision)).await?;
    let head = decision.after().head.clone();
    // The caller's own: a claim may have moved the order before, and what follows by itself comes behind.
    let own = |event: &&Event| matches!(event.detail, Some(Detail::Attempt { .. }));
    let event = decision.events().iter().find(own).or(decision.events().first()).cloned();
    let event = event.ok_or_else(|| Error::internal("a decision without an event"))?;
    if let Some(claim) = claim {
        idempotency::fulfil(tx, claim, &Outcome { order: head.id, event: event.id }).await?;
    }
    Ok(Done::Now(Box::new((head, event))))
}

/// Rings the bell, or looks up what a repeated request had answered: visible still, or not found.
async fn answer(app: &App, actor: &Actor, done: Done) -> Result<Written> {
    match done {
        Done::Now(written) => {
            app.feed.ring();
            let (head, event) = *written;
            Ok(Written { head, event: Logged { seq: None, event }, replayed: false })
        }
        Done::Before(outcome) => {
            let not_found = || Error::from(Refusal::NotFound { what: "order" });
            let head = store::order::find(&app.store, actor, &Name::Id(outcome.order)).await?;
            let head = head.ok_or_else(not_found)?;
            let event = store::event::by_ids(&app.store, &[outcome.event]).await?.remove(&outcome.event);
            Ok(Written { head, event: event.ok_or_else(not_found)?, replayed: true })
        }
    }
}

/// The claim on the caller's idempotency key, if there is one.
fn claim(
    app: &App,
    actor: &Actor,
    operation: &'static str,
    input: &impl Serialize,
    terms: &Terms,
) -> Result<Option<Claim>> {
    let Some(key) = &terms.idempotency_key else { return Ok(None) };
    let key = FreeText { path: "idempotencyKey", most: limits::NAME }.required(key)?;
    let input = serde_json::to_vec(input).map_err(|error| Error::Internal(error.into()))?;
    let actor = actor.user().map_or_else(|| "system".to_owned(), |user| user.to_string());
    Ok(Some(Claim { actor, operation, key, input: app.keys.fingerprint(&input) }))
}

/// What the key's first request came to, if this is not the first.
async fn replay(tx: &Tx, claim: Option<&Claim>, now: DateTime<Utc>) -> Result<Option<Outcome>> {
    let Some(claim) = claim else { return Ok(None) };
    match idempotency::claim(tx, claim, now, now - KEY_LIFE).await? {
        Claimed::New => Ok(None),
        Claimed::Replay(outcome) => Ok(Some(outcome)),
        Claimed::Mismatch => Err(Error::IdempotencyMismatch),
    }
}

/// The workflow version that an order follows. One that was saved by another process a moment ago is read from
/// here: the transaction that the order was read in, or the store.
///
/// # Errors
/// INTERNAL when it is not installed.
pub async fn workflow(app: &App, from: &impl Reads, head: &Head) -> Result<Arc<Definition>> {
    let found = app.book.followed(from, head).await?;
    found.ok_or_else(|| Error::internal(format!("workflow {} {}", head.workflow, head.workflow_version)))
}

/// Somebody an order is to be given to, with the rights that decide whether it may be. An account that
/// does not exist has none, so that only the rules refuse it, and for an outsider as any other.
async fn assignee(tx: &Tx, user: Option<UserId>) -> Result<Option<Assignee>> {
    let Some(user) = user else { return Ok(None) };
    let person = people::person(tx, user).await?;
    let person = person.unwrap_or_else(|| Person { id: user, memberships: Vec::new(), only: None });
    Ok(Some(Assignee { user, actor: Actor::User(person) }))
}
