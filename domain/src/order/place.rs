//! The rule for a new order: from a draft of lines to an order in its workflow's first status, and
//! further where the workflow moves by itself.

use chrono::NaiveDate;

use super::{
    Assignee, Head, Item, ItemStatus, Order, OrderKind, Particulars, Product, ProductKind, Resource,
    ResourceState, Setting,
    command::{FreeText, limits},
    content::{check_json, in_currency, particulars, tags},
    decide::run_automatic,
    decision::{Decision, Remark, Working},
    effect, pricing, timer,
};
use crate::{
    actor::Parties,
    event::{Audience, EventKind},
    id::{OrganizationId, ProductId},
    mint::Mint,
    money::Money,
    permission,
    refusal::Refusal,
    workflow::{Effect, Status},
};

/// A line as it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftLine {
    /// The product.
    pub product: ProductId,
    /// How many.
    pub quantity: i64,
    /// What is configured.
    pub configuration: Option<serde_json::Value>,
    /// Taken off this line; for those who take orders for the operator.
    pub discount: Option<Money>,
    /// The resource that an UPDATE or TERMINATE works on.
    pub resource: Option<Resource>,
}

/// An order as it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Who buys.
    pub customer: OrganizationId,
    /// What the order does; goods are a SALE and everything else a CREATE if not told.
    pub kind: Option<OrderKind>,
    /// The lines, at least one.
    pub lines: Vec<DraftLine>,
    /// Delivery fee; for those who take orders for the operator.
    pub delivery_fee: Option<Money>,
    /// Delivery agent; for those who take orders for the operator.
    pub agent: Option<Assignee>,
    /// The customer's reference.
    pub external_reference: Option<String>,
    /// The day until which it is wanted.
    pub expires_on: Option<NaiveDate>,
    /// Tags.
    pub tags: Vec<String>,
    /// Contact, addresses, notes.
    pub particulars: Particulars,
}

/// Decides whether an order may be placed, and what it is then.
///
/// # Errors
/// A [`Refusal`] that names the line or field.
pub fn place(setting: Setting<'_>, draft: &Draft, mint: &mut Mint) -> Result<Decision, Refusal> {
    let initial = setting.workflow.initial();
    let initial = initial.ok_or(Refusal::NotFound { what: "workflow" })?;
    let (mut order, particulars) = build(setting, draft, initial, mint)?;
    timer::arm(&mut order.head, setting.workflow);
    let mut working = Working::new(order, particulars, setting.workflow, mint);
    if setting.workflow.on_create.contains(&Effect::OpenInvoice) {
        effect::open_invoice(&mut working);
    }
    let remark = Remark { to: Some(initial.code.clone()), actor: setting.actor.user(), ..Remark::default() };
    working.record(EventKind::Created, Audience::Public, remark);
    run_automatic(&mut working, setting.facts)?;
    Ok(working.finish())
}

/// A priced order in a status, not yet recorded by any event.
pub(super) fn build(
    setting: Setting<'_>,
    draft: &Draft,
    status: &Status,
    mint: &mut Mint,
) -> Result<(Order, Particulars), Refusal> {
    if !permission::may_place_for(setting.actor, draft.customer) {
        return Err(Refusal::NotFound { what: "customer" });
    }
    let products = products(setting, draft)?;
    check_desk_only(setting, draft)?;
    let first = products[0];
    let kind = kind(draft, &products)?;
    let offering = products.iter().all(|product| product.id == first.id).then_some(first.id);
    let now = mint.now();
    let freezes = |row: &crate::workflow::Transition| row.effects.contains(&Effect::FreezePrices);
    let head = Head {
        id: mint.id(),
        number: mint.number(),
        kind,
        external_reference: FreeText { path: "externalReference", most: limits::NAME }
            .optional(draft.external_reference.as_deref())?,
        version: 0,
        workflow: setting.workflow.code.clone(),
        workflow_version: setting.workflow.version as i32,
        status: status.code.clone(),
        category: status.category,
        status_changed_at: now,
        stalls_at: None,
        expires_at: None,
        created_at: now,
        updated_at: now,
        placed_at: (!setting.workflow.transitions.iter().any(freezes)).then_some(now),
        completed_at: None,
        expires_on: draft.expires_on,
        deleted_at: None,
        parties: Parties {
            provider: first.provider,
            offering,
            customer: draft.customer,
            creator: setting.actor.user(),
            csr: None,
            agent: draft.agent.as_ref().map(|agent| agent.user),
        },
        currency: first.currency,
        subtotal: 0,
        discount: 0,
        tax: 0,
        delivery_fee: in_currency(draft.delivery_fee, first.currency, "deliveryFee")?,
        total: 0,
        paid: 0,
        tags: tags(&draft.tags)?,
    };
    let mut order = Order {
        items: items(draft, &products, kind, mint)?,
        head,
        resources: draft.lines.iter().filter_map(|line| line.resource.clone()).collect(),
        attempts: Vec::new(),
        invoice: None,
        payments: Vec::new(),
        refunds: Vec::new(),
        notes: Vec::new(),
        schedules: Vec::new(),
    };
    pricing::price_order(&mut order)?;
    Ok((order, particulars(&draft.particulars)?))
}

/// The lines' products: known, orderable, of one provider, workflow and currency.
fn products<'a>(setting: Setting<'a>, draft: &Draft) -> Result<Vec<&'a Product>, Refusal> {
    if draft.lines.is_empty() || draft.lines.len() > limits::LINES {
        return Err(Refusal::invalid("lines", format!("an order has 1 to {} lines", limits::LINES)));
    }
    let mut products = Vec::with_capacity(draft.lines.len());
    for (i, line) in draft.lines.iter().enumerate() {
        let product = setting.facts.products.get(&line.product).filter(|product| product.active);
        products.push(product.ok_or_else(|| {
            Refusal::invalid(&format!("lines.{i}.product"), "there is no such product to be ordered")
        })?);
    }
    let first = products[0];
    let mixed = |what| Err(Refusal::MixedOrder { what });
    if products.iter().any(|product| product.provider != first.provider) {
        return mixed("provider");
    }
    if products.iter().any(|product| product.workflow != first.workflow) {
        return mixed("workflow");
    }
    if products.iter().any(|product| product.currency != first.currency) {
        return mixed("currency");
    }
    Ok(products)
}

/// Fees, discounts and agents are not for customers to set.
fn check_desk_only(setting: Setting<'_>, draft: &Draft) -> Result<(), Refusal> {
    if permission::places_for_anyone(setting.actor) {
        let fits = |agent: &Assignee| permission::may_be_agent(&agent.actor);
        return match draft.agent.as_ref().is_none_or(fits) {
            true => Ok(()),
            false => Err(Refusal::invalid("deliveryAgent", "this account is no delivery agent")),
        };
    }
    // Whether the account is an agent, or there at all, is not for customers to know either.
    let only = "only those who take orders for the operator may set this";
    if draft.delivery_fee.is_some() {
        return Err(Refusal::invalid("deliveryFee", only));
    }
    if draft.agent.is_some() {
        return Err(Refusal::invalid("deliveryAgent", only));
    }
    match draft.lines.iter().position(|line| line.discount.is_some()) {
        Some(i) => Err(Refusal::invalid(&format!("lines.{i}.discount"), only)),
        None => Ok(()),
    }
}

fn kind(draft: &Draft, products: &[&Product]) -> Result<OrderKind, Refusal> {
    let physical = |product: &&Product| product.kind == ProductKind::Physical;
    let goods = products.iter().any(physical);
    let default = if goods { OrderKind::Sale } else { OrderKind::Create };
    let kind = draft.kind.unwrap_or(default);
    if goods != (kind == OrderKind::Sale) || products.iter().any(|p| physical(p) != goods) {
        return Err(Refusal::invalid("type", "goods are sold with SALE, everything else is not"));
    }
    for (i, (line, product)) in draft.lines.iter().zip(products).enumerate() {
        let path = format!("lines.{i}.resource");
        match (kind, &line.resource) {
            (OrderKind::Create | OrderKind::Sale, Some(_)) => {
                return Err(Refusal::invalid(&path, "only UPDATE and TERMINATE work on a resource"));
            }
            (OrderKind::Update | OrderKind::Terminate, None) => {
                return Err(Refusal::invalid(&path, "name the resource that the order works on"));
            }
            (_, Some(resource)) if resource.product != product.id || resource.customer != draft.customer => {
                return Err(Refusal::invalid(&path, "this resource is not of this product and customer"));
            }
            (_, Some(resource)) if resource.held_by.is_some() => {
                let path = path.split('.').map(str::to_owned).collect();
                return Err(Refusal::ResourceBusy { path, order: resource.held_by });
            }
            (_, Some(resource)) if named_before(&draft.lines[..i], resource) => {
                return Err(Refusal::invalid(&path, "another line of this order works on this resource"));
            }
            (_, Some(resource)) if resource.state != ResourceState::Ok => {
                return Err(Refusal::invalid(&path, "only a resource that is OK can be worked on"));
            }
            _ => {}
        }
    }
    Ok(kind)
}

/// Whether one of these lines is about the resource.
fn named_before(lines: &[DraftLine], resource: &Resource) -> bool {
    lines.iter().filter_map(|line| line.resource.as_ref()).any(|named| named.id == resource.id)
}

fn items(
    draft: &Draft,
    products: &[&Product],
    kind: OrderKind,
    mint: &mut Mint,
) -> Result<Vec<Item>, Refusal> {
    let mut items = Vec::with_capacity(draft.lines.len());
    for (i, (line, product)) in draft.lines.iter().zip(products).enumerate() {
        if !(1..=limits::QUANTITY).contains(&line.quantity) {
            let message = format!("a quantity is 1 to {}", limits::QUANTITY);
            return Err(Refusal::invalid(&format!("lines.{i}.quantity"), message));
        }
        let configuration = line.configuration.clone().unwrap_or_else(|| serde_json::json!({}));
        check_json(&configuration, &format!("lines.{i}.configuration"))?;
        items.push(Item {
            id: mint.id(),
            position: i as i32 + 1,
            product: Some(product.id),
            name: product.name.clone(),
            sku: product.sku.clone(),
            configuration,
            quantity: line.quantity,
            unit_price: product.unit_price,
            tax_rate: product.tax_rate,
            discount: in_currency(line.discount, product.currency, &format!("lines.{i}.discount"))?,
            tax: 0,
            line_total: 0,
            status: ItemStatus::Pending,
            resource: match kind {
                OrderKind::Update | OrderKind::Terminate => line.resource.as_ref().map(|r| r.id),
                OrderKind::Create | OrderKind::Sale => None,
            },
            holds: false,
            attempts: 0,
            failed_of: None,
        });
    }
    Ok(items)
}
