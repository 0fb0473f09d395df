//! People's accounts, as those see them who work with them or look after them.

use std::sync::Arc;

use async_graphql::{
    Context, ID, InputObject, Object, SimpleObject,
    connection::{Connection, EmptyFields},
};
use domain::{
    actor::Actor,
    id::OrganizationId,
    order::FreeText,
    permission::{Duty, OrganizationScope, colleagues, duty_scope, sees_everybody},
};
use uuid::Uuid;

use super::{User, membership::Membership};
use crate::{
    app::App,
    error::{self, Error},
    graphql::{
        account::AccountError,
        failure::Result,
        paging::{Args, Cursor, cost, parse_id, uuid},
        scalar::DateTime,
        viewer::{Session, session},
    },
    store::{
        Store,
        people::{account, membership},
    },
    usecase::people::{self as keeping, AccountWanted},
};

/// The fewest characters that are searched for.
const SHORTEST: usize = 2;
/// The most.
const LONGEST: usize = 100;

/// Somebody's account, with what they are where, as far as the viewer works there too.
#[derive(Clone, Debug)]
pub struct Account {
    row: Arc<account::Account>,
    memberships: Vec<Membership>,
    /// Whether the viewer is its person, or looks after it.
    kept: bool,
}

impl Account {
    /// Accounts as this viewer sees them, with their memberships: one statement more. Nobody asks as a person who
    /// has just made an account.
    pub async fn all(
        store: &Store,
        viewer: Option<&Actor>,
        rows: Vec<account::Account>,
    ) -> error::Result<Vec<Account>> {
        let users: Vec<_> = rows.iter().map(|row| row.user.id).collect();
        let mut memberships = Membership::all(membership::of_accounts(store, &users).await?);
        let each = rows.into_iter().map(|row| {
            let memberships = memberships.remove(&row.user.id).unwrap_or_default();
            Account::seen_by(viewer, row, memberships)
        });
        Ok(each.collect())
    }

    fn seen_by(viewer: Option<&Actor>, row: account::Account, mut memberships: Vec<Membership>) -> Account {
        let holds = |scope: &Option<OrganizationScope>, id: OrganizationId| {
            scope.as_ref().is_some_and(|scope| scope.holds(id))
        };
        let own = viewer.is_none_or(|viewer| viewer.user() == Some(row.user.id));
        let mut kept = own;
        if let Some(viewer) = viewer.filter(|_| !own) {
            let (there, keeper) = (colleagues(viewer), duty_scope(viewer, Duty::GiveMemberships));
            kept = sees_everybody(viewer) || memberships.iter().any(|it| holds(&keeper, it.at()));
            memberships.retain(|membership| holds(&there, membership.at()));
        }
        Account { row: Arc::new(row), memberships, kept }
    }

    /// What a use case came to: an account, or errors that were to be expected.
    pub async fn split(
        ctx: &Context<'_>,
        done: error::Result<account::Account>,
    ) -> Result<(Option<Account>, Vec<AccountError>)> {
        let (row, errors) = AccountError::split(done)?;
        let viewer = ctx.data_opt::<Session>().map(Session::actor);
        let rows = row.into_iter().collect();
        let account = Account::all(&ctx.data_unchecked::<App>().store, viewer, rows).await?.pop();
        Ok((account, errors))
    }
}

/// Somebody's account, with what they are where, as far as the viewer works there too.
#[Object]
impl Account {
    /// Who.
    async fn user(&self) -> User {
        User::told(self.row.user.clone(), self.kept)
    }

    /// What they are where: everything for the operator and the person, in the viewer's own organisations for
    /// others. The oldest first.
    async fn memberships(&self) -> &[Membership] {
        &self.memberships
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// Since when it opens nothing; for the operator and the owners of an organisation they are in.
    async fn disabled_at(&self) -> Option<DateTime> {
        self.row.disabled_at.filter(|_| self.kept).map(DateTime)
    }

    /// When its person was erased, for good.
    async fn erased_at(&self) -> Option<DateTime> {
        self.row.erased_at.map(DateTime)
    }
}

/// Conditions on accounts, which all hold.
#[derive(Clone, Debug, InputObject)]
pub struct UserWhereInput {
    /// In the name, and for the operator in the e-mail address: 2 to 100 characters.
    pub search: Option<String>,
    /// A member of this organisation.
    pub organization: Option<ID>,
    /// Disabled, or not; both if not given. Only those who look after accounts see disabled ones.
    pub disabled: Option<bool>,
}

/// Reading accounts.
#[derive(Debug, Default)]
pub struct AccountQuery;

#[Object]
impl AccountQuery {
    /// People's accounts, oldest first: all of them for the operator, those of one's own organisations for others.
    /// Machines are in `serviceTokens`.
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "one argument of the field each")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "where", desc = "Which.")] filter: Option<UserWhereInput>,
        #[graphql(desc = "The first so many, up to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Cursor<Uuid>, Account, EmptyFields, EmptyFields>> {
        let actor = session(ctx)?.actor();
        let wanted = wanted(actor, filter)?;
        let window = Args { first, after, last, before }.window(uuid)?;
        let store = &ctx.data_unchecked::<App>().store;
        let rows = account::page(store, &wanted, window.stretch()).await?;
        let accounts = Account::all(store, Some(actor), rows).await?;
        Ok(window.connection(accounts, EmptyFields, |account| (account.row.user.id.0, account)))
    }
}

/// What is looked for, within what the viewer sees.
fn wanted(actor: &Actor, filter: Option<UserWhereInput>) -> error::Result<account::Wanted> {
    let scope = colleagues(actor).ok_or(Error::Forbidden)?;
    let (search, organization, disabled) = match filter {
        Some(UserWhereInput { search, organization, disabled }) => (search, organization, disabled),
        None => (None, None, None),
    };
    let organization: Option<OrganizationId> =
        organization.map(|id| parse_id(&id, "where.organization")).transpose()?;
    let everybody = scope == OrganizationScope::Every;
    let keeper = everybody || duty_scope(actor, Duty::GiveMemberships).is_some();
    Ok(account::Wanted {
        among: match organization {
            Some(id) => OrganizationScope::Of(Some(id).filter(|id| scope.holds(*id)).into_iter().collect()),
            None => scope,
        },
        search: search.map(|text| searched(&text)).transpose()?,
        search_addresses: everybody,
        disabled: if keeper { disabled } else { Some(false) },
    })
}

fn searched(text: &str) -> error::Result<String> {
    let text = FreeText { path: "where.search", most: LONGEST }.optional(Some(text));
    let text = text.map_err(|refusal| Error::bad_input("where.search", refusal.to_string()))?;
    let long = text.filter(|text| text.chars().count() >= SHORTEST);
    long.ok_or_else(|| Error::bad_input("where.search", "a search has 2 to 100 characters"))
}

/// Makes or changes an account. What is not given stays as it is.
#[derive(Clone, Debug, InputObject)]
pub struct UserSaveInput {
    /// Whose; a new account if not given.
    pub user: Option<ID>,
    /// The e-mail address; for new accounts, and for them alone.
    pub email: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// Whether it opens nothing: its sessions end, and its streams.
    pub disabled: Option<bool>,
}

/// An account that was made or changed.
#[derive(Clone, Debug, SimpleObject)]
pub struct UserSavePayload {
    /// The account; null when it was refused.
    account: Option<Account>,
    /// Why it was refused; empty on success.
    errors: Vec<AccountError>,
}

/// Erases a person.
#[derive(Clone, Debug, InputObject)]
pub struct UserEraseInput {
    /// Who.
    pub user: ID,
    /// The account's e-mail address, typed again.
    pub confirm: String,
}

/// A person who was erased.
#[derive(Clone, Debug, SimpleObject)]
pub struct UserErasePayload {
    /// What is left of the account; null when it was refused.
    account: Option<Account>,
    /// Why it was refused; empty on success.
    errors: Vec<AccountError>,
}

/// Making, changing and erasing accounts.
#[derive(Debug, Default)]
pub struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Makes an account without a password, or changes one; for administrators. `passwordResetToken` gives it a
    /// first password, `membershipSet` something to do.
    async fn user_save(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] input: UserSaveInput,
    ) -> Result<UserSavePayload> {
        let actor = session(ctx)?.actor();
        let UserSaveInput { user, email, name, disabled } = input;
        let user = user.map(|id| parse_id(&id, "input.user")).transpose()?;
        let wanted = AccountWanted { user, email, name, disabled };
        let done = keeping::save_account(ctx.data_unchecked::<App>(), actor, wanted).await;
        let (account, errors) = Account::split(ctx, done).await?;
        Ok(UserSavePayload { account, errors })
    }

    /// Makes a person unreadable, for good; for administrators. Name and e-mail address go, and whatever they could
    /// get in with, and contact, addresses, note and network address of the orders that they placed as a buyer.
    /// Orders, amounts and events stay, as those of an erased user.
    async fn user_erase(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, confirmed.")] input: UserEraseInput,
    ) -> Result<UserErasePayload> {
        let actor = session(ctx)?.actor();
        let user = parse_id(&input.user, "input.user")?;
        let done = keeping::erase(ctx.data_unchecked::<App>(), actor, user, &input.confirm).await;
        let (account, errors) = Account::split(ctx, done).await?;
        Ok(UserErasePayload { account, errors })
    }
}
