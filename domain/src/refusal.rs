//! Every "no" the business can say. Codes are part of the API and never change.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::{
    id::{OrderId, OrganizationId},
    job::JobState,
    role::Role,
    workflow::{Fault, Guard},
};

/// Why a command was refused. Nothing has changed when one is returned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not there, or the viewer may not see it: both read the same.
    #[error("there is no such {what}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// The workflow knows no such action from the order's status.
    #[error("`{action}` is not possible while the order is `{from}`; possible now: {}", list(allowed))]
    IllegalTransition {
        /// The action asked for.
        action: String,
        /// The order's status as the viewer sees it.
        from: String,
        /// What this viewer may do instead.
        allowed: Vec<String>,
    },
    /// The action exists, but not for this viewer.
    #[error("your role may not `{action}` this order; you may: {}", list(allowed))]
    NotPermitted {
        /// The action asked for.
        action: String,
        /// What this viewer may do instead.
        allowed: Vec<String>,
    },
    /// Somebody else changed the order first.
    #[error("the order has moved on: expected version {expected}, it is now {actual}; read it again")]
    VersionConflict {
        /// The version the caller had seen.
        expected: i64,
        /// The version the order has.
        actual: i64,
    },
    /// The action wants a reason, and it was missing or blank.
    #[error("`{action}` needs a reason")]
    MissingReason {
        /// The action asked for.
        action: String,
    },
    /// A condition of the workflow does not hold.
    #[error("{}", .0.sentence())]
    GuardFailed(Block),
    /// A value is not acceptable.
    #[error("{message}")]
    Validation {
        /// Where in the input, outermost first.
        path: Vec<String>,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The lines of one order must share provider, workflow and currency.
    #[error("all lines of an order share one {what}; place one order for each")]
    MixedOrder {
        /// What they do not share.
        what: &'static str,
    },
    /// The customer has another order with this reference.
    #[error("the customer already has an order with the external reference `{reference}`")]
    DuplicateReference {
        /// The reference.
        reference: String,
    },
    /// Another order that is not finished works on the resource.
    #[error("another order that is not finished works on this resource: wait for it, or cancel it")]
    ResourceBusy {
        /// Where in the input the resource is named.
        path: Vec<String>,
        /// That order; not for everybody to see.
        order: Option<OrderId>,
    },
    /// Another worker holds the attempt.
    #[error(
        "a worker holds this attempt until {}, or longer if it renews its lease; leave it alone",
        .until.to_rfc3339_opts(SecondsFormat::Millis, true)
    )]
    AttemptClaimed {
        /// When its lease ends, unless it is renewed.
        until: DateTime<Utc>,
    },
    /// The attempt is over, or not the caller's any more.
    #[error(
        "you do not hold this attempt (any more): stop the work on it; only a retry of the order runs it again"
    )]
    LeaseLost,
    /// A workflow's definition cannot be saved.
    #[error("the definition has faults: {}", faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("; "))]
    InvalidDefinition {
        /// All of them, each at its place.
        faults: Vec<Fault>,
    },
    /// Somebody else saved the workflow first.
    #[error(
        "the workflow has moved on: it is at version {version}, revision {revision} now; read it again, and save \
         what you make of that"
    )]
    WorkflowConflict {
        /// The version it is at.
        version: u32,
        /// The revision it is at.
        revision: u32,
    },
    /// Nobody could look after the organisation any more.
    #[error(
        "{organization} would be left without an owner: give another of its members the role `{}` first",
        .role.name()
    )]
    LastOwner {
        /// Which organisation.
        organization: OrganizationId,
        /// The role of its owners.
        role: Role,
    },
    /// Nobody could look after the installation any more.
    #[error(
        "the installation would be left without an administrator: give somebody else the role `admin` first"
    )]
    LastAdmin,
    /// Nothing more comes of the job.
    #[error("the job has ended: it is {}", .state.name())]
    JobEnded {
        /// How it ended.
        state: JobState,
    },
}

/// What stands in the way of an action that is otherwise open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// A guard named by the workflow.
    Guard(Guard),
    /// Cancelling would keep the customer's money.
    UnrefundedPayment,
    /// The order is deleted.
    Deleted,
    /// The order is not deleted, and its workflow lets nobody remove it from its status.
    NotDeleted,
    /// The order stands where it cannot be edited.
    NotEditable,
    /// Somebody is at work on the order.
    WorkUnderWay,
    /// Removing the order would lose track of money that came in.
    HoldsPayments,
    /// What a line failed of is not tried again as it is.
    NotRetryable,
    /// A line was tried as often as the workflow allows.
    AttemptsSpent,
}

impl Block {
    /// The name in `GuardFailed.guard` and `AvailableAction.blockedBy`.
    pub fn name(self) -> &'static str {
        match self {
            Block::Guard(guard) => guard.name(),
            Block::UnrefundedPayment => "unrefunded_payment",
            Block::Deleted => "deleted",
            Block::NotDeleted => "not_deleted",
            Block::NotEditable => "not_editable",
            Block::WorkUnderWay => "work_under_way",
            Block::HoldsPayments => "holds_payments",
            Block::NotRetryable => "not_retryable",
            Block::AttemptsSpent => "attempts_spent",
        }
    }

    /// What must hold, and the way out.
    pub fn sentence(self) -> &'static str {
        match self {
            Block::Guard(guard) => guard.sentence(),
            Block::UnrefundedPayment => "the order holds payments: refund them, or say keepCredit: true",
            Block::Deleted => "the order is deleted; an administrator can restore it",
            Block::NotDeleted => "only deleted orders can be removed for good: delete the order first",
            Block::NotEditable => {
                "the order cannot be edited in its status; `Workflow.statuses` says where it can"
            }
            Block::WorkUnderWay => {
                "somebody is at work on the order: let the attempt end, or cancel the order first"
            }
            Block::HoldsPayments => "the order holds payments: refund them first",
            Block::NotRetryable => {
                "what the last attempt failed of fails again: put it right; staff may say override: true, with a \
                 reason"
            }
            Block::AttemptsSpent => {
                "the line was tried as often as the workflow allows; staff may say override: true, with a reason"
            }
        }
    }
}

impl Refusal {
    /// A [`Refusal::Validation`] at one place; `path` may be dotted.
    pub fn invalid(path: &str, message: impl Into<String>) -> Refusal {
        Refusal::Validation { path: path.split('.').map(str::to_owned).collect(), message: message.into() }
    }

    /// The stable code: the error's type name in UPPER_SNAKE.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::NotFound { .. } => "NOT_FOUND",
            Refusal::IllegalTransition { .. } => "ILLEGAL_TRANSITION",
            Refusal::NotPermitted { .. } => "NOT_PERMITTED",
            Refusal::VersionConflict { .. } => "VERSION_CONFLICT",
            Refusal::MissingReason { .. } => "MISSING_REASON",
            Refusal::GuardFailed(_) => "GUARD_FAILED",
            Refusal::Validation { .. } => "VALIDATION",
            Refusal::MixedOrder { .. } => "MIXED_ORDER",
            Refusal::DuplicateReference { .. } => "DUPLICATE_REFERENCE",
            Refusal::ResourceBusy { .. } => "RESOURCE_BUSY",
            Refusal::AttemptClaimed { .. } => "ATTEMPT_CLAIMED",
            Refusal::LeaseLost => "LEASE_LOST",
            Refusal::InvalidDefinition { .. } => "INVALID_DEFINITION",
            Refusal::WorkflowConflict { .. } => "WORKFLOW_CONFLICT",
            Refusal::LastOwner { .. } => "LAST_OWNER",
            Refusal::LastAdmin => "LAST_ADMIN",
            Refusal::JobEnded { .. } => "JOB_ENDED",
        }
    }
}

fn list(actions: &[String]) -> String {
    if actions.is_empty() { "nothing".to_owned() } else { actions.join(", ") }
}
