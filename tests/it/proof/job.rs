//! Jobs of two customers: of each one that waits, and one that has failed and tells why.

use domain::{
    id::{JobId, UserId},
    job::{JobKind, JobState, Progress, Refused},
};
use ordo::{app::World as _, store::job::Job};
use serde_json::json;

use super::{
    expectation::Kind,
    world::{Marker, Owner, World},
};
use crate::harness::App;

/// A job, as the test had it made.
#[derive(Clone, Debug)]
pub struct OwnJob {
    pub id: String,
    pub owner: UserId,
}

impl World {
    /// Makes the jobs; nobody does them.
    pub async fn make_jobs(&mut self, app: &App) {
        let owners = ["consumerA", "consumerB"].map(|name| (name, self.viewer(name).user));
        for state in [JobState::Queued, JobState::Failed] {
            for (name, owner) in owners {
                self.make_job(app, (name, owner), state).await;
            }
        }
    }

    async fn make_job(&mut self, app: &App, (name, owner): (&str, UserId), state: JobState) {
        // Lists are by age.
        app.world.advance(chrono::TimeDelta::milliseconds(1));
        let mut mint = app.world.mint();
        let (id, now): (JobId, _) = (mint.id(), mint.now());
        let ended = state.has_ended().then_some(now);
        let [subject, message, error] = [(); 3].map(|()| self.mark(Owner::Job(owner), Kind::Job, name));
        let job = Job {
            id,
            kind: JobKind::MigrateOrders,
            state,
            input: json!({}),
            owner,
            created_at: now,
            started_at: ended,
            ended_at: ended,
            progress: Progress { total: 3, done: 1, failed: 1 },
            error: Some(error),
            refusals: vec![Refused { subject, code: "VALIDATION".to_owned(), message }],
        };
        let noted = mint.id();
        let written = app.inner.store.write(async move |tx| tx.insert_job(&job, noted).await);
        written.await.expect("a job");
        let text = id.to_string();
        self.markers.push(Marker { text: text.clone(), kind: Kind::Job, owner: Owner::Job(owner) });
        self.jobs.push(OwnJob { id: text, owner });
    }
}
