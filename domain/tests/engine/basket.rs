//! Orders of the company, in words: `an_order("cloud").priced(25).placed_by(&carla())`.

use domain::{
    actor::Actor,
    event::Event,
    money::UnitPrice,
    order::{
        Admission, Command, Draft, Facts, Order, OrderKind, Particulars, PaymentMethod, Product, ProductKind,
        Resource, ResourceState, Setting, Transition, admit, decide, place,
    },
    refusal::Refusal,
    workflow::Definition,
};

use crate::build::{
    a_line, a_product, a_resource, bare, buyer, carla, day, failure, mint, other_product, payment, product,
    staff, workflow,
};

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
