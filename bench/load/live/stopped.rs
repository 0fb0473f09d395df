//! One client has stopped reading its socket: what the others feel of it, and what becomes of it.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use tokio::time::sleep;

use super::{
    EVENTS, Options, Outcome, PATIENCE, equal,
    ledger::{Ledger, Since, Tally, quantile},
    movable,
    movers::Movers,
    table::{Row, spread},
};
use crate::{
    crowd::{Crowd, Desk, Greeting},
    site::Site,
    workload::token,
};

/// Transitions a second.
const RATE: f64 = 50.0;
/// Orders that are moved in turn.
const MOVED: usize = 160;
/// Subscriptions of the client that will stop: so many that the kernel's buffers are full within seconds.
const SUBSCRIPTIONS: u32 = 100;
/// What the kernel holds for a socket, about. Less than that and nobody notices that a client has stopped.
const BUFFERED: usize = 8 << 20;

/// Measures the others while that client reads, and while it does not.
pub async fn measure(site: &Site, options: &Options, count: usize) -> Result<Outcome> {
    let (server, orders) = (site.serve(&[]).await?, movable(site, MOVED).await?);
    let movers = usize::from(options.movers);
    let mut movers = Movers::open(server.address, &token(site.company.csr)?, &orders, movers).await?;
    let crowd = Crowd::open(server.address, equal(site, count)?).await?;
    let greeting = Greeting::of(&token(site.company.staff)?).watching(EVENTS, &Value::Null, SUBSCRIPTIONS);
    let (mut ledger, length) = (Ledger::default(), options.length());
    let reading = Crowd::open(server.address, vec![greeting.clone()]).await?;
    ledger.entries.extend(movers.run(Some(RATE), length).await?);
    crowd.hears((ledger.entries.len() * count) as u64, PATIENCE).await;
    drop(reading);
    let calm = ledger.entries.len();
    let stopped = Crowd::open(server.address, vec![greeting.deaf_for(length)]).await?;
    ledger.entries.extend(movers.run(Some(RATE), length).await?);
    crowd.hears((ledger.entries.len() * count) as u64, PATIENCE).await;
    let late = Ledger { entries: ledger.entries.split_off(calm) };
    let missed = (late.entries.len() * SUBSCRIPTIONS as usize) as u64;
    let fate = fate(&late, stopped, missed).await;
    let desk = crowd.close();
    let mut rows = others(&ledger, &late, &desk);
    rows.push(fate);
    ledger.entries.extend(late.entries);
    Ok(Outcome { rows, tally: Some(ledger.check(&desk, count, |_, _| true)) })
}

fn others(calm: &Ledger, late: &Ledger, desk: &Desk) -> Vec<Row> {
    let [before, with] = [calm, late].map(|ledger| ledger.delays(desk, 0, Since::Sent));
    let more = (quantile(&with, 0.99) / quantile(&before, 0.99) - 1.0) * 100.0;
    vec![
        Row::of("the others' p50 / p99 / longest since the request, all reading", spread(&before)),
        Row::of("the same while one has stopped reading", spread(&with)),
        Row::of("p99 more because of it", format!("**{more:+.0} %**")).bound("+50 %", "+20 %"),
    ]
}

/// What the client has when it reads again: all, or all up to where it was ended; never with a hole.
async fn fate(ledger: &Ledger, stopped: Crowd, missed: u64) -> Row {
    stopped.hears(missed, Duration::from_secs(10)).await;
    // Whoever is ended is ended behind its last message.
    sleep(Duration::from_millis(100)).await;
    let (desk, listeners) = (stopped.close(), SUBSCRIPTIONS as usize);
    let farthest = ledger.farthest(&desk, listeners);
    let Tally { delivered, lost, repeated, disordered, unasked, .. } =
        ledger.check(&desk, listeners, |listener, entry| Some(entry) <= farthest[listener]);
    let bytes: usize =
        desk.receipts.iter().map(|receipt| desk.texts[receipt.text as usize].bytes.len()).sum();
    let fate = match desk.ended.first() {
        Some((_, why)) => format!("ended: {why}"),
        None if delivered as u64 == missed => "served when it read again".to_owned(),
        None => "neither ended nor served".to_owned(),
    };
    let noticed = if bytes < BUFFERED { "; the kernel may have held it all" } else { "" };
    let what = "the one that had stopped: fate, messages; holes, repeated, out of order, unasked";
    let heard = format!("{delivered} of {missed}; **{lost}, {repeated}, {disordered}, {unasked}**{noticed}");
    Row::of(what, format!("{fate}, {heard}")).bound("0, 0, 0, 0", "")
}
