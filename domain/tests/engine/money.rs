//! Prices, payments and refunds: nothing is lost, nothing is kept unnoticed.

use domain::{
    actor::Actor,
    event::Detail,
    money::{MAX_MINOR, Money, UnitPrice},
    order::{Command, InvoiceState, PaymentMethod, Transition},
    refusal::{Block, Refusal},
};

use crate::build::{
    Placed, an_order, anna_agent, approver, assignee, bare, carla, cleo_csr, currency, eur, payment, product,
    provider, staff, support, worker,
};

fn invoice(placed: &Placed) -> Option<(InvoiceState, i64)> {
    placed.order.invoice.as_ref().map(|invoice| (invoice.state, invoice.total))
}

#[test]
fn prices_freeze_at_submit_with_the_catalogue_of_that_moment() {
    let mut placed = an_order("cloud").placed_by(&carla());
    assert_eq!((placed.order.head.total, placed.order.head.placed_at), (1000, None));
    let catalogue = |placed: &mut Placed, euros: i64, tax: i64| {
        let now = placed.facts.products.get_mut(&product()).expect("it is there");
        (now.unit_price, now.tax_rate) = (UnitPrice(euros * 1_000_000), tax);
    };
    catalogue(&mut placed, 20, 190_000);
    placed.does(&carla(), "submit");
    assert_eq!((placed.order.head.total, placed.order.head.tax), (2380, 380));
    assert!(placed.order.head.placed_at.is_some());
    assert_eq!(invoice(&placed), Some((InvoiceState::Open, 2380)));
    catalogue(&mut placed, 99, 0);
    placed.is_paid(2380);
    assert_eq!((placed.status(), placed.order.head.total), ("payment_confirmed", 2380));
}

#[test]
fn without_a_submit_prices_freeze_when_the_order_is_placed() {
    for code in ["hosting", "marketplace", "delivery", "commerce"] {
        assert!(an_order(code).placed_by(&carla()).order.head.placed_at.is_some(), "{code}");
    }
}

#[test]
fn paying_in_full_confirms_by_itself_and_paying_a_part_does_not() {
    let mut placed = an_order("cloud").placed_by(&carla());
    placed.does(&carla(), "submit").is_paid(999);
    assert_eq!((placed.status(), invoice(&placed)), ("pending_payment", Some((InvoiceState::Open, 1000))));
    placed.is_paid(1);
    assert_eq!((placed.status(), invoice(&placed)), ("payment_confirmed", Some((InvoiceState::Paid, 1000))));
    assert_eq!(placed.last_events(2), ["PAYMENT", "STATUS_CHANGED"]);
}

#[test]
fn what_was_paid_before_submitting_counts() {
    let mut placed = an_order("cloud").placed_by(&carla());
    placed.is_paid(1000);
    assert_eq!(placed.status(), "draft");
    placed.does(&carla(), "submit");
    assert_eq!((placed.status(), invoice(&placed)), ("payment_confirmed", Some((InvoiceState::Paid, 1000))));
}

#[test]
fn a_total_of_zero_confirms_at_submit() {
    let mut placed = an_order("cloud").priced(0).placed_by(&carla());
    placed.does(&carla(), "submit");
    assert_eq!(placed.status(), "payment_confirmed");
    let to: Vec<_> = placed.events.iter().filter_map(|event| event.to.as_deref()).collect();
    assert_eq!(to, ["draft", "pending_payment", "payment_confirmed"]);
}

#[test]
fn cancelling_never_keeps_money_unnoticed() {
    let mut placed = an_order("cloud").placed_by(&carla());
    placed.does(&carla(), "submit").is_paid(400);
    for actor in [carla(), staff()] {
        assert_eq!(placed.refuses(&actor, "cancel"), Refusal::GuardFailed(Block::UnrefundedPayment));
    }
    let mut kept = placed.clone();
    kept.commands(&staff(), Command::Transition(Transition { keep_credit: true, ..bare("cancel") }));
    assert_eq!((kept.status(), kept.order.head.paid), ("cancelled", 400));
    assert!(kept.order.refunds.is_empty());

    let reason = "not wanted".to_owned();
    placed.commands(&staff(), Command::Refund { amount: None, payment: None, reason });
    placed.does(&carla(), "cancel");
    assert_eq!((placed.status(), placed.order.head.paid), ("cancelled", 0));
}

#[test]
fn every_way_into_a_cancelled_status_asks_about_the_money() {
    let unrefunded = Refusal::GuardFailed(Block::UnrefundedPayment);
    let ways = [
        ("hosting", "pending", "cancel", None),
        ("hosting", "active", "mark_fraud", None),
        ("marketplace", "pending_provider", "reject", None),
        ("delivery", "pending", "set_status", Some("cancelled")),
        ("commerce", "open", "cancel", None),
    ];
    for (code, status, action, to) in ways {
        let placed = an_order(code).admitted(status, 1);
        let (reason, to) = (Some("because".to_owned()), to.map(str::to_owned));
        let input = Transition { reason, to, ..bare(action) };
        assert_eq!(placed.refuses_to(&staff(), &Command::Transition(input)), unrefunded, "{code} {action}");
    }
}

#[test]
fn cancel_and_refund_gives_the_newest_payments_back_first_and_tells_each() {
    let mut placed = an_order("hosting").placed_by(&carla());
    placed.is_paid(300).is_paid(700);
    assert_eq!(invoice(&placed), Some((InvoiceState::Paid, 1000)));
    placed.does(&staff(), "cancel_and_refund");
    assert_eq!((placed.status(), placed.order.head.paid), ("cancelled", 0));
    assert_eq!(placed.last_events(3), ["STATUS_CHANGED", "REFUND", "REFUND"]);
    let told: Vec<_> = placed.events.iter().filter_map(|event| event.detail.clone()).collect();
    let amounts: Vec<_> = told
        .iter()
        .filter_map(|detail| match detail {
            Detail::Refund { amount, .. } => Some(*amount),
            _ => None,
        })
        .collect();
    assert_eq!(amounts, [eur(700), eur(300)]);
    assert_eq!(placed.order.refunds[0].payment, placed.order.payments[1].id);
}

#[test]
fn an_invoice_that_was_paid_ends_as_refunded_and_any_other_as_cancelled() {
    for (paid, state) in
        [(1000, InvoiceState::Refunded), (400, InvoiceState::Cancelled), (0, InvoiceState::Cancelled)]
    {
        let mut placed = an_order("hosting").placed_by(&carla());
        if paid > 0 {
            placed.is_paid(paid);
        }
        placed.does(&staff(), "cancel_and_refund");
        assert_eq!(invoice(&placed), Some((state, 1000)), "{paid}");
    }
}

#[test]
fn a_refund_is_of_the_newest_payments_or_of_the_one_that_is_named() {
    let mut placed = an_order("hosting").placed_by(&carla());
    placed.is_paid(300).is_paid(700);
    let refund = |cents, payment| {
        let amount = Some(eur(cents));
        Command::Refund { amount, payment, reason: "a mistake".to_owned() }
    };
    placed.commands(&staff(), refund(800, None));
    let amounts: Vec<_> = placed.order.refunds.iter().map(|refund| refund.amount).collect();
    assert_eq!(amounts, [700, 100]);
    assert_eq!(invoice(&placed), Some((InvoiceState::Open, 1000)), "no longer covered");
    let (first, second) = (placed.order.payments[0].id, placed.order.payments[1].id);
    for (payment, cents) in [(Some(first), 201), (Some(second), 1), (None, 201)] {
        let refusal = placed.refuses_to(&staff(), &refund(cents, payment));
        assert!(matches!(refusal, Refusal::Validation { path, .. } if path == ["amount"]), "{cents}");
    }
    placed.commands(&staff(), refund(200, Some(first)));
    assert_eq!(placed.order.head.paid, 0);
    let strange = refund(1, Some(crate::build::id(999)));
    assert_eq!(placed.refuses_to(&staff(), &strange), Refusal::NotFound { what: "payment" });
}

#[test]
fn an_invoice_of_several_payments_is_refunded_once_all_of_them_have_gone_back_in_whatever_parts() {
    for parts in [vec![None], vec![Some(300), None], vec![Some(700), Some(300)], vec![Some(999), Some(1)]] {
        let mut placed = an_order("hosting").placed_by(&carla());
        placed.is_paid(300).is_paid(700);
        for cents in &parts {
            let (amount, reason) = (cents.map(eur), "a mistake".to_owned());
            placed.commands(&staff(), Command::Refund { amount, payment: None, reason });
        }
        assert_eq!(invoice(&placed), Some((InvoiceState::Refunded, 1000)), "{parts:?}");
    }
    let mut placed = an_order("hosting").placed_by(&carla());
    let reason = "the wrong order".to_owned();
    placed.is_paid(999).commands(&staff(), Command::Refund { amount: None, payment: None, reason });
    assert_eq!(invoice(&placed), Some((InvoiceState::Open, 1000)), "it was never covered");
}

#[test]
fn an_invoice_that_was_refunded_is_paid_when_the_order_is_paid_again() {
    let mut placed = an_order("hosting").placed_by(&carla());
    let reason = "the wrong card".to_owned();
    placed.is_paid(1000).commands(&staff(), Command::Refund { amount: None, payment: None, reason });
    assert_eq!(invoice(&placed), Some((InvoiceState::Refunded, 1000)));
    placed.is_paid(1000);
    assert_eq!(invoice(&placed), Some((InvoiceState::Paid, 1000)));
}

#[test]
fn an_agent_may_record_cash_only_and_only_on_their_orders() {
    let mut placed = an_order("delivery").placed_by(&carla());
    let cash = payment(1000, PaymentMethod::Cash);
    assert_eq!(placed.refuses_to(&anna_agent(), &cash).code(), "NOT_FOUND");
    placed.commands(&cleo_csr(), Command::AssignAgent(Some(assignee(&anna_agent()))));
    for method in [PaymentMethod::Card, PaymentMethod::Transfer, PaymentMethod::Pos] {
        assert_eq!(placed.refuses_to(&anna_agent(), &payment(1000, method)).code(), "NOT_PERMITTED");
    }
    placed.commands(&anna_agent(), cash);
    assert_eq!(placed.order.head.due(), 0);
}

#[test]
fn money_is_recorded_by_the_desk_and_given_back_by_staff() {
    let mut placed = an_order("hosting").placed_by(&carla());
    placed.commands(&cleo_csr(), payment(1000, PaymentMethod::Card));
    let refund = Command::Refund { amount: None, payment: None, reason: "because".to_owned() };
    for actor in [support(), provider(), worker(), approver(), carla()] {
        assert_eq!(placed.refuses_to(&actor, &payment(1, PaymentMethod::Card)).code(), "NOT_PERMITTED");
        assert_eq!(placed.refuses_to(&actor, &refund).code(), "NOT_PERMITTED");
    }
    assert_eq!(placed.refuses_to(&cleo_csr(), &refund).code(), "NOT_PERMITTED");
    placed.commands(&Actor::System, refund);
    assert_eq!(invoice(&placed), Some((InvoiceState::Refunded, 1000)));
}

#[test]
fn amounts_are_above_zero_bounded_and_in_the_currency_of_the_order() {
    let placed = an_order("hosting").admitted("pending", 10);
    let paths = [
        (eur(0), "amount.amount"),
        (eur(-5), "amount.amount"),
        (eur(MAX_MINOR), "amount.amount"),
        (Money::new(5, currency("USD")), "amount.currency"),
    ];
    for (amount, path) in paths {
        let (method, reference) = (PaymentMethod::Card, None);
        let refusal = placed.refuses_to(&staff(), &Command::RecordPayment { amount, method, reference });
        let Refusal::Validation { path: at, .. } = refusal else { panic!("{amount:?}") };
        assert_eq!(at.join("."), path, "{amount:?}");
    }
}

#[test]
fn lines_add_up_with_tax_discount_and_fee() {
    let mut basket = an_order("delivery").twice().whose_products(|product| product.tax_rate = 190_000);
    basket.draft.lines[0].quantity = 3;
    basket.draft.lines[1].discount = Some(eur(250));
    basket.draft.delivery_fee = Some(eur(490));
    let placed = basket.placed_by(&staff());
    let head = &placed.order.head;
    assert_eq!((head.subtotal, head.discount, head.tax, head.delivery_fee), (4000, 250, 713, 490));
    assert_eq!(head.total, 4000 - 250 + 713 + 490);
    assert_eq!(placed.order.items[1].line_total, 750);
}
