//! Orders that leave: deleted and brought back, or removed for good.

use domain::{
    actor::Actor,
    event::{Audience, EventKind},
    order::{Command, InvoiceState, OrderNumber, Sight, Watch, sight},
    refusal::{Block, Refusal},
};

use crate::build::{Placed, admin, an_order, carla, everybody, provider, staff};

fn delete() -> Command {
    Command::Delete { reason: Some(" entered twice ".to_owned()) }
}

fn purge(placed: &Placed) -> Command {
    Command::Purge { number: placed.order.head.number }
}

fn deleted(code: &str) -> Placed {
    let mut placed = an_order(code).placed_by(&carla());
    placed.commands(&staff(), delete());
    placed
}

/// Who is not refused, by their place among everybody.
fn those_who_may(placed: &Placed, command: &Command) -> Vec<Actor> {
    everybody().into_iter().filter(|actor| placed.clone().tries(actor, command).is_ok()).collect()
}

#[test]
fn staff_delete_administrators_restore_and_purge_and_nobody_else() {
    let placed = an_order("cloud").placed_by(&carla());
    assert_eq!(those_who_may(&placed, &delete()), [admin(), staff(), Actor::System]);
    let placed = deleted("cloud");
    assert_eq!(those_who_may(&placed, &Command::Restore), [admin(), Actor::System]);
    assert_eq!(those_who_may(&placed, &purge(&placed)), [admin(), Actor::System]);
}

#[test]
fn a_deleted_order_refuses_everything_and_is_there_for_staff_alone() {
    let placed = deleted("cloud");
    let note = Command::AddNote { body: "hello".to_owned(), audience: Audience::Staff };
    for command in [note, delete()] {
        assert_eq!(placed.refuses_to(&admin(), &command), Refusal::GuardFailed(Block::Deleted));
        assert_eq!(placed.refuses_to(&carla(), &command), Refusal::NotFound { what: "order" });
        assert_eq!(placed.refuses_to(&provider(), &command), Refusal::NotFound { what: "order" });
    }
    assert_eq!(placed.refuses(&staff(), "submit"), Refusal::GuardFailed(Block::Deleted));
}

#[test]
fn an_order_that_comes_back_is_as_it_was() {
    let mut placed = an_order("cloud").placed_by(&carla());
    placed.does(&carla(), "submit");
    let before = placed.order.clone();
    placed.commands(&staff(), delete());
    assert!(placed.order.head.deleted_at.is_some());
    assert_eq!(placed.events.last().expect("an event").reason.as_deref(), Some("entered twice"));
    placed.commands(&admin(), Command::Restore);
    assert_eq!(placed.last_events(2), ["DELETED", "RESTORED"]);
    let mut after = placed.order.clone();
    after.head.version = before.head.version;
    after.head.updated_at = before.head.updated_at;
    assert_eq!(after, before);
    assert!(matches!(placed.refuses_to(&admin(), &Command::Restore), Refusal::IllegalTransition { .. }));
}

#[test]
fn an_order_that_is_worked_on_is_neither_deleted_nor_purged() {
    let mut placed = an_order("cloud").priced(0).placed_by(&carla());
    placed.does(&carla(), "submit").does(&staff(), "validate");
    assert_eq!(placed.refuses_to(&staff(), &delete()), Refusal::GuardFailed(Block::WorkUnderWay));
    placed.fails(&staff(), "no space");
    placed.commands(&staff(), delete());
    // Time to stall begins again when it comes back.
    assert_eq!(placed.order.head.stalls_at, None);
}

#[test]
fn an_order_is_purged_where_its_workflow_says_so_or_once_it_is_deleted() {
    let mut webspace = an_order("hosting").placed_by(&carla());
    assert_eq!(webspace.refuses_to(&admin(), &purge(&webspace)), Refusal::GuardFailed(Block::NotDeleted));
    webspace.does(&staff(), "cancel");
    assert!(matches!(webspace.refuses_to(&staff(), &purge(&webspace)), Refusal::NotPermitted { .. }));
    webspace.clone().commands(&admin(), purge(&webspace));
    let server = an_order("cloud").placed_by(&carla());
    assert_eq!(server.refuses_to(&admin(), &purge(&server)), Refusal::GuardFailed(Block::NotDeleted));
    assert!(matches!(server.refuses_to(&staff(), &purge(&server)), Refusal::NotPermitted { .. }));
}

#[test]
fn a_purge_wants_the_number_again_and_money_given_back() {
    let mut placed = an_order("hosting").placed_by(&carla());
    placed.is_paid(100).commands(&staff(), delete());
    assert_eq!(placed.refuses_to(&admin(), &purge(&placed)), Refusal::GuardFailed(Block::HoldsPayments));
    let other = Command::Purge { number: OrderNumber(placed.order.head.number.0 ^ 1) };
    let unpaid = deleted("hosting");
    let refused = unpaid.refuses_to(&admin(), &other);
    assert!(matches!(refused, Refusal::Validation { ref path, .. } if path == &["number"]), "{refused:?}");
}

#[test]
fn a_purge_is_the_last_event_and_leaves_nothing_behind_it() {
    let mut placed = deleted("hosting");
    placed.commands(&admin(), purge(&placed.clone()));
    let event = placed.events.last().expect("an event");
    assert_eq!((event.kind, event.after.clone()), (EventKind::Purged, None));
    assert_eq!(event.before, placed.events[placed.events.len() - 2].after);
    assert_eq!(placed.order.invoice.as_ref().map(|it| it.state), Some(InvoiceState::Cancelled));
}

#[test]
fn whoever_saw_an_order_is_told_when_it_leaves_and_whoever_still_does_sees_it_come_back() {
    let mut placed = deleted("hosting");
    placed.commands(&admin(), Command::Restore).does(&staff(), "cancel");
    placed.commands(&admin(), purge(&placed.clone()));
    let told = |actor: &Actor, deleted: bool| -> Vec<(EventKind, Sight)> {
        let mut watch = Watch { grants: actor.grants(), user: actor.user(), ..Watch::default() };
        watch.filter.deleted = deleted;
        let seen = placed.events.iter().map(|event| (event.kind, sight(&watch, event)));
        seen.filter(|(_, sight)| *sight != Sight::Nothing).collect()
    };
    let all = [
        (EventKind::Created, Sight::Created),
        (EventKind::Deleted, Sight::Removed),
        (EventKind::Restored, Sight::Entered),
        (EventKind::StatusChanged, Sight::Changed),
        (EventKind::Purged, Sight::Removed),
    ];
    for actor in [carla(), provider(), staff(), admin()] {
        assert_eq!(told(&actor, false), all, "{actor:?}");
    }
    let bin = [(EventKind::Deleted, Sight::Entered), (EventKind::Restored, Sight::Left)];
    assert_eq!(told(&admin(), true), bin);
    assert_eq!(told(&carla(), true), []);
}
