//! Orders moved to another version of their workflow: previewed, then done as a job.

use std::sync::Arc;

use chrono::TimeDelta;
use domain::{
    actor::Actor,
    id::{OrderId, UserId},
    job::{JobKind, Refused},
    order::{Passage, Step, migrate},
    permission::may_migrate_orders,
    refusal::Refusal,
    workflow::Definition,
};
use serde::{Deserialize, Serialize};

use super::job::{self, Chunk, Kind, Plan};
use crate::{
    app::App,
    error::{Error, Result},
    store::{
        self, Tx,
        job::Job,
        migrate::{Version, counts, cuts, within},
    },
};

/// Orders per transaction.
const MOST: usize = 100;
/// Tasks of one job at most; where there are more orders, a task takes several transactions.
const TASKS: i64 = 10_000;
/// How much older than its commit an order's id may be, by a slow transaction or a slow clock.
const LATE: TimeDelta = TimeDelta::minutes(5);

/// Which orders are moved where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// The workflow's code.
    pub workflow: String,
    /// The version that they follow.
    pub from: i32,
    /// The version that they will follow.
    pub to: i32,
    /// Where statuses go; one that is not named keeps its code.
    pub mapping: Vec<Step>,
}

/// What a migration would do.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// How many orders there are, by status.
    pub counts: Vec<Count>,
    /// Everything that is wrong with it.
    pub faults: Vec<Refusal>,
}

/// The orders in one status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The status's code.
    pub status: String,
    /// Where they would stand; nowhere if the mapping does not say.
    pub target: Option<String>,
    /// How many.
    pub orders: i64,
}

/// A stretch of orders by their ids: after the first, up to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    after: Option<OrderId>,
    until: Option<OrderId>,
}

/// Says what a migration would do; and asks for the job that does it, unless something is wrong or it is only to
/// be previewed.
///
/// # Errors
/// FORBIDDEN for all but administrators; RATE_LIMITED; the database's.
pub async fn migrate_orders(
    app: &App,
    actor: &Actor,
    migration: &Migration,
    only_preview: bool,
) -> Result<(Preview, Option<Job>)> {
    if !may_migrate_orders(actor) {
        return Err(Error::Forbidden);
    }
    let preview = preview(app, migration).await?;
    if only_preview || !preview.faults.is_empty() {
        return Ok((preview, None));
    }
    let job = job::create(app, actor, migration).await?;
    Ok((preview, Some(job)))
}

async fn preview(app: &App, migration: &Migration) -> Result<Preview> {
    let Migration { workflow, from, to, mapping } = migration;
    if app.book.newest(workflow).is_none() {
        let faults = vec![Refusal::NotFound { what: "workflow" }];
        return Ok(Preview { faults, ..Preview::default() });
    }
    let unknown = |place: &str, version: i32| {
        Refusal::invalid(
            place,
            format!("`{workflow}` has no version {version}; see `workflow` for the newest"),
        )
    };
    let mut faults = Vec::new();
    let old = definition(app, workflow, *from).await?;
    let new = definition(app, workflow, *to).await?;
    faults.extend(old.is_none().then(|| unknown("fromVersion", *from)));
    faults.extend(new.is_none().then(|| unknown("toVersion", *to)));
    if from == to {
        faults.push(Refusal::invalid("toVersion", "name another version than the one that is left"));
    }
    let Some((old, new)) = old.zip(new).filter(|_| faults.is_empty()) else {
        return Ok(Preview { faults, ..Preview::default() });
    };
    let passage = Passage { from: &old, to: &new, mapping };
    let counted = counts(&app.store, migration.left()).await?.into_iter().map(|(status, orders)| {
        let target = passage.target(&status).map(|target| target.code.clone());
        Count { status, target, orders }
    });
    Ok(Preview { counts: counted.collect(), faults: passage.faults() })
}

/// A version of a workflow. One that is not known may have been saved a moment ago.
async fn definition(app: &App, workflow: &str, version: i32) -> Result<Option<Arc<Definition>>> {
    if let Some(known) = app.book.version(workflow, version) {
        return Ok(Some(known));
    }
    app.book.read_again(&app.store).await?;
    Ok(app.book.version(workflow, version))
}

impl Migration {
    fn left(&self) -> Version<'_> {
        Version { workflow: &self.workflow, version: self.from }
    }

    async fn definition(&self, app: &App, version: i32) -> Result<Arc<Definition>> {
        let found = definition(app, &self.workflow, version).await?;
        found.ok_or_else(|| Error::internal(format!("workflow {} {version}", self.workflow)))
    }
}

impl Kind for Migration {
    const KIND: JobKind = JobKind::MigrateOrders;
    type Rows = Stretch;

    /// Every order lies in one stretch. The last one, begun when all others are done, holds those that were placed
    /// just now, or will be meanwhile.
    async fn plan(&self, app: &App) -> Result<Plan<Stretch>> {
        let recent = OrderId::floor(app.world.now() - LATE);
        let total: i64 = counts(&app.store, self.left()).await?.iter().map(|(_, orders)| orders).sum();
        let size = (total / TASKS + 1).max(MOST as i64);
        let mut ends = cuts(&app.store, self.left(), size).await?;
        ends.retain(|end| *end < recent);
        ends.push(recent);
        let starts = [None].into_iter().chain(ends.iter().copied().map(Some));
        let until = ends.iter().copied().map(Some).chain([None]);
        let tasks = starts.zip(until).map(|(after, until)| Stretch { after, until }).collect();
        Ok(Plan { total, tasks })
    }

    async fn chunk(&self, app: &App, tx: &Tx, by: UserId, rows: Stretch) -> Result<Chunk<Stretch>> {
        let old = self.definition(app, self.from).await?;
        let new = self.definition(app, self.to).await?;
        let passage = Passage { from: &old, to: &new, mapping: &self.mapping };
        let mut ids = within(tx, self.left(), (rows.after, rows.until), MOST + 1).await?;
        let is_more = ids.len() > MOST;
        ids.truncate(MOST);
        let (mut decisions, mut refused) = (Vec::new(), Vec::new());
        for order in tx.orders(&Actor::System, &ids).await? {
            // Somebody may have moved it while one waited for it.
            if order.head.workflow_version != self.from {
                continue;
            }
            match migrate(&order, passage, Some(by), &mut app.world.mint()) {
                Ok(decision) => decisions.push(decision),
                Err(refusal) => refused.push(Refused {
                    subject: order.head.id.to_string(),
                    code: refusal.code().to_owned(),
                    message: refusal.to_string(),
                }),
            }
        }
        store::save(tx, &decisions).await?;
        let rest = ids.last().filter(|_| is_more).map(|id| Stretch { after: Some(*id), ..rows });
        Ok(Chunk { done: decisions.len() as i64, refused, rest })
    }
}
