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
    /// Change what the order says; buyers their own, until its prices are frozen.
    Edit,
    /// Change its customer, fee, discounts, tags and metadata; and the rest once its prices are frozen.
    EditTerms,
    /// Hide the order from all but staff.
    Delete,
    /// Bring a deleted order back.
    Restore,
    /// Remove a deleted order for good.
    Purge,
    /// Call off an action that somebody else scheduled.
    Unschedule,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 18] = [
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
        Operation::Edit,
        Operation::EditTerms,
        Operation::Delete,
        Operation::Restore,
        Operation::Purge,
        Operation::Unschedule,
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
            Operation::Edit => "edit",
            Operation::EditTerms => "edit_terms",
            Operation::Delete => "delete",
            Operation::Restore => "restore",
            Operation::Purge => "purge",
            Operation::Unschedule => "unschedule",
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
            Operation::Edit => DESK.union(BACK_OFFICE).union(BUYING),
            Operation::EditTerms => DESK.union(BACK_OFFICE),
            Operation::Delete => BACK_OFFICE,
            Operation::Restore | Operation::Purge => gone_ceiling().union(RoleSet::of(&[System])),
            Operation::Unschedule => DESK.union(BACK_OFFICE),
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

/// What people look after besides orders, each within organisations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// Make organisations.
    FoundOrganizations,
    /// Give an organisation another name, e-mail address or time zone.
    EditOrganizations,
    /// Make accounts, give them another name, disable and erase them.
    KeepAccounts,
    /// Say who is what in an organisation.
    GiveMemberships,
    /// Invite people into an organisation.
    Invite,
    /// Read who changed whose rights.
    ReadRightsHistory,
    /// Make, list and revoke the tokens of machines.
    GiveServiceTokens,
}

impl Duty {
    /// All of them.
    pub const ALL: [Duty; 7] = [
        Duty::FoundOrganizations,
        Duty::EditOrganizations,
        Duty::KeepAccounts,
        Duty::GiveMemberships,
        Duty::Invite,
        Duty::ReadRightsHistory,
        Duty::GiveServiceTokens,
    ];

    /// Who has it: an administrator for every organisation, all others for the one in which they hold the role.
    pub const fn allowed(self) -> RoleSet {
        match self {
            Duty::FoundOrganizations | Duty::KeepAccounts => RoleSet::of(&[Admin]),
            Duty::EditOrganizations | Duty::GiveMemberships | Duty::Invite | Duty::ReadRightsHistory => {
                RoleSet::of(&[Admin, Provider, Approver])
            }
            Duty::GiveServiceTokens => RoleSet::of(&[Admin, Provider]),
        }
    }
}

/// The organisations that somebody looks after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrganizationScope {
    /// Every one.
    Every,
    /// These.
    Of(Vec<OrganizationId>),
}

impl OrganizationScope {
    /// Whether an organisation is in it.
    pub fn holds(&self, organization: OrganizationId) -> bool {
        match self {
            OrganizationScope::Every => true,
            OrganizationScope::Of(some) => some.contains(&organization),
        }
    }
}

/// The organisations in which the actor has a duty; none when it has it nowhere. No service token has any: it
/// would outlive itself.
pub fn duty_scope(actor: &Actor, duty: Duty) -> Option<OrganizationScope> {
    let Actor::User(person) = actor else { return None };
    if person.only.is_some() {
        return None;
    }
    if actor.roles().has(Admin) && duty.allowed().has(Admin) {
        return Some(OrganizationScope::Every);
    }
    let owned = person.memberships.iter().filter(|membership| duty.allowed().has(membership.role));
    let owned: Vec<OrganizationId> = owned.map(|membership| membership.organization).collect();
    (!owned.is_empty()).then_some(OrganizationScope::Of(owned))
}

/// The providers whose service tokens the actor makes, lists and revokes.
pub fn token_scope(actor: &Actor) -> Option<OrganizationScope> {
    duty_scope(actor, Duty::GiveServiceTokens)
}

/// The organisations whose members the actor sees by name: all for the operator's people, one's own for others.
/// None for service tokens, which have no colleagues.
pub fn colleagues(actor: &Actor) -> Option<OrganizationScope> {
    if actor.only().is_some() {
        return None;
    }
    if sees_everybody(actor) {
        return Some(OrganizationScope::Every);
    }
    let Actor::User(person) = actor else { return None };
    Some(OrganizationScope::Of(person.memberships.iter().map(|m| m.organization).collect()))
}

/// The jobs that somebody sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobScope {
    /// Everybody's.
    Every,
    /// Those that this account asked for.
    Of(UserId),
}

/// The jobs that the actor sees: staff everybody's, others their own.
pub fn job_scope(actor: &Actor) -> JobScope {
    match actor {
        Actor::User(person) if !is_staff(actor) => JobScope::Of(person.id),
        Actor::System | Actor::User(_) => JobScope::Every,
    }
}

/// Whether the actor stops a job that this account asked for: it itself, and an administrator.
pub fn may_cancel_job(actor: &Actor, owner: UserId) -> bool {
    actor.only().is_none() && (actor.roles().has(Admin) || actor.user() == Some(owner))
}

/// Whether the actor moves orders to another version of their workflow.
pub fn may_migrate_orders(actor: &Actor) -> bool {
    actor.only().is_none() && actor.roles().has(Admin)
}

/// Whether the actor gives out tokens that set somebody's password.
pub fn may_reset_passwords(actor: &Actor) -> bool {
    actor.only().is_none() && actor.roles().has(Admin)
}

/// Whether the actor saves workflows.
pub fn may_save_workflows(actor: &Actor) -> bool {
    actor.only().is_none() && actor.roles().has(Admin)
}

/// Whether the actor reads a workflow as it is written.
pub fn reads_definitions(actor: &Actor) -> bool {
    is_staff(actor)
}

/// Whether the actor decides the settings of the installation, and reads who did.
pub fn may_set(actor: &Actor) -> bool {
    actor.only().is_none() && actor.roles().has(Admin)
}

/// Whether the actor works for the operator with full rights.
pub fn is_staff(actor: &Actor) -> bool {
    actor.roles().meets(STAFF)
}
