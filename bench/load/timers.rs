//! How long it takes until all timers that are due at once have fired, and what readers feel meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use domain::id::UserId;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

use crate::{
    generator,
    site::{On, Site},
    workload,
};

/// What readers read.
const CASE: &str = "page, staff";
/// For how long readers are watched before anything is due.
const CALM: Duration = Duration::from_secs(5);
/// When nothing fired for so long, something is broken.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often is looked how many are left.
const GLANCE: Duration = Duration::from_millis(200);
const LEFT: &str = "SELECT COUNT(*) FROM schedules";

/// How it is measured: as many readers, and as often, as beside log-ins.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// How many timers are due at once, each of an order of its own
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(i64).range(100..=500_000))]
    timers: i64,
    /// Connections that read
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    readers: u16,
    /// Milliseconds that each reader pauses after an answer
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=1_000))]
    pause: u64,
}

impl Options {
    /// How many orders there must be, so that lists have others too.
    pub fn orders(&self) -> i64 {
        self.timers * 2
    }
}

/// Has a scheduled action taken of each of many orders, and prints how long that takes.
pub async fn measure(site: &Site, options: &Options) -> Result<()> {
    let cases = workload::cases(&site.url, &site.company, usize::from(options.readers)).await?;
    let case = cases.into_iter().find(|case| case.name == CASE).context("the case is gone")?;
    let db = connect(&site.url).await?;
    prepare(&db, options.timers).await?;
    let server = site.serve(&[]).await?;
    let (mut readers, pause) = (case.ordo.clone(), Duration::from_millis(options.pause));
    generator::run(server.address, &mut readers, case.good, Duration::from_millis(700)).await?;
    let until = generator::until(Instant::now() + CALM);
    let calm = generator::drive(server.address, &mut readers, case.good, pause, until).await?;
    let over = Arc::new(AtomicBool::new(false));
    let watched = over.clone();
    let fire = async {
        let seconds = fire(&db, options.timers, site.company.staff.context("no staff")?).await;
        over.store(true, Ordering::Relaxed);
        seconds
    };
    let going = move || !watched.load(Ordering::Relaxed);
    let reading = generator::drive(server.address, &mut readers, case.good, pause, going);
    let (meanwhile, seconds) = tokio::join!(reading, fire);
    let (meanwhile, seconds) = (meanwhile?, seconds?);
    let moved =
        count(&db, "SELECT COUNT(*) FROM events WHERE kind = 'STATUS_CHANGED' AND action = 'process'")
            .await?;
    db.close().await?;
    if moved != options.timers {
        bail!("{moved} orders moved, not {}", options.timers);
    }
    println!("\n### {:?}: {} timers due at once, while a list is read\n", site.on, options.timers);
    println!("| | measured | must | aim |\n|---|---|---|---|");
    let (must, aim) = if site.on == On::Sqlite { ("120 s", "60 s") } else { ("", "") };
    println!("| until all have fired | **{seconds:.1} s** | {must} | {aim} |");
    println!("| fired a second | {:.0} | | |", options.timers as f64 / seconds);
    for (name, part, bound) in [("p50", 0.5, ""), ("p99", 0.99, "3 times")] {
        let (before, meanwhile) = (calm.quantile(part), meanwhile.quantile(part));
        let times = meanwhile / before;
        println!(
            "| {name} of a list: calm, meanwhile | {before:.2}, {meanwhile:.2} ms: **{times:.2} times** | {bound} | |"
        );
    }
    Ok(())
}

/// Orders that can be taken further, and no server that would do so yet.
async fn prepare(db: &DatabaseConnection, timers: i64) -> Result<()> {
    let waiting = format!(
        "UPDATE orders SET workflow = 'delivery', status = 'pending', category = 'PENDING' \
         WHERE number > 1000000000 AND number <= 1000000000 + {timers}"
    );
    db.execute_unprepared(&waiting).await?;
    Ok(())
}

/// Schedules what is due already, and waits until all of it has fired; how many seconds that took.
async fn fire(db: &DatabaseConnection, timers: i64, staff: UserId) -> Result<f64> {
    let (id, user, at) = match db.get_database_backend() {
        DbBackend::Postgres => ("gen_random_uuid()", format!("'{}'::uuid", staff.0), "now()"),
        _ => (
            "randomblob(16)",
            format!("x'{}'", staff.0.simple()),
            "strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now')",
        ),
    };
    let begun = Instant::now();
    let plant = format!(
        "INSERT INTO schedules (id, order_id, action, at, made_by, made_at, audience) \
         SELECT {id}, id, 'process', {at}, {user}, {at}, 'PROVIDER' FROM orders \
         WHERE number > 1000000000 AND number <= 1000000000 + {timers}"
    );
    db.execute_unprepared(&plant).await?;
    let (mut left, mut moved) = (timers, Instant::now());
    while left > 0 {
        tokio::time::sleep(GLANCE).await;
        let now = count(db, LEFT).await?;
        if now < left {
            (left, moved) = (now, Instant::now());
        } else if moved.elapsed() > PATIENCE {
            bail!("{left} of {timers} timers do not fire");
        }
    }
    Ok(begun.elapsed().as_secs_f64())
}

async fn connect(url: &str) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Ok(Database::connect(options).await?)
}

async fn count(db: &DatabaseConnection, query: &str) -> Result<i64> {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), query)).await?;
    Ok(row.context("no row")?.try_get_by_index(0)?)
}
