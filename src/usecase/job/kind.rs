//! What jobs can do. A kind is added here: a row of the two tables at the end, and a type with the two steps.

use domain::{
    id::UserId,
    job::{JobKind, Refused},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    app::App,
    error::{Error, Result},
    store::{
        Tx,
        job_task::{Outcome, Taken},
    },
    usecase::migrate::Migration,
};

/// A kind of job: what was asked for, as it is stored.
pub trait Kind: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name.
    const KIND: JobKind;
    /// Which rows a task is about.
    type Rows: Serialize + DeserializeOwned + Send;

    /// How many rows there are, and how they are cut into tasks. Reads, outside of any transaction.
    fn plan(&self, app: &App) -> impl Future<Output = Result<Plan<Self::Rows>>> + Send;

    /// Does a task, for whoever asked, in the transaction that marks it as done. A row that the rules refuse is
    /// listed; an error undoes the task, which is tried again.
    fn chunk(
        &self,
        app: &App,
        tx: &Tx,
        by: UserId,
        rows: Self::Rows,
    ) -> impl Future<Output = Result<Chunk<Self::Rows>>> + Send;
}

/// How a job is done.
#[derive(Clone, Debug)]
pub struct Plan<R> {
    /// How many rows there are.
    pub total: i64,
    /// The rows of each task; the last is begun when all others are done.
    pub tasks: Vec<R>,
}

/// What a task came to.
#[derive(Clone, Debug)]
pub struct Chunk<R> {
    /// Rows done.
    pub done: i64,
    /// Rows that the rules refused.
    pub refused: Vec<Refused>,
    /// What is left of it, if it was too much for one transaction.
    pub rest: Option<R>,
}

/// How many rows there are, and the input of each task.
pub(super) async fn plan(app: &App, taken: &Taken) -> Result<(i64, Vec<Value>)> {
    match taken.kind {
        JobKind::MigrateOrders => planned::<Migration>(app, taken).await,
    }
}

/// Does a task in this transaction.
pub(super) async fn chunk(app: &App, tx: &Tx, taken: &Taken, input: Value) -> Result<Outcome> {
    match taken.kind {
        JobKind::MigrateOrders => done::<Migration>(app, tx, taken, input).await,
    }
}

async fn planned<K: Kind>(app: &App, taken: &Taken) -> Result<(i64, Vec<Value>)> {
    let asked: K = from_json(taken.asked.clone())?;
    let Plan { total, tasks } = asked.plan(app).await?;
    Ok((total, tasks.iter().map(to_json).collect::<Result<_>>()?))
}

async fn done<K: Kind>(app: &App, tx: &Tx, taken: &Taken, input: Value) -> Result<Outcome> {
    let asked: K = from_json(taken.asked.clone())?;
    let Chunk { done, refused, rest } = asked.chunk(app, tx, taken.owner, from_json(input)?).await?;
    Ok(Outcome { done, refused, rest: rest.as_ref().map(to_json).transpose()? })
}

pub(super) fn to_json(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::Internal(error.into()))
}

fn from_json<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| Error::Internal(error.into()))
}
