//! `where` and `orderBy`: conditions as clients write them.

use async_graphql::{Enum, ID, InputObject};
use domain::{id::IdError, order::Filter, workflow::Category};

use crate::{
    error::{Error, Result},
    graphql::{
        paging::parse_id,
        scalar::{CurrencyCode, DateTime},
        workflow::StatusCategory,
    },
    store::list::Sort,
};

/// The most values that one `in` may hold.
const MAX_VALUES: usize = 50;

/// One of these ids. An empty list matches nothing.
#[derive(Clone, Debug, Default, InputObject)]
pub struct IdFilter {
    /// One of these, at most 50.
    #[graphql(name = "in")]
    pub one_of: Vec<ID>,
}

/// One of these codes. An empty list matches nothing.
#[derive(Clone, Debug, Default, InputObject)]
pub struct CodeFilter {
    /// One of these, at most 50.
    #[graphql(name = "in")]
    pub one_of: Vec<String>,
}

/// One of these categories. An empty list matches nothing.
#[derive(Clone, Debug, Default, InputObject)]
pub struct CategoryFilter {
    /// One of these.
    #[graphql(name = "in")]
    pub one_of: Vec<StatusCategory>,
}

/// A stretch of time.
#[derive(Clone, Debug, Default, InputObject)]
pub struct DateTimeFilter {
    /// At or after.
    pub gte: Option<DateTime>,
    /// Before.
    pub lt: Option<DateTime>,
}

/// Conditions on orders; all that are given must hold. Archived and deleted orders are left out unless
/// named.
#[derive(Clone, Debug, Default, InputObject)]
pub struct OrderWhereInput {
    /// The workflow, by code.
    pub workflow: Option<CodeFilter>,
    /// The status, by code; for buyers the public status.
    pub status: Option<CodeFilter>,
    /// The category of the status.
    pub category: Option<CategoryFilter>,
    /// The customer.
    pub customer: Option<IdFilter>,
    /// The provider.
    pub provider: Option<IdFilter>,
    /// The customer-service representative.
    pub csr: Option<IdFilter>,
    /// The delivery agent.
    pub delivery_agent: Option<IdFilter>,
    /// The currency of the amounts; needed to sort by total.
    pub currency: Option<CurrencyCode>,
    /// When the order was created; not for live filters.
    pub created_at: Option<DateTimeFilter>,
    /// When the status last changed; not for live filters.
    pub status_changed_at: Option<DateTimeFilter>,
    /// Deleted orders instead of the others; for staff.
    #[graphql(default)]
    pub deleted: bool,
    /// Only orders that wait for a worker, as `Order.awaitsWorker` says; not for live filters.
    #[graphql(default)]
    pub awaits_worker: bool,
}

/// What a list of orders is sorted by. An order's number is random and sorts nothing; look one up with
/// `order(by: {number})`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum OrderSort {
    /// When the order was created.
    CreatedAt,
    /// When the status last changed.
    StatusChangedAt,
    /// The total; name the currency in `where`.
    Total,
}

/// Which end of a list comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum SortDirection {
    /// Smallest or oldest first.
    Asc,
    /// Largest or newest first.
    Desc,
}

/// The order of a list of orders.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct OrderOrder {
    /// The sort key; the id breaks ties.
    pub field: OrderSort,
    /// The direction.
    pub direction: SortDirection,
}

impl OrderOrder {
    /// The store's words for it: newest first when nothing is said.
    pub fn read(order: Option<OrderOrder>) -> (Sort, bool) {
        let Some(OrderOrder { field, direction }) = order else { return (Sort::CreatedAt, true) };
        let sort = match field {
            OrderSort::CreatedAt => Sort::CreatedAt,
            OrderSort::StatusChangedAt => Sort::StatusChangedAt,
            OrderSort::Total => Sort::Total,
        };
        (sort, direction == SortDirection::Desc)
    }
}

impl OrderWhereInput {
    /// The domain's filter.
    ///
    /// # Errors
    /// BAD_USER_INPUT, naming the condition.
    pub fn read(self) -> Result<Filter> {
        let created = self.created_at.unwrap_or_default();
        let changed = self.status_changed_at.unwrap_or_default();
        Ok(Filter {
            workflow: codes("where.workflow", self.workflow)?,
            status: codes("where.status", self.status)?,
            category: self.category.map(|filter| filter.one_of.into_iter().map(Category::from).collect()),
            customer: ids("where.customer", self.customer)?,
            provider: ids("where.provider", self.provider)?,
            csr: ids("where.csr", self.csr)?,
            agent: ids("where.deliveryAgent", self.delivery_agent)?,
            currency: self.currency.map(|currency| currency.0),
            created_from: created.gte.map(|at| at.0),
            created_until: created.lt.map(|at| at.0),
            changed_from: changed.gte.map(|at| at.0),
            changed_until: changed.lt.map(|at| at.0),
            deleted: self.deleted,
            awaits_worker: self.awaits_worker,
        })
    }
}

fn ids<T: std::str::FromStr<Err = IdError>>(
    path: &'static str,
    filter: Option<IdFilter>,
) -> Result<Option<Vec<T>>> {
    let Some(IdFilter { one_of }) = filter else { return Ok(None) };
    few(path, one_of.len())?;
    one_of.iter().map(|id| parse_id(id, path)).collect::<Result<_>>().map(Some)
}

fn codes(path: &'static str, filter: Option<CodeFilter>) -> Result<Option<Vec<String>>> {
    let Some(CodeFilter { one_of }) = filter else { return Ok(None) };
    few(path, one_of.len())?;
    Ok(Some(one_of))
}

fn few(path: &'static str, count: usize) -> Result<()> {
    if count > MAX_VALUES {
        return Err(Error::bad_input(path, format!("at most {MAX_VALUES} values are allowed here")));
    }
    Ok(())
}
