use sea_orm::entity::prelude::*;

/// An action that somebody wants taken later. Gone as soon as its time has come or it was called off: what became
/// of it is in the order's timeline.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "schedules")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub order_id: Uuid,
    /// An action of the order's workflow.
    pub action: String,
    /// The status to go to, for actions that let the caller choose.
    pub to_status: Option<String>,
    pub reason: Option<String>,
    pub at: DateTimeUtc,
    /// The user whose rights it is taken with.
    pub made_by: Uuid,
    pub made_at: DateTimeUtc,
    /// `PUBLIC` or `PROVIDER`: who, at the widest, knows of it.
    pub audience: String,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
