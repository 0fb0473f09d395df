//! One process on one file: killed, and copied while it writes.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, bail};
use tokio::time::sleep;

use super::{
    super::{
        Scale,
        check::judge,
        journal::Entry,
        load::{Load, Shape},
        process::signal,
        site::{Site, sqlite},
        table::Table,
    },
    Outcome,
};

/// Copies for each round.
const COPIES: usize = 10;

/// SIGKILL in mid-write.
pub async fn sqlite_kill(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(1, &[]).await?;
    let load = Load::begin(site, Shape::usual()).await?;
    for _ in 0..scale.rounds {
        load.progress(scale.writes).await?;
        site.kill(0)?;
        site.start(0).await?;
    }
    load.progress(scale.writes).await?;
    Ok(load.finish().await?.report(&format!("killed {} times", scale.rounds)))
}

/// The file and its log as a power cut would leave them, at any moment: the server is halted, even in
/// mid-write, and both are copied. Each copy holds every write that was acknowledged before.
pub async fn sqlite_copies(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(1, &[]).await?;
    let load = Load::begin(site, Shape::usual()).await?;
    let (copies, mut logs) = (scale.rounds * COPIES, 0);
    for n in 0..copies {
        load.progress(scale.writes / 4).await?;
        let before = load.journal.entries();
        signal(site.pid(0)?, "STOP")?;
        let copied = copy(site.folder.path());
        signal(site.pid(0)?, "CONT")?;
        let (file, log) = copied?;
        logs += usize::from(log > 0);
        replay(&file, &before, load.base()).await?;
        // So that not all of them begin at the same point of a write.
        sleep(Duration::from_millis(n as u64 % 7)).await;
    }
    if logs == 0 {
        bail!("no copy had a log beside it, so none had anything to replay");
    }
    let finished = load.finish().await?;
    Ok(finished.report(&format!("{copies} copies were whole, {logs} of them with a log to replay")))
}

/// Copies both; where to, and how long the log is.
fn copy(folder: &Path) -> Result<(PathBuf, u64)> {
    let file = folder.join("copy.db");
    for old in ["copy.db", "copy.db-wal", "copy.db-shm"].map(|name| folder.join(name)) {
        if old.is_file() {
            std::fs::remove_file(old)?;
        }
    }
    std::fs::copy(folder.join("ordo.db"), &file)?;
    let log = folder.join("ordo.db-wal");
    let length = if log.is_file() { std::fs::copy(log, folder.join("copy.db-wal"))? } else { 0 };
    Ok((file, length))
}

async fn replay(file: &Path, before: &[Entry], base: i64) -> Result<()> {
    let table = Table::open(&sqlite(file)).await?;
    let integrity: String = match table.all("PRAGMA integrity_check", Vec::new()).await?.first() {
        Some(row) => row.try_get_by_index(0)?,
        None => bail!("no answer"),
    };
    let log = table.log(base).await?;
    table.close().await?;
    let writes: Vec<_> = before.iter().map(|entry| entry.write).collect();
    // What was on its way and not yet acknowledged may be in it, too.
    let verdict = judge(&writes, &log, &[]);
    if integrity != "ok" || verdict.lost + verdict.out_of_order > 0 {
        bail!("{}: {integrity}; {verdict}", file.display());
    }
    Ok(())
}
