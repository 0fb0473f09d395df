//! The store remembers: the only room that knows SeaORM and SQL.
//! It may use `domain` and `entity`. Every read takes the grants it is for; every write is a
//! [`domain::order::Decision`], inside [`Store::write`].
//! What never happens here: rules, GraphQL, HTTP, live delivery.

mod aggregate;
pub mod backup;
pub mod catalogue;
pub mod event;
pub mod idempotency;
pub mod lease;
pub mod list;
pub mod order;
pub mod parts;
pub mod people;
mod reader;
mod save;
pub mod scope;
pub mod service_token;
pub mod session;
pub mod settings;
mod sql;
pub mod workflow;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use migration::MigratorTrait;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

pub use reader::Reader;
pub use save::save;

use crate::error::{Error, Result};

/// A transaction that writes. Committed by [`Store::write`] when the work is done.
#[derive(Debug)]
pub struct Tx(DatabaseTransaction);

/// The database: readers apart from the writer where the database has one writer.
#[derive(Clone, Debug)]
pub struct Store {
    reader: Reader,
    writer: DatabaseConnection,
}

/// Something that can be read from: the store, or a transaction under way.
pub trait Reads {
    /// The connection's type.
    type Db: ConnectionTrait;
    /// The connection.
    fn db(&self) -> &Self::Db;
}

impl Reads for Store {
    type Db = Reader;
    fn db(&self) -> &Reader {
        &self.reader
    }
}

impl Reads for Tx {
    type Db = DatabaseTransaction;
    fn db(&self) -> &DatabaseTransaction {
        &self.0
    }
}

/// How long a request waits for a connection before it is told that the server is busy.
const ACQUIRE: Duration = Duration::from_secs(10);

/// The key of the lock that whoever migrates holds; "ordm" in ASCII.
const MIGRATOR: i64 = 0x6f72_646d;

impl Store {
    /// Opens the database of this URL, `sqlite://…` or `postgres://…`.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn open(url: &str, connections: u32) -> Result<Store> {
        if url.starts_with("sqlite:") {
            let writer = Database::connect(sqlite(url, 1, false)).await?;
            let reader = Database::connect(sqlite(url, connections, true)).await?;
            return Ok(Store { reader: Reader::new(reader), writer });
        }
        let pool = Database::connect(postgres(url, connections)).await?;
        Ok(Store { reader: Reader::new(pool.clone()), writer: pool })
    }

    /// The same store for one answer that reads and does not write: all its reads go to one connection, which
    /// is free again when the last clone of it is dropped. What lives longer must not keep it.
    pub fn reading(&self) -> Store {
        Store { reader: self.reader.holding(), writer: self.writer.clone() }
    }

    /// Counts every statement from now on.
    pub fn count_statements(&mut self, counter: Arc<AtomicU64>) {
        self.reader.count_statements(counter.clone());
        self.writer.set_metric_callback(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
    }

    /// Brings the tables to the newest version, all or nothing; processes that start at once take turns.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn migrate(&self) -> Result<()> {
        let tx = self.writer.begin_with_options(immediate()).await?;
        if self.stamps_late() {
            // A large table takes as long as it takes, and so does whoever came first.
            let patient = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0";
            tx.execute_unprepared(patient).await?;
            tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATOR})")).await?;
        }
        migration::Migrator::up(&tx, None).await?;
        Ok(tx.commit().await?)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<()> {
        Ok(self.reader.pool().ping().await?)
    }

    /// How many connections there are, and how many of them nobody uses.
    pub fn connections(&self) -> (u32, usize) {
        match self.writer.get_database_backend() {
            DbBackend::Sqlite => {
                let pools = [&self.writer, self.reader.pool()].map(|pool| pool.get_sqlite_connection_pool());
                (pools.iter().map(|pool| pool.size()).sum(), pools.iter().map(|pool| pool.num_idle()).sum())
            }
            _ => {
                let pool = self.writer.get_postgres_connection_pool();
                (pool.size(), pool.num_idle())
            }
        }
    }

    /// Ends all connections.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn close(self) -> Result<()> {
        self.reader.pool().clone().close().await?;
        Ok(self.writer.close().await?)
    }

    /// Whether positions in the log are stamped after commit, by somebody else than the writer.
    pub fn stamps_late(&self) -> bool {
        self.writer.get_database_backend() == DbBackend::Postgres
    }

    /// Does work in one transaction and commits it; any error rolls all of it back.
    ///
    /// It runs as a task of its own: when a client hangs up, the handler's future is dropped, and a
    /// future dropped while BEGIN is under way would leave its connection inside an open
    /// transaction, where later writes are answered and never committed.
    ///
    /// # Errors
    /// The work's own, or the database's.
    pub async fn write<T, F, Fut>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(Arc<Tx>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T>> + Send + 'static,
    {
        let writer = self.writer.clone();
        let task = tokio::spawn(async move {
            let tx = Arc::new(Tx(writer.begin_with_options(immediate()).await?));
            let result = work(tx.clone()).await;
            let tx = Arc::into_inner(tx).ok_or_else(|| Error::internal("a transaction outlived its work"))?.0;
            match result {
                Ok(value) => tx.commit().await.map(|()| value).map_err(Error::from),
                Err(error) => {
                    tx.rollback().await?;
                    Err(error)
                }
            }
        });
        task.await.map_err(|error| Error::Internal(error.into()))?
    }
}

/// SQLite's writers wait for each other at the beginning; one that became a writer later would fail.
fn immediate() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

fn sqlite(url: &str, connections: u32, read_only: bool) -> ConnectOptions {
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
                .pragma("journal_mode", "WAL")
                // FULL: an acknowledged write survives a power cut, not only a crash.
                .pragma("synchronous", "FULL")
                .pragma("cache_size", "-8000")
                // A page and its lines: the driver's thread hands them over without waiting in between.
                .row_buffer_size(512)
                .pragma("query_only", if read_only { "ON" } else { "OFF" })
        });
    options
}

fn postgres(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .sqlx_logging(false)
        .test_before_acquire(false)
        .idle_timeout(Duration::from_secs(300))
        .map_sqlx_postgres_opts(|options| {
            options.options([
                // Our statements come in few shapes and read by index: planning them once is right.
                ("plan_cache_mode", "force_generic_plan"),
                // A plan for any customer is a plan for the average one, who has few orders: to collect and
                // sort them looks cheap, and is not for the one who has many.
                ("enable_bitmapscan", "off"),
                ("random_page_cost", "1.1"),
                ("idle_in_transaction_session_timeout", "30s"),
                ("statement_timeout", "60s"),
                ("lock_timeout", "10s"),
            ])
        });
    options
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Error {
        Error::Internal(error.into())
    }
}
