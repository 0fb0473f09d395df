//! How many orders stand in each status, told again whenever that changes.

use std::time::Duration;

use async_graphql::{Context, SimpleObject, Subscription};
use domain::{book::Book, order::Filter, permission::Field};
use futures_util::{Stream, stream};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{filter::OrderWhereInput, viewer};
use crate::{
    app::App,
    bus::{Cursors, Watcher},
    error::Error,
    graphql::{failure::Result, viewer::Session, workflow::OrderStatus},
    store::count::Counted,
    usecase::session,
};

/// How many orders stand in a status.
#[derive(Clone, Debug, SimpleObject)]
pub struct OrderStatusCount {
    /// The code of the workflow.
    workflow_code: String,
    /// The status; to buyers the public one.
    status: OrderStatus,
    /// How many orders stand in it.
    count: i32,
}

/// How many orders stand in each status, at one moment.
#[derive(Clone, Debug, SimpleObject)]
pub struct OrderStatusCounts {
    /// The moment: `orderEvents` goes on behind it.
    cursor: String,
    /// How many orders there are in all.
    total: i32,
    /// By workflow and status; a status that no order stands in is left out.
    counts: Vec<OrderStatusCount>,
}

/// The least time between two messages of a stream.
const PACE: Duration = Duration::from_millis(250);
/// For how long a stream's rights are taken as read before they are read again.
const RIGHTS: Duration = Duration::from_secs(1);
/// After how long a stream that has nothing to tell reads them.
const IDLE: Duration = Duration::from_secs(30);

/// Watching how many orders there are.
#[derive(Debug, Default)]
pub struct CountSubscription;

#[Subscription]
impl CountSubscription {
    /// How many of the orders that the viewer may see and that match stand in each status: at once, and again
    /// whenever a number has changed, at most four times a second. Numbers in between are left out, the last ones
    /// never.
    async fn order_status_counts(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "where", desc = "Conditions that the feed can follow.")] conditions: Option<
            OrderWhereInput,
        >,
    ) -> Result<impl Stream<Item = Result<OrderStatusCounts>> + use<>> {
        // Boxed: what the beginning needs would stay with the stream for as long as it lives.
        let counting = Box::pin(Counting::open(ctx, conditions.unwrap_or_default())).await?;
        Ok(stream::unfold(Some(Box::new(counting)), async |counting| {
            let mut counting = counting?;
            match counting.next().await {
                Ok(message) => Some((Ok(message), Some(counting))),
                Err(failure) => Some((Err(failure), None)),
            }
        }))
    }
}

/// One stream of counts.
struct Counting {
    app: App,
    cursors: Cursors,
    session: Session,
    filter: Filter,
    watcher: Watcher,
    read_rights_at: Instant,
    /// When the token expires.
    deadline: Instant,
    /// When the last message was sent; none before the first.
    told_at: Option<Instant>,
}

impl Counting {
    async fn open(ctx: &Context<'_>, conditions: OrderWhereInput) -> Result<Counting> {
        let session = viewer(ctx)?.clone();
        let app = ctx.data_unchecked::<App>().clone();
        let cursors = ctx.data_unchecked::<Cursors>().clone();
        let filter = conditions.read()?;
        if let Some(field) = filter.not_live() {
            return Err(Error::LiveFilterUnsupported { field }.into());
        }
        let watcher = app.tallies.watch(session.grants(), &filter).await?;
        let read_rights_at = Instant::now();
        let left = session.expires_at() - app.world.now();
        let deadline = read_rights_at + left.to_std().unwrap_or_default();
        Ok(Counting { app, cursors, session, filter, watcher, read_rights_at, deadline, told_at: None })
    }

    /// The next message: the first one at once, each further one when a number has changed and it is time.
    async fn next(&mut self) -> Result<OrderStatusCounts> {
        while let Some(told_at) = self.told_at {
            let counts = &mut self.watcher.counts;
            let change = async {
                sleep_until(told_at + PACE).await;
                counts.changed().await
            };
            let idle = self.read_rights_at.max(told_at) + IDLE;
            let changed = match timeout_at(idle.min(self.deadline), change).await {
                Ok(Ok(())) => true,
                Ok(Err(_)) => return Err(Error::internal("nobody counts any more").into()),
                Err(_) if Instant::now() >= self.deadline => return Err(Error::Unauthenticated.into()),
                Err(_) => false,
            };
            if self.refresh_rights().await? || changed {
                break;
            }
        }
        self.told_at = Some(Instant::now());
        let counted = self.watcher.counts.borrow_and_update();
        Ok(message(&self.app.book.now(), &self.cursors, &self.session, &counted))
    }

    /// Reads the memberships again, unless that was done a moment ago; with other rights it counts anew. Whether
    /// it does.
    async fn refresh_rights(&mut self) -> Result<bool> {
        if self.read_rights_at.elapsed() < RIGHTS {
            return Ok(false);
        }
        let credentials = self.session.credentials().clone();
        let actor = session::actor(&self.app, &credentials).await?;
        self.session = Session::new(actor, credentials, self.session.expires_at());
        self.read_rights_at = Instant::now();
        let watcher = self.app.tallies.watch(self.session.grants(), &self.filter).await?;
        let other = !watcher.is_with(&self.watcher);
        if other {
            self.watcher = watcher;
        }
        Ok(other)
    }
}

fn message(book: &Book, cursors: &Cursors, session: &Session, counted: &Counted) -> OrderStatusCounts {
    let internal = Field::InternalStatus.shows(session.actor().roles());
    let small = |count: i64| i32::try_from(count).unwrap_or(i32::MAX);
    let counts = counted.tally.counts().iter().map(|(seen, count)| OrderStatusCount {
        workflow_code: seen.workflow.clone(),
        status: status(book, &seen.workflow, &seen.status, internal),
        count: small(*count),
    });
    OrderStatusCounts {
        cursor: cursors.seal(counted.position),
        total: small(counted.tally.total()),
        counts: counts.collect(),
    }
}

/// A status as it is counted. Somebody who sees internal statuses may, as a customer elsewhere, see public ones.
fn status(book: &Book, workflow: &str, code: &str, internal: bool) -> OrderStatus {
    let known = |internal| book.status_seen_as(workflow, code, internal).map(|found| (found, internal));
    match known(internal).or_else(|| known(false)) {
        Some(((definition, status), internal)) => OrderStatus::of(definition, &status.code, internal),
        None => OrderStatus::unknown(code),
    }
}
