//! The rule for changing what an order says, while its status lets that happen: customer, contact, addresses, lines,
//! fee, payment method, tags, metadata. Every edit tells what it changed, before and after.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Address, Contact, Head, InvoiceState, Item, ItemStatus, Order, OrderKind, Particulars, PaymentMethod,
    Product, ProductKind, Setting,
    action::open_actions,
    command::{FreeText, limits},
    content,
    decision::Working,
    effect,
    guard::Subject,
    pricing, timer,
};
use crate::{
    actor::Rights,
    event::Audience,
    id::{ItemId, OrganizationId, ProductId},
    mint::Mint,
    money::Money,
    permission::{self, Field, Operation, covers},
    refusal::{Block, Refusal},
};

/// What becomes of a field that may be empty: it stays as it is, or becomes this.
pub type Patch<T> = Option<Option<T>>;

/// How an order is to be changed; what is not given stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Edit {
    /// Who buys.
    pub customer: Option<OrganizationId>,
    /// Whom to reach.
    pub contact: Option<Contact>,
    /// Where to deliver.
    pub shipping_address: Patch<Address>,
    /// Whom to bill.
    pub billing_address: Patch<Address>,
    /// What the customer has to say.
    pub customer_note: Patch<String>,
    /// How the customer means to pay.
    pub payment_method: Patch<PaymentMethod>,
    /// The delivery fee.
    pub delivery_fee: Option<Money>,
    /// The customer's reference.
    pub external_reference: Patch<String>,
    /// The day until which it is wanted.
    pub expires_on: Patch<NaiveDate>,
    /// All tags.
    pub tags: Option<Vec<String>>,
    /// Anything else, as a whole.
    pub metadata: Patch<Value>,
    /// What becomes of lines, in this order.
    pub lines: Vec<LineEdit>,
}

/// What becomes of a line.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineEdit {
    /// One more.
    Add {
        /// The product.
        product: ProductId,
        /// How many.
        quantity: i64,
        /// What is configured.
        configuration: Option<Value>,
        /// Taken off it.
        discount: Option<Money>,
    },
    /// Another quantity, configuration or discount.
    Change {
        /// Which.
        item: ItemId,
        /// How many.
        quantity: Option<i64>,
        /// What is configured.
        configuration: Option<Value>,
        /// Taken off it.
        discount: Option<Money>,
    },
    /// One less.
    Remove {
        /// Which.
        item: ItemId,
    },
}

/// One thing that an edit changed. Nothing where there was nothing, or is nothing any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The field of the order, as the API calls it; `items.2` is the line at position 2.
    pub field: String,
    /// What it was.
    pub before: Option<Value>,
    /// What it is.
    pub after: Option<Value>,
}

impl Change {
    /// Whether somebody with these rights on the order sees the field.
    pub fn is_shown_to(&self, standing: crate::role::RoleSet) -> bool {
        match self.field.as_str() {
            "billingAddress" | "paymentMethod" => Field::Commerce.shows(standing),
            "tags" | "metadata" => Field::Metadata.shows(standing),
            _ => true,
        }
    }
}

const ONLY_DESK: &str = "only those who take orders for the operator may change this";

/// Whoever changes what an order says.
pub(super) struct Editor<'a> {
    pub setting: Setting<'a>,
    pub rights: Rights<'a>,
}

impl Editor<'_> {
    pub(super) fn edit(
        &self,
        working: &mut Working<'_>,
        edit: &Edit,
        particulars: &Particulars,
    ) -> Result<(), Refusal> {
        self.permit(working, edit)?;
        let status = working.workflow.status(&working.order.head.status);
        if !status.is_some_and(|status| status.editable) {
            return Err(Refusal::GuardFailed(Block::NotEditable));
        }
        let before = view(&working.order, particulars);
        let particulars = content::particulars(&patched(particulars, edit))?;
        self.head(&mut working.order, edit)?;
        for (i, line) in edit.lines.iter().enumerate() {
            self.line(&mut working.order, working.mint, (i, line))?;
        }
        if !edit.lines.is_empty() {
            settle_lines(&mut working.order)?;
        }
        pricing::price_order(&mut working.order)?;
        if working.order.invoice.as_ref().is_some_and(|invoice| invoice.state != InvoiceState::Cancelled) {
            effect::open_invoice(working);
        }
        let changes = difference(before, view(&working.order, &particulars));
        if changes.is_empty() {
            return Err(Refusal::Validation { path: Vec::new(), message: "this changes nothing".to_owned() });
        }
        let public = changes.iter().any(|change| change.is_shown_to(permission::BUYING));
        let audience = if public { Audience::Public } else { Audience::Provider };
        working.edited(particulars, changes, audience, self.setting.actor.user());
        Ok(())
    }

    fn permit(&self, working: &Working<'_>, edit: &Edit) -> Result<(), Refusal> {
        if self.may(Operation::EditTerms) {
            return Ok(());
        }
        // What buyers agreed to is no longer theirs to change.
        if !self.may(Operation::Edit) || working.order.head.placed_at.is_some() {
            let Order { head, items, .. } = &working.order;
            let subject = Subject { head, items, facts: self.setting.facts };
            let allowed = open_actions(self.setting.workflow, subject, self.rights);
            return Err(Refusal::NotPermitted { action: Operation::Edit.name().to_owned(), allowed });
        }
        let terms = [
            ("customer", edit.customer.is_some()),
            ("deliveryFee", edit.delivery_fee.is_some()),
            ("tags", edit.tags.is_some()),
            ("metadata", edit.metadata.is_some()),
        ];
        if let Some((field, _)) = terms.into_iter().find(|(_, given)| *given) {
            return Err(Refusal::invalid(field, ONLY_DESK));
        }
        let discounted = |line: &LineEdit| match line {
            LineEdit::Add { discount, .. } | LineEdit::Change { discount, .. } => discount.is_some(),
            LineEdit::Remove { .. } => false,
        };
        match edit.lines.iter().position(discounted) {
            Some(i) => Err(Refusal::invalid(&format!("{}.discount", path(i, &edit.lines[i])), ONLY_DESK)),
            None => Ok(()),
        }
    }

    /// A service token takes actions of the workflow and nothing else.
    fn may(&self, operation: Operation) -> bool {
        self.rights.only.is_none() && covers(operation.allowed(), self.rights.standing)
    }

    fn head(&self, order: &mut Order, edit: &Edit) -> Result<(), Refusal> {
        if let Some(customer) = edit.customer {
            if !permission::may_place_for(self.setting.actor, customer) {
                return Err(Refusal::NotFound { what: "customer" });
            }
            let bound = |item: &Item| item.resource.is_some();
            if customer != order.head.parties.customer && order.items.iter().any(bound) {
                let message = "lines of the order work on resources of its customer";
                return Err(Refusal::invalid("customer", message));
            }
            order.head.parties.customer = customer;
        }
        let head = &mut order.head;
        if edit.delivery_fee.is_some() {
            head.delivery_fee = content::in_currency(edit.delivery_fee, head.currency, "deliveryFee")?;
        }
        if let Some(reference) = &edit.external_reference {
            let text = FreeText { path: "externalReference", most: limits::NAME };
            head.external_reference = text.optional(reference.as_deref())?;
        }
        if let Some(day) = edit.expires_on {
            head.expires_on = day;
            head.expires_at = timer::expires_at(head, self.setting.workflow);
        }
        if let Some(tags) = &edit.tags {
            head.tags = content::tags(tags)?;
        }
        Ok(())
    }

    fn line(&self, order: &mut Order, mint: &mut Mint, (i, line): (usize, &LineEdit)) -> Result<(), Refusal> {
        let path = path(i, line);
        match line {
            LineEdit::Add { product, quantity, configuration, discount } => {
                let product = self.product(order, *product, &path)?;
                let mut item = new_item(order, product, mint);
                fill(&mut item, (Some(*quantity), configuration, *discount), &order.head, &path)?;
                order.items.push(item);
            }
            LineEdit::Change { item, quantity, configuration, discount } => {
                let at = untouched(order, *item, &path)?;
                let Order { head, items, .. } = order;
                fill(&mut items[at], (*quantity, configuration, *discount), head, &path)?;
            }
            LineEdit::Remove { item } => {
                let at = untouched(order, *item, &path)?;
                order.items.remove(at);
            }
        }
        Ok(())
    }

    /// A product that fits the order's other lines.
    fn product(&self, order: &Order, id: ProductId, path: &str) -> Result<&Product, Refusal> {
        let path = format!("{path}.product");
        if matches!(order.head.kind, OrderKind::Update | OrderKind::Terminate) {
            let message = "this order works on the resources that it was placed for; place another order";
            return Err(Refusal::invalid(&path, message));
        }
        let product = self.setting.facts.products.get(&id).filter(|product| product.active);
        let product =
            product.ok_or_else(|| Refusal::invalid(&path, "there is no such product to be ordered"))?;
        let head = &order.head;
        if product.provider != head.parties.provider {
            return Err(Refusal::MixedOrder { what: "provider" });
        }
        if product.workflow != head.workflow {
            return Err(Refusal::MixedOrder { what: "workflow" });
        }
        if product.currency != head.currency {
            return Err(Refusal::MixedOrder { what: "currency" });
        }
        if (product.kind == ProductKind::Physical) != (head.kind == OrderKind::Sale) {
            return Err(Refusal::invalid(&path, "goods are sold with SALE, everything else is not"));
        }
        Ok(product)
    }
}

/// Where in the input an edit of a line stands.
fn path(i: usize, line: &LineEdit) -> String {
    let what = match line {
        LineEdit::Add { .. } => "add",
        LineEdit::Change { .. } => "change",
        LineEdit::Remove { .. } => "remove",
    };
    format!("lines.{i}.{what}")
}

fn patched(before: &Particulars, edit: &Edit) -> Particulars {
    fn patch<T: Clone>(before: &Option<T>, edit: &Patch<T>) -> Option<T> {
        edit.clone().unwrap_or_else(|| before.clone())
    }
    Particulars {
        contact: edit.contact.clone().unwrap_or_else(|| before.contact.clone()),
        shipping_address: patch(&before.shipping_address, &edit.shipping_address),
        billing_address: patch(&before.billing_address, &edit.billing_address),
        customer_note: patch(&before.customer_note, &edit.customer_note),
        payment_method: patch(&before.payment_method, &edit.payment_method),
        client_ip: before.client_ip.clone(),
        metadata: patch(&before.metadata, &edit.metadata),
    }
}

fn new_item(order: &Order, product: &Product, mint: &mut Mint) -> Item {
    let last = order.items.iter().map(|item| item.position).max().unwrap_or_default();
    Item {
        id: mint.id(),
        position: last + 1,
        product: Some(product.id),
        name: product.name.clone(),
        sku: product.sku.clone(),
        configuration: json!({}),
        quantity: 1,
        unit_price: product.unit_price,
        tax_rate: product.tax_rate,
        discount: 0,
        tax: 0,
        line_total: 0,
        status: ItemStatus::Pending,
        resource: None,
        holds: false,
        attempts: 0,
        failed_of: None,
    }
}

/// Sets what is given, and prices the line.
fn fill(
    item: &mut Item,
    (quantity, configuration, discount): (Option<i64>, &Option<Value>, Option<Money>),
    head: &Head,
    path: &str,
) -> Result<(), Refusal> {
    if let Some(quantity) = quantity {
        if !(1..=limits::QUANTITY).contains(&quantity) {
            let message = format!("a quantity is 1 to {}", limits::QUANTITY);
            return Err(Refusal::invalid(&format!("{path}.quantity"), message));
        }
        item.quantity = quantity;
    }
    if let Some(configuration) = configuration {
        content::check_json(configuration, &format!("{path}.configuration"))?;
        item.configuration = configuration.clone();
    }
    if discount.is_some() {
        item.discount = content::in_currency(discount, head.currency, &format!("{path}.discount"))?;
    }
    pricing::price_line(item, head).map_err(|refusal| Refusal::invalid(path, refusal.to_string()))
}

/// Where a line stands, on which nobody has worked yet.
fn untouched(order: &Order, id: ItemId, path: &str) -> Result<usize, Refusal> {
    let path = format!("{path}.item");
    let at = order.items.iter().position(|item| item.id == id);
    let at = at.ok_or_else(|| Refusal::invalid(&path, "the order has no such line"))?;
    let worked_on = order.attempts.iter().any(|attempt| attempt.item == id);
    match worked_on || order.items[at].status != ItemStatus::Pending {
        true => Err(Refusal::invalid(&path, "work on this line has begun; it stays as it is")),
        false => Ok(at),
    }
}

/// What follows from other lines than before.
fn settle_lines(order: &mut Order) -> Result<(), Refusal> {
    if !(1..=limits::LINES).contains(&order.items.len()) {
        return Err(Refusal::invalid("lines", format!("an order has 1 to {} lines", limits::LINES)));
    }
    let first = order.items[0].product;
    let shared = order.items.iter().all(|item| item.product == first);
    order.head.parties.offering = first.filter(|_| shared);
    Ok(())
}

/// What an order says, as the API calls it; what is empty is left out.
fn view(order: &Order, particulars: &Particulars) -> Vec<(String, Value)> {
    let Order { head, items, .. } = order;
    let money = |minor| json!(Money::new(minor, head.currency).decimal().to_string());
    let Particulars { contact, shipping_address, billing_address, customer_note, payment_method, .. } =
        particulars;
    // An empty object is as good as none.
    let metadata = particulars.metadata.as_ref().filter(|metadata| **metadata != json!({}));
    let mut all = vec![
        ("customer".to_owned(), json!(head.parties.customer.to_string())),
        ("contact".to_owned(), json!(contact)),
        ("shippingAddress".to_owned(), json!(shipping_address)),
        ("billingAddress".to_owned(), json!(billing_address)),
        ("customerNote".to_owned(), json!(customer_note)),
        ("paymentMethod".to_owned(), json!(payment_method.map(PaymentMethod::name))),
        ("externalReference".to_owned(), json!(head.external_reference)),
        ("expiresOn".to_owned(), json!(head.expires_on)),
        ("tags".to_owned(), json!(head.tags)),
        ("metadata".to_owned(), json!(metadata)),
    ];
    all.extend(items.iter().map(|item| {
        let said = json!({
            "name": item.name,
            "sku": item.sku,
            "quantity": item.quantity,
            "unitPrice": item.unit_price.decimal().to_string(),
            "discount": money(item.discount),
            "configuration": item.configuration,
        });
        (format!("items.{}", item.position), said)
    }));
    all.extend([
        ("deliveryFee".to_owned(), money(head.delivery_fee)),
        ("total".to_owned(), money(head.total)),
    ]);
    all.retain(|(_, value)| !value.is_null());
    all
}

/// What differs: what was there before first, in its order.
fn difference(before: Vec<(String, Value)>, after: Vec<(String, Value)>) -> Vec<Change> {
    let find = |all: &[(String, Value)], field: &str| {
        all.iter().find(|(known, _)| known == field).map(|(_, value)| value.clone())
    };
    let new = after.iter().map(|(field, _)| field).filter(|field| find(&before, field).is_none());
    let fields: Vec<String> = before.iter().map(|(field, _)| field).chain(new).cloned().collect();
    let changes = fields.into_iter().map(|field| {
        let (before, after) = (find(&before, &field), find(&after, &field));
        Change { field, before, after }
    });
    changes.filter(|change| change.before != change.after).collect()
}
