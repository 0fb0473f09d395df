//! Who is there: from a verified account to somebody who acts, and how one gets in and out.

mod login;
mod password;
mod sealed;
mod ticket;

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Membership},
    id::{OrganizationId, SessionId, UserId},
    role::Role,
};

pub use login::{Opened, login, logout, refresh};
pub use password::{change_password, give_reset_token, reset_password, reset_token};
pub use sealed::Service;
pub use ticket::{Operation, Ticket};

use crate::{
    app::App,
    error::{Error, Result},
    store::{self, people},
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

/// Whose account a token is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Account {
    /// The one with this e-mail address, letter for letter as it is stored.
    Email(String),
    /// The one with this id.
    Id(UserId),
}

/// A role that an outside identity provider gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// As what.
    pub role: Role,
    /// Where; none for roles of the operator.
    pub organization: Option<OrganizationId>,
}

/// Who somebody is as long as a token counts: what rights are read anew by.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The account.
    pub user: UserId,
    /// The session, for one that began with a log-in.
    pub session: Option<SessionId>,
    /// The memberships that count in place of the account's own, where an identity provider gives them.
    pub granted: Option<Arc<[Membership]>>,
}

impl Credentials {
    /// An account, with its own memberships.
    pub fn of(user: UserId, session: Option<SessionId>) -> Credentials {
        Credentials { user, session, granted: None }
    }
}

/// Finds the account of a token, and what the roles that its issuer gives amount to here.
///
/// # Errors
/// UNAUTHENTICATED when there is no such account, or no operator to have a role at.
pub async fn credentials(
    app: &App,
    account: &Account,
    session: Option<SessionId>,
    roles: Option<&[Granted]>,
) -> Result<Credentials> {
    let user = match account {
        Account::Id(user) => *user,
        Account::Email(email) => {
            let user = people::user_by_email(&app.store, email).await?;
            user.ok_or(Error::Unauthenticated)?.id
        }
    };
    let granted = match roles {
        Some(roles) => Some(memberships(app, roles).await?),
        None => None,
    };
    Ok(Credentials { user, session, granted })
}

async fn memberships(app: &App, roles: &[Granted]) -> Result<Arc<[Membership]>> {
    let operator = match roles.iter().any(|granted| granted.organization.is_none()) {
        true => Some(people::operator(&app.store).await?.ok_or(Error::Unauthenticated)?),
        false => None,
    };
    let memberships = roles.iter().filter_map(|granted| {
        let organization = granted.organization.or(operator)?;
        Some(Membership { organization, role: granted.role, offerings: Vec::new() })
    });
    Ok(memberships.collect())
}

/// The actor behind an account, with the memberships it has now: one statement.
///
/// # Errors
/// UNAUTHENTICATED when the account is gone or disabled, the session has been ended, or the service token
/// revoked.
pub async fn actor(app: &App, credentials: &Credentials) -> Result<Actor> {
    let Credentials { user, session, granted } = credentials;
    let person = people::person_within(&app.store, *user, *session).await?;
    let mut person = person.ok_or(Error::Unauthenticated)?;
    if let Some(granted) = granted {
        person.memberships = granted.to_vec();
    }
    Ok(Actor::User(person))
}

/// As many credentials at a time.
const TOGETHER: usize = 500;

/// The actors behind several credentials, as [`actor`] reads one; none where it would refuse. A few
/// statements, however many there are.
///
/// # Errors
/// The database's.
pub async fn actors(app: &App, all: &[Credentials]) -> Result<Vec<Option<Actor>>> {
    let mut actors = Vec::with_capacity(all.len());
    for some in all.chunks(TOGETHER) {
        let users: Vec<UserId> = some.iter().map(|credentials| credentials.user).collect();
        let sessions: Vec<SessionId> = some.iter().filter_map(|credentials| credentials.session).collect();
        let persons = people::persons(&app.store, &users).await?;
        let holders = match sessions.is_empty() {
            true => HashMap::new(),
            false => store::session::holders(&app.store, &sessions).await?,
        };
        actors.extend(some.iter().map(|Credentials { user, session, granted }| {
            session.is_none_or(|session| holders.get(&session) == Some(user)).then_some(())?;
            let mut person = persons.get(user)?.clone();
            if let Some(granted) = granted {
                person.memberships = granted.to_vec();
            }
            Some(Actor::User(person))
        }));
    }
    Ok(actors)
}

/// Asks whoever counts.
fn admit(attempts: Option<&dyn Attempts>, email: &str) -> Result<()> {
    attempts.map_or(Ok(()), |attempts| attempts.admit(email))
}
