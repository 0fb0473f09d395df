//! The rule for an order that enters from outside: an import, the demo's history, another system.
//! It may stand in any status of its workflow; its past is one event.

use super::{
    Draft, ItemStatus, Payment, PaymentMethod, Setting, attempt,
    decide::enter,
    decision::{Decision, Remark, Working},
    effect,
    place::build,
};
use crate::{
    event::{Audience, EventKind},
    mint::Mint,
    money::MAX_MINOR,
    permission,
    refusal::Refusal,
    workflow::{Category, Effect},
};

/// An order as the other system tells of it. Its moment is the mint's.
#[derive(Clone, Debug, PartialEq)]
pub struct Admission {
    /// What was ordered.
    pub draft: Draft,
    /// The status it stands in.
    pub status: String,
    /// What has been paid, minor units of the order's currency.
    pub paid: i64,
}

/// Decides whether an order may enter as it is.
///
/// # Errors
/// A [`Refusal`]: only staff and the system admit orders, into statuses that the workflow has.
pub fn admit(setting: Setting<'_>, admission: &Admission, mint: &mut Mint) -> Result<Decision, Refusal> {
    if !(permission::is_staff(setting.actor) || setting.actor.user().is_none()) {
        return Err(Refusal::NotPermitted { action: "admit".to_owned(), allowed: Vec::new() });
    }
    let status = setting.workflow.status(&admission.status);
    let status = status.ok_or_else(|| Refusal::invalid("status", "the workflow has no such status"))?;
    let (mut order, particulars) = build(setting, &admission.draft, status, mint)?;
    for item in &mut order.items {
        item.status = match status.category {
            Category::Draft | Category::Pending | Category::InProgress => ItemStatus::Pending,
            Category::Succeeded | Category::Closed | Category::Archived => ItemStatus::Active,
            Category::Failed => ItemStatus::Failed,
            Category::Cancelled => ItemStatus::Cancelled,
        };
    }
    let mut working = Working::new(order, particulars, setting.workflow, mint);
    enter(&mut working, status);
    if status.category != Category::Draft {
        working.order.head.placed_at = Some(working.mint.now());
    }
    // What is being worked on has an attempt, so that a failure has where to be written down.
    if status.category == Category::InProgress && setting.workflow.stages().contains(&status.code.as_str()) {
        attempt::open_attempts(&mut working, setting.facts, None, &[])?;
    }
    if setting.workflow.on_create.contains(&Effect::OpenInvoice) && status.category != Category::Cancelled {
        effect::open_invoice(&mut working);
    }
    pay(&mut working, admission.paid)?;
    let remark = Remark { to: Some(status.code.clone()), actor: setting.actor.user(), ..Remark::default() };
    working.record(EventKind::Imported, Audience::Public, remark);
    Ok(working.finish())
}

fn pay(working: &mut Working<'_>, minor: i64) -> Result<(), Refusal> {
    if !(0..=MAX_MINOR).contains(&minor) {
        return Err(Refusal::invalid("paid", "the amount must not be negative or too large"));
    }
    if minor > 0 {
        let payment = Payment {
            id: working.mint.id(),
            amount: minor,
            method: PaymentMethod::Transfer,
            gateway: "manual".to_owned(),
            reference: None,
            recorded_by: None,
            recorded_at: working.mint.now(),
        };
        working.order.payments.push(payment);
        working.order.head.paid = minor;
        effect::settle_invoice(working);
    }
    Ok(())
}
