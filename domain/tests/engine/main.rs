//! The engine from outside: who may do what, where every order can go, and what never happens.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod basket;
mod build;
mod claims;
mod limits;
mod lines;
mod matrix;
mod money;
mod properties;
mod reachability;
mod resources;
mod retries;
mod rights;
mod scope;
mod sights;
mod stalls;
mod story;
mod tallies;
mod walk;
