//! A small company, in words: who is who, what is sold, when things happen.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::{
    actor::{Actor, Membership, Person},
    id::{OrganizationId, ProductId, ResourceId, TypedId, UserId},
    mint::Mint,
    money::{Currency, Money, UnitPrice},
    order::{
        Assignee, Command, DraftLine, ErrorCategory, Failure, PaymentMethod, Product, ProductKind, Resource,
        ResourceState, Transition,
    },
    role::Role,
    workflow::{Definition, builtin},
};
use uuid::Uuid;

pub use crate::basket::{Basket, Placed, an_order};

/// The nth id of a type.
pub fn id<T: TypedId>(n: u128) -> T {
    T::from(Uuid::from_u128(n))
}

pub fn operator() -> OrganizationId {
    id(1)
}
/// Provides everything that is ordered here.
pub fn northern() -> OrganizationId {
    id(2)
}
/// Provides nothing that is ordered here.
pub fn southern() -> OrganizationId {
    id(3)
}
/// Buys everything that is ordered here.
pub fn buyer() -> OrganizationId {
    id(4)
}
/// Another customer.
pub fn other_buyer() -> OrganizationId {
    id(5)
}
/// The product that orders are for.
pub fn product() -> ProductId {
    id(20)
}
/// Another product of the same provider.
pub fn other_product() -> ProductId {
    id(21)
}

/// Somebody with one membership.
pub fn member(n: u128, organization: OrganizationId, role: Role, offerings: &[ProductId]) -> Actor {
    let memberships = vec![Membership { organization, role, offerings: offerings.to_vec() }];
    Actor::User(Person { id: id(n), memberships, only: None })
}

pub fn admin() -> Actor {
    member(100, operator(), Role::Admin, &[])
}
pub fn staff() -> Actor {
    member(101, operator(), Role::Staff, &[])
}
pub fn support() -> Actor {
    member(102, operator(), Role::Support, &[])
}
pub fn cleo_csr() -> Actor {
    member(103, operator(), Role::Csr, &[])
}
pub fn cyril_csr() -> Actor {
    member(104, operator(), Role::Csr, &[])
}
pub fn provider() -> Actor {
    member(105, northern(), Role::Provider, &[])
}
pub fn manager() -> Actor {
    member(106, northern(), Role::Manager, &[product()])
}
pub fn worker() -> Actor {
    member(107, northern(), Role::Worker, &[])
}
pub fn approver() -> Actor {
    member(108, buyer(), Role::Approver, &[])
}
pub fn carla() -> Actor {
    member(109, buyer(), Role::Consumer, &[])
}
pub fn carl() -> Actor {
    member(110, buyer(), Role::Consumer, &[])
}
pub fn anna_agent() -> Actor {
    member(111, operator(), Role::Agent, &[])
}
pub fn arne_agent() -> Actor {
    member(112, operator(), Role::Agent, &[])
}
pub fn other_provider() -> Actor {
    member(113, southern(), Role::Provider, &[])
}
pub fn other_manager() -> Actor {
    member(114, northern(), Role::Manager, &[other_product()])
}
pub fn other_approver() -> Actor {
    member(115, other_buyer(), Role::Approver, &[])
}

/// Everybody, strangers and the system too.
pub fn everybody() -> Vec<Actor> {
    let mut all = vec![admin(), staff(), support(), cleo_csr(), cyril_csr(), provider(), manager(), worker()];
    all.extend([approver(), carla(), carl(), anna_agent(), arne_agent(), other_provider(), other_manager()]);
    all.extend([other_approver(), Actor::System]);
    all
}

/// Somebody as the one to be assigned.
pub fn assignee(actor: &Actor) -> Assignee {
    Assignee { user: user(actor), actor: actor.clone() }
}

pub fn user(actor: &Actor) -> UserId {
    actor.user().expect("a person")
}

/// The shipped workflow of this code.
pub fn workflow(code: &str) -> Definition {
    let all = builtin().expect("the shipped workflows are valid");
    all.into_iter().find(|definition| definition.code == code).expect("a shipped workflow")
}

pub fn currency(code: &str) -> Currency {
    code.parse().expect("a currency")
}

/// Whole and hundredth euros, in cents.
pub fn eur(cents: i64) -> Money {
    Money::new(cents, currency("EUR"))
}

pub fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

fn dawn() -> DateTime<Utc> {
    "2026-03-01T06:00:00Z".parse().expect("a moment")
}

/// A mint of the nth minute.
pub fn mint(n: u64) -> Mint {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&n.to_le_bytes());
    Mint::new(dawn() + TimeDelta::minutes(n as i64), seed)
}

/// A move with nothing supplied.
pub fn bare(action: &str) -> Transition {
    Transition { action: action.to_owned(), ..Transition::default() }
}

pub fn failure(message: &str) -> Failure {
    let traceback = Some("at node 7".to_owned());
    Failure { category: ErrorCategory::Capacity, message: message.to_owned(), traceback }
}

pub fn payment(cents: i64, method: PaymentMethod) -> Command {
    Command::RecordPayment { amount: eur(cents), method, reference: None }
}

/// What a workflow's products are usually of.
pub fn usual_kind(workflow: &str) -> ProductKind {
    match workflow {
        "cloud" => ProductKind::Vps,
        "hosting" => ProductKind::Hosting,
        "marketplace" => ProductKind::Basic,
        _ => ProductKind::Physical,
    }
}

/// A product of Northern at 10 EUR, free of tax, that needs both approvals.
pub fn a_product(id: ProductId, workflow: &str) -> Product {
    Product {
        id,
        provider: northern(),
        workflow: workflow.to_owned(),
        kind: usual_kind(workflow),
        sku: format!("SKU-{id}"),
        name: "Thing".to_owned(),
        description: None,
        currency: currency("EUR"),
        unit_price: UnitPrice(10_000_000),
        tax_rate: 0,
        needs_consumer_approval: true,
        needs_provider_approval: true,
        active: true,
    }
}

pub fn a_line(product: ProductId) -> DraftLine {
    DraftLine { product, quantity: 1, configuration: None, discount: None, resource: None }
}

/// A resource of the buyer, in use.
pub fn a_resource() -> Resource {
    Resource {
        id: id::<ResourceId>(30),
        product: product(),
        provider: northern(),
        customer: buyer(),
        name: "Thing 1".to_owned(),
        state: ResourceState::Ok,
        previous_state: None,
        backend_id: Some("vm-1".to_owned()),
        held_by: None,
        created_at: dawn(),
        updated_at: dawn(),
    }
}
