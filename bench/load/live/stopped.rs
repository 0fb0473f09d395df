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

/// After so long a silence it has all that it will get.
const CATCHING_UP: Duration = Duration::from_secs(10);

/// Measures the others while that client reads, and while it does not.
pub async fn measure(site: &Site, options: &Options, count: usize) -> Result<Outcome> {
    let (server, orders) = (site.serve(&[]).await?, movable(site, MOVED).await?);
    let movers = usize::from(options.movers);
    let mut movers = Movers::new(server.address, &token(site.company.csr)?, &orders, movers);
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
    let mut late = Ledger { entries: ledger.entries.split_off(calm) };
    let missed = late.entries.len() * SUBSCRIPTIONS as usize;
    stopped.hears(missed as u64, CATCHING_UP).await;
    // Whoever is ended is ended behind its last message.
    sleep(Duration::from_millis(100)).await;
    let (desk, stopped) = (crowd.close(), stopped.close());
    late.sort(&desk);
    let mut rows = others(&ledger, &late, &desk);
    rows.push(fate(&late, &stopped, missed));
    ledger.entries.extend(late.entries);
    ledger.sort(&desk);
    Ok(Outcome { rows, tally: Some(ledger.check(&desk, |_, _| true)) })
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
fn fate(ledger: &Ledger, desk: &Desk, missed: usize) -> Row {
    let tally = ledger.check(desk, |_, _| true);
    let Tally { delivered, lost, cut_off, repeated, disordered, unasked, ended, why } = tally;
    let bytes: usize =
        desk.receipts.iter().map(|receipt| desk.texts[receipt.text as usize].bytes.len()).sum();
    let fate = match ended {
        0 if delivered == missed => "served when it read again".to_owned(),
        0 => "neither ended nor served".to_owned(),
        _ => format!("ended, {cut_off} to come: {why}"),
    };
    let noticed = if bytes < BUFFERED { "; the kernel may have held it all" } else { "" };
    let what = "the one that had stopped: messages, fate; lost, repeated, out of order, unasked";
    let faults = format!("**{lost}, {repeated}, {disordered}, {unasked}**");
    Row::of(what, format!("{delivered}, {fate}{noticed}; {faults}")).bound("0, 0, 0, 0", "")
}
