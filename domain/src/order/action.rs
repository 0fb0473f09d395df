//! Which actions are open to somebody now. The same rule offers them and carries them out.

use super::{guard::Subject, retry};
use crate::{
    actor::Rights,
    permission::Field,
    refusal::{Block, Refusal},
    workflow::{Category, Definition, Effect, Guard, Need, Target, Transition},
};

/// Something the viewer may do to the order now, or could if nothing stood in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvailableAction {
    /// The action's name.
    pub action: String,
    /// Its label for people.
    pub label: String,
    /// The status it leads to; none when it depends on the order or is the caller's choice.
    pub to: Option<String>,
    /// What the caller has to supply.
    pub needs: Vec<Need>,
    /// Whether clients should ask for confirmation.
    pub confirm: bool,
    /// What stands in the way.
    pub blocked_by: Option<Block>,
}

/// Why no row of the workflow can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// No such action from this status.
    Unknown,
    /// Not for this viewer.
    Role,
    /// A condition does not hold.
    Guard(Guard),
}

/// The row that an action takes: the first whose roles and condition both hold. Rows for bulk alone
/// are no moves of one order, and removing it for good is no move at all.
pub(super) fn select<'w>(
    workflow: &'w Definition,
    subject: Subject<'_>,
    action: &str,
    rights: Rights<'_>,
) -> Result<&'w Transition, Miss> {
    let mut miss = Miss::Unknown;
    let single = |row: &&Transition| !row.bulk_only && row.to != Target::Gone;
    for row in workflow.rows(action, &subject.head.status).filter(single) {
        if !rights.open(action, row.by) {
            if miss == Miss::Unknown {
                miss = Miss::Role;
            }
            continue;
        }
        match row.when {
            Some(guard) if !subject.holds(guard) => miss = Miss::Guard(guard),
            _ => return Ok(row),
        }
    }
    Err(miss)
}

/// Whether taking this row would keep money of a customer whose order is cancelled.
pub(super) fn keeps_payments(
    workflow: &Definition,
    subject: Subject<'_>,
    row: &Transition,
    to: &str,
) -> bool {
    let cancels = workflow.status(to).is_some_and(|status| status.category == Category::Cancelled);
    cancels && subject.head.paid > 0 && !row.effects.contains(&Effect::RefundPayments)
}

/// What somebody with these rights may do to the order now, in the workflow's order.
pub fn available_actions(
    workflow: &Definition,
    subject: Subject<'_>,
    rights: Rights<'_>,
) -> Vec<AvailableAction> {
    if subject.head.deleted_at.is_some() {
        return Vec::new();
    }
    workflow
        .actions_from(&subject.head.status)
        .into_iter()
        .filter_map(|action| offer(workflow, subject, action, rights))
        .collect()
}

fn offer(
    workflow: &Definition,
    subject: Subject<'_>,
    action: &str,
    rights: Rights<'_>,
) -> Option<AvailableAction> {
    let (row, mut blocked_by) = match select(workflow, subject, action, rights) {
        Ok(row) => (row, None),
        Err(Miss::Guard(guard)) => {
            let mut rows = workflow.rows(action, &subject.head.status);
            (rows.find(|row| row.when == Some(guard))?, Some(Block::Guard(guard)))
        }
        Err(Miss::Role | Miss::Unknown) => return None,
    };
    let to = match &row.to {
        Target::Status(code) => Some(code.clone()),
        Target::FailedStage | Target::Chosen | Target::Gone => None,
    };
    if blocked_by.is_none() && row.effects.contains(&Effect::OpenAttempt) {
        blocked_by = retry::barred(row, subject.items, None);
    }
    if blocked_by.is_none() && to.as_deref().is_some_and(|to| keeps_payments(workflow, subject, row, to)) {
        blocked_by = Some(Block::UnrefundedPayment);
    }
    let to = to.map(|code| match workflow.status(&code) {
        Some(status) if !Field::InternalStatus.shows(rights.standing) => status.public_code().to_owned(),
        _ => code,
    });
    let needs = row.needs.clone();
    let (action, label, confirm) = (action.to_owned(), row.label.clone(), row.confirm);
    Some(AvailableAction { action, label, to, needs, confirm, blocked_by })
}

/// The names of what is open and not blocked, for refusals.
pub(super) fn open_actions(workflow: &Definition, subject: Subject<'_>, rights: Rights<'_>) -> Vec<String> {
    available_actions(workflow, subject, rights)
        .into_iter()
        .filter(|offer| offer.blocked_by.is_none())
        .map(|offer| offer.action)
        .collect()
}

/// The refusal that tells a viewer why an action cannot be taken.
pub(super) fn refuse(
    workflow: &Definition,
    subject: Subject<'_>,
    action: &str,
    rights: Rights<'_>,
    miss: Miss,
) -> Refusal {
    let allowed = || open_actions(workflow, subject, rights);
    match miss {
        Miss::Guard(guard) => Refusal::GuardFailed(Block::Guard(guard)),
        Miss::Role => Refusal::NotPermitted { action: action.to_owned(), allowed: allowed() },
        Miss::Unknown => {
            let status = workflow.status(&subject.head.status);
            let from = match status {
                Some(status) if !Field::InternalStatus.shows(rights.standing) => status.public_code(),
                _ => &subject.head.status,
            };
            Refusal::IllegalTransition {
                action: action.to_owned(),
                from: from.to_owned(),
                allowed: allowed(),
            }
        }
    }
}

/// Which action "cancel" means from a status: with a refund, `cancel_and_refund`; else the first of
/// `cancel` and `cancel_failed` that leads out of the status.
pub fn cancel_action(workflow: &Definition, status: &str, refund: bool) -> &'static str {
    if refund {
        return "cancel_and_refund";
    }
    ["cancel", "cancel_failed"]
        .into_iter()
        .find(|action| workflow.rows(action, status).next().is_some())
        .unwrap_or("cancel")
}
