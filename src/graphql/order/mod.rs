//! Orders: the type, and by file what is asked of them.

mod attempt;
mod available;
mod batch;
mod change;
mod counts;
mod desk;
mod edit;
mod event;
mod filter;
mod item;
mod line;
mod list;
mod live;
mod money;
mod particulars;
mod place;
mod refused;
mod removal;
mod resource;
mod schedule;

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Context, Enum, ID, Json, Object,
    connection::{Connection, EmptyFields},
};
use domain::{
    actor::Rights,
    id::OrganizationId,
    order::{self, Facts, Head, Product, Subject},
    permission::Field,
    role::RoleSet,
    workflow::{Category, Definition},
};

pub use attempt::AttemptMutation;
pub use batch::Batch;
pub use change::ActionMutation;
pub use counts::CountSubscription;
pub use desk::DeskMutation;
pub use edit::EditMutation;
pub use line::LineMutation;
pub use list::OrderQuery;
pub use live::{Opened, Opening, OrderSubscription, ResumeAfter, Stage};
pub use place::{ClientIp, PlaceMutation};
pub use refused::{NotFound, OrderError, Validation};
pub use removal::RemovalMutation;
pub use resource::{Resource, ResourceQuery};
pub use schedule::ScheduleMutation;

use self::{
    available::AvailableAction,
    event::OrderEvent,
    item::{Attempt, OrderFailure, OrderItem},
    money::{Invoice, OrderPricing, Payment, Refund},
    particulars::{OrderAddress, OrderContact},
    schedule::OrderSchedule,
};
use super::{
    at_hand::AtHand,
    failure::{Failure, Result},
    paging::{Args, Cursor, Window, cost, index, uncursor},
    people::{Organization, User},
    scalar::{Date, DateTime},
    siblings::One,
    viewer::{Session, session},
    workflow::OrderStatus,
};
use crate::{
    app::App,
    error::Error,
    store::{Store, event::Stretch},
    usecase,
};

/// What an order does to its resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "order::OrderKind", name = "OrderType")]
pub enum OrderType {
    /// Brings a resource into being.
    Create,
    /// Changes an existing one.
    Update,
    /// Ends an existing one.
    Terminate,
    /// Sells goods; there is no resource.
    Sale,
}

/// An order, as this viewer sees it.
#[derive(Clone, Debug)]
pub struct Order {
    head: Arc<Head>,
    standing: RoleSet,
    batch: Arc<Batch>,
}

impl Order {
    /// The orders of one answer, in the given order; each is one that the viewer may see.
    pub fn all(session: &Session, heads: Vec<Head>) -> Vec<Order> {
        Order::beside(session, heads, HashMap::new())
    }

    /// The orders of one answer, when the names of their parties were read with them.
    pub fn beside(session: &Session, heads: Vec<Head>, names: HashMap<OrganizationId, String>) -> Vec<Order> {
        let heads: Vec<Arc<Head>> = heads.into_iter().map(Arc::new).collect();
        let batch = Batch::new(heads.clone(), names);
        let order = |head: Arc<Head>| Order {
            standing: session.standing(&head.parties, head.deleted_at.is_some()),
            head,
            batch: batch.clone(),
        };
        heads.into_iter().map(order).collect()
    }

    /// An order alone.
    pub fn single(session: &Session, head: Head) -> Order {
        let head = Arc::new(head);
        let standing = session.standing(&head.parties, head.deleted_at.is_some());
        Order { standing, batch: Batch::new(vec![head.clone()], HashMap::new()), head }
    }

    /// What lists and scope read of it.
    pub fn head(&self) -> &Head {
        &self.head
    }

    fn shows(&self, field: Field) -> bool {
        field.shows(self.standing)
    }

    fn internal(&self) -> bool {
        self.shows(Field::InternalStatus)
    }

    async fn workflow(&self, ctx: &Context<'_>) -> Result<Arc<Definition>> {
        Ok(usecase::order::workflow(ctx.data_unchecked::<App>(), store(ctx), &self.head).await?)
    }

    async fn person(
        &self,
        ctx: &Context<'_>,
        id: Option<domain::id::UserId>,
        field: Option<Field>,
    ) -> Option<Result<User>> {
        let id = id.filter(|_| field.is_none_or(|field| self.shows(field)))?;
        let found = self.batch.people.get(store(ctx), id).await;
        found.map(|user| user.map(User::from)).map_err(Failure::from).transpose()
    }

    async fn particulars(&self, ctx: &Context<'_>) -> Result<Arc<order::Particulars>> {
        Ok(self.batch.particulars.get(store(ctx), self.head.id).await?.unwrap_or_default())
    }

    /// What was found of a kind that not everybody on the order sees.
    fn list<P>(&self, found: Option<Arc<Vec<P>>>, field: Field) -> Vec<One<P>> {
        let shown = found.filter(|_| self.shows(field));
        shown.map(|all| One::each(&all).collect()).unwrap_or_default()
    }
}

/// The store of this server.
fn store<'a>(ctx: &Context<'a>) -> &'a Store {
    &ctx.data_unchecked::<App>().store
}

/// An order, as this viewer sees it. What the viewer may not see reads as null or as an empty list.
#[Object]
impl Order {
    /// Its id; sorts by creation.
    pub async fn id(&self) -> ID {
        self.head.id.to_string().into()
    }

    /// The number people read out: ten digits, unique, never reused.
    async fn number(&self) -> String {
        self.head.number.to_string()
    }

    /// What it does to its resources.
    #[graphql(name = "type")]
    async fn kind(&self) -> OrderType {
        self.head.kind.into()
    }

    /// The customer's own reference.
    async fn external_reference(&self) -> Option<&str> {
        self.head.external_reference.as_deref()
    }

    /// Grows by one with every event; pass it as `expectedVersion` to write only what you have seen.
    async fn version(&self) -> i32 {
        i32::try_from(self.head.version).unwrap_or(i32::MAX)
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.head.created_at)
    }

    /// When anything about it last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.head.updated_at)
    }

    /// When it was submitted; its prices are frozen since.
    async fn placed_at(&self) -> Option<DateTime> {
        self.head.placed_at.map(DateTime)
    }

    /// When it last ended, well or badly; null while work goes on.
    async fn completed_at(&self) -> Option<DateTime> {
        self.head.completed_at.map(DateTime)
    }

    /// The last day on which it is wanted, in the customer's time zone.
    async fn expires_on(&self) -> Option<Date> {
        self.head.expires_on.map(Date)
    }

    /// When it was deleted; such an order exists for staff alone.
    async fn deleted_at(&self) -> Option<DateTime> {
        self.head.deleted_at.map(DateTime)
    }

    /// The code of its workflow.
    async fn workflow_code(&self) -> &str {
        &self.head.workflow
    }

    /// Its status; to buyers the public one.
    async fn status(&self, ctx: &Context<'_>) -> Result<AtHand<OrderStatus>> {
        let workflow = self.workflow(ctx).await?;
        Ok(AtHand(OrderStatus::of(&workflow, &self.head.status, self.internal())))
    }

    /// When the status last changed.
    async fn status_changed_at(&self) -> DateTime {
        DateTime(self.head.status_changed_at)
    }

    /// Whether it has been in its status for longer than the workflow expects.
    async fn is_stalled(&self, ctx: &Context<'_>) -> Result<bool> {
        let now = ctx.data_unchecked::<App>().world.now();
        let workflow = self.workflow(ctx).await?;
        Ok(self.internal() && self.head.is_stalled(&workflow, now))
    }

    /// What this viewer may do to it now.
    async fn available_actions(&self, ctx: &Context<'_>) -> Result<Vec<AvailableAction>> {
        let workflow = self.workflow(ctx).await?;
        let lines = self.batch.lines(store(ctx), || true).await?;
        let items = lines.items.get(store(ctx), self.head.id).await?.unwrap_or_default();
        let products = lines.products.all(store(ctx)).await?;
        let products = products.map(|(id, product)| (*id, Product::clone(product))).collect();
        let facts = Facts { products, ..Facts::default() };
        let subject = Subject { head: &self.head, items: &items, facts: &facts };
        let rights = Rights { standing: self.standing, only: session(ctx)?.actor().only() };
        let actions = order::available_actions(&workflow, subject, rights);
        Ok(actions
            .into_iter()
            .map(|action| AvailableAction::of(&workflow, action, self.internal()))
            .collect())
    }

    /// Who buys.
    async fn customer(&self) -> AtHand<Organization> {
        AtHand(Organization::among(&self.batch.organizations, self.head.parties.customer))
    }

    /// Who provides.
    async fn provider(&self) -> AtHand<Organization> {
        AtHand(Organization::among(&self.batch.organizations, self.head.parties.provider))
    }

    /// Whom to reach about it, as it was when the order was placed.
    async fn contact(&self, ctx: &Context<'_>) -> Result<OrderContact> {
        let order::Contact { name, email, phone } = self.particulars(ctx).await?.contact.clone();
        Ok(OrderContact { name, email, phone })
    }

    /// Where to deliver, as it was when the order was placed.
    async fn shipping_address(&self, ctx: &Context<'_>) -> Option<Result<OrderAddress>> {
        let found = self.particulars(ctx).await;
        found.map(|particulars| particulars.shipping_address.clone().map(OrderAddress::from)).transpose()
    }

    /// Whom to bill, as it was when the order was placed; not for those who deliver.
    async fn billing_address(&self, ctx: &Context<'_>) -> Option<Result<OrderAddress>> {
        if !self.shows(Field::Commerce) {
            return None;
        }
        let found = self.particulars(ctx).await;
        found.map(|particulars| particulars.billing_address.clone().map(OrderAddress::from)).transpose()
    }

    /// What the customer wrote.
    async fn customer_note(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        let found = self.particulars(ctx).await;
        found.map(|particulars| particulars.customer_note.clone()).transpose()
    }

    /// How the customer means to pay.
    async fn payment_method(&self, ctx: &Context<'_>) -> Option<Result<money::PaymentMethod>> {
        let found = self.particulars(ctx).await;
        found.map(|particulars| particulars.payment_method.map(Into::into)).transpose()
    }

    /// The address that the order was placed from; for those who take orders for the operator.
    async fn client_ip(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        if !self.shows(Field::ClientIp) {
            return None;
        }
        self.particulars(ctx).await.map(|particulars| particulars.client_ip.clone()).transpose()
    }

    /// Anything else that was given with the order; for the operator and the provider.
    async fn metadata(&self, ctx: &Context<'_>) -> Option<Result<Json<serde_json::Value>>> {
        if !self.shows(Field::Metadata) {
            return None;
        }
        self.particulars(ctx).await.map(|particulars| particulars.metadata.clone().map(Json)).transpose()
    }

    /// Tags; for the operator and the provider.
    async fn tags(&self) -> &[String] {
        if self.shows(Field::Metadata) { &self.head.tags } else { &[] }
    }

    /// Who placed it; null for orders that came from outside.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        self.person(ctx, self.head.parties.creator, None).await
    }

    /// The customer-service representative; for the operator.
    async fn csr(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        self.person(ctx, self.head.parties.csr, Some(Field::Assignments)).await
    }

    /// The delivery agent; for the operator and the agent.
    async fn delivery_agent(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        self.person(ctx, self.head.parties.agent, Some(Field::Assignments)).await
    }

    /// The lines, by position.
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    async fn items(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, up to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Cursor<usize>, AtHand<OrderItem>, EmptyFields, EmptyFields>> {
        let window = Args { first, after, last, before }.window(index)?;
        let lines = self.batch.lines(store(ctx), || OrderItem::MORE.iter().any(|it| shows(ctx, it))).await?;
        let lines = One::each(&lines.of(self.head.id)).collect();
        Ok(Window::<usize>::slice(window, lines, |line| AtHand(OrderItem::new(line, self.clone()))))
    }

    /// Subtotal, discount, tax, fee, total, and what is paid and due.
    async fn pricing(&self) -> AtHand<OrderPricing> {
        AtHand(OrderPricing::of(&self.head))
    }

    /// The newest invoice.
    async fn invoice(&self, ctx: &Context<'_>) -> Option<Result<Invoice>> {
        if !self.shows(Field::Commerce) {
            return None;
        }
        let found = self.batch.invoices.get(store(ctx), self.head.id).await;
        let currency = self.head.currency;
        found
            .map(|invoice| invoice.map(|invoice| Invoice::new(&invoice, currency)))
            .map_err(Failure::from)
            .transpose()
    }

    /// Money received, oldest first.
    async fn payments(&self, ctx: &Context<'_>) -> Result<Vec<Payment>> {
        let found = self.batch.payments.get(store(ctx), self.head.id).await?;
        let payments = self.list(found, Field::Commerce);
        Ok(payments.into_iter().map(|payment| Payment::new(payment, self.clone())).collect())
    }

    /// Money given back, oldest first.
    async fn refunds(&self, ctx: &Context<'_>) -> Result<Vec<Refund>> {
        let found = self.batch.refunds.get(store(ctx), self.head.id).await?;
        let refunds = self.list(found, Field::Commerce);
        Ok(refunds.into_iter().map(|refund| Refund::new(refund, self.clone())).collect())
    }

    /// Notes that this viewer may read, oldest first.
    async fn notes(&self, ctx: &Context<'_>) -> Result<Vec<event::OrderNote>> {
        let notes = self.batch.notes.get(store(ctx), self.head.id).await?.unwrap_or_default();
        let readable = notes.iter().filter(|note| event::readable(note.audience, self.standing));
        Ok(readable.map(|note| event::OrderNote::new(note.clone(), self.clone())).collect())
    }

    /// The actions that wait for their time, the next one first, as far as this viewer may know of them.
    async fn scheduled(&self, ctx: &Context<'_>) -> Result<Vec<OrderSchedule>> {
        let schedules = self.batch.schedules.get(store(ctx), self.head.id).await?.unwrap_or_default();
        let readable = schedules.iter().filter(|it| event::readable(it.audience, self.standing));
        Ok(readable.map(|schedule| OrderSchedule::new(schedule.clone(), self.clone())).collect())
    }

    /// What is wrong now: the failure of the last attempt, while the order stands failed.
    async fn error(&self, ctx: &Context<'_>) -> Option<Result<OrderFailure>> {
        if self.head.category != Category::Failed {
            return None;
        }
        let attempts = match self.batch.attempts.get(store(ctx), self.head.id).await {
            Ok(attempts) => attempts?,
            Err(error) => return Some(Err(error.into())),
        };
        let failed = attempts.iter().filter(|attempt| attempt.failure.is_some());
        let last = failed.max_by_key(|attempt| attempt.ended_at)?;
        OrderFailure::of(last, self.standing).map(Ok)
    }

    /// Every run at provisioning its lines, oldest first; for the operator and the provider.
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    async fn attempts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, up to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Cursor<usize>, Attempt, EmptyFields, EmptyFields>> {
        let window = Args { first, after, last, before }.window(index)?;
        let found = self.batch.attempts.get(store(ctx), self.head.id).await?;
        let attempts = self.list(found, Field::Attempts);
        Ok(Window::<usize>::slice(window, attempts, |attempt| Attempt::new(attempt, self.clone())))
    }

    /// Whether a worker may claim an attempt at it, as far as the order goes; for the operator and the provider.
    async fn awaits_worker(&self, ctx: &Context<'_>) -> Result<bool> {
        if !self.shows(Field::Attempts) {
            return Ok(false);
        }
        let attempts = self.batch.attempts.get(store(ctx), self.head.id).await?.unwrap_or_default();
        Ok(order::awaits_worker(&*self.workflow(ctx).await?, &self.head, &attempts))
    }

    /// Everything that happened to it and that this viewer may know, oldest first.
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    async fn timeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, up to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Cursor<i64>, OrderEvent, EmptyFields, EmptyFields>> {
        let version = |text: &str| uncursor(text)?.parse::<i64>().ok();
        let window = Args { first, after, last, before }.window(version)?;
        let Window { after, before, from_end, .. } = window;
        if !self.shows(Field::Timeline) {
            return Ok(window.connection(Vec::<OrderEvent>::new(), EmptyFields, |event| (0, event)));
        }
        let stretch = Stretch { after, before, from_end, limit: window.limit() };
        let cell = self.batch.timeline(store(ctx), self.standing, stretch).await?;
        let Some(timelines) = cell.get() else { return Err(Error::internal("an empty timeline").into()) };
        let events = timelines.events.get(&self.head.id).cloned().unwrap_or_default();
        Ok(window.connection(events, EmptyFields, |logged| {
            (logged.event.version, OrderEvent::new(logged, self.clone(), timelines.people.clone()))
        }))
    }
}

/// Whether the elements of this field's connection are asked for a field. What is said here only decides
/// what is read together: whatever it misses is read when it is resolved.
fn shows(ctx: &Context<'_>, field: &str) -> bool {
    let asked = ctx.look_ahead();
    asked.field("nodes").field(field).exists() || asked.field("edges").field("node").field(field).exists()
}

/// The viewer's session, for resolvers that have one for certain.
pub(super) fn viewer<'a>(ctx: &Context<'a>) -> Result<&'a Session> {
    Ok(session(ctx)?)
}
