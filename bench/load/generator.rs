//! A load generator that costs next to nothing: prepared requests over kept connections, each connection
//! waiting for its answer before it sends the next.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An answer is never larger; whoever sends more is not measured but stopped.
const LARGEST: usize = 1 << 20;

/// What one connection sends, again and again, where it left off the round before.
#[derive(Clone, Debug)]
pub struct Script {
    pub requests: Vec<Vec<u8>>,
    next: usize,
}

impl Script {
    /// A script of these requests.
    pub fn new(requests: Vec<Vec<u8>>) -> Script {
        Script { requests, next: 0 }
    }
}

/// What a round came to.
#[derive(Debug)]
pub struct Round {
    pub answers: usize,
    pub seconds: f64,
    /// Sorted, in milliseconds.
    pub latencies: Vec<f64>,
}

impl Round {
    /// The latency that this part of all stayed below, in milliseconds.
    pub fn quantile(&self, part: f64) -> f64 {
        let place = (self.latencies.len() as f64 * part) as usize;
        self.latencies.get(place.min(self.latencies.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    }
}

/// Sends for so long, one task for each script.
pub async fn run(
    address: SocketAddr,
    scripts: &mut Vec<Script>,
    good: fn(&[u8]) -> bool,
    length: Duration,
) -> Result<Round> {
    drive(address, scripts, good, Duration::ZERO, until(Instant::now() + length)).await
}

/// Says yes until then.
pub fn until(end: Instant) -> impl Fn() -> bool + Clone + Send + 'static {
    move || Instant::now() < end
}

/// Says yes so many times, to all who ask together.
pub fn times(count: u32) -> impl Fn() -> bool + Clone + Send + 'static {
    let left = Arc::new(AtomicU32::new(count));
    move || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

/// Sends as long as `going` says yes, one task for each script, each with this pause after an answer.
pub async fn drive(
    address: SocketAddr,
    scripts: &mut Vec<Script>,
    good: impl Fn(&[u8]) -> bool + Clone + Send + 'static,
    pause: Duration,
    going: impl Fn() -> bool + Clone + Send + 'static,
) -> Result<Round> {
    let mut connections = Vec::new();
    for _ in 0..scripts.len() {
        connections.push(Connection::open(address).await?);
    }
    let begun = Instant::now();
    let mut tasks = Vec::new();
    let step = pause / u32::try_from(scripts.len())?.max(1);
    let mut start = Duration::ZERO;
    for (mut connection, mut script) in connections.into_iter().zip(scripts.drain(..)) {
        let (good, going) = (good.clone(), going.clone());
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            rest(start).await;
            while going() {
                let request = &script.requests[script.next % script.requests.len()];
                let sent = Instant::now();
                let answer = connection.ask(request).await?;
                latencies.push(sent.elapsed().as_secs_f64() * 1e3);
                if !good(answer) {
                    bail!("an answer that counts as failed: {}", String::from_utf8_lossy(answer));
                }
                script.next += 1;
                rest(pause).await;
            }
            Ok((script, latencies))
        }));
        // Those who pause take turns.
        start += step;
    }
    let mut all = Vec::new();
    for task in tasks {
        let (script, latencies) = task.await??;
        scripts.push(script);
        all.extend(latencies);
    }
    let seconds = begun.elapsed().as_secs_f64();
    all.sort_by(f64::total_cmp);
    Ok(Round { answers: all.len(), seconds, latencies: all })
}

/// No time at all is not even a turn of the scheduler.
async fn rest(pause: Duration) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
}

/// The body of one answer.
pub async fn once(address: SocketAddr, request: &[u8]) -> Result<Vec<u8>> {
    Ok(Connection::open(address).await?.ask(request).await?.to_vec())
}

/// A connection that is there when it is needed: a server closes one that rests for long.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    last: Option<(Connection, Instant)>,
}

/// A connection that has rested for so long is not used any more.
const RESTED: Duration = Duration::from_secs(2);

impl Line {
    /// A line that nobody has used yet.
    pub fn to(address: SocketAddr) -> Line {
        Line { address, last: None }
    }

    /// The connection, a new one if need be.
    pub async fn ready(&mut self) -> Result<&mut Connection> {
        let connection = match self.last.take() {
            Some((connection, used)) if used.elapsed() < RESTED => connection,
            _ => Connection::open(self.address).await?,
        };
        Ok(&mut self.last.insert((connection, Instant::now())).0)
    }
}

/// A kept connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// Opens one.
    pub async fn open(address: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, read: Vec::with_capacity(16 << 10) })
    }

    /// Sends a request and gives the body of its answer.
    pub async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let mut body = None;
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 || self.read.len() > LARGEST {
                bail!("the answer is cut off, or too long");
            }
            if body.is_none() {
                body = self.body()?;
            }
            if let Some((start, length)) = body
                && self.read.len() >= start + length
            {
                return Ok(&self.read[start..start + length]);
            }
        }
    }

    /// Where the body begins and how long it is, once the headers are there.
    fn body(&self) -> Result<Option<(usize, usize)>> {
        let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let head = std::str::from_utf8(&self.read[..end])?;
        // Too much is asked on purpose, too: whether an answer is a good one, its body says.
        if !["HTTP/1.1 200 ", "HTTP/1.1 429 "].iter().any(|expected| head.starts_with(expected)) {
            bail!(
                "the answer is {}: {}",
                head.lines().next().unwrap_or("empty"),
                String::from_utf8_lossy(&self.read[end..])
            );
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok()).flatten()
        });
        Ok(Some((end + 4, length.context("an answer without its length")?)))
    }
}
