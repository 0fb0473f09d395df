//! The integration tests: one binary, the whole application booted per test, on SQLite or PostgreSQL
//! as `ORDO_TEST_DATABASE` says. `./test` runs it on both.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;
mod live;
mod postgres;
mod schema;
mod tidy;
