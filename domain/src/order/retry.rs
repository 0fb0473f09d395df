//! How often, and after which failures, work on a line begins again: limits that a row of the workflow names.

use super::{
    Facts, Item, ItemStatus, Order, Transition, action::open_actions, decide::needed_reason,
    decision::Working, guard::Subject,
};
use crate::{
    actor::Rights,
    id::ItemId,
    permission::{Operation, covers},
    refusal::{Block, Refusal},
    workflow::{self, Definition, Effect},
};

/// What a row has against beginning again on these lines, all if none are named; nothing against lines that
/// did not fail.
pub(super) fn barred(row: &workflow::Transition, items: &[Item], chosen: Option<&[ItemId]>) -> Option<Block> {
    let meant = |item: &&Item| chosen.is_none_or(|ids| ids.contains(&item.id));
    let failed = items.iter().filter(|item| item.status == ItemStatus::Failed).filter(meant);
    failed.into_iter().find_map(|item| {
        let spent = row.max_attempts.is_some_and(|most| u32::try_from(item.attempts).unwrap_or(0) >= most);
        let hopeless = |category| !row.retryable.is_empty() && !row.retryable.contains(&category);
        match item.failed_of {
            Some(category) if hopeless(category) => Some(Block::NotRetryable),
            _ => spent.then_some(Block::AttemptsSpent),
        }
    })
}

/// The row whose limits hold for beginning a single line again: the first that opens attempts and has any.
pub(super) fn limits(workflow: &Definition) -> Option<&workflow::Transition> {
    let limited = |row: &&workflow::Transition| !row.retryable.is_empty() || row.max_attempts.is_some();
    workflow.transitions.iter().filter(|row| row.effects.contains(&Effect::OpenAttempt)).find(limited)
}

/// Refuses what the limits of a row bar, unless whoever may says so, with a reason; and inputs from who has
/// none to give, or for a move that begins no work.
pub(super) fn allow(
    working: &Working<'_>,
    row: &workflow::Transition,
    input: &Transition,
    (rights, facts): (Rights<'_>, &Facts),
) -> Result<(), Refusal> {
    let begins = row.effects.contains(&Effect::OpenAttempt);
    if !input.inputs.is_empty() && !begins {
        return Err(Refusal::invalid("inputs", "this action begins no work: it takes no inputs"));
    }
    if !input.inputs.is_empty() && !covers(Operation::SupplyInputs.allowed(), rights.standing) {
        return Err(Refusal::invalid("inputs", "only staff and the provider may hand inputs to workers"));
    }
    let barred = barred(row, &working.order.items, input.items.as_deref()).filter(|_| begins);
    match barred {
        None => Ok(()),
        Some(block) if !input.overrides => Err(Refusal::GuardFailed(block)),
        Some(_) => override_limits(working, (&input.action, input.reason.as_deref()), (rights, facts)),
    }
}

/// Whether somebody may go beyond the limits, and says why.
pub(super) fn override_limits(
    working: &Working<'_>,
    (action, reason): (&str, Option<&str>),
    (rights, facts): (Rights<'_>, &Facts),
) -> Result<(), Refusal> {
    if rights.only.is_none() && covers(Operation::OverrideRetry.allowed(), rights.standing) {
        return needed_reason(action, reason).map(|_| ());
    }
    let Order { head, items, .. } = &working.order;
    let allowed = open_actions(working.workflow, Subject { head, items, facts }, rights);
    Err(Refusal::NotPermitted { action: Operation::OverrideRetry.name().to_owned(), allowed })
}
