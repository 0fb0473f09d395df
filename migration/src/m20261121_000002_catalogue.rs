//! What is sold and how orders for it move: products, workflow definitions, and the installation's settings.

use crate::shape::*;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(products()).await?;
        manager.create_table(workflows()).await?;
        manager.create_table(settings()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, ["settings", "workflows", "products"]).await
    }
}

fn products() -> TableCreateStatement {
    Table::create()
        .table("products")
        .col(pk_uuid("id"))
        .col(uuid("provider_id"))
        .col(text("workflow"))
        .col(text("kind"))
        .col(text("sku"))
        .col(text("name"))
        .col(text_null("description"))
        .col(currency())
        .col(big_integer("unit_price"))
        .col(big_integer("tax_rate"))
        .col(boolean("needs_consumer_approval"))
        .col(boolean("needs_provider_approval"))
        .col(boolean("active"))
        .col(instant("created_at"))
        .check(at_least("unit_price", 0))
        .check(at_least("tax_rate", 0))
        .index(&mut unique(["provider_id", "sku"]))
        .foreign_key(&mut refers("products", "provider_id", "organizations"))
        .take()
}

fn workflows() -> TableCreateStatement {
    Table::create()
        .table("workflows")
        .col(text("code"))
        .col(integer("version"))
        .col(integer("revision"))
        .col(text("definition"))
        .col(boolean("active"))
        .col(instant("created_at"))
        .check(at_least("version", 1))
        .index(&mut primary(["code", "version"]))
        .take()
}

fn settings() -> TableCreateStatement {
    Table::create()
        .table("settings")
        .col(text("key").primary_key())
        .col(json_binary("value"))
        .col(instant("updated_at"))
        .take()
}
