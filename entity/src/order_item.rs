use sea_orm::entity::prelude::*;

/// A line of an order, with a snapshot of the product as it was sold. Unique by (order, position); goes with
/// its order.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "order_items")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub order_id: Uuid,
    /// The order of the lines.
    pub position: i32,
    /// Where the snapshot was taken from.
    pub product_id: Option<Uuid>,
    pub name: String,
    pub sku: String,
    /// What the buyer chose, as an object.
    #[sea_orm(column_type = "JsonBinary")]
    pub configuration: Json,
    /// At least 1.
    pub quantity: i64,
    /// Millionths of the currency's major unit.
    pub unit_price: i64,
    /// Millionths: 0.19 is 190,000.
    pub tax_rate: i64,
    /// Minor units, as are the two below.
    pub discount: i64,
    pub tax: i64,
    pub line_total: i64,
    /// `PENDING`, `PROVISIONING`, `ACTIVE`, `FAILED`, `CANCELLED` or `TERMINATED`; moves apart from the
    /// order's status.
    pub status: String,
    /// What the line creates, changes or ends; none in a `SALE`.
    pub resource_id: Option<Uuid>,
    /// Whether work on the resource is under way or still to come; unique by resource among those that do.
    pub holds: bool,
    /// How many attempts at it there were.
    pub attempts: i32,
    /// What the last attempt failed of; only while the line is `FAILED`.
    pub failed_of: Option<String>,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
