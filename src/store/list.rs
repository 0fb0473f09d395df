//! Pages of orders: one indexed branch per reach and status, merged; keyset cursors, so a page costs
//! the same at any depth.

use std::collections::{HashMap, hash_map::Entry};

use chrono::{DateTime, Utc};
use domain::{
    actor::{Grant, Reach},
    book::Book,
    id::{OrderId, OrganizationId},
    order::{Filter, Head},
    permission::{Field, SEES_DELETED},
};
use uuid::Uuid;

use super::{
    Reads, Store,
    order::{HEAD, read_head},
    scope::{push_outside, push_reach},
    sql::Sql,
};
use crate::error::{Error, Result};

/// What a page is sorted by; the id breaks ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Creation; an order's id carries it.
    CreatedAt,
    /// The last change of status.
    StatusChangedAt,
    /// The total; within one currency.
    Total,
}

/// Where a page begins or ends: the sort key and id of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// For [`Sort::CreatedAt`].
    CreatedAt(OrderId),
    /// For [`Sort::StatusChangedAt`].
    StatusChangedAt(DateTime<Utc>, OrderId),
    /// For [`Sort::Total`], minor units.
    Total(i64, OrderId),
}

impl Sort {
    /// The key of an order under this sort.
    pub fn key(self, head: &Head) -> Key {
        match self {
            Sort::CreatedAt => Key::CreatedAt(head.id),
            Sort::StatusChangedAt => Key::StatusChangedAt(head.status_changed_at, head.id),
            Sort::Total => Key::Total(head.total, head.id),
        }
    }

    const fn columns(self) -> &'static [&'static str] {
        match self {
            Sort::CreatedAt => &["o.id"],
            Sort::StatusChangedAt => &["o.status_changed_at", "o.id"],
            Sort::Total => &["o.total", "o.id"],
        }
    }
}

/// A page that is asked for.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// What the viewer reaches.
    pub grants: &'a [Grant],
    /// Every workflow, to tell which statuses a filter reaches.
    pub book: &'a Book,
    /// Conditions.
    pub filter: &'a Filter,
    /// Sort key.
    pub sort: Sort,
    /// Largest first.
    pub descending: bool,
    /// Only what comes after this key, in the page's direction.
    pub after: Option<Key>,
    /// Only what comes before this key.
    pub before: Option<Key>,
    /// Take the last ones instead of the first; the answer is in the page's direction all the same.
    pub from_end: bool,
    /// At most so many.
    pub limit: usize,
}

/// No page is a merge of more branches; beyond it, PostgreSQL plans for longer than it reads.
const MAX_BRANCHES: usize = 400;

/// The parties of an order whose names are read in the same statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Who buys.
    Customer,
    /// Who provides.
    Provider,
}

impl Party {
    /// A column; not a join, which may leave the page's order and is set up even for no row.
    const fn name(self) -> &'static str {
        match self {
            Party::Customer => ", (SELECT c.name FROM organizations c WHERE c.id = o.customer_id)",
            Party::Provider => ", (SELECT p.name FROM organizations p WHERE p.id = o.provider_id)",
        }
    }
}

/// What a page holds.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The orders, in the page's direction.
    pub heads: Vec<Head>,
    /// The names of their customers and providers, as far as they were asked for.
    pub names: HashMap<OrganizationId, String>,
}

/// The orders of a page, with the names of these parties.
///
/// # Errors
/// TOO_COMPLEX when memberships and filter make too many branches; BAD_USER_INPUT for a sort by
/// total without a currency.
pub async fn page(store: &Store, page: &Page<'_>, parties: &[Party]) -> Result<Found> {
    let Some(statement) = statement(store, page, parties)? else { return Ok(Found::default()) };
    let mut found = Found::default();
    found.heads = statement
        .all(store.db(), |row| {
            let head = read_head(row)?;
            for party in parties {
                let id = match party {
                    Party::Customer => head.parties.customer,
                    Party::Provider => head.parties.provider,
                };
                match found.names.entry(id) {
                    // Twenty orders have few customers: what is known is not read again.
                    Entry::Occupied(_) => row.skip(),
                    Entry::Vacant(place) => drop(place.insert(row.get()?)),
                }
            }
            Ok(head)
        })
        .await?;
    if page.from_end {
        found.heads.reverse();
    }
    Ok(found)
}

/// How many orders match, whatever page of them is read.
///
/// # Errors
/// As [`page`].
pub async fn count(store: &Store, page: &Page<'_>) -> Result<i64> {
    let branches = branches(page)?;
    if branches.is_empty() {
        return Ok(0);
    }
    let mut sql = Sql::new(store.db(), "SELECT ");
    for (i, branch) in branches.iter().enumerate() {
        sql.push(if i == 0 { "(" } else { " + (" }).push("SELECT COUNT(*) FROM orders o WHERE ");
        branch.push_conditions(&mut sql, page);
        sql.push(")");
    }
    Ok(sql.one(store.db(), |row| row.get()).await?.unwrap_or(0))
}

/// The statement of a page, none when nothing can match.
pub fn statement(store: &Store, page: &Page<'_>, parties: &[Party]) -> Result<Option<Sql>> {
    let branches = branches(page)?;
    let mut sql = Sql::new(store.db(), "SELECT ");
    match branches.as_slice() {
        [] => return Ok(None),
        [branch] => {
            sql.push(HEAD);
            push_names(&mut sql, parties);
            sql.push(" FROM orders o WHERE ");
            branch.push_conditions(&mut sql, page);
        }
        branches => {
            sql.push("*");
            push_names(&mut sql, parties);
            sql.push(" FROM (");
            // PostgreSQL is told for each branch that little of it is wanted; SQLite merges branches as
            // they are read, and would sort those that have a limit of their own.
            let limited = sql.is_postgres();
            for (i, branch) in branches.iter().enumerate() {
                sql.push(if i == 0 { "" } else { " UNION ALL " });
                sql.push(if limited { "SELECT * FROM (SELECT " } else { "SELECT " });
                sql.push(HEAD).push(" FROM orders o WHERE ");
                branch.push_conditions(&mut sql, page);
                if limited {
                    push_order(&mut sql, page);
                    sql.push(&format!(") b{i}"));
                }
            }
            sql.push(") o");
        }
    }
    push_order(&mut sql, page);
    Ok(Some(sql))
}

fn push_names(sql: &mut Sql, parties: &[Party]) {
    for party in parties {
        sql.push(party.name());
    }
}

fn push_order(sql: &mut Sql, page: &Page<'_>) {
    // The indexes on PostgreSQL sort nulls first: only a statement that says the same is served by the
    // one that is meant for it.
    let descending = page.descending != page.from_end;
    let direction = if descending { " DESC NULLS LAST" } else { " ASC NULLS FIRST" };
    sql.push(" ORDER BY ");
    for (i, column) in page.sort.columns().iter().enumerate() {
        sql.push(if i > 0 { ", " } else { "" }).push(column).push(direction);
    }
    sql.push(&format!(" LIMIT {}", page.limit));
}

/// One index range: a reach, a status where one is named, less what earlier reaches hold already.
pub(super) struct Branch<'a> {
    reach: Reach,
    /// Whether the viewer sees the internal status of these orders.
    pub(super) internal: bool,
    narrowed: Option<Narrowing>,
    status: Option<(&'a str, &'a str)>,
    outside: Vec<Reach>,
}

/// For whoever reaches everything, a filter on one of these is the index to walk.
#[derive(Clone, Copy)]
struct Narrowing {
    column: &'static str,
    value: Uuid,
}

pub(super) fn branches<'a>(page: &Page<'a>) -> Result<Vec<Branch<'a>>> {
    if page.sort == Sort::Total && page.filter.currency.is_none() {
        return Err(Error::bad_input("where.currency", "name the currency when sorting by total"));
    }
    let filter = page.filter;
    let by_status = page.sort != Sort::CreatedAt && !filter.deleted
        || filter.status.is_some()
        || filter.category.is_some()
        || filter.workflow.is_some();
    let mut branches = Vec::new();
    let mut outside = Vec::new();
    // An order is listed by the first reach that holds it. Whoever sees its internal status by any
    // membership sees it in every list: those memberships come first, and an index of all orders foremost.
    let mut grants: Vec<&Grant> = page.grants.iter().collect();
    grants.sort_by_key(|grant| (grant.reach != Reach::Everything, !Field::InternalStatus.shows(grant.roles)));
    for grant in grants {
        if outside.contains(&grant.reach) || outside.contains(&Reach::Everything) {
            continue;
        }
        if filter.deleted && !grant.roles.meets(SEES_DELETED) {
            continue;
        }
        if filter.names_assignments() && !Field::Assignments.shows(grant.roles)
            || filter.awaits_worker && !Field::Attempts.shows(grant.roles)
        {
            continue;
        }
        let internal = Field::InternalStatus.shows(grant.roles);
        let statuses: Vec<_> = match by_status {
            true => page.book.statuses(filter, internal).into_iter().map(Some).collect(),
            false => vec![None],
        };
        for narrowed in narrowings(filter, grant.reach) {
            for status in &statuses {
                let outside = outside.clone();
                branches.push(Branch { reach: grant.reach, internal, narrowed, status: *status, outside });
            }
        }
        outside.push(grant.reach);
    }
    if branches.len() > MAX_BRANCHES {
        let message = "too many memberships and statuses at once: name fewer in `where`";
        return Err(Error::TooComplex(message.to_owned()));
    }
    Ok(branches)
}

/// The most selective column that a filter names, one branch per value; or none.
fn narrowings(filter: &Filter, reach: Reach) -> Vec<Option<Narrowing>> {
    fn each<T: Copy + Into<Uuid> + PartialEq>(column: &'static str, ids: &[T]) -> Vec<Option<Narrowing>> {
        let distinct = ids.iter().enumerate().filter(|(i, id)| !ids[..*i].contains(id));
        distinct.map(|(_, id)| Some(Narrowing { column, value: (*id).into() })).collect()
    }
    if reach != Reach::Everything {
        return vec![None];
    }
    if let Some(ids) = &filter.customer {
        each("o.customer_id", ids)
    } else if let Some(ids) = &filter.agent {
        each("o.agent_id", ids)
    } else if let Some(ids) = &filter.csr {
        each("o.csr_id", ids)
    } else if let Some(ids) = &filter.provider {
        each("o.provider_id", ids)
    } else {
        vec![None]
    }
}

impl Branch<'_> {
    pub(super) fn push_conditions(&self, sql: &mut Sql, page: &Page<'_>) {
        match (self.reach, self.narrowed) {
            (_, Some(Narrowing { column, value })) => {
                sql.push(column).push(" = ").bind(value);
            }
            // Always true, and what the indexes over all orders are made on.
            (Reach::Everything, None) => {
                sql.push("o.version > 0");
            }
            (reach, None) => push_reach(sql, reach),
        }
        if let Some((workflow, status)) = self.status {
            sql.push(" AND o.workflow = ").bind(workflow).push(" AND o.status = ").bind(status);
        }
        sql.push(match (page.filter.deleted, self.status) {
            (true, _) => " AND o.deleted_at IS NOT NULL",
            (false, Some(_)) => " AND o.deleted_at IS NULL",
            (false, None) => " AND o.listed",
        });
        for reach in &self.outside {
            sql.push(" AND ");
            push_outside(sql, *reach);
        }
        push_filter(sql, page.filter);
        push_key(sql, page, page.after, page.descending);
        push_key(sql, page, page.before, !page.descending);
    }
}

/// The conditions that are not already the branch's own; repeating one costs nothing.
fn push_filter(sql: &mut Sql, filter: &Filter) {
    // Destructured without `..`: a new condition does not compile until it has its line here.
    let Filter {
        workflow: _,
        status: _,
        category: _,
        customer,
        provider,
        csr,
        agent,
        currency,
        created_from,
        created_until,
        changed_from,
        changed_until,
        deleted: _,
        awaits_worker,
    } = filter;
    if *awaits_worker {
        sql.push(" AND o.awaits_worker");
    }
    push_among(sql, "o.customer_id", customer);
    push_among(sql, "o.provider_id", provider);
    push_among(sql, "o.csr_id", csr);
    push_among(sql, "o.agent_id", agent);
    if let Some(currency) = currency {
        sql.push(" AND o.currency = ").bind(currency.code());
    }
    for (comparison, at) in [(" AND o.id >= ", created_from), (" AND o.id < ", created_until)] {
        if let Some(at) = at {
            sql.push(comparison).bind(OrderId::floor(*at).0);
        }
    }
    for (comparison, at) in
        [(" AND o.status_changed_at >= ", changed_from), (" AND o.status_changed_at < ", changed_until)]
    {
        if let Some(at) = at {
            sql.push(comparison).bind(*at);
        }
    }
}

fn push_among<T: Copy + Into<Uuid>>(sql: &mut Sql, column: &str, ids: &Option<Vec<T>>) {
    match ids.as_deref() {
        None => {}
        Some([]) => {
            sql.push(" AND FALSE");
        }
        Some(ids) => {
            let ids: Vec<Uuid> = ids.iter().map(|id| (*id).into()).collect();
            sql.push(" AND ").among(column, &ids);
        }
    }
}

fn push_key(sql: &mut Sql, page: &Page<'_>, key: Option<Key>, descending: bool) {
    let Some(key) = key else { return };
    let than = if descending { " < " } else { " > " };
    sql.push(" AND (").push(&page.sort.columns().join(", ")).push(")").push(than).push("(");
    match key {
        Key::CreatedAt(id) => sql.bind(id.0),
        Key::StatusChangedAt(at, id) => sql.bind(at).push(", ").bind(id.0),
        Key::Total(total, id) => sql.bind(total).push(", ").bind(id.0),
    };
    sql.push(")");
}
