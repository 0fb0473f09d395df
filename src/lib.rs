//! Ordo: an order-management backend. `main` reads arguments, [`app`] holds what lives as long as the
//! process, and the rooms are as ARCHITECTURE.md draws them.
//! Public so that the integration tests and the load binaries boot the very same program.

pub mod app;
pub mod bus;
pub mod config;
pub mod error;
pub mod graphql;
mod hashing;
pub mod http;
pub mod keys;
mod secret;
pub mod store;
pub mod telemetry;
pub mod usecase;
