use sea_orm::entity::prelude::*;

/// A log-in, and the family of refresh tokens that began with it. The tokens themselves are not stored: they
/// name the session and a generation, and are sealed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub created_at: DateTimeUtc,
    /// When it ends, however often it is renewed.
    pub expires_at: DateTimeUtc,
    /// The generation of the newest refresh token, from 1.
    pub generation: i32,
    pub rotated_at: DateTimeUtc,
    /// Once set, neither its refresh tokens nor its access tokens are honoured.
    pub revoked_at: Option<DateTimeUtc>,
    /// `LOGOUT`, `REUSE`, `PASSWORD`.
    pub revoked_because: Option<String>,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
