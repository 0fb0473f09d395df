//! The rules that are easy to get wrong, one sentence each.

use domain::{
    actor::Actor,
    event::EventKind,
    order::{Command, InvoiceState, ItemStatus, Outcome, ProductKind, ResourceState, Transition},
    refusal::{Block, Refusal},
    workflow::{Category, Guard},
};

use crate::build::{
    Placed, admin, an_order, anna_agent, approver, assignee, bare, carla, cleo_csr, failure, manager,
    provider, staff, support, worker,
};

/// A cloud order of 10 EUR that is paid and at work in `provisioning`.
fn provisioning() -> Placed {
    let mut placed = an_order("cloud").placed_by(&carla());
    placed.does(&carla(), "submit").is_paid(1000);
    placed.does(&worker(), "validate").does(&worker(), "provision");
    placed
}

#[test]
fn a_retry_returns_to_the_failed_stage_and_keeps_the_old_attempt() {
    let mut placed = provisioning();
    placed.fails(&worker(), "no space");
    assert_eq!(placed.status(), "failed");
    assert!(placed.order.head.completed_at.is_some());
    let failed = placed.order.attempts[0].clone();
    assert_eq!((failed.outcome, failed.stage.as_str()), (Outcome::Failed, "provisioning"));
    assert_eq!(failed.failure, Some(failure("no space")));

    placed.does(&provider(), "retry");
    assert_eq!(placed.status(), "provisioning");
    assert_eq!(placed.order.head.completed_at, None);
    assert_eq!(placed.order.attempts[0], failed, "the old attempt is untouched");
    let second = &placed.order.attempts[1];
    assert_eq!((second.number, second.outcome, second.failure.as_ref()), (2, Outcome::Running, None));

    placed.does(&worker(), "fulfill");
    let outcomes: Vec<_> = placed.order.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Succeeded]);
    assert_eq!(placed.order.items[0].status, ItemStatus::Active);
}

#[test]
fn an_order_that_failed_while_validating_is_validated_again() {
    let mut placed = an_order("cloud").placed_by(&carla());
    placed.does(&carla(), "submit").is_paid(1000).does(&worker(), "validate");
    placed.fails(&worker(), "wrong region").does(&manager(), "retry");
    assert_eq!(placed.status(), "validating");
}

#[test]
fn an_order_that_came_in_failed_is_retried_from_the_first_stage() {
    let mut placed = an_order("cloud").admitted("failed", 0);
    placed.does(&staff(), "retry");
    assert_eq!(placed.status(), "validating");
    assert_eq!(placed.order.attempts.len(), 1);
}

#[test]
fn hosting_accepts_the_ticked_items_and_leaves_the_others_pending() {
    let mut placed = an_order("hosting").twice().placed_by(&carla());
    let items = Some(vec![placed.order.items[1].id]);
    placed.commands(&staff(), Command::Transition(Transition { items, ..bare("accept") }));
    let states: Vec<_> = placed.order.items.iter().map(|item| item.status).collect();
    assert_eq!(states, [ItemStatus::Pending, ItemStatus::Provisioning]);
    assert_eq!(placed.order.attempts.len(), 1);
    assert_eq!(placed.status(), "active");
}

#[test]
fn what_was_terminated_stays_terminated_when_the_order_is_reset() {
    let mut placed = an_order("hosting").twice().admitted("active", 0);
    placed.order.items[1].status = ItemStatus::Pending;
    placed.does(&staff(), "cancel").does(&staff(), "reset_to_pending");
    let states: Vec<_> = placed.order.items.iter().map(|item| item.status).collect();
    assert_eq!(states, [ItemStatus::Terminated, ItemStatus::Pending]);
    assert_eq!((placed.status(), placed.order.head.completed_at), ("pending", None));
}

#[test]
fn a_consumer_cancels_hosting_while_nothing_of_it_is_in_use_and_staff_at_any_time() {
    let mut placed = an_order("hosting").placed_by(&carla());
    placed.order.items[0].status = ItemStatus::Active;
    let refusal = placed.refuses(&carla(), "cancel");
    assert_eq!(refusal, Refusal::GuardFailed(Block::Guard(Guard::NothingActive)));
    placed.does(&staff(), "cancel");
    assert_eq!(placed.order.items[0].status, ItemStatus::Terminated);
    assert_eq!(placed.order.invoice.as_ref().map(|i| i.state), Some(InvoiceState::Cancelled));
}

#[test]
fn a_marketplace_order_without_consumer_approval_starts_further_along() {
    let order = || an_order("marketplace").without_consumer_approval();
    let placed = order().placed_by(&carla());
    assert_eq!(placed.status(), "pending_provider");
    assert_eq!(placed.last_events(2), ["CREATED", "STATUS_CHANGED"]);
    assert_eq!(placed.events[1].actor, None, "nobody approved");

    let placed = order().without_provider_approval().placed_by(&carla());
    assert_eq!(placed.status(), "executing");
    assert_eq!(placed.order.attempts.len(), 1);
    assert_eq!(placed.resource(), Some(ResourceState::Creating));
}

#[test]
fn of_several_products_each_has_to_do_without_an_approval() {
    let mut basket = an_order("marketplace").without_consumer_approval().and_another();
    let stubborn = basket.facts.products.get_mut(&crate::build::other_product()).expect("it is there");
    stubborn.needs_consumer_approval = true;
    assert_eq!(basket.placed_by(&carla()).status(), "pending_consumer");
}

#[test]
fn a_consumer_may_not_approve_their_own_order_but_may_withdraw_it() {
    let mut placed = an_order("marketplace").placed_by(&carla());
    assert_eq!(placed.refuses(&carla(), "approve").code(), "NOT_PERMITTED");
    placed.does_because(&carla(), "reject", "a mistake");
    assert_eq!((placed.status(), placed.order.head.category), ("rejected", Category::Cancelled));
    let event = placed.events.last().expect("an event");
    assert_eq!((event.reason.as_deref(), event.reason_public), (Some("a mistake"), true));
}

#[test]
fn a_worker_may_complete_a_slurm_order_and_people_too() {
    for (kind, actor) in [
        (ProductKind::Slurm, worker()),
        (ProductKind::Slurm, manager()),
        (ProductKind::Basic, provider()),
        (ProductKind::Vps, worker()),
        (ProductKind::Vps, Actor::System),
    ] {
        let mut placed = an_order("marketplace").of_kind(kind).placed_by(&carla());
        placed.does(&approver(), "approve").does(&manager(), "approve").does(&actor, "complete");
        assert_eq!(placed.status(), "done", "{}", kind.name());
        assert_eq!(placed.order.items[0].status, ItemStatus::Active);
    }
}

#[test]
fn only_a_machine_completes_what_a_machine_carries_out() {
    let mut placed = an_order("marketplace").of_kind(ProductKind::Vps).placed_by(&carla());
    placed.does(&approver(), "approve").does(&provider(), "approve");
    let manual = Refusal::GuardFailed(Block::Guard(Guard::ManualOffering));
    for actor in [admin(), staff(), provider(), manager()] {
        assert_eq!(placed.refuses(&actor, "complete"), manual);
    }
}

#[test]
fn a_free_move_demands_what_the_named_action_into_the_status_demands() {
    let mut placed = an_order("delivery").placed_by(&carla());
    let to = |to: &str, reason: Option<&str>| {
        let (to, reason) = (Some(to.to_owned()), reason.map(str::to_owned));
        Command::Transition(Transition { to, reason, ..bare("set_status") })
    };
    let no_agent = Refusal::GuardFailed(Block::Guard(Guard::AgentAssigned));
    assert_eq!(placed.refuses_to(&staff(), &to("in_transit", None)), no_agent);
    for status in ["failed", "cancelled"] {
        assert_eq!(placed.refuses_to(&cleo_csr(), &to(status, None)).code(), "MISSING_REASON");
        assert_eq!(placed.refuses_to(&cleo_csr(), &to(status, Some("  "))).code(), "MISSING_REASON");
    }
    for nowhere in ["pending", "unheard_of", ""] {
        let refusal = placed.refuses_to(&staff(), &to(nowhere, None));
        assert!(matches!(refusal, Refusal::Validation { path, .. } if path == ["to"]), "{nowhere}");
    }
    placed.commands(&staff(), Command::AssignAgent(Some(assignee(&anna_agent()))));
    placed
        .commands(&staff(), to("in_transit", None))
        .commands(&cleo_csr(), to("failed", Some("nobody home")));
    assert_eq!(placed.status(), "failed");
    assert_eq!(placed.refuses_to(&anna_agent(), &to("delivered", None)).code(), "NOT_PERMITTED");
}

#[test]
fn no_row_is_taken_in_bulk_alone_by_somebody_with_one_order() {
    let placed = an_order("hosting").placed_by(&carla());
    let input = Transition { to: Some("active".to_owned()), ..bare("set_status") };
    assert_eq!(placed.refuses_to(&admin(), &Command::Transition(input)).code(), "ILLEGAL_TRANSITION");
}

#[test]
fn a_deleted_order_refuses_staff_and_does_not_exist_for_anybody_else() {
    let mut placed = an_order("cloud").placed_by(&carla());
    placed.order.head.deleted_at = Some(placed.order.head.created_at);
    for actor in [admin(), staff(), Actor::System] {
        assert_eq!(placed.refuses(&actor, "cancel"), Refusal::GuardFailed(Block::Deleted));
    }
    for actor in [support(), cleo_csr(), provider(), worker(), approver(), carla()] {
        assert_eq!(placed.refuses(&actor, "cancel"), Refusal::NotFound { what: "order" });
    }
}

#[test]
fn a_move_is_refused_with_what_would_be_possible_and_in_words_the_viewer_knows() {
    let mut placed = provisioning();
    let refusal = placed.refuses(&carla(), "cancel");
    let Refusal::IllegalTransition { from, allowed, .. } = refusal else { panic!("{refusal:?}") };
    assert_eq!((from.as_str(), allowed.len()), ("processing", 0));
    let refusal = placed.refuses(&worker(), "retry");
    let Refusal::IllegalTransition { from, allowed, .. } = refusal else { panic!("{refusal:?}") };
    assert_eq!((from.as_str(), allowed), ("provisioning", vec!["fulfill".to_owned(), "fail".to_owned()]));
    placed.fails(&worker(), "no space");
    let refusal = placed.refuses(&worker(), "retry");
    assert_eq!(refusal, Refusal::NotPermitted { action: "retry".to_owned(), allowed: Vec::new() });
}

#[test]
fn an_order_keeps_one_number_of_ten_digits_and_says_who_changed_it_when() {
    let placed = provisioning();
    assert_eq!(placed.order.head.number.to_string().len(), 10);
    let told: Vec<_> =
        placed.events.iter().map(|e| (e.kind, e.action.as_deref().unwrap_or(""), e.actor)).collect();
    assert_eq!(
        told,
        [
            (EventKind::Created, "", carla().user()),
            (EventKind::StatusChanged, "submit", carla().user()),
            (EventKind::Payment, "", staff().user()),
            (EventKind::StatusChanged, "confirm_payment", None),
            (EventKind::StatusChanged, "validate", worker().user()),
            (EventKind::StatusChanged, "provision", worker().user()),
        ]
    );
    assert!(placed.events.is_sorted_by_key(|event| event.at));
}

#[test]
fn an_order_that_is_finished_with_stays_completed_when_it_is_put_away() {
    let mut placed = an_order("commerce").placed_by(&carla());
    placed.does(&carla(), "cancel");
    let completed = placed.order.head.completed_at;
    placed.does(&staff(), "close").does(&staff(), "archive");
    assert_eq!(placed.order.head.completed_at, completed);
    assert!(!placed.order.head.listed());
}

#[test]
fn a_failure_of_an_order_that_came_in_at_work_is_not_lost() {
    let mut placed = an_order("marketplace").admitted("executing", 0);
    placed.fails(&worker(), "no space");
    let failures: Vec<_> = placed.order.attempts.iter().map(|a| (a.number, a.failure.clone())).collect();
    assert_eq!(failures, [(1, Some(failure("no space")))]);
    assert_eq!(placed.order.items[0].status, ItemStatus::Failed);
}

#[test]
fn only_those_who_take_orders_may_keep_what_a_customer_paid() {
    let mut placed = an_order("marketplace").placed_by(&carla());
    placed.does(&approver(), "approve").is_paid(1000);
    let reject = Command::Transition(Transition {
        keep_credit: true,
        reason: Some("no capacity".to_owned()),
        ..bare("reject")
    });
    let refusal = placed.refuses_to(&provider(), &reject);
    assert!(
        matches!(refusal, Refusal::NotPermitted { ref action, .. } if action == "keep_credit"),
        "{refusal}"
    );
    placed.commands(&staff(), reject);
    assert_eq!(placed.order.head.paid, 1000);
}

#[test]
fn a_free_move_does_what_the_named_action_does() {
    let mut placed = an_order("delivery").placed_by(&staff());
    let to = |status: &str| {
        let to = Some(status.to_owned());
        Command::Transition(Transition { to, reason: Some("told so".to_owned()), ..bare("set_status") })
    };
    placed.commands(&staff(), to("delivered"));
    assert_eq!(placed.order.items[0].status, ItemStatus::Active);
}

#[test]
fn items_are_named_only_where_an_action_works_line_by_line() {
    let placed = an_order("commerce").placed_by(&staff());
    let items = Some(vec![placed.order.items[0].id]);
    let refusal = placed.refuses_to(&staff(), &Command::Transition(Transition { items, ..bare("ship") }));
    assert!(matches!(refusal, Refusal::Validation { ref path, .. } if path == &["items"]), "{refusal}");
}

#[test]
fn a_reset_gives_up_what_was_coming_into_being() {
    let mut placed = an_order("hosting").placed_by(&staff());
    placed.does(&staff(), "accept");
    assert_eq!(placed.resource(), Some(ResourceState::Creating));
    placed.does(&staff(), "reset_to_pending");
    assert_eq!(placed.resource(), Some(ResourceState::Terminated));
    placed.does(&staff(), "accept");
    assert_eq!(placed.resource(), Some(ResourceState::Creating));
}
