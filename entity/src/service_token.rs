use sea_orm::entity::prelude::*;

/// The account of a machine, narrowed to actions. Its token's text is not stored: it names the account, and is
/// sealed. Its membership and offerings are in `memberships`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "service_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    /// The provider it works for.
    pub organization_id: Uuid,
    /// The names of the actions it may take, as an array of strings.
    #[sea_orm(column_type = "JsonBinary")]
    pub actions: Json,
    /// When its text ends, which says so itself; null for never.
    pub expires_at: Option<DateTimeUtc>,
    pub created_by: Uuid,
    pub created_at: DateTimeUtc,
    /// Once set, it is honoured no more.
    pub revoked_at: Option<DateTimeUtc>,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
