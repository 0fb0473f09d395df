//! What becomes of the resources that orders create, change and end.

use domain::order::{ItemStatus, OrderKind, ResourceState};

use crate::build::{Placed, a_resource, an_order, carla, staff, worker};

#[test]
fn a_resource_that_was_to_be_created_is_gone_after_a_failure_unless_the_backend_has_it() {
    let mut placed = an_order("cloud").priced(0).placed_by(&carla());
    placed.does(&carla(), "submit").does(&worker(), "validate");
    assert_eq!(placed.resource(), Some(ResourceState::Creating));
    let mut known = placed.clone();
    placed.fails(&worker(), "no space");
    assert_eq!(placed.resource(), Some(ResourceState::Terminated));
    known.order.resources[0].backend_id = Some("vm-7".to_owned());
    known.fails(&worker(), "no space");
    assert_eq!(known.resource(), Some(ResourceState::Erred));
    for mut order in [placed, known] {
        order.does(&staff(), "retry");
        assert_eq!(order.resource(), Some(ResourceState::Creating));
        order.fails(&worker(), "again").does_because(&staff(), "cancel_failed", "no use");
        assert_eq!(order.resource(), Some(ResourceState::Terminated));
    }
}

/// An order of this kind on a resource in use, at work.
fn at_work_on_a_resource(kind: OrderKind) -> Placed {
    let mut placed = an_order("cloud").priced(0).on_a_resource(kind).placed_by(&carla());
    assert_eq!(placed.resource(), Some(ResourceState::Ok));
    placed.does(&carla(), "submit").does(&worker(), "validate");
    placed
}

#[test]
fn a_resource_that_was_to_change_is_erred_after_a_failure_and_as_before_after_cancelling() {
    let mut placed = at_work_on_a_resource(OrderKind::Update);
    assert_eq!(placed.resource(), Some(ResourceState::Updating));
    placed.fails(&worker(), "no space");
    assert_eq!(placed.resource(), Some(ResourceState::Erred));
    placed.does(&staff(), "retry");
    assert_eq!(placed.resource(), Some(ResourceState::Updating));
    placed.fails(&worker(), "no space").does_because(&staff(), "cancel_failed", "no use");
    assert_eq!(placed.resource(), Some(ResourceState::Ok));
    assert_eq!(placed.order.items[0].status, ItemStatus::Cancelled);
}

#[test]
fn a_resource_that_was_to_end_is_in_use_after_a_failure_and_after_cancelling() {
    let mut placed = at_work_on_a_resource(OrderKind::Terminate);
    assert_eq!(placed.resource(), Some(ResourceState::Terminating));
    placed.fails(&worker(), "locked");
    assert_eq!(placed.resource(), Some(ResourceState::Ok));
    placed.does(&staff(), "retry");
    assert_eq!(placed.resource(), Some(ResourceState::Terminating));
    let mut done = placed.clone();
    placed.fails(&worker(), "locked").does_because(&staff(), "cancel_failed", "no use");
    assert_eq!(placed.resource(), Some(ResourceState::Ok));
    done.does(&worker(), "provision").does(&worker(), "fulfill");
    assert_eq!(done.resource(), Some(ResourceState::Terminated));
    assert_eq!(done.order.items[0].status, ItemStatus::Terminated);
}

#[test]
fn a_changed_resource_is_in_use_again() {
    let mut placed = at_work_on_a_resource(OrderKind::Update);
    placed.does(&worker(), "provision").does(&worker(), "fulfill");
    assert_eq!(placed.resource(), Some(ResourceState::Ok));
}

#[test]
fn cancelling_an_order_that_never_began_leaves_its_resource_alone() {
    let mut grown_up = a_resource();
    // Created at the second attempt: what it was before that order is nothing to this one.
    grown_up.previous_state = Some(ResourceState::Terminated);
    for kind in [OrderKind::Update, OrderKind::Terminate] {
        let mut placed = an_order("cloud").on(kind, grown_up.clone()).placed_by(&carla());
        placed.does(&carla(), "cancel");
        assert_eq!(placed.resource(), Some(ResourceState::Ok), "{}", kind.name());
    }
}

#[test]
fn a_resource_created_at_the_second_attempt_remembers_no_earlier_state() {
    let mut placed = an_order("cloud").priced(0).placed_by(&carla());
    placed.does(&carla(), "submit").does(&worker(), "validate").does(&worker(), "provision");
    placed.fails(&worker(), "no space").does(&staff(), "retry").does(&worker(), "fulfill");
    let resource = placed.order.resources[0].clone();
    assert_eq!((resource.state, resource.previous_state), (ResourceState::Ok, None));
}

#[test]
fn goods_have_no_resource() {
    let mut placed = an_order("commerce").placed_by(&carla());
    assert_eq!(placed.order.head.kind, OrderKind::Sale);
    placed.does(&staff(), "ship");
    assert_eq!(placed.resource(), None);
    assert_eq!(placed.order.items[0].status, ItemStatus::Active);
}
