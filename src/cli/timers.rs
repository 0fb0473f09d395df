//! `ordo timers`: what time does next to orders.

use std::fmt::Write;

use anyhow::Result;
use chrono::SecondsFormat;
use clap::Args;
use ordo::{
    app::{Machine, World},
    store::timer::{Kind, Pending},
    usecase::order::next_timers,
};
use serde_json::{Value, json};

use super::{Config, open_existing, plain, print};

#[derive(Debug, Args)]
pub struct Options {
    /// At most so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Reads them past any server, from a database that is there and at the newest version.
pub async fn list(config: &Config, options: &Options) -> Result<()> {
    let store = open_existing(config).await?;
    let (timers, expiry) = next_timers(&store, options.limit.into()).await.map_err(plain)?;
    store.close().await.map_err(plain)?;
    let now = Machine.now();
    if options.json {
        let timers: Vec<Value> = timers.iter().map(value).collect();
        return print(&format!("{}\n", json!({ "expiryEnabled": expiry, "timers": timers })));
    }
    let mut text = format!("{:<24}  {:<10}  {:<8}  WHAT\n", "DUE", "ORDER", "");
    for timer in &timers {
        let late = if timer.at <= now { "due" } else { "" };
        // Writing to a text does not fail.
        let _ = writeln!(text, "{}  {}  {late:<8}  {}", moment(timer), timer.order, what(timer));
    }
    if timers.is_empty() {
        text += "nothing is due, now or later\n";
    }
    if !expiry {
        text += "orders do not expire by themselves: settingsSave switches that on\n";
    }
    print(&text)
}

fn moment(timer: &Pending) -> String {
    timer.at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn what(timer: &Pending) -> String {
    let Pending { workflow, status, .. } = timer;
    match (timer.kind, &timer.action) {
        (Kind::Stall, _) => format!("counts as stalled in {status} ({workflow})"),
        (Kind::Expiry, _) => format!("expires in {status} ({workflow})"),
        (Kind::Schedule, action) => {
            format!("{} is taken from {status} ({workflow})", action.as_deref().unwrap_or("an action"))
        }
    }
}

fn value(timer: &Pending) -> Value {
    json!({
        "at": moment(timer),
        "order": timer.order.to_string(),
        "kind": timer.kind.name(),
        "workflow": timer.workflow,
        "status": timer.status,
        "action": timer.action,
    })
}
