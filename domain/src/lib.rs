//! The order engine: what an order is, who may do what to it, and what comes of it.
//! It may use the standard library, serde and types for time, ids and decimals.
//! What never happens here: I/O, async, SQL, HTTP, GraphQL, a clock, randomness.
//!
//! The story of an order, start here:
//!
//! 1. Somebody ([`actor::Actor`]) asks for products. [`order::place`] checks that they may, prices
//!    the lines and puts the order into the first status of its [`workflow::Definition`], which is
//!    data: statuses, and rows that say who may move an order where.
//! 2. From then on every change is a [`order::Command`]. [`order::decide`] finds the row that the
//!    actor's roles on this order ([`actor::Actor::standing`]) and the row's condition open, runs its
//!    effects, and returns a [`order::Decision`]: the order before and after, and the
//!    [`event::Event`]s that tell what happened.
//! 3. Or it returns a [`refusal::Refusal`] that says what would have been possible.
//! 4. Nothing else makes a `Decision` but [`order::admit`], for orders that come from outside, and
//!    the store saves nothing but Decisions. [`permission`] is the ceiling over all of it.
//! 5. Each event carries what lists and rights read of the order before and after, so
//!    [`order::sight`] can tell every subscriber whether the order entered, changed in or left what
//!    they watch.

pub mod actor;
pub mod book;
pub mod event;
pub mod id;
pub mod job;
pub mod mint;
pub mod money;
pub mod order;
pub mod password;
pub mod people;
pub mod permission;
pub mod refusal;
pub mod role;
pub mod session;
pub mod workflow;
