//! The rule for an order that is moved to another version of its workflow. What it is and has stays; only the
//! words for where it stands are others. No effect runs: nothing has happened to the order itself.

use serde::{Deserialize, Serialize};

use super::{
    Order, Outcome, attempt,
    decide::{categorise, enter},
    decision::{Decision, Remark, Working},
    timer,
};
use crate::{
    event::{Audience, EventKind},
    id::UserId,
    mint::Mint,
    refusal::Refusal,
    workflow::{Definition, Status},
};

/// The action that the timeline names.
const ACTION: &str = "migrate";

/// Where orders in one status go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// A status of the version that is left.
    pub from: String,
    /// A status of the version that is entered.
    pub to: String,
}

/// A way from one version of a workflow to another.
#[derive(Clone, Copy, Debug)]
pub struct Passage<'a> {
    /// The version that is left.
    pub from: &'a Definition,
    /// The version that is entered.
    pub to: &'a Definition,
    /// Where statuses go; one that is not named keeps its code.
    pub mapping: &'a [Step],
}

impl<'a> Passage<'a> {
    /// Where orders in a status go; nowhere if the mapping leaves it out and the new version has no such status.
    pub fn target(&self, status: &str) -> Option<&'a Status> {
        let named = self.mapping.iter().find(|step| step.from == status);
        self.to.status(named.map_or(status, |step| step.to.as_str()))
    }

    /// Every fault of the mapping, each at its place in the input.
    pub fn faults(&self) -> Vec<Refusal> {
        let (old, new) = (self.from.version, self.to.version);
        let mut faults = Vec::new();
        for (i, Step { from, to }) in self.mapping.iter().enumerate() {
            let mut fault = |field: &str, message: String| {
                faults.push(Refusal::invalid(&format!("mapping.{i}.{field}"), message));
            };
            if self.from.status(from).is_none() {
                fault("from", format!("version {old} has no status `{from}`"));
            } else if self.mapping[..i].iter().any(|step| step.from == *from) {
                fault("from", format!("`{from}` is named twice; say once where it goes"));
            }
            if self.to.status(to).is_none() {
                fault("to", format!("version {new} has no status `{to}`"));
            }
        }
        let named = |code: &str| self.mapping.iter().any(|step| step.from == code);
        let homeless = self.from.statuses.iter().map(|status| status.code.as_str());
        for code in homeless.filter(|code| !named(code) && self.to.status(code).is_none()) {
            let message = format!("version {new} has no status `{code}`; say where its orders go");
            faults.push(Refusal::invalid("mapping", message));
        }
        faults
    }
}

/// Moves an order to another version of its workflow, at the word of `by`.
///
/// # Errors
/// VALIDATION when the order does not follow the version that is left (any more), when its status goes nowhere,
/// and when somebody works on it and could not go on where it would stand.
pub fn migrate(
    order: &Order,
    passage: Passage<'_>,
    by: Option<UserId>,
    mint: &mut Mint,
) -> Result<Decision, Refusal> {
    let Passage { from, to, .. } = passage;
    let status = destination(order, passage)?;
    let mut working = Working::on(order, from, mint);
    working.workflow = to;
    working.order.head.workflow_version = to.version as i32;
    let moved = order.head.status != status.code;
    match moved {
        true => enter(&mut working, status),
        false => stay(&mut working, from, status),
    }
    attempt::follow_stage(&mut working);
    let (before, after) = (order.head.facet(from), working.order.head.facet(to));
    let seen_outside =
        (&before.public_status, before.public_category) != (&after.public_status, after.public_category);
    let remark = Remark {
        action: Some(ACTION.to_owned()),
        from: moved.then_some(before.status),
        to: moved.then_some(after.status),
        actor: by,
        ..Remark::default()
    };
    let kind = if moved { EventKind::StatusChanged } else { EventKind::Updated };
    let audience = if seen_outside { Audience::Public } else { Audience::Provider };
    working.record(kind, audience, remark);
    Ok(working.finish())
}

/// The status that the order will stand in.
fn destination<'a>(order: &Order, passage: Passage<'a>) -> Result<&'a Status, Refusal> {
    let (from, to, head) = (passage.from, passage.to, &order.head);
    if head.workflow != from.code || head.workflow_version != from.version as i32 {
        let message = format!("the order does not follow version {} of `{}`", from.version, from.code);
        return Err(Refusal::invalid("fromVersion", message));
    }
    let status = passage.target(&head.status).ok_or_else(|| {
        let message = format!("version {} has no status for orders that are `{}`", to.version, head.status);
        Refusal::invalid("mapping", message)
    })?;
    let worked_on = order.attempts.iter().any(|attempt| attempt.outcome == Outcome::Running);
    if worked_on && !to.stages().contains(&status.code.as_str()) {
        let message = format!(
            "an attempt at it is under way, and nobody works on orders that are `{}`; end it first",
            status.code
        );
        return Err(Refusal::invalid("mapping", message));
    }
    Ok(status)
}

/// Stays in the status of the same code, which may be of another category or patience. A stay that has been
/// told to last too long is not told again.
fn stay(working: &mut Working<'_>, from: &Definition, status: &Status) {
    let (to, now) = (working.workflow, working.mint.now());
    let head = &mut working.order.head;
    let told = head.stalls_at.is_none() && head.rests_until(from).is_some();
    if head.category != status.category {
        categorise(head, status.category, now);
    }
    timer::arm(head, to);
    head.stalls_at = head.stalls_at.filter(|_| !told);
}
