use sea_orm::entity::prelude::*;

/// Long work that somebody asked for, done in `tasks`. Kept for 30 days after its end.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What it does: `MIGRATE_ORDERS`.
    pub kind: String,
    /// `QUEUED`, `RUNNING`, `SUCCEEDED`, `FAILED` or `CANCELLED`.
    pub state: String,
    /// What was asked for, in the kind's own shape. Never a secret.
    #[sea_orm(column_type = "JsonBinary")]
    pub input: Json,
    /// The account that asked for it.
    pub owner_id: Uuid,
    pub created_at: DateTimeUtc,
    pub started_at: Option<DateTimeUtc>,
    pub ended_at: Option<DateTimeUtc>,
    /// How many rows there were when it was planned.
    pub total: i64,
    pub done: i64,
    /// How many rows the rules refused.
    pub failed: i64,
    /// Why a piece of it could not be done the last time, as it may be told.
    pub error: Option<String>,
    /// The first rows that the rules refused, as an array.
    #[sea_orm(column_type = "JsonBinary")]
    pub refusals: Json,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
