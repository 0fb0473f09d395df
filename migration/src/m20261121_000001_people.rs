//! Who takes part: organisations, users, and the role that a user has in an organisation.

use crate::shape::*;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(organizations()).await?;
        manager.create_table(users()).await?;
        manager.create_table(memberships()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, ["memberships", "users", "organizations"]).await
    }
}

fn organizations() -> TableCreateStatement {
    Table::create()
        .table("organizations")
        .col(pk_uuid("id"))
        .col(text("kind"))
        .col(text("name"))
        .col(text_null("email"))
        .col(text("time_zone").default("UTC"))
        .col(instant("created_at"))
        .take()
}

fn users() -> TableCreateStatement {
    Table::create()
        .table("users")
        .col(pk_uuid("id"))
        .col(text("email").unique_key())
        .col(text("name"))
        .col(instant("created_at"))
        .col(instant_null("disabled_at"))
        .take()
}

fn memberships() -> TableCreateStatement {
    Table::create()
        .table("memberships")
        .col(pk_uuid("id"))
        .col(uuid("user_id"))
        .col(uuid("organization_id"))
        .col(text("role"))
        .col(json_binary("offering_ids").default("[]"))
        .col(instant("created_at"))
        .index(&mut unique(["user_id", "organization_id", "role"]))
        .foreign_key(&mut refers("memberships", "user_id", "users"))
        .foreign_key(&mut refers("memberships", "organization_id", "organizations"))
        .take()
}
