//! Who is there: from a verified account to somebody who acts, and how one gets in and out.

mod login;
mod password;
mod sealed;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::Actor,
    id::{SessionId, UserId},
};

pub use login::{Opened, login, logout, refresh};
pub use password::{change_password, give_reset_token, reset_password, reset_token};
pub use sealed::Service;

use crate::{
    app::App,
    error::{Error, Result},
    store::people,
};

/// How long an access token counts; its session is looked at with each request, so this bounds only what
/// never asks again.
pub const ACCESS: TimeDelta = TimeDelta::minutes(15);
/// How long a session lasts, however often it is renewed.
pub const SESSION: TimeDelta = TimeDelta::days(30);
/// How long a token that sets a password counts.
pub const RESET: TimeDelta = TimeDelta::hours(1);

/// Signs access tokens. The edge that verifies them implements it.
pub trait Signer: Send + Sync {
    /// Whether it can: a server with somebody else's public key cannot.
    fn issues(&self) -> bool;

    /// An access token of a session.
    ///
    /// # Errors
    /// LOGIN_ELSEWHERE when it cannot.
    fn sign(
        &self,
        user: UserId,
        session: SessionId,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<String>;
}

/// Counts attempts at a password. The edge that knows where a request comes from puts one into the request's
/// data, as `Arc<dyn Attempts>`; without one all are admitted.
pub trait Attempts: Send + Sync {
    /// Lets an attempt at this account's password pass. Asked before anything is read or hashed.
    ///
    /// # Errors
    /// RATE_LIMITED when there were too many.
    fn admit(&self, email: &str) -> Result<()>;
}

/// The actor behind an account, with the memberships it has now: one statement.
///
/// # Errors
/// UNAUTHENTICATED when the account is gone or disabled, the session has been ended, or the service token
/// revoked.
pub async fn actor(app: &App, user: UserId, session: Option<SessionId>) -> Result<Actor> {
    let person = people::person_within(&app.store, user, session).await?;
    person.map(Actor::User).ok_or(Error::Unauthenticated)
}

/// Asks whoever counts.
fn admit(attempts: Option<&dyn Attempts>, email: &str) -> Result<()> {
    attempts.map_or(Ok(()), |attempts| attempts.admit(email))
}
