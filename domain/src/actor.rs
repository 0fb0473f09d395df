//! Who asks, and which orders that person's memberships reach.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    id::{OrganizationId, ProductId, UserId},
    permission,
    role::{Role, RoleSet},
};

/// A person's role in one organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Where.
    pub organization: OrganizationId,
    /// As what.
    pub role: Role,
    /// Offerings that a manager or worker is narrowed to. A worker without any works for all of
    /// its provider's; a manager without any manages none.
    pub offerings: Vec<ProductId>,
}

/// Somebody with an account, or the product itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// In-process work: timers, payment events, automatic transitions.
    System,
    /// An authenticated person or machine.
    User(Person),
}

/// An authenticated person or machine with its memberships.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The account.
    pub id: UserId,
    /// What it is a member of.
    pub memberships: Vec<Membership>,
    /// The only actions that it may take, for a service token: it writes nothing else.
    pub only: Option<Arc<BTreeSet<String>>>,
}

/// What somebody may do on one order: roles open rows of its workflow, a service token's actions narrow
/// them.
#[derive(Clone, Copy, Debug)]
pub struct Rights<'a> {
    /// The roles and relations held on the order.
    pub standing: RoleSet,
    /// The only actions that may be taken; any if none.
    pub only: Option<&'a BTreeSet<String>>,
}

impl Rights<'_> {
    /// Whether these rights open an action to whoever is in `by`.
    pub fn open(self, action: &str, by: RoleSet) -> bool {
        permission::covers(by, self.standing) && self.only.is_none_or(|only| only.contains(action))
    }
}

/// The columns of an order that decide who is who on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parties {
    /// Who provides it.
    pub provider: OrganizationId,
    /// The product that all lines share; an order of several products has none, and belongs to the
    /// provider's owner and workers alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offering: Option<ProductId>,
    /// Who buys.
    pub customer: OrganizationId,
    /// The person who placed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator: Option<UserId>,
    /// The customer-service representative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csr: Option<UserId>,
    /// The delivery agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<UserId>,
}

/// A set of orders that a membership reaches. Each is one indexed condition in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Every order.
    Everything,
    /// Orders of this provider.
    Provider(OrganizationId),
    /// Orders of one offering of this provider.
    Offering(OrganizationId, ProductId),
    /// Orders of this customer.
    Customer(OrganizationId),
    /// Orders of this customer that this person placed.
    Created(OrganizationId, UserId),
    /// Orders assigned to this representative.
    Csr(UserId),
    /// Orders assigned to no representative.
    Unassigned,
    /// Orders assigned to this delivery agent.
    Agent(UserId),
}

impl Reach {
    /// Whether an order with these parties is in the set.
    pub fn holds(self, parties: &Parties) -> bool {
        match self {
            Reach::Everything => true,
            Reach::Provider(provider) => parties.provider == provider,
            Reach::Offering(provider, offering) => {
                parties.provider == provider && parties.offering == Some(offering)
            }
            Reach::Customer(customer) => parties.customer == customer,
            Reach::Created(customer, user) => parties.customer == customer && parties.creator == Some(user),
            Reach::Csr(user) => parties.csr == Some(user),
            Reach::Unassigned => parties.csr.is_none(),
            Reach::Agent(user) => parties.agent == Some(user),
        }
    }

    /// Every set that an order with these parties is in.
    pub fn of(parties: &Parties) -> impl Iterator<Item = Reach> + use<> {
        let Parties { provider, offering, customer, creator, csr, agent } = *parties;
        let always = [Reach::Everything, Reach::Provider(provider), Reach::Customer(customer)];
        let sometimes = [
            offering.map(|offering| Reach::Offering(provider, offering)),
            creator.map(|creator| Reach::Created(customer, creator)),
            Some(csr.map_or(Reach::Unassigned, Reach::Csr)),
            agent.map(Reach::Agent),
        ];
        always.into_iter().chain(sometimes.into_iter().flatten())
    }

    /// Whether the set is somebody's own: two people with the same roles have different ones.
    pub const fn is_personal(self) -> bool {
        match self {
            Reach::Created(..) | Reach::Csr(_) | Reach::Agent(_) => true,
            Reach::Everything
            | Reach::Provider(_)
            | Reach::Offering(..)
            | Reach::Customer(_)
            | Reach::Unassigned => false,
        }
    }
}

/// One reach, and the roles held on every order in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// Which orders.
    pub reach: Reach,
    /// As what.
    pub roles: RoleSet,
}

impl Actor {
    /// The account behind the actor, none for the system.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Actor::System => None,
            Actor::User(person) => Some(person.id),
        }
    }

    /// All that the actor's memberships reach: the one source of both read scope and write rights.
    pub fn grants(&self) -> Vec<Grant> {
        match self {
            Actor::System => vec![Grant { reach: Reach::Everything, roles: RoleSet::of(&[Role::System]) }],
            Actor::User(person) => person
                .memberships
                .iter()
                .flat_map(|membership| permission::grants(person.id, membership))
                .collect(),
        }
    }

    /// The actor's roles and relations on an order, empty when the order does not exist for them. A
    /// deleted order exists for staff and administrators alone.
    pub fn standing(&self, parties: &Parties, deleted: bool) -> RoleSet {
        standing(&self.grants(), self.user(), parties, deleted)
    }

    /// The only actions that the actor may take; any if none.
    pub fn only(&self) -> Option<&BTreeSet<String>> {
        match self {
            Actor::System => None,
            Actor::User(person) => person.only.as_deref(),
        }
    }

    /// The actor's standing on an order, and what narrows it.
    pub fn rights(&self, parties: &Parties, deleted: bool) -> Rights<'_> {
        Rights { standing: self.standing(parties, deleted), only: self.only() }
    }

    /// The roles the actor holds anywhere, for what concerns no single order.
    pub fn roles(&self) -> RoleSet {
        self.grants().into_iter().fold(RoleSet::EMPTY, |roles, grant| roles.union(grant.roles))
    }

    /// Whether the actor holds one of these roles in this organisation.
    pub fn is_member(&self, organization: OrganizationId, roles: RoleSet) -> bool {
        match self {
            Actor::System => false,
            Actor::User(person) => {
                person.memberships.iter().any(|m| m.organization == organization && roles.has(m.role))
            }
        }
    }
}

/// [`Actor::standing`] over grants that were computed before, for lists.
pub fn standing(grants: &[Grant], user: Option<UserId>, parties: &Parties, deleted: bool) -> RoleSet {
    let mut roles = grants
        .iter()
        .filter(|grant| grant.reach.holds(parties))
        .fold(RoleSet::EMPTY, |roles, grant| roles.union(grant.roles));
    if deleted && !roles.meets(permission::SEES_DELETED) {
        return RoleSet::EMPTY;
    }
    if !roles.is_empty() && user.is_some() && parties.creator == user {
        roles.insert(Role::Creator);
    }
    roles
}
