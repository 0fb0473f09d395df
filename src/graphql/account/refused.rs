//! What may be expected to fail about sessions, passwords and tokens.

use async_graphql::{ID, Interface, SimpleObject};
use domain::refusal::Refusal;

use crate::{
    error::Error,
    graphql::{
        expected::expected,
        failure::Failure,
        order::{NotFound, Validation},
    },
};

expected! {
    AccountError {
        /// It is not there, or not for this viewer to see: both read the same.
        NotFound,
        /// A value is not acceptable; `path` says which.
        Validation,
    };
    /// The e-mail address or the password is wrong; which of them is not told.
    InvalidCredentials {}
    /// The session cannot be renewed: it has ended, or the token was used before.
    SessionEnded {}
    /// The token was used, taken back, is too old, was never given out, or is not for this caller.
    InvalidToken {}
    /// This server verifies somebody else's tokens and has no passwords.
    LoginElsewhere {}
    /// An organisation would be left without an owner: make another one first.
    LastOwner {
        /// Which organisation.
        organization: ID,
    }
    /// The installation would be left without an administrator: make another one first.
    LastAdmin {}
}

/// Where in the input something stands that was not found.
fn place_of(what: &str) -> Vec<String> {
    let place = if what == "service token" { "serviceToken" } else { what };
    vec![place.to_owned()]
}

impl AccountError {
    /// An error as data, if it is one that callers are to expect; any other goes into `errors` at the top
    /// of the response.
    pub fn expect(error: Error) -> Result<AccountError, Failure> {
        let (code, message, path) = (error.code(), error.to_string(), Vec::new());
        Ok(match error {
            Error::InvalidCredentials => InvalidCredentials { code, message, path }.into(),
            Error::SessionEnded => SessionEnded { code, message, path }.into(),
            Error::InvalidToken => {
                let path = vec!["token".to_owned()];
                InvalidToken { code, message, path }.into()
            }
            Error::LoginElsewhere => LoginElsewhere { code, message, path }.into(),
            Error::Refusal(Refusal::NotFound { what }) => {
                NotFound { code, message, path: place_of(what) }.into()
            }
            Error::Refusal(Refusal::LastOwner { organization, .. }) => {
                let (path, organization) = (vec!["user".to_owned()], organization.to_string().into());
                LastOwner { code, message, path, organization }.into()
            }
            Error::Refusal(Refusal::LastAdmin) => {
                let path = vec!["user".to_owned()];
                LastAdmin { code, message, path }.into()
            }
            Error::Refusal(Refusal::Validation { path, .. }) => Validation { code, message, path }.into(),
            other @ (Error::Refusal(
                Refusal::IllegalTransition { .. }
                | Refusal::NotPermitted { .. }
                | Refusal::VersionConflict { .. }
                | Refusal::MissingReason { .. }
                | Refusal::GuardFailed(_)
                | Refusal::MixedOrder { .. }
                | Refusal::DuplicateReference { .. }
                | Refusal::ResourceBusy { .. }
                | Refusal::AttemptClaimed { .. }
                | Refusal::LeaseLost
                | Refusal::InvalidDefinition { .. }
                | Refusal::WorkflowConflict { .. }
                | Refusal::JobEnded { .. },
            )
            | Error::IdempotencyMismatch
            | Error::Unauthenticated
            | Error::Forbidden
            | Error::RateLimited { .. }
            | Error::BadInput { .. }
            | Error::TooComplex(_)
            | Error::Cursor { .. }
            | Error::LiveFilterUnsupported { .. }
            | Error::NumberTaken
            | Error::Internal(_)) => return Err(other.into()),
        })
    }

    /// What a use case came to: a value, or errors that were to be expected.
    pub fn split<T>(done: Result<T, Error>) -> Result<(Option<T>, Vec<AccountError>), Failure> {
        match done {
            Ok(value) => Ok((Some(value), Vec::new())),
            Err(error) => Ok((None, vec![AccountError::expect(error)?])),
        }
    }
}
