//! How far a job has come, told again whenever that changes, until it ends.

use std::time::Duration;

use async_graphql::{Context, ID, Subscription};
use domain::{id::JobId, permission::job_scope};
use futures_util::{Stream, stream};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    failure::Result,
    job::Job,
    paging::parse_id,
    viewer::{Session, session},
};
use crate::{
    app::App,
    bus::Listener,
    error::{self, Error},
    store::{event::Subject, job},
    usecase,
};

/// The least time between two messages of a stream.
const PACE: Duration = Duration::from_millis(250);
/// For how long a stream's rights are taken as read before they are read again.
const RIGHTS: Duration = Duration::from_secs(1);
/// After how long a stream that has nothing to tell reads them, and the job.
const IDLE: Duration = Duration::from_secs(30);

/// Watching jobs.
#[derive(Debug, Default)]
pub struct JobSubscription;

#[Subscription]
impl JobSubscription {
    /// A job that the viewer may see: at once, and again whenever it has come further, at most four times a second.
    /// The last message tells how it ended.
    async fn job_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job's id.")] job: ID,
    ) -> Result<impl Stream<Item = Result<Job>> + use<>> {
        // Boxed: what the beginning needs would stay with the stream for as long as it lives.
        let watching = Box::pin(Watching::open(ctx, job)).await?;
        Ok(stream::unfold(Some(Box::new(watching)), async |watching| {
            let mut watching = watching?;
            match watching.next().await {
                Ok(row) if row.state.has_ended() => Some((Ok(Job::single(row)), None)),
                Ok(row) => Some((Ok(Job::single(row)), Some(watching))),
                Err(error) => Some((Err(error.into()), None)),
            }
        }))
    }
}

/// One stream about a job.
struct Watching {
    app: App,
    session: Session,
    id: JobId,
    /// The job as it was read last.
    last: job::Job,
    listener: Listener,
    read_rights_at: Instant,
    /// When the token expires.
    deadline: Instant,
    /// When the last message was sent; none before the first.
    told_at: Option<Instant>,
}

impl Watching {
    async fn open(ctx: &Context<'_>, id: ID) -> error::Result<Watching> {
        let session = session(ctx)?.clone();
        let app = ctx.data_unchecked::<App>().clone();
        let id = parse_id(&id, "job")?;
        // Listens before it reads, so that nothing happens in between.
        let listener = app.feed.listen(app.feed.head());
        let last = read(&app, &session, id).await?;
        let read_rights_at = Instant::now();
        let left = session.expires_at() - app.world.now();
        let deadline = read_rights_at + left.to_std().unwrap_or_default();
        Ok(Watching { app, session, id, last, listener, read_rights_at, deadline, told_at: None })
    }

    /// The job as it is: the first time at once, then when it has changed and it is time.
    async fn next(&mut self) -> error::Result<job::Job> {
        while let Some(told_at) = self.told_at {
            let idle = self.read_rights_at.max(told_at) + IDLE;
            match timeout_at(idle.min(self.deadline), self.change(told_at + PACE)).await {
                Ok(change) => change?,
                Err(_) if Instant::now() >= self.deadline => return Err(Error::Unauthenticated),
                Err(_) => {}
            }
            self.refresh_rights().await?;
            let now = read(&self.app, &self.session, self.id).await?;
            if now != std::mem::replace(&mut self.last, now.clone()) {
                break;
            }
        }
        self.told_at = Some(Instant::now());
        Ok(self.last.clone())
    }

    /// Waits until the log tells of the job, and at least until then.
    async fn change(&mut self, then: Instant) -> error::Result<()> {
        loop {
            let records = self.listener.next().await?;
            if records.iter().any(|record| matches!(record.subject, Subject::Job(job) if job == self.id)) {
                break;
            }
        }
        sleep_until(then).await;
        Ok(())
    }

    /// Reads the memberships again, unless that was done a moment ago.
    async fn refresh_rights(&mut self) -> error::Result<()> {
        if self.read_rights_at.elapsed() >= RIGHTS {
            let credentials = self.session.credentials().clone();
            let actor = usecase::session::actor(&self.app, &credentials).await?;
            self.session = Session::new(actor, credentials, self.session.expires_at());
            self.read_rights_at = Instant::now();
        }
        Ok(())
    }
}

/// The job as it is, for as long as the viewer may see it.
async fn read(app: &App, session: &Session, id: JobId) -> error::Result<job::Job> {
    let found = job::by_ids(&app.store, job_scope(session.actor()), &[id]).await?.remove(&id);
    found.ok_or_else(|| Error::bad_input("job", "there is no such job; `jobs` lists those that there are"))
}
