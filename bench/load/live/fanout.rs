//! One event to all subscribers at once, one after the other; then the very same messages from a bare
//! server.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::time::sleep;

use super::{
    Options, Outcome, PATIENCE, equal,
    ledger::{Acknowledged, Ledger, Since, quantile},
    movable,
    movers::Movers,
    table::{Row, spread},
};
use crate::{
    crowd::{Crowd, Desk, Greeting},
    generator::Line,
    process::{Server, own_cpu},
    site::Site,
    workload::{request, token},
};

/// Events before those that count.
const FIRST: usize = 3;
/// From the last delivery of an event to the next event.
const PAUSE: Duration = Duration::from_millis(20);
/// Orders that are moved in turn.
const MOVED: usize = 50;

/// What one server came to.
struct Volley {
    ledger: Ledger,
    desk: Desk,
    /// Microseconds of CPU per delivery.
    server: f64,
    generator: f64,
    /// KB that the server has gained for each socket, by the end.
    memory: f64,
}

/// Measures Ordo, then the bare server with as many sockets and the same texts.
pub async fn measure(site: &Site, options: &Options, count: usize) -> Result<Outcome> {
    let (server, orders) = (site.serve(&[]).await?, movable(site, MOVED).await?);
    let mut movers = Movers::new(server.address, &token(site.company.csr)?, &orders, 1);
    let end = Instant::now() + options.length();
    let say = async |said: usize| {
        let over = said > FIRST && Instant::now() > end;
        if over { Ok(None) } else { movers.one().await.map(Some) }
    };
    let ordo = volley(&server, equal(site, count)?, say).await?;
    drop(server);
    let bare = bare(&ordo, count).await?;
    let tally = ordo.ledger.check(&ordo.desk, |_, _| true);
    Ok(Outcome { rows: rows(&ordo, &bare, count), tally: Some(tally) })
}

fn rows(ordo: &Volley, bare: &Volley, count: usize) -> Vec<Row> {
    let delays = |volley: &Volley, since| volley.ledger.delays(&volley.desk, FIRST, since);
    let (sent, bare_sent) = (delays(ordo, Since::Sent), delays(bare, Since::Sent));
    let ratio = quantile(&sent, 0.99) / quantile(&bare_sent, 0.99);
    let events = ordo.ledger.entries.len() - FIRST;
    vec![
        Row::of(
            format!("{events} events to {count} each, p50 / p99 / longest since the request"),
            spread(&sent),
        )
        .bound("150 ms (p99)", "100 ms"),
        Row::of("the same since its answer", spread(&delays(ordo, Since::Answered))),
        Row::of("the same, bare server, since the request", spread(&bare_sent)),
        Row::of("p99 to the bare server's", format!("{ratio:.2}")),
        Row::of("CPU per delivery, server", format!("**{:.1} us**", ordo.server)).bound("12 us", "8 us"),
        Row::of("the same, bare server", format!("{:.1} us", bare.server)),
        Row::of("CPU to the bare server's", format!("{:.2}", ordo.server / bare.server)),
        Row::of(
            "CPU per delivery, load generator (beside the bare server)",
            format!("{:.1} us ({:.1})", ordo.generator, bare.generator),
        ),
        Row::of(
            "memory that the server has gained, per socket (the bare server)",
            format!("{:.1} KB ({:.1})", ordo.memory, bare.memory),
        ),
    ]
}

/// The texts that Ordo sent, once more. Their bytes are equal, so are the checks.
async fn bare(ordo: &Volley, count: usize) -> Result<Volley> {
    let server = Server::other("relay", "").await?;
    let mut line = Line::to(server.address);
    let say = async |said: usize| {
        let Some(entry) = ordo.ledger.entries.get(said) else { return Ok(None) };
        let told = ordo.desk.telling(&entry.order, entry.version);
        let text = std::str::from_utf8(&told.context("nobody heard of an event")?.0.bytes)?;
        let message = request("POST", "/say", "content-type: text/plain\r\n", text);
        let connection = line.ready().await?;
        let sent = Instant::now();
        connection.ask(&message).await?;
        Ok(Some(Acknowledged { sent, answered: Instant::now(), ..entry.clone() }))
    };
    let volley = volley(&server, vec![Greeting::default(); count], say).await?;
    if volley.ledger.check(&volley.desk, |_, _| true).lost > 0 {
        bail!("the bare server has lost messages: there is nothing to compare with");
    }
    Ok(volley)
}

/// Says one thing after the other, each when all have heard the one before, until there is no more to say.
/// `say` is told how many there were.
async fn volley(
    server: &Server,
    greetings: Vec<Greeting>,
    mut say: impl AsyncFnMut(usize) -> Result<Option<Acknowledged>>,
) -> Result<Volley> {
    let (mut ledger, count, empty) = (Ledger::default(), greetings.len(), server.resident()?);
    let crowd = Crowd::open(server.address, greetings).await?;
    let mut cpu = (0.0, 0.0);
    while let Some(said) = say(ledger.entries.len()).await? {
        ledger.entries.push(said);
        crowd.hears((ledger.entries.len() * count) as u64, PATIENCE).await;
        crowd.whole()?;
        if ledger.entries.len() == FIRST {
            cpu = (server.cpu()?, own_cpu()?);
        }
        sleep(PAUSE).await;
    }
    let deliveries = (ledger.entries.len().saturating_sub(FIRST) * count) as f64;
    let each = |before: f64, after: f64| (after - before) * 1e3 / deliveries;
    let (server_each, generator) = (each(cpu.0, server.cpu()?), each(cpu.1, own_cpu()?));
    let memory = (server.resident()? - empty) * 1024.0 / count as f64;
    Ok(Volley { ledger, desk: crowd.close(), server: server_each, generator, memory })
}
