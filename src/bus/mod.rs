//! The bus tells: one reader of the log per process, a ring of what it read, and a position per
//! subscriber; equal subscribers are told together; counts that the log moves; and the bell, by which instances
//! wake each other. It may use `domain`, the store's log, counts and bell, tokio, async-nats.
//! What never happens here: GraphQL, use cases, a queue per subscriber, an event that skips the log.

mod bell;
mod cursor;
mod feed;
pub mod hub;
mod tallies;

pub use bell::{Bell, Patience, Ring, Servers, Wire};
pub use cursor::Cursors;
pub use feed::{Feed, Listener, Pace};
pub use tallies::{Tallies, Watcher};
