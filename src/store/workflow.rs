//! Workflow definitions, every version of them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::id::EventId;

use super::{
    Reads, Store, Tx,
    sql::{Row, Sql},
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

const COLUMNS: &str = "SELECT code, version, revision, definition FROM workflows WHERE active";

fn read(row: &mut Row<'_>) -> Result<Stored> {
    let (code, version, revision, definition) = (row.get()?, row.get()?, row.get()?, row.get()?);
    Ok(Stored { code, version, revision, definition })
}

/// Every stored version.
///
/// # Errors
/// The database's.
pub async fn all(from: &impl Reads) -> Result<Vec<Stored>> {
    let mut sql = Sql::new(from.db(), COLUMNS);
    sql.push(" ORDER BY created_at, code, version");
    sql.all(from.db(), read).await
}

/// A version of a workflow, the newest if none is named.
///
/// # Errors
/// The database's.
pub async fn find(from: &impl Reads, code: &str, version: Option<i32>) -> Result<Option<Stored>> {
    let mut sql = Sql::new(from.db(), COLUMNS);
    sql.push(" AND code = ").bind(code);
    if let Some(version) = version {
        sql.push(" AND version = ").bind(version);
    }
    sql.push(" ORDER BY version DESC LIMIT 1");
    sql.one(from.db(), read).await
}

/// How many workflows there are.
///
/// # Errors
/// The database's.
pub async fn count(from: &impl Reads) -> Result<i64> {
    let sql = Sql::new(from.db(), "SELECT COUNT(DISTINCT code) FROM workflows");
    Ok(sql.one(from.db(), |row| row.get()).await?.unwrap_or_default())
}

/// How many orders of a version stand in each of these statuses, deleted ones too; statuses without any are
/// left out.
///
/// # Errors
/// The database's.
pub async fn in_use(
    from: &impl Reads,
    (code, version): (&str, i32),
    statuses: &[&str],
) -> Result<BTreeMap<String, i64>> {
    if statuses.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut sql = Sql::new(from.db(), "SELECT status, COUNT(*) FROM orders WHERE workflow = ");
    sql.bind(code).push(" AND workflow_version = ").bind(version).push(" AND ");
    sql.among_texts("status", statuses.iter().copied()).push(" GROUP BY status");
    let counted = sql.all(from.db(), |row| Ok((row.get()?, row.get()?))).await?;
    Ok(counted.into_iter().collect())
}

impl Tx {
    /// Waits for others who save this workflow, until the end of the transaction.
    ///
    /// # Errors
    /// The database's.
    pub async fn lock_workflow(&self, code: &str) -> Result<()> {
        Changed::Workflow(code).lock(self).await
    }

    /// Stores a definition that people saved, in place of the same version's, and notes it as this event. From
    /// then on the workflow is theirs.
    ///
    /// # Errors
    /// The database's.
    pub async fn save_workflow(&self, saved: Stored, noted: EventId, now: DateTime<Utc>) -> Result<()> {
        put(self, &saved, true, now).await?;
        subject::note(self, noted, Changed::Workflow(&saved.code), now).await
    }
}

/// Stores a definition that comes with the program, unless this version is there at the same or a later
/// revision. What was written is noted as this event, for the processes that run already. A workflow that people
/// have edited is theirs and stays as it is: whether it is not.
///
/// # Errors
/// The database's.
pub async fn ship(store: &Store, shipped: Stored, noted: EventId, now: DateTime<Utc>) -> Result<bool> {
    store
        .write(move |tx| async move {
            tx.lock_workflow(&shipped.code).await?;
            if is_edited(&*tx, &shipped.code).await? {
                return Ok(false);
            }
            if put(&tx, &shipped, false, now).await? > 0 {
                subject::note(&tx, noted, Changed::Workflow(&shipped.code), now).await?;
            }
            Ok(true)
        })
        .await
        .map_err(|error| Error::internal(format!("storing a workflow: {error:?}")))
}

/// Whether people saved any version.
async fn is_edited(from: &impl Reads, code: &str) -> Result<bool> {
    let mut sql = Sql::new(from.db(), "SELECT 1 FROM workflows WHERE edited AND code = ");
    sql.bind(code).push(" LIMIT 1");
    Ok(sql.one(from.db(), |_| Ok(())).await?.is_some())
}

/// Writes a definition over an earlier revision of its version; how many rows that touched.
async fn put(tx: &Tx, stored: &Stored, edited: bool, now: DateTime<Utc>) -> Result<u64> {
    let mut sql = Sql::new(
        tx.db(),
        "INSERT INTO workflows (code, version, revision, definition, active, edited, created_at) VALUES (",
    );
    sql.bind(stored.code.as_str()).push(", ").bind(stored.version).push(", ").bind(stored.revision);
    sql.push(", ").bind(stored.definition.as_str()).push(", TRUE, ").bind(edited).push(", ").bind(now);
    sql.push(
        ") ON CONFLICT (code, version) DO UPDATE SET revision = excluded.revision, definition = \
         excluded.definition, edited = excluded.edited WHERE workflows.revision < excluded.revision",
    );
    sql.run(tx.db()).await
}
