//! Errors that are not data: what goes into the response's `errors`, with a stable code.

use async_graphql::ErrorExtensions;

use crate::{error::Error, telemetry::request};

/// An error on its way out. It has no `Display` on purpose: async-graphql turns whatever can be
/// displayed into an error without a code, and this must not happen to ours.
#[derive(Clone, Debug)]
pub struct Failure(async_graphql::Error);

/// The result of a resolver.
pub type Result<T> = std::result::Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let code = error.code();
        let answer = |error: &Error| async_graphql::Error::new(error.to_string());
        let with_code = |answer: async_graphql::Error| answer.extend_with(|_, e| e.set("code", code));
        Failure(match &error {
            Error::Internal(_) | Error::NumberTaken => {
                let id = incident(&error);
                let sentence = format!("something went wrong on our side; quote {id} when you report it");
                with_code(async_graphql::Error::new(sentence)).extend_with(|_, e| e.set("incident", id))
            }
            Error::BadInput { path, .. } => {
                with_code(answer(&error)).extend_with(|_, e| e.set("argument", path.as_ref()))
            }
            Error::LiveFilterUnsupported { field } => {
                with_code(answer(&error)).extend_with(|_, e| e.set("argument", format!("where.{field}")))
            }
            Error::RateLimited { retry_after } => {
                let seconds = retry_after.as_secs_f64().ceil().max(1.0) as u64;
                with_code(answer(&error)).extend_with(|_, e| e.set("retryAfter", seconds))
            }
            Error::Refusal(_)
            | Error::IdempotencyMismatch
            | Error::Unauthenticated
            | Error::Forbidden
            | Error::InvalidCredentials
            | Error::SessionEnded
            | Error::InvalidToken
            | Error::LoginElsewhere
            | Error::TooComplex(_)
            | Error::Cursor { .. } => with_code(answer(&error)),
        })
    }
}

/// Logs what happened, once, and gives it an id that may be told: its request's.
fn incident(error: &Error) -> String {
    let id = request::incident();
    tracing::error!(incident = %id, error = ?error, "internal error");
    id
}

impl From<Failure> for async_graphql::Error {
    fn from(failure: Failure) -> async_graphql::Error {
        failure.0
    }
}
