//! Who is what in which organisation: the roles that a kind of organisation has, who its owners are, and what a
//! change of somebody's rights is. Who may make one stands in [`crate::permission::Duty`].

use serde::{Deserialize, Serialize};

use crate::{
    actor::Membership,
    id::{OrganizationId, ProductId},
    order::{FreeText, limits},
    refusal::Refusal,
    role::{Role, RoleSet},
};

/// The most organisations that one account is a member of.
pub const MOST_MEMBERSHIPS: usize = 100;
/// The most offerings that one membership names.
pub const MOST_OFFERINGS: usize = 100;

/// What an organisation is to the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

impl OrganizationKind {
    /// All of them.
    pub const ALL: [OrganizationKind; 4] = [
        OrganizationKind::Operator,
        OrganizationKind::Provider,
        OrganizationKind::Company,
        OrganizationKind::Person,
    ];

    /// The name in the database and the API.
    pub const fn name(self) -> &'static str {
        match self {
            OrganizationKind::Operator => "OPERATOR",
            OrganizationKind::Provider => "PROVIDER",
            OrganizationKind::Company => "COMPANY",
            OrganizationKind::Person => "PERSON",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<OrganizationKind> {
        OrganizationKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The roles that people have there. A worker is a machine: it is made with its service token.
    pub const fn roles(self) -> RoleSet {
        match self {
            OrganizationKind::Operator => {
                RoleSet::of(&[Role::Admin, Role::Staff, Role::Support, Role::Csr, Role::Agent])
            }
            OrganizationKind::Provider => RoleSet::of(&[Role::Provider, Role::Manager]),
            OrganizationKind::Company | OrganizationKind::Person => {
                RoleSet::of(&[Role::Approver, Role::Consumer])
            }
        }
    }

    /// The role of its owners, above which there is none.
    pub const fn owner(self) -> Role {
        match self {
            OrganizationKind::Operator => Role::Admin,
            OrganizationKind::Provider => Role::Provider,
            OrganizationKind::Company | OrganizationKind::Person => Role::Approver,
        }
    }
}

/// What somebody is in one organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// As what.
    pub role: Role,
    /// The offerings that a manager is narrowed to; one without any manages none.
    pub offerings: Vec<ProductId>,
}

impl From<&Membership> for Seat {
    fn from(membership: &Membership) -> Seat {
        Seat { role: membership.role, offerings: membership.offerings.clone() }
    }
}

/// A seat as it may be given in an organisation of this kind, each offering once.
///
/// # Errors
/// VALIDATION: a role that this kind of organisation has not; offerings for anybody but managers, or too many.
pub fn seat(kind: OrganizationKind, role: Role, mut offerings: Vec<ProductId>) -> Result<Seat, Refusal> {
    if !kind.roles().has(role) {
        let known: Vec<&str> = kind.roles().iter().map(Role::name).collect();
        let message = format!("people there are one of: {}", known.join(", "));
        return Err(Refusal::invalid("role", message));
    }
    offerings.sort();
    offerings.dedup();
    if !offerings.is_empty() && role != Role::Manager {
        return Err(Refusal::invalid("offerings", "offerings are for managers alone"));
    }
    if offerings.len() > MOST_OFFERINGS {
        return Err(Refusal::invalid("offerings", format!("at most {MOST_OFFERINGS} are allowed")));
    }
    Ok(Seat { role, offerings })
}

/// Whether an owner may stop being one, with so many others there: an organisation is never left without.
///
/// # Errors
/// LAST_ADMIN for the operator's, LAST_OWNER for any other.
pub fn step_down(kind: OrganizationKind, organization: OrganizationId, others: usize) -> Result<(), Refusal> {
    match (others, kind) {
        (0, OrganizationKind::Operator) => Err(Refusal::LastAdmin),
        (0, _) => Err(Refusal::LastOwner { organization, role: kind.owner() }),
        _ => Ok(()),
    }
}

/// An e-mail address as new ones are stored: trimmed, in lower case.
///
/// # Errors
/// VALIDATION when it cannot be one. Whether it exists, only a mail to it would tell.
pub fn address(path: &'static str, text: &str) -> Result<String, Refusal> {
    let address = FreeText { path, most: limits::NAME }.required(text)?.to_lowercase();
    let whole =
        |(name, domain): (&str, &str)| !name.is_empty() && !domain.is_empty() && !domain.contains('@');
    if address.contains(char::is_whitespace) || !address.split_once('@').is_some_and(whole) {
        return Err(Refusal::invalid(path, "an e-mail address is a name, an @ and a domain"));
    }
    Ok(address)
}

/// How somebody's rights changed, as the log keeps it for the audit: ids alone, so that a person can be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RightsChange {
    /// In an organisation: nothing before is a new membership, nothing after an end of one.
    Membership {
        /// Where.
        organization: OrganizationId,
        /// What it was.
        before: Option<Seat>,
        /// What it became.
        after: Option<Seat>,
    },
    /// The account was disabled.
    Disabled,
    /// The account was enabled again.
    Enabled,
    /// The person was erased.
    Erased,
}

/// What the log holds of a change besides its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RightsDetail {
    /// Where, for a membership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationId>,
    /// What it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Seat>,
    /// What it became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Seat>,
}

impl RightsChange {
    /// The name in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            RightsChange::Membership { before: None, .. } => "MEMBERSHIP_ADDED",
            RightsChange::Membership { after: None, .. } => "MEMBERSHIP_REMOVED",
            RightsChange::Membership { .. } => "MEMBERSHIP_CHANGED",
            RightsChange::Disabled => "DISABLED",
            RightsChange::Enabled => "ENABLED",
            RightsChange::Erased => "ERASED",
        }
    }

    /// What the log holds of it.
    pub fn detail(&self) -> RightsDetail {
        match self.clone() {
            RightsChange::Membership { organization, before, after } => {
                RightsDetail { organization: Some(organization), before, after }
            }
            RightsChange::Disabled | RightsChange::Enabled | RightsChange::Erased => RightsDetail::default(),
        }
    }

    /// The change of this name; none for a name of a newer version of this program.
    pub fn read(name: &str, detail: RightsDetail) -> Option<RightsChange> {
        let RightsDetail { organization, before, after } = detail;
        match name {
            "DISABLED" => Some(RightsChange::Disabled),
            "ENABLED" => Some(RightsChange::Enabled),
            "ERASED" => Some(RightsChange::Erased),
            _ => Some(RightsChange::Membership { organization: organization?, before, after }),
        }
    }
}
