//! Orders placed and changed: the one write path. Find with facts, decide, save, commit, ring.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::{
    actor::Actor,
    event::{Audience, Event},
    id::{OrderId, OrganizationId, PaymentId, ProductId, ResourceId, UserId},
    money::Money,
    order::{
        Assignee, Command, Decision, Draft, DraftLine, Facts, FreeText, Head, Order, OrderKind, Particulars,
        PaymentMethod, Setting, Transition, cancel_action, decide, limits, place as place_order,
    },
    permission,
    refusal::Refusal,
    workflow::{Definition, Guard},
};
use serde::Serialize;

use crate::{
    app::App,
    error::{Error, Result},
    store::{
        self, Tx, catalogue,
        event::Logged,
        idempotency::{self, Claim, Claimed, Outcome},
        order::Name,
        parts,
        people::{self, Organization, OrganizationKind},
        settings,
    },
};

/// How long an idempotency key is remembered.
const KEY_LIFE: TimeDelta = TimeDelta::hours(24);

/// What every write may carry.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Do this once, however often it is sent.
    pub idempotency_key: Option<String>,
    /// Refuse if the order has another version.
    pub expected_version: Option<i64>,
}

/// What a write answers.
#[derive(Clone, Debug)]
pub struct Written {
    /// The order as it is now.
    pub head: Head,
    /// What the caller made happen.
    pub event: Logged,
    /// Whether it had happened before, under the same key.
    pub replayed: bool,
}

/// What somebody wants of an existing order. Unlike a [`Command`] it names people and statuses that
/// have to be looked up.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "intent", rename_all = "snake_case")]
pub enum Intent {
    /// Take an action of the workflow.
    Transition(Transition),
    /// Cancel, whichever action that is from the order's status.
    Cancel {
        /// Reason, credit and so on.
        transition: Transition,
        /// Give the money back.
        refund: bool,
    },
    /// Give it to a representative.
    AssignCsr {
        /// To whom; none takes it away.
        to: Option<UserId>,
    },
    /// Give it to a delivery agent.
    AssignAgent {
        /// To whom; none takes it away.
        to: Option<UserId>,
    },
    /// Record money received.
    RecordPayment {
        /// How much.
        amount: Money,
        /// How.
        method: PaymentMethod,
        /// The bank's reference.
        reference: Option<String>,
    },
    /// Give money back.
    Refund {
        /// How much; all that is left if not told.
        amount: Option<Money>,
        /// Of which payment.
        payment: Option<PaymentId>,
        /// Why.
        reason: String,
    },
    /// Write a note.
    AddNote {
        /// The text.
        body: String,
        /// Who reads it.
        audience: Audience,
    },
}

/// Changes an order.
///
/// # Errors
/// NOT_FOUND for what is missing or not the actor's to see; a refusal of the rules.
pub async fn change(
    app: &App,
    actor: &Actor,
    operation: &'static str,
    (order, intent): (OrderId, Intent),
    terms: Terms,
) -> Result<Written> {
    let claim = claim(app, actor, operation, &(order, terms.expected_version, &intent), &terms)?;
    let (context, actor_) = (app.clone(), actor.clone());
    let done = app.store.write(async move |tx| {
        let mut mint = context.world.mint();
        if let Some(outcome) = replay(&tx, claim.as_ref(), mint.now()).await? {
            return Ok(Done::Before(outcome));
        }
        let order = visible(&actor_, tx.orders(&[order]).await?)?;
        check_version(&order.head, terms.expected_version)?;
        let workflow = workflow(&context, &order.head)?;
        let facts = facts(&tx, workflow, &order.head, product_ids(&order), mint.now()).await?;
        let command = command(&tx, workflow, &order, intent).await?;
        let setting = Setting { workflow, actor: &actor_, facts: &facts };
        let decision = decide(setting, &order, &command, &mut mint)?;
        commit(&tx, claim.as_ref(), decision).await
    });
    answer(app, actor, done.await?).await
}

/// Who buys: somebody known, or somebody new.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Customer {
    /// A known organisation.
    Existing(OrganizationId),
    /// A company or person seen for the first time.
    New {
        /// A company, or a person.
        company: bool,
        /// The name.
        name: String,
        /// The e-mail address.
        email: Option<String>,
        /// The time zone, a name of the IANA database.
        time_zone: Option<String>,
    },
}

/// A line to be ordered.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The product.
    pub product: ProductId,
    /// How many.
    pub quantity: i64,
    /// What is configured.
    pub configuration: Option<serde_json::Value>,
    /// Taken off the line.
    pub discount: Option<Money>,
    /// The resource that an UPDATE or TERMINATE works on.
    pub resource: Option<ResourceId>,
}

/// An order to be placed.
#[derive(Clone, Debug, Serialize)]
pub struct Basket {
    /// Who buys.
    pub customer: Customer,
    /// What the order does.
    pub kind: Option<OrderKind>,
    /// Its lines.
    pub lines: Vec<Line>,
    /// The delivery fee.
    pub delivery_fee: Option<Money>,
    /// The delivery agent.
    pub agent: Option<UserId>,
    /// The customer's reference.
    pub external_reference: Option<String>,
    /// The day until which it is wanted.
    pub expires_on: Option<NaiveDate>,
    /// Tags.
    pub tags: Vec<String>,
    /// Contact, addresses, notes.
    pub particulars: Particulars,
}

/// Places an order.
///
/// # Errors
/// A refusal of the rules.
pub async fn place(app: &App, actor: &Actor, basket: Basket, terms: Terms) -> Result<Written> {
    let claim = claim(app, actor, "orderCreate", &basket, &terms)?;
    // Order numbers are random. With a million orders one in nine thousand is taken already.
    for _ in 0..3 {
        match place_once(app, actor, basket.clone(), claim.clone()).await {
            Err(Error::NumberTaken) => {}
            done => return answer(app, actor, done?).await,
        }
    }
    Err(Error::internal("three random order numbers in a row were taken"))
}

async fn place_once(app: &App, actor: &Actor, basket: Basket, claim: Option<Claim>) -> Result<Done> {
    let (context, actor) = (app.clone(), actor.clone());
    app.store
        .write(async move |tx| {
            let mut mint = context.world.mint();
            if let Some(outcome) = replay(&tx, claim.as_ref(), mint.now()).await? {
                return Ok(Done::Before(outcome));
            }
            let customer = customer(&tx, &actor, &basket.customer, &mut mint).await?;
            let draft = draft(&tx, &actor, customer, basket).await?;
            let ids = draft.lines.iter().map(|line| line.product).collect();
            let products = catalogue::products(&*tx, &ids_unique(ids)).await?;
            let first = draft.lines.first().and_then(|line| products.get(&line.product));
            let workflow = first.and_then(|product| context.book.newest(&product.workflow));
            // Without a first product any workflow will do: the rules refuse the line, not the workflow.
            let workflow = workflow.or_else(|| context.book.all().next());
            let workflow = workflow.ok_or_else(|| Error::internal("no workflow is installed"))?;
            let facts = Facts { products, today: mint.now().date_naive(), expiry_enabled: false };
            let setting = Setting { workflow, actor: &actor, facts: &facts };
            let decision = place_order(setting, &draft, &mut mint)?;
            commit(&tx, claim.as_ref(), decision).await
        })
        .await
}

fn ids_unique(mut ids: Vec<ProductId>) -> Vec<ProductId> {
    ids.sort();
    ids.dedup();
    ids
}

/// What a transaction ended with.
enum Done {
    Now(Box<(Head, Event)>),
    Before(Outcome),
}

async fn commit(tx: &Tx, claim: Option<&Claim>, decision: Decision) -> Result<Done> {
    store::save(tx, std::slice::from_ref(&decision)).await?;
    let head = decision.after().head.clone();
    let event = decision.events().first().cloned();
    let event = event.ok_or_else(|| Error::internal("a decision without an event"))?;
    if let Some(claim) = claim {
        idempotency::fulfil(tx, claim, &Outcome { order: head.id, event: event.id }).await?;
    }
    Ok(Done::Now(Box::new((head, event))))
}

/// Rings the bell, or looks up what a repeated request had answered: visible still, or not found.
async fn answer(app: &App, actor: &Actor, done: Done) -> Result<Written> {
    match done {
        Done::Now(written) => {
            app.feed.ring();
            let (head, event) = *written;
            Ok(Written { head, event: Logged { seq: None, event }, replayed: false })
        }
        Done::Before(outcome) => {
            let not_found = || Error::from(Refusal::NotFound { what: "order" });
            let head = store::order::find(&app.store, actor, &Name::Id(outcome.order)).await?;
            let head = head.ok_or_else(not_found)?;
            let event = store::event::by_ids(&app.store, &[outcome.event]).await?.remove(&outcome.event);
            Ok(Written { head, event: event.ok_or_else(not_found)?, replayed: true })
        }
    }
}

fn claim(
    app: &App,
    actor: &Actor,
    operation: &'static str,
    input: &impl Serialize,
    terms: &Terms,
) -> Result<Option<Claim>> {
    let Some(key) = &terms.idempotency_key else { return Ok(None) };
    let key = FreeText { path: "idempotencyKey", most: limits::NAME }.required(key)?;
    let input = serde_json::to_vec(input).map_err(|error| Error::Internal(error.into()))?;
    let actor = actor.user().map_or_else(|| "system".to_owned(), |user| user.to_string());
    Ok(Some(Claim { actor, operation, key, input: app.keys.fingerprint(&input) }))
}

async fn replay(tx: &Tx, claim: Option<&Claim>, now: DateTime<Utc>) -> Result<Option<Outcome>> {
    let Some(claim) = claim else { return Ok(None) };
    match idempotency::claim(tx, claim, now, now - KEY_LIFE).await? {
        Claimed::New => Ok(None),
        Claimed::Replay(outcome) => Ok(Some(outcome)),
        Claimed::Mismatch => Err(Error::IdempotencyMismatch),
    }
}

/// The one order, if there is one and the actor may see it.
fn visible(actor: &Actor, mut orders: Vec<Order>) -> Result<Order> {
    let order = orders
        .pop()
        .filter(|order| !actor.standing(&order.head.parties, order.head.deleted_at.is_some()).is_empty());
    order.ok_or_else(|| Refusal::NotFound { what: "order" }.into())
}

fn check_version(head: &Head, expected: Option<i64>) -> Result<()> {
    match expected {
        Some(expected) if expected != head.version => {
            Err(Refusal::VersionConflict { expected, actual: head.version }.into())
        }
        _ => Ok(()),
    }
}

/// The workflow version that an order follows.
///
/// # Errors
/// INTERNAL when it is not installed.
pub fn workflow<'a>(app: &'a App, head: &Head) -> Result<&'a Definition> {
    app.book
        .version(&head.workflow, head.workflow_version)
        .map(|definition| &**definition)
        .ok_or_else(|| Error::internal(format!("workflow {} {}", head.workflow, head.workflow_version)))
}

fn product_ids(order: &Order) -> Vec<ProductId> {
    ids_unique(order.items.iter().filter_map(|item| item.product).collect())
}

/// What a decision reads besides the order. Settings and time zone are read only where the workflow
/// asks for them.
async fn facts(
    tx: &Tx,
    workflow: &Definition,
    head: &Head,
    products: Vec<ProductId>,
    now: DateTime<Utc>,
) -> Result<Facts> {
    let products = catalogue::products(tx, &products).await?;
    let mut facts = Facts { products, today: now.date_naive(), expiry_enabled: false };
    if workflow.transitions.iter().any(|row| row.when == Some(Guard::Expired)) {
        facts.expiry_enabled = settings::read(tx).await?.expiry_enabled;
        let customers = people::organizations(tx, &[head.parties.customer]).await?;
        if let Some(zone) = customers.get(&head.parties.customer).and_then(|c| c.time_zone.parse().ok()) {
            let zone: chrono_tz::Tz = zone;
            facts.today = now.with_timezone(&zone).date_naive();
        }
    }
    Ok(facts)
}

async fn command(tx: &Tx, workflow: &Definition, order: &Order, intent: Intent) -> Result<Command> {
    Ok(match intent {
        Intent::Transition(transition) => Command::Transition(transition),
        Intent::Cancel { transition, refund } => {
            let action = cancel_action(workflow, &order.head.status, refund).to_owned();
            Command::Transition(Transition { action, ..transition })
        }
        Intent::AssignCsr { to } => Command::AssignCsr(assignee(tx, to, "csr").await?),
        Intent::AssignAgent { to } => Command::AssignAgent(assignee(tx, to, "agent").await?),
        Intent::RecordPayment { amount, method, reference } => {
            Command::RecordPayment { amount, method, reference }
        }
        Intent::Refund { amount, payment, reason } => Command::Refund { amount, payment, reason },
        Intent::AddNote { body, audience } => Command::AddNote { body, audience },
    })
}

async fn assignee(tx: &Tx, user: Option<UserId>, path: &str) -> Result<Option<Assignee>> {
    let Some(user) = user else { return Ok(None) };
    let person = people::person(tx, user).await?;
    let person = person.ok_or_else(|| Refusal::invalid(path, "there is no such account"))?;
    Ok(Some(Assignee { user, actor: Actor::User(person) }))
}

/// The customer's organisation, made in this transaction when it is new.
async fn customer(
    tx: &Tx,
    actor: &Actor,
    customer: &Customer,
    mint: &mut domain::mint::Mint,
) -> Result<OrganizationId> {
    let not_found = || Error::from(Refusal::NotFound { what: "customer" });
    match customer {
        Customer::Existing(id) => {
            if !permission::may_place_for(actor, *id) {
                return Err(not_found());
            }
            let known = people::organizations(tx, &[*id]).await?;
            let buys = |kind| matches!(kind, OrganizationKind::Company | OrganizationKind::Person);
            known.get(id).filter(|known| buys(known.kind)).map(|known| known.id).ok_or_else(not_found)
        }
        Customer::New { company, name, email, time_zone } => {
            if !permission::places_for_anyone(actor) {
                let action = "create_customer".to_owned();
                return Err(Refusal::NotPermitted { action, allowed: Vec::new() }.into());
            }
            let text = |path| FreeText { path, most: limits::NAME };
            let zone = time_zone.as_deref().unwrap_or("UTC");
            if zone.parse::<chrono_tz::Tz>().is_err() {
                let message = "a time zone is a name such as Europe/Berlin";
                return Err(Refusal::invalid("customer.new.timeZone", message).into());
            }
            let kind = if *company { OrganizationKind::Company } else { OrganizationKind::Person };
            let new = Organization {
                id: mint.id(),
                kind,
                name: text("customer.new.name").required(name)?,
                email: text("customer.new.email").optional(email.as_deref())?,
                time_zone: zone.to_owned(),
                created_at: mint.now(),
            };
            tx.insert_organization(&new).await?;
            Ok(new.id)
        }
    }
}

async fn draft(tx: &Tx, actor: &Actor, customer: OrganizationId, basket: Basket) -> Result<Draft> {
    let ids: Vec<ResourceId> = basket.lines.iter().filter_map(|line| line.resource).collect();
    let mut resources = match permission::may_place_for(actor, customer) {
        true => parts::resources(tx, &ids).await?,
        false => HashMap::new(),
    };
    resources.retain(|_, resource| resource.customer == customer);
    let mut lines = Vec::with_capacity(basket.lines.len());
    for (i, line) in basket.lines.into_iter().enumerate() {
        let resource = match line.resource {
            None => None,
            Some(id) => Some(resources.get(&id).cloned().ok_or_else(|| {
                Refusal::invalid(&format!("lines.{i}.resource"), "the customer has no such resource")
            })?),
        };
        let Line { product, quantity, configuration, discount, resource: _ } = line;
        lines.push(DraftLine { product, quantity, configuration, discount, resource });
    }
    Ok(Draft {
        customer,
        kind: basket.kind,
        lines,
        delivery_fee: basket.delivery_fee,
        agent: assignee(tx, basket.agent, "agent").await?,
        external_reference: basket.external_reference,
        expires_on: basket.expires_on,
        tags: basket.tags,
        particulars: basket.particulars,
    })
}
