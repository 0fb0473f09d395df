//! Limits on beginning again, by category of failure and by number; and that nothing of it bars cancelling.

use std::collections::BTreeSet;

use domain::{
    actor::Actor,
    order::{
        Command, ErrorCategory, Failure, ItemStatus, Line, ProductKind, Subject, Transition,
        available_actions,
    },
    refusal::{Block, Refusal},
    workflow::{Category, Target},
};
use proptest::prelude::*;

use crate::{
    build::{
        Placed, an_order, anna_agent, approver, bare, carla, everybody, failure, manager, provider, staff,
        worker,
    },
    walk::{Dice, some_command, some_order, somebody},
};

fn fails_of(placed: &mut Placed, category: ErrorCategory) {
    let error = Some(Failure { category, ..failure("it failed") });
    placed.commands(&worker(), Command::Transition(Transition { error, ..bare("fail") }));
}

/// A cloud order that failed of this.
fn failed_of(category: ErrorCategory) -> Placed {
    let mut placed = an_order("cloud").priced(0).placed_by(&carla());
    placed.does(&carla(), "submit").does(&worker(), "validate");
    fails_of(&mut placed, category);
    placed
}

fn override_with(reason: Option<&str>) -> Command {
    let reason = reason.map(str::to_owned);
    Command::Transition(Transition { overrides: true, reason, ..bare("retry") })
}

fn block_of(placed: &Placed, actor: &Actor, action: &str) -> Option<Block> {
    let subject = Subject { head: &placed.order.head, items: &placed.order.items, facts: &placed.facts };
    let rights = actor.rights(&placed.order.head.parties, false);
    let offers = available_actions(&placed.workflow, subject, rights);
    offers.into_iter().find(|offer| offer.action == action).expect("it is offered").blocked_by
}

#[test]
fn what_is_configured_wrongly_is_not_retried_as_it_is_and_the_offer_says_so() {
    for category in ErrorCategory::ALL {
        let placed = failed_of(*category);
        let barred = (*category == ErrorCategory::Configuration).then_some(Block::NotRetryable);
        assert_eq!(block_of(&placed, &staff(), "retry"), barred, "{}", category.name());
        let told = placed.decided(&staff(), &Command::Transition(bare("retry"))).err();
        assert_eq!(told, barred.map(Refusal::GuardFailed));
    }
}

#[test]
fn staff_overrides_with_a_reason_and_nobody_else_does() {
    let mut placed = failed_of(ErrorCategory::Configuration);
    for actor in [provider(), manager()] {
        assert_eq!(placed.refuses_to(&actor, &override_with(Some("fixed"))).code(), "NOT_PERMITTED");
    }
    assert_eq!(placed.refuses_to(&staff(), &override_with(None)).code(), "MISSING_REASON");
    placed.commands(&staff(), override_with(Some("put right at the provider's")));
    assert_eq!(placed.status(), "validating");
    let event = placed.events.last().expect("an event");
    assert_eq!(event.reason.as_deref(), Some("put right at the provider's"));
}

#[test]
fn a_line_is_tried_as_often_as_the_workflow_says_and_a_reset_begins_to_count_anew() {
    let mut placed = an_order("hosting").placed_by(&carla());
    for row in placed.workflow.transitions.iter_mut().filter(|row| row.action == "accept") {
        row.max_attempts = Some(2);
    }
    placed.does(&staff(), "accept");
    let item = placed.order.items[0].id;
    let retry = |overrides| {
        let reason = Some("once more".to_owned());
        Command::Line(Line::Retry { item, inputs: None, overrides, reason })
    };
    let fail = Command::Line(Line::Failed { item, failure: failure("no space"), backend_id: None });
    placed
        .commands(&worker(), fail.clone())
        .commands(&worker(), retry(false))
        .commands(&worker(), fail.clone());
    assert_eq!(placed.order.items[0].attempts, 2);
    assert_eq!(placed.refuses_to(&worker(), &retry(false)), Refusal::GuardFailed(Block::AttemptsSpent));
    assert_eq!(placed.refuses_to(&worker(), &retry(true)).code(), "NOT_PERMITTED");
    placed.commands(&staff(), retry(true)).commands(&worker(), fail);
    placed.does(&staff(), "reset_to_pending").does(&staff(), "accept");
    assert_eq!(placed.order.items[0].status, ItemStatus::Provisioning);
    assert_eq!(placed.order.attempts.len(), 4);
}

#[test]
fn an_erred_order_that_machines_carry_out_is_no_dead_end() {
    let mut placed = an_order("marketplace").of_kind(ProductKind::Vps).placed_by(&carla());
    placed.does(&approver(), "approve").does(&provider(), "approve").fails(&worker(), "no space");
    assert_eq!(placed.refuses(&staff(), "retry").code(), "GUARD_FAILED");
    assert_eq!(placed.refuses(&staff(), "cancel_failed").code(), "MISSING_REASON");
    assert_eq!(placed.refuses(&provider(), "cancel_failed").code(), "NOT_PERMITTED");
    placed.does_because(&staff(), "cancel_failed", "the site has no more of it");
    assert_eq!((placed.status(), placed.order.items[0].status), ("canceled", ItemStatus::Cancelled));
}

/// The ways out that somebody has: the open actions that lead to a cancelled status.
fn ways_out(placed: &Placed, actor: &Actor) -> BTreeSet<String> {
    let (workflow, head) = (&placed.workflow, &placed.order.head);
    let subject = Subject { head, items: &placed.order.items, facts: &placed.facts };
    let offers = available_actions(workflow, subject, actor.rights(&head.parties, false));
    let cancels = |action: &str| {
        workflow.rows(action, &head.status).any(|row| match &row.to {
            Target::Status(code) => {
                workflow.status(code).is_some_and(|status| status.category == Category::Cancelled)
            }
            _ => false,
        })
    };
    let open = offers.into_iter().filter(|offer| offer.blocked_by.is_none() && cancels(&offer.action));
    open.map(|offer| offer.action).collect()
}

/// The same order where every condition on steps forward stands otherwise.
fn turned_round(placed: &Placed) -> Placed {
    let mut other = placed.clone();
    for product in other.facts.products.values_mut() {
        product.needs_consumer_approval ^= true;
        product.needs_provider_approval ^= true;
        let manual = matches!(product.kind, ProductKind::Basic | ProductKind::Slurm);
        product.kind = if manual { ProductKind::Vps } else { ProductKind::Basic };
    }
    for item in &mut other.order.items {
        item.attempts += 1_000;
        item.failed_of = (item.status == ItemStatus::Failed).then_some(ErrorCategory::Configuration);
    }
    other
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn conditions_on_steps_forward_never_bar_cancelling(
        start in any::<Dice>(),
        steps in prop::collection::vec(any::<Dice>(), 0..25),
    ) {
        let people = everybody();
        let mut placed = some_order(start);
        for dice in steps {
            let (actor, command) = (somebody(&people, dice[0]), some_command(&placed, dice));
            // Refused or not: wherever the order stands then.
            let _ = placed.tries(&actor, &command);
            let other = turned_round(&placed);
            for viewer in people.iter().filter(|viewer| **viewer != anna_agent()) {
                assert_eq!(ways_out(&placed, viewer), ways_out(&other, viewer), "{}", placed.status());
            }
        }
    }
}
