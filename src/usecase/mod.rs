//! Use cases sequence: one function per intention, one transaction each.
//! They may use `domain`, the store, and the bus: its bell, and what upkeep listens to. Edges and jobs call them, nothing else writes.
//! What never happens here: rules, SQL, GraphQL, HTTP.

pub mod demo;
pub mod job;
pub mod keys;
pub mod migrate;
pub mod order;
pub mod people;
pub mod service_token;
pub mod session;
pub mod settings;
pub mod upkeep;
pub mod workflow;
