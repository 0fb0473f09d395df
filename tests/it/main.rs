//! The integration tests: one binary, the whole application booted per test, on SQLite or PostgreSQL
//! as `ORDO_TEST_DATABASE` says. `./test` runs it on both.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod actions;
mod at_hand;
mod attempt;
mod authz;
mod backup;
mod cli;
mod events;
mod fuzz;
mod hangup;
mod harness;
mod hostile;
mod http;
mod idempotency;
mod identity;
mod input;
mod isolation;
mod limits;
mod list;
mod list_page;
mod live;
mod live_scope;
mod migration;
mod operating;
mod plan;
mod postgres;
mod proof;
mod schema;
mod service_token;
mod session;
mod session_edge;
mod shutdown;
mod socket;
mod store_sql;
mod story;
mod tidy;
mod tls;
mod trace;
mod transport;
mod visible;
mod worker;
