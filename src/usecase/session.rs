//! From a verified account to somebody who acts.

use domain::{actor::Actor, id::UserId};

use crate::{
    app::App,
    error::{Error, Result},
    store::people,
};

/// The actor behind an account, with the memberships it has now.
///
/// # Errors
/// UNAUTHENTICATED when the account is gone or disabled.
pub async fn actor(app: &App, user: UserId) -> Result<Actor> {
    people::person(&app.store, user).await?.map(Actor::User).ok_or(Error::Unauthenticated)
}
