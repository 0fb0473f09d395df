//! What is asked for, what came in and what went back. None of it goes with an order: books outlive it.

use crate::shape::*;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(invoices()).await?;
        manager.create_index(index("invoices", "order", ["order_id", "id"])).await?;
        manager.create_table(payments()).await?;
        manager.create_index(index("payments", "order", ["order_id", "id"])).await?;
        manager.create_table(refunds()).await?;
        manager.create_index(index("refunds", "order", ["order_id", "id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, ["refunds", "payments", "invoices"]).await
    }
}

fn invoices() -> TableCreateStatement {
    Table::create()
        .table("invoices")
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
        .foreign_key(&mut refers("invoices", "order_id", "orders"))
        .take()
}

fn payments() -> TableCreateStatement {
    Table::create()
        .table("payments")
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
        .foreign_key(&mut refers("payments", "order_id", "orders"))
        .foreign_key(&mut refers("payments", "recorded_by", "users"))
        .take()
}

fn refunds() -> TableCreateStatement {
    Table::create()
        .table("refunds")
        .col(pk_uuid("id"))
        .col(uuid("order_id"))
        .col(uuid("payment_id"))
        .col(big_integer("amount"))
        .col(currency())
        .col(text_null("reason"))
        .col(uuid_null("recorded_by"))
        .col(instant("recorded_at"))
        .check(at_least("amount", 1))
        .foreign_key(&mut refers("refunds", "order_id", "orders"))
        .foreign_key(&mut refers("refunds", "payment_id", "payments"))
        .foreign_key(&mut refers("refunds", "recorded_by", "users"))
        .take()
}
