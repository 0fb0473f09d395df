//! What happened, which is timeline, audit trail, outbox and source of the live feed; and what people noted.

use crate::shape::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(events()).await?;
        manager.create_index(unstamped()).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            manager.get_connection().execute_unprepared(TUNE_EVENTS).await?;
        }
        manager.create_table(notes()).await?;
        manager.create_index(index("notes", "order", ["order_id", "id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, ["notes", "events"]).await
    }
}

/// `id` never comes back, even after the newest row was removed: AUTOINCREMENT on SQLite, an identity on
/// PostgreSQL. No foreign keys: a subject can be of several tables, and an event outlives its subject.
fn events() -> TableCreateStatement {
    Table::create()
        .table("events")
        .col(big_integer("id").primary_key().auto_increment())
        .col(big_integer_null("seq").unique_key())
        .col(uuid("uid").unique_key())
        .col(text("subject_kind"))
        .col(uuid("subject_id"))
        .col(big_integer("subject_version"))
        .col(text("kind"))
        .col(text_null("action"))
        .col(text_null("from_status"))
        .col(text_null("to_status"))
        .col(text("actor_kind"))
        .col(uuid_null("actor_id"))
        .col(text_null("reason"))
        .col(boolean("reason_public"))
        .col(text("audience"))
        .col(json_binary_null("detail"))
        .col(json_binary_null("before"))
        .col(json_binary_null("after"))
        .col(instant("at"))
        .check(at_least("seq", 1))
        .check(at_least("subject_version", 1))
        .index(&mut unique(["subject_kind", "subject_id", "subject_version"]))
        .take()
}

/// What waits for its place in the feed: nearly always next to nothing, in a table of millions.
fn unstamped() -> IndexCreateStatement {
    index("events", "unstamped", ["id"]).and_where(Expr::col("seq").is_null()).take()
}

/// With ids cached per connection, a later event of an order could get a smaller id than an earlier one, and
/// stamping in the order of ids would swap them: so the cache of one is said aloud.
/// Every event is inserted and then updated once, for its stamp; at the default thresholds, a fifth of the table,
/// a large log would go unvacuumed for weeks, its visibility map stale and the stamper's index bloated.
const TUNE_EVENTS: &str = "ALTER TABLE events ALTER COLUMN id SET CACHE 1, SET (\
     autovacuum_vacuum_scale_factor = 0.02, \
     autovacuum_vacuum_insert_scale_factor = 0.02, \
     autovacuum_analyze_scale_factor = 0.02)";

fn notes() -> TableCreateStatement {
    Table::create()
        .table("notes")
        .col(pk_uuid("id"))
        .col(uuid("order_id"))
        .col(text("body"))
        .col(text("audience"))
        .col(uuid_null("author_id"))
        .col(instant("created_at"))
        .foreign_key(&mut belongs("notes", "order_id", "orders"))
        .foreign_key(&mut refers("notes", "author_id", "users"))
        .take()
}
