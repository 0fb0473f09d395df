//! What a group has told, what it is still to tell, and who listens: plain data behind the group's lock.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    time::Duration,
};

use slab::Slab;
use tokio::time::Instant;

use super::{Limits, Tidings};

/// How long a group rests after it has told something, for each of its members and at most. One event reaches
/// everybody at once; of many, a large group tells several at a time, for waking a member costs more than what
/// it is told.
const REST_EACH: Duration = Duration::from_micros(20);
const REST: Duration = Duration::from_millis(25);
/// A shorter rest is not worth a timer.
const NO_REST: Duration = Duration::from_millis(2);
/// How many are told at once.
pub(super) const BATCH: usize = 64;
/// For how long a member's rights are taken as read.
const RIGHTS: Duration = Duration::from_secs(1);

/// The bytes that all groups of a process keep.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(Arc<AtomicUsize>);

impl Kept {
    fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A share of what is kept.
#[derive(Debug)]
struct Share(usize, Kept);

impl Drop for Share {
    fn drop(&mut self) {
        self.1.0.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// One thing that was told.
#[derive(Debug)]
pub(super) struct Told<W> {
    pub(super) tidings: Tidings,
    pub(super) words: W,
    at: Instant,
    share: Share,
}

impl<W> Told<W> {
    pub(super) fn new(tidings: Tidings, words: W, bytes: usize, kept: &Kept) -> Told<W> {
        kept.0.fetch_add(bytes, Ordering::Relaxed);
        Told { tidings, words, at: Instant::now(), share: Share(bytes, kept.clone()) }
    }

    fn seq(&self) -> i64 {
        self.tidings.position().seq
    }
}

struct Seat<Who> {
    who: Who,
    waker: Option<Waker>,
    moved: bool,
}

/// A listener, however many seats it has.
struct Listed {
    seats: usize,
    /// When its rights were read; none once they are in doubt.
    checked: Option<Instant>,
}

pub(super) struct Desk<W, Who> {
    limits: Limits,
    /// Everything after this position that concerns the group is in `told` or in `pending`.
    pub(super) since: i64,
    /// The position of the last that was told or offered.
    offered: i64,
    told: VecDeque<Told<W>>,
    pending: VecDeque<Tidings>,
    seats: Slab<Seat<Who>>,
    listeners: HashMap<Who, Listed>,
    /// Until when no listener's rights are old; none where that has to be looked up.
    fresh_until: Option<Instant>,
    working: bool,
    due: Instant,
}

/// What a member finds when it looks.
pub(super) enum Found<'a, W> {
    /// The next that was told after its position.
    Next(&'a Told<W>),
    /// Nothing yet.
    Nothing,
    /// What came after its position is gone, or was never here.
    Behind,
    /// Its rights have changed.
    Moved,
}

impl<W, Who: Clone + Eq + Hash> Desk<W, Who> {
    pub(super) fn new(since: i64, limits: Limits) -> Desk<W, Who> {
        Desk {
            limits,
            since,
            offered: since,
            told: VecDeque::new(),
            pending: VecDeque::new(),
            seats: Slab::new(),
            listeners: HashMap::new(),
            fresh_until: None,
            working: false,
            due: Instant::now() + limits.checkpoint,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// Its rights are fresh: whoever sits down has just been looked at.
    pub(super) fn sit(&mut self, who: Who) -> usize {
        let checked = Some(Instant::now());
        let listed = self.listeners.entry(who.clone()).or_insert(Listed { seats: 0, checked });
        listed.seats += 1;
        self.seats.insert(Seat { who, waker: None, moved: false })
    }

    pub(super) fn leave(&mut self, seat: usize) {
        let Seat { who, .. } = self.seats.remove(seat);
        if let Some(listed) = self.listeners.get_mut(&who) {
            listed.seats -= 1;
            if listed.seats == 0 {
                self.listeners.remove(&who);
            }
        }
    }

    pub(super) fn look(&self, seat: usize, position: i64) -> Found<'_, W> {
        if self.seats.get(seat).is_some_and(|seat| seat.moved) {
            return Found::Moved;
        }
        if position < self.since {
            return Found::Behind;
        }
        let next = self.told.partition_point(|told| told.seq() <= position);
        self.told.get(next).map_or(Found::Nothing, Found::Next)
    }

    /// Wakes the member when there is something to look at.
    pub(super) fn wait(&mut self, seat: usize, cx: &Context<'_>) {
        if let Some(seat) = self.seats.get_mut(seat) {
            match &mut seat.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                waker => *waker = Some(cx.waker().clone()),
            }
        }
    }

    /// Takes tidings, newer than all before them. True when somebody has to begin telling.
    pub(super) fn offer(&mut self, tidings: Tidings) -> bool {
        let seq = tidings.position().seq;
        if seq <= self.offered {
            return false;
        }
        self.offered = seq;
        if self.pending.len() >= self.limits.pending {
            // Members read the log from where they are, each at its own pace.
            self.pending.clear();
            self.told.clear();
            self.since = seq;
            return false;
        }
        self.pending.push_back(tidings);
        !std::mem::replace(&mut self.working, true)
    }

    /// Whether it is time to tell where the log stands, and if so that it is due again later.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = now >= self.due;
        if due {
            self.due = now + self.limits.checkpoint;
        }
        due && self.pending.is_empty()
    }

    /// What is to be told next; nothing when all is told or nobody is there, and then somebody has to begin
    /// again.
    pub(super) fn batch(&mut self) -> Vec<Tidings> {
        if self.seats.is_empty() {
            self.pending.clear();
        }
        let batch: Vec<Tidings> = self.pending.drain(..self.pending.len().min(BATCH)).collect();
        self.working = !batch.is_empty();
        batch
    }

    /// How long to wait before more is told.
    pub(super) fn rest(&self) -> Option<Duration> {
        let members = u32::try_from(self.seats.len()).unwrap_or(u32::MAX);
        Some(REST_EACH.saturating_mul(members).min(REST)).filter(|rest| *rest >= NO_REST)
    }

    /// Listeners whose rights have to be read again before anything is told.
    pub(super) fn stale(&mut self, now: Instant) -> Vec<Who> {
        // A large group is told hundreds of things a second, and has thousands of listeners.
        if self.fresh_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        let is_stale = |listed: &Listed| listed.checked.is_none_or(|checked| now - checked >= RIGHTS);
        let stale = self.listeners.iter().filter(|(_, listed)| is_stale(listed));
        let stale: Vec<Who> = stale.map(|(who, _)| who.clone()).collect();
        if stale.is_empty() {
            let oldest = self.listeners.values().filter_map(|listed| listed.checked).min();
            self.fresh_until = oldest.map(|oldest| oldest + RIGHTS);
        }
        stale
    }

    /// What was read of the rights of some listeners is no longer to be trusted. Whether there are any.
    pub(super) fn doubt(&mut self, of: impl Fn(&Who) -> bool) -> bool {
        let listeners = self.listeners.iter_mut().filter(|(who, _)| of(who));
        let any = listeners.map(|(_, listed)| listed.checked = None).count() > 0;
        if any {
            self.fresh_until = None;
        }
        any
    }

    /// The rights of these were read; some have moved.
    pub(super) fn checked(&mut self, listeners: &[Who], moved: &HashSet<Who>, now: Instant) -> Vec<Waker> {
        for who in listeners {
            if let Some(listed) = self.listeners.get_mut(who) {
                listed.checked = Some(now);
            }
        }
        if moved.is_empty() {
            return Vec::new();
        }
        let seats = self.seats.iter_mut().map(|(_, seat)| seat).filter(|seat| moved.contains(&seat.who));
        seats
            .filter_map(|seat| {
                seat.moved = true;
                seat.waker.take()
            })
            .collect()
    }

    /// What was told, in order, after all before it.
    pub(super) fn tell(&mut self, told: Vec<Told<W>>) -> Vec<Waker> {
        let new = told.len();
        // Where the log went on without the group, what was told before that would leave a gap.
        self.told.extend(told.into_iter().filter(|told| told.seq() > self.since));
        while self.told.len() > self.limits.told || self.told.len() > new && self.is_too_much() {
            self.forget_first();
        }
        self.everybody()
    }

    /// What came before all that is here, back to a position; of no use when that begins elsewhere by now.
    pub(super) fn reach_back(&mut self, to: i64, until: i64, told: Vec<Told<W>>) -> Vec<Waker> {
        if until == self.since {
            for told in told.into_iter().rev() {
                self.told.push_front(told);
            }
            self.since = to;
        }
        self.everybody()
    }

    /// Forgets what is old.
    pub(super) fn trim(&mut self, now: Instant) {
        while self.told.front().is_some_and(|told| now - told.at >= self.limits.kept) {
            self.forget_first();
        }
    }

    fn is_too_much(&self) -> bool {
        self.told.front().is_some_and(|told| told.share.1.bytes() > self.limits.bytes)
    }

    fn forget_first(&mut self) {
        if let Some(told) = self.told.pop_front() {
            self.since = told.seq();
        }
    }

    fn everybody(&mut self) -> Vec<Waker> {
        self.seats.iter_mut().filter_map(|(_, seat)| seat.waker.take()).collect()
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
