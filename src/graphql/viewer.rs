//! Who asks, as far as the schema is concerned.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::Utc;
use domain::{
    actor::{Actor, Grant, Parties, Person, standing},
    id::{SessionId, UserId},
    role::RoleSet,
};
use uuid::Uuid;

use super::{
    failure::Failure,
    people::{Organization, User},
    scalar::DateTime,
};
use crate::{
    app::App,
    error::{Error, Result},
    store::people,
    usecase::session::Credentials,
};

/// An authenticated session: put into the data of every request and socket, absent for anonymous
/// callers.
#[derive(Clone, Debug)]
pub struct Session {
    actor: Arc<Actor>,
    grants: Arc<Vec<Grant>>,
    credentials: Credentials,
    expires_at: chrono::DateTime<Utc>,
}

impl Session {
    /// A session of this actor, until its token expires.
    pub fn new(actor: Actor, credentials: Credentials, expires_at: chrono::DateTime<Utc>) -> Session {
        let grants = Arc::new(actor.grants());
        Session { actor: Arc::new(actor), grants, credentials, expires_at }
    }

    /// The same reach without the person, where nothing in it is personal: what anybody with these memberships
    /// sees. Nobody's own session, so the relation to orders that one has placed is not in it.
    pub fn of_anyone(&self) -> Option<Session> {
        let Actor::User(person) = self.actor.as_ref() else { return None };
        if self.grants.iter().any(|grant| grant.reach.is_personal()) {
            return None;
        }
        let nobody = UserId(Uuid::nil());
        let actor = Arc::new(Actor::User(Person { id: nobody, ..person.clone() }));
        let credentials = Credentials::of(nobody, None);
        Some(Session { actor, credentials, ..self.clone() })
    }

    /// What its rights are read anew by.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Its id, for one that began with a log-in.
    pub fn id(&self) -> Option<SessionId> {
        self.credentials.session
    }

    /// The actor.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// What the actor reaches.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// When the token expires.
    pub fn expires_at(&self) -> chrono::DateTime<Utc> {
        self.expires_at
    }

    /// The actor's standing on an order.
    pub fn standing(&self, parties: &Parties, deleted: bool) -> RoleSet {
        standing(&self.grants, self.actor.user(), parties, deleted)
    }
}

/// The session of this operation.
///
/// # Errors
/// UNAUTHENTICATED for anonymous callers.
pub fn session<'a>(ctx: &Context<'a>) -> Result<&'a Session> {
    ctx.data_opt::<Session>().ok_or(Error::Unauthenticated)
}

/// Who is asking, and where they are members.
#[derive(Clone, Debug)]
pub struct Viewer(pub(super) Session);

/// A role in an organisation.
#[derive(Clone, Debug, SimpleObject)]
pub struct ViewerMembership {
    /// Where; null when the organisation is gone.
    pub organization: Option<Organization>,
    /// As what: `admin`, `staff`, `support`, `csr`, `agent`, `provider`, `manager`, `worker`, `approver`,
    /// `consumer`.
    pub role: String,
    /// The offerings that a manager or worker is narrowed to.
    pub offerings: Vec<ID>,
}

/// Who is asking, and where they are members.
#[Object]
impl Viewer {
    /// The account; null for an account that is being removed.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User, Failure>> {
        let id = self.0.actor().user()?;
        let users = people::users(&ctx.data_unchecked::<App>().store, &[id]).await;
        users.map(|mut users| users.remove(&id).map(User::own)).map_err(Failure::from).transpose()
    }

    /// What the viewer is a member of.
    async fn memberships(&self, ctx: &Context<'_>) -> Result<Vec<ViewerMembership>, Failure> {
        let Actor::User(person) = self.0.actor() else { return Ok(Vec::new()) };
        let ids: Vec<_> = person.memberships.iter().map(|membership| membership.organization).collect();
        let known = people::organizations(&ctx.data_unchecked::<App>().store, &ids).await?;
        let memberships = person.memberships.iter().map(|membership| ViewerMembership {
            organization: known.get(&membership.organization).cloned().map(Organization::from),
            role: membership.role.name().to_owned(),
            offerings: membership.offerings.iter().map(|id| id.to_string().into()).collect(),
        });
        Ok(memberships.collect())
    }

    /// When the token expires; streams end then.
    async fn expires_at(&self) -> DateTime {
        DateTime(self.0.expires_at)
    }
}

/// Reading who one is.
#[derive(Debug, Default)]
pub struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// Who is asking.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Result<Viewer, Failure>> {
        Some(session(ctx).cloned().map(Viewer).map_err(Failure::from))
    }
}
