use sea_orm::entity::prelude::*;

/// Something a provider sells, which a buyer calls an offering. Orders copy what they need of it: a later
/// change of name or price reaches no existing order.
///
/// Unique by (provider, SKU). Never removed once ordered, only made inactive.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "products")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub provider_id: Uuid,
    /// Code of the workflow that its orders follow, in the version active when they are made.
    pub workflow: String,
    /// `BASIC`, `SLURM`, `VPS`, `HOSTING`, `DOMAIN` or `PHYSICAL`.
    pub kind: String,
    pub sku: String,
    pub name: String,
    pub description: Option<String>,
    /// ISO 4217.
    pub currency: String,
    /// Millionths of the currency's major unit: 0.0031 is 3,100. Not negative.
    pub unit_price: i64,
    /// Millionths: 0.19 is 190,000. Not negative.
    pub tax_rate: i64,
    pub needs_consumer_approval: bool,
    pub needs_provider_approval: bool,
    pub active: bool,
    pub created_at: DateTimeUtc,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
