//! The bus tells: one reader of the log per process, a ring of what it read, and a position per
//! subscriber; equal subscribers are told together. It may use `domain`, the store's log, tokio.
//! What never happens here: GraphQL, use cases, a queue per subscriber, an event that skips the log.

mod cursor;
mod feed;
pub mod hub;

pub use cursor::Cursors;
pub use feed::{Feed, Listener};
