//! What holds of every order after every command, whatever people try.

use domain::{
    order::{InvoiceState, ItemStatus, Order, Outcome},
    refusal::Refusal,
    workflow::{Category, Definition},
};
use proptest::{prelude::*, strategy::ValueTree};

use crate::{
    build::{Placed, everybody},
    walk::{Dice, some_command, some_order, somebody},
};

fn config() -> ProptestConfig {
    ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() }
}

/// Takes the walk and looks at the order after each command.
fn walk(start: Dice, steps: &[Dice], mut look: impl FnMut(&Placed)) {
    let people = everybody();
    let mut placed = some_order(start);
    look(&placed);
    for dice in steps {
        let (actor, command) = (somebody(&people, dice[0]), some_command(&placed, *dice));
        let before = placed.clone();
        if let Err(refusal) = placed.tries(&actor, &command) {
            assert_eq!(placed.order, before.order, "a refusal changes nothing");
            assert_eq!(placed.decided(&actor, &command), Err(refusal.clone()), "and is the same again");
            let stranger = actor.standing(&before.order.head.parties, false).is_empty();
            assert_eq!(stranger, refusal == Refusal::NotFound { what: "order" }, "{refusal:?}");
        } else {
            let standing = actor.standing(&before.order.head.parties, false);
            assert!(!standing.is_empty(), "somebody without standing succeeded: {command:?}");
            assert!(placed.events.len() > before.events.len(), "what happens is told: {command:?}");
        }
        look(&placed);
    }
}

fn ended(category: Category) -> bool {
    !matches!(category, Category::Draft | Category::Pending | Category::InProgress)
}

fn stays_in_its_workflow(order: &Order, workflow: &Definition) {
    let status = workflow.status(&order.head.status).expect("a status of the workflow");
    assert_eq!(order.head.category, status.category);
    assert_eq!(order.head.completed_at.is_some(), ended(status.category), "{}", status.code);
}

fn adds_up(order: &Order) {
    let head = &order.head;
    let paid: i64 = order.payments.iter().map(|payment| payment.amount).sum();
    let refunded: i64 = order.refunds.iter().map(|refund| refund.amount).sum();
    assert_eq!(head.paid, paid - refunded);
    assert!(head.paid >= 0);
    for payment in &order.payments {
        let given_back = order.refunds.iter().filter(|refund| refund.payment == payment.id);
        assert!(given_back.map(|refund| refund.amount).sum::<i64>() <= payment.amount);
    }
    assert_eq!(head.total, head.subtotal - head.discount + head.tax + head.delivery_fee);
    let lines: i64 = order.items.iter().map(|item| item.line_total + item.tax).sum();
    assert_eq!(head.total, lines + head.delivery_fee);
    if let Some(invoice) = &order.invoice {
        assert!(invoice.state != InvoiceState::Paid || head.paid >= invoice.total, "paid, yet not covered");
        let open = invoice.cancelled_at.is_none() && invoice.state != InvoiceState::Paid;
        assert!(!open || head.paid < invoice.total.max(1), "covered, yet {}", invoice.state.name());
        assert!(invoice.state != InvoiceState::Cancelled || invoice.cancelled_at.is_some());
    }
}

fn attempts_are_in_order(order: &Order) {
    for item in &order.items {
        let attempts: Vec<_> = order.attempts.iter().filter(|attempt| attempt.item == item.id).collect();
        let numbers: Vec<_> = attempts.iter().map(|attempt| attempt.number).collect();
        assert_eq!(numbers, (1..=attempts.len() as i32).collect::<Vec<_>>());
        let running = attempts.iter().filter(|attempt| attempt.outcome == Outcome::Running).count();
        assert!(running <= 1);
        assert!(running == 0 || attempts.last().is_some_and(|last| last.outcome == Outcome::Running));
    }
    for attempt in &order.attempts {
        assert_eq!(attempt.ended_at.is_none(), attempt.outcome == Outcome::Running);
        assert_eq!(attempt.failure.is_some(), attempt.outcome == Outcome::Failed);
    }
    let over = matches!(order.head.category, Category::Cancelled | Category::Closed | Category::Archived);
    assert!(!over || order.attempts.iter().all(|it| it.outcome != Outcome::Running), "nobody works on it");
    for item in &order.items {
        let attempts = order.attempts.iter().filter(|attempt| attempt.item == item.id);
        assert_eq!(attempts.count() as i32, item.attempts);
        assert!(item.failed_of.is_none() || item.status == ItemStatus::Failed);
        assert!(!item.holds || (item.resource.is_some() && !over), "what is over holds nothing");
    }
}

fn events_chain(placed: &Placed) {
    let mut before = None;
    for (n, event) in placed.events.iter().enumerate() {
        assert_eq!(event.before, before, "the chain has a gap at {n}");
        assert_eq!(event.version, n as i64 + 1);
        assert_eq!(event.order, placed.order.head.id);
        before.clone_from(&event.after);
    }
    assert_eq!(before, Some(placed.order.head.facet(&placed.workflow)), "the chain ends at the order");
    assert_eq!(placed.order.head.version, placed.events.len() as i64);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_people_try_an_order_stays_whole(
        start in any::<Dice>(),
        steps in prop::collection::vec(any::<Dice>(), 0..40),
    ) {
        walk(start, &steps, |placed| {
            stays_in_its_workflow(&placed.order, &placed.workflow);
            adds_up(&placed.order);
            attempts_are_in_order(&placed.order);
            events_chain(placed);
        });
    }
}

/// The walks above are worth something only if they get somewhere.
#[test]
fn random_walks_come_to_most_statuses() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = (any::<Dice>(), prop::collection::vec(any::<Dice>(), 30..40));
    let mut reached = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let (start, steps) = strategy.new_tree(&mut runner).expect("a walk").current();
        walk(start, &steps, |placed| {
            reached.insert((placed.workflow.code.clone(), placed.status().to_owned()));
        });
    }
    assert!(reached.len() >= 25, "of 30 statuses only {}: {reached:?}", reached.len());
}
