//! The rules by which an order leaves: deleted, which is hidden and can be undone, and purged, which is for good.

use super::{
    InvoiceState, Order, OrderNumber, Outcome, Setting,
    action::open_actions,
    command::{FreeText, limits},
    decision::{Remark, Working},
    guard::Subject,
    timer,
};
use crate::{
    actor::Rights,
    event::{Audience, EventKind},
    permission::{Operation, covers},
    refusal::{Block, Refusal},
    workflow::Target,
};

/// What a row of a workflow that removes an order for good is called to people who may not.
const PURGE: &str = "purge";

/// Whoever takes an order away, or brings it back.
pub(super) struct Remover<'a> {
    pub setting: Setting<'a>,
    pub rights: Rights<'a>,
}

impl Remover<'_> {
    /// Hides the order from all but staff. Nobody may be at work on it: what they bring about would be hidden too.
    pub(super) fn delete(&self, working: &mut Working<'_>, reason: Option<&str>) -> Result<(), Refusal> {
        self.permit(working, Operation::Delete)?;
        rests(&working.order)?;
        let reason = FreeText { path: "reason", most: limits::REASON }.optional(reason)?;
        let now = working.mint.now();
        working.order.head.deleted_at = Some(now);
        (working.order.head.stalls_at, working.order.head.expires_at) = (None, None);
        self.tell(working, EventKind::Deleted, reason);
        Ok(())
    }

    /// Brings a deleted order back as it was.
    pub(super) fn restore(&self, working: &mut Working<'_>) -> Result<(), Refusal> {
        self.permit(working, Operation::Restore)?;
        if working.order.head.deleted_at.take().is_none() {
            return Err(self.impossible(working, Operation::Restore.name()));
        }
        timer::arm(&mut working.order.head, working.workflow);
        self.tell(working, EventKind::Restored, None);
        Ok(())
    }

    /// Removes the order for good. Where the workflow has a row that leads nowhere, by that row; any deleted
    /// order besides. Money that came in has to be given back first; what was billed stays on the books.
    pub(super) fn purge(&self, working: &mut Working<'_>, number: OrderNumber) -> Result<(), Refusal> {
        let deleted = working.order.head.deleted_at.is_some();
        if !(deleted && self.may(Operation::Purge)) {
            self.row_that_purges(working)?;
        }
        rests(&working.order)?;
        if working.order.head.paid > 0 {
            return Err(Refusal::GuardFailed(Block::HoldsPayments));
        }
        if number != working.order.head.number {
            return Err(Refusal::invalid("number", "type the order's number again to confirm"));
        }
        let now = working.mint.now();
        let ended = [InvoiceState::Cancelled, InvoiceState::Refunded];
        if let Some(invoice) = working.order.invoice.as_mut().filter(|it| !ended.contains(&it.state)) {
            invoice.state = InvoiceState::Cancelled;
            invoice.cancelled_at = Some(now);
        }
        working.go();
        self.tell(working, EventKind::Purged, None);
        Ok(())
    }

    fn row_that_purges(&self, working: &Working<'_>) -> Result<(), Refusal> {
        let (workflow, status) = (self.setting.workflow, &working.order.head.status);
        let leads_nowhere = |row: &&crate::workflow::Transition| row.to == Target::Gone;
        let mut rows = workflow
            .transitions
            .iter()
            .filter(|row| workflow.leaves(row, status))
            .filter(leads_nowhere)
            .peekable();
        if rows.peek().is_none() {
            return Err(match self.may(Operation::Purge) {
                true => Refusal::GuardFailed(Block::NotDeleted),
                false => self.may_not(working, PURGE),
            });
        }
        match rows.any(|row| self.rights.open(&row.action, row.by)) {
            true => Ok(()),
            false => Err(self.may_not(working, PURGE)),
        }
    }

    fn tell(&self, working: &mut Working<'_>, kind: EventKind, reason: Option<String>) {
        let remark = Remark { actor: self.setting.actor.user(), reason, ..Remark::default() };
        working.record(kind, Audience::Staff, remark);
    }

    /// A service token takes actions of the workflow and nothing else.
    fn may(&self, operation: Operation) -> bool {
        self.rights.only.is_none() && covers(operation.allowed(), self.rights.standing)
    }

    fn permit(&self, working: &Working<'_>, operation: Operation) -> Result<(), Refusal> {
        if self.may(operation) { Ok(()) } else { Err(self.may_not(working, operation.name())) }
    }

    fn may_not(&self, working: &Working<'_>, action: &str) -> Refusal {
        Refusal::NotPermitted { action: action.to_owned(), allowed: self.allowed(working) }
    }

    fn impossible(&self, working: &Working<'_>, action: &str) -> Refusal {
        let (action, from) = (action.to_owned(), working.order.head.status.clone());
        Refusal::IllegalTransition { action, from, allowed: self.allowed(working) }
    }

    fn allowed(&self, working: &Working<'_>) -> Vec<String> {
        let Order { head, items, .. } = &working.order;
        let subject = Subject { head, items, facts: self.setting.facts };
        open_actions(self.setting.workflow, subject, self.rights)
    }
}

fn rests(order: &Order) -> Result<(), Refusal> {
    match order.attempts.iter().any(|attempt| attempt.outcome == Outcome::Running) {
        true => Err(Refusal::GuardFailed(Block::WorkUnderWay)),
        false => Ok(()),
    }
}
