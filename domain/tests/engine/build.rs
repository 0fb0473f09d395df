//! A small company and its orders, in words: `an_order("cloud").priced(25).placed_by(&carla())`.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::{
    actor::{Actor, Membership, Person},
    event::Event,
    id::{OrganizationId, ProductId, ResourceId, TypedId, UserId},
    mint::Mint,
    money::{Currency, Money, UnitPrice},
    order::{
        Admission, Assignee, Command, Draft, DraftLine, ErrorCategory, Facts, Failure, Order, OrderKind,
        Particulars, PaymentMethod, Product, ProductKind, Resource, ResourceState, Setting, Transition, admit,
        decide, place,
    },
    refusal::Refusal,
    role::Role,
    workflow::{Definition, builtin},
};
use uuid::Uuid;

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
    Actor::User(Person { id: id(n), memberships })
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

/// An order in the making.
#[derive(Clone)]
pub struct Basket {
    pub workflow: Definition,
    pub facts: Facts,
    pub draft: Draft,
    pub minute: u64,
}

/// An order of one thing, from the buyer.
pub fn an_order(code: &str) -> Basket {
    let products = [product(), other_product()].map(|id| (id, a_product(id, code)));
    let facts =
        Facts { products: products.into_iter().collect(), today: day("2026-03-02"), expiry_enabled: false };
    let draft = Draft {
        customer: buyer(),
        kind: None,
        lines: vec![a_line(product())],
        delivery_fee: None,
        agent: None,
        external_reference: None,
        expires_on: None,
        tags: Vec::new(),
        particulars: Particulars::default(),
    };
    Basket { workflow: workflow(code), facts, draft, minute: 0 }
}

impl Basket {
    /// Changes every product.
    pub fn whose_products(mut self, change: impl Fn(&mut Product)) -> Basket {
        self.facts.products.values_mut().for_each(change);
        self
    }

    pub fn of_kind(self, kind: ProductKind) -> Basket {
        self.whose_products(|product| product.kind = kind)
    }

    /// The price of one, in whole euros.
    pub fn priced(self, euros: i64) -> Basket {
        self.whose_products(|product| product.unit_price = UnitPrice(euros * 1_000_000))
    }

    pub fn without_consumer_approval(self) -> Basket {
        self.whose_products(|product| product.needs_consumer_approval = false)
    }

    pub fn without_provider_approval(self) -> Basket {
        self.whose_products(|product| product.needs_provider_approval = false)
    }

    /// A second line of the same product.
    pub fn twice(mut self) -> Basket {
        self.draft.lines.push(a_line(product()));
        self
    }

    /// A second line, of the other product.
    pub fn and_another(mut self) -> Basket {
        self.draft.lines.push(a_line(other_product()));
        self
    }

    /// Wanted until the day before today, with the automation on.
    pub fn expired(mut self) -> Basket {
        self.draft.expires_on = Some(day("2026-03-01"));
        self.facts.expiry_enabled = true;
        self
    }

    /// Works on a resource that is in use.
    pub fn on_a_resource(self, kind: OrderKind) -> Basket {
        let resource = a_resource();
        self.on(kind, resource)
    }

    pub fn on(mut self, kind: OrderKind, resource: Resource) -> Basket {
        self.draft.kind = Some(kind);
        self.draft.lines[0].resource = Some(resource);
        self
    }

    pub fn try_place(&self, actor: &Actor) -> Result<Placed, Refusal> {
        let setting = Setting { workflow: &self.workflow, actor, facts: &self.facts };
        let decision = place(setting, &self.draft, &mut mint(self.minute))?;
        Ok(self.placed(decision.after().clone(), decision.events().to_vec()))
    }

    pub fn placed_by(&self, actor: &Actor) -> Placed {
        self.try_place(actor).expect("the order is placed")
    }

    /// As another system tells of it, with the buyer's Carla as its creator.
    pub fn admitted(&self, status: &str, paid: i64) -> Placed {
        let setting = Setting { workflow: &self.workflow, actor: &staff(), facts: &self.facts };
        let admission = Admission { draft: self.draft.clone(), status: status.to_owned(), paid };
        let decision = admit(setting, &admission, &mut mint(self.minute)).expect("the order is admitted");
        let mut placed = self.placed(decision.after().clone(), decision.events().to_vec());
        placed.order.head.parties.creator = carla().user();
        placed
    }

    fn placed(&self, order: Order, events: Vec<Event>) -> Placed {
        let (workflow, facts) = (self.workflow.clone(), self.facts.clone());
        Placed { workflow, facts, order, events, minute: self.minute }
    }
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
        created_at: dawn(),
        updated_at: dawn(),
    }
}

/// An order that exists, with all that has happened to it.
#[derive(Clone, Debug)]
pub struct Placed {
    pub workflow: Definition,
    pub facts: Facts,
    pub order: Order,
    pub events: Vec<Event>,
    pub minute: u64,
}

impl Placed {
    /// Decides a command without carrying it out: what the order would be, and what would happen.
    pub fn decided(&self, actor: &Actor, command: &Command) -> Result<(Order, Vec<Event>), Refusal> {
        let setting = Setting { workflow: &self.workflow, actor, facts: &self.facts };
        let decision = decide(setting, &self.order, command, &mut mint(self.minute + 1))?;
        assert_eq!(decision.before(), Some(&self.order));
        Ok((decision.after().clone(), decision.events().to_vec()))
    }

    /// Carries a command out, a minute after the last. A refusal changes nothing.
    pub fn tries(&mut self, actor: &Actor, command: &Command) -> Result<(), Refusal> {
        let (order, events) = self.decided(actor, command)?;
        self.order = order;
        self.order.notes.clear();
        self.events.extend(events);
        self.minute += 1;
        Ok(())
    }

    pub fn commands(&mut self, actor: &Actor, command: Command) -> &mut Placed {
        self.tries(actor, &command).expect("it is allowed");
        self
    }

    /// Moves it with nothing supplied.
    pub fn does(&mut self, actor: &Actor, action: &str) -> &mut Placed {
        self.commands(actor, Command::Transition(bare(action)))
    }

    /// Moves it, for a reason.
    pub fn does_because(&mut self, actor: &Actor, action: &str, reason: &str) -> &mut Placed {
        let reason = Some(reason.to_owned());
        self.commands(actor, Command::Transition(Transition { reason, ..bare(action) }))
    }

    /// Reports a failure.
    pub fn fails(&mut self, actor: &Actor, message: &str) -> &mut Placed {
        let error = Some(failure(message));
        self.commands(actor, Command::Transition(Transition { error, ..bare("fail") }))
    }

    pub fn is_paid(&mut self, cents: i64) -> &mut Placed {
        self.commands(&staff(), payment(cents, PaymentMethod::Transfer))
    }

    /// The refusal of a move with nothing supplied.
    pub fn refuses(&self, actor: &Actor, action: &str) -> Refusal {
        self.refuses_to(actor, &Command::Transition(bare(action)))
    }

    pub fn refuses_to(&self, actor: &Actor, command: &Command) -> Refusal {
        self.decided(actor, command).expect_err("it is refused")
    }

    pub fn status(&self) -> &str {
        &self.order.head.status
    }

    /// The state of the first resource.
    pub fn resource(&self) -> Option<ResourceState> {
        self.order.resources.first().map(|resource| resource.state)
    }

    /// The kinds of the last events, oldest first.
    pub fn last_events(&self, n: usize) -> Vec<&'static str> {
        self.events[self.events.len() - n..].iter().map(|event| event.kind.name()).collect()
    }
}
