//! Long work: what was asked for, and the pieces it is done in.

use crate::shape::*;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(jobs()).await?;
        manager.create_index(index("jobs", "owner", ["owner_id", "id"])).await?;
        manager.create_index(ended()).await?;
        manager.create_table(tasks()).await?;
        manager.create_index(due()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, ["tasks", "jobs"]).await
    }
}

fn jobs() -> TableCreateStatement {
    Table::create()
        .table("jobs")
        .col(pk_uuid("id"))
        .col(text("kind"))
        .col(text("state"))
        .col(json_binary("input"))
        .col(uuid("owner_id"))
        .col(instant("created_at"))
        .col(instant_null("started_at"))
        .col(instant_null("ended_at"))
        .col(big_integer("total").check(at_least("total", 0)))
        .col(big_integer("done").check(at_least("done", 0)))
        .col(big_integer("failed").check(at_least("failed", 0)))
        .col(text_null("error"))
        .col(json_binary("refusals"))
        .foreign_key(&mut refers("jobs", "owner_id", "users"))
        .take()
}

/// What is old enough to be removed.
fn ended() -> IndexCreateStatement {
    index("jobs", "ended", ["ended_at"]).and_where(Expr::col("ended_at").is_not_null()).take()
}

fn tasks() -> TableCreateStatement {
    Table::create()
        .table("tasks")
        .col(uuid("job_id"))
        .col(integer("position"))
        .col(text("state"))
        .col(json_binary_null("input"))
        .col(boolean("is_last"))
        .col(integer("attempts").check(at_least("attempts", 0)))
        .col(instant("due_at"))
        .col(big_integer("done"))
        .col(big_integer("failed"))
        .check(at_least("position", 0))
        .index(&mut primary(["job_id", "position"]))
        .foreign_key(&mut belongs("tasks", "job_id", "jobs"))
        .take()
}

/// What whoever looks for work looks for: next to nothing, however many tasks are done.
fn due() -> IndexCreateStatement {
    index("tasks", "due", ["due_at", "job_id", "position"]).and_where(Expr::col("state").eq("OPEN")).take()
}
