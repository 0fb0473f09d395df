//! The live feed under load: how soon, at what price, and whether every client hears everything that was
//! acknowledged, once and in order.

mod fanout;
mod ledger;
mod memory;
mod movers;
mod own;
mod reconnect;
pub mod relay;
mod stopped;
mod table;
mod throughput;

use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use domain::id::OrderId;
use serde_json::Value;

use self::{ledger::Tally, table::Row};
use crate::{crowd::Greeting, site::Site, sockets::enough_files, workload::token};

/// What clients ask to be told of an event.
macro_rules! change {
    () => {
        "{ kind cursor orderId event { version to { code } } order { number status { code } } }"
    };
}
use change;

/// Every order, told alike to all who ask.
const EVENTS: &str = concat!("subscription { orderEvents ", change!(), " }");
/// What a process opens besides its sockets.
const OTHER_FILES: u64 = 200;
/// After so long a silence nothing more comes.
const PATIENCE: Duration = Duration::from_secs(20);
/// About a seventh of all orders can be moved: those that are delivered and wait.
pub const ORDERS_EACH: i64 = 8;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// One event to all subscribers, beside a bare server
    Fanout,
    /// 100 transitions a second, each to a subscriber of its own
    Own,
    /// As many transitions as can be, while all are listening
    Throughput,
    /// All come back at once, with old cursors
    Reconnect,
    /// What one subscriber that does not read costs the others
    Stopped,
    /// What a subscriber takes of the server's memory, and leaves behind
    Memory,
}

/// How it is measured.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// What; everything if not given
    #[arg(value_enum)]
    works: Vec<Work>,
    /// How many subscribers; 10,000 for fanout, own and memory, 2,000 for reconnect, 1,000 for the others if
    /// not given
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=25_000))]
    subscribers: Option<u16>,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Transitions a second in throughput; as many as can be if not given
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    rate: Option<u16>,
    /// Connections that move orders
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    movers: u16,
}

impl Options {
    fn all(&self) -> &[Work] {
        if self.works.is_empty() { Work::value_variants() } else { &self.works }
    }

    fn crowd(&self, work: Work) -> usize {
        let usual = match work {
            Work::Fanout | Work::Own | Work::Memory => 10_000,
            Work::Reconnect => 2_000,
            Work::Throughput | Work::Stopped => 1_000,
        };
        usize::from(self.subscribers.unwrap_or(usual))
    }

    /// How many orders there must be, so that each subscriber can have one of its own.
    pub fn orders(&self) -> i64 {
        let own = self.all().contains(&Work::Own).then(|| self.crowd(Work::Own));
        i64::try_from(own.unwrap_or_default()).unwrap_or_default() * ORDERS_EACH
    }

    fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// What a measurement came to.
struct Outcome {
    rows: Vec<Row>,
    tally: Option<Tally>,
}

/// Measures each and prints a table. One that breaks off leaves the others alone.
pub async fn measure(site: &Site, options: &Options) -> Result<()> {
    let most = options.all().iter().map(|work| options.crowd(*work)).max();
    enough_files(most.unwrap_or_default() as u64 + OTHER_FILES)?;
    table::head(&format!("{:?}: the live feed", site.on));
    for work in options.all() {
        let count = options.crowd(*work);
        eprintln!("{work:?}, {count} subscribers …");
        match one(site, options, *work, count).await {
            Ok(Outcome { rows, tally }) => table::print(&rows, tally.as_ref()),
            Err(error) => {
                table::print(&[Row::of(format!("{work:?}"), format!("**broke off: {error:#}**"))], None);
            }
        }
    }
    Ok(())
}

async fn one(site: &Site, options: &Options, work: Work, count: usize) -> Result<Outcome> {
    match work {
        Work::Fanout => fanout::measure(site, options, count).await,
        Work::Own => own::measure(site, options, count).await,
        Work::Throughput => throughput::measure(site, options, count).await,
        Work::Reconnect => reconnect::measure(site, count).await,
        Work::Stopped => stopped::measure(site, options, count).await,
        Work::Memory => memory::measure(site, count).await,
    }
}

/// Clients that all see everything and ask for it alike.
fn equal(site: &Site, count: usize) -> Result<Vec<Greeting>> {
    Ok(vec![Greeting::of(&token(site.company.staff)?).watching(EVENTS, &Value::Null, 1); count])
}

/// Orders that can be moved, so many.
async fn movable(site: &Site, count: usize) -> Result<Vec<OrderId>> {
    crate::workload::movable(&site.url, count).await
}
