//! When orders may have expired, and what people want done to them later.

use crate::shape::*;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let due = instant_null("expires_at");
        manager.alter_table(Table::alter().table("orders").add_column(due).take()).await?;
        manager.get_connection().execute_unprepared(LOOK_AT_OPEN_ORDERS).await?;
        manager.create_index(expires_at()).await?;
        manager.create_table(schedules()).await?;
        manager.create_index(index("schedules", "at", ["at"])).await?;
        manager.create_index(index("schedules", "order", ["order_id", "at"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, ["schedules"]).await?;
        manager.drop_index(Index::drop().name("idx_orders_expires").table("orders").to_owned()).await?;
        manager.alter_table(Table::alter().table("orders").drop_column("expires_at").take()).await
    }
}

/// Only workflows know which of them expire: the first sweep after that was switched on looks at all that are
/// open and have a day.
const LOOK_AT_OPEN_ORDERS: &str = "UPDATE orders SET expires_at = status_changed_at \
    WHERE expires_on IS NOT NULL AND deleted_at IS NULL \
    AND category IN ('DRAFT', 'PENDING', 'IN_PROGRESS', 'FAILED')";

/// Those that may expire some day, in a table of millions.
fn expires_at() -> IndexCreateStatement {
    index("orders", "expires", ["expires_at"]).and_where(Expr::col("expires_at").is_not_null()).take()
}

fn schedules() -> TableCreateStatement {
    Table::create()
        .table("schedules")
        .col(pk_uuid("id"))
        .col(uuid("order_id"))
        .col(text("action"))
        .col(text_null("to_status"))
        .col(text_null("reason"))
        .col(instant("at"))
        .col(uuid("made_by"))
        .col(instant("made_at"))
        .col(text("audience"))
        .foreign_key(&mut belongs("schedules", "order_id", "orders"))
        .foreign_key(&mut refers("schedules", "made_by", "users"))
        .take()
}
