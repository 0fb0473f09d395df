//! A provider's keys over time: fetched when needed, exchanged when the provider exchanges them, and kept
//! for a while when it does not answer.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{keys::Keys, source::Source};

/// Keys older than this are fetched again.
const FRESH: TimeDelta = TimeDelta::minutes(10);
/// Between two requests to a provider, whatever is asked of us.
const BETWEEN: TimeDelta = TimeDelta::seconds(30);
/// Keys older than this verify nothing.
const USABLE: TimeDelta = TimeDelta::hours(24);

/// The keys of one provider. Cheap to clone.
#[derive(Clone)]
pub(super) struct KeySet(Arc<Inner>);

struct Inner {
    issuer: String,
    source: Source,
    held: ArcSwapOption<Held>,
    /// When the provider was asked last. Whoever holds it asks; so there is one request at a time.
    asked_at: Arc<Mutex<Option<DateTime<Utc>>>>,
}

/// Keys as they were at one time.
pub(super) struct Held {
    /// The keys.
    pub keys: Keys,
    /// Counts up with every change of the keys, so that what was verified with others can be told apart.
    pub generation: u64,
    fetched_at: DateTime<Utc>,
}

impl KeySet {
    /// Keys that are not fetched yet.
    pub fn new(issuer: String, source: Source) -> KeySet {
        let (held, asked_at) = (ArcSwapOption::empty(), Arc::default());
        KeySet(Arc::new(Inner { issuer, source, held, asked_at }))
    }

    /// The keys that count now; none when there are none, or they are too old. Where they have aged, one
    /// caller asks for new ones, and the others go on with those there are.
    pub async fn current(&self, now: DateTime<Utc>) -> Option<Arc<Held>> {
        let held = self.held(now);
        if held.as_ref().is_some_and(|held| within(FRESH, held.fetched_at, now)) {
            return held;
        }
        if let Ok(turn) = Arc::clone(&self.0.asked_at).try_lock_owned() {
            self.ask(turn, now).await;
        }
        self.held(now)
    }

    /// The keys that count after asking for new ones. Who comes while they are being fetched waits for
    /// them; who comes within 30 s of the last request gets what it brought.
    pub async fn renewed(&self, now: DateTime<Utc>) -> Option<Arc<Held>> {
        let turn = Arc::clone(&self.0.asked_at).lock_owned().await;
        self.ask(turn, now).await;
        self.held(now)
    }

    fn held(&self, now: DateTime<Utc>) -> Option<Arc<Held>> {
        self.0.held.load_full().filter(|held| now - held.fetched_at < USABLE)
    }

    /// Asks the provider, unless it was asked just now. In a task of its own: a caller that hangs up must
    /// not keep the keys from the others.
    async fn ask(&self, mut asked_at: OwnedMutexGuard<Option<DateTime<Utc>>>, now: DateTime<Utc>) {
        if asked_at.is_some_and(|last| within(BETWEEN, last, now)) {
            return;
        }
        *asked_at = Some(now);
        let this = self.clone();
        let asking = tokio::spawn(async move {
            this.fetch(now).await;
            drop(asked_at);
        });
        // It fails only when the process ends, and then nobody waits for keys.
        let _ = asking.await;
    }

    async fn fetch(&self, now: DateTime<Utc>) {
        let Inner { issuer, source, held, .. } = &*self.0;
        let keys = match source.fetch().await {
            Ok(keys) => keys,
            Err(error) => {
                tracing::warn!(issuer, %error, "an identity provider's keys cannot be fetched");
                return;
            }
        };
        let before = held.load_full();
        let generation = before.as_ref().map_or(0, |before| before.generation);
        let same = before.is_some_and(|before| before.keys == keys);
        if !same {
            tracing::info!(issuer, keys = keys.len(), "an identity provider's keys have changed");
        }
        let generation = generation + u64::from(!same);
        held.store(Some(Arc::new(Held { keys, generation, fetched_at: now })));
    }
}

/// Whether two moments are closer than this, either way: a clock that was put back must not keep us from
/// asking.
fn within(span: TimeDelta, one: DateTime<Utc>, other: DateTime<Utc>) -> bool {
    (one - other).abs() < span
}

#[cfg(test)]
#[path = "key_set_tests.rs"]
mod tests;
