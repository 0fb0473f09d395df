use sea_orm::entity::prelude::*;

/// The answer to a request that carried an idempotency key: inserted first, so that a second one waits and
/// then replays.
///
/// Only what was committed is here. Holds no bodies and no secrets; kept for 24 hours.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency")]
pub struct Model {
    /// Who asked: a key is private to its sender.
    #[sea_orm(primary_key, auto_increment = false)]
    pub actor: String,
    /// The mutation's name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub operation: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// HMAC of the canonical input: another input under the same key is refused.
    pub input_hash: Vec<u8>,
    pub order_id: Option<Uuid>,
    pub event_uid: Option<Uuid>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub result: Option<Json>,
    pub created_at: DateTimeUtc,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
