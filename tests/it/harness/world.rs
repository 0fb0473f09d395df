//! Time and chance under the test's control.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use ordo::app::World;

/// A clock that stands still until it is moved, and seeds that count up.
#[derive(Debug)]
pub struct TestWorld {
    now: Mutex<DateTime<Utc>>,
    seeds: AtomicU64,
}

impl Default for TestWorld {
    fn default() -> Self {
        let now = Utc.with_ymd_and_hms(2026, 3, 2, 9, 0, 0).single().expect("a moment");
        TestWorld { now: Mutex::new(now), seeds: AtomicU64::new(1) }
    }
}

impl TestWorld {
    /// Moves the clock.
    pub fn advance(&self, by: TimeDelta) {
        *self.now.lock().expect("the clock") += by;
    }

    /// What chance stands at.
    pub fn chance(&self) -> u64 {
        self.seeds.load(Ordering::SeqCst)
    }

    /// Lets chance repeat itself from there on.
    pub fn repeat(&self, chance: u64) {
        self.seeds.store(chance, Ordering::SeqCst);
    }
}

impl World for TestWorld {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().expect("the clock")
    }

    fn seed(&self) -> [u8; 32] {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seeds.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        seed
    }
}
