//! New ids, order numbers and the present moment, passed in so that rules stay pure and a test, or
//! the demo company, gets the same ones every time.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use uuid::Builder;

use crate::{id::TypedId, order::OrderNumber};

/// One moment, and a source of ids that belong to it.
#[derive(Clone, Debug)]
pub struct Mint {
    now: DateTime<Utc>,
    rng: ChaCha8Rng,
    minted: u16,
}

impl Mint {
    /// A mint for this moment, cut to milliseconds: what is stored, compared and shown is one value.
    pub fn new(now: DateTime<Utc>, seed: [u8; 32]) -> Mint {
        let now = now.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(now);
        Mint { now, rng: ChaCha8Rng::from_seed(seed), minted: 0 }
    }

    /// The present moment.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// A new id: UUIDv7 of the present moment, larger than the ones minted before it.
    pub fn id<T: TypedId>(&mut self) -> T {
        let mut random = [0; 10];
        self.rng.fill_bytes(&mut random);
        // Twelve bits behind the time count, as RFC 9562 allows: what one decision makes within one
        // millisecond still sorts by age.
        random[..2].copy_from_slice(&self.minted.to_be_bytes());
        self.minted = (self.minted + 1) & 0xfff;
        let millis = self.now.timestamp_millis().max(0) as u64;
        T::from(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// Ten random digits. Unique only once the store has accepted it.
    pub fn number(&mut self) -> OrderNumber {
        OrderNumber::MIN.nth(self.rng.next_u64())
    }
}
