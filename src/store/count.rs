//! Orders counted by status, as of one position of the log.

use std::sync::Arc;

use domain::{
    actor::Grant,
    book::Book,
    order::{Filter, Seen, Tally},
};

use super::{
    Reads, Snapshot, Store,
    event::{self, Position},
    list::{Page, Sort, branches},
    sql::Sql,
};
use crate::error::Result;

/// Counts, and the position of the log that they are of: the events after it move them on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The counts.
    pub tally: Tally,
    /// Every event up to here is in them, and none after it.
    pub position: Position,
}

/// Counts the orders that somebody with these grants sees and that match.
///
/// # Errors
/// TOO_COMPLEX when memberships and filter make too many branches; the database's. Nothing is counted, and
/// nothing answered, when an order follows a workflow that the book does not have.
pub async fn by_status(
    store: &Store,
    book: Arc<Book>,
    grants: Vec<Grant>,
    filter: Filter,
) -> Result<Option<Counted>> {
    store
        .snapshot(async move |snapshot| {
            let position = event::head(&*snapshot).await?;
            let Some(counted) = count(&snapshot, &book, &grants, &filter).await? else { return Ok(None) };
            let mut tally = Tally::new(grants, filter, counted);
            // Changes are seen as soon as they are committed, on PostgreSQL before they have a position: it
            // will come, and move the counts, after the head.
            for event in event::without_position(&*snapshot).await? {
                tally.rewind(&event);
            }
            Ok(Some(Counted { tally, position }))
        })
        .await
}

async fn count(
    from: &Snapshot,
    book: &Book,
    grants: &[Grant],
    filter: &Filter,
) -> Result<Option<Vec<(Seen, i64)>>> {
    let page = Page {
        grants,
        book,
        filter,
        sort: Sort::CreatedAt,
        descending: true,
        after: None,
        before: None,
        from_end: false,
        limit: 0,
    };
    let branches = branches(&page)?;
    let mut sql = Sql::new(from.db(), "");
    for (i, branch) in branches.iter().enumerate() {
        sql.push(if i == 0 { "SELECT " } else { " UNION ALL SELECT " });
        sql.push(if branch.internal { "1" } else { "0" });
        sql.push(", o.workflow, o.workflow_version, o.status, COUNT(*) FROM orders o WHERE ");
        branch.push_conditions(&mut sql, &page);
        sql.push(" GROUP BY o.workflow, o.workflow_version, o.status");
    }
    if branches.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let counted = sql.all(from.db(), |row| {
        let internal = row.get::<i32>()? == 1;
        let (workflow, version, status) = (row.get()?, row.get()?, row.get()?);
        let count: i64 = row.get()?;
        Ok(seen(book, internal, (workflow, version, status)).map(|seen| (seen, count)))
    });
    Ok(counted.await?.into_iter().collect())
}

/// A status as the viewer sees it. Never the internal one to whoever may not: nothing, where the book does not
/// have the workflow.
fn seen(book: &Book, internal: bool, (workflow, version, status): (String, i32, String)) -> Option<Seen> {
    let definition = book.version(&workflow, version)?;
    let status = match definition.status(&status) {
        Some(found) if !internal => found.public_code().to_owned(),
        _ => status,
    };
    Some(Seen { workflow, status })
}
