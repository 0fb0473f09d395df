//! The operator's settings: few, typed, one row each. Who changed them is in the log.

use chrono::{DateTime, Utc};
use domain::id::{EventId, UserId};
use entity::setting as row;
use sea_orm::{EntityTrait, IntoActiveModel, sea_query::OnConflict};
use serde::{Deserialize, Serialize};

use super::{
    Reads, Store, Tx,
    sql::{Row, Sql, to_json},
    subject::{self, Changed, SETTINGS},
};
use crate::error::Result;

/// What an administrator decides for the whole installation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Whether orders expire by themselves: past their `expiresOn`, or when their status has run out. Off until
    /// switched on.
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

/// A change of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which of them it was, from 1.
    pub version: i64,
    /// Who made it.
    pub by: Option<UserId>,
    /// As they were.
    pub before: Settings,
    /// As they became.
    pub after: Settings,
    /// When.
    pub at: DateTime<Utc>,
}

/// A stretch of the changes: versions between two bounds, the first or last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Older than this version.
    pub after: Option<i64>,
    /// Newer than this version.
    pub before: Option<i64>,
    /// The oldest ones instead of the newest.
    pub from_end: bool,
    /// At most so many.
    pub limit: usize,
}

/// Who changed the settings, the newest change first.
///
/// # Errors
/// The database's.
pub async fn history(store: &Store, stretch: Stretch) -> Result<Vec<Change>> {
    let mut sql = Sql::new(
        store.db(),
        "SELECT subject_version, actor_id, before, after, at FROM events WHERE subject_kind = ",
    );
    sql.bind(SETTINGS).push(" AND subject_id = ").bind(subject::settings());
    if let Some(version) = stretch.after {
        sql.push(" AND subject_version < ").bind(version);
    }
    if let Some(version) = stretch.before {
        sql.push(" AND subject_version > ").bind(version);
    }
    let direction = if stretch.from_end { "ASC" } else { "DESC" };
    sql.push(&format!(" ORDER BY subject_version {direction} LIMIT {}", stretch.limit));
    let read = |row: &mut Row<'_>| {
        Ok(Change {
            version: row.get()?,
            by: row.maybe_id()?,
            before: row.json()?,
            after: row.json()?,
            at: row.get()?,
        })
    };
    let mut changes = sql.all(store.db(), read).await?;
    if stretch.from_end {
        changes.reverse();
    }
    Ok(changes)
}

impl Tx {
    /// The settings, locked against others who change them until the end of the transaction.
    ///
    /// # Errors
    /// The database's.
    pub async fn settings(&self) -> Result<Settings> {
        subject::lock(self, subject::settings()).await?;
        read(self).await
    }

    /// Writes settings that differ, and notes who changed them.
    ///
    /// # Errors
    /// The database's.
    pub async fn save_settings(
        &self,
        (noted, by): (EventId, UserId),
        (before, after): (Settings, Settings),
        at: DateTime<Utc>,
    ) -> Result<()> {
        let Settings { expiry_enabled } = after;
        let row =
            row::Model { key: "expiry_enabled".to_owned(), value: expiry_enabled.into(), updated_at: at };
        let replace = OnConflict::column(row::Column::Key)
            .update_columns([row::Column::Value, row::Column::UpdatedAt])
            .to_owned();
        row::Entity::insert(row.into_active_model())
            .on_conflict(replace)
            .exec_without_returning(self.db())
            .await?;
        let (before, after) = (to_json(&before)?, to_json(&after)?);
        let changed = Changed::Settings { by, before: &before, after: &after };
        subject::note(self, noted, changed, at).await
    }
}
