//! How PostgreSQL carries the bell: the database's id, NOTIFY, and a connection that listens.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::sqlx::{
    self, Postgres,
    pool::PoolOptions,
    postgres::{PgListener, PgPool},
};
use uuid::Uuid;

use super::{Reads, Store, sql::Sql};
use crate::error::{Error, Result};

/// Where the bell rings. A channel belongs to its database.
pub(super) const CHANNEL: &str = "ordo";
/// The row of `settings` that holds the database's id.
const KEY: &str = "database_id";
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Gives the database this id, unless it got one meanwhile. A copy of the database has the same: then two wake each
/// other for nothing, which costs a read and harms nobody.
///
/// # Errors
/// The database's.
pub async fn identify(store: &Store, fresh: Uuid, now: DateTime<Utc>) -> Result<()> {
    store
        .write(async move |tx| {
            let mut sql = Sql::new(tx.db(), "INSERT INTO settings (key, value, updated_at) VALUES (");
            sql.bind(KEY).push(",").bind(serde_json::Value::from(fresh.to_string()));
            sql.push(",").bind(now).push(") ON CONFLICT (key) DO NOTHING");
            sql.run(tx.db()).await
        })
        .await
        .map(|_| ())
}

/// The database's id, once it has one.
///
/// # Errors
/// The database's.
pub async fn database(from: &impl Reads) -> Result<Option<Uuid>> {
    let mut sql = Sql::new(from.db(), "SELECT value FROM settings WHERE key = ");
    sql.bind(KEY);
    let stored: Option<serde_json::Value> = sql.one(from.db(), |row| row.get()).await?;
    Ok(stored.and_then(|id| id.as_str()?.parse().ok()))
}

/// Says something to every instance that listens, this one too. PostgreSQL only.
///
/// # Errors
/// The database's.
pub async fn notify(store: &Store, text: &str) -> Result<()> {
    let mut sql = Sql::new(store.db(), "SELECT pg_notify(");
    sql.bind(CHANNEL).push(",").bind(text).push(")");
    sql.one(store.db(), |_| Ok(())).await.map(|_| ())
}

/// A connection of its own that hears what is said to all instances.
#[derive(Debug)]
pub struct Ear(PgListener);

impl Ear {
    /// Listens, on a connection besides the pool's: one that listens cannot be lent out. PostgreSQL only.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn open(store: &Store) -> Result<Ear> {
        let pool = store.writer.get_postgres_connection_pool();
        let mut listener = PgListener::connect_with(&alone(pool).await?).await?;
        // Whoever hears must know of a connection that was lost: something may have been said meanwhile.
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(Ear(listener))
    }

    /// What is said next. May be dropped while it waits.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn hear(&mut self) -> Result<String> {
        let heard = self.0.try_recv().await?;
        heard
            .map(|said| said.payload().to_owned())
            .ok_or_else(|| Error::internal("the connection that listens was closed"))
    }
}

/// One more connection to the same place, as a pool, which is what a listener takes.
async fn alone(pool: &PgPool) -> Result<PgPool> {
    let options = PoolOptions::<Postgres>::new().max_connections(1).acquire_timeout(CONNECT);
    let options = options.max_lifetime(None).idle_timeout(None).test_before_acquire(false);
    Ok(options.connect_with((*pool.connect_options()).clone()).await?)
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Error {
        Error::Internal(error.into())
    }
}
