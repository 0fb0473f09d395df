//! The second of the two error enums: what can go wrong around a decision. Each edge translates it
//! once, without a wildcard arm.

use std::{borrow::Cow, time::Duration};

use domain::refusal::Refusal;

/// Why an operation has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The business says no.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// The idempotency key was used before, with another input.
    #[error("this idempotency key was used before with another input; take a new key")]
    IdempotencyMismatch,
    /// Nobody is logged in.
    #[error("log in first: send a bearer token")]
    Unauthenticated,
    /// The field is not for this role. For fields that name no order.
    #[error("this is not for your role")]
    Forbidden,
    /// Asked too often, or at a moment when too many ask.
    #[error("too many at once; try again later")]
    RateLimited {
        /// After how long it is worth another try.
        retry_after: Duration,
    },
    /// The e-mail address or the password is wrong; which of them is not told.
    #[error("the e-mail address or the password is wrong")]
    InvalidCredentials,
    /// The session cannot be renewed.
    #[error("the session has ended; log in again")]
    SessionEnded,
    /// The token that sets a password, or is an invitation, was used, is too old, or was never given out; or it
    /// is for somebody else.
    #[error("the token is not valid, or not any more; ask for a new one")]
    InvalidToken,
    /// This server verifies somebody else's tokens and has no passwords.
    #[error("tokens are issued elsewhere: this server verifies them and knows no passwords")]
    LoginElsewhere,
    /// A value cannot be read at all: an id, a cursor, an argument.
    #[error("{message}")]
    BadInput {
        /// The argument.
        path: Cow<'static, str>,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The request asks for more than one answer may hold.
    #[error("{0}")]
    TooComplex(String),
    /// A cursor of the live feed that cannot be served.
    #[error("{message}")]
    Cursor {
        /// CURSOR_EXPIRED or CURSOR_INVALID.
        code: &'static str,
        /// What to do.
        message: &'static str,
    },
    /// A live filter names a column that events do not carry.
    #[error("a live filter cannot follow `{field}`; leave it out and filter on the client")]
    LiveFilterUnsupported {
        /// The field of `where`.
        field: &'static str,
    },
    /// A random order number is in use already; the write is tried again with another.
    #[error("internal error")]
    NumberTaken,
    /// Our fault. The text is for the log, never for an answer.
    #[error("internal error")]
    Internal(#[source] anyhow::Error),
}

impl Error {
    /// A value that cannot be read.
    pub fn bad_input(path: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Error {
        Error::BadInput { path: path.into(), message: message.into() }
    }

    /// Something that cannot be, seen from inside.
    pub fn internal(what: impl Into<String>) -> Error {
        Error::Internal(anyhow::anyhow!(what.into()))
    }

    /// The stable code, as documented in the README.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Refusal(refusal) => refusal.code(),
            Error::IdempotencyMismatch => "IDEMPOTENCY_MISMATCH",
            Error::Unauthenticated => "UNAUTHENTICATED",
            Error::Forbidden => "FORBIDDEN",
            Error::RateLimited { .. } => "RATE_LIMITED",
            Error::InvalidCredentials => "INVALID_CREDENTIALS",
            Error::SessionEnded => "SESSION_ENDED",
            Error::InvalidToken => "INVALID_TOKEN",
            Error::LoginElsewhere => "LOGIN_ELSEWHERE",
            Error::BadInput { .. } => "BAD_USER_INPUT",
            Error::TooComplex(_) => "TOO_COMPLEX",
            Error::Cursor { code, .. } => code,
            Error::LiveFilterUnsupported { .. } => "LIVE_FILTER_UNSUPPORTED",
            Error::NumberTaken | Error::Internal(_) => "INTERNAL",
        }
    }
}

/// The result of anything that can go wrong.
pub type Result<T, E = Error> = std::result::Result<T, E>;
