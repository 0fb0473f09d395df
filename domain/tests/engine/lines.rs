//! Single lines: delivered, failed and begun again by hand, and what workers are handed for them.

use domain::{
    actor::Actor,
    event::Detail,
    id::ItemId,
    order::{
        Command, Hold, InputsState, InvoiceState, ItemStatus, Line, LineInputs, OrderKind, Outcome,
        ProductKind, ResourceState, Sealed, Transition, Work,
    },
    refusal::{Block, Refusal},
    workflow::Guard,
};

use crate::build::{
    Placed, a_resource, an_order, approver, bare, carla, cleo_csr, failure, id, manager, other_provider,
    provider, staff, support, worker,
};

/// A hosting order of two lines, accepted with both.
fn accepted() -> Placed {
    let mut placed = an_order("hosting").twice().placed_by(&carla());
    placed.does(&staff(), "accept");
    placed
}

fn item(placed: &Placed, n: usize) -> ItemId {
    placed.order.items[n].id
}

fn provisioned(item: ItemId) -> Command {
    Command::Line(Line::Provisioned { item, backend_id: Some("account-7".to_owned()) })
}

fn failed(item: ItemId) -> Command {
    Command::Line(Line::Failed { item, failure: failure("no space"), backend_id: None })
}

fn retry(item: ItemId) -> Command {
    Command::Line(Line::Retry { item, inputs: None, overrides: false, reason: None })
}

fn sealed(n: u128) -> Sealed {
    Sealed { id: id(n), text: format!("key.{n}") }
}

fn statuses(placed: &Placed) -> Vec<ItemStatus> {
    placed.order.items.iter().map(|item| item.status).collect()
}

#[test]
fn one_failed_line_leaves_the_others_and_the_orders_status_as_they_are() {
    let mut placed = accepted();
    let (first, second) = (item(&placed, 0), item(&placed, 1));
    placed.commands(&provider(), failed(first)).commands(&staff(), provisioned(second));
    assert_eq!(statuses(&placed), [ItemStatus::Failed, ItemStatus::Active]);
    assert_eq!(placed.status(), "active");
    assert_eq!(placed.last_events(2), ["UPDATED", "UPDATED"]);
    let detail = Detail::Attempt { id: placed.order.attempts[1].id };
    assert_eq!(placed.events.last().expect("an event").detail, Some(detail));
    placed.commands(&manager(), retry(first));
    let numbers: Vec<_> = placed
        .order
        .attempts
        .iter()
        .filter(|it| it.item == first)
        .map(|it| (it.number, it.outcome))
        .collect();
    assert_eq!(numbers, [(1, Outcome::Failed), (2, Outcome::Running)]);
    placed.commands(&worker(), provisioned(first));
    assert_eq!(statuses(&placed), [ItemStatus::Active; 2]);
    assert!(placed.order.resources.iter().all(|it| it.backend_id.as_deref() == Some("account-7")));
}

#[test]
fn only_who_works_for_the_operator_or_the_provider_tells_of_lines() {
    let placed = accepted();
    let first = item(&placed, 0);
    for command in [provisioned(first), failed(first)] {
        for actor in [carla(), approver(), support(), cleo_csr()] {
            assert_eq!(placed.refuses_to(&actor, &command).code(), "NOT_PERMITTED", "{actor:?}");
        }
        assert_eq!(placed.refuses_to(&other_provider(), &command), Refusal::NotFound { what: "order" });
        for actor in [staff(), provider(), manager(), worker(), Actor::System] {
            placed.decided(&actor, &command).expect("it is allowed");
        }
    }
}

#[test]
fn what_is_not_failed_is_not_begun_again_and_what_nobody_works_on_is_not_reported() {
    let mut placed = accepted();
    let first = item(&placed, 0);
    assert_eq!(placed.refuses_to(&staff(), &retry(first)).code(), "VALIDATION");
    placed.commands(&staff(), provisioned(first));
    for command in [retry(first), provisioned(first), failed(first)] {
        let refusal = placed.refuses_to(&staff(), &command);
        assert!(refusal.to_string().contains("ACTIVE"), "{refusal}");
    }
    assert_eq!(placed.refuses_to(&staff(), &retry(id(9))), Refusal::NotFound { what: "line" });
    placed.does(&staff(), "cancel");
    assert_eq!(placed.refuses_to(&staff(), &retry(first)).code(), "ILLEGAL_TRANSITION");
}

#[test]
fn a_line_that_was_left_out_is_begun_later_but_not_before_its_order_is() {
    let mut placed = an_order("hosting").twice().placed_by(&carla());
    let (first, second) = (item(&placed, 0), item(&placed, 1));
    assert_eq!(placed.refuses_to(&staff(), &retry(first)).code(), "VALIDATION");
    let items = Some(vec![first]);
    placed.commands(&staff(), Command::Transition(Transition { items, ..bare("accept") }));
    placed.commands(&staff(), retry(second));
    assert_eq!(statuses(&placed), [ItemStatus::Provisioning; 2]);
}

#[test]
fn a_worker_leaves_alone_what_a_claim_is_on_and_people_end_it() {
    let mut placed = accepted();
    placed.commands(&worker(), Command::Work(Work::Claim { lease: chrono::TimeDelta::minutes(60) }));
    let claimed = placed.order.attempts.iter().find(|it| it.claim.is_some()).expect("a claim").clone();
    let refusal = placed.refuses_to(&worker(), &provisioned(claimed.item));
    assert_eq!(refusal.code(), "ATTEMPT_CLAIMED");
    placed.commands(&staff(), failed(claimed.item));
    let hold = Hold { attempt: claimed.id, fence: claimed.fence };
    let late = Command::Work(Work::Succeed { hold, backend_id: None });
    assert_eq!(placed.refuses_to(&worker(), &late), Refusal::LeaseLost);
}

#[test]
fn where_a_workflow_ends_with_its_last_line_the_last_report_moves_the_order() {
    let mut placed = an_order("cloud").twice().priced(0).placed_by(&carla());
    placed.does(&carla(), "submit").does(&worker(), "validate");
    let (first, second) = (item(&placed, 0), item(&placed, 1));
    assert_eq!(placed.refuses_to(&staff(), &provisioned(first)).code(), "ILLEGAL_TRANSITION");
    placed.does(&worker(), "provision").commands(&staff(), provisioned(first));
    assert_eq!(placed.status(), "provisioning");
    placed.commands(&staff(), failed(second));
    assert_eq!(
        (placed.status(), statuses(&placed)),
        ("failed", vec![ItemStatus::Active, ItemStatus::Failed])
    );
    let mut machines = an_order("marketplace").of_kind(ProductKind::Vps).placed_by(&carla());
    machines.does(&approver(), "approve").does(&provider(), "approve");
    let refusal = machines.refuses_to(&staff(), &provisioned(item(&machines, 0)));
    assert_eq!(refusal, Refusal::GuardFailed(Block::Guard(Guard::ManualOffering)));
}

#[test]
fn a_failure_that_leaves_something_at_the_backend_leaves_an_erred_resource() {
    let mut placed = accepted();
    let first = item(&placed, 0);
    let left =
        Line::Failed { item: first, failure: failure("half done"), backend_id: Some("vm-1".to_owned()) };
    placed.commands(&worker(), Command::Line(left));
    assert_eq!(placed.resource(), Some(ResourceState::Erred));
}

#[test]
fn inputs_wait_sealed_for_the_worker_that_claims_and_are_destroyed_with_the_attempt() {
    let mut placed = an_order("hosting").twice().placed_by(&carla());
    let (first, second) = (item(&placed, 0), item(&placed, 1));
    let inputs =
        vec![LineInputs { item: first, sealed: sealed(1) }, LineInputs { item: second, sealed: sealed(2) }];
    placed.commands(&staff(), Command::Transition(Transition { inputs, ..bare("accept") }));
    let states = |placed: &Placed| placed.order.attempts.iter().map(|it| it.inputs).collect::<Vec<_>>();
    assert_eq!(states(&placed), [Some(InputsState::Sealed); 2]);
    placed.commands(&worker(), Command::Work(Work::Claim { lease: chrono::TimeDelta::minutes(60) }));
    assert_eq!(states(&placed), [Some(InputsState::Read), Some(InputsState::Sealed)]);
    placed.commands(&staff(), failed(second));
    assert_eq!(states(&placed), [Some(InputsState::Read), Some(InputsState::Destroyed)]);
    assert!(!format!("{placed:?}").contains("key."), "what is sealed is not shown");
}

#[test]
fn inputs_that_nobody_would_read_are_refused() {
    let placed = an_order("hosting").twice().placed_by(&carla());
    let (first, second) = (item(&placed, 0), item(&placed, 1));
    let line = |item, n| LineInputs { item, sealed: sealed(n) };
    let accept = |items: Option<Vec<ItemId>>, inputs| {
        Command::Transition(Transition { items, inputs, ..bare("accept") })
    };
    for wrong in [
        accept(Some(vec![first]), vec![line(second, 1)]),
        accept(None, vec![line(first, 1), line(first, 2)]),
        accept(None, vec![line(id(9), 1)]),
        Command::Transition(Transition { inputs: vec![line(first, 1)], ..bare("cancel") }),
    ] {
        assert_eq!(placed.refuses_to(&staff(), &wrong).code(), "VALIDATION");
    }
    let mut bought = an_order("marketplace").without_provider_approval().placed_by(&carla());
    let inputs = vec![line(item(&bought, 0), 1)];
    let approve = Command::Transition(Transition { inputs, ..bare("approve") });
    assert_eq!(bought.refuses_to(&approver(), &approve).code(), "VALIDATION", "buyers have none to give");
    bought.commands(&staff(), approve);
}

#[test]
fn fraud_and_reset_leave_nothing_running() {
    for action in ["mark_fraud", "reset_to_pending"] {
        let mut placed = accepted();
        placed.commands(&staff(), provisioned(item(&placed, 0))).does_because(
            &staff(),
            action,
            "stolen card",
        );
        assert!(placed.order.attempts.iter().all(|it| it.outcome != Outcome::Running), "{action}");
        assert_eq!(placed.order.attempts[1].outcome, Outcome::Abandoned);
        assert_eq!(placed.order.resources[1].state, ResourceState::Terminated);
    }
}

#[test]
fn an_order_that_was_cancelled_reset_and_accepted_again_has_a_fresh_invoice() {
    let mut placed = an_order("hosting").placed_by(&carla());
    let first = placed.order.invoice.clone().expect("an invoice");
    placed.does(&staff(), "cancel").does(&staff(), "reset_to_pending");
    assert_eq!(placed.order.invoice.as_ref().map(|it| it.state), Some(InvoiceState::Cancelled));
    placed.does(&staff(), "accept");
    let fresh = placed.order.invoice.clone().expect("an invoice");
    assert_eq!(fresh.state, InvoiceState::Open);
    assert_ne!((fresh.id, &fresh.number), (first.id, &first.number));
}

#[test]
fn a_resource_is_held_by_one_order_until_that_has_finished_with_it() {
    let other = domain::id::OrderId(uuid::Uuid::from_u128(77));
    let mut busy = a_resource();
    busy.held_by = Some(other);
    for kind in [OrderKind::Update, OrderKind::Terminate] {
        let refusal = an_order("cloud").on(kind, busy.clone()).try_place(&carla()).expect_err("it is busy");
        let path = ["lines", "0", "resource"].map(str::to_owned).to_vec();
        assert_eq!(refusal, Refusal::ResourceBusy { path, order: Some(other) });
        let mut placed = an_order("cloud").priced(0).on_a_resource(kind).placed_by(&carla());
        assert!(placed.order.items[0].holds);
        placed.does(&carla(), "submit").does(&worker(), "validate").fails(&worker(), "no space");
        assert!(placed.order.items[0].holds, "a failed order may be retried");
        let mut done = placed.clone();
        done.does(&staff(), "retry").does(&worker(), "provision").does(&worker(), "fulfill");
        placed.does_because(&staff(), "cancel_failed", "no use");
        assert!([done, placed].iter().all(|order| !order.order.items[0].holds));
    }
    let mut again = an_order("hosting").on(OrderKind::Update, a_resource()).placed_by(&carla());
    again.does(&staff(), "cancel");
    again.order.resources[0].held_by = Some(other);
    let refusal = again.refuses(&staff(), "reset_to_pending");
    assert_eq!(refusal, Refusal::ResourceBusy { path: Vec::new(), order: Some(other) });
    let twice = an_order("cloud").on(OrderKind::Update, a_resource()).twice();
    let mut basket = twice;
    basket.draft.lines[1].resource = Some(a_resource());
    assert_eq!(basket.try_place(&carla()).expect_err("one line works on it").code(), "VALIDATION");
}
