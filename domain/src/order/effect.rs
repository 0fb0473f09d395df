//! What else a transition does: a closed set, run in the same decision and saved in the same
//! transaction.

use super::{
    Facts, Invoice, InvoiceState, ItemStatus, Order, OrderKind, Refund, ResourceState, Transition,
    attempt::{abandon, fail, given_up, move_resources, open_attempts, succeed},
    decision::{Remark, Working},
    pricing,
};
use crate::{
    event::{Audience, Detail, EventKind},
    id::{ItemId, PaymentId, UserId},
    money::Money,
    refusal::Refusal,
    workflow::Effect,
};

/// Runs a row's effects in their order.
pub(super) fn run(
    working: &mut Working<'_>,
    facts: &Facts,
    effects: &[Effect],
    input: &Transition,
) -> Result<(), Refusal> {
    let chosen = input.items.as_deref();
    for effect in effects {
        match effect {
            Effect::OpenAttempt => open_attempts(working, facts, chosen, &input.inputs)?,
            Effect::CloseAttemptOk => drop(succeed(working, None)),
            Effect::CloseAttemptFailed => fail(working, None, input.error.as_ref()),
            Effect::ActivateItems => activate_items(working),
            Effect::TerminateItems => terminate_items(working),
            Effect::ResetItems => reset_items(working),
            Effect::CancelItems => cancel_items(working),
            Effect::FreezePrices => freeze_prices(working, facts)?,
            Effect::OpenInvoice => open_invoice(working),
            Effect::IssueInvoice => issue_invoice(working),
            Effect::CancelInvoice => cancel_invoice(working),
            // Refunds are events of their own and follow the change of status; a reason that the
            // customer is told is part of its event.
            Effect::RefundPayments | Effect::NotifyConsumer => {}
        }
    }
    Ok(())
}

fn activate_items(working: &mut Working<'_>) {
    let ended = [ItemStatus::Cancelled, ItemStatus::Terminated];
    let kind = working.order.head.kind;
    for item in working.items(None).filter(|item| !ended.contains(&item.status)) {
        item.status = activated(kind);
    }
}

/// Where a line stands once the work on it is done.
pub(super) const fn activated(kind: OrderKind) -> ItemStatus {
    match kind {
        OrderKind::Terminate => ItemStatus::Terminated,
        OrderKind::Create | OrderKind::Update | OrderKind::Sale => ItemStatus::Active,
    }
}

fn terminate_items(working: &mut Working<'_>) {
    let active = |item: &&mut super::Item| item.status == ItemStatus::Active;
    let ids: Vec<ItemId> = working.items(None).filter(active).map(|item| item.id).collect();
    move_resources(working, &ids, |_, _| ResourceState::Terminated);
    for item in working.items(Some(&ids)) {
        item.status = ItemStatus::Terminated;
    }
}

/// Back to the start, except what was terminated: that stays so.
fn reset_items(working: &mut Working<'_>) {
    let under_way = abandon(working);
    move_resources(working, &under_way, given_up);
    for item in working.items(None).filter(|item| item.status != ItemStatus::Terminated) {
        item.status = ItemStatus::Pending;
    }
}

fn cancel_items(working: &mut Working<'_>) {
    abandon(working);
    let ended = [ItemStatus::Cancelled, ItemStatus::Terminated];
    let open = |item: &&mut super::Item| !ended.contains(&item.status);
    let ids: Vec<ItemId> = working.items(None).filter(open).map(|item| item.id).collect();
    // A resource on which this order never began is none of its business.
    let attempts = &working.order.attempts;
    let begun: Vec<ItemId> =
        ids.iter().copied().filter(|id| attempts.iter().any(|attempt| attempt.item == *id)).collect();
    move_resources(working, &begun, given_up);
    for item in working.items(Some(&ids)) {
        item.status = ItemStatus::Cancelled;
    }
}

/// Takes today's catalogue prices; from now on the order keeps them.
fn freeze_prices(working: &mut Working<'_>, facts: &Facts) -> Result<(), Refusal> {
    for item in &mut working.order.items {
        if let Some(product) = item.product.and_then(|id| facts.products.get(&id)) {
            item.unit_price = product.unit_price;
            item.tax_rate = product.tax_rate;
        }
    }
    pricing::price_order(&mut working.order)?;
    working.order.head.placed_at = Some(working.mint.now());
    Ok(())
}

/// One that has ended stays as it is, and another one is opened.
pub(super) fn open_invoice(working: &mut Working<'_>) {
    let ended = [InvoiceState::Cancelled, InvoiceState::Refunded];
    let total = working.order.head.total;
    if let Some(invoice) = working.order.invoice.as_mut().filter(|i| !ended.contains(&i.state)) {
        invoice.total = total;
        return settle_invoice(working);
    }
    let (id, now) = (working.mint.id(), working.mint.now());
    working.order.invoice = Some(Invoice {
        id,
        number: format!("INV-{}", working.mint.number()),
        state: InvoiceState::Open,
        total,
        opened_at: now,
        issued_at: None,
        paid_at: None,
        cancelled_at: None,
    });
    settle_invoice(working);
}

fn issue_invoice(working: &mut Working<'_>) {
    if working.order.invoice.is_none() {
        open_invoice(working);
    }
    let now = working.mint.now();
    if let Some(invoice) = &mut working.order.invoice {
        invoice.issued_at.get_or_insert(now);
        if invoice.state == InvoiceState::Open {
            invoice.state = InvoiceState::Issued;
        }
    }
}

fn cancel_invoice(working: &mut Working<'_>) {
    let now = working.mint.now();
    let ended = [InvoiceState::Cancelled, InvoiceState::Refunded];
    if let Some(invoice) = working.order.invoice.as_mut().filter(|i| !ended.contains(&i.state)) {
        invoice.state = InvoiceState::Cancelled;
        invoice.cancelled_at = Some(now);
    }
}

/// An invoice is paid as soon as payments cover it, and refunded once all of it has gone back.
pub(super) fn settle_invoice(working: &mut Working<'_>) {
    let now = working.mint.now();
    let Order { head, invoice, refunds, .. } = &mut working.order;
    let Some(invoice) = invoice else { return };
    match invoice.state {
        InvoiceState::Open | InvoiceState::Issued if head.paid >= invoice.total => {
            invoice.state = InvoiceState::Paid;
            invoice.paid_at = Some(now);
        }
        InvoiceState::Paid if head.paid <= 0 && !refunds.is_empty() => invoice.state = InvoiceState::Refunded,
        // That payments covered it once is kept: what goes back payment by payment is refunded too.
        InvoiceState::Open | InvoiceState::Issued | InvoiceState::Cancelled
            if invoice.paid_at.is_some() && head.paid <= 0 =>
        {
            invoice.state = InvoiceState::Refunded;
        }
        InvoiceState::Paid if head.paid < invoice.total => {
            invoice.state =
                if invoice.issued_at.is_some() { InvoiceState::Issued } else { InvoiceState::Open };
        }
        InvoiceState::Refunded if invoice.cancelled_at.is_none() && head.paid >= invoice.total.max(1) => {
            invoice.state = InvoiceState::Paid;
            invoice.paid_at = Some(now);
        }
        _ => {}
    }
}

/// Gives money back through the manual gateway, which can refund whatever it took: the newest
/// payments first, or one payment only. One event per payment touched.
pub(super) fn refund(
    working: &mut Working<'_>,
    minor: Option<i64>,
    payment: Option<PaymentId>,
    reason: Option<&str>,
    actor: Option<UserId>,
) -> Result<(), Refusal> {
    let left: Vec<(PaymentId, i64)> = refundable(&working.order, payment)?;
    let available: i64 = left.iter().map(|(_, minor)| minor).sum();
    let mut open = minor.unwrap_or(available);
    if available == 0 || open > available {
        let most = Money::new(available, working.order.head.currency);
        let message = format!("at most {} {} can be refunded", most.decimal(), most.currency.code());
        return Err(Refusal::invalid("amount", message));
    }
    for (payment, left) in left {
        let amount = left.min(open);
        if amount == 0 {
            continue;
        }
        open -= amount;
        let (id, recorded_at) = (working.mint.id(), working.mint.now());
        let reason = reason.map(str::to_owned);
        let refund = Refund { id, payment, amount, reason: reason.clone(), recorded_by: actor, recorded_at };
        working.order.refunds.push(refund);
        working.order.head.paid -= amount;
        settle_invoice(working);
        let amount = Money::new(amount, working.order.head.currency);
        let detail = Some(Detail::Refund { id, amount });
        let remark = Remark { actor, reason, detail, ..Remark::default() };
        working.record(EventKind::Refund, Audience::Public, remark);
    }
    Ok(())
}

/// What is left of the payments, newest first.
fn refundable(order: &Order, only: Option<PaymentId>) -> Result<Vec<(PaymentId, i64)>, Refusal> {
    if only.is_some_and(|id| order.payments.iter().all(|payment| payment.id != id)) {
        return Err(Refusal::NotFound { what: "payment" });
    }
    let wanted = order.payments.iter().rev().filter(|payment| only.is_none_or(|id| payment.id == id));
    Ok(wanted
        .map(|payment| {
            let refunds = order.refunds.iter().filter(|refund| refund.payment == payment.id);
            (payment.id, payment.amount - refunds.map(|refund| refund.amount).sum::<i64>())
        })
        .collect())
}
