//! `ordo worker`: runs a program of the provider's own, the hook, for each attempt that its token may claim.
//! A client of the API like any other: it may use HTTP, processes and signals, and knows no database.
//! What never happens here: a hook that runs before its claim is committed, or after its lease is lost.

mod api;
mod cursor;
mod feed;
mod hook;
mod job;
mod report;
mod tail;

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use clap::Args;
use ordo::config::Secret;
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use self::{
    api::{Api, Failure},
    cursor::Cursor,
    hook::Hook,
    job::Job,
};
use super::stop_signal;

/// Where the token is, if not in a file.
const TOKEN: &str = "ORDO_WORKER_TOKEN";
/// How often the list of what waits is read although nothing rang.
const RESCAN: Duration = Duration::from_secs(30);
/// After how long a list that could not be read is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// How long hooks that were ended have to be reported, once the worker stops.
const REPORT: Duration = Duration::from_secs(10);

/// What the worker is told.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The server
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    url: String,
    /// A file with the service token [default: the environment variable ORDO_WORKER_TOKEN]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The program to run for each attempt; the order comes to it as JSON
    #[arg(long, value_name = "PROGRAM")]
    exec: PathBuf,
    /// How many run at once
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Where the worker keeps its place in the feed [default: it begins with what waits, and now]
    #[arg(long, value_name = "FILE")]
    cursor_file: Option<PathBuf>,
    /// How long the program may run, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    timeout: u64,
    /// How long the worker may be silent before an attempt counts as lost, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(10..=3_600))]
    lease: u64,
    /// How long programs that run may go on when the worker is asked to stop, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    drain: u64,
}

/// Works until it is asked to stop, or the server will not have it.
pub(super) async fn run(options: Options) -> Result<()> {
    let mut stop = Box::pin(stop_signal()?);
    let api = Arc::new(Api::new(&options.url, &token(&options)?)?);
    let cursor = Cursor::open(options.cursor_file.clone())?;
    let hook = Hook::new(&options.exec, Duration::from_secs(options.timeout))?;
    let (kill, killed) = watch::channel(false);
    let mut crew = Crew {
        job: Job { api: api.clone(), hook, lease: Duration::from_secs(options.lease), killed },
        most: options.jobs.into(),
        jobs: JoinSet::new(),
        passed: HashMap::new(),
    };
    let bell = Arc::new(Notify::new());
    let mut feed = tokio::spawn(feed::follow(api, cursor, bell.clone()));
    tracing::info!(server = %options.url, program = %options.exec.display(), "working");
    let refused = loop {
        let pause = match crew.take_work().await {
            Ok(()) => RESCAN,
            Err(Failure::Again(why)) => {
                tracing::warn!(why, "what waits cannot be read; trying again");
                RETRY
            }
            Err(refused) => break Some(refused),
        };
        tokio::select! {
            () = &mut stop => break None,
            () = bell.notified() => {}
            Some(_) = crew.jobs.join_next() => {}
            () = sleep(pause) => {}
            ended = &mut feed => break Some(ended.context("the feed's reader has failed")?),
        }
    };
    feed.abort();
    crew.leave(Duration::from_secs(options.drain), &kill).await?;
    match refused {
        Some(refused) => bail!("the server will not have this worker: {refused}"),
        None => Ok(()),
    }
}

fn token(options: &Options) -> Result<Secret> {
    let text = match &options.token_file {
        Some(file) => std::fs::read_to_string(file)
            .with_context(|| format!("the token file {} cannot be read", file.display()))?,
        None => std::env::var(TOKEN)
            .with_context(|| format!("a service token is needed: --token-file, or {TOKEN}"))?,
    };
    let text = text.trim();
    if text.is_empty() {
        bail!("the service token is empty; take the one that `serviceTokenCreate` told");
    }
    Ok(Secret::new(text.to_owned()))
}

/// What waits, oldest first.
const WAITING: &str = "query Waiting($after: String) { orders(where: { awaitsWorker: true }, \
    orderBy: { field: CREATED_AT, direction: ASC }, first: 50, after: $after) { nodes { id version } \
    pageInfo { hasNextPage endCursor } } }";

/// The hooks that run.
struct Crew {
    job: Job,
    most: usize,
    jobs: JoinSet<()>,
    /// Orders that this token may not claim, by the version in which it was told so.
    passed: HashMap<String, i64>,
}

impl Crew {
    /// Claims what waits as long as there is room.
    async fn take_work(&mut self) -> Result<(), Failure> {
        let (mut after, mut passed) = (Value::Null, HashMap::new());
        while self.jobs.len() < self.most {
            let page = self.job.api.run("orders", WAITING, json!({ "after": after })).await?;
            for node in page["nodes"].as_array().into_iter().flatten() {
                let (Some(id), Some(version)) = (node["id"].as_str(), node["version"].as_i64()) else {
                    continue;
                };
                if self.passed.get(id) == Some(&version) || !self.claim(id).await? {
                    passed.insert(id.to_owned(), version);
                }
                if self.jobs.len() >= self.most {
                    self.passed.extend(passed);
                    return Ok(());
                }
            }
            if page["pageInfo"]["hasNextPage"] != true {
                // All were seen: what is not waiting any more is forgotten.
                self.passed = passed;
                return Ok(());
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        Ok(())
    }

    /// Claims attempts at an order as long as there are some and there is room; whether it may.
    async fn claim(&mut self, order: &str) -> Result<bool, Failure> {
        while self.jobs.len() < self.most {
            match self.job.claim(order).await {
                Ok(claimed) => {
                    let more = claimed.more;
                    let job = self.job.clone();
                    self.jobs.spawn(async move { job.carry_out(claimed).await });
                    if !more {
                        break;
                    }
                }
                // Somebody else was quicker.
                Err(Failure::Refused { code, .. }) if ["ATTEMPT_CLAIMED", "NOT_FOUND"].contains(&&*code) => {
                    break;
                }
                Err(Failure::Refused { code, message }) => {
                    tracing::info!(order, code, message, "this worker may not claim the order");
                    return Ok(false);
                }
                Err(other) => return Err(other),
            }
        }
        Ok(true)
    }

    /// Claims nothing more and waits for the hooks; those that do not end in time are ended, and reported.
    async fn leave(mut self, drain: Duration, kill: &watch::Sender<bool>) -> Result<()> {
        let mut again = Box::pin(stop_signal()?);
        tracing::info!(running = self.jobs.len(), "no more work is taken");
        let jobs = &mut self.jobs;
        let mut all = Box::pin(async { while jobs.join_next().await.is_some() {} });
        let ended = tokio::select! {
            ended = timeout(drain, &mut all) => ended.is_ok(),
            () = &mut again => false,
        };
        if !ended {
            kill.send_replace(true);
            if timeout(hook::GRACE + REPORT, &mut all).await.is_err() {
                tracing::warn!("what became of some attempts could not be reported; their leases run out");
            }
        }
        Ok(())
    }
}
