use sea_orm::entity::prelude::*;

/// A remark on an order, for those of its audience. Goes with its order.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub order_id: Uuid,
    pub body: String,
    /// `PUBLIC`, `PROVIDER` or `STAFF`; each includes the ones after it.
    pub audience: String,
    /// None when the system wrote it.
    pub author_id: Option<Uuid>,
    pub created_at: DateTimeUtc,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
