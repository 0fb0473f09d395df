use sea_orm::entity::prelude::*;

/// What a worker needs for a line, sealed until it claims the attempt; then the row goes. Unique by attempt.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "provisioning_inputs")]
pub struct Model {
    /// Part of what is sealed: the text opens in no other row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub attempt_id: Uuid,
    /// The id of the key, a full stop, and the sealed JSON in base 64.
    pub sealed: String,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
