//! The bell: how instances on one database wake each other, so that nobody waits for the poll. It is a
//! convenience. Without it every event is still delivered, at most one poll later.
//!
//! A line that is open is not yet one that works: a pooler may swallow LISTEN, a firewall may cut a
//! connection without a word. So the bell counts as well only while it is heard; in silence we ring
//! ourselves, and when not even that is heard, the line is given up and opened anew.

mod message;
mod nats;

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use uuid::Uuid;

pub use message::Ring;
pub use nats::Servers;

use super::Feed;
use crate::{
    error::{Error, Result},
    store::{
        Store,
        bell::{self, Ear},
    },
    telemetry::metrics,
};

/// How soon a lost line is opened again, at first and at the latest.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LAST_WAIT: Duration = Duration::from_secs(5);
/// After a ring that woke us, others may gather: a flood of them cannot make the log be read all the time.
const GATHER: Duration = Duration::from_millis(1);

/// What carries the bell.
#[derive(Clone, Debug)]
pub enum Wire {
    /// PostgreSQL's NOTIFY, inside the transaction that stamps.
    Notify,
    /// NATS, right after that transaction.
    Nats(Servers),
}

/// How the bell is known to be heard.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// After so long a silence we ring ourselves.
    pub silence: Duration,
    /// So long it may take until that is heard.
    pub echo: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { silence: Duration::from_secs(5), echo: Duration::from_secs(5) }
    }
}

const UNKNOWN: u8 = 0;
const WELL: u8 = 1;
const LOST: u8 = 2;

/// The bell of one instance.
#[derive(Debug)]
pub struct Bell {
    store: Store,
    database: Uuid,
    wire: Wire,
    patience: Patience,
    state: AtomicU8,
    /// The newest position that others have to be told of.
    told: watch::Sender<i64>,
}

enum Line {
    Notify(Store, Ear),
    Nats(nats::Line),
}

impl Bell {
    /// The bell of this database.
    pub fn new(store: Store, database: Uuid, wire: Wire, patience: Patience) -> Bell {
        let (state, told) = (AtomicU8::new(UNKNOWN), watch::Sender::new(0));
        Bell { store, database, wire, patience, state, told }
    }

    /// Whether it is heard.
    pub fn is_well(&self) -> bool {
        self.state.load(Ordering::Relaxed) == WELL
    }

    /// The database whose stamps ring by NOTIFY, in their own transaction.
    pub(super) fn rung_by_stamp(&self) -> Option<Uuid> {
        matches!(self.wire, Wire::Notify).then_some(self.database)
    }

    /// The log was stamped up to here. Does not wait: only the newest position is worth telling.
    pub(super) fn tell(&self, head: i64) {
        if matches!(self.wire, Wire::Nats(_)) {
            self.told.send_replace(head);
        }
    }

    /// Hears others, and wakes the feed, for as long as it is polled.
    pub(super) async fn attend(&self, feed: &Feed) {
        let mut wait = FIRST_WAIT;
        loop {
            let why = match self.open().await {
                Ok(mut line) => self.listen(&mut line, feed).await,
                Err(error) => error,
            };
            let before = self.state.swap(LOST, Ordering::Relaxed);
            if before == WELL {
                wait = FIRST_WAIT;
            }
            match before {
                LOST => tracing::debug!(error = ?why, "the bell is still lost"),
                _ => tracing::warn!(error = ?why, "the bell is lost: the log is polled until it is back"),
            }
            sleep(wait).await;
            wait = (wait * 2).min(LAST_WAIT);
        }
    }

    async fn open(&self) -> Result<Line> {
        let line = async {
            Ok(match &self.wire {
                Wire::Notify => Line::Notify(self.store.clone(), Ear::open(&self.store).await?),
                Wire::Nats(servers) => Line::Nats(nats::Line::open(servers, self.database).await?),
            })
        };
        timeout(LAST_WAIT * 2, line)
            .await
            .unwrap_or_else(|_| Err(Error::internal("it does not open in time")))
    }

    /// Hears a line until it is lost, and says why it is.
    async fn listen(&self, line: &mut Line, feed: &Feed) -> Error {
        let mut told = self.told.subscribe();
        let mut due = Instant::now();
        let mut rung = false;
        loop {
            let step = tokio::select! {
                ring = line.hear() => match ring {
                    Ok(Some(ring)) if ring.database == self.database => {
                        (due, rung) = (Instant::now() + self.patience.silence, false);
                        self.heard(ring.head, feed).await;
                        Ok(())
                    }
                    // Of another database, or no ring at all.
                    Ok(_) => Ok(()),
                    Err(error) => Err(error),
                },
                // The sender lives as long as the bell.
                Ok(()) = told.changed() => {
                    let head = *told.borrow_and_update();
                    self.ring(line, head).await
                }
                () = sleep_until(due) => match rung {
                    true => Err(Error::internal("nothing is heard, not even oneself")),
                    false => {
                        (due, rung) = (Instant::now() + self.patience.echo, true);
                        self.ring(line, feed.head().seq).await
                    }
                },
            };
            if let Err(error) = step {
                return error;
            }
        }
    }

    async fn ring(&self, line: &Line, head: i64) -> Result<()> {
        let ring = Ring { database: self.database, head };
        let rung = async {
            match line {
                Line::Notify(store, _) => bell::notify(store, &ring.text()).await,
                Line::Nats(line) => line.ring(ring).await,
            }
        };
        timeout(self.patience.echo, rung)
            .await
            .unwrap_or_else(|_| Err(Error::internal("it does not ring in time")))
    }

    /// Wakes the feed if there is news. Our own rings come back to us, too, and are none.
    async fn heard(&self, head: i64, feed: &Feed) {
        let recovered = self.state.swap(WELL, Ordering::Relaxed) != WELL;
        if recovered {
            let wire = match self.wire {
                Wire::Notify => "NOTIFY",
                Wire::Nats(_) => "NATS",
            };
            tracing::info!(wire, "the bell is heard: instances wake each other");
        }
        // While nobody listened, anything may have been said.
        if recovered || head > feed.head().seq {
            metrics::feed_woken();
            feed.ring();
            sleep(GATHER).await;
        }
    }
}

impl Line {
    async fn hear(&mut self) -> Result<Option<Ring>> {
        match self {
            Line::Notify(_, ear) => Ok(Ring::read(ear.hear().await?.as_bytes())),
            Line::Nats(line) => line.hear().await,
        }
    }
}
