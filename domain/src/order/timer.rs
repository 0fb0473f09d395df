//! What time does to an order by itself: it stalls, it expires, what was scheduled is taken.
//!
//! A timer says when an order is to be looked at, never what will happen. The order is looked at as it is then:
//! whoever was faster has moved it on, and then the timer does not apply any more.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::{
    Command, Facts, Head, Order, Rest, Schedule, Setting, Transition, decide, decision::Decision, rest,
    schedule,
};
use crate::{
    actor::Actor,
    id::{OrderId, ScheduleId, UserId},
    mint::Mint,
    role::Role,
    workflow::{self, Definition, Guard},
};

/// How far ahead of Greenwich the first zone is: a day is over there before it is anywhere else.
const FIRST_ZONE: TimeDelta = TimeDelta::hours(14);
/// How long after that it is over everywhere.
const ZONES: TimeDelta = TimeDelta::hours(26);

/// What surrounds an order that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The workflow version that the order follows.
    pub workflow: &'a Definition,
    /// What is known besides the order.
    pub facts: &'a Facts,
    /// When the customer's next day begins.
    pub tomorrow: DateTime<Utc>,
    /// The makers of its schedules with the rights they have now; who has none any more is missing.
    pub makers: &'a HashMap<UserId, Actor>,
}

/// What comes of looking at an order of which a timer is due.
#[derive(Clone, Debug)]
pub enum Fired {
    /// One timer fired.
    Changed(Box<Decision>),
    /// Nothing that was due applies: the order's timers stand so now, and nobody is told.
    Quiet(Timers),
}

/// When an order is to be looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Which order.
    pub order: OrderId,
    /// When it will have rested for too long.
    pub stalls_at: Option<DateTime<Utc>>,
    /// When it may have expired.
    pub expires_at: Option<DateTime<Utc>>,
    /// Schedules that went with the order.
    pub gone: Vec<ScheduleId>,
}

impl Timers {
    /// As they stand.
    pub fn of(order: &Order) -> Timers {
        let Head { id, stalls_at, expires_at, .. } = order.head;
        Timers { order: id, stalls_at, expires_at, gone: Vec::new() }
    }
}

/// Something whose moment has come.
enum Due<'a> {
    Stall,
    Expiry,
    Schedule(&'a Schedule),
}

/// Fires, at the mint's moment, the timer of an order that has waited longest and applies still.
pub fn fire(order: &Order, around: Around<'_>, mint: &mut Mint) -> Fired {
    let now = mint.now();
    let mut timers = Timers::of(order);
    let due = due(order, around, now);
    if order.head.deleted_at.is_some() {
        (timers.stalls_at, timers.expires_at) = (None, None);
        timers.gone = order.schedules.iter().map(|schedule| schedule.id).collect();
        return Fired::Quiet(timers);
    }
    for due in due {
        match due {
            Due::Stall => match rest(order, around.workflow, mint) {
                Rest::Stalled(decision) => return Fired::Changed(decision),
                Rest::Until(at) => timers.stalls_at = at,
            },
            Due::Expiry => match expire(order, around, mint) {
                Some(decision) => return Fired::Changed(Box::new(decision)),
                None => timers.expires_at = expires_later(&order.head, around, now),
            },
            Due::Schedule(schedule) => {
                let decision = schedule::carry_out(order, around, schedule, mint);
                return Fired::Changed(Box::new(decision));
            }
        }
    }
    Fired::Quiet(timers)
}

/// What is due, the longest waiting first.
fn due<'o>(order: &'o Order, Around { workflow, facts, .. }: Around<'_>, now: DateTime<Utc>) -> Vec<Due<'o>> {
    let Head { stalls_at, expires_at, .. } = order.head;
    let stall = stalls_at.filter(|at| *at < now).map(|at| (at, Due::Stall));
    // Where nothing expires (any more), it is looked at once and then never again.
    let looked_at = facts.expiry_enabled || self::expires_at(&order.head, workflow).is_none();
    let expiry = expires_at.filter(|at| looked_at && *at <= now).map(|at| (at, Due::Expiry));
    let schedules = order.schedules.iter().filter(|schedule| schedule.plan.at <= now);
    let schedules = schedules.map(|schedule| (schedule.plan.at, Due::Schedule(schedule)));
    let mut due: Vec<_> = stall.into_iter().chain(expiry).chain(schedules).collect();
    due.sort_by_key(|(at, _)| *at);
    due.into_iter().map(|(_, due)| due).collect()
}

/// Sets the timers of an order that enters its status.
pub(super) fn arm(head: &mut Head, workflow: &Definition) {
    head.stalls_at = head.rests_until(workflow);
    head.expires_at = expires_at(head, workflow);
}

/// When an order is first to be looked at whether it has expired. Where its day is over is not known here: that
/// is the moment at which it is over anywhere at all. Whoever moves an order when its day is over everywhere means
/// it to go on.
pub(super) fn expires_at(head: &Head, workflow: &Definition) -> Option<DateTime<Utc>> {
    let by_status = runs_out(head, workflow).map(|(at, _)| at);
    let by_day = calendar_row(head, workflow).and(head.expires_on).and_then(over_somewhere);
    let by_day = by_day.filter(|at| *at + ZONES > head.status_changed_at);
    by_status.into_iter().chain(by_day).min()
}

/// When an order that was looked at in vain is to be looked at again.
fn expires_later(head: &Head, around: Around<'_>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let by_status = runs_out(head, around.workflow).map(|(at, _)| at).filter(|at| *at > now);
    let day = calendar_row(head, around.workflow).and(head.expires_on);
    // A day that is over already was found to let nothing expire.
    let by_day = day.filter(|day| *day >= around.facts.today).and_then(over_somewhere);
    by_status.into_iter().chain(by_day.map(|at| at.max(around.tomorrow))).min()
}

/// Takes the action by which the order expires, if it has: by its status, or by its day.
fn expire(order: &Order, around: Around<'_>, mint: &mut Mint) -> Option<Decision> {
    let head = &order.head;
    let by_status =
        runs_out(head, around.workflow).filter(|(at, _)| *at <= mint.now()).map(|(_, action)| action);
    let by_day = calendar_row(head, around.workflow).map(|row| row.action.as_str());
    let setting = Setting { workflow: around.workflow, actor: &Actor::System, facts: around.facts };
    by_status.into_iter().chain(by_day).find_map(|action| {
        let transition = Transition { action: action.to_owned(), ..Transition::default() };
        decide(setting, order, &Command::Transition(transition), mint).ok()
    })
}

/// When the order's stay in its status runs out, and what is then done.
fn runs_out<'w>(head: &Head, workflow: &'w Definition) -> Option<(DateTime<Utc>, &'w str)> {
    let expires = workflow.status(&head.status)?.expires.as_ref()?;
    let at = head.status_changed_at.checked_add_signed(TimeDelta::minutes(expires.after_min.into()))?;
    Some((at, &expires.action))
}

/// The row by which the calendar moves an order from its status.
fn calendar_row<'w>(head: &Head, workflow: &'w Definition) -> Option<&'w workflow::Transition> {
    let fires = |row: &&workflow::Transition| row.when == Some(Guard::Expired) && row.by.has(Role::System);
    workflow.transitions.iter().filter(|row| workflow.leaves(row, &head.status)).find(fires)
}

/// The moment at which a day is over where it is over first.
fn over_somewhere(day: NaiveDate) -> Option<DateTime<Utc>> {
    day.succ_opt()?.and_time(NaiveTime::MIN).and_utc().checked_sub_signed(FIRST_ZONE)
}
