//! Rounds in turn, Ordo then the other server, and the median of each: what disturbs the machine disturbs both.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::{
    generator::{self, Script},
    process::{Pair, Server, cluster_cpu},
    report::{Figures, Row},
    workload::Case,
};

/// How rounds are run.
pub struct Settings {
    pub rounds: usize,
    pub length: Duration,
    /// PostgreSQL's first process; none for SQLite, which runs inside the server.
    pub database: Option<u32>,
}

/// A round before those that count fills caches, connections and prepared statements.
const WARM_UP: Duration = Duration::from_millis(700);

/// Measures one case on both servers.
pub async fn measure(servers: &Pair, mut case: Case, settings: &Settings) -> Result<Row> {
    compare(servers, &case).await?;
    let good = case.good;
    let both = [(&servers.ordo, &mut case.ordo), (&servers.other, &mut case.other)];
    for (server, scripts) in both {
        generator::run(server.address, scripts, good, WARM_UP).await?;
    }
    let (mut ordo, mut other) = (Vec::new(), Vec::new());
    for _ in 0..settings.rounds {
        ordo.push(round(&servers.ordo, &mut case.ordo, good, settings).await?);
        other.push(round(&servers.other, &mut case.other, good, settings).await?);
    }
    Ok(Row { name: case.name, statements: 0, ordo: Figures::median(&ordo), other: Figures::median(&other) })
}

/// Both must do the same work, or there is nothing to compare.
async fn compare(servers: &Pair, case: &Case) -> Result<()> {
    let own = generator::once(servers.ordo.address, &case.compared.0).await?;
    let other = generator::once(servers.other.address, &case.compared.1).await?;
    for answer in [&own, &other] {
        if !(case.good)(answer) {
            bail!("{}: no good answer: {}", case.name, String::from_utf8_lossy(answer));
        }
    }
    let same = serde_json::from_slice::<Value>(&own)? == serde_json::from_slice::<Value>(&other)?;
    if !same {
        let (own, other) = (String::from_utf8_lossy(&own), String::from_utf8_lossy(&other));
        bail!("{}: the answers differ:\n{own}\n{other}", case.name);
    }
    Ok(())
}

async fn round(
    server: &Server,
    scripts: &mut Vec<Script>,
    good: fn(&[u8]) -> bool,
    settings: &Settings,
) -> Result<Figures> {
    let database = || settings.database.map_or(Ok(0.0), cluster_cpu);
    let (server_before, database_before) = (server.cpu()?, database()?);
    let round = generator::run(server.address, scripts, good, settings.length).await?;
    let answers = round.answers as f64;
    Ok(Figures {
        per_second: answers / round.seconds,
        p50: round.quantile(0.5),
        p99: round.quantile(0.99),
        server: (server.cpu()? - server_before) / answers,
        database: (database()? - database_before) / answers,
    })
}
