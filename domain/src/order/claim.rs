//! What workers do: claim attempts and report on them.
//!
//! An attempt is run at most once: who claims it holds it until it ends, and when the lease runs out it has
//! failed. Lines end one by one; with the last of them the order moves on, along its workflow.

use std::collections::VecDeque;

use chrono::TimeDelta;

use super::{
    Attempt, Claim, ErrorCategory, Failure, Head, Hold, InputsState, Order, Outcome, Setting, Transition,
    action::open_actions,
    attempt,
    decide::{advance, checked_failure},
    decision::{Remark, Working},
    guard::Subject,
    lease::held,
};
use crate::{
    actor::Rights,
    event::{Audience, Detail, EventKind},
    id::{AttemptId, UserId},
    permission::covers,
    refusal::Refusal,
    role::{Role, RoleSet},
    workflow::{self, Category, Definition, Effect, Target},
};

pub(super) const WORKER: RoleSet = RoleSet::of(&[Role::Worker]);
/// What a token that narrows its worker has to name where lines end one by one and no row of the workflow
/// says what finishing is called.
pub(super) const FINISH: &str = "fulfill";
/// The same for failures.
pub(super) const FAIL: &str = "fail";

/// What is done to attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Hold the first attempt that nobody holds, beginning one where the order waits for that.
    Claim {
        /// For how long; see [`lease`].
        lease: TimeDelta,
    },
    /// It delivered.
    Succeed {
        /// What the worker holds.
        hold: Hold,
        /// The resource's id at the provider's backend.
        backend_id: Option<String>,
    },
    /// It failed.
    Fail {
        /// What the worker holds.
        hold: Hold,
        /// Why.
        failure: Failure,
        /// The resource's id at the provider's backend, if something is left there.
        backend_id: Option<String>,
    },
    /// Its worker is lost: the lease ran out.
    Lose(AttemptId),
}

/// Whether an order waits for a worker: an attempt at it runs that nobody holds, or none runs and a worker
/// may begin.
pub fn awaits_worker(workflow: &Definition, head: &Head, attempts: &[Attempt]) -> bool {
    let mut running = attempts.iter().filter(|attempt| attempt.outcome == Outcome::Running).peekable();
    head.deleted_at.is_none()
        && workable(head)
        && match running.peek() {
            Some(_) => running.any(|attempt| attempt.claim.is_none()),
            None => beginnings(workflow, &head.status).any(|row| row.by.meets(WORKER)),
        }
}

/// Whether work on an order makes sense: one that was called off may still have attempts that run.
pub(super) fn workable(head: &Head) -> bool {
    !matches!(head.category, Category::Cancelled | Category::Closed | Category::Archived)
}

/// Refuses a worker that would end an attempt that a claim is on by hand: its holder reports by the claim.
/// People may, and end the claim.
pub(super) fn leave_alone(
    order: &Order,
    row: &workflow::Transition,
    rights: Rights<'_>,
) -> Result<(), Refusal> {
    let ends = [Effect::CloseAttemptOk, Effect::CloseAttemptFailed];
    let as_worker = !covers(row.by.minus(WORKER), rights.standing);
    let claim = order.attempts.iter().find_map(|attempt| attempt.claim);
    match claim {
        Some(claim) if as_worker && row.effects.iter().any(|effect| ends.contains(effect)) => {
            Err(Refusal::AttemptClaimed { until: claim.until })
        }
        _ => Ok(()),
    }
}

/// The rows from a status that can be taken with nothing supplied and lead to one status.
fn plain<'w>(
    workflow: &'w Definition,
    from: &str,
) -> impl Iterator<Item = (&'w workflow::Transition, &'w str)> {
    let rows = workflow.transitions.iter().filter(move |row| workflow.leaves(row, from));
    rows.filter(|row| row.needs.is_empty() && !row.bulk_only && !row.per_item).filter_map(|row| {
        match &row.to {
            Target::Status(to) => Some((row, to.as_str())),
            Target::FailedStage | Target::Chosen | Target::Gone => None,
        }
    })
}

/// The rows from a status that begin attempts and do nothing else.
fn beginnings<'w>(workflow: &'w Definition, from: &str) -> impl Iterator<Item = &'w workflow::Transition> {
    plain(workflow, from).map(|(row, _)| row).filter(|row| row.effects == [Effect::OpenAttempt])
}

/// Whoever claims attempts and reports on them, on one order.
pub(super) struct Worker<'a> {
    pub setting: Setting<'a>,
    pub rights: Rights<'a>,
}

impl<'a> Worker<'a> {
    pub(super) fn does(&self, working: &mut Working<'_>, work: &Work) -> Result<(), Refusal> {
        match work {
            Work::Claim { lease } => self.claim(working, *lease),
            Work::Succeed { hold, backend_id } => self.succeed(working, *hold, backend_id.as_deref()),
            Work::Fail { hold, failure, backend_id } => {
                self.fail(working, *hold, failure, backend_id.as_deref())
            }
            Work::Lose(attempt) => self.lose(working, *attempt),
        }
    }

    fn claim(&self, working: &mut Working<'_>, lease: TimeDelta) -> Result<(), Refusal> {
        let holder = self.user().filter(|_| self.rights.standing.meets(WORKER));
        let holder = holder.ok_or_else(|| self.may_not(working, "claim"))?;
        if !workable(&working.order.head) {
            return Err(self.nothing(working, "claim"));
        }
        self.begin(working)?;
        let running = || working.order.attempts.iter().filter(|it| it.outcome == Outcome::Running);
        let Some(id) = running().find(|attempt| attempt.claim.is_none()).map(|attempt| attempt.id) else {
            let until = running().filter_map(|attempt| attempt.claim).map(|claim| claim.until).min();
            return Err(until
                .map_or_else(|| self.nothing(working, "claim"), |until| Refusal::AttemptClaimed { until }));
        };
        for row in self.way(working).ok_or_else(|| self.may_not(working, "claim"))? {
            self.take(working, row, None)?;
        }
        let until = working.mint.now() + lease;
        for attempt in working.order.attempts.iter_mut().filter(|attempt| attempt.id == id) {
            attempt.claim = Some(Claim { holder, until });
            attempt.fence += 1;
            if attempt.inputs == Some(InputsState::Sealed) {
                attempt.inputs = Some(InputsState::Read);
            }
        }
        self.tell(working, id, Audience::Provider);
        Ok(())
    }

    /// Begins attempts where none runs and the worker may.
    fn begin(&self, working: &mut Working<'_>) -> Result<(), Refusal> {
        if working.order.attempts.iter().any(|attempt| attempt.outcome == Outcome::Running) {
            return Ok(());
        }
        let rows: Vec<_> = beginnings(self.setting.workflow, &working.order.head.status).collect();
        match rows.iter().find(|row| self.open(working, row)) {
            Some(row) => self.take(working, row, None),
            None if rows.is_empty() => Ok(()),
            None => Err(self.may_not(working, "claim")),
        }
    }

    /// The rows that lead to a status in which this worker can end the work, the fewest; none if no way does.
    fn way(&self, working: &Working<'_>) -> Option<Vec<&'a workflow::Transition>> {
        let workflow = self.setting.workflow;
        if !ends(workflow, Effect::CloseAttemptOk) {
            return self.rights.open(FINISH, WORKER).then(Vec::new);
        }
        let start = working.order.head.status.as_str();
        let mut seen = vec![start];
        let mut ways = VecDeque::from([(start, Vec::new())]);
        while let Some((status, way)) = ways.pop_front() {
            let mut rows = ending(workflow, status, Effect::CloseAttemptOk);
            if rows.any(|row| self.open(working, row)) {
                return Some(way);
            }
            let steps = plain(workflow, status).filter(|(row, _)| row.effects.is_empty());
            for (row, to) in steps.filter(|(row, _)| self.open(working, row)) {
                if !seen.contains(&to) {
                    seen.push(to);
                    ways.push_back((to, [way.clone(), vec![row]].concat()));
                }
            }
        }
        None
    }

    fn succeed(
        &self,
        working: &mut Working<'_>,
        hold: Hold,
        backend_id: Option<&str>,
    ) -> Result<(), Refusal> {
        self.check(working, hold, Effect::CloseAttemptOk, FINISH)?;
        attempt::deliver(working, hold.attempt, backend_id)?;
        self.settle(working, hold.attempt)
    }

    fn fail(
        &self,
        working: &mut Working<'_>,
        hold: Hold,
        failure: &Failure,
        backend_id: Option<&str>,
    ) -> Result<(), Refusal> {
        self.check(working, hold, Effect::CloseAttemptFailed, FAIL)?;
        attempt::fail_with(working, hold.attempt, &checked_failure(failure)?, backend_id)?;
        self.settle(working, hold.attempt)
    }

    fn lose(&self, working: &mut Working<'_>, id: AttemptId) -> Result<(), Refusal> {
        if self.user().is_some() {
            return Err(self.may_not(working, "lose"));
        }
        let now = working.mint.now();
        let late = |attempt: &Attempt| attempt.claim.is_some_and(|claim| claim.until <= now);
        if !working.order.attempts.iter().any(|attempt| attempt.id == id && late(attempt)) {
            return Err(Refusal::LeaseLost);
        }
        let (category, message) = (ErrorCategory::Infrastructure, "worker lost".to_owned());
        attempt::fail(working, Some(id), Some(&Failure { category, message, traceback: None }));
        self.settle(working, id)
    }

    /// Whether the worker holds the attempt, and may end it so.
    fn check(&self, working: &Working<'_>, hold: Hold, effect: Effect, name: &str) -> Result<(), Refusal> {
        if !self.rights.standing.meets(WORKER) {
            return Err(self.may_not(working, name));
        }
        held(&working.order.attempts, self.user(), hold, working.mint.now())?;
        let mut rows = ending(self.setting.workflow, &working.order.head.status, effect).peekable();
        let may = match rows.peek() {
            None => self.rights.open(name, WORKER),
            Some(_) => rows.any(|row| self.open(working, row)),
        };
        if may { Ok(()) } else { Err(self.may_not(working, name)) }
    }

    /// What follows from the end of one attempt: with the last one, the order ends its work as well or as
    /// badly as the newest attempts at its lines did.
    pub(super) fn settle(&self, working: &mut Working<'_>, id: AttemptId) -> Result<(), Refusal> {
        let (workflow, attempts) = (self.setting.workflow, &working.order.attempts);
        let mut newest: Vec<&Attempt> = Vec::new();
        for attempt in attempts {
            newest.retain(|earlier| earlier.item != attempt.item);
            newest.push(attempt);
        }
        let failed = newest.iter().filter(|attempt| attempt.outcome == Outcome::Failed);
        let failure = failed.max_by_key(|attempt| attempt.ended_at).and_then(|it| it.failure.clone());
        let effect = match failure {
            Some(_) => Effect::CloseAttemptFailed,
            None => Effect::CloseAttemptOk,
        };
        let last = newest.iter().all(|attempt| attempt.outcome != Outcome::Running);
        let rows: Vec<_> = ending(workflow, &working.order.head.status, effect).collect();
        let row = rows.iter().find(|row| self.open(working, row)).or(rows.first()).filter(|_| last);
        match row {
            Some(row) => self.take(working, row, failure),
            None => {
                self.tell(working, id, Audience::Public);
                Ok(())
            }
        }
    }

    fn take(
        &self,
        working: &mut Working<'_>,
        row: &workflow::Transition,
        error: Option<Failure>,
    ) -> Result<(), Refusal> {
        let Target::Status(to) = &row.to else { return Ok(()) };
        let input = Transition { action: row.action.clone(), error, ..Transition::default() };
        advance(working, self.setting.facts, &row.effects, to, &input, self.user())
    }

    /// Whether the worker may take a row now.
    pub(super) fn open(&self, working: &Working<'_>, row: &workflow::Transition) -> bool {
        let Order { head, items, .. } = &working.order;
        let subject = Subject { head, items, facts: self.setting.facts };
        self.rights.open(&row.action, row.by) && row.when.is_none_or(|guard| subject.holds(guard))
    }

    pub(super) fn user(&self) -> Option<UserId> {
        self.setting.actor.user()
    }

    pub(super) fn tell(&self, working: &mut Working<'_>, id: AttemptId, audience: Audience) {
        let remark = Remark { actor: self.user(), detail: Some(Detail::Attempt { id }), ..Remark::default() };
        working.record(EventKind::Updated, audience, remark);
    }

    fn allowed(&self, working: &Working<'_>) -> Vec<String> {
        let Order { head, items, .. } = &working.order;
        let subject = Subject { head, items, facts: self.setting.facts };
        open_actions(self.setting.workflow, subject, self.rights)
    }

    pub(super) fn may_not(&self, working: &Working<'_>, action: &str) -> Refusal {
        Refusal::NotPermitted { action: action.to_owned(), allowed: self.allowed(working) }
    }

    pub(super) fn nothing(&self, working: &Working<'_>, action: &str) -> Refusal {
        let (action, from) = (action.to_owned(), working.order.head.status.clone());
        Refusal::IllegalTransition { action, from, allowed: self.allowed(working) }
    }
}

/// Whether the workflow has rows that end attempts so.
pub(super) fn ends(workflow: &Definition, effect: Effect) -> bool {
    workflow.transitions.iter().any(|row| row.effects.contains(&effect))
}

/// The rows from a status to another that end attempts so. What a failing one needs is the failure.
pub(super) fn ending<'w>(
    workflow: &'w Definition,
    from: &str,
    effect: Effect,
) -> impl Iterator<Item = &'w workflow::Transition> {
    let rows = workflow.transitions.iter().filter(move |row| workflow.leaves(row, from));
    rows.filter(move |row| {
        row.effects.contains(&effect) && !row.bulk_only && matches!(row.to, Target::Status(_))
    })
}
