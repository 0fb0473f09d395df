use sea_orm::entity::prelude::*;

/// A piece of a job: done in one transaction, with what it does.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tasks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: Uuid,
    /// 0 is the planning of the others.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    /// `OPEN`, `DONE`, `FAILED`, or `DROPPED` with its job.
    pub state: String,
    /// Which rows, in the kind's own shape; null for the planning.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub input: Option<Json>,
    /// Waits until all others of the job are done.
    pub is_last: bool,
    /// How often it was begun; the fencing number of whoever began it last.
    pub attempts: i32,
    /// When it may be begun (again): after a failure, and when the lease of whoever began it runs out.
    pub due_at: DateTimeUtc,
    pub done: i64,
    pub failed: i64,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
