//! The lines of an order, what they provide, and the attempts at it.

use async_graphql::{Context, Enum, ID, Json, Object, SimpleObject, Value, resolver_utils::enum_value};
use domain::{
    id::ProductId,
    order::{self, Outcome},
    permission::Field,
    role::RoleSet,
};

use super::{Order, batch::Lines, money::Money, resource::Resource, store};
use crate::{
    error::Error,
    graphql::{
        at_hand::{Asked, AtHand, Plain, within},
        failure::{Failure, Result},
        product::{Product, UnitPrice, rate},
        scalar::{DateTime, Decimal},
        siblings::One,
    },
    store::parts::Line,
};

/// Where one line stands; apart from the order's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "order::ItemStatus")]
pub enum ItemStatus {
    /// Nothing has begun.
    Pending,
    /// An attempt is running.
    Provisioning,
    /// Delivered and in use.
    Active,
    /// The last attempt failed.
    Failed,
    /// Cancelled before it was active.
    Cancelled,
    /// Was active, and has been ended.
    Terminated,
}

/// Whether the order that a line belongs to is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum PaymentStatus {
    /// Nothing is paid.
    Unpaid,
    /// A part is paid.
    Partial,
    /// All is paid.
    Paid,
}

/// One line of an order. Name, SKU, configuration and price are as they were when it was placed.
#[derive(Clone, Debug)]
pub struct OrderItem {
    line: One<Line>,
    order: Order,
}

impl OrderItem {
    /// The fields that need more than a [`Line`]: an answer that shows one of them reads all at once.
    pub const MORE: [&str; 7] =
        ["sku", "configuration", "unitPrice", "discount", "taxRate", "tax", "resource"];

    /// A line of this order.
    pub fn new(line: One<Line>, order: Order) -> OrderItem {
        OrderItem { line, order }
    }

    /// All that there is about it.
    async fn item(&self, ctx: &Context<'_>) -> Result<One<order::Item>> {
        let lines = self.order.batch.lines(store(ctx), || true).await?;
        let items = lines.items.get(store(ctx), self.order.head.id).await?.unwrap_or_default();
        // Both are sorted by position.
        let item = self.line.beside(items).filter(|item| item.id == self.line.id);
        Ok(item.ok_or_else(|| Error::internal("a line that is gone"))?)
    }

    fn product_among(&self, lines: &Lines, id: ProductId) -> Product {
        Product::among(&lines.products, id, &self.order.batch.organizations)
    }

    fn shown_quantity(&self) -> i32 {
        i32::try_from(self.line.quantity).unwrap_or(i32::MAX)
    }

    fn money(&self, minor: i64) -> Money {
        Money::new(minor, self.order.head.currency)
    }
}

/// One line of an order. Name, SKU, configuration and price are as they were when it was placed.
#[Object]
impl OrderItem {
    /// Its id.
    async fn id(&self) -> ID {
        self.line.id.to_string().into()
    }

    /// From 1, without gaps.
    async fn position(&self) -> i32 {
        self.line.position()
    }

    /// The product, while the catalogue knows it.
    async fn product(&self, ctx: &Context<'_>) -> Option<Result<AtHand<Product>>> {
        let id = self.line.product?;
        let lines = self.order.batch.lines(store(ctx), || false).await.map_err(Failure::from);
        Some(lines.map(|lines| AtHand(self.product_among(lines, id))))
    }

    /// The product's name.
    async fn name(&self) -> &str {
        &self.line.name
    }

    /// The product's stock keeping unit.
    async fn sku(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.item(ctx).await?.sku.clone())
    }

    /// What was configured: vCPU, memory, storage.
    async fn configuration(&self, ctx: &Context<'_>) -> Result<Json<serde_json::Value>> {
        Ok(Json(self.item(ctx).await?.configuration.clone()))
    }

    /// How many.
    async fn quantity(&self) -> i32 {
        self.shown_quantity()
    }

    /// The price of one.
    async fn unit_price(&self, ctx: &Context<'_>) -> Result<UnitPrice> {
        Ok(UnitPrice::new(self.item(ctx).await?.unit_price, self.order.head.currency))
    }

    /// Taken off this line.
    async fn discount(&self, ctx: &Context<'_>) -> Result<Money> {
        Ok(self.money(self.item(ctx).await?.discount))
    }

    /// Quantity times unit price less discount, before tax.
    async fn line_total(&self) -> Money {
        self.money(self.line.line_total)
    }

    /// Tax as a fraction of the line total.
    async fn tax_rate(&self, ctx: &Context<'_>) -> Result<Decimal> {
        Ok(rate(self.item(ctx).await?.tax_rate))
    }

    /// Tax on this line.
    async fn tax(&self, ctx: &Context<'_>) -> Result<Money> {
        Ok(self.money(self.item(ctx).await?.tax))
    }

    /// Where the line stands.
    async fn status(&self) -> ItemStatus {
        self.line.status.into()
    }

    /// Whether the order is paid.
    async fn payment_status(&self) -> PaymentStatus {
        let head = &self.order.head;
        match (head.due() <= 0, head.paid > 0) {
            (true, _) => PaymentStatus::Paid,
            (false, true) => PaymentStatus::Partial,
            (false, false) => PaymentStatus::Unpaid,
        }
    }

    /// What it provides, once work on it has begun.
    async fn resource(&self, ctx: &Context<'_>) -> Option<Result<Resource>> {
        let found = async {
            let Some(id) = self.item(ctx).await?.resource else { return Ok(None) };
            let lines = self.order.batch.lines(store(ctx), || true).await?;
            let found = lines.resources(store(ctx)).await?.get(store(ctx), id).await?;
            let Some(found) = found else { return Ok::<_, Failure>(None) };
            Ok(Some(Resource::new(found, lines.histories(store(ctx)).await?)))
        };
        found.await.transpose()
    }
}

impl Plain for OrderItem {
    fn plain(&self, field: &Asked) -> Option<Value> {
        Some(match field.name.node.as_str() {
            "id" => self.line.id.to_string().into(),
            "position" => self.line.position().into(),
            "name" => self.line.name.as_str().into(),
            "quantity" => self.shown_quantity().into(),
            "status" => enum_value(ItemStatus::from(self.line.status)),
            "lineTotal" => return within(&self.money(self.line.line_total), field),
            "product" => match self.line.product {
                None => Value::Null,
                Some(id) => return within(&self.product_among(self.order.batch.known_lines()?, id), field),
            },
            _ => return None,
        })
    }
}

/// What a failure was due to, as told by whoever reported it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "order::ErrorCategory")]
pub enum ErrorCategory {
    /// Not enough of a resource.
    Capacity,
    /// The order or offering is configured wrongly.
    Configuration,
    /// The provisioning machinery failed.
    Infrastructure,
    /// Anything else, and what is not told.
    Other,
}

/// Why an attempt failed.
#[derive(Clone, Debug, SimpleObject)]
pub struct OrderFailure {
    /// What it was due to.
    category: ErrorCategory,
    /// In words; to buyers a sentence that says no more than the category.
    message: String,
    /// Where in the provider's code; for staff and the provider.
    traceback: Option<String>,
    /// The status in which it failed; for the operator and the provider.
    stage: Option<String>,
    /// When.
    at: Option<DateTime>,
}

impl OrderFailure {
    /// The failure of an attempt, as somebody with this standing reads it.
    pub fn of(attempt: &order::Attempt, standing: RoleSet) -> Option<OrderFailure> {
        let failure = attempt.failure.as_ref()?;
        let inside = Field::ErrorMessage.shows(standing);
        let traceback = failure.traceback.clone().filter(|_| Field::Traceback.shows(standing));
        Some(OrderFailure {
            category: failure.category.into(),
            message: if inside {
                failure.message.clone()
            } else {
                safe_sentence(failure.category).to_owned()
            },
            traceback,
            stage: inside.then(|| attempt.stage.clone()),
            at: attempt.ended_at.map(DateTime),
        })
    }
}

/// What buyers are told: a failure's own words may hold secrets of the provider.
fn safe_sentence(category: order::ErrorCategory) -> &'static str {
    match category {
        order::ErrorCategory::Capacity => "there was not enough capacity; the provider has been told",
        order::ErrorCategory::Configuration => "the order could not be carried out as it is configured",
        order::ErrorCategory::Infrastructure => "the provider had a technical problem",
        order::ErrorCategory::Other => "the order could not be carried out",
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Outcome")]
pub enum AttemptOutcome {
    /// It has not ended.
    Running,
    /// It delivered.
    Succeeded,
    /// It failed.
    Failed,
    /// The order was cancelled or reset under it.
    Abandoned,
}

/// What became of the inputs that an attempt was begun with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "order::InputsState")]
pub enum AttemptInputs {
    /// Sealed, until a worker claims the attempt.
    Sealed,
    /// Told to the worker that claimed the attempt, and destroyed.
    Read,
    /// Destroyed unread: the attempt ended before a worker claimed it.
    Destroyed,
}

/// One run at provisioning a line. A retry opens the next one and leaves this as it is.
#[derive(Clone, Debug)]
pub struct Attempt {
    attempt: One<order::Attempt>,
    order: Order,
}

impl Attempt {
    /// An attempt on a line of this order.
    pub fn new(attempt: One<order::Attempt>, order: Order) -> Attempt {
        Attempt { attempt, order }
    }
}

/// One run at provisioning a line. A retry opens the next one and leaves this as it is.
#[Object]
impl Attempt {
    /// Its id.
    async fn id(&self) -> ID {
        self.attempt.id.to_string().into()
    }

    /// The id of the line.
    async fn item_id(&self) -> ID {
        self.attempt.item.to_string().into()
    }

    /// From 1, per line.
    async fn number(&self) -> i32 {
        self.attempt.number
    }

    /// The status that the order was in when the attempt last moved.
    async fn stage(&self) -> &str {
        &self.attempt.stage
    }

    /// How it ended.
    async fn outcome(&self) -> AttemptOutcome {
        self.attempt.outcome.into()
    }

    /// When it began.
    async fn started_at(&self) -> DateTime {
        DateTime(self.attempt.started_at)
    }

    /// When it ended.
    async fn ended_at(&self) -> Option<DateTime> {
        self.attempt.ended_at.map(DateTime)
    }

    /// Whether a worker holds it.
    async fn is_claimed(&self) -> bool {
        self.attempt.claim.is_some()
    }

    /// When it is lost, unless the worker that holds it renews its lease.
    async fn lease_until(&self) -> Option<DateTime> {
        self.attempt.claim.map(|claim| DateTime(claim.until))
    }

    /// What became of the inputs that it was begun with; null if there were none. The inputs themselves are told to
    /// the worker that claims it, once.
    async fn inputs(&self) -> Option<AttemptInputs> {
        self.attempt.inputs.map(Into::into)
    }

    /// Why it failed.
    async fn error(&self) -> Option<OrderFailure> {
        OrderFailure::of(&self.attempt, self.order.standing)
    }
}
