//! Where reads go: to any connection of the pool, or, for one answer, all to the same one.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    prelude::async_trait::async_trait,
    sqlx::{self, AssertSqlSafe, Postgres, Sqlite, pool::PoolConnection},
};
use sea_query_sqlx::SqlxValues;
use tokio::sync::Mutex;

/// A pool to read from. A connection costs more to give back than a small statement: the driver asks the
/// database whether it is still well, every time. Therefore an answer that takes several statements holds one,
/// from its first read until the last clone of its reader is gone. SeaORM binds statements to one connection
/// only by a transaction, which takes two round trips more; so the held one is the driver's own.
#[derive(Clone, Debug)]
pub struct Reader {
    pool: DatabaseConnection,
    held: Option<Arc<Mutex<Option<Held>>>>,
    statements: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Held {
    Postgres(PoolConnection<Postgres>),
    Sqlite(PoolConnection<Sqlite>),
}

impl Reader {
    pub(super) fn new(pool: DatabaseConnection) -> Reader {
        Reader { pool, held: None, statements: Arc::default() }
    }

    /// A reader for one answer.
    pub(super) fn holding(&self) -> Reader {
        Reader { held: Some(Arc::default()), ..self.clone() }
    }

    /// The pool itself.
    pub fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }

    /// Counts every statement from now on.
    pub(super) fn count_statements(&mut self, counter: Arc<AtomicU64>) {
        self.statements = counter.clone();
        self.pool.set_metric_callback(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
    }
}

impl Held {
    async fn acquire(pool: &DatabaseConnection) -> Result<Held, sqlx::Error> {
        Ok(match pool.get_database_backend() {
            DbBackend::Postgres => Held::Postgres(pool.get_postgres_connection_pool().acquire().await?),
            _ => Held::Sqlite(pool.get_sqlite_connection_pool().acquire().await?),
        })
    }

    async fn rows(&mut self, statement: Statement) -> Result<Vec<QueryResult>, sqlx::Error> {
        let values = SqlxValues(statement.values.unwrap_or_else(|| sea_orm::Values(Vec::new())));
        // The text is this room's own, or SeaORM's; values are bound.
        let sql = AssertSqlSafe(statement.sql);
        Ok(match self {
            Held::Postgres(connection) => {
                let rows = sqlx::query_with(sql, values).fetch_all(&mut **connection).await?;
                rows.into_iter().map(QueryResult::from).collect()
            }
            Held::Sqlite(connection) => {
                let rows = sqlx::query_with(sql, values).fetch_all(&mut **connection).await?;
                rows.into_iter().map(QueryResult::from).collect()
            }
        })
    }
}

#[async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.pool.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.pool.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self.held {
            None => self.pool.query_one_raw(statement).await,
            // Our statements for one row read one row.
            Some(_) => Ok(self.query_all_raw(statement).await?.into_iter().next()),
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let Some(held) = &self.held else { return self.pool.query_all_raw(statement).await };
        let mut held = held.lock().await;
        self.statements.fetch_add(1, Ordering::Relaxed);
        let rows = async {
            let connection = match &mut *held {
                Some(connection) => connection,
                none => none.insert(Held::acquire(&self.pool).await?),
            };
            connection.rows(statement).await
        };
        rows.await.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(Arc::new(error))))
    }
}
