//! The tail of the log: read once per process, kept in a ring, handed to every listener from its own
//! position. A listener that falls behind the ring reads the table; nothing is ever skipped.
//!
//! Positions are dense, so a hole is visible as one, and no reader passes it: the feed stops in front of it
//! and reads again. The stamper makes no holes. What else does, a row removed by hand, will not be healed by
//! waiting; so after [`Pace::hole`] the feed says loudly what it does, in the log, in a metric and in
//! readiness until the process ends, and goes on behind the hole.

use std::{
    collections::VecDeque,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use super::bell::{Bell, Patience, Wire};
use crate::{
    error::{Error, Result},
    store::{
        Store, bell,
        event::{self, Position, Record, Stamped},
    },
    telemetry::metrics,
};

/// How soon to try again while another instance stamps.
const RETRY: Duration = Duration::from_millis(5);
/// How soon to try again when the database does not answer, whoever rings.
const PAUSE: Duration = Duration::from_millis(250);
/// How long one reading of the log may take; a longer one goes on where it was, over new connections.
const ROUND: Duration = Duration::from_secs(5);
/// Events per read.
const BATCH: usize = 500;
/// Events kept in memory.
const RING: usize = 4_096;

/// How patient the feed is.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long the log is left unread at most when nobody rings.
    pub poll: Duration,
    /// How long the feed waits in front of a hole.
    pub hole: Duration,
    /// How the bell is known to be heard.
    pub bell: Patience,
}

impl Default for Pace {
    fn default() -> Pace {
        let (poll, hole) = (Duration::from_millis(250), Duration::from_secs(10));
        Pace { poll, hole, bell: Patience::default() }
    }
}

/// The live feed of one process.
#[derive(Debug)]
pub struct Feed {
    store: Store,
    /// The feed's own connections: readers of orders, however many, do not keep it waiting.
    own: ArcSwap<Store>,
    pace: Pace,
    /// How other instances are woken, where there can be others.
    bell: Option<Bell>,
    ring: RwLock<VecDeque<Arc<Record>>>,
    head: watch::Sender<Position>,
    woken: Notify,
    /// How often reading the log has begun, and how often it has ended.
    begun: AtomicU64,
    ended: watch::Sender<u64>,
    opened: Instant,
    /// When the last reading ended, in milliseconds after `opened`.
    read: AtomicU64,
    /// A hole was passed over.
    maimed: AtomicBool,
}

/// What the feed remembers from one reading to the next.
#[derive(Debug, Default)]
struct Readings {
    /// Since when it stands in front of a hole.
    hole: Option<Instant>,
    failing: bool,
}

impl Feed {
    /// A feed that begins at the log's present head. On PostgreSQL instances wake each other by NOTIFY, once
    /// the database has an id.
    ///
    /// # Errors
    /// The database's.
    pub async fn open(store: Store) -> Result<Feed> {
        Feed::open_with(store, Wire::Notify, Pace::default()).await
    }

    /// A feed whose bell is carried by this, and that is so patient. On SQLite there is no bell: one process
    /// writes, and wakes itself.
    ///
    /// # Errors
    /// The database's.
    pub async fn open_with(store: Store, wire: Wire, pace: Pace) -> Result<Feed> {
        let database = if store.stamps_late() { bell::database(&store).await? } else { None };
        let bell = database.map(|database| Bell::new(store.clone(), database, wire, pace.bell));
        let head = watch::Sender::new(event::head(&store).await?);
        Ok(Feed {
            own: ArcSwap::from_pointee(store.apart()),
            store,
            pace,
            bell,
            ring: RwLock::new(VecDeque::with_capacity(RING)),
            head,
            woken: Notify::new(),
            begun: AtomicU64::new(0),
            ended: watch::Sender::new(0),
            opened: Instant::now(),
            read: AtomicU64::new(0),
            maimed: AtomicBool::new(false),
        })
    }

    /// Tells the reader that something was committed.
    pub fn ring(&self) {
        self.woken.notify_one();
    }

    /// The newest position that listeners have been told of.
    pub fn head(&self) -> Position {
        *self.head.borrow()
    }

    /// The position behind everything that was committed before the call: where "from now on" begins.
    /// Waits for a reading of the log that begins after the call.
    pub async fn now(&self) -> Position {
        let wanted = self.begun.load(Ordering::SeqCst) + 1;
        self.ring();
        // The sender lives as long as the feed, so there is no error to handle.
        let _ = self.ended.subscribe().wait_for(|ended| *ended >= wanted).await;
        self.head()
    }

    /// How often the log has been read, to its end or to where that failed.
    pub fn readings(&self) -> u64 {
        *self.ended.borrow()
    }

    /// Whether the log was read, well or not, during the last while: whether [`Feed::run`] runs.
    pub fn was_read_within(&self, time: Duration) -> bool {
        let read = Duration::from_millis(self.read.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(read) <= time
    }

    /// Whether other instances are heard; none where there can be none.
    pub fn bell_is_well(&self) -> Option<bool> {
        self.bell.as_ref().map(Bell::is_well)
    }

    /// Whether the feed passed over a hole in the log.
    pub fn is_maimed(&self) -> bool {
        self.maimed.load(Ordering::Relaxed)
    }

    /// How many positions the feed is behind the log.
    ///
    /// # Errors
    /// The database's.
    pub async fn lag(&self) -> Result<i64> {
        let log = event::head(&self.store).await?;
        Ok((log.seq - self.head().seq).max(0))
    }

    /// Reads the log and hears the bell for as long as the process lives.
    pub async fn run(self: Arc<Self>) {
        match &self.bell {
            Some(bell) => drop(tokio::join!(self.read(), bell.attend(&self))),
            None => self.read().await,
        }
    }

    async fn read(&self) {
        let (mut readings, mut polled) = (Readings::default(), false);
        loop {
            let round = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            let before = self.head().seq;
            let done = self.try_advance(&mut readings).await;
            self.read.store(self.opened.elapsed().as_millis() as u64, Ordering::Relaxed);
            self.ended.send_replace(round);
            if polled {
                metrics::feed_polled(self.head().seq - before);
            }
            if self.is_readable(done, &mut readings) {
                tokio::select! {
                    () = self.woken.notified() => polled = false,
                    () = sleep(self.pace.poll) => polled = true,
                }
            } else {
                sleep(PAUSE).await;
            }
        }
    }

    /// Reads to the end, unless the database says nothing. A connection can fall silent without being closed,
    /// as when a firewall forgets it, and would be waited for without end; new ones work.
    async fn try_advance(&self, readings: &mut Readings) -> Result<()> {
        timeout(ROUND, self.advance(readings)).await.unwrap_or_else(|_| {
            self.own.store(Arc::new(self.store.apart()));
            Err(Error::internal("the database says nothing; it is asked over new connections"))
        })
    }

    /// Whether the log could be read; that it cannot, and that it can again, is logged once.
    fn is_readable(&self, done: Result<()>, readings: &mut Readings) -> bool {
        let was_failing = readings.failing;
        readings.failing = done.is_err();
        match done {
            Ok(()) if was_failing => tracing::info!("the log is read again"),
            Err(error) if !was_failing => {
                tracing::error!(error = ?error, "the log could not be read; trying again");
            }
            _ => {}
        }
        !readings.failing
    }

    /// Reads everything that was committed before the call; on PostgreSQL once it has its position. While
    /// others stamp it, or stamp again and again what is new, reading goes on in between.
    async fn advance(&self, readings: &mut Readings) -> Result<()> {
        if self.store.stamps_late()
            && let Some(newest) = event::unstamped(&self.own.load_full()).await?
        {
            while !self.stamp(newest).await? {
                self.read_on(readings).await?;
            }
        }
        self.read_on(readings).await
    }

    /// One attempt to stamp: whether everything up to this event has its position now.
    async fn stamp(&self, newest: i64) -> Result<bool> {
        match event::stamp(&self.own.load_full(), self.bell.as_ref().and_then(Bell::rung_by_stamp)).await? {
            Stamped::UpTo { head, more } => {
                self.tell(head);
                Ok(!more)
            }
            Stamped::Nothing => Ok(true),
            Stamped::Elsewhere => {
                sleep(RETRY).await;
                Ok(!event::unstamped_up_to(&self.own.load_full(), newest).await?)
            }
        }
    }

    fn tell(&self, head: i64) {
        if let Some(bell) = &self.bell {
            bell.tell(head);
        }
    }

    /// Reads to the end of the log, or to a hole.
    async fn read_on(&self, readings: &mut Readings) -> Result<()> {
        loop {
            let events = event::after(&self.own.load_full(), self.head().seq, BATCH).await?;
            let full = events.len() == BATCH;
            let next = self.head().seq + 1;
            let dense = (next..).zip(&events).take_while(|(seq, record)| record.seq == *seq).count();
            let hole = dense < events.len();
            if dense > 0 {
                readings.hole = None;
                self.publish(events.into_iter().take(dense));
            } else if hole && self.waited_for(readings) {
                readings.hole = None;
                self.pass_over(events);
            } else if hole {
                // The next reading looks again; nobody has to ring for it.
                return Ok(());
            }
            if !full && !hole {
                return Ok(());
            }
        }
    }

    /// Whether the feed has stood in front of a hole for long enough.
    fn waited_for(&self, readings: &mut Readings) -> bool {
        let next = self.head().seq + 1;
        let since = *readings.hole.get_or_insert_with(|| {
            tracing::error!(missing = next, "a hole in the log: waiting in front of it");
            metrics::hole();
            Instant::now()
        });
        since.elapsed() >= self.pace.hole
    }

    /// Goes on behind a hole. The ring holds no hole: whoever stands in front of it reads the table.
    fn pass_over(&self, events: Vec<Record>) {
        let behind = events.first().map(|record| record.seq);
        tracing::error!(
            missing = self.head().seq + 1,
            ?behind,
            "going on behind a hole in the log: subscribers may have missed events; was it edited by hand?"
        );
        self.maimed.store(true, Ordering::Relaxed);
        self.ring.write().unwrap_or_else(PoisonError::into_inner).clear();
        let dense = events.iter().zip(behind.unwrap_or_default()..);
        let dense = dense.take_while(|(record, seq)| record.seq == *seq).count();
        self.publish(events.into_iter().take(dense));
    }

    fn publish(&self, records: impl Iterator<Item = Record>) {
        let mut newest = None;
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            newest = Some(record.position());
            if ring.len() == RING {
                ring.pop_front();
            }
            ring.push_back(Arc::new(record));
        }
        drop(ring);
        if let Some(newest) = newest {
            self.head.send_replace(newest);
        }
    }

    /// A listener that hears everything after a position.
    pub fn listen(self: &Arc<Self>, from: Position) -> Listener {
        Listener { feed: self.clone(), position: from, head: self.head.subscribe() }
    }

    /// The next events after a position, from memory where it has them; none at the end of the log.
    ///
    /// # Errors
    /// The database's.
    pub async fn after(&self, seq: i64) -> Result<Vec<Arc<Record>>> {
        Ok(match self.recent(seq) {
            Some(events) => events,
            None => {
                let head = self.head().seq;
                let page = event::after(&self.store, seq, BATCH).await?;
                // Behind the head there may be a hole that the feed has not looked at yet.
                page.into_iter().filter(|record| record.seq <= head).map(Arc::new).collect()
            }
        })
    }

    /// What the ring holds after a position; none when it begins later than that.
    fn recent(&self, seq: i64) -> Option<Vec<Arc<Record>>> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let first = ring.front()?.seq;
        let skip = usize::try_from(seq + 1 - first).ok()?;
        Some(ring.iter().skip(skip).take(BATCH).cloned().collect())
    }
}

/// One reader of the feed: a position, not a queue.
#[derive(Debug)]
pub struct Listener {
    feed: Arc<Feed>,
    position: Position,
    head: watch::Receiver<Position>,
}

impl Listener {
    /// Where the listener stands: everything up to here has been handed out.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next events, at least one, oldest first. Waits for them.
    ///
    /// # Errors
    /// The database's, while catching up.
    pub async fn next(&mut self) -> Result<Vec<Arc<Record>>> {
        loop {
            let behind = self.head.borrow_and_update().seq > self.position.seq;
            if behind {
                // Boxed, so that a listener that waits does not hold room for a read of the table.
                let events = Box::pin(self.feed.after(self.position.seq)).await?;
                if let Some(last) = events.last() {
                    self.position = last.position();
                    return Ok(events);
                }
            }
            if self.head.changed().await.is_err() {
                // The feed is gone with the process; there is nothing more to hear.
                std::future::pending::<()>().await;
            }
        }
    }
}
