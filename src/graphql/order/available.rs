//! What a viewer may do to an order now.

use async_graphql::{Enum, SimpleObject};
use domain::{
    order,
    workflow::{Definition, Need},
};

use crate::graphql::workflow::OrderStatus;

/// What the caller supplies with an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Need")]
pub enum ActionNeed {
    /// A reason in words.
    Reason,
    /// What failed: category and message.
    Error,
    /// The order's number typed again.
    Number,
}

/// What stands in the way of an action.
#[derive(Clone, Debug, SimpleObject)]
pub struct ActionBlock {
    /// The name of the guard, as in `GuardFailed.guard`.
    guard: String,
    /// What must hold, and the way out.
    message: String,
}

/// Something that this viewer may do to the order now, or could if nothing stood in the way.
#[derive(Clone, Debug, SimpleObject)]
pub struct AvailableAction {
    /// The action's name, for `orderTransition`.
    action: String,
    /// What people call it.
    label: String,
    /// Where it leads; null when it depends on the order or is the caller's choice.
    to: Option<OrderStatus>,
    /// What the caller has to supply.
    needs: Vec<ActionNeed>,
    /// Whether to ask for confirmation first.
    confirm: bool,
    /// What stands in the way now.
    blocked_by: Option<ActionBlock>,
}

impl AvailableAction {
    /// An action as somebody sees it who is, or is not, shown internal statuses.
    pub fn of(workflow: &Definition, action: order::AvailableAction, internal: bool) -> AvailableAction {
        let order::AvailableAction { action, label, to, needs, confirm, blocked_by } = action;
        AvailableAction {
            // The code is already the one that the viewer sees; a public code that is no status's own
            // code is looked up by the status behind it.
            to: to.map(|code| {
                let behind = workflow.statuses.iter().find(|status| match internal {
                    true => status.code == code,
                    false => status.public_code() == code,
                });
                OrderStatus::of(workflow, behind.map_or(&code, |status| &status.code), internal)
            }),
            action,
            label,
            needs: needs.into_iter().map(Into::into).collect(),
            confirm,
            blocked_by: blocked_by.map(|block| ActionBlock {
                guard: block.name().to_owned(),
                message: block.sentence().to_owned(),
            }),
        }
    }
}
