//! From where on the feed is served, and when orders will have rested for too long.

use crate::shape::*;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(feed_trim()).await?;
        let db = manager.get_connection();
        db.execute_unprepared("INSERT INTO feed_trim (id, seq) VALUES (1, 0)").await?;
        manager
            .alter_table(Table::alter().table("orders").add_column(instant_null("stalls_at")).take())
            .await?;
        db.execute_unprepared(LOOK_AT_OPEN_ORDERS).await?;
        manager.create_index(stalls_at()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("idx_orders_stalls").table("orders").to_owned()).await?;
        manager.alter_table(Table::alter().table("orders").drop_column("stalls_at").take()).await?;
        drop_tables(manager, ["feed_trim"]).await
    }
}

/// One row. Cursors of positions below `seq` are not served any more; it only grows.
fn feed_trim() -> TableCreateStatement {
    Table::create()
        .table("feed_trim")
        .col(integer("id").primary_key().check(Expr::col("id").eq(1)))
        .col(big_integer("seq"))
        .check(at_least("seq", 0))
        .take()
}

/// Only workflows know how long an order may rest: the first sweep looks at all that are open.
const LOOK_AT_OPEN_ORDERS: &str = "UPDATE orders SET stalls_at = status_changed_at \
    WHERE deleted_at IS NULL AND category IN ('DRAFT', 'PENDING', 'IN_PROGRESS', 'FAILED')";

/// What a sweep looks for: next to nothing, in a table of millions.
fn stalls_at() -> IndexCreateStatement {
    index("orders", "stalls", ["stalls_at"]).and_where(Expr::col("stalls_at").is_not_null()).take()
}
