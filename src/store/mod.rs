//! The store remembers: the only room that knows SeaORM and SQL.
//! It may use `domain` and `entity`. Every read takes the grants it is for; every write is a
//! [`domain::order::Decision`], inside [`Store::write`].
//! What never happens here: rules, GraphQL, HTTP, live delivery.

mod aggregate;
pub mod backup;
pub mod bell;
pub mod catalogue;
mod connect;
pub mod count;
pub mod edit;
pub mod event;
pub mod idempotency;
mod inputs;
pub mod job;
pub mod job_task;
pub mod lease;
pub mod list;
pub mod migrate;
pub mod order;
pub mod parts;
pub mod people;
mod reader;
mod removal;
pub mod resource;
mod save;
pub mod scope;
pub mod service_token;
pub mod session;
pub mod settings;
mod sql;
mod subject;
pub mod timer;
pub mod workflow;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use migration::MigratorTrait;
use sea_orm::{
    AccessMode, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait,
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

/// A transaction that reads: all of it sees the database as it is at one moment.
#[derive(Debug)]
pub struct Snapshot(DatabaseTransaction);

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

impl Reads for Snapshot {
    type Db = DatabaseTransaction;
    fn db(&self) -> &DatabaseTransaction {
        &self.0
    }
}

/// The key of the lock that whoever migrates holds; "ordm" in ASCII.
const MIGRATOR: i64 = 0x6f72_646d;

impl Store {
    /// Opens the database of this URL, `sqlite://…` or `postgres://…`.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn open(url: &str, connections: u32) -> Result<Store> {
        if url.starts_with("sqlite:") {
            let writer = Database::connect(connect::sqlite(url, 1, false)).await?;
            connect::log_ahead(&writer).await?;
            let reader = Database::connect(connect::sqlite(url, connections, true)).await?;
            return Ok(Store { reader: Reader::new(reader), writer });
        }
        let pool = Database::connect(connect::postgres(url, connections)).await?;
        Ok(Store { reader: Reader::new(pool.clone()), writer: pool })
    }

    /// The same database over connections of one's own, made when they are needed: who uses them waits for
    /// nobody else's statements, and can give them up. On SQLite it is the same store, for it has one writer.
    pub fn apart(&self) -> Store {
        let Some(pool) = connect::apart(&self.writer) else { return self.clone() };
        Store { reader: Reader::new(pool.clone()), writer: pool }
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

impl Store {
    /// Does reads that all see one moment. A task of its own for the same reason as [`Store::write`].
    ///
    /// # Errors
    /// The work's own, or the database's.
    pub async fn snapshot<T, F, Fut>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(Arc<Snapshot>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T>> + Send + 'static,
    {
        let reader = self.reader.pool().clone();
        let task = tokio::spawn(async move {
            let options = unchanging(reader.get_database_backend());
            let snapshot = Arc::new(Snapshot(reader.begin_with_options(options).await?));
            let result = work(snapshot.clone()).await;
            let snapshot = Arc::into_inner(snapshot);
            snapshot.ok_or_else(|| Error::internal("a snapshot outlived its work"))?.0.rollback().await?;
            result
        });
        task.await.map_err(|error| Error::Internal(error.into()))?
    }
}

/// SQLite's readers see one moment from their first statement on, without being told.
fn unchanging(backend: DbBackend) -> TransactionOptions {
    match backend {
        DbBackend::Postgres => TransactionOptions {
            isolation_level: Some(IsolationLevel::RepeatableRead),
            access_mode: Some(AccessMode::ReadOnly),
            ..TransactionOptions::default()
        },
        _ => TransactionOptions::default(),
    }
}

/// SQLite's writers wait for each other at the beginning; one that became a writer later would fail.
fn immediate() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Error {
        Error::Internal(error.into())
    }
}
