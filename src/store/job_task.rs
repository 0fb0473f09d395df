//! The pieces that jobs are done in: taken by one process at a time, done in the transaction of what they do.
//! Whoever writes here locks a task before its job, and notes the job's change last.

use chrono::{DateTime, Utc};
use domain::{
    id::{EventId, JobId, UserId},
    job::{JobKind, MOST_REFUSALS, Refused, lease},
};
use entity::task;
use sea_orm::{EntityTrait, IntoActiveModel};
use serde_json::Value;

use super::{
    Reads, Store, Tx,
    sql::{Row, Sql, to_json},
};
use crate::error::Result;

/// A task as whoever took it has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// The job.
    pub job: JobId,
    /// What the job does.
    pub kind: JobKind,
    /// What was asked for.
    pub asked: Value,
    /// Who asked.
    pub owner: UserId,
    /// Which of the job's tasks.
    pub position: i32,
    /// Which rows; none for the planning of the other tasks.
    pub input: Option<Value>,
    /// How often it was begun, this time included: the number by which a later taker is told.
    pub attempts: i32,
}

/// What a task came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Rows done.
    pub done: i64,
    /// Rows that the rules refused.
    pub refused: Vec<Refused>,
    /// What is left of it, if it was too much for one transaction.
    pub rest: Option<Value>,
}

/// Tasks that may be begun: open, due, of a job that goes on; the last one when it is alone.
const DUE: &str = " FROM tasks t JOIN jobs j ON j.id = t.job_id WHERE t.state = 'OPEN' \
    AND j.state IN ('QUEUED', 'RUNNING') AND (NOT t.is_last OR NOT EXISTS (SELECT 1 FROM tasks o \
    WHERE o.job_id = t.job_id AND o.state = 'OPEN' AND NOT o.is_last)) AND t.due_at <= ";

/// Whether a task may be begun at this moment.
///
/// # Errors
/// The database's.
pub async fn is_due(store: &Store, now: DateTime<Utc>) -> Result<bool> {
    let mut sql = Sql::new(store.db(), "SELECT 1");
    sql.push(DUE).bind(now).push(" LIMIT 1");
    Ok(sql.one(store.db(), |row| row.get::<i32>()).await?.is_some())
}

/// A task of a job that nobody has begun.
pub(super) fn new_task(
    job: JobId,
    position: i32,
    input: Option<Value>,
    due_at: DateTime<Utc>,
) -> task::Model {
    let state = "OPEN".to_owned();
    let (is_last, attempts, done, failed) = (false, 0, 0, 0);
    task::Model { job_id: job.0, position, state, input, is_last, attempts, due_at, done, failed }
}

fn read_taken(row: &mut Row<'_>) -> Result<Taken> {
    Ok(Taken {
        job: row.id()?,
        kind: row.named(JobKind::parse)?,
        asked: row.json()?,
        owner: row.id()?,
        position: row.get()?,
        input: row.maybe_json()?,
        attempts: row.get::<i32>()? + 1,
    })
}

impl Taken {
    /// Appends the condition that names this task.
    fn named(&self, sql: &mut Sql) {
        sql.push(" WHERE job_id = ").bind(self.job.0).push(" AND position = ").bind(self.position);
    }
}

impl Tx {
    /// Takes the task that has been due for longest, for itself until its lease ends; passes by what others are
    /// taking or doing.
    ///
    /// # Errors
    /// The database's.
    pub async fn take_task(&self, noted: EventId, now: DateTime<Utc>) -> Result<Option<Taken>> {
        let mut sql = Sql::new(self.db(), "SELECT j.id, j.kind, j.input, j.owner_id, t.position, t.input, ");
        sql.push("t.attempts").push(DUE).bind(now).push(" ORDER BY t.due_at, t.job_id, t.position LIMIT 1");
        if sql.is_postgres() {
            sql.push(" FOR UPDATE OF t SKIP LOCKED");
        }
        let Some(taken) = sql.one(self.db(), read_taken).await? else { return Ok(None) };
        let mut take = Sql::new(self.db(), "UPDATE tasks SET attempts = ");
        take.bind(taken.attempts).push(", due_at = ").bind(now + lease(taken.input.is_none()));
        taken.named(&mut take);
        take.run(self.db()).await?;
        let mut begin = Sql::new(self.db(), "UPDATE jobs SET state = 'RUNNING', started_at = ");
        begin.bind(now).push(" WHERE state = 'QUEUED' AND id = ").bind(taken.job.0);
        if begin.run(self.db()).await? > 0 {
            self.note_job(taken.job, noted, now).await?;
        }
        Ok(Some(taken))
    }

    /// Locks a task that was taken, until the end of the transaction; whether it still is whose it was, and its
    /// job goes on.
    ///
    /// # Errors
    /// The database's.
    pub async fn hold_task(&self, taken: &Taken) -> Result<bool> {
        let mut sql = Sql::new(self.db(), "SELECT 1 FROM tasks t JOIN jobs j ON j.id = t.job_id");
        sql.push(" WHERE t.job_id = ").bind(taken.job.0).push(" AND t.position = ").bind(taken.position);
        sql.push(" AND t.attempts = ").bind(taken.attempts);
        sql.push(" AND t.state = 'OPEN' AND j.state IN ('QUEUED', 'RUNNING')");
        if sql.is_postgres() {
            sql.push(" FOR UPDATE OF t");
        }
        Ok(sql.one(self.db(), |row| row.get::<i32>()).await?.is_some())
    }

    /// Writes down that a task that is held has planned the others: how many rows there are, and a task for each
    /// of these inputs, of which the last is begun when all others are done.
    ///
    /// # Errors
    /// The database's.
    pub async fn plan_tasks(
        &self,
        taken: &Taken,
        (total, inputs): (i64, Vec<Value>),
        noted: EventId,
        now: DateTime<Utc>,
    ) -> Result<()> {
        const BATCH: usize = 500;
        let last = inputs.len();
        let mut tasks = (1..).zip(inputs).map(|(position, input)| {
            let is_last = usize::try_from(position) == Ok(last);
            task::Model { is_last, ..new_task(taken.job, position, Some(input), now) }.into_active_model()
        });
        loop {
            let batch: Vec<task::ActiveModel> = tasks.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            task::Entity::insert_many(batch).exec_without_returning(self.db()).await?;
        }
        let mut sql = Sql::new(self.db(), "UPDATE jobs SET total = ");
        sql.bind(total).push(" WHERE id = ").bind(taken.job.0);
        sql.run(self.db()).await?;
        self.end_task(taken, Outcome::default(), noted, now).await
    }

    /// Writes down what a task that is held came to, in the transaction of what it did. With the last one the job
    /// has succeeded.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_task(
        &self,
        taken: &Taken,
        outcome: Outcome,
        noted: EventId,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let Outcome { done, refused, rest } = outcome;
        let failed = refused.len() as i64;
        let mut task = Sql::new(self.db(), "UPDATE tasks SET done = done + ");
        task.bind(done).push(", failed = failed + ").bind(failed);
        match rest {
            Some(rest) => task.push(", attempts = 0, due_at = ").bind(now).push(", input = ").bind(rest),
            None => task.push(", state = 'DONE'"),
        };
        taken.named(&mut task);
        task.run(self.db()).await?;
        let mut job = Sql::new(self.db(), "UPDATE jobs SET done = done + ");
        job.bind(done).push(", failed = failed + ").bind(failed).push(" WHERE id = ").bind(taken.job.0);
        job.run(self.db()).await?;
        self.list_refused(taken.job, refused).await?;
        // Behind the job's lock: of two who end at once, the second sees that nothing is left.
        let mut job = Sql::new(self.db(), "UPDATE jobs SET state = 'SUCCEEDED', error = NULL, ended_at = ");
        job.bind(now).push(" WHERE state = 'RUNNING' AND id = ").bind(taken.job.0);
        job.push(" AND NOT EXISTS (SELECT 1 FROM tasks WHERE state = 'OPEN' AND job_id = ");
        job.bind(taken.job.0).push(")");
        job.run(self.db()).await?;
        self.note_job(taken.job, noted, now).await
    }

    /// Lists refused rows with their job, which is locked, as far as there is room.
    async fn list_refused(&self, job: JobId, refused: Vec<Refused>) -> Result<()> {
        if refused.is_empty() {
            return Ok(());
        }
        let mut sql = Sql::new(self.db(), "SELECT refusals FROM jobs WHERE id = ");
        sql.bind(job.0);
        let mut listed: Vec<Refused> = sql.one(self.db(), |row| row.json()).await?.unwrap_or_default();
        let room = MOST_REFUSALS.saturating_sub(listed.len());
        listed.extend(refused.into_iter().take(room));
        let mut sql = Sql::new(self.db(), "UPDATE jobs SET refusals = ");
        sql.bind(to_json(&listed)?).push(" WHERE id = ").bind(job.0);
        sql.run(self.db()).await.map(|_| ())
    }

    /// Gives a task that is held back because of this error: to be tried again then, or never, and then its job
    /// has failed.
    ///
    /// # Errors
    /// The database's.
    pub async fn give_task_back(
        &self,
        taken: &Taken,
        (error, again_at): (&str, Option<DateTime<Utc>>),
        noted: EventId,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut task = Sql::new(self.db(), "UPDATE tasks SET ");
        match again_at {
            Some(at) => task.push("due_at = ").bind(at),
            None => task.push("state = 'FAILED'"),
        };
        taken.named(&mut task);
        task.run(self.db()).await?;
        let mut job = Sql::new(self.db(), "UPDATE jobs SET error = ");
        job.bind(error);
        if again_at.is_none() {
            job.push(", state = 'FAILED', ended_at = ").bind(now);
        }
        job.push(" WHERE id = ").bind(taken.job.0);
        job.run(self.db()).await?;
        if again_at.is_none() {
            self.drop_tasks(taken.job).await?;
        }
        self.note_job(taken.job, noted, now).await
    }

    /// Drops the tasks that nobody is doing just now.
    async fn drop_tasks(&self, job: JobId) -> Result<()> {
        let mut sql = Sql::new(self.db(), "UPDATE tasks SET state = 'DROPPED' WHERE job_id = ");
        let idle = if sql.is_postgres() { " FOR UPDATE SKIP LOCKED)" } else { ")" };
        sql.bind(job.0)
            .push(" AND position IN (SELECT position FROM tasks WHERE state = 'OPEN' AND job_id = ");
        sql.bind(job.0).push(idle);
        sql.run(self.db()).await.map(|_| ())
    }
}
