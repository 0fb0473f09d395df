//! A step of a story, as an actor and a command.

use domain::{
    actor::Actor,
    money::Money,
    order::{Assignee, Command, Failure, Order, PaymentMethod, Transition},
    role::Role,
};

use super::{
    Chance,
    basket::buyer,
    company::{Account, Company},
    stories::{What, Who},
};
use crate::{error::Result, store::people::Organization};

/// Who takes a step of an order.
pub(super) fn actor<'a>(
    company: &'a Company,
    who: Who,
    order: &Order,
    customer: &Organization,
) -> Result<&'a Actor> {
    let parties = &order.head.parties;
    let desk = |role| company.member(company.operator, role);
    let account: &Account = match who {
        Who::System => return Ok(&Actor::System),
        Who::Staff => desk(Role::Staff)?,
        Who::Support => desk(Role::Support)?,
        Who::Csr => desk(Role::Csr)?,
        Who::Agent => desk(Role::Agent)?,
        Who::Owner => company.member(parties.provider, Role::Provider)?,
        Who::Worker => company.member(parties.provider, Role::Worker)?,
        Who::Manager => {
            let manager = company.member(parties.provider, Role::Manager)?;
            match manager.has_offering(parties.offering) {
                true => manager,
                false => company.member(parties.provider, Role::Provider)?,
            }
        }
        Who::Approver => company.member(customer.id, Role::Approver)?,
        Who::Buyer => {
            let buyer = buyer(company, customer)?;
            match parties.creator == Some(buyer.user.id) {
                true => buyer,
                false => company.member(customer.id, Role::Approver)?,
            }
        }
    };
    Ok(&account.actor)
}

/// What is asked of the order in a step.
pub(super) fn command(company: &Company, what: What, order: &Order, chance: &mut Chance) -> Result<Command> {
    let act = |action: &str| Transition { action: action.to_owned(), ..Transition::default() };
    let text = |text: &str| Some(text.to_owned());
    let part = |minor: i64, percent: i64| Money::new(minor * percent / 100, order.head.currency);
    Ok(match what {
        What::Act(action) => Command::Transition(act(action)),
        What::Because(action, reason) => {
            Command::Transition(Transition { reason: text(reason), ..act(action) })
        }
        What::KeepCredit(action, reason) => {
            let keep_credit = true;
            Command::Transition(Transition { reason: text(reason), keep_credit, ..act(action) })
        }
        What::Set(status, reason) => {
            let (to, reason) = (text(status), text(reason));
            Command::Transition(Transition { to, reason, ..act("set_status") })
        }
        What::Fail(category, message, traceback) => {
            let (message, traceback) = (message.to_owned(), traceback.and_then(text));
            let error = Some(Failure { category, message, traceback });
            Command::Transition(Transition { error, ..act("fail") })
        }
        What::Pay(percent, method) => Command::RecordPayment {
            amount: part(order.head.total, percent),
            method,
            reference: (method != PaymentMethod::Cash)
                .then(|| format!("{}-{:06}", method.name(), chance.roll(1_000_000))),
        },
        What::Refund(percent, reason) => Command::Refund {
            amount: Some(part(order.head.paid, percent)),
            payment: None,
            reason: reason.to_owned(),
        },
        What::Note(audience, body) => Command::AddNote { body: body.to_owned(), audience },
        What::AssignCsr => Command::AssignCsr(Some(assignee(company, Role::Csr)?)),
        What::AssignAgent => Command::AssignAgent(Some(assignee(company, Role::Agent)?)),
    })
}

fn assignee(company: &Company, role: Role) -> Result<Assignee> {
    let account = company.member(company.operator, role)?;
    Ok(Assignee { user: account.user.id, actor: account.actor.clone() })
}
