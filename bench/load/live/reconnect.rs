//! Everybody comes back at once, each with the cursor of another of the last events.

use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::json;

use super::{
    Outcome, PATIENCE, change, equal,
    ledger::{Acknowledged, Ledger},
    movable,
    movers::Movers,
    table::Row,
};
use crate::{
    crowd::{Crowd, Desk, Greeting},
    site::Site,
    workload::token,
};

const RESUMED: &str = concat!("subscription ($after: String) { orderEvents(after: $after) ", change!(), " }");
/// Events that somebody has missed, at most.
const MISSED: usize = 100;
/// Orders that are moved in turn.
const MOVED: usize = 50;

/// Measures how long it takes until all have what they missed.
pub async fn measure(site: &Site, count: usize) -> Result<Outcome> {
    let (server, orders) = (site.serve(&[]).await?, movable(site, MOVED).await?);
    let witness = Crowd::open(server.address, equal(site, 1)?).await?;
    let mut movers = Movers::new(server.address, &token(site.company.csr)?, &orders, 1);
    let mut ledger = Ledger::default();
    for _ in 0..=MISSED {
        ledger.entries.push(movers.one().await?);
    }
    witness.hears(ledger.entries.len() as u64, PATIENCE).await;
    let cursors = cursors(&ledger, &witness.close())?;
    let token = token(site.company.staff)?;
    let greeting = |client: usize| {
        let variables = json!({ "after": cursors[client % MISSED] });
        Greeting::of(&token).watching(RESUMED, &variables, 1)
    };
    let greetings = (0..count).map(greeting).collect();
    let owed = |client: usize, entry: usize| entry > client % MISSED;
    let all: usize = (0..count).map(|client| MISSED - client % MISSED).sum();
    let begun = Instant::now();
    let crowd = Crowd::open_at(server.address, greetings, count).await?;
    let listening = begun.elapsed().as_secs_f64();
    crowd.hears(all as u64, PATIENCE).await;
    let desk = crowd.close();
    let last = desk.receipts.iter().map(|receipt| receipt.at).max().context("nobody heard anything")?;
    let seconds = last.saturating_duration_since(begun).as_secs_f64();
    let tally = ledger.check(&desk, owed);
    let all_served = if tally.delivered == all { "" } else { ", **and not all**" };
    let what = format!("{count} reconnects with cursors of the last {MISSED} events, all served");
    let rows = vec![
        Row::of(what, format!("**{seconds:.2} s**{all_served}")).bound("20 s", "10 s"),
        Row::of("all of them listening", format!("{listening:.2} s")),
    ];
    Ok(Outcome { rows, tally: Some(tally) })
}

/// The cursor of each entry, as a witness heard it.
fn cursors(ledger: &Ledger, witness: &Desk) -> Result<Vec<String>> {
    let cursor = |entry: &Acknowledged| {
        let (_, change) = witness.telling(&entry.order, entry.version).context("an event was never told")?;
        Ok(change.cursor.clone())
    };
    ledger.entries.iter().map(cursor).collect()
}
