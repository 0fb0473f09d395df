use sea_orm::entity::prelude::*;

/// What a user logs in with. Users without a row cannot log in; machines never have one.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credentials")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    /// A hash with its parameters, as a PHC string: `$argon2id$…`.
    pub password: String,
    /// Grows by one with each change, from 1: what was given out for an earlier one is spent.
    pub version: i32,
    pub changed_at: DateTimeUtc,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
