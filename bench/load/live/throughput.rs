//! As many transitions as can be, durable, while everybody listens to all of them.

use anyhow::Result;

use super::{
    Options, Outcome, PATIENCE, equal,
    ledger::{Ledger, Since},
    movable,
    movers::Movers,
    table::{Row, spread},
};
use crate::{
    crowd::Crowd,
    process::own_cpu,
    site::{On, Site},
    workload::token,
};

/// Orders that each connection moves in turn.
const MOVED: usize = 10;

/// Measures how many are acknowledged each second, and how soon clients know.
pub async fn measure(site: &Site, options: &Options, count: usize) -> Result<Outcome> {
    let movers = usize::from(options.movers);
    let (server, orders) = (site.serve(&[]).await?, movable(site, MOVED * movers).await?);
    let crowd = Crowd::open(server.address, equal(site, count)?).await?;
    let mut movers = Movers::new(server.address, &token(site.company.csr)?, &orders, movers);
    let (server_cpu, generator_cpu) = (server.cpu()?, own_cpu()?);
    let entries = movers.run(options.rate.map(f64::from), options.length()).await?;
    let mut ledger = Ledger { entries };
    crowd.hears((ledger.entries.len() * count) as u64, PATIENCE).await;
    let deliveries = (ledger.entries.len() * count) as f64;
    let each = |before: f64, after: f64| (after - before) * 1e3 / deliveries;
    let cpu = (each(server_cpu, server.cpu()?), each(generator_cpu, own_cpu()?));
    let desk = crowd.close();
    ledger.sort(&desk);
    let tally = ledger.check(&desk, |_, _| true);
    let rate = ledger.rate();
    let (must, aim) = match site.on {
        On::Sqlite => ("200", "300"),
        On::Postgres => ("350", "500"),
    };
    let late = |what, since| {
        Row::of(what, spread(&ledger.delays(&desk, 0, since))).bound("50 / 400 ms", "25 / 250 ms")
    };
    let rows = vec![
        Row::of(format!("transitions/s acknowledged, {count} subscribers"), format!("**{rate:.0}**"))
            .bound(must, aim),
        late("commit to client, at most: p50 / p99 / longest since the request", Since::Sent),
        late("commit to client, at least: the same since its answer", Since::Answered),
        Row::of(
            "CPU per delivery, mutations included: server, load generator",
            format!("{:.1}, {:.1} us", cpu.0, cpu.1),
        ),
    ];
    Ok(Outcome { rows, tally: Some(tally) })
}
