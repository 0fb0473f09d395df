//! How soon a small document that asks for an endless amount is refused: fragments that spread one another.

use std::{fmt::Write, time::Duration};

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use crate::{
    generator::{self, Script},
    site::Site,
    workload::{post, says, token},
};

/// Fragments within one another, and how often each spreads the next: 6^18 fields, in 1.5 kB.
const FRAGMENTS: usize = 18;
const TIMES: usize = 6;

/// How it is measured.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// How many are sent, one after the other
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    times: u32,
}

/// Prints how long refusals take and what they cost. Every text is a new one: nothing can be remembered.
pub async fn measure(site: &Site, options: &Options) -> Result<()> {
    let server = site.serve(&[]).await?;
    let token = token(site.company.staff)?;
    let requests = (0..options.times).map(|n| post(Some(&token), &bomb(n), &Value::Null)).collect();
    let refused = |answer: &[u8]| says(answer, "TOO_COMPLEX");
    generator::once(server.address, &post(Some(&token), "{ __typename }", &Value::Null)).await?;
    let (cpu, memory) = (server.cpu()?, server.resident()?);
    let mut script = vec![Script::new(requests)];
    let going = generator::times(options.times);
    let round = generator::drive(server.address, &mut script, refused, Duration::ZERO, going).await?;
    let (cpu, memory) = (server.cpu()? - cpu, server.resident()? - memory);
    println!("\n### {:?}: {FRAGMENTS} nested fragments, refused\n", site.on);
    println!("| refusals | p50 ms | p99 ms | longest ms | CPU ms each | memory, MB more |");
    println!("|---|---|---|---|---|---|");
    println!(
        "| {} | {:.2} | {:.2} | {:.2} | {:.3} | {memory:.1} |",
        round.answers,
        round.quantile(0.5),
        round.quantile(0.99),
        round.quantile(1.0),
        cpu / round.answers as f64
    );
    Ok(())
}

/// The text, with names that no other has.
fn bomb(n: u32) -> String {
    let mut text = format!("{{ ...F{n}x0 }}");
    for k in 0..FRAGMENTS {
        let next = format!(" ...F{n}x{}", k + 1).repeat(TIMES);
        // Writing to a string does not fail.
        let _ = write!(text, " fragment F{n}x{k} on Query {{{next} }}");
    }
    text + &format!(" fragment F{n}x{FRAGMENTS} on Query {{ __typename }}")
}
