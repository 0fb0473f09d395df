//! Orders that are removed for good: their books outlive them, and their numbers are never given again.

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
        manager.create_table(purged_orders()).await?;
        match manager.get_database_backend() {
            DbBackend::Postgres => {
                all(manager, |table| format!("ALTER TABLE {table} DROP CONSTRAINT {table}_order_id_fkey"))
                    .await
            }
            _ => build_again(manager, Order::MayBeGone).await,
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // What belongs to no order has no place in the older tables.
        all(manager, |table| format!("DELETE FROM {table} WHERE order_id NOT IN (SELECT id FROM orders)"))
            .await?;
        match manager.get_database_backend() {
            DbBackend::Postgres => {
                all(manager, |table| {
                    format!(
                        "ALTER TABLE {table} ADD CONSTRAINT {table}_order_id_fkey FOREIGN KEY (order_id) \
                         REFERENCES orders (id)"
                    )
                })
                .await?;
            }
            _ => build_again(manager, Order::IsThere).await?,
        }
        drop_tables(manager, ["purged_orders"]).await
    }
}

/// What refers to another comes before it.
const BOOKS: [&str; 3] = ["refunds", "payments", "invoices"];

async fn all(manager: &SchemaManager<'_>, statement: impl Fn(&str) -> String) -> Result<(), DbErr> {
    for table in BOOKS {
        manager.get_connection().execute_unprepared(&statement(table)).await?;
    }
    Ok(())
}

/// One row per order that is gone.
fn purged_orders() -> TableCreateStatement {
    Table::create()
        .table("purged_orders")
        .col(pk_uuid("order_id"))
        .col(big_integer("number").unique_key())
        .col(instant("purged_at"))
        .take()
}

/// Whether what is on the books needs its order.
#[derive(Clone, Copy)]
enum Order {
    IsThere,
    MayBeGone,
}

/// SQLite cannot drop a foreign key: the tables are made anew and filled with what was in the old ones.
async fn build_again(manager: &SchemaManager<'_>, order: Order) -> Result<(), DbErr> {
    let db = manager.get_connection();
    for table in BOOKS {
        db.execute_unprepared(&format!("DROP INDEX idx_{table}_order")).await?;
        db.execute_unprepared(&format!("ALTER TABLE {table} RENAME TO {table}_before")).await?;
    }
    for (table, create) in BOOKS.into_iter().zip([refunds, payments, invoices]).rev() {
        manager.create_table(create(order)).await?;
        db.execute_unprepared(&format!("INSERT INTO {table} SELECT * FROM {table}_before")).await?;
        manager.create_index(index(table, "order", ["order_id", "id"])).await?;
    }
    for table in BOOKS {
        db.execute_unprepared(&format!("DROP TABLE {table}_before")).await?;
    }
    Ok(())
}

/// A table of the books, with its foreign key to orders or without.
fn book(table: &'static str, order: Order) -> TableCreateStatement {
    let mut book = Table::create();
    book.table(table);
    match order {
        Order::IsThere => book.foreign_key(&mut refers(table, "order_id", "orders")).take(),
        Order::MayBeGone => book.take(),
    }
}

fn invoices(order: Order) -> TableCreateStatement {
    book("invoices", order)
        .col(pk_uuid("id"))
        .col(uuid("order_id"))
        .col(text("number").unique_key())
        .col(text("state"))
        .col(currency())
        .col(big_integer("total"))
        .col(instant("opened_at"))
        .col(instant_null("issued_at"))
        .col(instant_null("paid_at"))
        .col(instant_null("cancelled_at"))
        .check(at_least("total", 0))
        .take()
}

fn payments(order: Order) -> TableCreateStatement {
    book("payments", order)
        .col(pk_uuid("id"))
        .col(uuid("order_id"))
        .col(big_integer("amount"))
        .col(currency())
        .col(text("method"))
        .col(text("gateway"))
        .col(text_null("reference"))
        .col(uuid_null("recorded_by"))
        .col(instant("recorded_at"))
        .check(at_least("amount", 1))
        .foreign_key(&mut refers("payments", "recorded_by", "users"))
        .take()
}

fn refunds(order: Order) -> TableCreateStatement {
    book("refunds", order)
        .col(pk_uuid("id"))
        .col(uuid("order_id"))
        .col(uuid("payment_id"))
        .col(big_integer("amount"))
        .col(currency())
        .col(text_null("reason"))
        .col(uuid_null("recorded_by"))
        .col(instant("recorded_at"))
        .check(at_least("amount", 1))
        .foreign_key(&mut refers("refunds", "payment_id", "payments"))
        .foreign_key(&mut refers("refunds", "recorded_by", "users"))
        .take()
}
