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
    crowd::{Crowd, Desk, Greeting, Said},
    generator::Connection,
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
}

/// Measures Ordo, then the bare server with as many sockets and the same texts.
pub async fn measure(site: &Site, options: &Options, count: usize) -> Result<Outcome> {
    let (server, orders) = (site.serve(&[]).await?, movable(site, MOVED).await?);
    let mut movers = Movers::open(server.address, &token(site.company.csr)?, &orders, 1).await?;
    let empty = server.resident()?;
    let crowd = Crowd::open(server.address, equal(site, count)?).await?;
    let end = Instant::now() + options.length();
    let over = |said: usize| said > FIRST && Instant::now() > end;
    let ordo =
        volley(
            &server,
            crowd,
            count,
            async |said| {
                if over(said) { Ok(None) } else { movers.one().await.map(Some) }
            },
        );
    let ordo = ordo.await?;
    let each = (server.resident()? - empty) * 1024.0 / count as f64;
    drop(server);
    let bare = bare(&ordo, count).await?;
    let tally = ordo.ledger.check(&ordo.desk, |_, _| true);
    let mut rows = rows(&ordo, &bare, count);
    rows.push(Row::of("memory that the server has gained since, per socket", format!("{each:.1} KB")));
    Ok(Outcome { rows, tally: Some(tally) })
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
    ]
}

/// The texts that Ordo sent, once more. Their bytes are equal, so are the checks.
async fn bare(ordo: &Volley, count: usize) -> Result<Volley> {
    let server = Server::other("relay", "").await?;
    let crowd = Crowd::open(server.address, vec![Greeting::default(); count]).await?;
    let mut connection = Connection::open(server.address).await?;
    let volley = volley(&server, crowd, count, async |said| {
        let Some(entry) = ordo.ledger.entries.get(said) else { return Ok(None) };
        let of = |said: &Said| matches!(said, Said::Changed(change) if change.order == entry.order && change.version == entry.version);
        let text = ordo.desk.texts.iter().find(|text| of(&text.said)).context("nobody heard of an event")?;
        let message =
            request("POST", "/say", "content-type: text/plain\r\n", std::str::from_utf8(&text.bytes)?);
        let sent = Instant::now();
        connection.ask(&message).await?;
        Ok(Some(Acknowledged { sent, answered: Instant::now(), ..entry.clone() }))
    });
    let volley = volley.await?;
    if volley.ledger.check(&volley.desk, |_, _| true).lost > 0 {
        bail!("the bare server has lost messages: there is nothing to compare with");
    }
    Ok(volley)
}

/// Says one thing after the other, each when all have heard the one before, until there is no more to say.
/// `say` is told how many there were.
async fn volley(
    server: &Server,
    crowd: Crowd,
    count: usize,
    mut say: impl AsyncFnMut(usize) -> Result<Option<Acknowledged>>,
) -> Result<Volley> {
    let mut ledger = Ledger::default();
    let (mut server_cpu, mut generator_cpu) = (0.0, 0.0);
    while let Some(said) = say(ledger.entries.len()).await? {
        ledger.entries.push(said);
        crowd.hears((ledger.entries.len() * count) as u64, PATIENCE).await;
        crowd.whole()?;
        if ledger.entries.len() == FIRST {
            (server_cpu, generator_cpu) = (server.cpu()?, own_cpu()?);
        }
        sleep(PAUSE).await;
    }
    let deliveries = ((ledger.entries.len() - FIRST) * count) as f64;
    let each = |before: f64, after: f64| (after - before) * 1e3 / deliveries;
    let (server, generator) = (each(server_cpu, server.cpu()?), each(generator_cpu, own_cpu()?));
    Ok(Volley { ledger, desk: crowd.close(), server, generator })
}
