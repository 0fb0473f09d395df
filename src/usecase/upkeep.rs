//! What every process does by itself while it serves. Several may do so at once on one database.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::sleep;

use super::order::fire_timers;
use crate::{
    app::App,
    bus::Listener,
    error::Result,
    store::event::{self, Subject},
};

/// How often timers are looked for that are due.
const SWEEP: Duration = Duration::from_secs(1);
/// How often the trim mark is moved.
const TRIM: Duration = Duration::from_secs(60);
/// After how long something that failed is tried again.
const AGAIN: Duration = Duration::from_secs(15);

/// Goes on for as long as the process lives; cursors are served for so long after their events.
pub async fn run(app: App, retention: TimeDelta) {
    let sweeping = async {
        loop {
            logged(fire_timers(&app).await);
            sleep(SWEEP).await;
        }
    };
    let trimming = async {
        loop {
            logged(trim(&app, retention).await);
            sleep(TRIM).await;
        }
    };
    tokio::join!(sweeping, trimming, follow_workflows(&app));
}

fn logged<T>(done: Result<T>) {
    if let Err(error) = done {
        tracing::error!(error = ?error, "upkeep failed; trying again");
    }
}

/// Stops serving cursors of events that are older than this, and says from which position on they are served.
///
/// # Errors
/// The database's.
pub async fn trim(app: &App, retention: TimeDelta) -> Result<i64> {
    event::trim(&app.store, app.world.now() - retention).await
}

/// Reads the workflows again whenever the log says that one was saved: a newer process may have shipped it.
pub async fn follow_workflows(app: &App) {
    // What was saved before now is read at once, what is saved later is heard of.
    let mut listener = app.feed.listen(app.feed.head());
    loop {
        if let Err(error) = next_workflow(app, &mut listener).await {
            tracing::error!(error = ?error, "the workflows could not be read again; the known ones stay");
            sleep(AGAIN).await;
        }
    }
}

async fn next_workflow(app: &App, listener: &mut Listener) -> Result<()> {
    app.book.read_again(&app.store).await?;
    loop {
        let records = listener.next().await?;
        if records.iter().any(|record| matches!(record.subject, Subject::Workflow(_))) {
            return Ok(());
        }
    }
}
