//! Who changed whose rights.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Context, Enum, ID, Object, SimpleObject,
    connection::{Connection, EmptyFields},
};
use domain::{
    id::UserId,
    people::{self as rules, Seat},
    permission::Duty,
};
use uuid::Uuid;

use super::{
    Organization, Organizations, User,
    membership::{MembershipRole, offerings},
};
use crate::{
    app::App,
    error,
    graphql::{
        failure::{Failure, Result},
        paging::{Args, Cursor, cost, parse_id, uuid},
        scalar::DateTime,
        siblings::{Named, Siblings},
        viewer::session,
    },
    store::people::{self, rights},
    usecase::people as keeping,
};

/// How somebody's rights changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum RightsChangeKind {
    /// They became a member of an organisation.
    MembershipAdded,
    /// They are something else in an organisation.
    MembershipChanged,
    /// They are a member no more.
    MembershipRemoved,
    /// The account was disabled.
    Disabled,
    /// The account was enabled again.
    Enabled,
    /// The person was erased.
    Erased,
}

/// What somebody is, or was, in an organisation.
#[derive(Clone, Debug, SimpleObject)]
pub struct RightsChangeSeat {
    /// As what.
    role: MembershipRole,
    /// The offerings that a manager or worker is narrowed to.
    offerings: Vec<ID>,
}

impl RightsChangeSeat {
    fn of(seat: &Seat) -> error::Result<RightsChangeSeat> {
        Ok(RightsChangeSeat { role: MembershipRole::of(seat.role)?, offerings: offerings(seat) })
    }
}

/// A change of somebody's rights.
#[derive(Clone, Debug)]
pub struct RightsChange {
    row: Arc<rights::Changed>,
    organizations: Organizations,
    people: Arc<Siblings<people::User>>,
}

impl RightsChange {
    /// The changes of one answer.
    fn all(rows: Vec<rights::Changed>) -> Vec<RightsChange> {
        let mentioned = rows.iter().filter_map(|row| row.change.detail().organization);
        let organizations = Named::new(mentioned, HashMap::new());
        let people = rows.iter().flat_map(|row| row.by.into_iter().chain([row.user]));
        let people = Arc::new(Siblings::new(people));
        let change = |row| RightsChange {
            row: Arc::new(row),
            organizations: organizations.clone(),
            people: people.clone(),
        };
        rows.into_iter().map(change).collect()
    }

    async fn person(&self, ctx: &Context<'_>, id: UserId) -> Option<Result<User>> {
        let found = self.people.get(&ctx.data_unchecked::<App>().store, id).await;
        found.map(|user| user.map(User::from)).map_err(Failure::from).transpose()
    }
}

/// A change of somebody's rights.
#[Object]
impl RightsChange {
    /// The event's id.
    async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// How.
    async fn kind(&self) -> RightsChangeKind {
        match &self.row.change {
            rules::RightsChange::Membership { before: None, .. } => RightsChangeKind::MembershipAdded,
            rules::RightsChange::Membership { after: None, .. } => RightsChangeKind::MembershipRemoved,
            rules::RightsChange::Membership { .. } => RightsChangeKind::MembershipChanged,
            rules::RightsChange::Disabled => RightsChangeKind::Disabled,
            rules::RightsChange::Enabled => RightsChangeKind::Enabled,
            rules::RightsChange::Erased => RightsChangeKind::Erased,
        }
    }

    /// Whose.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        self.person(ctx, self.row.user).await
    }

    /// Who changed them; null for the program itself. For an invitation, whoever invited.
    async fn actor(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        self.person(ctx, self.row.by?).await
    }

    /// Where; null for the whole account.
    async fn organization(&self) -> Option<Organization> {
        let id = self.row.change.detail().organization?;
        Some(Organization::among(&self.organizations, id))
    }

    /// What they were there; null when they became a member.
    async fn before(&self) -> Option<Result<RightsChangeSeat>> {
        let seat = self.row.change.detail().before?;
        Some(RightsChangeSeat::of(&seat).map_err(Failure::from))
    }

    /// What they became there; null when they are a member no more.
    async fn after(&self) -> Option<Result<RightsChangeSeat>> {
        let seat = self.row.change.detail().after?;
        Some(RightsChangeSeat::of(&seat).map_err(Failure::from))
    }

    /// When.
    async fn at(&self) -> DateTime {
        DateTime(self.row.at)
    }
}

/// Reading who changed whose rights.
#[derive(Debug, Default)]
pub struct RightsQuery;

#[Object]
impl RightsQuery {
    /// Who changed whose rights, oldest first: everything for administrators, what happened in an organisation for
    /// its owners.
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "one argument of the field each")]
    async fn rights_changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In this organisation.")] organization: Option<ID>,
        #[graphql(desc = "Of this account.")] user: Option<ID>,
        #[graphql(desc = "The first so many, up to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Cursor<Uuid>, RightsChange, EmptyFields, EmptyFields>> {
        let scope = keeping::scope(session(ctx)?.actor(), Duty::ReadRightsHistory)?;
        let organization = organization.map(|id| parse_id(&id, "organization")).transpose()?;
        let user = user.map(|id| parse_id(&id, "user")).transpose()?;
        let window = Args { first, after, last, before }.window(uuid)?;
        let store = &ctx.data_unchecked::<App>().store;
        let rows = rights::page(store, &scope, organization, user, window.stretch()).await?;
        Ok(window.connection(RightsChange::all(rows), EmptyFields, |it| (it.row.id.0, it)))
    }
}
