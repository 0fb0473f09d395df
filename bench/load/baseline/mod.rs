//! What Ordo is measured against: the same answers from hand-written statements, read by position and written
//! as JSON by fixed types. No accounts, no scopes, no rules, no GraphQL; the same allocator, the same pool, the
//! same settings of the database.

mod answer;
mod handlers;

use std::{str::FromStr, time::Duration};

use anyhow::{Context, Result};
use axum::{
    Router,
    routing::{get, post},
};
use sea_orm::sqlx::{
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tokio::net::TcpListener;

use crate::CONNECTIONS;

/// Serves until it is killed.
pub async fn serve(url: &str) -> Result<()> {
    let address = std::env::var("LOAD_LISTEN").context("LOAD_LISTEN names no address")?;
    let routes = if url.starts_with("sqlite:") { on_sqlite(url).await? } else { on_postgres(url).await? };
    let listener = TcpListener::bind(address).await?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, routes).await?)
}

async fn on_postgres(url: &str) -> Result<Router> {
    let options = PgConnectOptions::from_str(url)?.options([("plan_cache_mode", "force_generic_plan")]);
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
    let pool = pool.connect_with(options).await?;
    let state = handlers::postgres::Pools { reader: pool.clone(), writer: pool };
    Ok(Router::new()
        .route("/page/{scope}/{id}", get(handlers::postgres::page))
        .route("/page/all", get(handlers::postgres::page_of_all))
        .route("/order/{id}", get(handlers::postgres::order))
        .route("/order/{id}/{to}", post(handlers::postgres::transition))
        .with_state(state))
}

async fn on_sqlite(url: &str) -> Result<Router> {
    let options = SqliteConnectOptions::from_str(url)?
        .busy_timeout(Duration::from_secs(10))
        .foreign_keys(true)
        .pragma("journal_mode", "WAL")
        .pragma("synchronous", "FULL")
        .pragma("cache_size", "-8000");
    let pool = |size| SqlitePoolOptions::new().max_connections(size).test_before_acquire(false);
    let writer = pool(1).connect_with(options.clone()).await?;
    let reader = pool(CONNECTIONS).connect_with(options.pragma("query_only", "ON")).await?;
    let state = handlers::sqlite::Pools { reader, writer };
    Ok(Router::new()
        .route("/page/{scope}/{id}", get(handlers::sqlite::page))
        .route("/page/all", get(handlers::sqlite::page_of_all))
        .route("/order/{id}", get(handlers::sqlite::order))
        .route("/order/{id}/{to}", post(handlers::sqlite::transition))
        .with_state(state))
}
