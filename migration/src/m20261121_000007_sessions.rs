//! How somebody gets in: passwords, sessions that are renewed, and the accounts of machines.

use crate::shape::*;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(credentials()).await?;
        manager.create_table(sessions()).await?;
        manager.create_index(index("sessions", "user", ["user_id", "id"])).await?;
        manager.create_table(service_tokens()).await?;
        manager.create_index(index("service_tokens", "organization", ["organization_id", "user_id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, ["service_tokens", "sessions", "credentials"]).await
    }
}

fn credentials() -> TableCreateStatement {
    Table::create()
        .table("credentials")
        .col(pk_uuid("user_id"))
        .col(text("password"))
        .col(integer("version").check(at_least("version", 1)))
        .col(instant("changed_at"))
        .foreign_key(&mut belongs("credentials", "user_id", "users"))
        .take()
}

fn sessions() -> TableCreateStatement {
    Table::create()
        .table("sessions")
        .col(pk_uuid("id"))
        .col(uuid("user_id"))
        .col(instant("created_at"))
        .col(instant("expires_at"))
        .col(integer("generation").check(at_least("generation", 1)))
        .col(instant("rotated_at"))
        .col(instant_null("revoked_at"))
        .col(text_null("revoked_because"))
        .foreign_key(&mut belongs("sessions", "user_id", "users"))
        .take()
}

fn service_tokens() -> TableCreateStatement {
    Table::create()
        .table("service_tokens")
        .col(pk_uuid("user_id"))
        .col(uuid("organization_id"))
        .col(json_binary("actions"))
        .col(instant_null("expires_at"))
        .col(uuid("created_by"))
        .col(instant("created_at"))
        .col(instant_null("revoked_at"))
        .foreign_key(&mut belongs("service_tokens", "user_id", "users"))
        .foreign_key(&mut refers("service_tokens", "organization_id", "organizations"))
        .foreign_key(&mut refers("service_tokens", "created_by", "users"))
        .take()
}
