//! The rule for an order that rests: it is told once for each stay in a status.

use chrono::{DateTime, Utc};

use super::{
    Order,
    decision::{Decision, Remark, Working},
};
use crate::{
    event::{Audience, EventKind},
    mint::Mint,
    workflow::Definition,
};

/// What comes of looking at an order that may have rested for too long.
#[derive(Clone, Debug)]
pub enum Rest {
    /// It has, and now that is told.
    Stalled(Box<Decision>),
    /// It is to be looked at then; never, if nobody says when.
    Until(Option<DateTime<Utc>>),
}

/// Decides, at the mint's moment, whether an order has rested in its status for longer than its workflow
/// allows. That is for those who see internal statuses; buyers are not told how long things take inside.
pub fn rest(order: &Order, workflow: &Definition, mint: &mut Mint) -> Rest {
    let head = &order.head;
    // Another process may have told it, or somebody moved the order, since it was looked for.
    let until = head.stalls_at.and(head.rests_until(workflow)).filter(|_| head.deleted_at.is_none());
    match until {
        Some(until) if mint.now() > until => {
            let mut working = Working::on(order, workflow, mint);
            working.order.head.stalls_at = None;
            working.record(EventKind::Stalled, Audience::Provider, Remark::default());
            Rest::Stalled(Box::new(working.finish()))
        }
        until => Rest::Until(until),
    }
}
