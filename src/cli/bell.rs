//! How the instances on one database wake each other, by the settings.

use anyhow::{Context, Result};
use ordo::{
    app::App,
    bus::{Pace, Servers, Wire},
    config::Config,
};

/// NATS, where that is set.
pub fn wire(config: &Config) -> Result<Option<Wire>> {
    let Some(urls) = &config.nats_url else { return Ok(None) };
    let servers = Servers::parse(urls).map_err(|what| config.fault("nats_url", what))?;
    if config.database_url.starts_with("sqlite:") {
        tracing::warn!("`nats_url` is of no use with SQLite: there is but one instance to wake");
    }
    Ok(Some(Wire::Nats(servers)))
}

/// The application with its bell on this wire; else as it was, with PostgreSQL's own.
pub async fn hung(app: App, wire: Option<Wire>) -> Result<App> {
    let Some(wire) = wire else { return Ok(app) };
    let app = app.rung_by(wire, Pace::default()).await;
    app.map_err(super::plain).context("the live feed could not be opened")
}
