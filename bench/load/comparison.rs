//! Ordo beside another server on a copy of the same data, case by case.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::{
    Plan,
    process::{Pair, Server},
    report::{self, Row},
    rounds,
    site::Site,
    statements, workload,
};

/// What Ordo is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Against {
    /// A handler with hand-written statements
    Baseline,
    /// The same schema behind the stock integration, without Ordo's transport
    Bare,
}

impl Against {
    /// The name: of the command that starts it, and in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Against::Baseline => "baseline",
            Against::Bare => "bare",
        }
    }
}

/// Measures the cases of the plan and prints them.
pub async fn measure(site: &Site, plan: &Plan) -> Result<()> {
    let other = site.copy().await?;
    let cases = workload::cases(&site.url, &site.company, usize::from(plan.connections)).await?;
    let mut cases: Vec<_> = cases.into_iter().filter(|case| case.name.contains(&plan.only)).collect();
    if cases.is_empty() {
        bail!("no case is named like `{}`", plan.only);
    }
    if plan.against == Against::Bare {
        cases = cases.into_iter().map(workload::Case::same_for_both).collect();
    }
    let statements = statements::count(&site.url, &cases).await?;
    let against = plan.against.name();
    let servers = Pair { ordo: site.serve(&[]).await?, other: Server::other(against, &other).await? };
    let memory = servers.ordo.resident()?;
    let settings = rounds::Settings {
        rounds: usize::from(plan.rounds),
        length: Duration::from_millis(plan.millis),
        database: site.database_pid()?,
    };
    let mut rows = Vec::new();
    for (case, statements) in cases.into_iter().zip(statements) {
        eprintln!("{} …", case.name);
        rows.push(Row { statements, ..rounds::measure(&servers, case, &settings).await? });
    }
    report::print(&format!("{:?}, {} orders", site.on, plan.orders), against, &rows, memory);
    Ok(())
}
