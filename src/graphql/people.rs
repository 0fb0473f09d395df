//! Organisations and people.

mod account;
mod invitation;
mod membership;
mod organization;
mod rights;

use std::sync::Arc;

use async_graphql::{
    Context, Enum, ID, Object, Value,
    connection::{Connection, EmptyFields},
};
use domain::{actor::Actor, id::OrganizationId, permission};
use uuid::Uuid;

pub use account::{AccountMutation, AccountQuery};
pub use invitation::{InvitationMutation, InvitationQuery};
pub use membership::MembershipMutation;
pub use organization::OrganizationMutation;
pub use rights::RightsQuery;

use super::{
    at_hand::{Asked, Plain},
    failure::Result,
    paging::{Args, Cursor, cost, uuid},
    scalar::DateTime,
    siblings::{Member, Named},
    viewer::session,
};
use crate::{app::App, store::people};

/// What an organisation is to the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "people::OrganizationKind")]
pub enum OrganizationKind {
    /// Runs the installation.
    Operator,
    /// Provides products.
    Provider,
    /// A company that buys.
    Company,
    /// A person who buys.
    Person,
}

/// A company or person: the operator, a provider, or a customer.
#[derive(Clone, Debug)]
pub struct Organization(Member<people::Organization>);

/// The organisations of one answer.
pub type Organizations = Arc<Named<people::Organization>>;

impl Organization {
    /// One of the organisations of an answer.
    pub fn among(organizations: &Organizations, id: OrganizationId) -> Organization {
        Organization(Member::new(id, organizations))
    }

    async fn whole(&self, ctx: &Context<'_>) -> Result<Arc<people::Organization>> {
        Ok(self.0.whole(&ctx.data_unchecked::<App>().store).await?)
    }
}

impl From<people::Organization> for Organization {
    fn from(organization: people::Organization) -> Organization {
        Organization(Member::single(organization.id, organization))
    }
}

/// A company or person: the operator, a provider, or a customer.
#[Object]
impl Organization {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.key.to_string().into()
    }

    /// What it is.
    async fn kind(&self, ctx: &Context<'_>) -> Result<OrganizationKind> {
        Ok(self.whole(ctx).await?.kind.into())
    }

    /// Its name.
    async fn name(&self, ctx: &Context<'_>) -> Result<String> {
        match self.0.name() {
            Some(name) => Ok(name.to_owned()),
            None => Ok(self.whole(ctx).await?.name.clone()),
        }
    }

    /// Its e-mail address; for the operator and its own members.
    async fn email(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        let actor = session(ctx).ok()?.actor();
        if !permission::sees_everybody(actor) && !own(actor).contains(&self.0.key) {
            return None;
        }
        self.whole(ctx).await.map(|whole| whole.email.clone()).transpose()
    }

    /// Its time zone, a name of the IANA database; days such as `expiresOn` are days there.
    async fn time_zone(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.whole(ctx).await?.time_zone.clone())
    }

    /// Since when it is known.
    async fn created_at(&self, ctx: &Context<'_>) -> Result<DateTime> {
        Ok(DateTime(self.whole(ctx).await?.created_at))
    }
}

impl Plain for Organization {
    fn plain(&self, field: &Asked) -> Option<Value> {
        match field.name.node.as_str() {
            "id" => Some(self.0.key.to_string().into()),
            "name" => self.0.name().map(Value::from),
            _ => None,
        }
    }
}

/// Somebody with an account.
#[derive(Clone, Debug)]
pub struct User {
    account: Arc<people::User>,
    /// Whether the e-mail address is for the one who asks, as whoever made this knows: it is their own, and they
    /// carry no token yet, having just logged in; or they look after the account.
    told: bool,
}

impl User {
    /// The one who asks.
    pub fn own(user: people::User) -> User {
        User::told(user, true)
    }

    /// With the e-mail address, or as anybody sees it.
    pub fn told(user: people::User, told: bool) -> User {
        User { account: Arc::new(user), told }
    }
}

impl From<Arc<people::User>> for User {
    fn from(account: Arc<people::User>) -> User {
        User { account, told: false }
    }
}

impl From<people::User> for User {
    fn from(user: people::User) -> User {
        Arc::new(user).into()
    }
}

/// Somebody with an account.
#[Object]
impl User {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.account.id.to_string().into()
    }

    /// The name.
    async fn name(&self) -> &str {
        &self.account.name
    }

    /// The e-mail address; for the operator, the person, and, in `Account.user`, the owners of an organisation
    /// that the person is a member of.
    async fn email(&self, ctx: &Context<'_>) -> Option<&str> {
        let seen_by = |actor| permission::sees_everybody(actor) || actor.user() == Some(self.account.id);
        let inside = self.told || session(ctx).is_ok_and(|session| seen_by(session.actor()));
        Some(self.account.email.as_str()).filter(|_| inside)
    }
}

/// The organisations that somebody is a member of.
pub fn own(actor: &Actor) -> Vec<OrganizationId> {
    match actor {
        Actor::System => Vec::new(),
        Actor::User(person) => person.memberships.iter().map(|m| m.organization).collect(),
    }
}

/// Whether the viewer may look an organisation up: providers are public to whoever is logged in,
/// customers are not.
pub fn visible(actor: &Actor, organization: &people::Organization) -> bool {
    organization.kind == people::OrganizationKind::Provider
        || permission::sees_everybody(actor)
        || own(actor).contains(&organization.id)
}

/// Reading organisations.
#[derive(Debug, Default)]
pub struct OrganizationQuery;

#[Object]
impl OrganizationQuery {
    /// Organisations, oldest first: all of them for the operator; providers and one's own for others.
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    async fn organizations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, up to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Cursor<Uuid>, Organization, EmptyFields, EmptyFields>> {
        let actor = session(ctx)?.actor();
        let window = Args { first, after, last, before }.window(uuid)?;
        let own = (!permission::sees_everybody(actor)).then(|| own(actor));
        let app = ctx.data_unchecked::<App>();
        let rows = people::organization_page(&app.store, own.as_deref(), window.stretch()).await?;
        Ok(window.connection(rows, EmptyFields, |row| (row.id.0, row.into())))
    }
}
