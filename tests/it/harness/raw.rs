//! The database past the application: what was written, and what somebody else may write.

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement, Value as Bound};

use super::App;

/// Every table that a request may write to.
const TABLES: [&str; 23] = [
    "organizations",
    "users",
    "memberships",
    "invitations",
    "credentials",
    "sessions",
    "service_tokens",
    "orders",
    "order_items",
    "resources",
    "attempts",
    "invoices",
    "payments",
    "refunds",
    "notes",
    "order_edits",
    "purged_orders",
    "events",
    "idempotency",
    "schedules",
    "settings",
    "jobs",
    "tasks",
];

impl App {
    /// One connection beside the application's: settings and transactions on it last.
    pub async fn second_connection(&self) -> DatabaseConnection {
        let mut options = ConnectOptions::new(&self.database_url);
        options.max_connections(1).sqlx_logging(false);
        Database::connect(options).await.expect("a second connection")
    }

    /// Changes something behind the application's back; returns how many rows it was.
    pub async fn execute(&self, sql: &str, values: impl IntoIterator<Item = Bound>) -> u64 {
        let db = self.second_connection().await;
        let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        let touched = db.execute_raw(statement).await.expect("a statement").rows_affected();
        db.close().await.expect("closed");
        touched
    }

    /// The first column of what a statement finds, whole numbers.
    pub async fn numbers(&self, sql: &str) -> Vec<i64> {
        let db = self.second_connection().await;
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let rows = db.query_all_raw(statement).await.expect("rows");
        db.close().await.expect("closed");
        rows.iter().map(|row| row.try_get_by_index(0).expect("a number")).collect()
    }

    /// How many rows a table has.
    pub async fn count(&self, table: &str) -> i64 {
        let db = self.second_connection().await;
        let count = count(&db, table).await;
        db.close().await.expect("closed");
        count
    }

    /// How many events of orders there are.
    pub async fn order_events(&self) -> i64 {
        self.count_of("SELECT COUNT(*) FROM events WHERE subject_kind = 'ORDER'").await
    }

    /// The number that a statement of one counts.
    pub async fn count_of(&self, sql: &str) -> i64 {
        let db = self.second_connection().await;
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let row = db.query_one_raw(statement).await.expect("a count").expect("a row");
        db.close().await.expect("closed");
        row.try_get_by_index(0).expect("a number")
    }

    /// How many rows every table has: the same before and after means that nothing was added.
    pub async fn counts(&self) -> Vec<(&'static str, i64)> {
        let db = self.second_connection().await;
        let mut counts = Vec::new();
        for table in TABLES {
            counts.push((table, count(&db, table).await));
        }
        db.close().await.expect("closed");
        counts
    }
}

async fn count(db: &DatabaseConnection, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await.expect("a count").expect("a row");
    row.try_get_by_index(0).expect("a number")
}
