//! Timers: which orders are due, what people want done to them later, and what comes next.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    event::Audience,
    id::{OrderId, ScheduleId},
    order::{Decision, Head, OrderNumber, Plan, Schedule, Timers},
};
use entity::schedule as row;
use sea_orm::IntoActiveModel;
use uuid::Uuid;

use super::{
    Reads, Tx,
    save::{Children, insert},
    sql::{Row, Sql, update_many},
};
use crate::error::{Error, Result};

/// The present moment while the settings let orders expire, and otherwise nothing, which no index holds: then
/// not one of the orders that wait for that is looked at.
const WHILE_ENABLED: &str = " FROM settings WHERE key = 'expiry_enabled' AND CAST(value AS TEXT) = 'true')";

/// Orders of which a timer is due at this moment. Reads next to nothing where there are none: each kind of timer
/// has an index of its own.
///
/// # Errors
/// The database's.
pub async fn due(from: &impl Reads, now: DateTime<Utc>, limit: usize) -> Result<Vec<OrderId>> {
    let mut sql = Sql::new(from.db(), "SELECT id FROM (SELECT o.id FROM orders o WHERE o.stalls_at < ");
    sql.bind(now).push(&format!(" ORDER BY o.stalls_at LIMIT {limit}) stalling"));
    sql.push(" UNION SELECT id FROM (SELECT o.id FROM orders o WHERE o.expires_at <= (SELECT ");
    sql.bind(now).push(WHILE_ENABLED);
    sql.push(&format!(" ORDER BY o.expires_at LIMIT {limit}) expiring"));
    sql.push(" UNION SELECT id FROM (SELECT s.order_id AS id FROM schedules s WHERE s.at <= ");
    sql.bind(now).push(&format!(" ORDER BY s.at LIMIT {limit}) scheduled LIMIT {limit}"));
    sql.all(from.db(), |row| row.id()).await
}

/// What is wanted later of some orders, the next first.
///
/// # Errors
/// The database's.
pub async fn schedules(from: &impl Reads, orders: &[OrderId]) -> Result<HashMap<OrderId, Vec<Schedule>>> {
    if orders.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = orders.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(
        from.db(),
        "SELECT order_id, id, action, at, reason, to_status, made_by, made_at, audience FROM schedules WHERE ",
    );
    sql.among("order_id", &ids).push(" ORDER BY order_id, at, id");
    let mut found: HashMap<OrderId, Vec<Schedule>> = HashMap::new();
    for (order, schedule) in sql.all(from.db(), |row| Ok((row.id()?, read(row)?))).await? {
        found.entry(order).or_default().push(schedule);
    }
    Ok(found)
}

fn read(row: &mut Row<'_>) -> Result<Schedule> {
    Ok(Schedule {
        id: row.id()?,
        plan: Plan { action: row.get()?, at: row.get()?, reason: row.get()?, to: row.get()? },
        made_by: row.id()?,
        made_at: row.get()?,
        audience: row.named(Audience::parse)?,
    })
}

/// Writes the schedules that decisions make, and removes those that they are done with.
pub(super) async fn keep(tx: &Tx, decisions: &[Decision]) -> Result<()> {
    let (mut made, mut gone) = (Vec::new(), Vec::new());
    for decision in decisions {
        let (before, after) = (decision.before(), decision.after());
        let children = Children { before, after };
        let (new, _) = children.compare(|order| &order.schedules, |schedule| schedule.id);
        made.extend(new.map(|schedule| new_row(after.head.id, schedule)));
        let earlier = before.into_iter().flat_map(|order| &order.schedules).map(|schedule| schedule.id);
        gone.extend(earlier.filter(|id| after.schedules.iter().all(|schedule| schedule.id != *id)));
    }
    insert(tx, made).await?;
    tx.forget(&gone).await
}

fn new_row(order: OrderId, schedule: &Schedule) -> row::ActiveModel {
    row::Model {
        id: schedule.id.0,
        order_id: order.0,
        action: schedule.plan.action.clone(),
        to_status: schedule.plan.to.clone(),
        reason: schedule.plan.reason.clone(),
        at: schedule.plan.at,
        made_by: schedule.made_by.0,
        made_at: schedule.made_at,
        audience: schedule.audience.name().to_owned(),
    }
    .into_active_model()
}

impl Tx {
    /// Those of the orders that nobody holds just now, locked. Whoever holds one moves it, or looks at it too:
    /// it is looked at again when they are done. SQLite has one writer, and that is us.
    ///
    /// # Errors
    /// The database's.
    pub async fn unheld(&self, orders: Vec<OrderId>) -> Result<Vec<OrderId>> {
        let ids: Vec<Uuid> = orders.iter().map(|id| id.0).collect();
        let mut sql = Sql::new(self.db(), "SELECT o.id FROM orders o WHERE ");
        if !sql.is_postgres() {
            return Ok(orders);
        }
        sql.among("o.id", &ids).push(" ORDER BY o.id FOR UPDATE SKIP LOCKED");
        sql.all(self.db(), |row| row.id()).await
    }

    /// Notes when orders are to be looked at again. No change of them: it is in no event and leaves the version as
    /// it is.
    ///
    /// # Errors
    /// The database's.
    pub async fn look_again(&self, timers: &[Timers]) -> Result<()> {
        let rows = timers.iter().map(|it| vec![it.order.0.into(), it.stalls_at.into(), it.expires_at.into()]);
        update_many(self.db(), "orders", &["id", "stalls_at", "expires_at"], rows.collect()).await?;
        let gone: Vec<ScheduleId> = timers.iter().flat_map(|it| &it.gone).copied().collect();
        self.forget(&gone).await
    }

    /// Puts off all that is due of orders: it cannot be decided here and now.
    ///
    /// # Errors
    /// The database's.
    pub async fn put_off(&self, heads: &[&Head], now: DateTime<Utc>, until: DateTime<Utc>) -> Result<()> {
        if heads.is_empty() {
            return Ok(());
        }
        let later = |at: Option<DateTime<Utc>>| at.map(|at| if at <= now { until } else { at });
        let timers = heads.iter().map(|head| Timers {
            order: head.id,
            stalls_at: later(head.stalls_at),
            expires_at: later(head.expires_at),
            gone: Vec::new(),
        });
        self.look_again(&timers.collect::<Vec<_>>()).await?;
        let ids: Vec<Uuid> = heads.iter().map(|head| head.id.0).collect();
        let mut sql = Sql::new(self.db(), "UPDATE schedules SET at = ");
        sql.bind(until).push(" WHERE at <= ").bind(now).push(" AND ").among("order_id", &ids);
        sql.run(self.db()).await.map(|_| ())
    }

    async fn forget(&self, schedules: &[ScheduleId]) -> Result<()> {
        if schedules.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = schedules.iter().map(|id| id.0).collect();
        let mut sql = Sql::new(self.db(), "DELETE FROM schedules WHERE ");
        sql.among("id", &ids);
        sql.run(self.db()).await.map(|_| ())
    }
}

/// The kinds of timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The order will have rested in its status for too long.
    Stall,
    /// The order may expire.
    Expiry,
    /// An action is to be taken.
    Schedule,
}

impl Kind {
    /// The name in lists.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Stall => "STALL",
            Kind::Expiry => "EXPIRY",
            Kind::Schedule => "SCHEDULE",
        }
    }

    fn parse(name: &str) -> Option<Kind> {
        [Kind::Stall, Kind::Expiry, Kind::Schedule].into_iter().find(|kind| kind.name() == name)
    }
}

/// A timer that will be due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// What it is for.
    pub kind: Kind,
    /// When.
    pub at: DateTime<Utc>,
    /// Of which order.
    pub order: OrderNumber,
    /// The order's workflow.
    pub workflow: String,
    /// The order's status.
    pub status: String,
    /// The order's day.
    pub expires_on: Option<NaiveDate>,
    /// The customer's time zone.
    pub time_zone: String,
    /// The scheduled action.
    pub action: Option<String>,
}

/// What is due next, whether or not orders may expire just now.
///
/// # Errors
/// The database's.
pub async fn pending(from: &impl Reads, limit: usize) -> Result<Vec<Pending>> {
    let timers = format!(
        "SELECT * FROM (SELECT 'STALL' AS kind, o.stalls_at AS at, o.id, NULL AS action FROM orders o \
         WHERE o.stalls_at IS NOT NULL ORDER BY o.stalls_at LIMIT {limit}) stalling UNION ALL \
         SELECT * FROM (SELECT 'EXPIRY' AS kind, o.expires_at AS at, o.id, NULL AS action FROM orders o \
         WHERE o.expires_at IS NOT NULL ORDER BY o.expires_at LIMIT {limit}) expiring UNION ALL \
         SELECT * FROM (SELECT 'SCHEDULE' AS kind, s.at, s.order_id AS id, s.action FROM schedules s \
         ORDER BY s.at LIMIT {limit}) scheduled"
    );
    let sql = Sql::new(
        from.db(),
        &format!(
            "SELECT t.kind, t.at, o.number, o.workflow, o.status, o.expires_on, c.time_zone, t.action \
             FROM ({timers}) t JOIN orders o ON o.id = t.id JOIN organizations c ON c.id = o.customer_id \
             ORDER BY t.at, o.number"
        ),
    );
    let read = |row: &mut Row<'_>| {
        Ok::<_, Error>(Pending {
            kind: row.named(Kind::parse)?,
            at: row.get()?,
            order: OrderNumber(row.get()?),
            workflow: row.get()?,
            status: row.get()?,
            expires_on: row.get()?,
            time_zone: row.get()?,
            action: row.get()?,
        })
    };
    sql.all(from.db(), read).await
}
