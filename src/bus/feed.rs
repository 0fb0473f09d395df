//! The tail of the log: read once per process, kept in a ring, handed to every listener from its own
//! position. A listener that falls behind the ring reads the table; nothing is ever skipped.

use std::{
    collections::VecDeque,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch};

use crate::{
    error::Result,
    store::{
        Store,
        event::{self, Position, Record},
    },
};

/// How long the log is left unread at most when nobody rings.
const POLL: Duration = Duration::from_millis(250);
/// How soon to try again while another instance stamps.
const RETRY: Duration = Duration::from_millis(5);
/// Events per read.
const BATCH: usize = 500;
/// Events kept in memory.
const RING: usize = 4_096;

/// The live feed of one process.
#[derive(Debug)]
pub struct Feed {
    store: Store,
    ring: RwLock<VecDeque<Arc<Record>>>,
    head: watch::Sender<Position>,
    bell: Notify,
    /// How often reading the log has begun, and how often it has ended.
    begun: AtomicU64,
    ended: watch::Sender<u64>,
    opened: Instant,
    /// When the last reading ended, in milliseconds after `opened`.
    read: AtomicU64,
}

impl Feed {
    /// A feed that begins at the log's present head.
    ///
    /// # Errors
    /// The database's.
    pub async fn open(store: Store) -> Result<Feed> {
        let head = watch::Sender::new(event::head(&store).await?);
        Ok(Feed {
            store,
            ring: RwLock::new(VecDeque::with_capacity(RING)),
            head,
            bell: Notify::new(),
            begun: AtomicU64::new(0),
            ended: watch::Sender::new(0),
            opened: Instant::now(),
            read: AtomicU64::new(0),
        })
    }

    /// Tells the reader that something was committed.
    pub fn ring(&self) {
        self.bell.notify_one();
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

    /// Whether the log was read, well or not, during the last while: whether [`Feed::run`] runs.
    pub fn was_read_within(&self, time: Duration) -> bool {
        let read = Duration::from_millis(self.read.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(read) <= time
    }

    /// How many positions the feed is behind the log.
    ///
    /// # Errors
    /// The database's.
    pub async fn lag(&self) -> Result<i64> {
        let log = event::head(&self.store).await?;
        Ok((log.seq - self.head().seq).max(0))
    }

    /// Reads the log for as long as the process lives.
    pub async fn run(self: Arc<Self>) {
        loop {
            let round = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            if let Err(error) = self.advance().await {
                tracing::error!(error = ?error, "the log could not be read; trying again");
            }
            self.read.store(self.opened.elapsed().as_millis() as u64, Ordering::Relaxed);
            self.ended.send_replace(round);
            tokio::select! {
                () = self.bell.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Stamps what is committed, where that is due, and reads up to the head.
    async fn advance(&self) -> Result<()> {
        if self.store.stamps_late() {
            while event::unstamped(&self.store).await? {
                if !event::stamp(&self.store).await? {
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
        loop {
            let events = event::after(&self.store, self.head().seq, BATCH).await?;
            let full = events.len() == BATCH;
            self.publish(events);
            if !full {
                return Ok(());
            }
        }
    }

    fn publish(&self, events: Vec<Record>) {
        let Some(newest) = events.last().map(Record::position) else { return };
        let mut expected = self.head().seq + 1;
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        for record in events {
            let seq = record.seq;
            if seq != expected {
                tracing::error!(expected, seq, "a hole in the log: was it edited by hand?");
            }
            expected = seq + 1;
            if ring.len() == RING {
                ring.pop_front();
            }
            ring.push_back(Arc::new(record));
        }
        drop(ring);
        self.head.send_replace(newest);
    }

    /// A listener that hears everything after a position.
    pub fn listen(self: &Arc<Self>, from: Position) -> Listener {
        Listener { feed: self.clone(), position: from, head: self.head.subscribe() }
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
                let events = match self.feed.recent(self.position.seq) {
                    Some(events) => events,
                    None => {
                        // Boxed, so that a listener that waits does not hold room for a read of the table.
                        let page = Box::pin(event::after(&self.feed.store, self.position.seq, BATCH)).await?;
                        page.into_iter().map(Arc::new).collect()
                    }
                };
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
