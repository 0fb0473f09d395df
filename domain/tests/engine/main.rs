//! The engine from outside: who may do what, where every order can go, and what never happens.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod basket;
mod build;
mod claims;
mod edit;
mod limits;
mod lines;
mod matrix;
mod migrations;
mod money;
mod people;
mod properties;
mod reachability;
mod removal;
mod resources;
mod retries;
mod rights;
mod scope;
mod sights;
mod stalls;
mod story;
mod tallies;
mod timers;
mod walk;
