//! The fault suite: real servers, killed and cut off while clients write and listen, and the check that every
//! acknowledged write reaches every reader once and in order.
//! Compiled twice: into the tests, which run each fault for seconds, and into the example `fault`, which goes
//! on for as long as it is told. `docs/faults.md` says what is promised.

mod check;
mod client;
mod faults;
mod journal;
mod load;
mod process;
mod proxy;
mod reader;
mod site;
mod table;
mod writer;

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

pub use self::site::{Ground, On};
use self::{check::Verdict, faults::*, site::Site};

/// What is done to the servers or the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    BrokenReader,
    Kill,
    KillStamper,
    Timers,
    LateCommit,
    RestartPostgres,
    Terminate,
    SilentListener,
    SilentDatabase,
    Nats,
    LostAnswers,
    Crowd,
    Stall,
    Contention,
    Expiry,
    RoleRemoved,
    HandOver,
    Restore,
    SqliteKill,
    SqliteCopies,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 20] = [
        Fault::BrokenReader,
        Fault::Kill,
        Fault::KillStamper,
        Fault::Timers,
        Fault::LateCommit,
        Fault::RestartPostgres,
        Fault::Terminate,
        Fault::SilentListener,
        Fault::SilentDatabase,
        Fault::Nats,
        Fault::LostAnswers,
        Fault::Crowd,
        Fault::Stall,
        Fault::Contention,
        Fault::Expiry,
        Fault::RoleRemoved,
        Fault::HandOver,
        Fault::Restore,
        Fault::SqliteKill,
        Fault::SqliteCopies,
    ];

    /// What it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Fault::BrokenReader => "broken-reader",
            Fault::Kill => "kill",
            Fault::KillStamper => "kill-stamper",
            Fault::Timers => "timers",
            Fault::LateCommit => "late-commit",
            Fault::RestartPostgres => "restart-postgres",
            Fault::Terminate => "terminate",
            Fault::SilentListener => "silent-listener",
            Fault::SilentDatabase => "silent-database",
            Fault::Nats => "nats",
            Fault::LostAnswers => "lost-answers",
            Fault::Crowd => "crowd",
            Fault::Stall => "stall",
            Fault::Contention => "contention",
            Fault::Expiry => "expiry",
            Fault::RoleRemoved => "role-removed",
            Fault::HandOver => "hand-over",
            Fault::Restore => "restore",
            Fault::SqliteKill => "sqlite-kill",
            Fault::SqliteCopies => "sqlite-copies",
        }
    }

    /// The database that it needs.
    pub fn on(self) -> On {
        match self {
            Fault::SqliteKill | Fault::SqliteCopies => On::Sqlite,
            _ => On::Postgres,
        }
    }

    /// Injects it into a site of its own, and checks.
    ///
    /// # Errors
    /// When the site cannot be had, a server does not heal, or a promise about time is broken. A broken
    /// promise about events is in the report.
    pub async fn inject(self, ground: &mut Ground, scale: &Scale) -> Result<Report> {
        let begun = Instant::now();
        let mut site = ground.site(self.on()).await?;
        let injected = Box::pin(self.at(&mut site, scale)).await;
        let injected = injected.with_context(|| format!("{}\n{}", self.name(), said(&site)));
        let (verdict, note) = injected?;
        site.clear().await?;
        Ok(Report { fault: self, verdict, note, took: begun.elapsed() })
    }

    async fn at(self, site: &mut Site, scale: &Scale) -> Result<(Verdict, String)> {
        match self {
            Fault::BrokenReader => broken_reader(site, scale).await,
            Fault::Kill => kill(site, scale).await,
            Fault::KillStamper => kill_stamper(site, scale).await,
            Fault::Timers => timers(site, scale).await,
            Fault::LateCommit => late_commit(site, scale).await,
            Fault::RestartPostgres => restart_postgres(site, scale).await,
            Fault::Terminate => terminate(site, scale).await,
            Fault::SilentListener => silent_listener(site, scale).await,
            Fault::SilentDatabase => silent_database(site, scale).await,
            Fault::Nats => nats(site, scale).await,
            Fault::LostAnswers => lost_answers(site, scale).await,
            Fault::Crowd => crowd(site, scale).await,
            Fault::Stall => stall(site, scale).await,
            Fault::Contention => contention(site, scale).await,
            Fault::Expiry => expiry(site, scale).await,
            Fault::RoleRemoved => role_removed(site, scale).await,
            Fault::HandOver => hand_over(site, scale).await,
            Fault::Restore => restore(site, scale).await,
            Fault::SqliteKill => sqlite_kill(site, scale).await,
            Fault::SqliteCopies => sqlite_copies(site, scale).await,
        }
    }
}

/// The last lines of the servers' log.
fn said(site: &Site) -> String {
    let text = std::fs::read_to_string(site.folder.path().join("ordo.log")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// How long each fault goes on.
#[derive(Clone, Debug)]
pub struct Scale {
    /// How often it is injected.
    pub rounds: usize,
    /// Acknowledged writes before and after each time.
    pub writes: usize,
    /// Timers that are due at once.
    pub timers: usize,
    /// Clients that are cut at once.
    pub crowd: usize,
    /// For how long a reader does not read.
    pub stall: Duration,
    /// How late nearly every event may be told while another transaction is slow.
    pub late: Duration,
    /// The same while another reader does not read.
    pub beside_stall: Duration,
}

impl Scale {
    /// Some seconds each, beside other tests and unoptimised.
    pub fn short() -> Scale {
        // A feed that waited for whoever is late would be late by two seconds; one that waited for a reader,
        // by as long as that does not read.
        let (late, stall) = (Duration::from_millis(1_500), Duration::from_secs(8));
        Scale { rounds: 2, writes: 60, timers: 1_500, crowd: 200, stall, late, beside_stall: stall / 2 }
    }
}

/// What came of a fault.
#[derive(Clone, Debug)]
pub struct Report {
    pub fault: Fault,
    pub verdict: Verdict,
    /// What else was seen.
    pub note: String,
    pub took: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<16} {:>5.1} s  {}", self.fault.name(), self.took.as_secs_f64(), self.verdict)?;
        if self.note.is_empty() { Ok(()) } else { write!(f, "; {}", self.note) }
    }
}
