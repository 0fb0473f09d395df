//! The tables' history: one file per change, append-only, the same tables on SQLite and PostgreSQL.
//! May use sea_orm_migration alone. Every `up` has a true `down`, and runs in one transaction on either database.
//! Never imports `entity`: a past migration must not change its meaning when a row's type does.

mod m20261121_000001_people;
mod m20261121_000002_catalogue;
mod m20261121_000003_orders;
mod m20261121_000004_money;
mod m20261121_000005_events;
mod m20261121_000006_idempotency;
mod m20261121_000007_sessions;
mod m20261121_000008_leases;
mod m20261121_000009_feed;
mod m20261121_000010_jobs;
mod m20261121_000011_workflows;
mod m20261121_000012_items;
mod m20261121_000013_timers;
mod m20261121_000014_invitations;
mod m20261121_000015_purge;
mod m20261121_000016_edits;
mod shape;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::{MigrationTrait, async_trait};

/// Brings a database to this version of the tables, or back.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_people::Migration),
            Box::new(m20261121_000002_catalogue::Migration),
            Box::new(m20261121_000003_orders::Migration),
            Box::new(m20261121_000004_money::Migration),
            Box::new(m20261121_000005_events::Migration),
            Box::new(m20261121_000006_idempotency::Migration),
            Box::new(m20261121_000007_sessions::Migration),
            Box::new(m20261121_000008_leases::Migration),
            Box::new(m20261121_000009_feed::Migration),
            Box::new(m20261121_000010_jobs::Migration),
            Box::new(m20261121_000011_workflows::Migration),
            Box::new(m20261121_000012_items::Migration),
            Box::new(m20261121_000013_timers::Migration),
            Box::new(m20261121_000014_invitations::Migration),
            Box::new(m20261121_000015_purge::Migration),
            Box::new(m20261121_000016_edits::Migration),
        ]
    }
}
