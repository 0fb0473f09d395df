//! The load binary: what a page, an order and a transition cost, beside a hand-written handler.
//! Starts everything it needs on this machine alone, ends by itself, and leaves nothing behind.
//! It measures; it never decides whether a build is good. `docs/performance.md` says how to read it.

mod baseline;
mod buffers;
mod company;
mod fill;
mod generator;
mod postgres;
mod process;
mod report;
mod rounds;
mod statements;
mod workload;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The secret of the servers measured here. They listen on the loopback address alone, over data that is
/// made up and thrown away.
const SECRET: &str = "a secret for measuring and for nothing else";

/// Measures Ordo beside a hand-written handler on the same data.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum On {
    Postgres,
    Sqlite,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer by hand-written statements (started by the measurement itself)
    #[command(hide = true)]
    Baseline { url: String },
}

fn main() -> ExitCode {
    let Arguments { plan, command } = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            match command {
                Some(Command::Baseline { url }) => baseline::serve(&url).await,
                None if plan.buffers => buffers::measure().await,
                None => measure(&plan).await,
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

async fn measure(plan: &Plan) -> Result<()> {
    let ordo = plan.ordo.clone().map_or_else(beside, Ok)?;
    let both = [On::Postgres, On::Sqlite];
    let databases = if plan.on.is_empty() { &both[..] } else { &plan.on };
    for database in databases {
        measure_on(plan, *database, &ordo).await?;
    }
    Ok(())
}

/// One database, made for this and removed afterwards: one copy for each server, so that neither pays for
/// what the other wrote.
async fn measure_on(plan: &Plan, database: On, ordo: &std::path::Path) -> Result<()> {
    let folder = tempfile::tempdir().context("there is no folder for temporary files")?;
    let cluster = match database {
        On::Postgres => Some(postgres::Cluster::start()?),
        On::Sqlite => None,
    };
    let (own, other) = match &cluster {
        Some(cluster) => (cluster.create("ordo", None).await?, cluster.url("baseline")),
        None => {
            let url = |name: &str| format!("sqlite://{}?mode=rwc", folder.path().join(name).display());
            (url("ordo.db"), url("baseline.db"))
        }
    };
    eprintln!("filling {database:?} with {} orders …", plan.orders);
    let company = fill::fill(&own, plan.orders).await?;
    match &cluster {
        Some(cluster) => {
            cluster.create("baseline", Some("ordo")).await?;
        }
        None => {
            std::fs::copy(folder.path().join("ordo.db"), folder.path().join("baseline.db"))?;
        }
    }
    let cases = workload::cases(&own, &company, usize::from(plan.connections)).await?;
    let cases: Vec<_> = cases.into_iter().filter(|case| case.name.contains(&plan.only)).collect();
    if cases.is_empty() {
        bail!("no case is named like `{}`", plan.only);
    }
    let statements = statements::count(&own, &cases).await?;
    let servers = process::Pair::start(ordo, &own, &other, folder.path()).await?;
    let memory = servers.ordo.resident()?;
    let database_pid = cluster.as_ref().map(postgres::Cluster::pid).transpose()?;
    let settings = rounds::Settings {
        rounds: usize::from(plan.rounds),
        length: Duration::from_millis(plan.millis),
        database: database_pid,
    };
    let mut rows = Vec::new();
    for (case, statements) in cases.into_iter().zip(statements) {
        eprintln!("{} …", case.name);
        rows.push(report::Row { statements, ..rounds::measure(&servers, case, &settings).await? });
    }
    report::print(&format!("{database:?}, {} orders", plan.orders), &rows, memory);
    Ok(())
}

/// `target/release/ordo` for `target/release/examples/load`.
fn beside() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let found = own.parent().and_then(std::path::Path::parent).map(|folder| folder.join("ordo"));
    found.filter(|path| path.is_file()).context(
        "there is no server beside this example: run `cargo build --release --bin ordo`, or name one with --ordo",
    )
}
