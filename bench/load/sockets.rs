//! What an idle socket takes of the server's memory, and what is left once it is gone.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;
use tokio::time::sleep;

use crate::{
    crowd::{Crowd, Greeting},
    process::Server,
    site::Site,
    workload::token,
};

const WATCH: &str = "subscription { orderEvents { kind cursor orderId } }";
/// Opened and closed before anything is counted: what is made once is no socket's.
pub const FIRST: usize = 8;
/// What a process opens besides its sockets.
const OTHER_FILES: u64 = 100;

/// How it is measured.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// How many sockets, all of one person
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u16).range(1..=25_000))]
    sockets: u16,
    /// Seconds until memory is read, after they were opened and after they were closed. Pings go every 15
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    settle: u64,
}

/// Measures sockets that do nothing and sockets with a subscription, each on a server of its own, and prints
/// both.
pub async fn measure(site: &Site, options: &Options) -> Result<()> {
    enough_files(u64::from(options.sockets) + OTHER_FILES)?;
    println!("\n### {:?}: {} idle sockets\n", site.on, options.sockets);
    println!("| each with | KB each | MB before | with all | {} s after | once more |", options.settle);
    println!("|---|---|---|---|---|---|");
    for (name, subscription) in [("nothing", None), ("a subscription", Some(WATCH))] {
        eprintln!("sockets with {name} …");
        let [before, with, after, again] = memory(site, subscription, options).await?;
        let each = (with - before) * 1024.0 / f64::from(options.sockets);
        println!("| {name} | **{each:.1}** | {before:.1} | {with:.1} | {after:.1} | {again:.1} |");
    }
    Ok(())
}

/// Of a new server in MB: before, with all sockets, after they were closed, and with as many once more. An
/// allocator that keeps what it has been given is told from a leak by the last.
async fn memory(site: &Site, subscription: Option<&str>, options: &Options) -> Result<[f64; 4]> {
    let idle = Greeting::of(&token(site.company.staff)?);
    let greeting = match subscription {
        Some(query) => idle.watching(query, &Value::Null, 1),
        None => idle,
    };
    let server = site.serve(&[]).await?;
    drop(Crowd::open(server.address, vec![greeting.clone(); FIRST]).await?);
    sleep(Duration::from_secs(1)).await;
    let before = server.resident()?;
    let with = with_all(&server, &greeting, options).await?;
    sleep(Duration::from_secs(options.settle)).await;
    let after = server.resident()?;
    Ok([before, with, after, with_all(&server, &greeting, options).await?])
}

/// Opens all, waits, reads the memory and closes all.
async fn with_all(server: &Server, greeting: &Greeting, options: &Options) -> Result<f64> {
    let crowd = Crowd::open(server.address, vec![greeting.clone(); usize::from(options.sockets)]).await?;
    sleep(Duration::from_secs(options.settle)).await;
    crowd.whole()?;
    server.resident()
}

/// Both this process and the server, which inherits its limit, have a file for each socket.
pub fn enough_files(needed: u64) -> Result<()> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()).context("no limit of open files")?;
    // `unlimited` is no number.
    match soft.parse::<u64>() {
        Ok(allowed) if allowed < needed => bail!(
            "{needed} open files are needed, {allowed} are allowed: run `ulimit -n {needed}` before, or \
             measure fewer"
        ),
        _ => Ok(()),
    }
}
