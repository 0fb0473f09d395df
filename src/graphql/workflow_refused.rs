//! What may be expected to fail about saving a workflow: every fault of a definition is an error of its own.

use async_graphql::{Interface, SimpleObject};
use domain::{refusal::Refusal, workflow::Fault};

use super::{
    expected::expected,
    failure::Failure,
    order::{NotFound, Validation},
};
use crate::error::Error;

expected! {
    WorkflowError {
        /// It is not there, or not for this viewer to see: both read the same.
        NotFound,
        /// A value is not acceptable; `path` says which.
        Validation,
    };
    /// Something is wrong with a definition. All that is wrong is told at once, each fault as an error of its own.
    InvalidDefinition {
        /// Where in the definition: `line 3, column 7`, `status[on_hold].color`, `transition[3].to`; rows are
        /// counted from 0.
        place: String,
    }
    /// Somebody else saved the workflow first.
    WorkflowConflict {
        /// The version that it has now.
        version: u32,
        /// The revision that it has now.
        revision: u32,
    }
}

/// Where an input names what a definition holds.
#[derive(Clone, Debug)]
pub enum Input {
    /// `definition` is the whole text.
    Definition,
    /// The fields are those of the status of this code.
    Status(String),
}

impl Input {
    /// The path of a fault at a place of the definition.
    fn path(&self, place: &str) -> Vec<String> {
        match self {
            Input::Definition if place.starts_with("line ") => vec!["definition".to_owned()],
            Input::Definition => {
                ["definition"].into_iter().chain(place.split('.')).map(str::to_owned).collect()
            }
            Input::Status(code) => {
                let of_it = place.strip_prefix(&format!("status[{code}]."));
                vec![of_it.and_then(field).unwrap_or("code").to_owned()]
            }
        }
    }

    fn not_found(&self) -> Vec<String> {
        let path: &[&str] = match self {
            Input::Definition => &["definition", "code"],
            Input::Status(_) => &["workflow"],
        };
        path.iter().map(|step| (*step).to_owned()).collect()
    }
}

/// The input's field that a status's key is read from.
fn field(key: &str) -> Option<&'static str> {
    Some(match key {
        "label" => "label",
        "category" => "category",
        "color" => "color",
        "is_final" => "isFinal",
        "editable" => "editable",
        "stalls_after_min" => "stallsAfter",
        "public_code" => "publicCode",
        "public_label" => "publicLabel",
        _ => return None,
    })
}

impl WorkflowError {
    /// Errors as data, if they are ones that callers are to expect; any other goes into `errors` at the top of
    /// the response.
    pub fn expect(error: Error, input: &Input) -> Result<Vec<WorkflowError>, Failure> {
        let (code, message) = (error.code(), error.to_string());
        Ok(match error {
            Error::Refusal(Refusal::InvalidDefinition { faults }) => {
                let tell = |Fault { place, message }| {
                    let path = input.path(&place);
                    InvalidDefinition { code, message, path, place }.into()
                };
                faults.into_iter().map(tell).collect()
            }
            Error::Refusal(Refusal::WorkflowConflict { version, revision }) => {
                vec![WorkflowConflict { code, message, path: Vec::new(), version, revision }.into()]
            }
            Error::Refusal(Refusal::NotFound { .. }) => {
                vec![NotFound { code, message, path: input.not_found() }.into()]
            }
            Error::Refusal(Refusal::Validation { path, .. }) => {
                vec![Validation { code, message, path }.into()]
            }
            other @ (Error::Refusal(
                Refusal::IllegalTransition { .. }
                | Refusal::NotPermitted { .. }
                | Refusal::VersionConflict { .. }
                | Refusal::MissingReason { .. }
                | Refusal::GuardFailed(_)
                | Refusal::MixedOrder { .. }
                | Refusal::DuplicateReference { .. }
                | Refusal::AttemptClaimed { .. }
                | Refusal::LeaseLost
                | Refusal::ResourceBusy { .. }
                | Refusal::LastOwner { .. }
                | Refusal::LastAdmin
                | Refusal::JobEnded { .. },
            )
            | Error::IdempotencyMismatch
            | Error::Unauthenticated
            | Error::Forbidden
            | Error::InvalidCredentials
            | Error::SessionEnded
            | Error::InvalidToken
            | Error::LoginElsewhere
            | Error::RateLimited { .. }
            | Error::BadInput { .. }
            | Error::TooComplex(_)
            | Error::Cursor { .. }
            | Error::LiveFilterUnsupported { .. }
            | Error::NumberTaken
            | Error::Internal(_)) => return Err(other.into()),
        })
    }
}
