//! Subscriptions: every change of an order, pushed the moment it is committed, resumable from any
//! cursor.

use std::{sync::Arc, time::Duration};

use async_graphql::{Context, Enum, ID, SimpleObject, Subscription};
use domain::{
    event::EventKind,
    id::OrderId,
    order::{Sight, Watch, sight},
    permission::Field,
};
use futures_util::{Stream, StreamExt};
use tokio::{
    sync::mpsc::Sender,
    time::{Instant, timeout_at},
};

use super::{
    Order,
    event::{OrderEvent, moved},
    filter::OrderWhereInput,
    viewer,
};
use crate::{
    app::App,
    bus::{Cursors, Listener},
    error::Error,
    graphql::{
        failure::{Failure, Result},
        paging::parse_id,
        viewer::Session,
    },
    store::{
        event::{Logged, Position, Record},
        order,
    },
    usecase::session,
};

/// The cursor behind which a browser's event source goes on; it beats the argument `after`. Put into the
/// data of a request that names one.
#[derive(Clone, Debug)]
pub struct ResumeAfter(pub String);

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
    /// An order was deleted; only its id is told.
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

/// How often an idle stream is told where it stands.
const CHECKPOINT: Duration = Duration::from_secs(30);
/// For how long a stream's rights are taken as read before they are read again.
const RIGHTS: Duration = Duration::from_secs(1);

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
        // Boxed: what the beginning needs would stay with the stream for as long as it lives.
        let stream = Box::pin(LiveStream::open(ctx, conditions, after, Interest::All)).await?;
        Ok(stream.messages())
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
        let ids = order_ids.map(|ids| {
            if ids.len() > 100 {
                return Err(Error::bad_input("orderIds", "at most 100 orders are allowed"));
            }
            ids.iter().map(|id| parse_id(id, "orderIds")).collect()
        });
        let interest = Interest::Status(ids.transpose()?);
        let stream = Box::pin(LiveStream::open(ctx, conditions, after, interest)).await?;
        Ok(stream.messages())
    }
}

/// What a stream is told of.
enum Interest {
    All,
    Status(Option<Vec<OrderId>>),
}

struct LiveStream {
    app: Arc<App>,
    cursors: Cursors,
    session: Session,
    watch: Watch,
    interest: Interest,
    listener: Listener,
    read_rights_at: Instant,
}

impl LiveStream {
    async fn open(
        ctx: &Context<'_>,
        conditions: Option<OrderWhereInput>,
        after: Option<String>,
        interest: Interest,
    ) -> std::result::Result<LiveStream, Failure> {
        let session = viewer(ctx)?.clone();
        let app = ctx.data_unchecked::<Arc<App>>().clone();
        let cursors = ctx.data_unchecked::<Cursors>().clone();
        let filter = conditions.unwrap_or_default().read()?;
        if let Some(field) = filter.not_live() {
            return Err(Error::LiveFilterUnsupported { field }.into());
        }
        let resumed = ctx.data_opt::<ResumeAfter>().map(|resumed| resumed.0.clone());
        let from = match resumed.or(after) {
            None => app.feed.now().await,
            Some(cursor) => cursors.open(&app.store, app.feed.head(), &cursor).await?,
        };
        let watch = Watch { grants: session.grants().to_vec(), user: session.actor().user(), filter };
        let listener = app.feed.listen(from);
        let read_rights_at = Instant::now();
        Ok(LiveStream { app, cursors, session, watch, interest, listener, read_rights_at })
    }

    /// The messages: STARTED, then what happens, until the token expires or the account is gone.
    fn messages(mut self) -> impl Stream<Item = Result<OrderChange>> {
        // Boxed: a channel has room for its messages from the beginning, and most streams are idle.
        let (sender, receiver) = tokio::sync::mpsc::channel(16);
        // A task of its own: it waits for the feed and the clock; the channel holds a handful of
        // messages, so a client that does not read stops its stream and nobody else's.
        tokio::spawn(async move {
            let ended = tokio::select! {
                ended = self.pump(&sender) => ended,
                () = sender.closed() => return,
            };
            if let Err(failure) = ended {
                let _ = sender.send(Box::new(Err(failure))).await;
            }
        });
        tokio_stream::wrappers::ReceiverStream::new(receiver).map(|message| *message)
    }

    async fn pump(&mut self, sender: &Sender<Box<Result<OrderChange>>>) -> Result<()> {
        let gone = |_| Failure::from(Error::internal("the subscriber is gone"));
        let start = Box::new(Ok(self.bare(OrderChangeKind::Started, self.listener.position(), None)));
        sender.send(start).await.map_err(gone)?;
        let mut told = self.listener.position();
        let mut checkpoint = Instant::now() + CHECKPOINT;
        let left = self.session.expires_at() - self.app.world.now();
        let deadline = Instant::now() + left.to_std().unwrap_or_default();
        while Instant::now() < deadline {
            // One clock for both: most streams are idle, and there are many.
            match timeout_at(deadline.min(checkpoint), self.listener.next()).await {
                Ok(events) => {
                    // Boxed, like all that an idle stream does not need.
                    for message in Box::pin(self.translate(events?)).await? {
                        sender.send(Box::new(Ok(message))).await.map_err(gone)?;
                        told = self.listener.position();
                    }
                }
                Err(_) => {
                    checkpoint = Instant::now() + CHECKPOINT;
                    Box::pin(self.refresh_rights()).await?;
                    if told == self.listener.position() {
                        continue;
                    }
                    told = self.listener.position();
                    let message = Box::new(Ok(self.bare(OrderChangeKind::Checkpoint, told, None)));
                    sender.send(message).await.map_err(gone)?;
                }
            }
        }
        Err(Error::Unauthenticated.into())
    }

    /// What a batch of events means to this viewer, with the rights held now.
    async fn translate(&mut self, events: Vec<Arc<Record>>) -> Result<Vec<OrderChange>> {
        self.refresh_rights().await?;
        let seen: Vec<(Position, Arc<Logged>, Sight)> = events
            .into_iter()
            .filter_map(|record| Some((record.position(), record.order()?.clone())))
            .map(|(position, logged)| {
                let sight = sight(&self.watch, &logged.event);
                (position, logged, sight)
            })
            .filter(|(_, logged, sight)| *sight != Sight::Nothing && self.interests(logged, *sight))
            .collect();
        let shown = |sight: &Sight| !matches!(sight, Sight::Left | Sight::Removed);
        let mut ids: Vec<OrderId> =
            seen.iter().filter(|(.., sight)| shown(sight)).map(|(_, logged, _)| logged.event.order).collect();
        ids.sort();
        ids.dedup();
        let heads = order::by_ids(&self.app.store, self.session.actor(), &ids).await?;
        let orders: Vec<Order> = Order::all(&self.session, heads.into_values().collect());
        Ok(seen.into_iter().map(|(at, logged, sight)| self.message(at, &logged, sight, &orders)).collect())
    }

    fn interests(&self, logged: &Logged, sight: Sight) -> bool {
        let Interest::Status(ids) = &self.interest else { return true };
        let event = &logged.event;
        if ids.as_ref().is_some_and(|ids| !ids.contains(&event.order)) {
            return false;
        }
        let internal = event.after.as_ref().is_some_and(|after| {
            Field::InternalStatus.shows(self.session.standing(&after.parties, after.deleted))
        });
        sight != Sight::Changed || moved(event.before.as_ref(), event.after.as_ref(), internal)
    }

    fn message(&self, at: Position, logged: &Logged, sight: Sight, orders: &[Order]) -> OrderChange {
        let kind = match (sight, logged.event.kind) {
            (Sight::Left | Sight::Nothing, _) => OrderChangeKind::Left,
            (Sight::Removed, _) => OrderChangeKind::Removed,
            (Sight::Created, _) => OrderChangeKind::Created,
            (Sight::Entered, EventKind::Restored) => OrderChangeKind::Restored,
            (Sight::Entered, _) => OrderChangeKind::Entered,
            (Sight::Changed, kind) => match kind {
                EventKind::Created | EventKind::Imported => OrderChangeKind::Created,
                EventKind::StatusChanged => OrderChangeKind::StatusChanged,
                EventKind::Updated => OrderChangeKind::Updated,
                EventKind::Stalled => OrderChangeKind::Stalled,
                EventKind::Assigned => OrderChangeKind::Assigned,
                EventKind::Note => OrderChangeKind::Note,
                EventKind::Payment | EventKind::Refund => OrderChangeKind::Payment,
                EventKind::Deleted => OrderChangeKind::Deleted,
                EventKind::Restored => OrderChangeKind::Restored,
            },
        };
        let id = logged.event.order;
        let mut message = self.bare(kind, at, Some(id));
        if matches!(kind, OrderChangeKind::Left | OrderChangeKind::Removed) {
            return message;
        }
        message.order = orders.iter().find(|order| order.head().id == id).cloned();
        message.event = message.order.as_ref().and_then(|order| {
            (order.shows(Field::Timeline) && super::event::readable(logged.event.audience, order.standing))
                .then(|| OrderEvent::single(logged.clone(), order.clone()))
        });
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

    /// Reads the memberships again, unless that was done a moment ago.
    async fn refresh_rights(&mut self) -> Result<()> {
        if self.read_rights_at.elapsed() < RIGHTS {
            return Ok(());
        }
        let credentials = self.session.credentials().clone();
        let actor = session::actor(&self.app, &credentials).await?;
        self.session = Session::new(actor, credentials, self.session.expires_at());
        self.watch.grants = self.session.grants().to_vec();
        self.read_rights_at = Instant::now();
        Ok(())
    }
}
