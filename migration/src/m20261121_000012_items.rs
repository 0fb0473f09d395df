//! Lines that are worked on one by one: which resources they hold, how they fare, and what workers need for them.

use crate::shape::*;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in columns() {
            manager.alter_table(Table::alter().table(table).add_column(column).take()).await?;
        }
        manager.create_table(provisioning_inputs()).await?;
        for statement in [COUNTED, FAILED_OF, HELD] {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        manager.create_index(held()).await?;
        manager.create_index(index("order_items", "resource", ["resource_id", "id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["idx_order_items_resource", "idx_order_items_held"] {
            manager.drop_index(Index::drop().name(name).table("order_items").to_owned()).await?;
        }
        drop_tables(manager, ["provisioning_inputs"]).await?;
        for (table, column) in columns().into_iter().rev() {
            let column = column.get_column_name();
            manager.alter_table(Table::alter().table(table).drop_column(column).take()).await?;
        }
        Ok(())
    }
}

fn columns() -> [(&'static str, ColumnDef); 4] {
    [
        ("order_items", boolean("holds").default(false).take()),
        ("order_items", integer("attempts").default(0).take()),
        ("order_items", text_null("failed_of")),
        ("attempts", text_null("inputs")),
    ]
}

/// At most one row for an attempt; it goes when the inputs were handed over, with the attempt at the latest.
fn provisioning_inputs() -> TableCreateStatement {
    Table::create()
        .table("provisioning_inputs")
        .col(pk_uuid("id"))
        .col(uuid("attempt_id").unique_key())
        .col(text("sealed"))
        .foreign_key(&mut belongs("provisioning_inputs", "attempt_id", "attempts"))
        .take()
}

/// One line at a time works on a resource.
fn held() -> IndexCreateStatement {
    index("order_items", "held", ["resource_id"]).unique().and_where(Expr::col("holds")).take()
}

const COUNTED: &str = "UPDATE order_items SET attempts = \
    (SELECT COUNT(*) FROM attempts a WHERE a.item_id = order_items.id) \
    WHERE id IN (SELECT item_id FROM attempts)";

const FAILED_OF: &str = "UPDATE order_items SET failed_of = (SELECT a.error_category FROM attempts a \
    WHERE a.item_id = order_items.id ORDER BY a.number DESC LIMIT 1) WHERE status = 'FAILED'";

/// Where two lines worked on one resource, the older holds it.
const HELD: &str = "UPDATE order_items SET holds = TRUE WHERE id IN (SELECT ranked.id FROM \
    (SELECT i.id, ROW_NUMBER() OVER (PARTITION BY i.resource_id ORDER BY i.id) AS n \
     FROM order_items i JOIN orders o ON o.id = i.order_id \
     WHERE i.resource_id IS NOT NULL AND i.status IN ('PENDING', 'PROVISIONING', 'FAILED') \
     AND o.deleted_at IS NULL AND o.category NOT IN ('CANCELLED', 'CLOSED', 'ARCHIVED')) ranked \
    WHERE ranked.n = 1)";
