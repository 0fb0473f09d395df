//! The load binary: what a page, an order and a transition cost beside another server, and what the front
//! door takes: refusals, log-ins, idle sockets; and how soon and how surely subscribers hear of an event.
//! Starts everything it needs on this machine alone, ends by itself, and leaves nothing behind.
//! It measures; it never decides whether a build is good. `docs/performance.md` says how to read it.

mod bare;
mod baseline;
mod bomb;
mod buffers;
mod company;
mod comparison;
mod crowd;
mod fill;
mod generator;
mod live;
mod logins;
mod postgres;
mod process;
mod report;
mod rounds;
mod site;
mod sockets;
mod statements;
mod timers;
mod workload;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

use self::{
    comparison::Against,
    site::{On, Site},
};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The secret of the servers measured here. They listen on the loopback address alone, over data that is
/// made up and thrown away.
const SECRET: &str = "a secret for measuring and for nothing else";
/// As many connections to the database as Ordo has by default.
const CONNECTIONS: u32 = 8;

/// Measures Ordo: without a command, beside another server on the same data.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Arguments {
    #[command(flatten)]
    plan: Plan,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What is measured, on what.
#[derive(Clone, Debug, Args)]
struct Plan {
    /// How many orders there are
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(i64).range(10_000..=1_000_000))]
    orders: i64,
    /// Connections that send one request after the other
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: u16,
    /// Rounds of each server for each case; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=25))]
    rounds: u16,
    /// Milliseconds of a round
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u64).range(200..=5_000))]
    millis: u64,
    /// The databases; both if not given
    #[arg(long, value_enum)]
    on: Vec<On>,
    /// What Ordo is compared with
    #[arg(long, value_enum, default_value = "baseline")]
    against: Against,
    /// Only cases whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Count the buffers that a page touches on PostgreSQL, for 10,000 and 1,000,000 orders, and stop
    #[arg(long)]
    buffers: bool,
    /// The server's binary; the one beside this example if not given
    #[arg(long)]
    ordo: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How soon 18 nested fragments are refused
    Bomb(bomb::Options),
    /// How long queries take while passwords are tried
    Logins(logins::Options),
    /// What idle sockets take of the server's memory
    Sockets(sockets::Options),
    /// How soon, at what price and how surely subscribers hear of what happens
    Live(live::Options),
    /// How long due timers take to fire, and what readers feel meanwhile
    Timers(timers::Options),
    /// Answer by hand-written statements (started by the measurement itself)
    #[command(hide = true)]
    Baseline { url: String },
    /// Answer by the stock integration (started by the measurement itself)
    #[command(hide = true)]
    Bare { url: String },
    /// Pass on what is posted to every socket (started by the measurement itself)
    #[command(hide = true)]
    Relay {
        #[arg(hide = true)]
        url: String,
    },
}

fn main() -> ExitCode {
    let Arguments { plan, command } = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            match command {
                Some(Command::Baseline { url }) => baseline::serve(&url).await,
                Some(Command::Bare { url }) => bare::serve(&url).await,
                Some(Command::Relay { .. }) => live::relay::serve().await,
                None if plan.buffers => buffers::measure().await,
                command => measure(&plan, command.as_ref()).await,
            }
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(plan: &Plan, command: Option<&Command>) -> Result<()> {
    let ordo = plan.ordo.clone().map_or_else(beside, Ok)?;
    let both = [On::Postgres, On::Sqlite];
    let databases = if plan.on.is_empty() { &both[..] } else { &plan.on };
    for on in databases {
        let needed = match command {
            Some(Command::Live(options)) => options.orders(),
            Some(Command::Timers(options)) => options.orders(),
            _ => 0,
        };
        let site = Site::prepare(*on, plan.orders.max(needed), &ordo).await?;
        match command {
            Some(Command::Bomb(options)) => bomb::measure(&site, options).await?,
            Some(Command::Logins(options)) => logins::measure(&site, options, plan.lengths()).await?,
            Some(Command::Sockets(options)) => sockets::measure(&site, options).await?,
            Some(Command::Live(options)) => live::measure(&site, options).await?,
            Some(Command::Timers(options)) => timers::measure(&site, options).await?,
            _ => comparison::measure(&site, plan).await?,
        }
    }
    Ok(())
}

impl Plan {
    /// All rounds in one, and one.
    fn lengths(&self) -> logins::Lengths {
        let attacked = Duration::from_millis(self.millis);
        logins::Lengths { calm: attacked * u32::from(self.rounds), attacked }
    }
}

/// `target/release/ordo` for `target/release/examples/load`.
fn beside() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let found = own.parent().and_then(std::path::Path::parent).map(|folder| folder.join("ordo"));
    found.filter(|path| path.is_file()).context(
        "there is no server beside this example: run `cargo build --release --bin ordo`, or name one with --ordo",
    )
}
