//! What the instances stand on: PostgreSQL, the connections to it, NATS.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use chrono::TimeDelta;

use super::{
    super::{
        Scale,
        check::{Due, Testimony, judge},
        client::Login,
        journal::Journal,
        load::{Finished, Load, Shape, create},
        process::{Nats, search_path},
        proxy::{Mode, Proxy, Upstream},
        reader::{Reader, Transport, refusal},
        site::{Database, Site, succeed},
        writer::Writer,
    },
    Outcome,
};

/// How late a transaction commits.
const LATE: Duration = Duration::from_secs(2);
const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE datname = current_database() AND application_name LIKE 'instance%'";

/// A transaction that has taken its place in the sequence commits two seconds later; nobody waits for it.
pub async fn late_commit(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(2, &[]).await?;
    let load = Load::begin(site, Shape::usual()).await?;
    load.progress(scale.writes).await?;
    let begun = Instant::now();
    for _ in 0..scale.rounds {
        let late = site.table.write_slowly(load.spare()?, LATE).await?;
        load.journal.note(late).await?;
    }
    let within = begun..Instant::now();
    let finished = load.finish().await?;
    let p99 = finished.p99(&within)?;
    if p99 > scale.late {
        bail!("somebody was {LATE:?} late, and all others' events came after {p99:?} (p99)");
    }
    Ok(finished.report(&format!("p99 of all others {p99:.0?}")))
}

/// PostgreSQL crashes and recovers.
pub async fn restart_postgres(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(2, &[]).await?;
    let load = Load::begin(site, Shape::usual()).await?;
    let mut healed = Duration::ZERO;
    for _ in 0..scale.rounds {
        load.progress(scale.writes).await?;
        site.postgres()?.cluster.restart().await?;
        let recovered = Instant::now();
        load.progress(1).await?;
        healed = healed.max(recovered.elapsed());
    }
    load.progress(scale.writes).await?;
    let note = format!("{} crashes; writes went on {healed:.1?} after the recovery", scale.rounds);
    Ok(load.finish().await?.report(&note))
}

/// All connections of all instances are ended by PostgreSQL.
pub async fn terminate(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(2, &[]).await?;
    let load = Load::begin(site, Shape::usual()).await?;
    let mut ended = 0;
    for _ in 0..scale.rounds {
        load.progress(scale.writes).await?;
        ended += site.table.all(TERMINATE, Vec::new()).await?.len();
    }
    load.progress(scale.writes).await?;
    Ok(load.finish().await?.report(&format!("{ended} connections ended")))
}

/// One instance that reaches the database through a proxy, another that needs none, and work at both.
async fn behind_a_proxy(site: &mut Site, scale: &Scale) -> Result<(Proxy, Load)> {
    let database = site.postgres()?;
    let proxy = Proxy::to(Upstream::Unix(database.cluster.socket())).await?;
    let url = format!("postgres://postgres@{}/{}?sslmode=disable", proxy.address, database.name);
    site.serve_on(url, &[]).await?;
    site.serve(1, &[]).await?;
    let load = Load::begin(site, Shape::usual()).await?;
    load.progress(scale.writes).await?;
    Ok((proxy, load))
}

/// The connection on which an instance waits for the bell falls silent: no end, no error, no bell.
pub async fn silent_listener(site: &mut Site, scale: &Scale) -> Outcome {
    let (proxy, load) = behind_a_proxy(site, scale).await?;
    let begun = Instant::now();
    for _ in 0..scale.rounds {
        proxy.set(Mode::MuteListeners);
        load.progress(scale.writes).await?;
        proxy.set(Mode::Forward);
        load.progress(scale.writes).await?;
    }
    let within = begun..Instant::now();
    let finished = load.finish().await?;
    let muted = proxy.muted();
    if muted == 0 {
        bail!("no connection has listened, so none fell silent");
    }
    let p99 = finished.p99(&within)?;
    Ok(finished.report(&format!("{muted} connections fell silent; p99 {p99:.0?}")))
}

/// All connections of an instance to its database fall silent at once, as when a firewall forgets them. New ones
/// work: its streams go on without a restart, and its clients' writes elsewhere meanwhile.
pub async fn silent_database(site: &mut Site, scale: &Scale) -> Outcome {
    let (proxy, load) = behind_a_proxy(site, scale).await?;
    proxy.set(Mode::MutePresent);
    load.progress(scale.writes).await?;
    let finished = load.finish().await?;
    Ok(finished.report(&format!("{} connections fell silent", proxy.muted())))
}

/// NATS stops, and starts again.
pub async fn nats(site: &mut Site, scale: &Scale) -> Outcome {
    let mut nats = Nats::start().await?;
    site.serve(2, &[("NATS_URL", &nats.url())]).await?;
    let load = Load::begin(site, Shape::usual()).await?;
    let mut connected = 0;
    for _ in 0..scale.rounds {
        load.progress(scale.writes).await?;
        connected += nats.connections().await?;
        nats = nats.restart(load.progress(scale.writes)).await?;
    }
    load.progress(scale.writes).await?;
    if connected == 0 {
        bail!("no instance was connected to NATS, so none has lost it");
    }
    Ok(load.finish().await?.report(&format!("{connected} connections ended in {} stops", scale.rounds)))
}

/// A backup is brought back: cursors beyond it are refused, also once the log is as long again, and those
/// before it resume.
pub async fn restore(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(2, &[]).await?;
    let load = Load::begin(site, Shape::usual()).await?;
    load.progress(scale.writes).await?;
    let file = site.folder.path().join("backup.dump");
    succeed(site.command(&["backup", &file.display().to_string()])?)?;
    load.progress(scale.writes).await?;
    let finished = load.finish().await?;
    let [Some(first), Some(last)] = [finished.log.first(), finished.log.last()] else {
        bail!("nothing was written");
    };
    let login = Login::new(site.cast.staff.user, TimeDelta::hours(12));
    bring_back(site, &file.display().to_string()).await?;
    site.serve(1, &[]).await?;
    refused(site, &login, &last.cursor).await?;
    grow(site, &login, &finished).await?;
    refused(site, &login, &last.cursor).await?;

    let reader =
        Reader::resume(Transport::Socket, 0, site.doors.clone(), login.clone(), Some(first.cursor.clone()))
            .await?;
    let log = site.table.log(first.seq).await?;
    let begun = Instant::now();
    while reader.count() < log.len() && begun.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let receipts = reader.heard().receipts.into_iter().map(|(receipt, _)| receipt).collect();
    let resumed = Testimony { due: vec![Due::Event; log.len()], receipts };
    let verdict = judge(&[], &log, &[resumed]);
    if verdict.lost + verdict.invented + verdict.out_of_order > 0 {
        bail!("a cursor from before the backup: {verdict}");
    }
    Ok(finished.report(&format!("{} resumed behind the backup", log.len())))
}

/// Restores a backup into a database of its own and moves there.
async fn bring_back(site: &mut Site, file: &str) -> Result<()> {
    let left = site.postgres()?;
    let database = Database { cluster: left.cluster.clone(), name: format!("{}_restored", left.name) };
    let url = database.create("").await?;
    let mut restore = Command::new("pg_restore");
    restore.env("PATH", search_path()).arg("--host").arg(database.cluster.folder());
    restore.args(["--username=postgres", "--no-owner", "--exit-on-error", "--dbname"]);
    restore.arg(&database.name).arg(file);
    succeed(restore)?;
    site.move_to(database, url).await
}

/// Writes until the restored log is longer than the lost one was.
async fn grow(site: &Site, login: &Login, lost: &Finished) -> Result<()> {
    let journal = Journal::begin(site.folder.path())?;
    let name = "after-the-restore".to_owned();
    let mut writer = Writer::new(name, 0, site.doors.clone(), login.clone(), journal)?;
    let end = lost.log.last().map_or(0, |row| row.seq);
    while site.table.head().await?.0 <= end {
        writer.write(create(&site.cast)).await?;
    }
    Ok(())
}

async fn refused(site: &Site, login: &Login, cursor: &str) -> Result<()> {
    let end = refusal(site.doors.clone(), login.clone(), cursor.to_owned()).await?;
    if end.contains("CURSOR_INVALID") { Ok(()) } else { bail!("a cursor beyond the backup: {end}") }
}
