//! A change of an existing order.

use chrono::{DateTime, Utc};
use domain::{
    actor::Actor,
    event::Audience,
    id::{ItemId, OrderId, PaymentId, ScheduleId, UserId},
    money::Money,
    order::{
        Command, Facts, Failure, Head, Line, Order, PaymentMethod, Plan, Setting, Transition, cancel_action,
        decide,
    },
    refusal::Refusal,
    workflow::{Definition, Guard},
};
use serde::Serialize;

use super::{
    Done, Terms, Written, answer, assignee, claim, commit, distinct,
    inputs::{Inputs, Sealer},
    replay,
    timer::Calendar,
    workflow,
};
use crate::{
    app::App,
    error::{Error, Result},
    store::{Tx, catalogue, settings, timer},
};

/// What somebody wants of an existing order. Unlike a [`Command`] it names people and statuses that
/// have to be looked up.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "intent", rename_all = "snake_case")]
pub enum Intent {
    /// Take an action of the workflow.
    Transition(Transition),
    /// Take an action that begins work, and hand workers what they need for it.
    Begin {
        /// The action.
        transition: Transition,
        /// By line.
        inputs: Vec<(ItemId, Inputs)>,
    },
    /// Tell that a line was delivered.
    LineProvisioned {
        /// The line.
        item: ItemId,
        /// The resource's id at the provider's backend.
        backend_id: Option<String>,
    },
    /// Tell that a line failed.
    LineFailed {
        /// The line.
        item: ItemId,
        /// Why.
        failure: Failure,
        /// The resource's id at the provider's backend, if something is left there.
        backend_id: Option<String>,
    },
    /// Begin a line again.
    LineRetry {
        /// The line.
        item: ItemId,
        /// What its worker needs.
        inputs: Option<Inputs>,
        /// Begin although the workflow would not.
        overrides: bool,
        /// Why.
        reason: Option<String>,
    },
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
    /// Hide it from all but staff.
    Delete {
        /// Why.
        reason: Option<String>,
    },
    /// Bring it back after it was deleted.
    Restore,
    /// Have an action taken later.
    Schedule(Plan),
    /// Call a scheduled action off.
    Unschedule {
        /// Which.
        schedule: ScheduleId,
    },
}

impl Intent {
    /// Whether what is scheduled for the order has to be known.
    fn reads_schedules(&self) -> bool {
        matches!(self, Intent::Schedule(_) | Intent::Unschedule { .. })
    }
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
        let order = tx.orders(&actor_, &[order]).await?.pop();
        let mut order = order.ok_or(Refusal::NotFound { what: "order" })?;
        check_version(&order.head, terms.expected_version)?;
        if intent.reads_schedules() {
            let id = order.head.id;
            order.schedules = timer::schedules(&*tx, &[id]).await?.remove(&id).unwrap_or_default();
        }
        let workflow = workflow(&context, &*tx, &order.head).await?;
        let facts = facts(&tx, &workflow, &order, mint.now()).await?;
        let mut sealer = Sealer { keys: &context.keys, mint: &mut mint };
        let command = command(&tx, (&workflow, &order), intent, &mut sealer).await?;
        let setting = Setting { workflow: &workflow, actor: &actor_, facts: &facts };
        let decision = decide(setting, &order, &command, &mut mint)?;
        commit(&tx, claim.as_ref(), decision).await
    });
    answer(app, actor, done.await?).await
}

pub(super) fn check_version(head: &Head, expected: Option<i64>) -> Result<()> {
    match expected {
        Some(expected) if expected != head.version => {
            Err(Refusal::VersionConflict { expected, actual: head.version }.into())
        }
        _ => Ok(()),
    }
}

/// What a decision reads besides the order.
pub(super) async fn facts(
    tx: &Tx,
    workflow: &Definition,
    order: &Order,
    now: DateTime<Utc>,
) -> Result<Facts> {
    let found = facts_of(tx, &[(workflow, order)], now).await?.pop();
    found.map(|(facts, _)| facts).ok_or_else(|| Error::internal("an order without facts"))
}

/// What decisions read besides their orders, and when each customer's next day begins: a number of statements
/// that does not depend on how many orders there are. Settings and time zones are read only where a workflow asks
/// for them.
pub(super) async fn facts_of(
    tx: &Tx,
    orders: &[(&Definition, &Order)],
    now: DateTime<Utc>,
) -> Result<Vec<(Facts, DateTime<Utc>)>> {
    let items = orders.iter().flat_map(|(_, order)| &order.items);
    let products = catalogue::products(tx, &distinct(items.filter_map(|item| item.product))).await?;
    let dated = orders.iter().filter(|(workflow, _)| expires(workflow));
    let mut customers: Vec<_> = dated.map(|(_, order)| order.head.parties.customer).collect();
    customers.sort();
    customers.dedup();
    let expiry_enabled = !customers.is_empty() && settings::read(tx).await?.expiry_enabled;
    let calendar = Calendar::of(tx, &customers, now).await?;
    let facts = orders.iter().map(|(workflow, order)| {
        let own = order.items.iter().filter_map(|item| products.get_key_value(&item.product?));
        let products = own.map(|(id, product)| (*id, product.clone())).collect();
        let customer = order.head.parties.customer;
        let expiry_enabled = expiry_enabled && expires(workflow);
        (Facts { products, today: calendar.today(customer), expiry_enabled }, calendar.tomorrow(customer))
    });
    Ok(facts.collect())
}

/// Whether anything in a workflow happens by the calendar or the clock.
fn expires(workflow: &Definition) -> bool {
    workflow.statuses.iter().any(|status| status.expires.is_some())
        || workflow.transitions.iter().any(|row| row.when == Some(Guard::Expired))
}

/// The command behind an intent, with the people it names looked up.
async fn command(
    tx: &Tx,
    (workflow, order): (&Definition, &Order),
    intent: Intent,
    sealer: &mut Sealer<'_>,
) -> Result<Command> {
    Ok(match intent {
        Intent::Transition(transition) => Command::Transition(transition),
        Intent::Begin { transition, inputs } => {
            Command::Transition(Transition { inputs: sealer.seal_lines(&inputs)?, ..transition })
        }
        Intent::LineProvisioned { item, backend_id } => Command::Line(Line::Provisioned { item, backend_id }),
        Intent::LineFailed { item, failure, backend_id } => {
            Command::Line(Line::Failed { item, failure, backend_id })
        }
        Intent::LineRetry { item, inputs, overrides, reason } => {
            let inputs = inputs.map(|inputs| sealer.seal(&inputs, "inputs")).transpose()?;
            Command::Line(Line::Retry { item, inputs, overrides, reason })
        }
        Intent::Cancel { transition, refund } => {
            let action = cancel_action(workflow, &order.head.status, refund).to_owned();
            Command::Transition(Transition { action, ..transition })
        }
        Intent::AssignCsr { to } => Command::AssignCsr(assignee(tx, to).await?),
        Intent::AssignAgent { to } => Command::AssignAgent(assignee(tx, to).await?),
        Intent::RecordPayment { amount, method, reference } => {
            Command::RecordPayment { amount, method, reference }
        }
        Intent::Refund { amount, payment, reason } => Command::Refund { amount, payment, reason },
        Intent::AddNote { body, audience } => Command::AddNote { body, audience },
        Intent::Delete { reason } => Command::Delete { reason },
        Intent::Restore => Command::Restore,
        Intent::Schedule(plan) => Command::Schedule(plan),
        Intent::Unschedule { schedule } => Command::Unschedule(schedule),
    })
}
