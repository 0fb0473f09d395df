//! Who changed whose rights: read from the log, by organisation or by account.

use chrono::{DateTime, Utc};
use domain::{
    id::{EventId, OrganizationId, UserId},
    people::{RightsChange, RightsDetail},
    permission::OrganizationScope,
};

use super::Stretch;
use crate::{
    error::{Error, Result},
    store::{
        Reads, Store,
        sql::{Row, Sql},
    },
};

/// A change of somebody's rights, as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The event.
    pub id: EventId,
    /// Whose rights.
    pub user: UserId,
    /// Who changed them; nobody, for what the program founded.
    pub by: Option<UserId>,
    /// How.
    pub change: RightsChange,
    /// When.
    pub at: DateTime<Utc>,
}

fn read(row: &mut Row<'_>) -> Result<Changed> {
    let (id, user, by, name) = (row.id()?, row.id()?, row.maybe_id()?, row.get::<String>()?);
    let detail: Option<RightsDetail> = row.maybe_json()?;
    let change = RightsChange::read(&name, detail.unwrap_or_default());
    let change = change.ok_or_else(|| Error::internal(format!("a change of rights named {name}")))?;
    Ok(Changed { id, user, by, change, at: row.get()? })
}

/// Changes of rights in these organisations, or all of them with those of whole accounts; of one account, if it
/// is named. The oldest first, in the list's own direction.
///
/// # Errors
/// The database's.
pub async fn page(
    store: &Store,
    scope: &OrganizationScope,
    organization: Option<OrganizationId>,
    user: Option<UserId>,
    stretch: Stretch,
) -> Result<Vec<Changed>> {
    // The condition of the indexes, in their words.
    let mut sql = Sql::new(
        store.db(),
        "SELECT id, subject_id, actor_id, action, detail, at FROM (SELECT uid AS id, subject_id, actor_id, \
         action, detail, at FROM events WHERE subject_kind = 'ACCOUNT' AND action IS NOT NULL",
    );
    if let OrganizationScope::Of(some) = scope {
        let some: Vec<String> = some.iter().map(ToString::to_string).collect();
        sql.push(" AND ").among_texts("(detail ->> 'organization')", some.iter().map(String::as_str));
    }
    if let Some(organization) = organization {
        sql.push(" AND (detail ->> 'organization') = ").bind(organization.to_string());
    }
    if let Some(user) = user {
        sql.push(" AND subject_id = ").bind(user.0);
    }
    sql.push(") rights WHERE TRUE");
    stretch.push(&mut sql);
    let mut rows = sql.all(store.db(), read).await?;
    if stretch.from_end {
        rows.reverse();
    }
    Ok(rows)
}
