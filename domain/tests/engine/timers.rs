//! What time does to orders: they expire, and what was scheduled is taken, as they are at that moment.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Person},
    event::{Audience, Detail, Event, EventKind},
    id::UserId,
    mint::Mint,
    order::{Around, Command, Decision, Facts, Fired, Plan, fire},
    refusal::Refusal,
    workflow::Expires,
};

use crate::build::{
    Placed, an_order, bare, carl, carla, cleo_csr, day, payment, provider, staff, support, user,
};

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().expect("a moment")
}

/// Looks at the order, with expiry switched on.
fn look(placed: &Placed, at: &str, today: &str, makers: &[Actor]) -> Fired {
    look_with(placed, at, true, today, makers)
}

fn look_with(placed: &Placed, at: &str, expiry_enabled: bool, today: &str, makers: &[Actor]) -> Fired {
    let facts = Facts { today: day(today), expiry_enabled, ..placed.facts.clone() };
    let tomorrow = (day(today) + TimeDelta::days(1)).and_hms_opt(8, 0, 0).expect("a time").and_utc();
    let makers: HashMap<UserId, Actor> = makers.iter().map(|maker| (user(maker), maker.clone())).collect();
    let around = Around { workflow: &placed.workflow, facts: &facts, tomorrow, makers: &makers };
    fire(&placed.order, around, &mut Mint::new(moment(at), [5; 32]))
}

fn changed(fired: Fired) -> Decision {
    match fired {
        Fired::Changed(decision) => *decision,
        Fired::Quiet(timers) => panic!("nothing fired: {timers:?}"),
    }
}

/// When the order is to be looked at again.
fn expires_later(fired: Fired) -> Option<DateTime<Utc>> {
    match fired {
        Fired::Changed(decision) => panic!("{:?}", decision.events()),
        Fired::Quiet(timers) => timers.expires_at,
    }
}

/// Wanted until the tenth of March.
fn dated() -> Placed {
    let mut basket = an_order("commerce");
    basket.draft.expires_on = Some(day("2026-03-10"));
    basket.placed_by(&carla())
}

#[test]
fn an_order_expires_when_its_day_is_over_where_its_customer_is_and_only_if_orders_may() {
    let placed = dated();
    assert_eq!(placed.order.head.expires_at, Some(moment("2026-03-10T10:00:00Z")), "over in the first zone");
    let off = expires_later(look_with(&placed, "2026-03-12T00:00:00Z", false, "2026-03-12", &[]));
    assert_eq!(off, placed.order.head.expires_at, "it waits for the switch");
    let early = expires_later(look(&placed, "2026-03-10T10:00:00Z", "2026-03-10", &[]));
    assert_eq!(early, Some(moment("2026-03-11T08:00:00Z")), "its day goes on there");
    let far = expires_later(look(&placed, "2026-03-10T10:00:00Z", "2026-03-09", &[]));
    assert_eq!(far, Some(moment("2026-03-10T10:00:00Z")), "nor has it begun to end");
    let decision = changed(look(&placed, "2026-03-11T08:00:00Z", "2026-03-11", &[]));
    let [event] = decision.events() else { panic!("one event") };
    assert_eq!(
        (event.kind, event.action.as_deref(), event.actor),
        (EventKind::StatusChanged, Some("expire"), None)
    );
    assert_eq!(
        (decision.after().head.status.as_str(), decision.after().head.expires_at),
        ("cancelled", None)
    );
}

#[test]
fn whoever_was_faster_than_the_calendar_wins() {
    let mut shipped = dated();
    shipped.does(&staff(), "ship");
    assert_eq!(shipped.order.head.expires_at, None);
    let mut paid = dated();
    paid.commands(&staff(), payment(1_000, domain::order::PaymentMethod::Transfer));
    assert_eq!(
        expires_later(look(&paid, "2026-03-12T00:00:00Z", "2026-03-12", &[])),
        None,
        "it keeps its money"
    );
    let mut deleted = dated();
    deleted.order.head.deleted_at = Some(deleted.order.head.created_at);
    assert_eq!(expires_later(look(&deleted, "2026-03-12T00:00:00Z", "2026-03-12", &[])), None);
    let mut undated = dated();
    undated.order.head.expires_on = None;
    assert_eq!(expires_later(look(&undated, "2026-03-12T00:00:00Z", "2026-03-12", &[])), None);
}

#[test]
fn a_status_runs_out_by_the_action_that_its_workflow_names() {
    let mut basket = an_order("commerce");
    for status in basket.workflow.statuses.iter_mut().filter(|status| status.code == "shipped") {
        status.expires = Some(Expires { after_min: 90, action: "close".to_owned() });
    }
    for row in basket.workflow.transitions.iter_mut().filter(|row| row.action == "close") {
        row.by.insert(domain::role::Role::System);
    }
    let mut placed = basket.placed_by(&carla());
    assert_eq!(placed.order.head.expires_at, None);
    placed.does(&staff(), "ship");
    let due = placed.order.head.status_changed_at + TimeDelta::minutes(90);
    assert_eq!(placed.order.head.expires_at, Some(due));
    assert_eq!(expires_later(look(&placed, "2026-03-01T07:30:59Z", "2026-03-01", &[])), Some(due));
    let decision = changed(look(&placed, &due.to_rfc3339(), "2026-03-01", &[]));
    assert_eq!((decision.after().head.status.as_str(), decision.events()[0].actor), ("closed", None));
}

fn plan(action: &str, at: &str) -> Plan {
    Plan { action: action.to_owned(), at: moment(at), reason: None, to: None }
}

/// An open order that somebody wants shipped, or whatever, at noon.
fn scheduled(by: &Actor, action: &str) -> Placed {
    let mut placed = an_order("commerce").placed_by(&carla());
    placed.commands(by, Command::Schedule(plan(action, "2026-03-01T12:00:00Z")));
    placed
}

fn detail(event: &Event) -> (&str, Audience, Option<&str>) {
    match &event.detail {
        Some(Detail::Schedule { action, audience, refused, .. }) => (action, *audience, refused.as_deref()),
        other => panic!("no schedule: {other:?}"),
    }
}

#[test]
fn a_scheduled_action_is_taken_once_as_its_maker_and_says_so() {
    let placed = scheduled(&staff(), "ship");
    assert_eq!(placed.last_events(1), ["SCHEDULED"]);
    assert!(matches!(look(&placed, "2026-03-01T11:59:59Z", "2026-03-01", &[staff()]), Fired::Quiet(_)));
    let decision = changed(look(&placed, "2026-03-04T00:00:00Z", "2026-03-04", &[staff()]));
    let [event] = decision.events() else { panic!("one event") };
    assert_eq!((event.kind, event.actor), (EventKind::StatusChanged, staff().user()));
    assert_eq!(detail(event), ("ship", Audience::Provider, None));
    assert_eq!((decision.after().head.status.as_str(), decision.after().schedules.len()), ("shipped", 0));
}

#[test]
fn what_is_no_longer_possible_lapses_and_says_why() {
    let mut moved = scheduled(&staff(), "ship");
    moved.does(&carla(), "cancel");
    let demoted = Actor::User(Person { id: user(&staff()), memberships: Vec::new(), only: None });
    let helper = Actor::User(Person { id: user(&staff()), ..person(&support()) });
    for (placed, makers, code) in [
        (&moved, vec![staff()], "ILLEGAL_TRANSITION"),
        (&scheduled(&staff(), "ship"), vec![], "NOT_FOUND"),
        (&scheduled(&staff(), "ship"), vec![demoted], "NOT_FOUND"),
        (&scheduled(&staff(), "ship"), vec![helper], "NOT_PERMITTED"),
    ] {
        let decision = changed(look(placed, "2026-03-01T12:00:00Z", "2026-03-01", &makers));
        let [event] = decision.events() else { panic!("one event") };
        assert_eq!((event.kind, event.actor), (EventKind::Lapsed, None));
        assert_eq!(detail(event).2, Some(code));
        assert_eq!(decision.after().head.status, placed.order.head.status);
        assert_eq!(decision.after().schedules, []);
    }
}

fn person(actor: &Actor) -> Person {
    match actor {
        Actor::User(person) => person.clone(),
        Actor::System => panic!("nobody"),
    }
}

#[test]
fn only_what_could_be_taken_some_day_is_scheduled() {
    let placed = an_order("commerce").placed_by(&carla());
    let refused = |actor: &Actor, plan: Plan| placed.refuses_to(actor, &Command::Schedule(plan));
    let noon = "2026-03-01T12:00:00Z";
    let path = |refusal: Refusal| match refusal {
        Refusal::Validation { path, .. } => path.join("."),
        other => other.code().to_owned(),
    };
    for (actor, plan, expected) in [
        (staff(), plan("ship", "2026-03-01T06:01:00Z"), "at"),
        (staff(), plan("ship", "2031-03-01T06:01:01Z"), "at"),
        (staff(), plan("vanish", noon), "action"),
        (staff(), plan("expire", noon), "NOT_PERMITTED"),
        (carla(), plan("ship", noon), "NOT_PERMITTED"),
        (support(), plan("ship", noon), "NOT_PERMITTED"),
        (staff(), Plan { to: Some("closed".to_owned()), ..plan("ship", noon) }, "to"),
    ] {
        assert_eq!(path(refused(&actor, plan.clone())), expected, "{actor:?} {plan:?}");
    }
    let Refusal::NotPermitted { allowed, .. } = refused(&carla(), plan("ship", noon)) else {
        panic!("refused")
    };
    assert_eq!(allowed, ["cancel"]);
    let cloud = an_order("cloud").placed_by(&carla());
    let failing = cloud.refuses_to(&staff(), &Command::Schedule(plan("fail", noon)));
    assert_eq!(path(failing), "action", "nobody knows an error beforehand");
    let unsaid = cloud.refuses_to(&staff(), &Command::Schedule(plan("cancel_failed", noon)));
    assert_eq!(unsaid.code(), "MISSING_REASON");
    let parcel = an_order("delivery").placed_by(&carla());
    let chosen = parcel.refuses_to(&staff(), &Command::Schedule(plan("set_status", noon)));
    assert_eq!(path(chosen), "to");
}

#[test]
fn at_most_twenty_actions_wait_on_one_order() {
    let mut placed = scheduled(&staff(), "ship");
    for _ in 1..20 {
        placed.commands(&staff(), Command::Schedule(plan("close", "2026-03-02T12:00:00Z")));
    }
    let more = placed.refuses_to(&staff(), &Command::Schedule(plan("close", "2026-03-02T12:00:00Z")));
    assert!(more.to_string().contains("at most 20"), "{more}");
}

#[test]
fn a_schedule_is_called_off_by_its_maker_or_whoever_looks_after_the_order() {
    let placed = scheduled(&carla(), "cancel");
    let id = placed.order.schedules[0].id;
    assert_eq!(detail(placed.events.last().expect("an event")).1, Audience::Public);
    assert_eq!(placed.refuses_to(&provider(), &Command::Unschedule(id)).code(), "NOT_PERMITTED");
    for actor in [carla(), staff(), cleo_csr()] {
        let mut placed = placed.clone();
        placed.commands(&actor, Command::Unschedule(id));
        assert_eq!((placed.last_events(1), placed.order.schedules.len()), (vec!["UNSCHEDULED"], 0));
        assert_eq!(placed.refuses_to(&actor, &Command::Unschedule(id)).code(), "NOT_FOUND");
    }
    let inside = scheduled(&staff(), "ship");
    let hidden = inside.refuses_to(&carla(), &Command::Unschedule(inside.order.schedules[0].id));
    assert_eq!(hidden.code(), "NOT_FOUND", "what is kept inside is not there for a buyer");
    assert_eq!(inside.refuses_to(&carl(), &Command::Transition(bare("cancel"))).code(), "NOT_FOUND");
}
