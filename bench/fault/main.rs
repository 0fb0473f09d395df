//! The fault suite in its long form: injects fault after fault for as long as it is told, and prints a line for
//! each. `docs/faults.md` says what each of them is.
//! It ends with 1 if a write was lost, told twice, out of order or invented, or a server did not heal.

mod engine;
#[path = "../../tests/it/postgres/keeper.rs"]
mod keeper;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Parser;

use self::engine::{Fault, Ground, Scale};

/// Kills and cuts off real servers while clients write and listen.
#[derive(Debug, Parser)]
#[command(name = "fault")]
struct Arguments {
    /// For how long: 90s, 30m, 2h; each fault once if not given
    #[arg(long = "for", value_parser = duration)]
    time: Option<Duration>,
    /// Only these faults, by name
    #[arg(long, value_parser = named)]
    only: Vec<Fault>,
    /// As small as the tests have it
    #[arg(long)]
    short: bool,
    /// The server's binary; the one beside this example if not given
    #[arg(long)]
    ordo: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(go_on(&arguments))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("fault: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every promise was kept.
async fn go_on(arguments: &Arguments) -> Result<bool> {
    let mut ground = Ground::new(arguments.ordo.clone().map_or_else(beside, Ok)?)?;
    let scale = if arguments.short { Scale::short() } else { long() };
    let faults = if arguments.only.is_empty() { &Fault::ALL[..] } else { &arguments.only };
    let begun = Instant::now();
    let mut good = true;
    loop {
        for fault in faults {
            match fault.inject(&mut ground, &scale).await {
                Ok(report) => {
                    good &= report.verdict.is_good();
                    println!("{report}");
                }
                Err(error) => {
                    good = false;
                    println!("{:<16} FAILED: {error:#}", fault.name());
                }
            }
            if arguments.time.is_some_and(|time| begun.elapsed() >= time) {
                return Ok(good);
            }
        }
        if arguments.time.is_none() {
            return Ok(good);
        }
    }
}

/// A minute or so each, alone on the machine.
fn long() -> Scale {
    let (stall, late) = (Duration::from_secs(60), Duration::from_millis(250));
    Scale { rounds: 10, writes: 1_000, timers: 10_000, crowd: 2_000, stall, late, beside_stall: late }
}

/// `target/release/ordo` for `target/release/examples/fault`.
fn beside() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).context("this example has no folder")?;
    Ok(folder.join("ordo"))
}

fn named(name: &str) -> Result<Fault> {
    let names = || Fault::ALL.map(Fault::name).join(", ");
    let found = Fault::ALL.into_iter().find(|fault| fault.name() == name);
    found.with_context(|| format!("there is no such fault; there are {}", names()))
}

fn duration(text: &str) -> Result<Duration> {
    let (number, seconds) = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "s")) => (number, 1),
        Some((number, "m")) => (number, 60),
        Some((number, "h")) => (number, 3_600),
        _ => bail!("a number with s, m or h"),
    };
    Ok(Duration::from_secs(number.parse::<u64>()? * seconds))
}
