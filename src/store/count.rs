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
use crate::error::{Error, Result};

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
/// TOO_COMPLEX when memberships and filter make too many branches; INTERNAL when an order follows a workflow
/// that the book does not have; the database's.
pub async fn by_status(
    store: &Store,
    book: Arc<Book>,
    grants: Vec<Grant>,
    filter: Filter,
) -> Result<Counted> {
    store
        .snapshot(async move |snapshot| {
            let position = event::head(&*snapshot).await?;
            let counted = count(&snapshot, &book, &grants, &filter).await?;
            let mut tally = Tally::new(grants, filter, counted);
            // Changes are seen as soon as they are committed, on PostgreSQL before they have a position: it
            // will come, and move the counts, after the head.
            for event in event::without_position(&*snapshot).await? {
                tally.rewind(&event);
            }
            Ok(Counted { tally, position })
        })
        .await
}

async fn count(from: &Snapshot, book: &Book, grants: &[Grant], filter: &Filter) -> Result<Vec<(Seen, i64)>> {
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
        return Ok(Vec::new());
    }
    let counted = sql.all(from.db(), |row| {
        let internal = row.get::<i32>()? == 1;
        let (workflow, version, status) = (row.get()?, row.get()?, row.get()?);
        Ok((seen(book, internal, (workflow, version, status))?, row.get()?))
    });
    counted.await
}

/// A status as the viewer sees it. Never the internal one to whoever may not: a workflow that the book does not
/// have is an error.
fn seen(book: &Book, internal: bool, (workflow, version, status): (String, i32, String)) -> Result<Seen> {
    let definition = book.version(&workflow, version);
    let definition = definition.ok_or_else(|| Error::internal(format!("workflow {workflow} {version}")))?;
    let status = match definition.status(&status) {
        Some(found) if !internal => found.public_code().to_owned(),
        _ => status,
    };
    Ok(Seen { workflow, status })
}
