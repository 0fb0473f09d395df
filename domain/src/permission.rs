//! The policy table: what each membership reaches, what each role may do at most, what it sees.
//!
//! Reads take their scope from here, writes their rights. A workflow's `by` only narrows the
//! ceilings; a definition that reaches beyond them is refused when it is saved.

use crate::{
    actor::{Actor, Grant, Membership, Reach},
    event::Audience,
    id::{OrganizationId, UserId},
    role::{Role, RoleSet},
    workflow::Effect,
};

use Role::{
    Admin, Agent, Approver, AssignedAgent, AssignedCsr, Consumer, Csr, Manager, Provider, Staff, Support,
    System, Worker,
};

/// Who works for the operator.
pub const OPERATOR: RoleSet = RoleSet::of(&[Admin, Staff, Support, Csr, AssignedCsr]);
/// Who works for the provider.
pub const PROVIDING: RoleSet = RoleSet::of(&[Provider, Manager, Worker]);
/// Who buys.
pub const BUYING: RoleSet = RoleSet::of(&[Approver, Consumer]);
/// Who delivers.
pub const DELIVERING: RoleSet = RoleSet::of(&[Agent, AssignedAgent]);
/// For whom a deleted order still exists.
pub const SEES_DELETED: RoleSet = RoleSet::of(&[Admin, Staff, System]);

const DESK: RoleSet = RoleSet::of(&[Admin, Staff, Csr, AssignedCsr]);
const STAFF: RoleSet = RoleSet::of(&[Admin, Staff]);
const BACK_OFFICE: RoleSet = RoleSet::of(&[Admin, Staff, System]);

/// What a membership reaches, and as what.
pub fn grants(user: UserId, membership: &Membership) -> Vec<Grant> {
    let org = membership.organization;
    let grant = |reach, roles: &[Role]| Grant { reach, roles: RoleSet::of(roles) };
    let per_offering = |role: Role| {
        let offerings = membership.offerings.iter();
        offerings.map(|offering| grant(Reach::Offering(org, *offering), &[role])).collect()
    };
    match membership.role {
        Admin => vec![grant(Reach::Everything, &[Admin])],
        Staff => vec![grant(Reach::Everything, &[Staff])],
        Support => vec![grant(Reach::Everything, &[Support])],
        Csr => vec![grant(Reach::Csr(user), &[Csr, AssignedCsr]), grant(Reach::Unassigned, &[Csr])],
        Agent => vec![grant(Reach::Agent(user), &[Agent, AssignedAgent])],
        Provider => vec![grant(Reach::Provider(org), &[Provider])],
        Manager => per_offering(Manager),
        Worker if membership.offerings.is_empty() => vec![grant(Reach::Provider(org), &[Worker])],
        Worker => per_offering(Worker),
        Approver => vec![grant(Reach::Customer(org), &[Approver, Consumer])],
        Consumer => vec![grant(Reach::Created(org, user), &[Consumer])],
        System | Role::Creator | AssignedCsr | AssignedAgent => Vec::new(),
    }
}

/// Whether roles named by a table cover somebody's standing: an administrator may all that staff may.
pub const fn covers(allowed: RoleSet, standing: RoleSet) -> bool {
    allowed.meets(standing) || (standing.has(Admin) && allowed.has(Staff))
}

/// Who may at most cause an effect, through any workflow. Money and machines leave nobody's hands
/// but staff's; what merely follows from an ordinary step (an invoice opened by submitting) may be
/// caused by whoever may take that step.
pub const fn effect_ceiling(effect: Effect) -> RoleSet {
    let work = BACK_OFFICE.union(PROVIDING);
    match effect {
        Effect::RefundPayments | Effect::TerminateItems | Effect::ResetItems => BACK_OFFICE,
        Effect::FreezePrices | Effect::OpenInvoice | Effect::CancelInvoice => BACK_OFFICE.union(BUYING),
        Effect::IssueInvoice | Effect::CloseAttemptOk | Effect::CloseAttemptFailed => work,
        Effect::OpenAttempt => work.union(BUYING),
        Effect::ActivateItems => work.union(DESK).union(DELIVERING),
        Effect::CancelItems | Effect::NotifyConsumer => {
            work.union(BUYING).union(DESK).union(RoleSet::of(&[Role::Creator]))
        }
    }
}

/// Who may at most remove an order for good.
pub const fn gone_ceiling() -> RoleSet {
    RoleSet::of(&[Admin])
}

/// What people do to an order besides moving it through its workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Give the order to a representative.
    AssignCsr,
    /// Give the order to a delivery agent.
    AssignAgent,
    /// Record a payment of any method.
    RecordPayment,
    /// Record cash collected at the door.
    RecordCash,
    /// Give money back.
    Refund,
    /// Cancel an order and keep what was paid for it, as a credit.
    KeepCredit,
    /// Tell how the work on a line ended, or begin it again, where no row of the workflow does.
    ReportLine,
    /// Hand workers what they need for a line.
    SupplyInputs,
    /// Begin work again that the workflow would not.
    OverrideRetry,
    /// Write a note that staff alone read.
    NoteToStaff,
    /// Write a note that the provider reads too.
    NoteToProvider,
    /// Write a note that everybody on the order reads.
    NoteToPublic,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 12] = [
        Operation::AssignCsr,
        Operation::AssignAgent,
        Operation::RecordPayment,
        Operation::RecordCash,
        Operation::Refund,
        Operation::KeepCredit,
        Operation::ReportLine,
        Operation::SupplyInputs,
        Operation::OverrideRetry,
        Operation::NoteToStaff,
        Operation::NoteToProvider,
        Operation::NoteToPublic,
    ];

    /// The name in refusals and snapshots.
    pub const fn name(self) -> &'static str {
        match self {
            Operation::AssignCsr => "assign_csr",
            Operation::AssignAgent => "assign_agent",
            Operation::RecordPayment => "record_payment",
            Operation::RecordCash => "record_cash",
            Operation::Refund => "refund",
            Operation::KeepCredit => "keep_credit",
            Operation::ReportLine => "report_line",
            Operation::SupplyInputs => "supply_inputs",
            Operation::OverrideRetry => "override_retry",
            Operation::NoteToStaff => "note_to_staff",
            Operation::NoteToProvider => "note_to_provider",
            Operation::NoteToPublic => "note_to_public",
        }
    }

    /// Who may.
    pub const fn allowed(self) -> RoleSet {
        match self {
            Operation::AssignCsr | Operation::Refund | Operation::OverrideRetry => BACK_OFFICE,
            Operation::ReportLine | Operation::SupplyInputs => BACK_OFFICE.union(PROVIDING),
            Operation::AssignAgent | Operation::RecordPayment | Operation::KeepCredit => {
                DESK.union(BACK_OFFICE)
            }
            Operation::RecordCash => DESK.union(BACK_OFFICE).union(RoleSet::of(&[AssignedAgent])),
            Operation::NoteToStaff => OPERATOR,
            Operation::NoteToProvider => OPERATOR.union(RoleSet::of(&[Provider, Manager])),
            Operation::NoteToPublic => OPERATOR.union(RoleSet::of(&[Provider, Manager])),
        }
    }
}

/// Parts of an order that not everybody on it may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The internal status; others get the public one.
    InternalStatus,
    /// The address the order was placed from.
    ClientIp,
    /// A failure's own words.
    ErrorMessage,
    /// A failure's traceback.
    Traceback,
    /// Invoice, payments, refunds, billing address.
    Commerce,
    /// Attempts at provisioning.
    Attempts,
    /// The timeline.
    Timeline,
    /// Who works on the order at the operator.
    Assignments,
    /// Tags and metadata.
    Metadata,
}

impl Field {
    /// All of them.
    pub const ALL: [Field; 9] = [
        Field::InternalStatus,
        Field::ClientIp,
        Field::ErrorMessage,
        Field::Traceback,
        Field::Commerce,
        Field::Attempts,
        Field::Timeline,
        Field::Assignments,
        Field::Metadata,
    ];

    /// Who sees it.
    pub const fn visible_to(self) -> RoleSet {
        let inside = OPERATOR.union(PROVIDING).union(RoleSet::of(&[System]));
        match self {
            Field::InternalStatus => inside.union(DELIVERING),
            Field::ClientIp => DESK.union(RoleSet::of(&[System])),
            Field::ErrorMessage | Field::Attempts => inside,
            Field::Traceback => DESK.union(PROVIDING).union(RoleSet::of(&[System])),
            Field::Commerce | Field::Timeline => inside.union(BUYING),
            Field::Assignments => OPERATOR.union(DELIVERING).union(RoleSet::of(&[System])),
            Field::Metadata => OPERATOR.union(PROVIDING).union(RoleSet::of(&[System])),
        }
    }

    /// Whether somebody with this standing sees it.
    pub const fn shows(self, standing: RoleSet) -> bool {
        covers(self.visible_to(), standing)
    }
}

/// Who reads an event or note of this audience.
pub const fn reads(audience: Audience) -> RoleSet {
    let everybody = OPERATOR.union(PROVIDING).union(BUYING).union(DELIVERING).union(RoleSet::of(&[System]));
    match audience {
        Audience::Public => everybody,
        Audience::Provider => OPERATOR.union(PROVIDING).union(RoleSet::of(&[System])),
        Audience::Staff => OPERATOR.union(RoleSet::of(&[System])),
    }
}

/// Whether the actor may place orders for this customer: its members, and whoever takes orders for
/// the operator.
pub fn may_place_for(actor: &Actor, customer: OrganizationId) -> bool {
    places_for_anyone(actor) || (actor.only().is_none() && actor.is_member(customer, BUYING))
}

/// Whether the actor takes orders for any customer, new ones too.
pub fn places_for_anyone(actor: &Actor) -> bool {
    actor.only().is_none() && actor.roles().meets(DESK.union(RoleSet::of(&[System])))
}

/// Whether the actor sees every organisation and account of the installation.
pub fn sees_everybody(actor: &Actor) -> bool {
    actor.roles().meets(OPERATOR.union(RoleSet::of(&[System])))
}

/// Whether the actor may hold an order as its representative.
pub fn may_be_csr(actor: &Actor) -> bool {
    actor.roles().meets(DESK)
}

/// Whether the actor may hold an order as its delivery agent.
pub fn may_be_agent(actor: &Actor) -> bool {
    actor.roles().has(Agent)
}

/// The providers whose service tokens somebody looks after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenScope {
    /// Every provider's.
    Every,
    /// These providers'.
    Of(Vec<OrganizationId>),
}

impl TokenScope {
    /// Whether a provider is in it.
    pub fn holds(&self, provider: OrganizationId) -> bool {
        match self {
            TokenScope::Every => true,
            TokenScope::Of(providers) => providers.contains(&provider),
        }
    }
}

/// The providers whose service tokens the actor makes, lists and revokes: an administrator every
/// provider's, a provider's owner its own. Nobody else any, and no service token: it would outlive itself.
pub fn token_scope(actor: &Actor) -> Option<TokenScope> {
    let Actor::User(person) = actor else { return None };
    if person.only.is_some() {
        return None;
    }
    if actor.roles().has(Admin) {
        return Some(TokenScope::Every);
    }
    let owned = person.memberships.iter().filter(|membership| membership.role == Provider);
    let owned: Vec<OrganizationId> = owned.map(|membership| membership.organization).collect();
    (!owned.is_empty()).then_some(TokenScope::Of(owned))
}

/// Whether the actor gives out tokens that set somebody's password.
pub fn may_reset_passwords(actor: &Actor) -> bool {
    actor.only().is_none() && actor.roles().has(Admin)
}

/// Whether the actor works for the operator with full rights.
pub fn is_staff(actor: &Actor) -> bool {
    actor.roles().meets(STAFF)
}
