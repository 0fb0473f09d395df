//! The operator's settings: few, typed, one row each.

use super::{Reads, sql::Sql};
use crate::error::Result;

/// What an administrator decides for the whole installation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether orders past their `expiresOn` are cancelled by themselves. Off until switched on.
    pub expiry_enabled: bool,
}

/// The settings; what is not stored has its default.
///
/// # Errors
/// The database's.
pub async fn read(from: &impl Reads) -> Result<Settings> {
    let rows: Vec<(String, serde_json::Value)> = Sql::new(from.db(), "SELECT key, value FROM settings")
        .all(from.db(), |row| Ok((row.get()?, row.get()?)))
        .await?;
    let flag = |name: &str| rows.iter().any(|(key, value)| key == name && value.as_bool() == Some(true));
    Ok(Settings { expiry_enabled: flag("expiry_enabled") })
}
