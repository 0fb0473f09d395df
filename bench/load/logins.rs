//! What readers feel while somebody tries passwords.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use crate::{
    company::ROLES,
    generator::{self, Round, Script},
    site::Site,
    workload::{self, Case, post, says},
};

const LOGIN: &str = "mutation ($input: LoginInput!) { login(input: $input) { errors { code } } }";
/// What readers read.
const CASE: &str = "page, staff";
/// So that limits let everything through: every password is hashed.
const NO_LIMIT: (&str, &str) = ("ORDO_LOGINS_PER_MINUTE", "1000000");

/// How it is measured. Readers pause, because a server that is full has no calm: at the defaults it is about
/// a quarter busy.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Log-ins at least; they go on for as long as one round
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    attempts: u32,
    /// Log-ins at a time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=64))]
    at_once: u16,
    /// Connections that read
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    readers: u16,
    /// Milliseconds that each reader pauses after an answer
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=1_000))]
    pause: u64,
}

/// For how long readers are watched.
#[derive(Clone, Copy)]
pub struct Lengths {
    pub calm: Duration,
    /// At least.
    pub attacked: Duration,
}

/// How many attempts got which answer.
#[derive(Default)]
struct Answers {
    /// INVALID_CREDENTIALS.
    hashed: AtomicU64,
    /// RATE_LIMITED.
    refused: AtomicU64,
}

/// Measures with the limits that ship, which refuse nearly all, and without, and prints both.
pub async fn measure(site: &Site, options: &Options, lengths: Lengths) -> Result<()> {
    let cases = workload::cases(&site.url, &site.company, usize::from(options.readers)).await?;
    let case = cases.into_iter().find(|case| case.name == CASE).context("the case is gone")?;
    println!("\n### {:?}: {CASE}, while passwords are tried {} at a time\n", site.on, options.at_once);
    println!(
        "| limits | hashed | refused | seconds | p50 ms calm | meanwhile | ratio | p99 ms calm | meanwhile | ratio |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (name, settings) in [("shipped", &[][..]), ("none", &[NO_LIMIT])] {
        eprintln!("log-ins, limits: {name} …");
        let server = site.serve(settings).await?;
        let (calm, attacked, answers) = compare(server.address, &case, options, lengths).await?;
        let hashed = answers.hashed.load(Ordering::Relaxed);
        let refused = answers.refused.load(Ordering::Relaxed);
        print!("| {name} | {hashed} | {refused} | {:.1} |", attacked.seconds);
        for part in [0.5, 0.99] {
            let (before, meanwhile) = (calm.quantile(part), attacked.quantile(part));
            print!(" {before:.2} | {meanwhile:.2} | **{:.2}** |", meanwhile / before);
        }
        println!();
    }
    Ok(())
}

/// Readers alone, then readers beside the attempts.
async fn compare(
    address: SocketAddr,
    case: &Case,
    options: &Options,
    lengths: Lengths,
) -> Result<(Round, Round, Arc<Answers>)> {
    let (mut readers, pause) = (case.ordo.clone(), Duration::from_millis(options.pause));
    generator::run(address, &mut readers, case.good, Duration::from_millis(700)).await?;
    let until = generator::until(Instant::now() + lengths.calm);
    let calm = generator::drive(address, &mut readers, case.good, pause, until).await?;
    let over = Arc::new(AtomicBool::new(false));
    let watched = over.clone();
    let attack = async {
        let answers = attack(address, options, lengths.attacked).await;
        over.store(true, Ordering::Relaxed);
        answers
    };
    let going = move || !watched.load(Ordering::Relaxed);
    let reading = generator::drive(address, &mut readers, case.good, pause, going);
    let (attacked, answers) = tokio::join!(reading, attack);
    // What went wrong with the attempts comes first: the readers may only have waited for it.
    let answers = answers?;
    Ok((calm, attacked?, answers))
}

/// Sends wrong passwords.
async fn attack(address: SocketAddr, options: &Options, length: Duration) -> Result<Arc<Answers>> {
    let requests: Vec<_> = (0..options.attempts).map(login).collect();
    let share = requests.len().div_ceil(usize::from(options.at_once));
    let mut scripts = requests.chunks(share).map(|share| Script::new(share.to_vec())).collect();
    let (counted, until) = (generator::times(options.attempts), generator::until(Instant::now() + length));
    let going = move || counted() || until();
    let answers = Arc::new(Answers::default());
    let counting = answers.clone();
    let count = move |answer: &[u8]| {
        let (hashed, refused) = (says(answer, "INVALID_CREDENTIALS"), says(answer, "RATE_LIMITED"));
        counting.hashed.fetch_add(hashed.into(), Ordering::Relaxed);
        counting.refused.fetch_add(refused.into(), Ordering::Relaxed);
        hashed || refused
    };
    generator::drive(address, &mut scripts, count, Duration::ZERO, going).await?;
    Ok(answers)
}

/// An attempt: every other one for an account that exists.
fn login(n: u32) -> Vec<u8> {
    let email = match n % 2 {
        0 => format!("{}@load.test", ROLES[n as usize / 2 % ROLES.len()].name()),
        _ => format!("nobody{n}@load.test"),
    };
    let input = json!({ "input": { "email": email, "password": format!("a wrong password, number {n}") } });
    post(None, LOGIN, &input)
}
