//! Who may find which marker: the policy of the API's design, written down here once more and by hand,
//! so that the code under test is not asked whether it is right.

use domain::{
    id::{OrganizationId, UserId},
    role::Role,
};

use super::{
    machine::Machine,
    world::{Marker, Owner, Placed, Viewer, World},
};

/// What a marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    // An order's own.
    OrderName,
    Contact,
    ShippingAddress,
    BillingAddress,
    CustomerNote,
    ClientIp,
    Metadata,
    Tag,
    Line,
    Resource,
    NoteToStaff,
    NoteToProvider,
    NoteToPublic,
    Payment,
    Invoice,
    RefundReason,
    InnerReason,
    ReasonForTheCustomer,
    ErrorMessage,
    Traceback,
    Attempt,
    // Ways in which a person is shown on an order.
    Creator,
    Assigned,
    AssignedEvent,
    PublicStep,
    InnerStep,
    StaffNoteAuthor,
    ProviderNoteAuthor,
    PublicNoteAuthor,
    Cashier,
    // What stands for itself.
    ProviderName,
    CustomerName,
    OrganizationEmail,
    ProductText,
    UserName,
    UserEmail,
    /// The address of somebody who is invited.
    Invited,
    TokenId,
    Job,
    /// What opens something, told once to whoever had it made.
    Secret,
}

use Kind::*;

/// What somebody is to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Admin,
    Staff,
    Support,
    Csr,
    Provider,
    Buyer,
    Agent,
}

use Relation::{Admin, Agent, Buyer, Csr, Provider, Staff, Support};

const DESK: &[Relation] = &[Admin, Staff, Csr];
const OPERATOR: &[Relation] = &[Admin, Staff, Support, Csr];
const INSIDE: &[Relation] = &[Admin, Staff, Support, Csr, Provider];
const BUT_AGENTS: &[Relation] = &[Admin, Staff, Support, Csr, Provider, Buyer];
const EVERYBODY: &[Relation] = &[Admin, Staff, Support, Csr, Provider, Buyer, Agent];

/// Who, among those to whom an order exists, finds what of it.
const READERS: [(Kind, &[Relation]); 30] = [
    (OrderName, EVERYBODY),
    (Contact, EVERYBODY),
    (ShippingAddress, EVERYBODY),
    (BillingAddress, BUT_AGENTS),
    (CustomerNote, EVERYBODY),
    // Support is told no address; neither is the provider.
    (ClientIp, DESK),
    (Metadata, INSIDE),
    (Tag, INSIDE),
    (Line, EVERYBODY),
    (Resource, EVERYBODY),
    (NoteToStaff, OPERATOR),
    (NoteToProvider, INSIDE),
    (NoteToPublic, EVERYBODY),
    (Payment, BUT_AGENTS),
    (Invoice, BUT_AGENTS),
    (RefundReason, INSIDE),
    (InnerReason, INSIDE),
    // Customers read why they were rejected; agents have no timeline.
    (ReasonForTheCustomer, BUT_AGENTS),
    // Customers are told a safe sentence.
    (ErrorMessage, INSIDE),
    (Traceback, &[Admin, Staff, Csr, Provider]),
    (Attempt, INSIDE),
    (Creator, EVERYBODY),
    (Assigned, &[Admin, Staff, Support, Csr, Agent]),
    (AssignedEvent, OPERATOR),
    (PublicStep, BUT_AGENTS),
    (InnerStep, INSIDE),
    (StaffNoteAuthor, OPERATOR),
    (ProviderNoteAuthor, INSIDE),
    (PublicNoteAuthor, EVERYBODY),
    (Cashier, BUT_AGENTS),
];

/// Kinds that an order has from the start: every representative may see an order that nobody has yet.
pub const FROM_THE_START: [Kind; 9] =
    [OrderName, Contact, ShippingAddress, BillingAddress, CustomerNote, ClientIp, Metadata, Tag, Line];

/// What a viewer is to an order; nothing where the order does not exist for it.
pub fn relation(viewer: &Viewer, order: &Placed) -> Option<Relation> {
    let offering = viewer.offerings.contains(&order.product);
    let relation = match viewer.role {
        Role::Admin => Some(Admin),
        Role::Staff => Some(Staff),
        Role::Support => Some(Support),
        Role::Csr => order.csr.is_none_or(|csr| csr == viewer.user).then_some(Csr),
        Role::Agent => (order.agent == Some(viewer.user)).then_some(Agent),
        Role::Provider => (order.provider == viewer.organization).then_some(Provider),
        Role::Manager => (order.provider == viewer.organization && offering).then_some(Provider),
        Role::Worker => {
            let narrowed = !viewer.offerings.is_empty();
            (order.provider == viewer.organization && (offering || !narrowed)).then_some(Provider)
        }
        Role::Approver => (order.customer == viewer.organization).then_some(Buyer),
        Role::Consumer => {
            (order.customer == viewer.organization && order.creator == viewer.user).then_some(Buyer)
        }
        other => panic!("nobody looks as {other:?}"),
    };
    relation.filter(|relation| !order.deleted || matches!(relation, Admin | Staff))
}

/// Whether this kind of thing about an order is for somebody with this relation.
pub fn reads(kind: Kind, relation: Relation) -> bool {
    let row = READERS.iter().find(|(known, _)| *known == kind);
    row.unwrap_or_else(|| panic!("{kind:?} is no order's")).1.contains(&relation)
}

/// Whether somebody at the operator knows every organisation and account.
pub fn knows_everybody(viewer: &Viewer) -> bool {
    matches!(viewer.role, Role::Admin | Role::Staff | Role::Support | Role::Csr)
}

/// Whether somebody lists a machine's token and revokes it.
pub fn looks_after(viewer: &Viewer, machine: &Machine) -> bool {
    let owner = viewer.role == Role::Provider && viewer.organization == machine.provider;
    viewer.role == Role::Admin || owner
}

/// Whether somebody is an owner of an organisation.
pub fn owns(viewer: &Viewer, organization: OrganizationId) -> bool {
    viewer.organization == organization && matches!(viewer.role, Role::Provider | Role::Approver)
}

/// Whether somebody sees the jobs of an account.
pub fn sees_job(viewer: &Viewer, owner: UserId) -> bool {
    viewer.user == owner || matches!(viewer.role, Role::Admin | Role::Staff)
}

impl World {
    /// The organisation in which a person is a colleague; machines have none.
    fn works_at(&self, user: UserId) -> Option<OrganizationId> {
        let person = self.machines.iter().all(|machine| machine.account != user);
        let mut people = self.viewers.iter().chain(&self.guests).filter(|_| person);
        people.find(|viewer| viewer.user == user).map(|viewer| viewer.organization)
    }

    /// Whether a viewer finds a marker, once it has looked everywhere.
    pub fn finds(&self, viewer: &Viewer, marker: &Marker) -> bool {
        let on_an_order = |about: &dyn Fn(&Placed) -> bool| {
            self.orders.iter().any(|order| about(order) && relation(viewer, order).is_some())
        };
        match marker.owner {
            Owner::Order(order) => {
                relation(viewer, &self.orders[order]).is_some_and(|relation| reads(marker.kind, relation))
            }
            Owner::Organization(organization) => {
                let member = viewer.organization == organization;
                match marker.kind {
                    ProviderName => true,
                    CustomerName => {
                        member
                            || knows_everybody(viewer)
                            || on_an_order(&|order| order.customer == organization)
                    }
                    Invited => viewer.role == Role::Admin || owns(viewer, organization),
                    Secret => false,
                    _ => member || knows_everybody(viewer),
                }
            }
            Owner::Product(at) => {
                let product = &self.shelf[at];
                product.active || knows_everybody(viewer) || viewer.organization == product.provider
            }
            Owner::User(user) => {
                let shown = |(order, kind): (usize, Kind)| {
                    relation(viewer, &self.orders[order]).is_some_and(|relation| reads(kind, relation))
                };
                let linked = || self.links.iter().any(|it| it.user == user && shown((it.order, it.kind)));
                // A token tells its own name and who made it.
                let of_a_token = || {
                    let mut tokens = self.machines.iter().filter(|it| looks_after(viewer, it));
                    tokens.any(|token| token.account == user || token.made_by == user)
                };
                let place = self.works_at(user);
                let colleague = || place.is_some() && self.works_at(viewer.user) == place;
                let named = || marker.kind == UserName && (linked() || of_a_token() || colleague());
                let kept = || place.is_some_and(|place| owns(viewer, place));
                user == viewer.user || knows_everybody(viewer) || named() || kept()
            }
            Owner::Job(owner) => sees_job(viewer, owner),
            Owner::Token(at) => marker.kind == TokenId && looks_after(viewer, &self.machines[at]),
        }
    }
}
