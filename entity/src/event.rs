use sea_orm::entity::prelude::*;

/// Something that happened to a subject (an order, a membership, a workflow): its timeline, the audit trail,
/// the outbox and the source of subscriptions in one row, written in the transaction that did it.
///
/// Only `seq` changes after the insert, once. No names, addresses or e-mails in it, only ids, so that a
/// person can be erased. Unique by (subject kind, subject, subject version).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    /// The order of insertion, given before commit: a smaller id may become visible later. Not a position in
    /// the feed.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The position in the feed, dense, given after commit; none until stamped.
    pub seq: Option<i64>,
    /// The id that clients see; random enough to prove that a cursor is of this database.
    pub uid: Uuid,
    pub subject_kind: String,
    pub subject_id: Uuid,
    /// The subject's version that this event made.
    pub subject_version: i64,
    pub kind: String,
    pub action: Option<String>,
    pub from_status: Option<String>,
    pub to_status: Option<String>,
    /// `USER` or `SYSTEM`.
    pub actor_kind: String,
    /// The user, none for the system.
    pub actor_id: Option<Uuid>,
    pub reason: Option<String>,
    /// Whether the customer may read `reason`.
    pub reason_public: bool,
    /// `PUBLIC`, `PROVIDER` or `STAFF`; each includes the ones after it.
    pub audience: String,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub detail: Option<Json>,
    /// Every column that scopes and live filters read, as it was; none when the subject is new.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub before: Option<Json>,
    /// The same as it became; none when the subject is gone.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub after: Option<Json>,
    pub at: DateTimeUtc,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
