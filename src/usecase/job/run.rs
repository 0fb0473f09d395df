//! Does jobs, task by task, in every process that serves. A task is taken in one transaction, which counts that it
//! was begun; what it does and that it is done are committed together in a second one. Whoever dies in between
//! leaves a lease that runs out.

use std::time::Duration;

use domain::job::{KEPT, MOST_ATTEMPTS, wait};
use futures_util::future::join_all;
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};

use super::kind;
use crate::{
    app::App,
    error::{Error, Result},
    store::{
        event::Subject,
        job,
        job_task::{self, Taken},
    },
};

/// Tasks that one process does at once.
const AT_ONCE: usize = 2;
/// How often tasks are looked for when nobody tells of any.
const LOOK: Duration = Duration::from_secs(2);
/// After how long something that failed is tried again.
const AGAIN: Duration = Duration::from_secs(15);
/// How often old jobs are removed.
const FORGET: Duration = Duration::from_secs(60 * 60);

/// Does jobs until it is told to stop, and then ends what it is at. Several processes may do so on one database.
pub async fn run(app: App, stop: impl Future<Output = ()>) {
    let (stopping, news) = (watch::Sender::new(false), Notify::new());
    let workers = join_all((0..AT_ONCE).map(|_| work(&app, &news, stopping.subscribe())));
    let until = async {
        tokio::select! {
            () = stop => {}
            () = listen(&app, &news) => {}
            () = forget_old(&app) => {}
        }
        stopping.send_replace(true);
    };
    tokio::join!(workers, until);
}

/// One task after the other, for as long as there are any; then waits for news.
async fn work(app: &App, news: &Notify, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        // From now on: what comes while one looks is not missed.
        let told = news.notified();
        match turn(app).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::error!(error = ?error, "no task could be taken; trying again"),
        }
        tokio::select! {
            () = told => {}
            () = sleep(LOOK) => {}
            _ = stopping.changed() => {}
        }
    }
}

/// Passes on that the log tells of jobs.
async fn listen(app: &App, news: &Notify) {
    let mut listener = app.feed.listen(app.feed.head());
    loop {
        match listener.next().await {
            Ok(records) if records.iter().any(|record| matches!(record.subject, Subject::Job(_))) => {
                news.notify_waiters();
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(error = ?error, "the log could not be read; jobs are found all the same");
                sleep(AGAIN).await;
            }
        }
    }
}

async fn forget_old(app: &App) {
    loop {
        if let Err(error) = forget(app).await {
            tracing::error!(error = ?error, "old jobs could not be removed; trying again");
        }
        sleep(FORGET).await;
    }
}

/// Removes the jobs that ended long enough ago, and says how many.
///
/// # Errors
/// The database's.
pub async fn forget(app: &App) -> Result<u64> {
    job::remove_ended(&app.store, app.world.now() - KEPT).await
}

/// Does a task, if one is due; whether one was. A task that could not be done is given back, and that is no error.
///
/// # Errors
/// The database's: then the lease of what was taken runs out.
pub async fn turn(app: &App) -> Result<bool> {
    if !job_task::is_due(&app.store, app.world.now()).await? {
        return Ok(false);
    }
    let mut mint = app.world.mint();
    let taken = app.store.write(async move |tx| tx.take_task(mint.id(), mint.now()).await).await?;
    let Some(taken) = taken else { return Ok(false) };
    if let Err(error) = perform(app, &taken).await {
        give_back(app, taken, error).await?;
    }
    app.feed.ring();
    Ok(true)
}

/// Does what was taken, unless it is another's by now.
async fn perform(app: &App, taken: &Taken) -> Result<()> {
    if taken.attempts > MOST_ATTEMPTS {
        return Err(Error::internal("whoever began the task was lost each time"));
    }
    let (context, taken) = (app.clone(), taken.clone());
    match taken.input.clone() {
        None => {
            let plan = kind::plan(app, &taken).await?;
            let planned = app.store.write(async move |tx| {
                let mut mint = context.world.mint();
                match tx.hold_task(&taken).await? {
                    true => tx.plan_tasks(&taken, plan, mint.id(), mint.now()).await,
                    false => Ok(()),
                }
            });
            planned.await
        }
        Some(input) => {
            let done = app.store.write(async move |tx| {
                if !tx.hold_task(&taken).await? {
                    return Ok(());
                }
                let outcome = kind::chunk(&context, &tx, &taken, input).await?;
                let mut mint = context.world.mint();
                tx.end_task(&taken, outcome, mint.id(), mint.now()).await
            });
            done.await
        }
    }
}

/// Notes that a task could not be done: it is tried again after a while, unless that was done often enough.
async fn give_back(app: &App, taken: Taken, error: Error) -> Result<()> {
    let (job, task, attempts) = (taken.job, taken.position, taken.attempts);
    tracing::warn!(%job, task, attempts, error = ?error, "a task of a job could not be done");
    let told = sentence(&error);
    let mut mint = app.world.mint();
    let written = app.store.write(async move |tx| {
        if !tx.hold_task(&taken).await? {
            return Ok(());
        }
        let now = mint.now();
        let again_at = wait(attempts).map(|wait| now + wait);
        tx.give_task_back(&taken, (&told, again_at), mint.id(), now).await
    });
    written.await
}

/// An error as the job's owner may read it.
fn sentence(error: &Error) -> String {
    match error {
        Error::NumberTaken | Error::Internal(_) => {
            "something went wrong on our side; the server's log has the details".to_owned()
        }
        other => other.to_string(),
    }
}
