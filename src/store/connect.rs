//! How connections to the two databases are made.

use std::{io, time::Duration};

use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, SqlxPostgresConnector,
    sqlx::{self, Connection, PgConnection, pool::PoolOptions},
};
use tokio::time::{Instant, sleep, timeout};

/// How long a request waits for a connection before it is told that the server is busy.
const ACQUIRE: Duration = Duration::from_secs(10);

/// A connection of PostgreSQL that rested so long is asked whether it still lives, before anybody uses it. When
/// the database restarts, all that rest are dead, and each would fail a request otherwise. Under load none
/// rests so long, and none is asked: that would be a round trip for each statement.
const IDLE: Duration = Duration::from_millis(500);
/// How long it may take to answer. One that a firewall has forgotten never does.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
/// How long to wait before a locked file is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// SQLite's options: one writer, or readers.
pub(super) fn sqlite(url: &str, connections: u32, read_only: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .sqlx_logging(false)
        .test_before_acquire(false)
        .map_sqlx_sqlite_opts(move |options| {
            // No ANALYZE: the indexes are made for the statements, and with statistics SQLite prepares a
            // statement afresh for each new value that is bound, which costs more than running it.
            options
                .create_if_missing(true)
                .foreign_keys(true)
                .busy_timeout(ACQUIRE)
                // FULL: an acknowledged write survives a power cut, not only a crash.
                .pragma("synchronous", "FULL")
                .pragma("cache_size", "-8000")
                // A page and its lines: the driver's thread hands them over without waiting in between.
                .row_buffer_size(512)
                .pragma("query_only", if read_only { "ON" } else { "OFF" })
        });
    options
}

/// PostgreSQL's options.
pub(super) fn postgres(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .sqlx_logging(false)
        .map_sqlx_postgres_pool_opts(|options| {
            options.before_acquire(|connection, meta| Box::pin(is_alive(connection, meta.idle_for)))
        })
        .idle_timeout(Duration::from_secs(300))
        .map_sqlx_postgres_opts(|options| {
            options.options([
                // Our statements come in few shapes and read by index: planning them once is right.
                ("plan_cache_mode", "force_generic_plan"),
                // A plan for any customer is a plan for the average one, who has few orders: to collect and
                // sort them looks cheap, and is not for the one who has many.
                ("enable_bitmapscan", "off"),
                // The stamper relies on it, see `event::stamp`, whatever the database's own default is.
                ("default_transaction_isolation", "read committed"),
                ("random_page_cost", "1.1"),
                ("idle_in_transaction_session_timeout", "30s"),
                ("statement_timeout", "60s"),
                ("lock_timeout", "10s"),
            ])
        });
    options
}

async fn is_alive(connection: &mut PgConnection, idle: Duration) -> Result<bool, sqlx::Error> {
    if idle < IDLE {
        return Ok(true);
    }
    // An error ends the connection without asking it any more.
    let silent = |_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into()));
    timeout(SIGN_OF_LIFE, connection.ping()).await.unwrap_or_else(silent).map(|()| true)
}

/// A pool of two connections like those of another pool of PostgreSQL.
pub(super) fn apart(from: &DatabaseConnection) -> Option<DatabaseConnection> {
    if from.get_database_backend() != DbBackend::Postgres {
        return None;
    }
    let like = from.get_postgres_connection_pool().connect_options();
    let pool = PoolOptions::new().max_connections(2).acquire_timeout(ACQUIRE);
    let pool = pool.connect_lazy_with(like.as_ref().clone());
    Some(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

/// Makes writes go to a log beside the file, so that readers and the writer do not wait for each other; the
/// file remembers. SQLite takes the whole file for that and, unlike for a write, refuses at once whoever comes
/// while another process is at it: so it is tried again.
pub(super) async fn log_ahead(writer: &DatabaseConnection) -> Result<(), DbErr> {
    let until = Instant::now() + ACQUIRE;
    loop {
        match writer.execute_unprepared("PRAGMA journal_mode = WAL").await {
            Err(error) if is_locked(&error) && Instant::now() < until => sleep(AGAIN).await,
            done => return done.map(|_| ()),
        }
    }
}

/// Whether SQLite says that somebody else has the file: SQLITE_BUSY, with or without its finer reason.
fn is_locked(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}
