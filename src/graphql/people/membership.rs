//! What somebody is in an organisation.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use domain::{
    id::{OrganizationId, UserId},
    people::Seat,
    role::Role,
};

use super::{Organization, Organizations, account::Account};
use crate::{
    app::App,
    error::{self, Error},
    graphql::{
        account::AccountError, failure::Result, paging::parse_id, scalar::DateTime, siblings::Named,
        viewer::session,
    },
    store::people::membership::Seated,
    usecase::people::{self as keeping, MembershipWanted},
};

/// A role in an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum MembershipRole {
    /// In the operator: everything that staff may, and people, workflows, settings.
    Admin,
    /// In the operator: works on every order.
    Staff,
    /// In the operator: reads what staff reads, except secrets.
    Support,
    /// In the operator: works on orders assigned to them, or to nobody.
    Csr,
    /// In the operator: delivers the orders assigned to them.
    Agent,
    /// In a provider: its owner.
    Provider,
    /// In a provider: works on the orders of some offerings.
    Manager,
    /// In a provider: a machine, made with its service token.
    Worker,
    /// In a customer: its owner, who approves what its members order.
    Approver,
    /// In a customer: orders, and sees their own orders.
    Consumer,
}

/// Each with the role it is.
const ROLES: [(MembershipRole, Role); 10] = [
    (MembershipRole::Admin, Role::Admin),
    (MembershipRole::Staff, Role::Staff),
    (MembershipRole::Support, Role::Support),
    (MembershipRole::Csr, Role::Csr),
    (MembershipRole::Agent, Role::Agent),
    (MembershipRole::Provider, Role::Provider),
    (MembershipRole::Manager, Role::Manager),
    (MembershipRole::Worker, Role::Worker),
    (MembershipRole::Approver, Role::Approver),
    (MembershipRole::Consumer, Role::Consumer),
];

impl MembershipRole {
    /// A role that a membership has; the others are nobody's to hold.
    pub fn of(role: Role) -> error::Result<MembershipRole> {
        let found = ROLES.iter().find(|(_, known)| *known == role);
        found.map(|(shown, _)| *shown).ok_or_else(|| Error::internal(format!("a membership as {role:?}")))
    }
}

impl From<MembershipRole> for Role {
    fn from(shown: MembershipRole) -> Role {
        ROLES.iter().find(|(known, _)| *known == shown).map_or(Role::Consumer, |(_, role)| *role)
    }
}

/// What somebody is in an organisation.
#[derive(Clone, Debug)]
pub struct Membership {
    seated: Seated,
    organizations: Organizations,
}

impl Membership {
    /// The memberships of one answer, by account.
    pub fn all(seats: HashMap<UserId, Vec<Seated>>) -> HashMap<UserId, Vec<Membership>> {
        let mentioned = seats.values().flatten().map(|seated| seated.organization);
        let organizations = Named::new(mentioned.collect::<Vec<_>>(), HashMap::new());
        let each = |seated| Membership { seated, organizations: Arc::clone(&organizations) };
        seats.into_iter().map(|(user, seats)| (user, seats.into_iter().map(each).collect())).collect()
    }

    /// Where.
    pub fn at(&self) -> OrganizationId {
        self.seated.organization
    }
}

/// What somebody is in an organisation.
#[Object]
impl Membership {
    /// Where.
    async fn organization(&self) -> Organization {
        Organization::among(&self.organizations, self.seated.organization)
    }

    /// As what.
    async fn role(&self) -> Result<MembershipRole> {
        Ok(MembershipRole::of(self.seated.seat.role)?)
    }

    /// The offerings that a manager or worker is narrowed to; none for the others.
    async fn offerings(&self) -> Vec<ID> {
        offerings(&self.seated.seat)
    }

    /// Since when.
    async fn since(&self) -> DateTime {
        DateTime(self.seated.since)
    }
}

/// The offerings of a seat, as ids.
pub fn offerings(seat: &Seat) -> Vec<ID> {
    seat.offerings.iter().map(|id| id.to_string().into()).collect()
}

/// Reads the ids of offerings.
///
/// # Errors
/// BAD_USER_INPUT.
pub fn parse_offerings<T>(ids: Option<Vec<ID>>) -> error::Result<Vec<T>>
where
    T: std::str::FromStr<Err = domain::id::IdError>,
{
    ids.unwrap_or_default().iter().map(|id| parse_id(id, "input.offerings")).collect()
}

/// Says what somebody is in an organisation.
#[derive(Clone, Debug, InputObject)]
pub struct MembershipSetInput {
    /// Who. To an organisation's owner only its members are there: others are invited.
    pub user: ID,
    /// Where.
    pub organization: ID,
    /// As what, from now on; whatever else the account was there ends.
    pub role: MembershipRole,
    /// The offerings that a manager is narrowed to, at most 100; without any, a manager manages none.
    pub offerings: Option<Vec<ID>>,
}

/// Says what somebody is in an organisation.
#[derive(Clone, Debug, SimpleObject)]
pub struct MembershipSetPayload {
    /// The account; null when it was refused.
    account: Option<Account>,
    /// Why it was refused; empty on success.
    errors: Vec<AccountError>,
}

/// Ends what somebody is in an organisation.
#[derive(Clone, Debug, InputObject)]
pub struct MembershipRemoveInput {
    /// Who.
    pub user: ID,
    /// Where.
    pub organization: ID,
}

/// Ends what somebody is in an organisation.
#[derive(Clone, Debug, SimpleObject)]
pub struct MembershipRemovePayload {
    /// The account; null when it was refused.
    account: Option<Account>,
    /// Why it was refused; empty on success.
    errors: Vec<AccountError>,
}

/// Saying who is what where.
#[derive(Debug, Default)]
pub struct MembershipMutation;

#[Object]
impl MembershipMutation {
    /// Makes this all that somebody is in an organisation; for administrators, and for its owners. Rights and
    /// streams follow at once. An organisation is never left without an owner.
    async fn membership_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is to be what.")] input: MembershipSetInput,
    ) -> Result<MembershipSetPayload> {
        let actor = session(ctx)?.actor();
        let wanted = MembershipWanted {
            user: parse_id(&input.user, "input.user")?,
            organization: parse_id(&input.organization, "input.organization")?,
            role: input.role.into(),
            offerings: parse_offerings(input.offerings)?,
        };
        let done = keeping::set_membership(ctx.data_unchecked::<App>(), actor, wanted).await;
        let (account, errors) = Account::split(ctx, done).await?;
        Ok(MembershipSetPayload { account, errors })
    }

    /// Ends all that somebody is in an organisation; for administrators, and for its owners. Orders that are
    /// assigned to them stay so, out of their reach. An organisation is never left without an owner.
    async fn membership_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and where.")] input: MembershipRemoveInput,
    ) -> Result<MembershipRemovePayload> {
        let actor = session(ctx)?.actor();
        let user = parse_id(&input.user, "input.user")?;
        let organization = parse_id(&input.organization, "input.organization")?;
        let app = ctx.data_unchecked::<App>();
        let done = keeping::remove_membership(app, actor, (user, organization)).await;
        let (account, errors) = Account::split(ctx, done).await?;
        Ok(MembershipRemovePayload { account, errors })
    }
}
