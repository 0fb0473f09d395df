//! Subscriptions to orders: how one is opened, and the words in which it is told what happens. Carrying the
//! words to whoever subscribed, for as long as it listens, is the edge's.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Context, Enum, ID, SimpleObject, Subscription};
use domain::{
    event::EventKind,
    id::OrderId,
    order::{Sight, Watch},
    permission::Field,
};
use futures_util::{Stream, stream};

use super::{
    Order,
    event::{OrderEvent, readable},
    filter::OrderWhereInput,
    viewer,
};
use crate::{
    app::App,
    bus::{Cursors, hub::Tidings},
    error::Error,
    graphql::{
        failure::{Failure, Result},
        paging::parse_id,
        viewer::Session,
    },
    store::{
        event::{Logged, Position},
        order,
    },
};

/// The cursor behind which a browser's event source goes on; it beats the argument `after`. Put into the
/// data of a request that names one.
#[derive(Clone, Debug)]
pub struct ResumeAfter(pub String);

/// What a subscription's request is executed for; put into its data by whoever carries it on.
#[derive(Clone, Debug)]
pub enum Stage {
    /// It begins: its arguments are read, and it is told that it has.
    Open(Opening),
    /// This has happened: once the message for each is written, the stream ends.
    Tell(Arc<[Tidings]>),
}

/// Where a subscription that begins leaves what it watches.
#[derive(Clone, Debug, Default)]
pub struct Opening(Arc<Mutex<Option<Opened>>>);

/// What a subscription watches, and from where.
#[derive(Debug)]
pub struct Opened {
    /// What it watches, with the rights held when it began.
    pub watch: Watch,
    /// It is to be told of everything behind this.
    pub position: Position,
}

impl Opening {
    /// What was left, once.
    pub fn take(&self) -> Option<Opened> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn leave(&self, opened: Opened) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
    }
}

/// What a message of the live feed is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum OrderChangeKind {
    /// The stream has begun; the cursor is where it begins.
    Started,
    /// An order was placed.
    Created,
    /// An order moved to another status.
    StatusChanged,
    /// Something else about an order changed: its lines, an attempt at it.
    Updated,
    /// An order has rested in a status for longer than its workflow allows.
    Stalled,
    /// An order was given to somebody.
    Assigned,
    /// Somebody wrote a note on an order.
    Note,
    /// Money was received or given back.
    Payment,
    /// An order came into the filter or into the viewer's reach.
    Entered,
    /// An order left the filter or the viewer's reach; only its id is told.
    Left,
    /// An order was deleted, or removed for good; only its id is told.
    Removed,
    /// An order was deleted, told to those who still see it.
    Deleted,
    /// A deleted order came back.
    Restored,
    /// Nothing happened for this stream, but the cursor has moved on.
    Checkpoint,
}

/// One message of the live feed.
#[derive(Clone, Debug, SimpleObject)]
pub struct OrderChange {
    /// What it is about.
    kind: OrderChangeKind,
    /// Pass it as `after` to go on behind this message.
    cursor: String,
    /// The order's id; null for messages about no order.
    order_id: Option<ID>,
    /// The order as this viewer sees it now; null when it left or is gone.
    order: Option<Order>,
    /// What happened; null when the viewer may not know it.
    event: Option<OrderEvent>,
}

/// Watching orders.
#[derive(Debug, Default)]
pub struct OrderSubscription;

#[Subscription]
impl OrderSubscription {
    /// Everything that happens to the orders that the viewer may see and that match: once each, in the
    /// order in which it was committed, from a cursor or from now on. The first message is STARTED.
    async fn order_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "where", desc = "Conditions that the feed can follow.")] conditions: Option<
            OrderWhereInput,
        >,
        #[graphql(desc = "Go on behind this cursor; from now on if not given.")] after: Option<String>,
    ) -> Result<impl Stream<Item = Result<OrderChange>> + use<>> {
        messages(ctx, Asked { conditions, after, orders: None, statuses_only: false }).await
    }

    /// Changes of status alone, of the orders that the viewer may see and that match; and orders that
    /// enter or leave.
    async fn order_status_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only these orders, at most 100.")] order_ids: Option<Vec<ID>>,
        #[graphql(name = "where", desc = "Conditions that the feed can follow.")] conditions: Option<
            OrderWhereInput,
        >,
        #[graphql(desc = "Go on behind this cursor; from now on if not given.")] after: Option<String>,
    ) -> Result<impl Stream<Item = Result<OrderChange>> + use<>> {
        messages(ctx, Asked { conditions, after, orders: order_ids, statuses_only: true }).await
    }
}

/// The arguments of a subscription.
struct Asked {
    conditions: Option<OrderWhereInput>,
    after: Option<String>,
    orders: Option<Vec<ID>>,
    statuses_only: bool,
}

async fn messages(
    ctx: &Context<'_>,
    asked: Asked,
) -> Result<impl Stream<Item = Result<OrderChange>> + use<>> {
    let narrator = Narrator { session: viewer(ctx)?, cursors: ctx.data_unchecked() };
    let messages = match ctx.data_opt::<Stage>() {
        Some(Stage::Open(opening)) => {
            let opened = open(ctx, asked).await?;
            let started = narrator.bare(OrderChangeKind::Started, opened.position, None);
            opening.leave(opened);
            vec![Ok(started)]
        }
        Some(Stage::Tell(tidings)) => narrator.tell(ctx.data_unchecked::<App>(), tidings).await?,
        None => return Err(Error::internal("nobody carries this subscription on").into()),
    };
    Ok(stream::iter(messages))
}

async fn open(ctx: &Context<'_>, asked: Asked) -> std::result::Result<Opened, Failure> {
    let Asked { conditions, after, orders, statuses_only } = asked;
    let (app, session) = (ctx.data_unchecked::<App>(), viewer(ctx)?);
    let orders = orders.map(|ids| {
        if ids.len() > 100 {
            return Err(Error::bad_input("orderIds", "at most 100 orders are allowed"));
        }
        ids.iter().map(|id| parse_id(id, "orderIds")).collect()
    });
    let orders: Option<Vec<OrderId>> = orders.transpose()?;
    let filter = conditions.unwrap_or_default().read()?;
    if let Some(field) = filter.not_live() {
        return Err(Error::LiveFilterUnsupported { field }.into());
    }
    let resumed = ctx.data_opt::<ResumeAfter>().map(|resumed| resumed.0.clone());
    let position = match resumed.or(after) {
        None => app.feed.now().await,
        Some(cursor) => ctx.data_unchecked::<Cursors>().open(&app.store, app.feed.head(), &cursor).await?,
    };
    let (grants, user) = (session.grants().to_vec(), session.actor().user());
    Ok(Opened { watch: Watch { grants, user, filter, orders, statuses_only }, position })
}

/// Puts what happened into words for a viewer.
struct Narrator<'a> {
    session: &'a Session,
    cursors: &'a Cursors,
}

impl Narrator<'_> {
    /// A message for each, in order. The orders are those that the viewer may see now.
    async fn tell(&self, app: &App, tidings: &[Tidings]) -> Result<Vec<Result<OrderChange>>> {
        let mut ids: Vec<OrderId> = tidings.iter().filter_map(shown).collect();
        ids.sort();
        ids.dedup();
        let heads = order::by_ids(&app.store, self.session.actor(), &ids).await?;
        let orders = Order::all(self.session, heads.into_values().collect());
        Ok(tidings.iter().map(|tidings| Ok(self.message(tidings, &orders))).collect())
    }

    fn message(&self, tidings: &Tidings, orders: &[Order]) -> OrderChange {
        let (at, logged, sight) = match tidings {
            Tidings::Checkpoint(position) => return self.bare(OrderChangeKind::Checkpoint, *position, None),
            Tidings::Sighting { position, logged, sight } => (*position, logged, *sight),
        };
        let id = logged.event.order;
        let mut message = self.bare(kind(sight, logged.event.kind), at, Some(id));
        if shown(tidings).is_some() {
            message.order = orders.iter().find(|order| order.head().id == id).cloned();
            message.event = message.order.as_ref().and_then(|order| event(order, logged));
        }
        message
    }

    fn bare(&self, kind: OrderChangeKind, at: Position, order: Option<OrderId>) -> OrderChange {
        OrderChange {
            kind,
            cursor: self.cursors.seal(at),
            order_id: order.map(|id| id.to_string().into()),
            order: None,
            event: None,
        }
    }
}

/// The order that a message shows; none for one that left or was removed, of which the id alone is told.
fn shown(tidings: &Tidings) -> Option<OrderId> {
    match tidings {
        Tidings::Checkpoint(_) | Tidings::Sighting { sight: Sight::Left | Sight::Removed, .. } => None,
        Tidings::Sighting { logged, .. } => Some(logged.event.order),
    }
}

fn event(order: &Order, logged: &Arc<Logged>) -> Option<OrderEvent> {
    let may = order.shows(Field::Timeline) && readable(logged.event.audience, order.standing);
    may.then(|| OrderEvent::single(Logged::clone(logged), order.clone()))
}

fn kind(sight: Sight, kind: EventKind) -> OrderChangeKind {
    match (sight, kind) {
        (Sight::Left | Sight::Nothing, _) => OrderChangeKind::Left,
        (Sight::Removed, _) => OrderChangeKind::Removed,
        (Sight::Created, _) => OrderChangeKind::Created,
        (Sight::Entered, EventKind::Restored) => OrderChangeKind::Restored,
        (Sight::Entered, _) => OrderChangeKind::Entered,
        (Sight::Changed, kind) => match kind {
            EventKind::Created | EventKind::Imported => OrderChangeKind::Created,
            EventKind::StatusChanged => OrderChangeKind::StatusChanged,
            EventKind::Updated | EventKind::Scheduled | EventKind::Unscheduled | EventKind::Lapsed => {
                OrderChangeKind::Updated
            }
            EventKind::Stalled => OrderChangeKind::Stalled,
            EventKind::Assigned => OrderChangeKind::Assigned,
            EventKind::Note => OrderChangeKind::Note,
            EventKind::Payment | EventKind::Refund => OrderChangeKind::Payment,
            EventKind::Deleted => OrderChangeKind::Deleted,
            EventKind::Restored => OrderChangeKind::Restored,
            EventKind::Purged => OrderChangeKind::Removed,
        },
    }
}
