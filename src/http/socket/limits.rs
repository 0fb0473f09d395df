//! How much one socket may ask for, and how long things may take.

use std::time::Duration;

use tokio::time::Instant;

/// What one socket is allowed.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long a client may take to introduce itself, our looking at it included.
    pub greeting: Duration,
    /// How often a ping is sent; who leaves two of them without any sign of life is dropped.
    pub ping: Duration,
    /// How long one message may take to be sent; a client that reads nothing is dropped.
    pub sending: Duration,
    /// How long the client may take to answer our close before the connection is cut.
    pub farewell: Duration,
    /// How many operations may run at once.
    pub operations: usize,
    /// The longest id of an operation, in characters.
    pub id: usize,
    /// The largest message or frame that is read, in bytes.
    pub message: usize,
    /// How many frames a client may send each second over a longer time.
    pub per_second: u32,
    /// How many frames it may send at once.
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            greeting: Duration::from_secs(10),
            ping: Duration::from_secs(15),
            sending: Duration::from_secs(30),
            farewell: Duration::from_secs(1),
            operations: 100,
            id: 128,
            message: 256 << 10,
            per_second: 50,
            burst: 200,
        }
    }
}

/// A bucket of tokens, kept as the moment at which it will be full again: one number says it all.
#[derive(Debug)]
pub struct Rate {
    full: Instant,
}

impl Rate {
    /// A full bucket.
    pub fn new(now: Instant) -> Rate {
        Rate { full: now }
    }

    /// Takes a token; false when there is none.
    pub fn admit(&mut self, limits: &Limits, now: Instant) -> bool {
        let one = Duration::from_secs(1) / limits.per_second.max(1);
        let full = self.full.max(now) + one;
        let admitted = full - now <= one * limits.burst;
        if admitted {
            self.full = full;
        }
        admitted
    }
}
