//! `orderUpdate`: what an order says, changed or only tried; and what edits changed.

use async_graphql::{Context, ID, InputObject, Json, MaybeUndefined, Object, OneofObject, SimpleObject};
use domain::{
    id::{OrderId, ProductId},
    order::{self, Change, Edit, LineEdit, Patch},
    role::RoleSet,
};

use super::{
    Order, OrderError,
    change::Answer,
    event::OrderEvent,
    money::{MoneyInput, OrderPricing, PaymentMethod},
    place::{OrderAddressInput, OrderContactInput},
    viewer,
};
use crate::{
    app::App,
    error::Result as Checked,
    graphql::{failure::Result, paging::parse_id, scalar::Date},
    store::order::Name,
    usecase::order::{Edited, Terms, edit},
};

/// A line that an order is to have besides.
#[derive(Clone, Debug, InputObject)]
pub struct OrderLineAddInput {
    /// The product's id; of the provider, workflow and currency of the other lines.
    pub product: ID,
    /// How many; 1 if not given.
    pub quantity: Option<i32>,
    /// What is configured: an object such as `{"vCPU": 4}`.
    pub configuration: Option<Json<serde_json::Value>>,
    /// Taken off this line; for those who take orders for the operator.
    pub discount: Option<MoneyInput>,
}

/// A line that is to be another; what is not given stays.
#[derive(Clone, Debug, InputObject)]
pub struct OrderLineChangeInput {
    /// The line's id.
    pub item: ID,
    /// How many.
    pub quantity: Option<i32>,
    /// What is configured, as a whole.
    pub configuration: Option<Json<serde_json::Value>>,
    /// Taken off this line; for those who take orders for the operator.
    pub discount: Option<MoneyInput>,
}

/// A line that is to go.
#[derive(Clone, Debug, InputObject)]
pub struct OrderLineRemoveInput {
    /// The line's id.
    pub item: ID,
}

/// What becomes of a line. Lines that work has begun on stay as they are.
#[derive(Clone, Debug, OneofObject)]
pub enum OrderLineEditInput {
    /// One more line, at today's price.
    Add(OrderLineAddInput),
    /// Another quantity, configuration or discount.
    Change(OrderLineChangeInput),
    /// One line less.
    Remove(OrderLineRemoveInput),
}

/// What an order is to say. What is not given stays as it is; null empties what may be empty.
#[derive(Clone, Debug, InputObject)]
pub struct OrderUpdateInput {
    /// The order's id.
    pub order: ID,
    /// The customer's id; for those who take orders for the operator.
    pub customer: Option<ID>,
    /// Whom to reach, as a whole.
    pub contact: Option<OrderContactInput>,
    /// Where to deliver, as a whole.
    pub shipping_address: MaybeUndefined<OrderAddressInput>,
    /// Whom to bill, as a whole.
    pub billing_address: MaybeUndefined<OrderAddressInput>,
    /// What the customer has to say.
    pub customer_note: MaybeUndefined<String>,
    /// How the customer means to pay.
    pub payment_method: MaybeUndefined<PaymentMethod>,
    /// Delivery fee; for those who take orders for the operator.
    pub delivery_fee: Option<MoneyInput>,
    /// The customer's own reference, unique per customer.
    pub external_reference: MaybeUndefined<String>,
    /// The last day on which it is wanted, in the customer's time zone.
    pub expires_on: MaybeUndefined<Date>,
    /// All tags; for those who take orders for the operator.
    pub tags: Option<Vec<String>>,
    /// Anything else, as a whole: an object; for those who take orders for the operator.
    pub metadata: MaybeUndefined<Json<serde_json::Value>>,
    /// What becomes of lines, in this order.
    pub lines: Option<Vec<OrderLineEditInput>>,
    /// Only say what would change, and change nothing.
    #[graphql(default)]
    pub dry_run: bool,
    /// A key of the caller's choice: the same request under the same key is done once.
    pub idempotency_key: Option<String>,
    /// Refuse if the order has another version than this.
    pub expected_version: Option<i32>,
}

/// One thing that an edit changed.
#[derive(Clone, Debug, SimpleObject)]
pub struct OrderFieldChange {
    /// The field of the order; `items.2` is the line at position 2.
    field: String,
    /// What it was; null where there was nothing.
    before: Option<Json<serde_json::Value>>,
    /// What it is; null where there is nothing any more.
    after: Option<Json<serde_json::Value>>,
}

impl OrderFieldChange {
    /// Those of the changes that somebody with these rights on the order sees.
    pub fn shown(changes: &[Change], standing: RoleSet) -> Vec<OrderFieldChange> {
        let shown = changes.iter().filter(|change| change.is_shown_to(standing)).cloned();
        shown
            .map(|Change { field, before, after }| OrderFieldChange {
                field,
                before: before.map(Json),
                after: after.map(Json),
            })
            .collect()
    }
}

/// Changes what an order says.
#[derive(Clone, Debug, SimpleObject)]
pub struct OrderUpdatePayload {
    /// The order as it is now; null when it was refused or only tried.
    order: Option<Order>,
    /// What happened; null when it was refused or only tried.
    event: Option<OrderEvent>,
    /// What changed, or would change.
    changes: Vec<OrderFieldChange>,
    /// What the order costs then; null when it was refused.
    pricing: Option<OrderPricing>,
    /// Whether the same request, by its idempotency key, had been carried out before.
    replayed: bool,
    /// Why it was refused; empty on success.
    errors: Vec<OrderError>,
}

/// Changing what orders say.
#[derive(Debug, Default)]
pub struct EditMutation;

#[Object]
impl EditMutation {
    /// Changes what an order says, in a status in which it can be edited: customer, contact, addresses, lines, fee,
    /// payment method, tags, metadata. `dryRun` tells what would change and what the order would cost. Customers
    /// edit their own orders until they submit them.
    async fn order_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the order is to say.")] input: OrderUpdateInput,
    ) -> Result<OrderUpdatePayload> {
        let session = viewer(ctx)?;
        let order: OrderId = parse_id(&input.order, "input.order")?;
        let terms = Terms {
            idempotency_key: input.idempotency_key.clone(),
            expected_version: input.expected_version.map(i64::from),
        };
        let (app, dry_run) = (ctx.data_unchecked::<App>(), input.dry_run);
        let edited = match read(input) {
            Ok(asked) => edit(app, session.actor(), order, (asked, dry_run), terms).await,
            Err(error) => Err(error),
        };
        let name = Some(Name::Id(order));
        let Edited { head, changes, written } = match edited {
            Ok(edited) => edited,
            Err(error) => {
                let Answer { order, event, replayed, errors } =
                    Answer::of(ctx, session, name, Err(error)).await?;
                return Ok(OrderUpdatePayload {
                    order,
                    event,
                    changes: Vec::new(),
                    pricing: None,
                    replayed,
                    errors,
                });
            }
        };
        let standing = session.standing(&head.parties, head.deleted_at.is_some());
        let (changes, pricing) = (OrderFieldChange::shown(&changes, standing), Some(OrderPricing::of(&head)));
        let Some(written) = written else {
            let (order, event, errors) = (None, None, Vec::new());
            return Ok(OrderUpdatePayload { order, event, changes, pricing, replayed: false, errors });
        };
        let Answer { order, event, replayed, errors } = Answer::of(ctx, session, name, Ok(written)).await?;
        Ok(OrderUpdatePayload { order, event, changes, pricing, replayed, errors })
    }
}

fn patch<T>(given: MaybeUndefined<T>) -> Patch<T> {
    match given {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

fn read(input: OrderUpdateInput) -> Checked<Edit> {
    let money = |input: Option<MoneyInput>, path: &str| input.map(|money| money.read(path)).transpose();
    let contact = |input: OrderContactInput| order::Contact {
        name: input.name,
        email: input.email,
        phone: input.phone,
    };
    let lines = input.lines.unwrap_or_default().into_iter().enumerate();
    Ok(Edit {
        customer: input.customer.map(|id| parse_id(&id, "input.customer")).transpose()?,
        contact: input.contact.map(contact),
        shipping_address: patch(input.shipping_address).map(|address| address.map(Into::into)),
        billing_address: patch(input.billing_address).map(|address| address.map(Into::into)),
        customer_note: patch(input.customer_note),
        payment_method: patch(input.payment_method).map(|method| method.map(Into::into)),
        delivery_fee: money(input.delivery_fee, "deliveryFee")?,
        external_reference: patch(input.external_reference),
        expires_on: patch(input.expires_on).map(|day| day.map(|day| day.0)),
        tags: input.tags,
        metadata: patch(input.metadata).map(|metadata| metadata.map(|metadata| metadata.0)),
        lines: lines.map(|(i, line)| read_line(i, line)).collect::<Checked<_>>()?,
    })
}

fn read_line(i: usize, line: OrderLineEditInput) -> Checked<LineEdit> {
    let discount = |given: Option<MoneyInput>, what: &str| {
        given.map(|discount| discount.read(&format!("lines.{i}.{what}.discount"))).transpose()
    };
    Ok(match line {
        OrderLineEditInput::Add(line) => {
            let product: ProductId = parse_id(&line.product, format!("input.lines.{i}.add.product"))?;
            LineEdit::Add {
                product,
                quantity: line.quantity.map_or(1, i64::from),
                configuration: line.configuration.map(|configuration| configuration.0),
                discount: discount(line.discount, "add")?,
            }
        }
        OrderLineEditInput::Change(line) => LineEdit::Change {
            item: parse_id(&line.item, format!("input.lines.{i}.change.item"))?,
            quantity: line.quantity.map(i64::from),
            configuration: line.configuration.map(|configuration| configuration.0),
            discount: discount(line.discount, "change")?,
        },
        OrderLineEditInput::Remove(line) => {
            LineEdit::Remove { item: parse_id(&line.item, format!("input.lines.{i}.remove.item"))? }
        }
    })
}
