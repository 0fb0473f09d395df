//! Jobs: long work that goes on by itself.

use std::sync::Arc;

use async_graphql::{
    Context, Enum, ID, InputObject, Interface, Object, SimpleObject,
    connection::{Connection, EmptyFields},
};
use domain::{
    id::JobId,
    job::{self, Refused},
    permission::job_scope,
    refusal::Refusal,
};
use uuid::Uuid;

use super::{
    expected::expected,
    failure::{Failure, Result},
    order::{NotFound, Validation},
    paging::{Args, Cursor, cost, parse_id, uuid},
    people::User,
    scalar::DateTime,
    siblings::Siblings,
    viewer::session,
};
use crate::{
    app::App,
    error::Error,
    store::{
        job::{self as jobs, Filter, Stretch},
        people,
    },
    usecase,
};

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "job::JobKind")]
pub enum JobKind {
    /// Moves orders to another version of their workflow.
    MigrateOrders,
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "job::JobState")]
pub enum JobState {
    /// Nobody has begun it.
    Queued,
    /// It is being worked on.
    Running,
    /// All of it is done; rows that were refused are counted.
    Succeeded,
    /// A piece of it could not be done, however often it was tried; what was done before stays done.
    Failed,
    /// Somebody stopped it; what was done before stays done.
    Cancelled,
}

/// How many rows a job has, and what has become of them.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct JobProgress {
    /// How many there were at its start; rows that come later are done too.
    total: i32,
    /// How many are done.
    done: i32,
    /// How many were refused.
    failed: i32,
}

/// A row that was refused.
#[derive(Clone, Debug, SimpleObject)]
pub struct JobRefusal {
    /// The row's id.
    subject: ID,
    /// The refusal's stable code.
    code: String,
    /// Why, and the way out, in a sentence.
    message: String,
}

/// Long work that goes on by itself, row by row, and outlives the server that it was begun on. Kept for 30 days
/// after its end.
#[derive(Clone, Debug)]
pub struct Job {
    row: Arc<jobs::Job>,
    people: Arc<Siblings<people::User>>,
}

impl Job {
    /// The jobs of one answer.
    pub fn all(rows: Vec<jobs::Job>) -> Vec<Job> {
        let people = Arc::new(Siblings::new(rows.iter().map(|row| row.owner)));
        rows.into_iter().map(|row| Job { row: Arc::new(row), people: people.clone() }).collect()
    }

    /// A job alone.
    pub fn single(row: jobs::Job) -> Job {
        let people = Arc::new(Siblings::new([row.owner]));
        Job { row: Arc::new(row), people }
    }

    /// Its id.
    pub fn key(&self) -> JobId {
        self.row.id
    }
}

/// Long work that goes on by itself, row by row, and outlives the server that it was begun on. Kept for 30 days
/// after its end.
#[Object]
impl Job {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// What it does.
    async fn kind(&self) -> JobKind {
        self.row.kind.into()
    }

    /// How far it has come.
    async fn state(&self) -> JobState {
        self.row.state.into()
    }

    /// Its rows.
    async fn progress(&self) -> JobProgress {
        let small = |count: i64| i32::try_from(count).unwrap_or(i32::MAX);
        let job::Progress { total, done, failed } = self.row.progress;
        JobProgress { total: small(total), done: small(done), failed: small(failed) }
    }

    /// Who asked for it.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let found = self.people.get(&ctx.data_unchecked::<App>().store, self.row.owner).await;
        found.map(|user| user.map(User::from)).map_err(Failure::from).transpose()
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When it was begun.
    async fn started_at(&self) -> Option<DateTime> {
        self.row.started_at.map(DateTime)
    }

    /// When it ended.
    async fn ended_at(&self) -> Option<DateTime> {
        self.row.ended_at.map(DateTime)
    }

    /// Why a piece of it could not be done the last time, while it is tried again and once it has failed.
    async fn error(&self) -> Option<&str> {
        self.row.error.as_deref()
    }

    /// The first rows that were refused, at most 100; `progress.failed` counts all of them.
    async fn refusals(&self) -> Vec<JobRefusal> {
        let refusal = |Refused { subject, code, message }: Refused| JobRefusal {
            subject: subject.into(),
            code,
            message,
        };
        self.row.refusals.iter().cloned().map(refusal).collect()
    }
}

/// One of these states. An empty list matches nothing.
#[derive(Clone, Debug, Default, InputObject)]
pub struct JobStateFilter {
    /// One of these.
    #[graphql(name = "in")]
    pub one_of: Vec<JobState>,
}

/// One of these kinds. An empty list matches nothing.
#[derive(Clone, Debug, Default, InputObject)]
pub struct JobKindFilter {
    /// One of these.
    #[graphql(name = "in")]
    pub one_of: Vec<JobKind>,
}

/// Conditions on jobs; all that are given must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct JobWhereInput {
    /// How far it has come.
    pub state: Option<JobStateFilter>,
    /// What it does.
    pub kind: Option<JobKindFilter>,
}

impl JobWhereInput {
    /// The conditions, each value once: however often one is named, the statement does not grow.
    fn read(self) -> Filter {
        let states = self.state.map(|state| {
            let named = |one: &job::JobState| state.one_of.contains(&JobState::from(*one));
            job::JobState::ALL.into_iter().filter(named).collect()
        });
        let kinds = self.kind.map(|kind| {
            let named = |one: &job::JobKind| kind.one_of.contains(&JobKind::from(*one));
            job::JobKind::ALL.into_iter().filter(named).collect()
        });
        Filter { states, kinds }
    }
}

/// Reading jobs.
#[derive(Debug, Default)]
pub struct JobQuery;

#[Object]
impl JobQuery {
    /// Jobs, newest first: everybody's for staff, one's own for others.
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "one argument of the field each")]
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "where", desc = "Conditions.")] conditions: Option<JobWhereInput>,
        #[graphql(desc = "The first so many, up to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Cursor<Uuid>, Job, EmptyFields, EmptyFields>> {
        let scope = job_scope(session(ctx)?.actor());
        let window = Args { first, after, last, before }.window(uuid)?;
        let limit = window.limit();
        let stretch =
            Stretch { after: window.after, before: window.before, from_end: window.from_end, limit };
        let filter = conditions.unwrap_or_default().read();
        let rows = jobs::page(&ctx.data_unchecked::<App>().store, scope, &filter, stretch).await?;
        Ok(window.connection(Job::all(rows), EmptyFields, |job| (job.key().0, job)))
    }
}

expected! {
    JobError {
        /// It is not there, or not for this viewer to see: both read the same.
        NotFound,
        /// A value is not acceptable; `path` says which.
        Validation,
    };
    /// Nothing more comes of the job.
    JobEnded {
        /// How it ended.
        state: JobState,
    }
}

impl JobError {
    /// An error as data, if it is one that callers are to expect; any other goes into `errors` at the top of
    /// the response.
    pub fn expect(error: Error) -> std::result::Result<JobError, Failure> {
        let (code, message) = (error.code(), error.to_string());
        Ok(match error {
            Error::Refusal(Refusal::NotFound { what }) => {
                NotFound { code, message, path: vec![what.to_owned()] }.into()
            }
            Error::Refusal(Refusal::Validation { path, .. }) => Validation { code, message, path }.into(),
            Error::Refusal(Refusal::JobEnded { state }) => {
                let path = vec!["job".to_owned()];
                JobEnded { code, message, path, state: state.into() }.into()
            }
            other @ (Error::Refusal(
                Refusal::IllegalTransition { .. }
                | Refusal::NotPermitted { .. }
                | Refusal::VersionConflict { .. }
                | Refusal::MissingReason { .. }
                | Refusal::GuardFailed(_)
                | Refusal::MixedOrder { .. }
                | Refusal::DuplicateReference { .. }
                | Refusal::AttemptClaimed { .. }
                | Refusal::LeaseLost
                | Refusal::ResourceBusy { .. }
                | Refusal::InvalidDefinition { .. }
                | Refusal::WorkflowConflict { .. }
                | Refusal::LastOwner { .. }
                | Refusal::LastAdmin,
            )
            | Error::IdempotencyMismatch
            | Error::Unauthenticated
            | Error::Forbidden
            | Error::RateLimited { .. }
            | Error::InvalidCredentials
            | Error::SessionEnded
            | Error::InvalidToken
            | Error::LoginElsewhere
            | Error::BadInput { .. }
            | Error::TooComplex(_)
            | Error::Cursor { .. }
            | Error::LiveFilterUnsupported { .. }
            | Error::NumberTaken
            | Error::Internal(_)) => return Err(other.into()),
        })
    }
}

/// Stops a job.
#[derive(Clone, Debug, InputObject)]
pub struct JobCancelInput {
    /// The job's id.
    pub job: ID,
}

/// A job that was stopped.
#[derive(Clone, Debug, SimpleObject)]
pub struct JobCancelPayload {
    /// The job; null when it was refused.
    job: Option<Job>,
    /// Why it was refused; empty on success.
    errors: Vec<JobError>,
}

/// Stopping jobs.
#[derive(Debug, Default)]
pub struct JobMutation;

#[Object]
impl JobMutation {
    /// Stops a job: what is under way is done and counted, nothing else is begun, and what was done stays done. For
    /// whoever asked for it, and administrators.
    async fn job_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: JobCancelInput,
    ) -> Result<JobCancelPayload> {
        let actor = session(ctx)?.actor();
        let id: JobId = parse_id(&input.job, "input.job")?;
        match usecase::job::cancel(ctx.data_unchecked::<App>(), actor, id).await {
            Ok(row) => Ok(JobCancelPayload { job: Some(Job::single(row)), errors: Vec::new() }),
            Err(error) => Ok(JobCancelPayload { job: None, errors: vec![JobError::expect(error)?] }),
        }
    }
}
