//! What clients do and suffer.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use domain::id::EventId;
use tokio::{sync::watch, time::sleep};

use super::{
    super::{
        Scale,
        check::{Due, Receipt, Testimony, judge},
        client::Doors,
        load::{Load, Shape, Who, Work},
        proxy::{Mode, Proxy, Upstream},
        reader::Transport,
        site::Site,
        table::Table,
    },
    Outcome,
};

/// How soon everybody is back who was cut off.
const BACK: Duration = Duration::from_secs(10);
/// Every so many-th answer is lost.
const EVERY: usize = 4;

/// The check itself is checked: it must find out a reader that takes the order of inserts for the order of
/// commits, beside transactions that take their time.
pub async fn broken_reader(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(2, &[]).await?;
    let load = Load::begin(site, Shape::usual()).await?;
    let (stop, stopped) = watch::channel(false);
    let reading = tokio::spawn(read_by_id(site.table.clone(), load.base(), stopped));
    for _ in 0..scale.rounds {
        load.progress(scale.writes / 4).await?;
        let late = site.table.write_slowly(load.spare()?, Duration::from_millis(200)).await?;
        load.journal.note(late).await?;
    }
    let finished = load.finish().await?;
    stop.send_replace(true);
    let told = reading.await??;
    let receipt = |event: &EventId| {
        let row = finished.log.iter().find(|row| row.event == *event)?;
        let (cursor, order) = (row.cursor.clone(), row.order);
        Some(Receipt { cursor, order, event: Some((row.event, row.version)) })
    };
    let receipts = told.iter().map(|event| receipt(event).context("told what was never written"));
    let broken =
        Testimony { due: vec![Due::Event; finished.log.len()], receipts: receipts.collect::<Result<_>>()? };
    let found = judge(&[], &finished.log, &[broken]);
    if found.lost == 0 {
        bail!("a reader by `id > last` was not found out, so the check proves nothing");
    }
    let note =
        format!("a reader by `id > last` was found out: {} of {} lost", found.lost, finished.log.len());
    Ok(finished.report(&note))
}

async fn read_by_id(table: Table, mut last: i64, stopped: watch::Receiver<bool>) -> Result<Vec<EventId>> {
    let mut all = Vec::new();
    loop {
        // Asked first, so that there is one more look at what was committed before.
        let over = *stopped.borrow();
        let (now, told) = table.read_by_id(last).await?;
        last = now;
        all.extend(told);
        if over {
            return Ok(all);
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Answers are lost after the request has arrived; clients ask again with the same key.
pub async fn lost_answers(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(2, &[]).await?;
    let proxies = [site.door(0)?, site.door(1)?].map(Upstream::Tcp);
    let [first, second] = proxies;
    let proxies = [Proxy::to(first).await?, Proxy::to(second).await?];
    let doors = Doors::default();
    doors.set(proxies.iter().map(|proxy| proxy.address).collect());
    let load = Load::begin(site, Shape { doors: Some(doors), ..Shape::usual() }).await?;
    let before = site.table.orders().await?;
    for _ in 0..scale.rounds {
        proxies.iter().for_each(|proxy| proxy.set(Mode::LoseAnswers(EVERY)));
        load.progress(scale.writes).await?;
        proxies.iter().for_each(|proxy| proxy.set(Mode::Forward));
        load.progress(scale.writes).await?;
    }
    let finished = load.finish().await?;
    let lost: usize = proxies.iter().map(Proxy::lost).sum();
    let placed = site.table.orders().await? - before;
    if lost == 0 || placed == 0 {
        bail!("{lost} answers were lost and {placed} orders were placed meanwhile: nothing was tried");
    }
    Ok(finished.report(&format!("{lost} answers lost, {placed} orders placed")))
}

/// A crowd of readers is cut off at once, because its instance is killed.
pub async fn crowd(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(2, &[]).await?;
    let besides = vec![(Who::Staff, Transport::Socket, 0); scale.crowd];
    let load = Load::begin(site, Shape { writers: 1, besides, ..Shape::usual() }).await?;
    load.progress(5).await?;
    site.kill(0)?;
    let cut = Instant::now();
    load.progress(5).await?;
    // Everybody is told of everything: who has as many messages has heard of what was written since.
    let written = load.journal.entries().len();
    while load.listeners.iter().any(|listener| listener.reader.count() < written) {
        if cut.elapsed() > BACK {
            bail!("{} readers were cut off, and not all were back after {BACK:?}", scale.crowd);
        }
        sleep(Duration::from_millis(10)).await;
    }
    let took = cut.elapsed();
    let finished = load.finish().await?;
    Ok(finished.report(&format!("{} readers were back after {took:.1?}", scale.crowd)))
}

/// A reader stops reading. Nobody else is kept waiting, and it gets everything once it reads again.
pub async fn stall(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(2, &[]).await?;
    let besides = vec![(Who::Staff, Transport::NarrowSocket, 0)];
    let load = Load::begin(site, Shape { besides, ..Shape::usual() }).await?;
    load.progress(scale.writes).await?;
    let Some(stalled) = load.listeners.last() else { bail!("nobody listens") };
    stalled.reader.read(false);
    let begun = Instant::now();
    sleep(scale.stall).await;
    let within = begun..Instant::now();
    let missed = load.journal.entries().len() - stalled.reader.count();
    stalled.reader.read(true);
    let finished = load.finish().await?;
    let p99 = finished.p99(&within)?;
    if p99 > scale.beside_stall {
        bail!("one reader did not read, and all others' events came after {p99:?} (p99)");
    }
    let ends = finished.heard.last().map_or(0, |heard| heard.ends);
    Ok(finished.report(&format!("{missed} messages behind, ended {ends} times; p99 of others {p99:.0?}")))
}

/// 64 writers on eight orders, and an instance is killed meanwhile.
pub async fn contention(site: &mut Site, scale: &Scale) -> Outcome {
    site.serve(2, &[]).await?;
    let shape = Shape { work: Work::Shared, writers: 64, orders: 8, ..Shape::usual() };
    let load = Load::begin(site, shape).await?;
    load.progress(scale.writes).await?;
    site.kill(1)?;
    load.progress(scale.writes).await?;
    site.start(1).await?;
    load.progress(scale.writes).await?;
    Ok(load.finish().await?.report("64 writers on 8 orders"))
}
