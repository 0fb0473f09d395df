//! Invitations, accounts whose person was erased, and the history of everybody's rights.

use crate::shape::*;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(invitations()).await?;
        manager.create_index(index("invitations", "organization", ["organization_id", "id"])).await?;
        manager.create_index(index("invitations", "author", ["created_by"])).await?;
        manager.create_index(index("memberships", "organization", ["organization_id", "user_id"])).await?;
        let erased = instant_null("erased_at").take();
        manager.alter_table(Table::alter().table("users").add_column(erased).take()).await?;
        for (name, table, rows) in EXPRESSIONS {
            let sql = format!("CREATE INDEX {name} ON {table}{rows}");
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, _, _) in EXPRESSIONS {
            manager.get_connection().execute_unprepared(&format!("DROP INDEX {name}")).await?;
        }
        manager.alter_table(Table::alter().table("users").drop_column("erased_at").take()).await?;

        let index = Index::drop().name("idx_memberships_organization").table("memberships").to_owned();
        manager.drop_index(index).await?;
        drop_tables(manager, ["invitations"]).await
    }
}

/// Indexes over expressions or of some rows: name, table with columns, which rows. A query repeats the condition
/// in these very words.
const EXPRESSIONS: [(&str, &str, &str); 4] = [
    ("idx_users_address", "users (LOWER(email))", ""),
    ("idx_events_rights", "events (uid)", RIGHTS),
    ("idx_events_rights_of_account", "events (subject_id, uid)", RIGHTS),
    ("idx_events_rights_in_organization", "events ((detail ->> 'organization'), uid)", RIGHTS),
];

const RIGHTS: &str = " WHERE subject_kind = 'ACCOUNT' AND action IS NOT NULL";

fn invitations() -> TableCreateStatement {
    Table::create()
        .table("invitations")
        .col(pk_uuid("id"))
        .col(uuid("organization_id"))
        .col(text("role"))
        .col(json_binary("offering_ids").default("[]"))
        .col(text("email"))
        .col(blob("token").unique_key())
        .col(uuid("created_by"))
        .col(instant("created_at"))
        .col(instant("expires_at"))
        .col(instant_null("accepted_at"))
        .col(uuid_null("accepted_by"))
        .col(instant_null("revoked_at"))
        .foreign_key(&mut refers("invitations", "organization_id", "organizations"))
        .foreign_key(&mut refers("invitations", "created_by", "users"))
        .foreign_key(&mut refers("invitations", "accepted_by", "users"))
        .take()
}
