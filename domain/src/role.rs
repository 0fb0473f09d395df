//! Who somebody is on one order: roles from memberships, and relations to the order itself.

use serde::{Deserialize, Serialize};

/// A role or relation that a workflow's `by` may name. Rights are the union over all that a person
/// holds *on that order*; see [`crate::permission`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything that staff may, and restore, purge, workflows, users, settings.
    Admin,
    /// Works for the operator; sees every order that is not deleted.
    Staff,
    /// Reads what staff reads, except secrets, and writes notes.
    Support,
    /// Customer service: staff work on orders assigned to them or to nobody.
    Csr,
    /// Owner of the organisation that provides the order.
    Provider,
    /// Manager of some of that provider's offerings.
    Manager,
    /// A provider's machine that carries out the work.
    Worker,
    /// Owner of the customer organisation: approves what its members order.
    Approver,
    /// Member of the customer organisation.
    Consumer,
    /// Delivers goods: sees only the orders assigned to them.
    Agent,
    /// The product itself: timers, payments, automatic transitions. Never a person.
    System,
    /// Relation: placed this order.
    Creator,
    /// Relation: the customer-service representative of this order.
    AssignedCsr,
    /// Relation: the delivery agent of this order.
    AssignedAgent,
}

impl Role {
    /// Every role and relation, in the order in which tables print them.
    pub const ALL: [Role; 14] = [
        Role::Admin,
        Role::Staff,
        Role::Support,
        Role::Csr,
        Role::Provider,
        Role::Manager,
        Role::Worker,
        Role::Approver,
        Role::Consumer,
        Role::Agent,
        Role::System,
        Role::Creator,
        Role::AssignedCsr,
        Role::AssignedAgent,
    ];

    /// The name used in workflow files, snapshots and `ordo token --as`.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Staff => "staff",
            Role::Support => "support",
            Role::Csr => "csr",
            Role::Provider => "provider",
            Role::Manager => "manager",
            Role::Worker => "worker",
            Role::Approver => "approver",
            Role::Consumer => "consumer",
            Role::Agent => "agent",
            Role::System => "system",
            Role::Creator => "creator",
            Role::AssignedCsr => "assigned_csr",
            Role::AssignedAgent => "assigned_agent",
        }
    }

    /// The role with this name.
    pub fn parse(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// A set of roles, two bytes wide.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleSet(u16);

impl RoleSet {
    /// Nobody.
    pub const EMPTY: RoleSet = RoleSet(0);

    /// The set of these roles.
    pub const fn of(roles: &[Role]) -> RoleSet {
        let mut bits = 0;
        let mut i = 0;
        while i < roles.len() {
            bits |= 1 << roles[i] as u16;
            i += 1;
        }
        RoleSet(bits)
    }

    /// Whether the role is in the set.
    pub const fn has(self, role: Role) -> bool {
        self.0 & (1 << role as u16) != 0
    }

    /// Whether both sets share a role.
    pub const fn meets(self, other: RoleSet) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether every role of this set is in the other.
    pub const fn within(self, other: RoleSet) -> bool {
        self.0 & !other.0 == 0
    }

    /// Both sets together.
    pub const fn union(self, other: RoleSet) -> RoleSet {
        RoleSet(self.0 | other.0)
    }

    /// What is in this set and not in the other.
    pub const fn minus(self, other: RoleSet) -> RoleSet {
        RoleSet(self.0 & !other.0)
    }

    /// Adds a role.
    pub fn insert(&mut self, role: Role) {
        self.0 |= 1 << role as u16;
    }

    /// Whether nobody is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The roles, in the order of [`Role::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.has(*role))
    }
}

impl std::fmt::Debug for RoleSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter().map(Role::name)).finish()
    }
}

impl FromIterator<Role> for RoleSet {
    fn from_iter<T: IntoIterator<Item = Role>>(roles: T) -> Self {
        let mut set = RoleSet::EMPTY;
        roles.into_iter().for_each(|role| set.insert(role));
        set
    }
}

impl Serialize for RoleSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for RoleSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Role>::deserialize(deserializer)?.into_iter().collect())
    }
}
