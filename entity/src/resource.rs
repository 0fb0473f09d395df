use sea_orm::entity::prelude::*;

/// What a customer holds because of an order: a machine, an account, a domain. It outlives the order that
/// created it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "resources")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub product_id: Uuid,
    pub provider_id: Uuid,
    pub customer_id: Uuid,
    pub name: String,
    /// `CREATING`, `OK`, `UPDATING`, `TERMINATING`, `ERRED` or `TERMINATED`.
    pub state: String,
    /// Where a cancelled `UPDATE` or `TERMINATE` goes back to.
    pub previous_state: Option<String>,
    /// Its name at the provider; with one, a failed creation leaves something behind.
    pub backend_id: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
