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
    Ok((load.finish().await?.verdict, format!("killed {} times", scale.rounds)))
}

/// The file and its log as a power cut would leave them, at any moment: the server is halted, even in
/// mid-write, and both are copied. Each copy holds every write that was acknowledged before.
pub async fn sqlite_copies(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(1, &[]).await?;
    let load = Load::begin(site, Shape::usual()).await?;
    let mut copies = Vec::new();
    for n in 0..scale.rounds * COPIES {
        load.progress(scale.writes / 4).await?;
        let before = load.journal.entries();
        signal(site.pid(0)?, "STOP")?;
        let copied = copy(site.folder.path(), n);
        signal(site.pid(0)?, "CONT")?;
        copies.push((copied?, before));
        // So that not all of them begin at the same point of a write.
        sleep(Duration::from_millis(n as u64 % 7)).await;
    }
    let base = load.base();
    let finished = load.finish().await?;
    let mut log = 0;
    for (file, before) in &copies {
        replay(file, before, base).await?;
        log += usize::from(std::fs::metadata(file.with_extension("db-wal")).is_ok_and(|wal| wal.len() > 0));
    }
    Ok((finished.verdict, format!("{} copies were whole, {log} of them with a log", copies.len())))
}

fn copy(folder: &Path, n: usize) -> Result<PathBuf> {
    let file = folder.join(format!("copy{n}.db"));
    std::fs::copy(folder.join("ordo.db"), &file)?;
    if folder.join("ordo.db-wal").is_file() {
        std::fs::copy(folder.join("ordo.db-wal"), file.with_extension("db-wal"))?;
    }
    Ok(file)
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
