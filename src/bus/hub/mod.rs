//! Who hears what: one dispatcher per process reads the feed and hands each event to the groups that it may
//! concern. A group is all subscriptions that are equal, in what they ask for and in what they may see; it is
//! told of an event once, and its members share the words.

mod desk;
mod directory;
mod group;
mod member;

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{
    id::UserId,
    order::{Sight, Watch, sight},
};
use futures_util::future::BoxFuture;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

pub use member::{Heard, Member};

pub use crate::store::event::Position;

use self::{desk::Kept, directory::Directory, group::Group};
use super::Feed;
use crate::{
    error::Result,
    store::event::{Logged, Record, Subject},
};

/// How often groups are looked at that nothing happens to.
const BEAT: Duration = Duration::from_secs(1);
/// How long telling may take at first: a connection to the database that falls silent would keep it waiting for
/// ever.
const PATIENCE: Duration = Duration::from_secs(10);
/// And at most.
const MOST_PATIENCE: Duration = Duration::from_secs(120);
/// How long to wait before what failed is tried again: the database may be back by then.
const AGAIN: Duration = Duration::from_millis(250);

/// What a group is to be told.
#[derive(Clone, Debug)]
pub enum Tidings {
    /// Something that happened to an order.
    Sighting {
        /// Where it stands in the log.
        position: Position,
        /// What happened.
        logged: Arc<Logged>,
        /// What it means to the group.
        sight: Sight,
    },
    /// Nothing happened for the group, but the log has moved on.
    Checkpoint(Position),
}

impl Tidings {
    /// Where in the log a subscriber stands once it has been told.
    pub fn position(&self) -> Position {
        match self {
            Tidings::Sighting { position, .. } | Tidings::Checkpoint(position) => *position,
        }
    }
}

/// Puts into words what a group is told, and knows whether its members still belong to it.
pub trait Teller: Send + Sync + 'static {
    /// What is said of one piece of tidings; clones share it.
    type Words: Clone + Send + Sync + 'static;
    /// By what a member's rights are read.
    type Who: Clone + Eq + Hash + Send + Sync + 'static;

    /// Words for each, in the same order.
    ///
    /// # Errors
    /// When it cannot be told now; it is tried again.
    fn tell(&self, tidings: Vec<Tidings>) -> BoxFuture<'_, Result<Vec<Self::Words>>>;

    /// Whether this listener is that account.
    fn is_account(&self, who: &Self::Who, account: UserId) -> bool;

    /// How many bytes words take.
    fn weigh(&self, words: &Self::Words) -> usize;

    /// Those of these listeners whose rights are no longer the group's.
    ///
    /// # Errors
    /// When rights cannot be read now; it is tried again before anything is told.
    fn moved(&self, listeners: Vec<Self::Who>) -> BoxFuture<'_, Result<HashSet<Self::Who>>>;
}

/// What a process keeps for its subscribers.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many of its words a group keeps for members that are slow to take them.
    pub told: usize,
    /// And how long.
    pub kept: Duration,
    /// How much may wait to be told before a group's members have to read the log themselves.
    pub pending: usize,
    /// How many bytes of words all groups keep; beyond, each keeps only what it has just told.
    pub bytes: usize,
    /// For how long a member may be slower than its group.
    pub patience: Duration,
    /// How often members are told where the log stands, though nothing happened that they may see.
    pub checkpoint: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        let (kept, checkpoint) = (Duration::from_secs(30), Duration::from_secs(30));
        let patience = Duration::from_secs(60);
        Limits { told: 4_096, kept, pending: 4_096, bytes: 64 << 20, patience, checkpoint }
    }
}

/// What makes subscriptions equal: a hash of the operation, its variables and all that the policy reads.
pub type Key = [u8; 32];

/// Somebody who wants to join a group.
#[derive(Debug)]
pub struct Listener<Who> {
    /// By what its rights are read.
    pub who: Who,
    /// The person; its own orders are told to it in words of their own where the group has no person.
    pub person: Option<UserId>,
    /// Everything up to here has been told.
    pub position: Position,
}

/// The groups of one process.
pub struct Hub<T: Teller> {
    feed: Arc<Feed>,
    limits: Limits,
    kept: Kept,
    state: Mutex<State<T>>,
}

impl<T: Teller> std::fmt::Debug for Hub<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("feed", &self.feed).finish_non_exhaustive()
    }
}

struct State<T: Teller> {
    /// Every event up to here has been handed to the groups.
    position: Position,
    groups: HashMap<Key, Arc<Group<T>>>,
    directory: Directory<Group<T>>,
}

impl<T: Teller> Hub<T> {
    /// No groups yet. Nothing is heard before [`Hub::run`].
    pub fn new(feed: Arc<Feed>, limits: Limits) -> Arc<Hub<T>> {
        let position = feed.head();
        let state = State { position, groups: HashMap::new(), directory: Directory::default() };
        Arc::new(Hub { feed, limits, kept: Kept::default(), state: Mutex::new(state) })
    }

    /// Hands out what happens, for as long as it is polled.
    pub async fn run(self: Arc<Self>) -> std::convert::Infallible {
        let from = self.state().position;
        let mut events = self.feed.listen(from);
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                heard = events.next() => match heard {
                    Ok(heard) => self.dispatch(&heard),
                    Err(error) => {
                        tracing::error!(error = ?error, "the log could not be read; trying again");
                        sleep(AGAIN).await;
                    }
                },
                now = beat.tick() => self.beat(now),
            }
        }
    }

    fn dispatch(&self, records: &[Arc<Record>]) {
        let mut state = self.state();
        for record in records {
            match &record.subject {
                Subject::Order(logged) => {
                    let concerned = state.directory.concerned(&logged.event);
                    concerned.for_each(|group| group.consider(record.position(), logged));
                }
                // Rare enough to ask every group.
                Subject::Account(user) => state.groups.values().for_each(|group| group.doubt(*user)),
                Subject::Workflow(_) | Subject::Settings | Subject::Job(_) | Subject::Unknown => {}
            }
            state.position = record.position();
        }
    }

    /// Tells groups for which nothing has happened for a while where the log stands.
    fn beat(&self, now: Instant) {
        let state = self.state();
        for group in state.groups.values() {
            group.beat(now, state.position);
        }
    }

    /// Joins the group of a key, which is made if there is none.
    pub fn join(
        self: &Arc<Self>,
        key: Key,
        listener: Listener<T::Who>,
        found: impl FnOnce() -> (Watch, T),
    ) -> Member<T> {
        let mut state = self.state();
        let group = match state.groups.get(&key) {
            Some(group) => group.clone(),
            None => {
                let means = (self.feed.clone(), self.kept.clone());
                let group = Group::new(key, found(), means, (state.position.seq, self.limits));
                state.directory.file(&group);
                state.groups.insert(key, group.clone());
                group
            }
        };
        Member::sit(self.clone(), group, listener)
    }

    /// Forgets a group that nobody is in any more.
    fn part(&self, group: &Arc<Group<T>>) {
        let mut state = self.state();
        let is_this = state.groups.get(&group.key).is_some_and(|known| Arc::ptr_eq(known, group));
        if is_this && group.is_empty() {
            state.groups.remove(&group.key);
            state.directory.strike(group);
        }
    }

    /// For how long a subscriber may be slower than its group.
    pub fn patience(&self) -> Duration {
        self.limits.patience
    }

    /// What a stretch of the log after a position means to a watch, and where the stretch ends; nothing at the
    /// end of the log.
    ///
    /// # Errors
    /// The database's.
    pub async fn page(&self, watch: &Watch, after: i64) -> Result<Option<(Vec<Tidings>, Position)>> {
        page(&self.feed, watch, after).await
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn page(feed: &Feed, watch: &Watch, after: i64) -> Result<Option<(Vec<Tidings>, Position)>> {
    let records = feed.after(after).await?;
    let Some(last) = records.last().map(|record| record.position()) else { return Ok(None) };
    let sightings = records.iter().filter_map(|record| sighting(watch, record.position(), record.order()?));
    Ok(Some((sightings.collect(), last)))
}

/// What an event means to a watch, if anything.
fn sighting(watch: &Watch, position: Position, logged: &Arc<Logged>) -> Option<Tidings> {
    let sight = sight(watch, &logged.event);
    (sight != Sight::Nothing).then(|| Tidings::Sighting { position, logged: logged.clone(), sight })
}
