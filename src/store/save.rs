//! Saves Decisions: the difference between an order before and after, for any number of orders at
//! once, in a number of statements that does not depend on it.

use std::hash::Hash;

use domain::{
    id::{AttemptId, OrderId},
    order::{Attempt, Decision, InputsState, Invoice, Item, Order, Resource, Sealed},
};
use entity as row;
use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, IntoActiveModel, SqlErr, Value};

use super::{
    Reads, Tx, edit, event, removal,
    sql::{to_json, update_many},
    timer,
};
use crate::error::{Error, Result};
use domain::refusal::Refusal;

/// Writes what the decisions change, and appends their events.
///
/// # Errors
/// DUPLICATE_REFERENCE; [`Error::NumberTaken`]; the database's.
pub async fn save(tx: &Tx, decisions: &[Decision]) -> Result<()> {
    let mut orders = Changes::default();
    let mut items = Changes::default();
    let mut resources = Changes::default();
    let mut attempts = Changes::default();
    let mut invoices = Changes::default();
    let (mut payments, mut refunds, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    let mut gone = Vec::new();
    let (mut inputs, mut spent) = (Vec::new(), Vec::new());
    for decision in decisions {
        let (before, after, id) = (decision.before(), decision.after(), decision.after().head.id);
        let children = Children { before, after };
        let (new, changed) = children.compare(|order| order.invoice.as_slice(), |invoice| invoice.id);
        invoices.new.extend(new.map(|invoice| new_invoice(after, invoice)));
        invoices.changed.extend(changed.map(changed_invoice));
        // Of an order that goes only the books are left to write.
        if decision.is_gone() {
            gone.push(decision);
            continue;
        }
        match before {
            None => orders.new.push(new_order(decision)?),
            Some(_) => orders.changed.push(changed_order(decision)?),
        }
        for resource in &after.resources {
            match decision.resources_before().iter().find(|before| before.id == resource.id) {
                None => resources.new.push(new_resource(resource)),
                Some(before) if before != resource => resources.changed.push(changed_resource(resource)),
                Some(_) => {}
            }
        }
        let (new, changed) = children.compare(|order| &order.items, |item| item.id);
        items.new.extend(new.map(|item| new_item(id, item)));
        items.changed.extend(changed.map(changed_item));
        let (new, changed) = children.compare(|order| &order.attempts, |attempt| attempt.id);
        attempts.new.extend(new.map(|attempt| new_attempt(id, attempt)));
        attempts.changed.extend(changed.map(changed_attempt));
        inputs.extend(decision.inputs().iter().map(|(attempt, sealed)| new_inputs(*attempt, sealed)));
        spent.extend(children.spent_inputs());
        let (new, _) = children.compare(|order| &order.payments, |payment| payment.id);
        payments.extend(new.map(|payment| new_payment(after, payment)));
        let (new, _) = children.compare(|order| &order.refunds, |refund| refund.id);
        refunds.extend(new.map(|refund| new_refund(after, refund)));
        notes.extend(after.notes.iter().map(|note| new_note(id, note)));
    }
    let reference = decisions.iter().find_map(|d| d.after().head.external_reference.clone());
    let numbers: Vec<i64> =
        orders.new.iter().filter_map(|order| order.number.try_as_ref()).copied().collect();
    removal::check_numbers(tx, &numbers).await?;
    insert(tx, orders.new).await.map_err(|error| taken(error, reference))?;
    let expected = orders.changed.len() as u64;
    if update_many(tx.db(), "orders", ORDER_COLUMNS, orders.changed).await? != expected {
        return Err(Error::internal("an order changed although it was locked"));
    }
    insert(tx, resources.new).await?;
    update_many(tx.db(), "resources", RESOURCE_COLUMNS, resources.changed).await?;
    insert(tx, items.new).await.map_err(|error| held(error.into()))?;
    update_many(tx.db(), "order_items", ITEM_COLUMNS, items.changed).await.map_err(held)?;
    insert(tx, attempts.new).await?;
    update_many(tx.db(), "attempts", ATTEMPT_COLUMNS, attempts.changed).await?;
    insert(tx, inputs).await?;
    tx.destroy_inputs(&spent).await?;
    insert(tx, invoices.new).await?;
    update_many(tx.db(), "invoices", INVOICE_COLUMNS, invoices.changed).await?;
    insert(tx, payments).await?;
    insert(tx, refunds).await?;
    insert(tx, notes).await?;
    edit::save(tx, decisions).await?;
    removal::remove(tx, &gone).await?;
    timer::keep(tx, decisions).await?;
    event::append(tx, decisions.iter().flat_map(Decision::events)).await
}

struct Changes<N> {
    new: Vec<N>,
    changed: Vec<Vec<Value>>,
}

impl<N> Default for Changes<N> {
    fn default() -> Self {
        Changes { new: Vec::new(), changed: Vec::new() }
    }
}

/// The children of an order of one kind, before and after.
#[derive(Clone, Copy)]
pub(super) struct Children<'a> {
    pub(super) before: Option<&'a Order>,
    pub(super) after: &'a Order,
}

impl<'a> Children<'a> {
    /// Those that are new, and those that differ.
    pub(super) fn compare<T: PartialEq + 'a, K: Eq + Hash>(
        self,
        of: impl Fn(&'a Order) -> &'a [T] + Copy,
        key: impl Fn(&T) -> K + Copy,
    ) -> (impl Iterator<Item = &'a T>, impl Iterator<Item = &'a T>) {
        let earlier = move |child: &T| {
            self.before.and_then(|order| of(order).iter().find(|before| key(before) == key(child)))
        };
        let new = of(self.after).iter().filter(move |child| earlier(child).is_none());
        let changed =
            of(self.after).iter().filter(move |child| earlier(child).is_some_and(|before| before != *child));
        (new, changed)
    }

    /// The attempts whose inputs were handed over, or are of no use any more.
    fn spent_inputs(self) -> impl Iterator<Item = AttemptId> {
        let sealed = |attempt: &&Attempt| attempt.inputs == Some(InputsState::Sealed);
        let before = self.before.into_iter().flat_map(|order| &order.attempts).filter(sealed);
        let still = move |id| self.after.attempts.iter().filter(sealed).any(|attempt| attempt.id == id);
        before.map(|attempt| attempt.id).filter(move |id| !still(*id))
    }
}

/// Inserts rows in batches that stay below SQLite's 32,766 and PostgreSQL's 65,535 parameters.
pub(super) async fn insert<A>(tx: &Tx, models: Vec<A>) -> Result<(), DbErr>
where
    A: ActiveModelTrait + Send,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
{
    const BATCH: usize = 50;
    let mut models = models.into_iter().peekable();
    while models.peek().is_some() {
        let batch: Vec<A> = models.by_ref().take(BATCH).collect();
        A::Entity::insert_many(batch).exec_without_returning(tx.db()).await?;
    }
    Ok(())
}

/// Tells a reference that the customer used before, and a random number that was taken, from faults.
fn taken(error: DbErr, reference: Option<String>) -> Error {
    match (error.sql_err(), reference) {
        (Some(SqlErr::UniqueConstraintViolation(text)), Some(reference)) if text.contains("reference") => {
            Refusal::DuplicateReference { reference }.into()
        }
        (Some(SqlErr::UniqueConstraintViolation(text)), _) if text.contains("number") => Error::NumberTaken,
        _ => error.into(),
    }
}

/// Tells a resource that another line holds from faults.
fn held(error: Error) -> Error {
    let Error::Internal(inside) = &error else { return error };
    let constraint = inside.downcast_ref::<DbErr>().and_then(DbErr::sql_err);
    match constraint {
        Some(SqlErr::UniqueConstraintViolation(text))
            if ["idx_order_items_held", "order_items.resource_id"].iter().any(|name| text.contains(name)) =>
        {
            Refusal::ResourceBusy { path: Vec::new(), order: None }.into()
        }
        _ => error,
    }
}

fn new_order(decision: &Decision) -> Result<row::order::ActiveModel> {
    let head = &decision.after().head;
    let none = domain::order::Particulars::default();
    let particulars = decision.particulars().unwrap_or(&none);
    Ok(row::order::Model {
        id: head.id.0,
        number: head.number.0,
        kind: head.kind.name().to_owned(),
        external_reference: head.external_reference.clone(),
        version: head.version,
        workflow: head.workflow.clone(),
        workflow_version: head.workflow_version,
        status: head.status.clone(),
        category: head.category.name().to_owned(),
        status_changed_at: head.status_changed_at,
        stalls_at: head.stalls_at,
        expires_at: head.expires_at,
        created_at: head.created_at,
        updated_at: head.updated_at,
        placed_at: head.placed_at,
        completed_at: head.completed_at,
        expires_on: head.expires_on,
        deleted_at: head.deleted_at,
        listed: head.listed(),
        awaits_worker: decision.awaits_worker(),
        customer_id: head.parties.customer.0,
        provider_id: head.parties.provider.0,
        offering_id: head.parties.offering.map(|id| id.0),
        creator_id: head.parties.creator.map(|id| id.0),
        csr_id: head.parties.csr.map(|id| id.0),
        agent_id: head.parties.agent.map(|id| id.0),
        currency: head.currency.code().to_owned(),
        subtotal: head.subtotal,
        discount: head.discount,
        tax: head.tax,
        delivery_fee: head.delivery_fee,
        total: head.total,
        paid: head.paid,
        payment_method: particulars.payment_method.map(|method| method.name().to_owned()),
        tags: to_json(&head.tags)?,
        contact: to_json(&particulars.contact)?,
        shipping_address: particulars.shipping_address.as_ref().map(to_json).transpose()?,
        billing_address: particulars.billing_address.as_ref().map(to_json).transpose()?,
        customer_note: particulars.customer_note.clone(),
        client_ip: particulars.client_ip.clone(),
        metadata: particulars.metadata.clone().unwrap_or_else(|| serde_json::json!({})),
    }
    .into_active_model())
}

const ORDER_COLUMNS: &[&str] = &[
    "id",
    "version",
    "workflow_version",
    "status",
    "category",
    "status_changed_at",
    "stalls_at",
    "expires_at",
    "updated_at",
    "placed_at",
    "completed_at",
    "deleted_at",
    "listed",
    "awaits_worker",
    "csr_id",
    "agent_id",
    "subtotal",
    "discount",
    "tax",
    "delivery_fee",
    "total",
    "paid",
];

fn changed_order(decision: &Decision) -> Result<Vec<Value>> {
    let head = &decision.after().head;
    Ok(vec![
        head.id.0.into(),
        head.version.into(),
        head.workflow_version.into(),
        head.status.as_str().into(),
        head.category.name().into(),
        head.status_changed_at.into(),
        head.stalls_at.into(),
        head.expires_at.into(),
        head.updated_at.into(),
        head.placed_at.into(),
        head.completed_at.into(),
        head.deleted_at.into(),
        head.listed().into(),
        decision.awaits_worker().into(),
        head.parties.csr.map(|id| id.0).into(),
        head.parties.agent.map(|id| id.0).into(),
        head.subtotal.into(),
        head.discount.into(),
        head.tax.into(),
        head.delivery_fee.into(),
        head.total.into(),
        head.paid.into(),
    ])
}

fn new_item(order: OrderId, item: &Item) -> row::order_item::ActiveModel {
    row::order_item::Model {
        id: item.id.0,
        order_id: order.0,
        position: item.position,
        product_id: item.product.map(|id| id.0),
        name: item.name.clone(),
        sku: item.sku.clone(),
        configuration: item.configuration.clone(),
        quantity: item.quantity,
        unit_price: item.unit_price.0,
        tax_rate: item.tax_rate,
        discount: item.discount,
        tax: item.tax,
        line_total: item.line_total,
        status: item.status.name().to_owned(),
        resource_id: item.resource.map(|id| id.0),
        holds: item.holds,
        attempts: item.attempts,
        failed_of: item.failed_of.map(|category| category.name().to_owned()),
    }
    .into_active_model()
}

const ITEM_COLUMNS: &[&str] = &[
    "id",
    "configuration",
    "quantity",
    "unit_price",
    "tax_rate",
    "discount",
    "tax",
    "line_total",
    "status",
    "resource_id",
    "holds",
    "attempts",
    "failed_of",
];

fn changed_item(item: &Item) -> Vec<Value> {
    vec![
        item.id.0.into(),
        item.configuration.clone().into(),
        item.quantity.into(),
        item.unit_price.0.into(),
        item.tax_rate.into(),
        item.discount.into(),
        item.tax.into(),
        item.line_total.into(),
        item.status.name().into(),
        item.resource.map(|id| id.0).into(),
        item.holds.into(),
        item.attempts.into(),
        item.failed_of.map(|category| category.name()).into(),
    ]
}

fn new_resource(resource: &Resource) -> row::resource::ActiveModel {
    row::resource::Model {
        id: resource.id.0,
        product_id: resource.product.0,
        provider_id: resource.provider.0,
        customer_id: resource.customer.0,
        name: resource.name.clone(),
        state: resource.state.name().to_owned(),
        previous_state: resource.previous_state.map(|state| state.name().to_owned()),
        backend_id: resource.backend_id.clone(),
        created_at: resource.created_at,
        updated_at: resource.updated_at,
    }
    .into_active_model()
}

const RESOURCE_COLUMNS: &[&str] = &["id", "state", "previous_state", "backend_id", "updated_at"];

fn changed_resource(resource: &Resource) -> Vec<Value> {
    vec![
        resource.id.0.into(),
        resource.state.name().into(),
        resource.previous_state.map(|state| state.name()).into(),
        resource.backend_id.clone().into(),
        resource.updated_at.into(),
    ]
}

fn new_attempt(order: OrderId, attempt: &Attempt) -> row::attempt::ActiveModel {
    let failure = attempt.failure.as_ref();
    row::attempt::Model {
        id: attempt.id.0,
        order_id: order.0,
        item_id: attempt.item.0,
        number: attempt.number,
        stage: attempt.stage.clone(),
        outcome: attempt.outcome.name().to_owned(),
        started_at: attempt.started_at,
        ended_at: attempt.ended_at,
        error_category: failure.map(|failure| failure.category.name().to_owned()),
        error_message: failure.map(|failure| failure.message.clone()),
        error_traceback: failure.and_then(|failure| failure.traceback.clone()),
        holder_id: attempt.claim.map(|claim| claim.holder.0),
        lease_until: attempt.claim.map(|claim| claim.until),
        fence: attempt.fence,
        inputs: attempt.inputs.map(|inputs| inputs.name().to_owned()),
    }
    .into_active_model()
}

fn new_inputs(attempt: AttemptId, sealed: &Sealed) -> row::provisioning_input::ActiveModel {
    let (id, attempt_id) = (sealed.id.0, attempt.0);
    row::provisioning_input::Model { id, attempt_id, sealed: sealed.text.clone() }.into_active_model()
}

const ATTEMPT_COLUMNS: &[&str] = &[
    "id",
    "stage",
    "outcome",
    "ended_at",
    "error_category",
    "error_message",
    "error_traceback",
    "holder_id",
    "lease_until",
    "fence",
    "inputs",
];

fn changed_attempt(attempt: &Attempt) -> Vec<Value> {
    let failure = attempt.failure.as_ref();
    vec![
        attempt.id.0.into(),
        attempt.stage.as_str().into(),
        attempt.outcome.name().into(),
        attempt.ended_at.into(),
        failure.map(|failure| failure.category.name()).into(),
        failure.map(|failure| failure.message.clone()).into(),
        failure.and_then(|failure| failure.traceback.clone()).into(),
        attempt.claim.map(|claim| claim.holder.0).into(),
        attempt.claim.map(|claim| claim.until).into(),
        attempt.fence.into(),
        attempt.inputs.map(|inputs| inputs.name()).into(),
    ]
}

fn new_invoice(order: &Order, invoice: &Invoice) -> row::invoice::ActiveModel {
    row::invoice::Model {
        id: invoice.id.0,
        order_id: order.head.id.0,
        number: invoice.number.clone(),
        state: invoice.state.name().to_owned(),
        currency: order.head.currency.code().to_owned(),
        total: invoice.total,
        opened_at: invoice.opened_at,
        issued_at: invoice.issued_at,
        paid_at: invoice.paid_at,
        cancelled_at: invoice.cancelled_at,
    }
    .into_active_model()
}

const INVOICE_COLUMNS: &[&str] = &["id", "state", "total", "issued_at", "paid_at", "cancelled_at"];

fn changed_invoice(invoice: &Invoice) -> Vec<Value> {
    vec![
        invoice.id.0.into(),
        invoice.state.name().into(),
        invoice.total.into(),
        invoice.issued_at.into(),
        invoice.paid_at.into(),
        invoice.cancelled_at.into(),
    ]
}

fn new_payment(order: &Order, payment: &domain::order::Payment) -> row::payment::ActiveModel {
    row::payment::Model {
        id: payment.id.0,
        order_id: order.head.id.0,
        amount: payment.amount,
        currency: order.head.currency.code().to_owned(),
        method: payment.method.name().to_owned(),
        gateway: payment.gateway.clone(),
        reference: payment.reference.clone(),
        recorded_by: payment.recorded_by.map(|id| id.0),
        recorded_at: payment.recorded_at,
    }
    .into_active_model()
}

fn new_refund(order: &Order, refund: &domain::order::Refund) -> row::refund::ActiveModel {
    row::refund::Model {
        id: refund.id.0,
        order_id: order.head.id.0,
        payment_id: refund.payment.0,
        amount: refund.amount,
        currency: order.head.currency.code().to_owned(),
        reason: refund.reason.clone(),
        recorded_by: refund.recorded_by.map(|id| id.0),
        recorded_at: refund.recorded_at,
    }
    .into_active_model()
}

fn new_note(order: OrderId, note: &domain::order::Note) -> row::note::ActiveModel {
    row::note::Model {
        id: note.id.0,
        order_id: order.0,
        body: note.body.clone(),
        audience: note.audience.name().to_owned(),
        author_id: note.author.map(|id| id.0),
        created_at: note.created_at,
    }
    .into_active_model()
}
