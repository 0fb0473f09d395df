//! The tokens of machines.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use async_graphql::{
    Context, ID, InputObject, Object, SimpleObject,
    connection::{Connection, EmptyFields},
};
use domain::{
    actor::Actor,
    id::{ServiceTokenId, UserId},
    permission::{OrganizationScope, token_scope},
};
use uuid::Uuid;

use super::{AccountError, Hidden};
use crate::{
    app::App,
    error,
    graphql::{
        failure::{Failure, Result},
        paging::{Args, Cursor, cost, parse_id, uuid},
        people::{Organization, Organizations, User},
        scalar::DateTime,
        siblings::{Named, Siblings},
        viewer::session,
    },
    store::{Store, people, service_token},
    usecase::service_token::{self as tokens, Wanted},
};

/// The token of a machine that works for a provider: it sees what workers see, takes the actions it names,
/// and writes nothing else. Its text was told once, when it was made.
#[derive(Clone, Debug)]
pub struct ServiceToken {
    token: Arc<service_token::ServiceToken>,
    organizations: Organizations,
    people: Arc<Siblings<people::User>>,
}

impl ServiceToken {
    /// The tokens of one answer.
    fn all(rows: Vec<service_token::ServiceToken>) -> Vec<ServiceToken> {
        let organizations = Named::new(rows.iter().map(|row| row.organization), HashMap::new());
        let people = Arc::new(Siblings::new(rows.iter().map(|row| row.created_by)));
        let token = |row| ServiceToken {
            token: Arc::new(row),
            organizations: organizations.clone(),
            people: people.clone(),
        };
        rows.into_iter().map(token).collect()
    }

    /// Those of the tokens that somebody looks after.
    ///
    /// # Errors
    /// The database's.
    pub async fn by_ids(
        store: &Store,
        actor: &Actor,
        ids: &[ServiceTokenId],
    ) -> error::Result<HashMap<ServiceTokenId, ServiceToken>> {
        let scope = token_scope(actor).unwrap_or(OrganizationScope::Of(Vec::new()));
        let rows = service_token::by_ids(store, &scope, ids).await?;
        let all = ServiceToken::all(rows.into_values().collect());
        Ok(all.into_iter().map(|token| (token.token.id, token)).collect())
    }

    /// A token alone.
    fn single(row: service_token::ServiceToken) -> Option<ServiceToken> {
        ServiceToken::all(vec![row]).pop()
    }

    async fn person(&self, ctx: &Context<'_>, id: UserId) -> Option<Result<User>> {
        let found = self.people.get(&ctx.data_unchecked::<App>().store, id).await;
        found.map(|user| user.map(User::from)).map_err(Failure::from).transpose()
    }
}

/// The token of a machine that works for a provider: it sees what workers see, takes the actions it names,
/// and writes nothing else. Its text was told once, when it was made.
#[Object]
impl ServiceToken {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.token.id.to_string().into()
    }

    /// What it is for.
    async fn name(&self) -> &str {
        &self.token.name
    }

    /// The provider it works for.
    async fn organization(&self) -> Organization {
        Organization::among(&self.organizations, self.token.organization)
    }

    /// The offerings it is narrowed to; none for all of the provider's.
    async fn offerings(&self) -> Vec<ID> {
        self.token.offerings.iter().map(|id| id.to_string().into()).collect()
    }

    /// The actions it may take; none if it only reads.
    async fn actions(&self) -> &BTreeSet<String> {
        &self.token.actions
    }

    /// Who made it.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        self.person(ctx, self.token.created_by).await
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.token.created_at)
    }

    /// When it ends; null for never.
    async fn expires_at(&self) -> Option<DateTime> {
        self.token.expires_at.map(DateTime)
    }

    /// When it was revoked.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.token.revoked_at.map(DateTime)
    }
}

/// Makes a service token.
#[derive(Clone, Debug, InputObject)]
pub struct ServiceTokenCreateInput {
    /// What it is for.
    pub name: String,
    /// The provider it works for.
    pub organization: ID,
    /// The offerings it is narrowed to, at most 100; all of the provider's if not given.
    pub offerings: Option<Vec<ID>>,
    /// The actions it may take, at most 100, as in `WorkflowTransition.action`; none to read only.
    pub actions: Vec<String>,
    /// When it ends; never if not given.
    pub expires_at: Option<DateTime>,
}

/// A service token that was made.
#[derive(Clone, Debug, SimpleObject)]
pub struct ServiceTokenCreatePayload {
    /// The token; null when it was refused.
    service_token: Option<ServiceToken>,
    /// Its text, a secret, for `Authorization: Bearer`. It is told this once; null when it was refused.
    token: Option<Hidden>,
    /// Why it was refused; empty on success.
    errors: Vec<AccountError>,
}

/// Revokes a service token.
#[derive(Clone, Debug, InputObject)]
pub struct ServiceTokenRevokeInput {
    /// The token's id.
    pub service_token: ID,
}

/// A service token that was revoked.
#[derive(Clone, Debug, SimpleObject)]
pub struct ServiceTokenRevokePayload {
    /// The token; null when it was refused.
    service_token: Option<ServiceToken>,
    /// Why it was refused; empty on success.
    errors: Vec<AccountError>,
}

/// Making and revoking the tokens of machines.
#[derive(Debug, Default)]
pub struct ServiceTokenMutation;

#[Object]
impl ServiceTokenMutation {
    /// Makes a service token; for administrators, and for a provider's owner.
    async fn service_token_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] input: ServiceTokenCreateInput,
    ) -> Result<ServiceTokenCreatePayload> {
        let actor = session(ctx)?.actor();
        let offerings = input.offerings.unwrap_or_default();
        let offerings = offerings.iter().map(|id| parse_id(id, "input.offerings"));
        let wanted = Wanted {
            name: input.name,
            organization: parse_id(&input.organization, "input.organization")?,
            offerings: offerings.collect::<error::Result<_>>()?,
            actions: input.actions,
            expires_at: input.expires_at.map(|at| at.0),
        };
        let made = tokens::create(ctx.data_unchecked::<App>(), actor, wanted).await;
        let (made, errors) = AccountError::split(made)?;
        let (row, text) = made.unzip();
        let service_token = row.and_then(ServiceToken::single);
        Ok(ServiceTokenCreatePayload { service_token, token: text.map(Hidden), errors })
    }

    /// Revokes a service token: it opens nothing from the next request on, and its streams end.
    async fn service_token_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: ServiceTokenRevokeInput,
    ) -> Result<ServiceTokenRevokePayload> {
        let actor = session(ctx)?.actor();
        let id: ServiceTokenId = parse_id(&input.service_token, "input.serviceToken")?;
        let revoked = tokens::revoke(ctx.data_unchecked::<App>(), actor, id).await;
        let (row, errors) = AccountError::split(revoked)?;
        Ok(ServiceTokenRevokePayload { service_token: row.and_then(ServiceToken::single), errors })
    }
}

/// Reading the tokens of machines.
#[derive(Debug, Default)]
pub struct ServiceTokenQuery;

#[Object]
impl ServiceTokenQuery {
    /// Service tokens, oldest first, revoked ones too: all of them for administrators, a provider's own for
    /// its owner.
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "one argument of the field each")]
    async fn service_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of this provider.")] organization: Option<ID>,
        #[graphql(desc = "The first so many, up to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Cursor<Uuid>, ServiceToken, EmptyFields, EmptyFields>> {
        let scope = tokens::scope(session(ctx)?.actor())?;
        let organization = organization.map(|id| parse_id(&id, "organization")).transpose()?;
        let window = Args { first, after, last, before }.window(uuid)?;
        let app = ctx.data_unchecked::<App>();
        let rows = service_token::page(&app.store, &scope, organization, window.stretch()).await?;
        Ok(window.connection(ServiceToken::all(rows), EmptyFields, |token| (token.token.id.0, token)))
    }
}
