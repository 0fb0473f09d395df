//! Expected failures as data: every payload lists them, each a type of its own behind one interface.

use async_graphql::{Interface, SimpleObject};
use domain::refusal::Refusal;

use super::Order;
use crate::{
    error::Error,
    graphql::{expected::expected, failure::Failure, scalar::DateTime, viewer::Session},
    store::{
        Store,
        order::{self, Name},
    },
};

expected! {
    OrderError;
    /// It is not there, or not for this viewer to see: both read the same.
    NotFound {}
    /// The workflow knows no such action from the order's status.
    IllegalTransition {
        /// The order's status, as this viewer sees it.
        from: String,
        /// The action asked for.
        action: String,
        /// What this viewer may do instead.
        allowed_actions: Vec<String>,
    }
    /// The action exists, but not for this viewer.
    NotPermitted {
        /// The action asked for.
        action: String,
        /// What this viewer may do instead.
        allowed_actions: Vec<String>,
    }
    /// Somebody else changed the order first.
    VersionConflict {
        /// The version the caller had seen.
        expected: i32,
        /// The version the order has.
        actual: i32,
        /// The order as it is now.
        order: Option<Order>,
    }
    /// The action needs a reason.
    MissingReason {
        /// The action asked for.
        action: String,
    }
    /// A condition does not hold.
    GuardFailed {
        /// The condition's name, as in `ActionBlock.guard`.
        guard: String,
    }
    /// A value is not acceptable; `path` says which.
    Validation {}
    /// The lines of one order must share provider, workflow and currency.
    MixedOrder {
        /// What they do not share.
        differs: String,
    }
    /// The customer has another order with this external reference.
    DuplicateReference {
        /// The reference.
        reference: String,
    }
    /// Another order that is not finished works on the resource.
    ResourceBusy {
        /// That order, if the viewer may see it.
        order: Option<Order>,
    }
    /// A worker holds the attempt.
    AttemptClaimed {
        /// When its lease ends, unless it is renewed.
        until: DateTime,
    }
    /// The attempt is over, or not the caller's (any more): nothing was changed.
    LeaseLost {}
    /// The idempotency key was used before, with another input.
    IdempotencyMismatch {}
}

/// Where in the input something stands that was not found; nowhere for the order itself.
fn place_of(what: &str) -> Vec<String> {
    let path: &[&str] = match what {
        "customer" => &["customer", "id"],
        "attempt" => &["attempt"],
        "item" => &["items"],
        "line" => &["item"],
        "payment" => &["payment"],
        "schedule" => &["schedule"],
        _ => &[],
    };
    path.iter().map(|step| (*step).to_owned()).collect()
}

fn version(version: i64) -> i32 {
    i32::try_from(version).unwrap_or(i32::MAX)
}

impl OrderError {
    /// An error as data, if it is one that callers are to expect; any other goes into `errors` at the
    /// top of the response.
    pub async fn expect(
        error: Error,
        store: &Store,
        session: &Session,
        name: Option<Name>,
    ) -> std::result::Result<OrderError, Failure> {
        let (code, message, path) = (error.code(), error.to_string(), Vec::new());
        Ok(match error {
            Error::Refusal(refusal) => match refusal {
                Refusal::NotFound { what } => NotFound { code, message, path: place_of(what) }.into(),
                Refusal::IllegalTransition { from, action, allowed } => {
                    IllegalTransition { code, message, path, from, action, allowed_actions: allowed }.into()
                }
                Refusal::NotPermitted { action, allowed } => {
                    NotPermitted { code, message, path, action, allowed_actions: allowed }.into()
                }
                Refusal::VersionConflict { expected, actual } => {
                    let head = match name {
                        Some(name) => order::find(store, session.actor(), &name).await?,
                        None => None,
                    };
                    let (expected, actual) = (version(expected), version(actual));
                    let order = head.map(|head| Order::single(session, head));
                    VersionConflict { code, message, path, expected, actual, order }.into()
                }
                Refusal::MissingReason { action } => {
                    let path = vec!["reason".to_owned()];
                    MissingReason { code, message, path, action }.into()
                }
                Refusal::GuardFailed(block) => {
                    GuardFailed { code, message, path, guard: block.name().to_owned() }.into()
                }
                Refusal::Validation { path, .. } => Validation { code, message, path }.into(),
                Refusal::MixedOrder { what } => {
                    let path = vec!["lines".to_owned()];
                    MixedOrder { code, message, path, differs: what.to_owned() }.into()
                }
                Refusal::DuplicateReference { reference } => {
                    let path = vec!["externalReference".to_owned()];
                    DuplicateReference { code, message, path, reference }.into()
                }
                Refusal::ResourceBusy { path, order } => {
                    let head = match order {
                        Some(id) => order::find(store, session.actor(), &Name::Id(id)).await?,
                        None => None,
                    };
                    let order = head.map(|head| Order::single(session, head));
                    ResourceBusy { code, message, path, order }.into()
                }
                Refusal::AttemptClaimed { until } => {
                    AttemptClaimed { code, message, path, until: DateTime(until) }.into()
                }
                Refusal::LeaseLost => LeaseLost { code, message, path }.into(),
                other @ (Refusal::InvalidDefinition { .. }
                | Refusal::WorkflowConflict { .. }
                | Refusal::LastOwner { .. }
                | Refusal::LastAdmin
                | Refusal::JobEnded { .. }) => {
                    return Err(Error::from(other).into());
                }
            },
            Error::IdempotencyMismatch => {
                let path = vec!["idempotencyKey".to_owned()];
                IdempotencyMismatch { code, message, path }.into()
            }
            other @ (Error::Unauthenticated
            | Error::Forbidden
            | Error::RateLimited { .. }
            | Error::InvalidCredentials
            | Error::SessionEnded
            | Error::InvalidToken
            | Error::LoginElsewhere
            | Error::BadInput { .. }
            | Error::TooComplex(_)
            | Error::Cursor { .. }
            | Error::LiveFilterUnsupported { .. }
            | Error::NumberTaken
            | Error::Internal(_)) => return Err(other.into()),
        })
    }
}
