//! In, further, and out.

use chrono::{DateTime, Utc};
use domain::{
    actor::Actor,
    id::{SessionId, UserId},
    refusal::Refusal,
    session::{Renewal, renew},
};

use super::{ACCESS, Attempts, Credentials, SESSION, Signer, actor, admit, sealed::Refresh};
use crate::{
    app::App,
    error::{Error, Result},
    secret::Secret,
    store::session::{Account, Because, Who, account},
};

/// A session as its owner gets it.
#[derive(Clone)]
pub struct Opened {
    /// Who it is.
    pub actor: Actor,
    /// The account and the session.
    pub credentials: Credentials,
    /// What requests carry.
    pub access_token: String,
    /// Until when they may.
    pub expires_at: DateTime<Utc>,
    /// What renews it, once.
    pub refresh_token: String,
    /// When it ends, however often it is renewed.
    pub refresh_expires_at: DateTime<Utc>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("session", &self.credentials.session).finish_non_exhaustive()
    }
}

/// Begins a session. An account that does not exist, is disabled or has no password costs the same
/// statements and the same work as a wrong password, and gets the same answer.
///
/// # Errors
/// INVALID_CREDENTIALS, whatever is wrong; LOGIN_ELSEWHERE; RATE_LIMITED.
pub async fn login(
    app: &App,
    signer: &dyn Signer,
    attempts: Option<&dyn Attempts>,
    email: &str,
    password: Secret,
) -> Result<Opened> {
    if !signer.issues() {
        return Err(Error::LoginElsewhere);
    }
    admit(attempts, email)?;
    let known = account(&app.store, Who::Email(email)).await?;
    let hash = known.as_ref().and_then(|known| known.password.clone());
    let right = app.hashing.verify(password, hash).await?;
    let known = known.filter(|_| right).ok_or(Error::InvalidCredentials)?;
    begin(app, signer, known).await
}

async fn begin(app: &App, signer: &dyn Signer, Account { user, version, .. }: Account) -> Result<Opened> {
    let mut mint = app.world.mint();
    let (session, now) = (mint.id(), mint.now());
    let ends_at = now + SESSION;
    let begun = app.store.write(async move |tx| {
        // The password may have been changed while this one was compared.
        if tx.password_version(user).await? != Some(version) {
            return Err(Error::InvalidCredentials);
        }
        tx.begin_session(session, user, now, ends_at).await
    });
    begun.await?;
    let refresh = Refresh { session, generation: 1 };
    open(app, signer, (user, refresh), now, ends_at).await
}

/// Renews a session: a new access token, and the next refresh token. Whoever shows one that was used before,
/// other than in the moment that two tabs need, ends the session for everybody.
///
/// # Errors
/// SESSION_ENDED; LOGIN_ELSEWHERE.
pub async fn refresh(app: &App, signer: &dyn Signer, token: &str) -> Result<Opened> {
    if !signer.issues() {
        return Err(Error::LoginElsewhere);
    }
    let Refresh { session, generation } = Refresh::open(&app.keys, token).ok_or(Error::SessionEnded)?;
    let now = app.world.mint().now();
    let renewed = app.store.write(async move |tx| {
        let Some((user, family)) = tx.session(session).await? else { return Ok(None) };
        let generation = match renew(&family, generation, now) {
            Renewal::Rotate(next) => {
                tx.rotate(session, next, now).await?;
                next
            }
            Renewal::Repeat(newest) => newest,
            Renewal::Reused => {
                // Answered as an end, and yet to be committed.
                tx.end_session(session, Because::Reuse, now).await?;
                return Ok(None);
            }
            Renewal::Ended => return Ok(None),
        };
        Ok(Some((user, Refresh { session, generation }, family.expires_at)))
    });
    let (user, refresh, ends_at) = renewed.await?.ok_or(Error::SessionEnded)?;
    open(app, signer, (user, refresh), now, ends_at).await
}

/// The session as its owner gets it, with the memberships of now.
async fn open(
    app: &App,
    signer: &dyn Signer,
    (user, refresh): (UserId, Refresh),
    now: DateTime<Utc>,
    ends_at: DateTime<Utc>,
) -> Result<Opened> {
    let session = refresh.session;
    let credentials = Credentials::of(user, Some(session));
    let actor = actor(app, &credentials).await.map_err(|error| match error {
        Error::Unauthenticated => Error::SessionEnded,
        other => other,
    })?;
    let expires_at = ends_at.min(now + ACCESS);
    Ok(Opened {
        actor,
        credentials,
        access_token: signer.sign(user, session, now, expires_at)?,
        expires_at,
        refresh_token: refresh.seal(&app.keys),
        refresh_expires_at: ends_at,
    })
}

const NO_SESSION: &str = "the token you call with belongs to no session; name a refresh token";

/// Ends the session of a refresh token, or the one that the caller's access token belongs to. A token that
/// was never given out ends nothing, and is not told so.
///
/// # Errors
/// VALIDATION when neither is there.
pub async fn logout(app: &App, token: Option<&str>, own: Option<SessionId>) -> Result<()> {
    let session = match token {
        Some(token) => Refresh::open(&app.keys, token).map(|refresh| refresh.session),
        None => Some(own.ok_or_else(|| Refusal::invalid("refreshToken", NO_SESSION))?),
    };
    let Some(session) = session else { return Ok(()) };
    let now = app.world.mint().now();
    app.store.write(async move |tx| tx.end_session(session, Because::Logout, now).await).await?;
    app.feed.ring();
    Ok(())
}
