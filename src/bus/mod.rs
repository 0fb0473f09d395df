//! The bus tells: one reader of the log per process, a ring of what it read, and a position per
//! subscriber; and counts that the log moves. It may use `domain`, the store's log and counts, tokio.
//! What never happens here: GraphQL, use cases, a queue per subscriber, an event that skips the log.

mod cursor;
mod feed;
mod tallies;

pub use cursor::Cursors;
pub use feed::{Feed, Listener};
pub use tallies::{Tallies, Watcher};
