//! Long work: asked for in one transaction, done in many, stopped between them. What a job may be is in `kind`,
//! who does it in `run`. It may use what use cases may use.
//! What never happens here: a rule of a kind, a row done twice.

mod kind;
mod run;

pub(super) use kind::{Chunk, Kind, Plan};
pub use run::{forget, run, turn};

use std::time::Duration;

use domain::{
    actor::Actor,
    id::JobId,
    job::{JobState, MOST_OPEN, Progress},
    permission::{job_scope, may_cancel_job},
    refusal::Refusal,
};

use crate::{
    app::App,
    error::{Error, Result},
    store::job::{self, Job},
};

/// After how long it is worth asking again when too many jobs of an account are open.
const TOO_MANY: Duration = Duration::from_secs(60);

/// Asks for a job of a kind; whether the actor may is the kind's to know.
///
/// # Errors
/// FORBIDDEN for nobody; RATE_LIMITED when too many of the account's jobs are open; the database's.
pub(super) async fn create<K: Kind>(app: &App, actor: &Actor, asked: &K) -> Result<Job> {
    let mut mint = app.world.mint();
    let new = Job {
        id: mint.id(),
        kind: K::KIND,
        state: JobState::Queued,
        input: kind::to_json(asked)?,
        owner: actor.user().ok_or(Error::Forbidden)?,
        created_at: mint.now(),
        started_at: None,
        ended_at: None,
        progress: Progress::default(),
        error: None,
        refusals: Vec::new(),
    };
    let noted = mint.id();
    let written = app.store.write(async move |tx| {
        if tx.open_jobs(new.owner).await? >= MOST_OPEN {
            return Err(Error::RateLimited { retry_after: TOO_MANY });
        }
        tx.insert_job(&new, noted).await?;
        Ok(new)
    });
    let new = written.await?;
    app.feed.ring();
    Ok(new)
}

/// Stops a job: what is under way is done and counted, nothing else is begun.
///
/// # Errors
/// NOT_FOUND for what is missing or not the actor's to see; FORBIDDEN when it is another's; JOB_ENDED.
pub async fn cancel(app: &App, actor: &Actor, id: JobId) -> Result<Job> {
    let (scope, actor) = (job_scope(actor), actor.clone());
    let mut mint = app.world.mint();
    let (noted, now) = (mint.id(), mint.now());
    let cancelled = app.store.write(async move |tx| {
        let not_found = || Error::from(Refusal::NotFound { what: "job" });
        let found = job::by_ids(&*tx, scope, &[id]).await?.remove(&id).ok_or_else(not_found)?;
        if !may_cancel_job(&actor, found.owner) {
            return Err(Error::Forbidden);
        }
        let done = tx.cancel_job(id, noted, now).await?;
        // As it is now: it may have come further, or to its end, while one waited.
        let now = job::by_ids(&*tx, scope, &[id]).await?.remove(&id).ok_or_else(not_found)?;
        if done { Ok(now) } else { Err(Refusal::JobEnded { state: now.state }.into()) }
    });
    let cancelled = cancelled.await?;
    app.feed.ring();
    Ok(cancelled)
}
