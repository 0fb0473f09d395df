use sea_orm::entity::prelude::*;

/// An order: the row that every list, scope and transition is about.
///
/// Written by the one write path only, which raises `version` by the number of events that it appends in the
/// same transaction. `listed` and `offering_id` repeat what other columns or the lines say, so that an index
/// can serve lists by them.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "orders")]
pub struct Model {
    /// UUIDv7 minted at `created_at`: sorting by id is sorting by creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Ten random digits, shown to people; unique for ever, also after deletion.
    pub number: i64,
    /// `CREATE`, `UPDATE`, `TERMINATE` or `SALE`: what becomes of the resources.
    pub kind: String,
    /// The customer's own reference; unique per customer.
    pub external_reference: Option<String>,
    /// Starts at 1 and grows by one per event; what an optimistic writer compares.
    pub version: i64,
    pub workflow: String,
    /// The rules that the order keeps until it is migrated to other ones.
    pub workflow_version: i32,
    /// A status code of (`workflow`, `workflow_version`).
    pub status: String,
    /// The status's closed category, which code may branch on: `DRAFT`, `PENDING`, `IN_PROGRESS`,
    /// `SUCCEEDED`, `FAILED`, `CANCELLED`, `CLOSED` or `ARCHIVED`.
    pub category: String,
    pub status_changed_at: DateTimeUtc,
    /// When it is to be looked at whether it has rested in its status for too long; empty once that was told.
    pub stalls_at: Option<DateTimeUtc>,
    /// When it is to be looked at whether it has expired; empty where nothing lets it.
    pub expires_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub placed_at: Option<DateTimeUtc>,
    pub completed_at: Option<DateTimeUtc>,
    /// A day in the time zone of the organisation.
    pub expires_on: Option<Date>,
    /// Soft deletion; such an order refuses every action and is never `listed`.
    pub deleted_at: Option<DateTimeUtc>,
    /// Neither archived nor deleted, therefore in the default lists. A query says `WHERE listed`, in this very
    /// word: see the indexes in `migration`.
    pub listed: bool,
    /// Whether it waits for a worker. A query says `WHERE awaits_worker`, in this very word, for the same reason.
    pub awaits_worker: bool,
    pub customer_id: Uuid,
    pub provider_id: Uuid,
    /// The product that all lines share, if they do.
    pub offering_id: Option<Uuid>,
    pub creator_id: Option<Uuid>,
    /// The user who looks after the order; empty means that every CSR may take it.
    pub csr_id: Option<Uuid>,
    /// The user who delivers it.
    pub agent_id: Option<Uuid>,
    /// ISO 4217, of every amount of the order, its lines and its payments.
    pub currency: String,
    /// Minor units, as are the five amounts below.
    pub subtotal: i64,
    pub discount: i64,
    pub tax: i64,
    pub delivery_fee: i64,
    /// Not negative.
    pub total: i64,
    /// Payments less refunds; not negative.
    pub paid: i64,
    pub payment_method: Option<String>,
    /// An array of strings.
    #[sea_orm(column_type = "JsonBinary")]
    pub tags: Json,
    /// Snapshot of whom to reach, as are the addresses below: taken with the order, never read from the
    /// customer again.
    #[sea_orm(column_type = "JsonBinary")]
    pub contact: Json,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub shipping_address: Option<Json>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub billing_address: Option<Json>,
    pub customer_note: Option<String>,
    /// For fraud checks; not for everyone who sees the order.
    pub client_ip: Option<String>,
    /// An object that the integrator owns; no rule reads it.
    #[sea_orm(column_type = "JsonBinary")]
    pub metadata: Json,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
