//! A throwaway PostgreSQL cluster, shared by all tests of one process, and a fresh database for each of them.
//! Starts on first use, listens on a Unix socket alone, and writes nothing safely to disk: fast, not durable.
//! Never skips: where PostgreSQL cannot be had, the test fails and says what to install.

pub mod keeper;

use std::{path::PathBuf, process::Child, sync::OnceLock};

use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use tokio::sync::{Mutex, OnceCell};

const TEMPLATE: &str = "ordo_template";

/// Each database takes 8 MB, and none of them outlives its test.
const SETTINGS: &str =
    "-c max_connections=300 -c fsync=off -c synchronous_commit=off -c full_page_writes=off";
struct Cluster {
    folder: PathBuf,
    /// Holds the write end of the keeper's standard input open; it is never waited for.
    _keeper: Child,
}

/// A new database with all migrations, made from a template that `migrate` filled once per process.
///
/// `migrate` gets the template's URL and must leave no connection open, because PostgreSQL copies only a
/// database that nobody is connected to.
pub async fn fresh<F, Fut>(migrate: F) -> String
where
    F: FnOnce(String) -> Fut,
    Fut: Future<Output = ()>,
{
    static MIGRATED: OnceCell<()> = OnceCell::const_new();
    MIGRATED
        .get_or_init(|| async {
            // An earlier attempt may have panicked half way.
            administer(&format!("DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")).await;
            administer(&format!("CREATE DATABASE {TEMPLATE}")).await;
            migrate(url(TEMPLATE)).await;
        })
        .await;
    // Copying files takes half the time of copying through the log, the default; PostgreSQL 15 or newer.
    create(&format!(" TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")).await
}

/// A new database without any table.
pub async fn empty() -> String {
    create("").await
}

/// One of PostgreSQL's own programs.
pub fn program(name: &str) -> PathBuf {
    keeper::newest_installed().map_or_else(|| name.into(), |bin| bin.join(name))
}

async fn create(template: &str) -> String {
    // One at a time: two copies of one template at once would each see the other's connection and fail.
    static CREATED: Mutex<u32> = Mutex::const_new(0);
    let mut created = CREATED.lock().await;
    *created += 1;
    let name = format!("t{created}");
    administer(&format!("CREATE DATABASE {name}{template}")).await;
    url(&name)
}

/// Every test has a runtime of its own and a connection dies with its runtime, so none outlives its statement.
async fn administer(statement: &str) {
    let mut options = ConnectOptions::new(url("postgres"));
    options.max_connections(1).sqlx_logging(false);
    let outcome = async {
        let connection = Database::connect(options).await?;
        connection.execute_unprepared(statement).await?;
        connection.close().await
    };
    outcome.await.unwrap_or_else(|error| panic!("PostgreSQL refused `{statement}`: {error}"));
}

fn url(database: &str) -> String {
    static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
    match CLUSTER.get_or_init(start) {
        Ok(cluster) => format!("postgres://postgres@localhost/{database}?host={}", cluster.folder.display()),
        Err(reason) => panic!("{reason}"),
    }
}

fn start() -> Result<Cluster, String> {
    let (folder, keeper) = keeper::keep("ordo", keeper::Files::InMemory, SETTINGS)?;
    Ok(Cluster { folder, _keeper: keeper })
}
