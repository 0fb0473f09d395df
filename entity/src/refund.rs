use sea_orm::entity::prelude::*;

/// Money of one payment that went back; the refunds of a payment together never exceed it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refunds")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The payment's order, repeated so that an order's refunds are one index range.
    pub order_id: Uuid,
    pub payment_id: Uuid,
    /// Minor units, above zero.
    pub amount: i64,
    /// The payment's.
    pub currency: String,
    pub reason: Option<String>,
    /// None when the system recorded it.
    pub recorded_by: Option<Uuid>,
    pub recorded_at: DateTimeUtc,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
