//! A load generator that costs next to nothing: prepared requests over kept connections, each connection
//! waiting for its answer before it sends the next.

use std::{
    net::SocketAddr,
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

/// Sends for so long, one task for each script.
pub async fn run(
    address: SocketAddr,
    scripts: &mut Vec<Script>,
    good: fn(&[u8]) -> bool,
    length: Duration,
) -> Result<Round> {
    let mut connections = Vec::new();
    for _ in 0..scripts.len() {
        connections.push(Connection::open(address).await?);
    }
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for (mut connection, mut script) in connections.into_iter().zip(scripts.drain(..)) {
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            while begun.elapsed() < length {
                let request = &script.requests[script.next % script.requests.len()];
                let sent = Instant::now();
                let answer = connection.ask(request).await?;
                latencies.push(sent.elapsed().as_secs_f64() * 1e3);
                if !good(answer) {
                    bail!("an answer that counts as failed: {}", String::from_utf8_lossy(answer));
                }
                script.next += 1;
            }
            Ok((script, latencies))
        }));
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

/// The body of one answer.
pub async fn once(address: SocketAddr, request: &[u8]) -> Result<Vec<u8>> {
    Ok(Connection::open(address).await?.ask(request).await?.to_vec())
}

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, read: Vec::with_capacity(16 << 10) })
    }

    /// Sends a request and gives the body of its answer.
    async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
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
        if !head.starts_with("HTTP/1.1 200 ") {
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
