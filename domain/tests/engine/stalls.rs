//! Orders that rest: told once for each stay in a status, to those who see inside.

use chrono::{TimeDelta, Utc};
use domain::{
    event::{Audience, EventKind},
    mint::Mint,
    order::{Order, Rest, Sight, Watch, rest, sight},
};

use crate::build::{Placed, an_order, carla, provider, staff};

/// Looks at the order so many minutes after its last change of status.
fn look(placed: &Placed, order: &Order, minutes: i64) -> Rest {
    let at = order.head.status_changed_at + TimeDelta::minutes(minutes) + TimeDelta::milliseconds(1);
    rest(order, &placed.workflow, &mut Mint::new(at.with_timezone(&Utc), [9; 32]))
}

fn validating() -> Placed {
    let mut placed = an_order("cloud").priced(0).placed_by(&carla());
    placed.does(&carla(), "submit").does(&staff(), "validate");
    placed
}

#[test]
fn an_order_that_rests_for_too_long_is_told_once_for_each_stay() {
    let mut placed = validating();
    let due = placed.order.head.status_changed_at + TimeDelta::minutes(30);
    assert_eq!(placed.order.head.stalls_at, Some(due));
    assert!(matches!(look(&placed, &placed.order, 29), Rest::Until(Some(until)) if until == due));
    let Rest::Stalled(decision) = look(&placed, &placed.order, 30) else { panic!("it has stalled") };
    let (before, after) = (&placed.order.head, &decision.after().head);
    assert_eq!((after.version, after.stalls_at), (before.version + 1, None));
    assert_eq!((&after.status, after.status_changed_at), (&before.status, before.status_changed_at));
    let [event] = decision.events() else { panic!("one event") };
    let told = (event.kind, event.audience, event.actor);
    assert_eq!(told, (EventKind::Stalled, Audience::Provider, None));
    assert_eq!(event.before, event.after);
    assert!(matches!(look(&placed, decision.after(), 90), Rest::Until(None)), "not told twice");
    placed.does(&staff(), "provision");
    assert!(matches!(look(&placed, &placed.order, 30), Rest::Stalled(_)), "another stay");
}

#[test]
fn what_has_stalled_is_told_to_those_who_see_inside() {
    let placed = validating();
    let Rest::Stalled(decision) = look(&placed, &placed.order, 30) else { panic!("it has stalled") };
    for (actor, expected) in
        [(staff(), Sight::Changed), (provider(), Sight::Changed), (carla(), Sight::Nothing)]
    {
        let watch = Watch { grants: actor.grants(), user: actor.user(), ..Watch::default() };
        assert_eq!(sight(&watch, &decision.events()[0]), expected, "{actor:?}");
    }
}

#[test]
fn an_order_that_may_rest_or_is_deleted_or_moved_on_is_left_alone() {
    let draft = an_order("cloud").priced(0).placed_by(&carla());
    assert_eq!(draft.order.head.stalls_at, None, "drafts may rest");
    let mut order = draft.order.clone();
    order.head.stalls_at = Some(order.head.status_changed_at);
    assert!(matches!(look(&draft, &order, 1_000_000), Rest::Until(None)), "it was only looked at");
    let mut placed = validating();
    placed.order.head.deleted_at = Some(placed.order.head.updated_at);
    assert!(matches!(look(&placed, &placed.order, 31), Rest::Until(None)));
}

#[test]
fn a_workflow_that_grew_more_patient_is_waited_for() {
    let mut placed = validating();
    for status in &mut placed.workflow.statuses {
        status.stalls_after_min = status.stalls_after_min.map(|minutes| minutes + 10);
    }
    let later = placed.order.head.status_changed_at + TimeDelta::minutes(40);
    assert!(matches!(look(&placed, &placed.order, 31), Rest::Until(Some(until)) if until == later));
}
