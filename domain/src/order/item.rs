//! Single lines, by hand: delivered, failed, begun again. The other lines stay as they are, and so does the
//! order, unless its workflow has a row for the end of its last attempt.

use super::{
    Failure, ItemStatus, LineInputs, Order, Outcome, Sealed, attempt,
    claim::{self, FAIL, FINISH, Worker},
    decide::checked_failure,
    decision::{Remark, Working},
    guard::Subject,
    retry,
};
use crate::{
    event::{Audience, Detail, EventKind},
    id::{AttemptId, ItemId},
    permission::{Operation, covers},
    refusal::{Block, Refusal},
    workflow::Effect,
};

/// What a token that narrows its worker has to name to begin a line again.
const RETRY: &str = "retry";

/// What is told of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// It was delivered.
    Provisioned {
        /// The line.
        item: ItemId,
        /// The resource's id at the provider's backend.
        backend_id: Option<String>,
    },
    /// It failed.
    Failed {
        /// The line.
        item: ItemId,
        /// Why.
        failure: Failure,
        /// The resource's id at the provider's backend, if something is left there.
        backend_id: Option<String>,
    },
    /// Begin it again, or at last where it was left out when the order was accepted.
    Retry {
        /// The line.
        item: ItemId,
        /// What its worker needs.
        inputs: Option<Sealed>,
        /// Begin although the workflow would not.
        overrides: bool,
        /// Why.
        reason: Option<String>,
    },
}

/// Whoever tells of a line, on one order.
pub(super) struct Reporter<'a>(pub Worker<'a>);

impl Reporter<'_> {
    pub(super) fn does(&self, working: &mut Working<'_>, line: &Line) -> Result<(), Refusal> {
        match line {
            Line::Provisioned { item, backend_id } => {
                self.check(working, Effect::CloseAttemptOk, FINISH)?;
                let attempt = self.running(working, *item)?;
                attempt::deliver(working, attempt, backend_id.as_deref())?;
                self.0.settle(working, attempt)
            }
            Line::Failed { item, failure, backend_id } => {
                self.check(working, Effect::CloseAttemptFailed, FAIL)?;
                let attempt = self.running(working, *item)?;
                let failure = checked_failure(failure)?;
                attempt::fail_with(working, attempt, &failure, backend_id.as_deref())?;
                self.0.settle(working, attempt)
            }
            Line::Retry { item, inputs, overrides, reason } => {
                self.check(working, Effect::CloseAttemptOk, RETRY)?;
                self.retry(working, *item, (inputs.as_ref(), *overrides, reason.as_deref()))
            }
        }
    }

    /// Whether lines of this order are reported on now, by this person: by whoever the rows open to that end
    /// attempts so; where the workflow has none, by staff and the provider.
    fn check(&self, working: &Working<'_>, effect: Effect, name: &str) -> Result<(), Refusal> {
        let Worker { setting, rights } = &self.0;
        let head = &working.order.head;
        if !claim::ends(setting.workflow, effect) {
            return match rights.open(name, Operation::ReportLine.allowed()) {
                false => Err(self.0.may_not(working, Operation::ReportLine.name())),
                true if claim::workable(head) => Ok(()),
                true => Err(self.0.nothing(working, name)),
            };
        }
        let rows: Vec<_> = claim::ending(setting.workflow, &head.status, effect).collect();
        let may = rows.iter().filter(|row| rights.open(&row.action, row.by));
        let Order { items, .. } = &working.order;
        let subject = Subject { head, items, facts: setting.facts };
        let barred = may.map(|row| row.when.filter(|guard| !subject.holds(*guard)));
        match barred.min() {
            Some(None) => Ok(()),
            Some(Some(guard)) => Err(Refusal::GuardFailed(Block::Guard(guard))),
            None if rows.is_empty() && covers(Operation::ReportLine.allowed(), rights.standing) => {
                Err(self.0.nothing(working, name))
            }
            None => Err(self.0.may_not(working, name)),
        }
    }

    /// The attempt that runs at a line. A worker leaves alone what a claim is on: its holder reports by that.
    fn running(&self, working: &Working<'_>, item: ItemId) -> Result<AttemptId, Refusal> {
        let status = status_of(&working.order, item)?;
        let mut attempts = working.order.attempts.iter();
        let attempt = attempts.find(|it| it.item == item && it.outcome == Outcome::Running);
        let attempt = attempt.ok_or_else(|| {
            Refusal::invalid("item", format!("nobody works on this line, it is {}", status.name()))
        })?;
        let people = Operation::ReportLine.allowed().minus(claim::WORKER);
        match attempt.claim {
            Some(claim) if !covers(people, self.0.rights.standing) => {
                Err(Refusal::AttemptClaimed { until: claim.until })
            }
            _ => Ok(attempt.id),
        }
    }

    fn retry(
        &self,
        working: &mut Working<'_>,
        item: ItemId,
        (inputs, overrides, reason): (Option<&Sealed>, bool, Option<&str>),
    ) -> Result<(), Refusal> {
        let status = status_of(&working.order, item)?;
        if status != ItemStatus::Failed && !self.left_out(working, status) {
            let message =
                format!("only a line that failed is begun again, and this one is {}", status.name());
            return Err(Refusal::invalid("item", message));
        }
        let limits = retry::limits(self.0.setting.workflow);
        let barred = limits.and_then(|row| retry::barred(row, &working.order.items, Some(&[item])));
        if let Some(block) = barred {
            if !overrides {
                return Err(Refusal::GuardFailed(block));
            }
            retry::override_limits(working, ("retry", reason), (self.0.rights, self.0.setting.facts))?;
        }
        let given: Vec<LineInputs> =
            inputs.map(|sealed| LineInputs { item, sealed: sealed.clone() }).into_iter().collect();
        attempt::open_attempts(working, self.0.setting.facts, Some(&[item]), &given)?;
        let newest = working.order.attempts.last().map(|attempt| Detail::Attempt { id: attempt.id });
        let reason = reason.map(str::trim).filter(|reason| !reason.is_empty()).map(str::to_owned);
        let remark = Remark { actor: self.0.user(), detail: newest, reason, ..Remark::default() };
        working.record(EventKind::Updated, Audience::Public, remark);
        Ok(())
    }

    /// Whether a line waits that the order's other lines have left behind: work has begun, and no row of the
    /// workflow begins it any more.
    fn left_out(&self, working: &Working<'_>, status: ItemStatus) -> bool {
        let Order { head, attempts, .. } = &working.order;
        let workflow = self.0.setting.workflow;
        let mut rows = workflow.transitions.iter().filter(|row| workflow.leaves(row, &head.status));
        let begins = rows.any(|row| row.effects.contains(&Effect::OpenAttempt));
        status == ItemStatus::Pending && !attempts.is_empty() && !begins
    }
}

fn status_of(order: &Order, item: ItemId) -> Result<ItemStatus, Refusal> {
    let line = order.items.iter().find(|line| line.id == item);
    line.map(|line| line.status).ok_or(Refusal::NotFound { what: "line" })
}
