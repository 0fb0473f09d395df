//! Which workflows people have made their own.

use crate::shape::*;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // What is there was shipped: nobody could save a workflow before.
        let edited = boolean("edited").default(false).take();
        manager.alter_table(Table::alter().table("workflows").add_column(edited).take()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("workflows").drop_column("edited").take()).await
    }
}
