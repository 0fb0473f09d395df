//! Setting a password: by whoever knows the old one, or by whoever was given a token.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Person},
    id::{SessionId, UserId},
    password, permission,
    refusal::Refusal,
};

use super::{Attempts, RESET, Signer, admit, sealed::Reset};
use crate::{
    app::App,
    error::{Error, Result},
    keys::Keys,
    secret::Secret,
    store::{
        Reads,
        session::{Account, Because, Who, account},
    },
};

/// Changes the actor's own password. All its sessions end but the one it asks from.
///
/// # Errors
/// INVALID_CREDENTIALS, VALIDATION, LOGIN_ELSEWHERE, RATE_LIMITED; FORBIDDEN for service tokens.
pub async fn change_password(
    app: &App,
    signer: &dyn Signer,
    attempts: Option<&dyn Attempts>,
    (actor, session): (&Actor, Option<SessionId>),
    (current, new): (Secret, Secret),
) -> Result<()> {
    let Actor::User(Person { id, only: None, .. }) = actor else { return Err(Error::Forbidden) };
    if !signer.issues() {
        return Err(Error::LoginElsewhere);
    }
    let known = account(&app.store, Who::User(*id)).await?.ok_or(Error::Unauthenticated)?;
    admit(attempts, &known.email)?;
    password::check("new", new.text(), &known.email)?;
    if !app.hashing.verify(current, known.password.clone()).await? {
        return Err(Error::InvalidCredentials);
    }
    match set(app, &known, new, session).await? {
        true => Ok(()),
        false => Err(Error::InvalidCredentials),
    }
}

/// Sets the password of the account that a token is for. All its sessions end.
///
/// # Errors
/// INVALID_TOKEN, VALIDATION, LOGIN_ELSEWHERE, RATE_LIMITED.
pub async fn reset_password(app: &App, signer: &dyn Signer, token: &str, new: Secret) -> Result<()> {
    if !signer.issues() {
        return Err(Error::LoginElsewhere);
    }
    let now = app.world.now();
    let reset = Reset::open(&app.keys, token).filter(|reset| now < reset.expires_at);
    let reset = reset.ok_or(Error::InvalidToken)?;
    let known = account(&app.store, Who::User(reset.user)).await?;
    let known = known.filter(|known| known.version == reset.version).ok_or(Error::InvalidToken)?;
    password::check("new", new.text(), &known.email)?;
    match set(app, &known, new, None).await? {
        true => Ok(()),
        false => Err(Error::InvalidToken),
    }
}

/// Hashes and stores a password and ends the account's sessions, unless it was set meanwhile.
async fn set(app: &App, known: &Account, new: Secret, except: Option<SessionId>) -> Result<bool> {
    let (mut mint, seed) = (app.world.mint(), app.world.seed());
    let (noted, now) = (mint.id(), mint.now());
    let mut salt = [0; 16];
    salt.copy_from_slice(&seed[..16]);
    let hash = app.hashing.hash(new, salt).await?;
    let (user, version) = (known.user, known.version);
    let set = app.store.write(async move |tx| {
        if tx.password_version(user).await? != Some(version) {
            return Ok(false);
        }
        let next = version.checked_add(1).ok_or_else(|| Error::internal("too many passwords"))?;
        tx.set_password(user, &hash, next, now).await?;
        tx.end_sessions(noted, (user, except), Because::Password, now).await?;
        Ok(true)
    });
    let set = set.await?;
    app.feed.ring();
    Ok(set)
}

/// Gives out a token that sets somebody's password, and until when it counts.
///
/// # Errors
/// FORBIDDEN for all but administrators, NOT_FOUND, LOGIN_ELSEWHERE.
pub async fn give_reset_token(
    app: &App,
    signer: &dyn Signer,
    actor: &Actor,
    user: UserId,
) -> Result<(String, DateTime<Utc>)> {
    if !permission::may_reset_passwords(actor) {
        return Err(Error::Forbidden);
    }
    if !signer.issues() {
        return Err(Error::LoginElsewhere);
    }
    reset_token(&app.store, &app.keys, user, app.world.now()).await
}

/// A token that sets the password of an account, once, and until when it counts. Nothing is stored: any
/// change of the password spends it.
///
/// # Errors
/// NOT_FOUND when nobody with that id can have a password.
pub async fn reset_token(
    from: &impl Reads,
    keys: &Keys,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(String, DateTime<Utc>)> {
    let known = account(from, Who::User(user)).await?.ok_or(Refusal::NotFound { what: "user" })?;
    let expires_at = now + RESET;
    let reset = Reset { user: known.user, expires_at, version: known.version };
    Ok((reset.seal(keys), expires_at))
}
