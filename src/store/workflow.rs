//! Workflow definitions, every version of them.

use chrono::{DateTime, Utc};
use domain::id::EventId;

use super::{
    Reads, Store,
    sql::Sql,
    subject::{self, Changed},
};
use crate::error::{Error, Result};

/// A stored definition, as TOML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The workflow's code.
    pub code: String,
    /// Its version.
    pub version: i32,
    /// Its revision within the version.
    pub revision: i32,
    /// The definition.
    pub definition: String,
}

/// Every stored version.
///
/// # Errors
/// The database's.
pub async fn all(store: &Store) -> Result<Vec<Stored>> {
    let text = "SELECT code, version, revision, definition FROM workflows WHERE active \
        ORDER BY created_at, code, version";
    let read = |row: &mut super::sql::Row<'_>| {
        let (code, version, revision, definition) = (row.get()?, row.get()?, row.get()?, row.get()?);
        Ok(Stored { code, version, revision, definition })
    };
    Sql::new(store.db(), text).all(store.db(), read).await
}

/// Stores a definition, unless this version is there at the same or a later revision: a newer program
/// brings newer shipped workflows, and never overwrites what people have added. What was written is noted as
/// this event, for the processes that run already.
///
/// # Errors
/// The database's.
pub async fn ship(store: &Store, shipped: Stored, noted: EventId, now: DateTime<Utc>) -> Result<()> {
    store
        .write(move |tx| async move {
            let mut sql = Sql::new(
                tx.db(),
                "INSERT INTO workflows (code, version, revision, definition, active, created_at) VALUES (",
            );
            sql.bind(shipped.code.as_str())
                .push(", ")
                .bind(shipped.version)
                .push(", ")
                .bind(shipped.revision);
            sql.push(", ").bind(shipped.definition).push(", TRUE, ").bind(now);
            sql.push(
                ") ON CONFLICT (code, version) DO UPDATE SET revision = excluded.revision, \
                 definition = excluded.definition WHERE workflows.revision < excluded.revision",
            );
            match sql.run(tx.db()).await? {
                0 => Ok(()),
                _ => subject::note(&tx, noted, Changed::Workflow(&shipped.code), now).await,
            }
        })
        .await
        .map_err(|error| Error::internal(format!("storing a workflow: {error:?}")))
}
