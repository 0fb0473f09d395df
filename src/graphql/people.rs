//! Organisations and people.

use std::sync::Arc;

use async_graphql::{
    Context, Enum, ID, Object,
    connection::{Connection, EmptyFields},
};
use domain::{actor::Actor, id::OrganizationId, permission};

use super::{
    failure::Result,
    paging::{Args, cost, cursor, uuid},
    scalar::DateTime,
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
pub struct Organization(pub people::Organization);

/// A company or person: the operator, a provider, or a customer.
#[Object]
impl Organization {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// What it is.
    async fn kind(&self) -> OrganizationKind {
        self.0.kind.into()
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Its e-mail address; for the operator and its own members.
    async fn email(&self, ctx: &Context<'_>) -> Option<&str> {
        let actor = session(ctx).ok()?.actor();
        let inside = permission::sees_everybody(actor) || own(actor).contains(&self.0.id);
        self.0.email.as_deref().filter(|_| inside)
    }

    /// Its time zone, a name of the IANA database; days such as `expiresOn` are days there.
    async fn time_zone(&self) -> &str {
        &self.0.time_zone
    }

    /// Since when it is known.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// Somebody with an account.
#[derive(Clone, Debug)]
pub struct User(pub people::User);

/// Somebody with an account.
#[Object]
impl User {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The e-mail address; for the operator and the person.
    async fn email(&self, ctx: &Context<'_>) -> Option<&str> {
        let actor = session(ctx).ok()?.actor();
        let inside = permission::sees_everybody(actor) || actor.user() == Some(self.0.id);
        Some(self.0.email.as_str()).filter(|_| inside)
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
    ) -> Result<Connection<String, Organization, EmptyFields, EmptyFields>> {
        let actor = session(ctx)?.actor();
        let window = Args { first, after, last, before }.window(uuid)?;
        let own = (!permission::sees_everybody(actor)).then(|| own(actor));
        let app = ctx.data_unchecked::<App>();
        let rows = people::organization_page(&app.store, own.as_deref(), window.stretch()).await?;
        Ok(window.connection(rows, EmptyFields, |row| (cursor(&row.id.0.to_string()), Organization(row))))
    }
}

/// The organisations of one answer.
pub type Organizations = Arc<super::siblings::Siblings<people::Organization>>;
