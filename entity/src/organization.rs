use sea_orm::entity::prelude::*;

/// An organisation: the operator itself, a provider, or a customer (a company or a person).
///
/// It has no state of its own; who acts for it is in `memberships`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "organizations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// `OPERATOR`, `PROVIDER`, `COMPANY` or `PERSON`.
    pub kind: String,
    pub name: String,
    pub email: Option<String>,
    /// IANA name; dates such as an order's `expires_on` are days in this zone.
    pub time_zone: String,
    pub created_at: DateTimeUtc,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
