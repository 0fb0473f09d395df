//! The operator's settings.

use async_graphql::{Context, Object};

use super::{failure::Result, viewer::session};
use crate::{app::App, store::settings};

/// What an administrator decides for the whole installation.
#[derive(Clone, Debug)]
pub struct Settings(settings::Settings);

/// What an administrator decides for the whole installation.
#[Object]
impl Settings {
    /// Whether orders past their `expiresOn` are cancelled by themselves. Off until switched on.
    async fn expiry_enabled(&self) -> bool {
        self.0.expiry_enabled
    }

    /// The version of the server.
    async fn server_version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }
}

/// Reading the settings.
#[derive(Debug, Default)]
pub struct SettingsQuery;

#[Object]
impl SettingsQuery {
    /// The operator's settings.
    async fn settings(&self, ctx: &Context<'_>) -> Result<Settings> {
        session(ctx)?;
        Ok(Settings(settings::read(&ctx.data_unchecked::<App>().store).await?))
    }
}
