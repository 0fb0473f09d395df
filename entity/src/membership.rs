use sea_orm::entity::prelude::*;

/// One role of one user in one organisation; a user may have several, and its rights are their union.
///
/// Unique by (user, organisation, role).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "memberships")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub organization_id: Uuid,
    /// `ADMIN`, `STAFF`, `SUPPORT`, `CSR`, `AGENT` in the operator; `PROVIDER`, `MANAGER`, `WORKER` in a
    /// provider; `APPROVER`, `CONSUMER` in a customer.
    pub role: String,
    /// The product ids that a `MANAGER` or `WORKER` is narrowed to, as an array of strings; `[]` for the
    /// others.
    #[sea_orm(column_type = "JsonBinary")]
    pub offering_ids: Json,
    pub created_at: DateTimeUtc,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
