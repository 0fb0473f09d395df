use sea_orm::entity::prelude::*;

/// A person or a service that can ask for something. What it may do is in `memberships`; alone it may do
/// nothing.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Unique, letter case included.
    pub email: String,
    pub name: String,
    pub created_at: DateTimeUtc,
    /// Once set, no token of this user is honoured.
    pub disabled_at: Option<DateTimeUtc>,
    /// Once set, name and e-mail address are nobody's, and it is disabled for good.
    pub erased_at: Option<DateTimeUtc>,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
