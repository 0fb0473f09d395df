//! Instances that are killed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::time::sleep;

use super::{
    super::{
        Scale,
        load::{Load, Shape},
        site::Site,
    },
    Outcome,
};

/// How long it may take until somebody stamps.
const PATIENCE: Duration = Duration::from_secs(20);
/// Holds whoever stamps between the stamp and its commit, for as long as the table `hold` says so.
const HOLD: &str = "CREATE TABLE hold (); \
    CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
    IF EXISTS (SELECT FROM hold) THEN PERFORM pg_sleep(1); END IF; RETURN NULL; END $$; \
    CREATE TRIGGER hold AFTER UPDATE OF seq ON events FOR EACH STATEMENT EXECUTE FUNCTION hold()";
const HELD: &str = "SELECT application_name FROM pg_stat_activity \
    WHERE datname = current_database() AND wait_event = 'PgSleep'";

/// SIGKILL for each instance in turn, while all of them write.
pub async fn kill(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(2, &[]).await?;
    let load = Load::begin(site, Shape::usual()).await?;
    for round in 0..scale.rounds {
        load.progress(scale.writes).await?;
        site.kill(round % 2)?;
        load.progress(scale.writes).await?;
        site.start(round % 2).await?;
    }
    load.progress(scale.writes).await?;
    let finished = load.finish().await?;
    Ok(finished.report(&format!("{} instances killed", scale.rounds)))
}

/// SIGKILL for the instance that stamps, when it has stamped and not yet committed.
pub async fn kill_stamper(site: &mut Site, scale: &Scale) -> Outcome {
    site.table.run(HOLD).await?;
    site.serve(2, &[]).await?;
    let load = Load::begin(site, Shape::usual()).await?;
    for _ in 0..scale.rounds {
        load.progress(scale.writes).await?;
        site.table.run("INSERT INTO hold DEFAULT VALUES").await?;
        let stamper = stamper(site).await?;
        site.kill(stamper)?;
        site.table.run("DELETE FROM hold").await?;
        load.progress(scale.writes).await?;
        site.start(stamper).await?;
    }
    let finished = load.finish().await?;
    Ok(finished.report(&format!("{} stampers killed before their commit", scale.rounds)))
}

/// The instance that is held between stamp and commit.
async fn stamper(site: &Site) -> Result<usize> {
    let begun = Instant::now();
    loop {
        if let Some(row) = site.table.all(HELD, Vec::new()).await?.first() {
            let name: String = row.try_get_by_index(0)?;
            let number = name.strip_prefix("instance").and_then(|number| number.parse().ok());
            return number.with_context(|| format!("a stamper called {name:?}"));
        }
        if begun.elapsed() > PATIENCE {
            bail!("nobody stamps");
        }
        sleep(Duration::from_millis(2)).await;
    }
}
