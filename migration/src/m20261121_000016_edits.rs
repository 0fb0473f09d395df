//! How orders were edited. Apart from the log, which keeps ids alone: what people are called goes with the order.

use crate::shape::*;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(order_edits()).await?;
        manager.create_index(index("order_edits", "order", ["order_id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, ["order_edits"]).await
    }
}

/// One row per edit, by the event that tells of it.
fn order_edits() -> TableCreateStatement {
    Table::create()
        .table("order_edits")
        .col(pk_uuid("event_uid"))
        .col(uuid("order_id"))
        .col(json_binary("changes"))
        .foreign_key(&mut belongs("order_edits", "order_id", "orders"))
        .take()
}
