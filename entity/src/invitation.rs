use sea_orm::entity::prelude::*;

/// An invitation into an organisation: whoever holds its token becomes a member, once. Removed when the person
/// that it names is erased.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    /// As in `memberships`.
    pub role: String,
    /// As in `memberships`.
    #[sea_orm(column_type = "JsonBinary")]
    pub offering_ids: Json,
    /// Whom it is for, in lower case.
    pub email: String,
    /// SHA-256 of the token, which has 256 random bits. The token itself is told once and not stored.
    pub token: Vec<u8>,
    pub created_by: Uuid,
    pub created_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    pub accepted_at: Option<DateTimeUtc>,
    pub accepted_by: Option<Uuid>,
    /// Once set, it opens nothing.
    pub revoked_at: Option<DateTimeUtc>,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
