//! What was already answered, so that a repeated request repeats the answer and not the deed.

use crate::shape::*;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(idempotency()).await?;
        manager.create_index(index("idempotency", "created", ["created_at"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, ["idempotency"]).await
    }
}

/// No foreign keys: the row is inserted first, before the order and the event that it will name exist.
fn idempotency() -> TableCreateStatement {
    Table::create()
        .table("idempotency")
        .col(text("actor"))
        .col(text("operation"))
        .col(text("key"))
        .col(blob("input_hash"))
        .col(uuid_null("order_id"))
        .col(uuid_null("event_uid"))
        .col(json_binary_null("result"))
        .col(instant("created_at"))
        .index(&mut primary(["actor", "operation", "key"]))
        .take()
}
