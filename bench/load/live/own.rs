//! Many transitions, each of an order that one subscriber alone watches.

use anyhow::Result;
use serde_json::json;

use super::{
    Options, Outcome, PATIENCE, change,
    ledger::{Ledger, Since},
    movable,
    movers::Movers,
    table::{Row, spread},
};
use crate::{
    crowd::{Crowd, Greeting},
    site::{On, Site},
    workload::token,
};

const OWN: &str =
    concat!("subscription ($ids: [ID!]) { orderStatusChanged(orderIds: $ids) ", change!(), " }");
/// Transitions a second.
const RATE: f64 = 100.0;

/// Measures how much later than the mutation's own answer its subscriber hears of it.
pub async fn measure(site: &Site, options: &Options, count: usize) -> Result<Outcome> {
    let (server, orders) = (site.serve(&[]).await?, movable(site, count).await?);
    let greeting = Greeting::of(&token(site.company.staff)?);
    let own = orders.iter().map(|id| greeting.clone().watching(OWN, &json!({ "ids": [id] }), 1));
    let crowd = Crowd::open(server.address, own.collect()).await?;
    let movers = usize::from(options.movers);
    let mut movers = Movers::new(server.address, &token(site.company.csr)?, &orders, movers);
    let ledger = Ledger { entries: movers.run(Some(RATE), options.length()).await? };
    crowd.hears(ledger.entries.len() as u64, PATIENCE).await;
    let desk = crowd.close();
    let watched: Vec<String> = orders.iter().map(ToString::to_string).collect();
    let tally = ledger.check(&desk, |client, entry| watched[client] == ledger.entries[entry].order);
    let rate = ledger.rate();
    let what = format!("{rate:.0} transitions/s, each to its own one of {count}, p50 / p99 / longest");
    let (must, aim) = match site.on {
        On::Sqlite => ("20 ms (p99)", "10 ms"),
        On::Postgres => ("120 ms (p99)", "80 ms"),
    };
    let late = spread(&ledger.delays(&desk, 0, Since::Answered));
    let rows = vec![
        Row::of(format!("{what} since the mutation's answer"), late).bound(must, aim),
        Row::of("the same since the request", spread(&ledger.delays(&desk, 0, Since::Sent))),
    ];
    Ok(Outcome { rows, tally: Some(tally) })
}
