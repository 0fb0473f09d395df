//! Attempts held by workers, and which orders wait for one.

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
        for column in [uuid_null("holder_id"), instant_null("lease_until"), fence()] {
            manager.alter_table(Table::alter().table("attempts").add_column(column).take()).await?;
        }
        let waits = boolean("awaits_worker").default(false).take();
        manager.alter_table(Table::alter().table("orders").add_column(waits).take()).await?;
        for statement in [WAITING.to_owned()].into_iter().chain(indexes(manager.get_database_backend())) {
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, _, _) in INDEXES {
            manager.get_connection().execute_unprepared(&format!("DROP INDEX {name}")).await?;
        }
        let columns = [
            ("orders", "awaits_worker"),
            ("attempts", "fence"),
            ("attempts", "lease_until"),
            ("attempts", "holder_id"),
        ];
        for (table, column) in columns {
            manager.alter_table(Table::alter().table(table).drop_column(column).take()).await?;
        }
        Ok(())
    }
}

fn fence() -> ColumnDef {
    big_integer("fence").default(0).take()
}

/// Nobody holds anything yet: what is under way waits, and so does what the one workflow of today that leaves
/// the beginning to a worker has not begun.
const WAITING: &str = "UPDATE orders SET awaits_worker = TRUE WHERE deleted_at IS NULL AND \
    (id IN (SELECT order_id FROM attempts WHERE outcome = 'RUNNING') \
     OR workflow = 'cloud' AND status = 'payment_confirmed')";

/// Name, table with columns, and which rows are in it: few of many, so each holds next to nothing. What waits is
/// sorted as lists of orders are; see the indexes of orders.
const INDEXES: [(&str, &str, &str); 4] = [
    ("idx_orders_all_awaiting", "orders (id{nulls})", "version > 0 AND awaits_worker"),
    ("idx_orders_provider_awaiting", "orders (provider_id, id{nulls})", "awaits_worker"),
    ("idx_orders_offering_awaiting", "orders (offering_id, id{nulls})", "awaits_worker"),
    ("idx_attempts_leased", "attempts (lease_until)", "lease_until IS NOT NULL"),
];

fn indexes(backend: DbBackend) -> impl Iterator<Item = String> {
    let nulls = if backend == DbBackend::Postgres { " NULLS FIRST" } else { "" };
    INDEXES.into_iter().map(move |(name, columns, rows)| {
        format!("CREATE INDEX {name} ON {} WHERE {rows}", columns.replace("{nulls}", nulls))
    })
}
