//! Jobs: what was asked for, how far it has come, whose it is.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{
    id::{EventId, JobId, UserId},
    job::{JobKind, JobState, Progress, Refused},
    permission::JobScope,
};
use entity::{job, task};
use sea_orm::{EntityTrait, IntoActiveModel};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Reads, Store, Tx,
    sql::{Row, Sql, to_json},
    subject::{self, Changed},
};
use crate::error::Result;

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its id; jobs sort by age.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// How far it has come.
    pub state: JobState,
    /// What was asked for, in the kind's own shape.
    pub input: Value,
    /// Who asked.
    pub owner: UserId,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When its first piece was begun.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Its rows.
    pub progress: Progress,
    /// Why a piece of it could not be done the last time; none once all went well.
    pub error: Option<String>,
    /// The first rows that the rules refused.
    pub refusals: Vec<Refused>,
}

/// Conditions on jobs; all that are set must hold. An empty list matches nothing.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// One of these states.
    pub states: Option<Vec<JobState>>,
    /// One of these kinds.
    pub kinds: Option<Vec<JobKind>>,
}

/// A stretch of the jobs, newest first.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// Older than this one.
    pub after: Option<Uuid>,
    /// Newer than this one.
    pub before: Option<Uuid>,
    /// The oldest of them instead of the newest.
    pub from_end: bool,
    /// At most so many.
    pub limit: usize,
}

const JOB: &str = "SELECT id, kind, state, input, owner_id, created_at, started_at, ended_at, total, done, \
    failed, error, refusals FROM jobs WHERE ";

fn read_job(row: &mut Row<'_>) -> Result<Job> {
    Ok(Job {
        id: row.id()?,
        kind: row.named(JobKind::parse)?,
        state: row.named(JobState::parse)?,
        input: row.json()?,
        owner: row.id()?,
        created_at: row.get()?,
        started_at: row.get()?,
        ended_at: row.get()?,
        progress: Progress { total: row.get()?, done: row.get()?, failed: row.get()? },
        error: row.get()?,
        refusals: row.json()?,
    })
}

fn within(sql: &mut Sql, scope: JobScope) {
    match scope {
        JobScope::Every => sql.push("TRUE"),
        JobScope::Of(owner) => sql.push("owner_id = ").bind(owner.0),
    };
}

/// Jobs by id, of those in scope.
///
/// # Errors
/// The database's.
pub async fn by_ids(from: &impl Reads, scope: JobScope, ids: &[JobId]) -> Result<HashMap<JobId, Job>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(from.db(), JOB);
    within(&mut sql, scope);
    sql.push(" AND ").among("id", &ids);
    let jobs = sql.all(from.db(), read_job).await?;
    Ok(jobs.into_iter().map(|job| (job.id, job)).collect())
}

/// Jobs in scope that match, newest first.
///
/// # Errors
/// The database's.
pub async fn page(store: &Store, scope: JobScope, filter: &Filter, stretch: Stretch) -> Result<Vec<Job>> {
    let Filter { states, kinds } = filter;
    let mut sql = Sql::new(store.db(), JOB);
    within(&mut sql, scope);
    if let Some(states) = states {
        sql.push(" AND ").among_texts("state", states.iter().map(|state| state.name()));
    }
    if let Some(kinds) = kinds {
        sql.push(" AND ").among_texts("kind", kinds.iter().map(|kind| kind.name()));
    }
    if let Some(id) = stretch.after {
        sql.push(" AND id < ").bind(id);
    }
    if let Some(id) = stretch.before {
        sql.push(" AND id > ").bind(id);
    }
    let direction = if stretch.from_end { "ASC" } else { "DESC" };
    sql.push(&format!(" ORDER BY id {direction} LIMIT {}", stretch.limit));
    let mut jobs = sql.all(store.db(), read_job).await?;
    if stretch.from_end {
        jobs.reverse();
    }
    Ok(jobs)
}

/// How many jobs one step of the removal takes: each goes with all its tasks.
const REMOVED: usize = 10;

/// Removes jobs that ended before this moment, and says how many.
///
/// # Errors
/// The database's.
pub async fn remove_ended(store: &Store, before: DateTime<Utc>) -> Result<u64> {
    let mut removed = 0;
    loop {
        let step = store.write(async move |tx| {
            let mut sql = Sql::new(tx.db(), "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs");
            sql.push(" WHERE ended_at < ").bind(before);
            sql.push(&format!(" ORDER BY ended_at LIMIT {REMOVED})"));
            sql.run(tx.db()).await
        });
        let step = step.await?;
        removed += step;
        if step < REMOVED as u64 {
            return Ok(removed);
        }
    }
}

impl Tx {
    /// How many jobs of an account wait or run.
    ///
    /// # Errors
    /// The database's.
    pub async fn open_jobs(&self, owner: UserId) -> Result<i64> {
        let mut sql = Sql::new(self.db(), "SELECT COUNT(*) FROM jobs WHERE owner_id = ");
        sql.bind(owner.0).push(" AND state IN ('QUEUED', 'RUNNING')");
        Ok(sql.one(self.db(), |row| row.get()).await?.unwrap_or_default())
    }

    /// Inserts a job, whose first task is to plan the others, and notes it as this event.
    ///
    /// # Errors
    /// The database's.
    pub async fn insert_job(&self, new: &Job, noted: EventId) -> Result<()> {
        let row = job::Model {
            id: new.id.0,
            kind: new.kind.name().to_owned(),
            state: new.state.name().to_owned(),
            input: new.input.clone(),
            owner_id: new.owner.0,
            created_at: new.created_at,
            started_at: new.started_at,
            ended_at: new.ended_at,
            total: new.progress.total,
            done: new.progress.done,
            failed: new.progress.failed,
            error: new.error.clone(),
            refusals: to_json(&new.refusals)?,
        };
        job::Entity::insert(row.into_active_model()).exec_without_returning(self.db()).await?;
        let planning = super::job_task::new_task(new.id, 0, None, new.created_at);
        task::Entity::insert(planning.into_active_model()).exec_without_returning(self.db()).await?;
        self.note_job(new.id, noted, new.created_at).await
    }

    /// Cancels a job unless it has ended, and says whether. Waits for the pieces of it that are under way, which
    /// are done and counted then; no other is begun.
    ///
    /// # Errors
    /// The database's.
    pub async fn cancel_job(&self, id: JobId, noted: EventId, now: DateTime<Utc>) -> Result<bool> {
        // In one order, lest two who cancel wait for each other; and before the job, as whoever does a task.
        let mut lock = Sql::new(self.db(), "SELECT position FROM tasks WHERE state = 'OPEN' AND job_id = ");
        lock.bind(id.0).push(" ORDER BY position");
        if lock.is_postgres() {
            lock.push(" FOR UPDATE");
        }
        lock.all(self.db(), |_| Ok(())).await?;
        let mut end = Sql::new(self.db(), "UPDATE jobs SET state = 'CANCELLED', error = NULL, ended_at = ");
        end.bind(now).push(" WHERE state IN ('QUEUED', 'RUNNING') AND id = ").bind(id.0);
        if end.run(self.db()).await? == 0 {
            return Ok(false);
        }
        let mut drop = Sql::new(self.db(), "UPDATE tasks SET state = 'DROPPED' WHERE state = 'OPEN'");
        drop.push(" AND job_id = ").bind(id.0);
        drop.run(self.db()).await?;
        self.note_job(id, noted, now).await?;
        Ok(true)
    }

    /// Notes that a job has changed. The last thing that a transaction does to it.
    pub(super) async fn note_job(&self, id: JobId, noted: EventId, now: DateTime<Utc>) -> Result<()> {
        subject::note(self, noted, Changed::Job(id), now).await
    }
}
