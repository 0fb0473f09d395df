use sea_orm::entity::prelude::*;

/// Money that came in for an order. Never changed once written: what goes back is a refund.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payments")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub order_id: Uuid,
    /// Minor units, above zero.
    pub amount: i64,
    /// The order's.
    pub currency: String,
    /// `CASH`, `CARD`, `TRANSFER` or `POS`.
    pub method: String,
    /// Code of the gateway that took it, and that a refund goes through.
    pub gateway: String,
    /// What the gateway calls it.
    pub reference: Option<String>,
    /// None when the system recorded it.
    pub recorded_by: Option<Uuid>,
    pub recorded_at: DateTimeUtc,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
