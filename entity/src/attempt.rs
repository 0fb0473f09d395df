use sea_orm::entity::prelude::*;

/// One run at provisioning a line. A retry is a new row and leaves this one as it was: nothing about a
/// failure is lost.
///
/// Unique by (item, number); at most one of an item is `RUNNING`, which the domain sees to.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The item's order, repeated so that an order's attempts are one index range.
    pub order_id: Uuid,
    pub item_id: Uuid,
    /// 1 for the first run of the item.
    pub number: i32,
    /// The status that the run is in, and where a retry of a failed one starts again.
    pub stage: String,
    /// `RUNNING`, `SUCCEEDED`, `FAILED` or `ABANDONED`.
    pub outcome: String,
    pub started_at: DateTimeUtc,
    pub ended_at: Option<DateTimeUtc>,
    /// `CAPACITY`, `CONFIGURATION`, `INFRASTRUCTURE` or `OTHER`.
    pub error_category: Option<String>,
    pub error_message: Option<String>,
    /// The inside of the provider's system: never for customers.
    pub error_traceback: Option<String>,
    /// The worker that holds it; only while it runs.
    pub holder_id: Option<Uuid>,
    /// When it is lost unless its holder renews the lease; only while somebody holds it.
    pub lease_until: Option<DateTimeUtc>,
    /// Grows with each claim on an attempt at the item.
    pub fence: i64,
    /// `SEALED`, `READ` or `DESTROYED`; none when it was begun without inputs.
    pub inputs: Option<String>,
}

/// None: the store joins by itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
