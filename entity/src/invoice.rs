use sea_orm::entity::prelude::*;

/// What a customer is asked to pay for an order. Its number is never reused, whatever happens to the order.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invoices")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub order_id: Uuid,
    pub number: String,
    /// `OPEN`, `ISSUED`, `PAID`, `CANCELLED` or `REFUNDED`.
    pub state: String,
    /// ISO 4217.
    pub currency: String,
    /// Minor units; not negative.
    pub total: i64,
    pub opened_at: DateTimeUtc,
    pub issued_at: Option<DateTimeUtc>,
    pub paid_at: Option<DateTimeUtc>,
    pub cancelled_at: Option<DateTimeUtc>,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
