//! The rule: an order, somebody, a command, and what comes of it. Pure: the same arguments give the
//! same answer, and a refusal changes nothing.

use chrono::{DateTime, Utc};

use super::{
    Command, Facts, FreeText, Head, Note, Order, OrderNumber, Payment, Transition,
    action::{Miss, keeps_payments, open_actions, refuse, select},
    attempt, claim,
    command::limits,
    decision::{Decision, Remark, Working},
    edit::Editor,
    effect,
    guard::Subject,
    item,
    removal::Remover,
    retry, schedule, timer,
};
use crate::{
    actor::{Actor, Rights},
    event::{Audience, Detail, EventKind},
    id::UserId,
    mint::Mint,
    money::{MAX_MINOR, Money},
    order::{Assignee, PaymentMethod, command::Failure},
    permission::{self, Operation, covers},
    refusal::{Block, Refusal},
    workflow::{self, Category, Definition, Need, Status, Target},
};

/// What surrounds a decision.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The workflow version that the order follows.
    pub workflow: &'a Definition,
    /// Who asks.
    pub actor: &'a Actor,
    /// What is known besides the order.
    pub facts: &'a Facts,
}

/// Decides a command on an existing order.
///
/// # Errors
/// A [`Refusal`]; the order is as it was.
pub fn decide(
    setting: Setting<'_>,
    order: &Order,
    command: &Command,
    mint: &mut Mint,
) -> Result<Decision, Refusal> {
    let deleted = order.head.deleted_at.is_some();
    let rights = setting.actor.rights(&order.head.parties, deleted);
    if rights.standing.is_empty() {
        return Err(Refusal::NotFound { what: "order" });
    }
    if deleted && !matches!(command, Command::Restore | Command::Purge { .. }) {
        return Err(Refusal::GuardFailed(Block::Deleted));
    }
    let mut working = Working::on(order, setting.workflow, mint);
    let cx = Cx { setting, rights };
    match command {
        Command::Transition(transition) => cx.transition(&mut working, transition)?,
        Command::AssignCsr(to) => cx.assign_csr(&mut working, to.as_ref())?,
        Command::AssignAgent(to) => cx.assign_agent(&mut working, to.as_ref())?,
        Command::RecordPayment { amount, method, reference } => {
            cx.record_payment(&mut working, *amount, *method, reference.as_deref())?;
        }
        Command::Refund { amount, payment, reason } => {
            cx.permit(&working, Operation::Refund)?;
            let reason = needed_reason("refund", Some(reason))?;
            let minor = amount.map(|amount| cx.minor(&working, amount)).transpose()?;
            effect::refund(&mut working, minor, *payment, Some(&reason), cx.user())?;
        }
        Command::AddNote { body, audience } => cx.add_note(&mut working, body, *audience)?,
        Command::Schedule(plan) => schedule::add(&mut working, setting, rights, plan)?,
        Command::Unschedule(id) => schedule::take_back(&mut working, setting, rights, *id)?,
        Command::Work(work) => claim::Worker { setting, rights }.does(&mut working, work)?,
        Command::Edit { edit, particulars } => {
            Editor { setting, rights }.edit(&mut working, edit, particulars)?;
        }
        Command::Delete { reason } => Remover { setting, rights }.delete(&mut working, reason.as_deref())?,
        Command::Restore => Remover { setting, rights }.restore(&mut working)?,
        Command::Purge { number } => Remover { setting, rights }.purge(&mut working, *number)?,
        Command::Line(line) => item::Reporter(claim::Worker { setting, rights }).does(&mut working, line)?,
    }
    if working.is_there() {
        run_automatic(&mut working, setting.facts)?;
    }
    working.holds_alone()?;
    Ok(working.finish())
}

/// Takes the rows that fire by themselves until none does. The checker refuses loops; the bound is
/// for definitions that predate it.
pub(super) fn run_automatic(working: &mut Working<'_>, facts: &Facts) -> Result<(), Refusal> {
    for _ in 0..working.workflow.statuses.len() {
        let workflow = working.workflow;
        let Order { head, items, .. } = &working.order;
        let subject = Subject { head, items, facts };
        let fires = |guard: Option<workflow::Guard>| guard.is_none_or(|guard| subject.holds(guard));
        let status = head.status.clone();
        let row = workflow.auto_rows(&status).find(|row| fires(row.auto) && fires(row.when));
        let Some(row) = row else { return Ok(()) };
        let Target::Status(to) = &row.to else {
            return Ok(());
        };
        let input = Transition { action: row.action.clone(), ..Transition::default() };
        advance(working, facts, &row.effects, to, &input, None)?;
    }
    Ok(())
}

struct Cx<'a> {
    setting: Setting<'a>,
    rights: Rights<'a>,
}

impl Cx<'_> {
    fn user(&self) -> Option<UserId> {
        self.setting.actor.user()
    }

    fn transition(&self, working: &mut Working<'_>, input: &Transition) -> Result<(), Refusal> {
        let Setting { workflow, facts, .. } = self.setting;
        let Order { head, items, .. } = &working.order;
        let subject = Subject { head, items, facts };
        let row = select(workflow, subject, &input.action, self.rights)
            .map_err(|miss| refuse(workflow, subject, &input.action, self.rights, miss))?;
        check_items(&working.order, row, input)?;
        claim::leave_alone(&working.order, row, self.rights)?;
        let to = self.destination(subject, &working.order, row, input)?;
        let mut needs = row.needs.clone();
        let demand = workflow.demands(&to).filter(|_| row.to == Target::Chosen);
        if let Some(demand) = demand {
            needs.extend(&demand.needs);
            if let Some(guard) = demand.when.filter(|guard| !subject.holds(*guard)) {
                let miss = Miss::Guard(guard);
                return Err(refuse(workflow, subject, &input.action, self.rights, miss));
            }
        }
        let input = supplied(input, &needs, head.number)?;
        if keeps_payments(workflow, subject, row, &to) {
            if !input.keep_credit {
                return Err(Refusal::GuardFailed(Block::UnrefundedPayment));
            }
            self.permit(working, Operation::KeepCredit)?;
        }
        retry::allow(working, row, &input, (self.rights, facts))?;
        // A free move does what the named action into the status does.
        let effects = demand.map_or(&row.effects, |demand| &demand.effects);
        advance(working, facts, effects, &to, &input, self.user())
    }

    /// The status that a row leads to for this order.
    fn destination(
        &self,
        subject: Subject<'_>,
        order: &Order,
        row: &workflow::Transition,
        input: &Transition,
    ) -> Result<String, Refusal> {
        let workflow = self.setting.workflow;
        match &row.to {
            Target::Status(code) => Ok(code.clone()),
            Target::FailedStage => Ok(attempt::failed_stage(order, workflow)),
            Target::Chosen => {
                let wanted = input.to.as_deref().unwrap_or_default();
                let other = |status: &&Status| status.code != subject.head.status && !status.retired;
                let known = workflow.status(wanted).filter(other);
                known.map(|status| status.code.clone()).ok_or_else(|| {
                    let others = workflow.statuses.iter().filter(other);
                    let others: Vec<_> = others.map(|status| status.code.as_str()).collect();
                    Refusal::invalid(
                        "to",
                        format!("name another status of the workflow: {}", others.join(", ")),
                    )
                })
            }
            Target::Gone => Err(refuse(workflow, subject, &input.action, self.rights, Miss::Unknown)),
        }
    }

    /// Whether the actor may do this; a service token takes actions of the workflow and nothing else.
    fn permit(&self, working: &Working<'_>, operation: Operation) -> Result<(), Refusal> {
        if self.rights.only.is_none() && covers(operation.allowed(), self.rights.standing) {
            return Ok(());
        }
        let Order { head, items, .. } = &working.order;
        let subject = Subject { head, items, facts: self.setting.facts };
        let allowed = open_actions(self.setting.workflow, subject, self.rights);
        Err(Refusal::NotPermitted { action: operation.name().to_owned(), allowed })
    }

    fn assign_csr(&self, working: &mut Working<'_>, to: Option<&Assignee>) -> Result<(), Refusal> {
        self.permit(working, Operation::AssignCsr)?;
        if to.is_some_and(|to| !permission::may_be_csr(&to.actor)) {
            return Err(Refusal::invalid("csr", "this account is no customer-service representative"));
        }
        let csr = &mut working.order.head.parties.csr;
        let (from, to) = (*csr, to.map(|to| to.user));
        if from == to {
            return Err(Refusal::invalid("csr", "the order is assigned so already"));
        }
        *csr = to;
        self.assigned(working, Audience::Staff, Detail::Csr { from, to });
        Ok(())
    }

    fn assign_agent(&self, working: &mut Working<'_>, to: Option<&Assignee>) -> Result<(), Refusal> {
        self.permit(working, Operation::AssignAgent)?;
        if to.is_some_and(|to| !permission::may_be_agent(&to.actor)) {
            return Err(Refusal::invalid("agent", "this account is no delivery agent"));
        }
        let agent = &mut working.order.head.parties.agent;
        let (from, to) = (*agent, to.map(|to| to.user));
        if from == to {
            return Err(Refusal::invalid("agent", "the order is assigned so already"));
        }
        *agent = to;
        self.assigned(working, Audience::Staff, Detail::Agent { from, to });
        Ok(())
    }

    fn assigned(&self, working: &mut Working<'_>, audience: Audience, detail: Detail) {
        let remark = Remark { actor: self.user(), detail: Some(detail), ..Remark::default() };
        working.record(EventKind::Assigned, audience, remark);
    }

    fn record_payment(
        &self,
        working: &mut Working<'_>,
        amount: Money,
        method: PaymentMethod,
        reference: Option<&str>,
    ) -> Result<(), Refusal> {
        let cash = method == PaymentMethod::Cash;
        self.permit(working, if cash { Operation::RecordCash } else { Operation::RecordPayment })?;
        let minor = self.minor(working, amount)?;
        if minor > MAX_MINOR - working.order.head.paid {
            return Err(Refusal::invalid("amount.amount", "the sum of the payments is too large"));
        }
        let reference = FreeText { path: "reference", most: limits::NAME }.optional(reference)?;
        let payment = Payment {
            id: working.mint.id(),
            amount: minor,
            method,
            gateway: "manual".to_owned(),
            reference,
            recorded_by: self.user(),
            recorded_at: working.mint.now(),
        };
        let detail = Some(Detail::Payment { id: payment.id, amount });
        working.order.payments.push(payment);
        working.order.head.paid += minor;
        effect::settle_invoice(working);
        let remark = Remark { actor: self.user(), detail, ..Remark::default() };
        working.record(EventKind::Payment, Audience::Public, remark);
        Ok(())
    }

    /// An amount above zero in the order's currency, in minor units.
    fn minor(&self, working: &Working<'_>, amount: Money) -> Result<i64, Refusal> {
        let currency = working.order.head.currency;
        if amount.currency != currency {
            let message = format!("the order is in {}", currency.code());
            return Err(Refusal::invalid("amount.currency", message));
        }
        if amount.minor <= 0 {
            return Err(Refusal::invalid("amount.amount", "the amount must be above zero"));
        }
        Ok(amount.minor)
    }

    fn add_note(&self, working: &mut Working<'_>, body: &str, audience: Audience) -> Result<(), Refusal> {
        self.permit(
            working,
            match audience {
                Audience::Staff => Operation::NoteToStaff,
                Audience::Provider => Operation::NoteToProvider,
                Audience::Public => Operation::NoteToPublic,
            },
        )?;
        let body = FreeText { path: "body", most: limits::NOTE }.required(body)?;
        let (id, created_at) = (working.mint.id(), working.mint.now());
        working.order.notes.push(Note { id, body, audience, author: self.user(), created_at });
        let remark = Remark { actor: self.user(), detail: Some(Detail::Note { id }), ..Remark::default() };
        working.record(EventKind::Note, audience, remark);
        Ok(())
    }
}

/// Lines may be named where the action works line by line, and must be the order's own.
fn check_items(order: &Order, row: &workflow::Transition, input: &Transition) -> Result<(), Refusal> {
    match &input.items {
        None => Ok(()),
        Some(_) if !row.per_item => {
            Err(Refusal::invalid("items", "this action concerns the whole order; name no items"))
        }
        Some(ids) if ids.is_empty() => {
            Err(Refusal::invalid("items", "name at least one item, or none at all"))
        }
        Some(ids) => match ids.iter().find(|id| order.items.iter().all(|item| item.id != **id)) {
            Some(_) => Err(Refusal::NotFound { what: "item" }),
            None => Ok(()),
        },
    }
}

/// The input with its texts trimmed and everything there that the row needs.
fn supplied(input: &Transition, needs: &[Need], number: OrderNumber) -> Result<Transition, Refusal> {
    let mut input = input.clone();
    input.reason = match needs.contains(&Need::Reason) {
        true => Some(needed_reason(&input.action, input.reason.as_deref())?),
        false => FreeText { path: "reason", most: limits::REASON }.optional(input.reason.as_deref())?,
    };
    input.error = match (needs.contains(&Need::Error), input.error.take()) {
        (true, Some(failure)) => Some(checked_failure(&failure)?),
        (true, None) => return Err(Refusal::invalid("error", "say what failed: category and message")),
        (false, Some(_)) => return Err(Refusal::invalid("error", "this action takes no error")),
        (false, None) => None,
    };
    if needs.contains(&Need::Number) && input.number != Some(number) {
        return Err(Refusal::invalid("number", "type the order's number again to confirm"));
    }
    Ok(input)
}

pub(super) fn needed_reason(action: &str, reason: Option<&str>) -> Result<String, Refusal> {
    FreeText { path: "reason", most: limits::REASON }
        .optional(reason)?
        .ok_or_else(|| Refusal::MissingReason { action: action.to_owned() })
}

pub(super) fn checked_failure(failure: &Failure) -> Result<Failure, Refusal> {
    let traceback = FreeText { path: "error.traceback", most: limits::TRACEBACK };
    Ok(Failure {
        category: failure.category,
        message: FreeText { path: "error.message", most: limits::MESSAGE }.required(&failure.message)?,
        traceback: traceback.optional(failure.traceback.as_deref())?,
    })
}

/// Moves the order: status, times, effects, one event; refunds follow as events of their own.
pub(super) fn advance(
    working: &mut Working<'_>,
    facts: &Facts,
    effects: &[workflow::Effect],
    to: &str,
    input: &Transition,
    actor: Option<UserId>,
) -> Result<(), Refusal> {
    let workflow = working.workflow;
    let from = working.order.head.status.clone();
    let public = |code: &str| workflow.status(code).map(Status::public_code);
    let moves_in_public = public(&from) != public(to);
    if let Some(status) = workflow.status(to) {
        enter(working, status);
    }
    effect::run(working, facts, effects, input)?;
    if !claim::workable(&working.order.head) {
        attempt::give_up(working);
    }
    attempt::follow_stage(working);
    let audience = if moves_in_public { Audience::Public } else { Audience::Provider };
    let remark = Remark {
        action: Some(input.action.clone()),
        from: Some(from),
        to: Some(to.to_owned()),
        actor,
        reason: input.reason.clone(),
        reason_public: effects.contains(&workflow::Effect::NotifyConsumer),
        detail: None,
    };
    working.record(EventKind::StatusChanged, audience, remark);
    if effects.contains(&workflow::Effect::RefundPayments) && working.order.head.paid > 0 {
        effect::refund(working, None, None, input.reason.as_deref(), actor)?;
    }
    Ok(())
}

/// Puts the order into a status and keeps its times true.
pub(super) fn enter(working: &mut Working<'_>, status: &Status) {
    let now = working.mint.now();
    let head = &mut working.order.head;
    head.status = status.code.clone();
    head.status_changed_at = now;
    timer::arm(head, working.workflow);
    categorise(head, status.category, now);
}

/// Gives the order its status's category, and ends it or goes on with it accordingly.
pub(super) fn categorise(head: &mut Head, category: Category, now: DateTime<Utc>) {
    head.category = category;
    head.completed_at = match category {
        Category::Draft | Category::Pending | Category::InProgress => None,
        Category::Succeeded | Category::Failed | Category::Cancelled => Some(now),
        Category::Closed | Category::Archived => head.completed_at.or(Some(now)),
    };
}
