use sea_orm::entity::prelude::*;

/// A version of a workflow. Additive edits raise `revision` in place and reach all its orders; a change of
/// the rules is a new version, and orders stay with theirs.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflows")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: String,
    /// Starts at 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i32,
    pub revision: i32,
    /// TOML, checked before it was saved.
    pub definition: String,
    /// Whether new orders may start with it.
    pub active: bool,
    /// Whether people saved it. The program ships into no workflow of which people saved a version.
    pub edited: bool,
    pub created_at: DateTimeUtc,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
