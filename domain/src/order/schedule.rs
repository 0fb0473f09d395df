//! Actions that somebody wants taken later, at a moment of their choice.
//!
//! A schedule is a wish, not a decision: at its time the order is looked at as it is then, with the rights that
//! its maker has then. What is no longer possible is noted, and nobody who was faster is overridden.

use chrono::{DateTime, DurationRound, Months, TimeDelta, Utc};
use serde::Serialize;

use super::{
    FreeText, Order, Setting, Transition,
    command::{Command, limits},
    decide,
    decision::{Decision, Remark, Working},
    timer::Around,
};
use crate::{
    actor::Rights,
    event::{Audience, Detail, EventKind},
    id::{ScheduleId, UserId},
    mint::Mint,
    permission::{self, Operation, covers},
    refusal::Refusal,
    workflow::{self, Definition, Need, Target},
};

/// What somebody wants taken later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The workflow's action.
    pub action: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: Option<String>,
    /// The status to go to, for actions that let the caller choose.
    pub to: Option<String>,
}

/// An action that waits for its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// What is to be done, and when.
    pub plan: Plan,
    /// Who wants it, and whose rights it is taken with.
    pub made_by: UserId,
    /// Since when.
    pub made_at: DateTime<Utc>,
    /// Who, at the widest, knows of it.
    pub audience: Audience,
}

impl Schedule {
    fn detail(&self, refused: Option<&Refusal>) -> Detail {
        Detail::Schedule {
            id: self.id,
            action: self.plan.action.clone(),
            scheduled_at: self.plan.at,
            audience: self.audience,
            refused: refused.map(|refusal| refusal.code().to_owned()),
        }
    }

    fn remark(&self, actor: Option<UserId>, refused: Option<&Refusal>) -> Remark {
        Remark {
            action: Some(self.plan.action.clone()),
            actor,
            reason: self.plan.reason.clone(),
            reason_public: self.audience == Audience::Public,
            detail: Some(self.detail(refused)),
            ..Remark::default()
        }
    }
}

/// Notes what somebody wants taken later, if that may be wanted.
pub(super) fn add(
    working: &mut Working<'_>,
    setting: Setting<'_>,
    rights: Rights<'_>,
    plan: &Plan,
) -> Result<(), Refusal> {
    let plan = checked(setting.workflow, rights, plan, working.mint.now())?;
    let made_by = setting.actor.user().ok_or_else(|| may_not(setting.workflow, rights, &plan.action))?;
    if working.order.schedules.len() >= limits::SCHEDULES {
        let message = format!(
            "an order has at most {} scheduled actions; call one off with orderUnschedule",
            limits::SCHEDULES
        );
        return Err(Refusal::invalid("order", message));
    }
    // Whoever sees inside keeps it inside; what buyers and agents schedule may be read by everybody.
    let inside = covers(permission::reads(Audience::Provider), rights.standing);
    let audience = if inside { Audience::Provider } else { Audience::Public };
    let (id, made_at) = (working.mint.id(), working.mint.now());
    let schedule = Schedule { id, plan, made_by, made_at, audience };
    let remark = schedule.remark(Some(made_by), None);
    working.order.schedules.push(schedule);
    working.record(EventKind::Scheduled, audience, remark);
    Ok(())
}

/// Calls a schedule off: its maker may, and those who look after the order.
pub(super) fn take_back(
    working: &mut Working<'_>,
    setting: Setting<'_>,
    rights: Rights<'_>,
    id: ScheduleId,
) -> Result<(), Refusal> {
    let known = |audience| covers(permission::reads(audience), rights.standing);
    let schedules = &mut working.order.schedules;
    let at = schedules.iter().position(|schedule| schedule.id == id && known(schedule.audience));
    let schedule = schedules.remove(at.ok_or(Refusal::NotFound { what: "schedule" })?);
    let user = setting.actor.user();
    let looks_after = rights.only.is_none() && covers(Operation::Unschedule.allowed(), rights.standing);
    if user != Some(schedule.made_by) && !looks_after {
        return Err(may_not(setting.workflow, rights, Operation::Unschedule.name()));
    }
    let remark = schedule.remark(user, None);
    working.record(EventKind::Unscheduled, schedule.audience, remark);
    Ok(())
}

/// Takes a scheduled action as its maker may now, or notes why it was not possible.
pub(super) fn carry_out(order: &Order, around: Around<'_>, schedule: &Schedule, mint: &mut Mint) -> Decision {
    let refusal = match around.makers.get(&schedule.made_by) {
        None => Refusal::NotFound { what: "user" },
        Some(maker) => {
            let setting = Setting { workflow: around.workflow, actor: maker, facts: around.facts };
            let Plan { action, reason, to, .. } = schedule.plan.clone();
            let command = Command::Transition(Transition { action, reason, to, ..Transition::default() });
            match decide(setting, order, &command, mint) {
                Ok(decision) => return decision.of_schedule(schedule.id, schedule.detail(None)),
                Err(refusal) => refusal,
            }
        }
    };
    let mut working = Working::on(order, around.workflow, mint);
    working.order.schedules.retain(|other| other.id != schedule.id);
    working.record(EventKind::Lapsed, schedule.audience, schedule.remark(None, Some(&refusal)));
    working.finish()
}

/// The plan with its texts trimmed, if the action exists, the viewer may take it from some status, and nothing is
/// needed that nobody can know beforehand.
fn checked(
    workflow: &Definition,
    rights: Rights<'_>,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<Plan, Refusal> {
    if !rows(workflow).any(|row| row.action == plan.action) {
        let message =
            format!("the workflow has no such action; you may schedule: {}", listed(workflow, rights));
        return Err(Refusal::invalid("action", message));
    }
    let open: Vec<_> =
        rows(workflow).filter(|row| row.action == plan.action && rights.open(&row.action, row.by)).collect();
    if open.is_empty() {
        return Err(may_not(workflow, rights, &plan.action));
    }
    if !open.iter().any(|row| can_wait(row)) {
        let message = format!(
            "`{}` needs what nobody can tell beforehand; you may schedule: {}",
            plan.action,
            listed(workflow, rights)
        );
        return Err(Refusal::invalid("action", message));
    }
    let to = destination(workflow, &open, plan)?;
    let demanded = to.as_deref().and_then(|to| workflow.demands(to));
    let reason = FreeText { path: "reason", most: limits::REASON }.optional(plan.reason.as_deref())?;
    let needs_reason = |row: &workflow::Transition| row.needs.contains(&Need::Reason);
    let needed = open.iter().all(|row| needs_reason(row)) || demanded.is_some_and(needs_reason);
    if needed && reason.is_none() {
        return Err(Refusal::MissingReason { action: plan.action.clone() });
    }
    Ok(Plan { action: plan.action.clone(), at: moment(plan.at, now)?, reason, to })
}

/// The rows that move one order.
fn rows(workflow: &Definition) -> impl Iterator<Item = &workflow::Transition> {
    workflow.transitions.iter().filter(|row| !row.bulk_only && row.to != Target::Gone)
}

/// Whether all that a row needs can be told beforehand.
fn can_wait(row: &workflow::Transition) -> bool {
    row.needs.iter().all(|need| *need == Need::Reason)
}

/// The status that was chosen, where the action leaves that to the caller.
fn destination(
    workflow: &Definition,
    open: &[&workflow::Transition],
    plan: &Plan,
) -> Result<Option<String>, Refusal> {
    let chosen = open.iter().any(|row| row.to == Target::Chosen);
    match &plan.to {
        None if !chosen => Ok(None),
        Some(_) if !chosen => {
            Err(Refusal::invalid("to", "this action leads where the workflow says; leave it out"))
        }
        to => {
            let known = to.as_deref().and_then(|to| workflow.status(to));
            known.map(|status| Some(status.code.clone())).ok_or_else(|| {
                let codes: Vec<_> = workflow.statuses.iter().map(|status| status.code.as_str()).collect();
                Refusal::invalid("to", format!("name a status of the workflow: {}", codes.join(", ")))
            })
        }
    }
}

/// The moment to the millisecond, if it lies ahead and not too far.
fn moment(at: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>, Refusal> {
    let latest = now.checked_add_months(Months::new(limits::AHEAD)).unwrap_or(now);
    if at <= now {
        let message = "this moment has passed; name a later one, or take the action now";
        return Err(Refusal::invalid("at", message));
    }
    if at > latest {
        let message = format!("at most {} months ahead are possible", limits::AHEAD);
        return Err(Refusal::invalid("at", message));
    }
    Ok(at.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(at))
}

/// What somebody with these rights may schedule, whatever the order's status.
fn may(workflow: &Definition, rights: Rights<'_>) -> Vec<String> {
    let mut actions: Vec<String> = Vec::new();
    for row in rows(workflow).filter(|row| can_wait(row) && rights.open(&row.action, row.by)) {
        if !actions.contains(&row.action) {
            actions.push(row.action.clone());
        }
    }
    actions
}

fn listed(workflow: &Definition, rights: Rights<'_>) -> String {
    let may = may(workflow, rights);
    if may.is_empty() { "nothing".to_owned() } else { may.join(", ") }
}

fn may_not(workflow: &Definition, rights: Rights<'_>, action: &str) -> Refusal {
    Refusal::NotPermitted { action: action.to_owned(), allowed: may(workflow, rights) }
}
