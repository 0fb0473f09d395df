//! What the database holds, read past the product, and the slow or broken clients that only it knows.

use std::time::Duration;

use anyhow::{Context, Result};
use domain::{
    event::Audience,
    id::{EventId, OrderId, OrganizationId, ProductId, UserId},
};
use ordo::{bus::Cursors, keys::Keys, store::event::Position};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, QueryResult, Statement,
    TransactionTrait, Value,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{
    check::{Acknowledged, Row},
    process::SECRET,
};

/// Of what was asked for: servers tell by themselves of the demo company's orders that have rested for too long.
const EVENTS: &str = "SELECT id, seq, uid, subject_id, subject_version, audience, before, after FROM events \
     WHERE subject_kind = 'ORDER' AND kind <> 'STALLED'";

/// A few connections of our own to the database under test.
#[derive(Clone)]
pub struct Table {
    db: DatabaseConnection,
    cursors: Cursors,
}

/// Who a reader is, and what decides what it sees.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    pub user: UserId,
    pub organization: OrganizationId,
}

impl Table {
    /// Connects.
    pub async fn open(url: &str) -> Result<Table> {
        let mut options = ConnectOptions::new(url);
        options.max_connections(4).sqlx_logging(false);
        let cursors = Keys::derive(SECRET.as_bytes()).cursors();
        Ok(Table { db: Database::connect(options).await?, cursors })
    }

    /// Runs a statement.
    pub async fn run(&self, statement: &str) -> Result<()> {
        self.db.execute_unprepared(statement).await.with_context(|| statement.to_owned())?;
        Ok(())
    }

    /// The rows of a query.
    pub async fn all(&self, query: &str, values: Vec<Value>) -> Result<Vec<QueryResult>> {
        let statement = Statement::from_sql_and_values(self.db.get_database_backend(), query, values);
        Ok(self.db.query_all_raw(statement).await?)
    }

    /// Ends the connections, so that the database can be copied or dropped.
    pub async fn close(self) -> Result<()> {
        Ok(self.db.close().await?)
    }

    /// Everything after a position, oldest first.
    pub async fn log(&self, after: i64) -> Result<Vec<Row>> {
        let rows = self.all(&format!("{EVENTS} AND seq > $1 ORDER BY seq"), vec![after.into()]).await?;
        rows.iter().map(|row| self.read(row)).collect()
    }

    /// The newest position, and how many events have none yet.
    pub async fn head(&self) -> Result<(i64, i64)> {
        let query = "SELECT COALESCE(MAX(seq), 0), COUNT(*) - COUNT(seq) FROM events";
        let rows = self.all(query, Vec::new()).await?;
        let row = rows.first().context("no row")?;
        Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))
    }

    /// The account with this address.
    pub async fn person(&self, email: &str) -> Result<Person> {
        let query = "SELECT u.id, m.organization_id FROM users u JOIN memberships m ON m.user_id = u.id \
            WHERE u.email = $1";
        let rows = self.all(query, vec![email.into()]).await?;
        let row = rows.first().with_context(|| format!("nobody is {email}"))?;
        let (user, organization): (Uuid, Uuid) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        Ok(Person { user: UserId(user), organization: OrganizationId(organization) })
    }

    /// The product with this stock-keeping unit.
    pub async fn product(&self, sku: &str) -> Result<ProductId> {
        let rows = self.all("SELECT id FROM products WHERE sku = $1", vec![sku.into()]).await?;
        let row = rows.first().with_context(|| format!("there is no {sku}"))?;
        Ok(ProductId(row.try_get_by_index(0)?))
    }

    /// How many orders there are.
    pub async fn orders(&self) -> Result<i64> {
        let rows = self.all("SELECT COUNT(*) FROM orders", Vec::new()).await?;
        Ok(rows.first().context("no row")?.try_get_by_index(0)?)
    }

    /// A transaction of somebody slow: takes its place in the sequence, and commits only after this while.
    /// Tells one more event of an order that nobody else touches. PostgreSQL only.
    pub async fn write_slowly(&self, order: OrderId, pause: Duration) -> Result<Acknowledged> {
        let tx = self.db.begin().await?;
        let postgres = |sql, values| Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        let update = "UPDATE orders SET version = version + 1 WHERE id = $1";
        tx.execute_raw(postgres(update, vec![order.0.into()])).await?;
        let insert = "INSERT INTO events (uid, subject_kind, subject_id, subject_version, kind, actor_kind, \
            reason_public, audience, before, after, at) SELECT gen_random_uuid(), subject_kind, subject_id, \
            subject_version + 1, 'UPDATED', 'SYSTEM', FALSE, 'PUBLIC', after, after, now() FROM events \
            WHERE subject_id = $1 ORDER BY subject_version DESC LIMIT 1 RETURNING uid, subject_version";
        let row = tx.query_one_raw(postgres(insert, vec![order.0.into()])).await?.context("no event")?;
        let (event, version) = (EventId(row.try_get_by_index(0)?), row.try_get_by_index(1)?);
        tokio::time::sleep(pause).await;
        tx.commit().await?;
        Ok(Acknowledged { order, event, version })
    }

    /// How a broken reader reads: what has a larger id than the last that it saw. The largest id, and what is
    /// told.
    pub async fn read_by_id(&self, last: i64) -> Result<(i64, Vec<EventId>)> {
        let rows = self.all(&format!("{EVENTS} AND id > $1 ORDER BY id"), vec![last.into()]).await?;
        let told: Result<_> = rows.iter().map(|row| Ok(EventId(row.try_get("", "uid")?))).collect();
        let last = rows.last().map_or(Ok(last), |row| row.try_get("", "id"))?;
        Ok((last, told?))
    }

    fn read(&self, row: &QueryResult) -> Result<Row> {
        let audience: String = row.try_get("", "audience")?;
        let event = EventId(row.try_get("", "uid")?);
        let seq = row.try_get("", "seq")?;
        Ok(Row {
            seq,
            cursor: self.cursors.seal(Position { seq, event }),
            event,
            order: OrderId(row.try_get("", "subject_id")?),
            version: row.try_get("", "subject_version")?,
            audience: Audience::parse(&audience).with_context(|| format!("an audience {audience}"))?,
            before: json(row, "before")?,
            after: json(row, "after")?,
        })
    }
}

fn json<T: DeserializeOwned>(row: &QueryResult, column: &str) -> Result<Option<T>> {
    let value: Option<serde_json::Value> = row.try_get("", column)?;
    Ok(value.map(serde_json::from_value).transpose()?)
}
