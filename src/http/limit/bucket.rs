//! Buckets that fill evenly, one per key, in bounded memory. The arithmetic is governor's (GCRA): a bucket
//! is the moment at which it will be full again, and a bucket that is full need not be remembered.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
};

use governor::{
    Quota, RateLimiter, clock::Clock, middleware::NoOpMiddleware, nanos::Nanos, state::StateStore,
};

use super::{Allowed, Rate, Refused};

/// Tables with a lock each, so that threads seldom meet and a sweep holds up few.
const SHARDS: usize = 16;
/// The least that a table holds before it is swept.
const LEAST: usize = 16;
/// A burst is never more than what comes back in so many minutes: times stay far from overflow.
const DAY: u32 = 24 * 60;
const MINUTE: u64 = 60_000_000_000;

/// One rate, for every key.
pub(super) struct Gate<C: Clock> {
    what: &'static str,
    rate: Rate,
    limiter: RateLimiter<u64, Buckets, C, NoOpMiddleware<C::Instant>>,
}

impl<C: Clock> Gate<C> {
    pub(super) fn new(what: &'static str, rate: Rate, remembered: usize, clock: C) -> Gate<C> {
        let day = rate.per_minute.saturating_mul(NonZeroU32::MIN.saturating_add(DAY - 1));
        let rate = Rate { burst: rate.burst.min(day), ..rate };
        let quota = Quota::per_minute(rate.per_minute).allow_burst(rate.burst);
        let fills_in = MINUTE / u64::from(rate.per_minute.get()) * u64::from(rate.burst.get());
        let limiter = RateLimiter::new(quota, Buckets::new(remembered, fills_in), clock);
        Gate { what, rate, limiter }
    }

    /// Takes `asked` from the bucket of `key`, or a whole one if it holds less; or nothing.
    pub(super) fn take(&self, key: u64, asked: u32) -> Result<(), Refused> {
        let Some(taken) = NonZeroU32::new(asked.min(self.rate.burst.get())) else { return Ok(()) };
        match self.limiter.check_key_n(&key, taken) {
            // More than the bucket holds is never taken.
            Ok(Ok(())) | Err(_) => Ok(()),
            Ok(Err(not_until)) => Err(Refused {
                retry_after: not_until.wait_time_from(self.limiter.clock().now()),
                what: self.what,
                asked,
                allowed: Allowed::Rate(self.rate),
            }),
        }
    }
}

/// For each key the moment at which its bucket is full again.
///
/// Before a table has doubled, full buckets are swept out. When it is crowded, the quarter that is
/// nearest to being full goes: they lose the least by it. So a crowd of new addresses pushes out one
/// another, and an exhausted bucket is forgotten only for many that are more exhausted: nobody gets a full
/// one by that.
struct Buckets {
    shards: [Mutex<Shard>; SHARDS],
    /// The most that one table holds.
    most: usize,
    /// How long an empty bucket takes to fill, in nanoseconds.
    fills_in: u64,
}

struct Shard {
    full_at: HashMap<u64, Nanos, BuildHasherDefault<Hashed>>,
    /// The size at which the next new key brings a sweep.
    sweep_at: usize,
}

impl Default for Shard {
    fn default() -> Shard {
        Shard { full_at: HashMap::default(), sweep_at: LEAST }
    }
}

impl Shard {
    /// Makes room below `most`, and for so many that the work is soon paid off.
    fn sweep(&mut self, full_before: u64, most: usize) {
        self.full_at.retain(|_, full_at| full_at.as_u64() > full_before);
        if self.full_at.len() > most - most / 4 {
            let mut moments: Vec<u64> = self.full_at.values().map(|full_at| full_at.as_u64()).collect();
            let (_, bar, _) = moments.select_nth_unstable(most / 4);
            self.full_at.retain(|_, full_at| full_at.as_u64() > *bar);
        }
        self.sweep_at = (self.full_at.len() * 2).clamp(LEAST, most);
    }
}

impl Buckets {
    fn new(remembered: usize, fills_in: u64) -> Buckets {
        let most = remembered.div_ceil(SHARDS).max(LEAST);
        Buckets { shards: Default::default(), most, fills_in }
    }
}

impl StateStore for Buckets {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        // The tables use other bits of the hash.
        let shard = &self.shards[(key >> 32) as usize % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let crowded = shard.full_at.len() >= shard.sweep_at;
        match shard.full_at.entry(*key) {
            Entry::Occupied(mut known) => {
                let (outcome, full_at) = measure(Some(*known.get()))?;
                known.insert(full_at);
                Ok(outcome)
            }
            Entry::Vacant(new) => {
                let (outcome, full_at) = measure(None)?;
                new.insert(full_at);
                if crowded {
                    // No more than a whole bucket was taken just now, so this is not later than now.
                    shard.sweep(full_at.as_u64().saturating_sub(self.fills_in), self.most);
                }
                Ok(outcome)
            }
        }
    }
}

/// Keys are keyed hashes already.
#[derive(Default)]
pub(super) struct Hashed(u64);

impl Hasher for Hashed {
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
#[path = "bucket_tests.rs"]
mod tests;
