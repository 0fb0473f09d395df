//! Counts of orders that are kept true by the feed: one count and one mover in the process for all who watch
//! the same, for as long as somebody does.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
    time::Duration,
};

use domain::{actor::Grant, order::Filter};
use tokio::{
    sync::{OnceCell, watch},
    task::AbortHandle,
    time::sleep,
};

use super::{Feed, Listener};
use crate::{
    app::Workflows,
    error::{Error, Result},
    store::{
        Store,
        count::{self, Counted},
        event::{Record, Subject},
    },
};

/// After how long counts are counted anew when the database failed.
const AGAIN: Duration = Duration::from_secs(1);

/// What equal watchers have in common. Whom a grant or a filter depends on, it names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    grants: Vec<Grant>,
    filter: Filter,
}

/// What counting takes.
#[derive(Clone, Debug)]
struct Sources {
    store: Store,
    feed: Arc<Feed>,
    book: Workflows,
}

/// The counts of one process.
#[derive(Debug)]
pub struct Tallies {
    sources: Sources,
    shared: Mutex<HashMap<Key, Weak<Shared>>>,
}

/// What equal watchers hold together; with the last of them it goes.
#[derive(Debug, Default)]
struct Shared {
    counts: OnceCell<watch::Receiver<Counted>>,
    mover: OnceLock<AbortHandle>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(mover) = self.mover.get() {
            mover.abort();
        }
    }
}

/// One who watches counts: no queue, only the newest numbers.
#[derive(Debug)]
pub struct Watcher {
    /// The counts as they are.
    pub counts: watch::Receiver<Counted>,
    shared: Arc<Shared>,
}

impl Watcher {
    /// Whether both watch the same.
    pub fn is_with(&self, other: &Watcher) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Tallies {
    /// No counts yet.
    pub fn new(store: Store, feed: Arc<Feed>, book: Workflows) -> Tallies {
        Tallies { sources: Sources { store, feed, book }, shared: Mutex::default() }
    }

    /// Watches the counts of the orders that somebody with these grants sees and that match. They are counted
    /// unless somebody watches the same already.
    ///
    /// # Errors
    /// As [`count::by_status`].
    pub async fn watch(&self, grants: &[Grant], filter: &Filter) -> Result<Watcher> {
        let mut grants = grants.to_vec();
        grants.sort_unstable();
        grants.dedup();
        let key = Key { grants, filter: filter.clone() };
        let shared = self.shared(&key);
        let counts = shared.counts.get_or_try_init(|| self.begin(&shared, key)).await?.clone();
        Ok(Watcher { counts, shared })
    }

    /// How many different counts are watched.
    pub fn len(&self) -> usize {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.values().filter(|shared| shared.strong_count() > 0).count()
    }

    /// Whether nobody watches any.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shared(&self, key: &Key) -> Arc<Shared> {
        let mut all = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = all.get(key).and_then(Weak::upgrade) {
            return shared;
        }
        // What nobody watches any more is swept out when something new comes, so there is never more than that.
        all.retain(|_, shared| shared.strong_count() > 0);
        let shared = Arc::new(Shared::default());
        all.insert(key.clone(), Arc::downgrade(&shared));
        shared
    }

    async fn begin(&self, shared: &Shared, key: Key) -> Result<watch::Receiver<Counted>> {
        let sources = self.sources.clone();
        let counted = sources.count(&key).await?;
        let listener = sources.feed.listen(counted.position);
        let counts = watch::Sender::new(counted);
        let receiver = counts.subscribe();
        let mover = tokio::spawn(Mover { sources, key, listener, counts }.run());
        // A beginning that is not the first never comes here: the cell lets one in at a time.
        let _ = shared.mover.set(mover.abort_handle());
        Ok(receiver)
    }
}

impl Sources {
    async fn count(&self, Key { grants, filter }: &Key) -> Result<Counted> {
        // A workflow that was saved a moment ago is read, and counted with.
        for _ in 0..2 {
            let counted = count::by_status(&self.store, self.book.now(), grants.clone(), filter.clone());
            if let Some(counted) = counted.await? {
                return Ok(counted);
            }
            self.book.read_again(&self.store).await?;
        }
        Err(Error::internal("an order follows a workflow that is not installed"))
    }
}

/// Moves one tally along the log.
struct Mover {
    sources: Sources,
    key: Key,
    listener: Listener,
    counts: watch::Sender<Counted>,
}

impl Mover {
    /// For as long as somebody watches.
    async fn run(mut self) {
        loop {
            let mut done = self.follow().await;
            while let Err(error) = done {
                tracing::error!(error = ?error, "orders could not be counted; trying again");
                sleep(AGAIN).await;
                done = self.count_anew().await;
            }
        }
    }

    /// Takes in what happens next. After a change of a workflow its statuses may look otherwise.
    async fn follow(&mut self) -> Result<()> {
        let records = self.listener.next().await?;
        if records.iter().any(|record| matches!(record.subject, Subject::Workflow(_))) {
            return self.count_anew().await;
        }
        self.counts.send_if_modified(|counted| take_in(counted, &records));
        Ok(())
    }

    async fn count_anew(&mut self) -> Result<()> {
        self.sources.book.read_again(&self.sources.store).await?;
        let counted = self.sources.count(&self.key).await?;
        self.listener = self.sources.feed.listen(counted.position);
        self.counts.send_replace(counted);
        Ok(())
    }
}

/// Moves the counts on; whether a number changed.
fn take_in(counted: &mut Counted, records: &[Arc<Record>]) -> bool {
    let mut changed = false;
    for record in records {
        changed |= record.order().is_some_and(|logged| counted.tally.advance(&logged.event));
        counted.position = record.position();
    }
    changed
}
