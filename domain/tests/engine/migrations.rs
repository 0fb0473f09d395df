//! Orders that are moved to another version of their workflow: only the words for where they stand change.

use chrono::TimeDelta;
use domain::{
    event::{Audience, EventKind},
    mint::Mint,
    order::{Decision, Order, Passage, Step, migrate},
    refusal::Refusal,
    workflow::{Category, Definition},
};

use crate::build::{Placed, admin, an_order, carla, mint, staff, workflow};

/// The next version of a workflow, with statuses renamed.
fn next(code: &str, renamed: &[(&str, &str)]) -> Definition {
    let mut next = workflow(code);
    next.version += 1;
    for status in &mut next.statuses {
        if let Some((_, new)) = renamed.iter().find(|(old, _)| *old == status.code) {
            // The face stays: buyers are not told of it.
            status.public_code.get_or_insert(status.code.clone());
            status.code = (*new).to_owned();
        }
    }
    next
}

fn steps(mapping: &[(&str, &str)]) -> Vec<Step> {
    mapping.iter().map(|(from, to)| Step { from: (*from).to_owned(), to: (*to).to_owned() }).collect()
}

fn moved(
    order: &Order,
    from: &Definition,
    to: &Definition,
    mapping: &[(&str, &str)],
) -> Result<Decision, Refusal> {
    let mapping = steps(mapping);
    migrate(order, Passage { from, to, mapping: &mapping }, admin().user(), &mut mint(500))
}

fn validating() -> Placed {
    let mut placed = an_order("cloud").priced(0).placed_by(&carla());
    placed.does(&carla(), "submit").does(&staff(), "validate");
    placed
}

#[test]
fn an_order_that_is_moved_keeps_everything_but_its_version_and_status() {
    let placed = validating();
    let mut new = next("cloud", &[("validating", "checking")]);
    // What may be provisioned may be checked.
    for row in &mut new.transitions {
        if let domain::workflow::Origin::Statuses(codes) = &mut row.from {
            codes
                .iter_mut()
                .filter(|code| *code == "validating")
                .for_each(|code| "checking".clone_into(code));
        }
    }
    let decision =
        moved(&placed.order, &placed.workflow, &new, &[("validating", "checking")]).expect("moved");
    let (before, after) = (&placed.order, decision.after());
    assert_eq!((after.head.status.as_str(), after.head.workflow_version), ("checking", 2));
    assert_eq!(after.attempts[0].stage, "checking", "the attempt goes on there");
    let mut as_before = after.clone();
    as_before.attempts.clone_from(&before.attempts);
    as_before.head = before.head.clone();
    assert_eq!(as_before, Order { notes: Vec::new(), ..before.clone() }, "no effect has run");
    assert_eq!(after.head.stalls_at, Some(after.head.status_changed_at + TimeDelta::minutes(30)));
    let [event] = decision.events() else { panic!("one event") };
    assert_eq!(
        (event.kind, event.audience, event.actor),
        (EventKind::StatusChanged, Audience::Provider, admin().user())
    );
    assert_eq!(event.action.as_deref(), Some("migrate"));
    assert_eq!((event.from.as_deref(), event.to.as_deref()), (Some("validating"), Some("checking")));
    let last = placed.events.last().expect("an event");
    assert_eq!(
        (event.before.as_ref(), event.version),
        (last.after.as_ref(), last.version + 1),
        "the chain is whole"
    );
    assert_eq!(event.after, Some(after.head.facet(&new)));
}

#[test]
fn buyers_are_told_when_what_they_see_changes() {
    let draft = an_order("cloud").priced(0).placed_by(&carla());
    let mut new = next("cloud", &[]);
    let told = |new: &Definition| {
        let decision = moved(&draft.order, &draft.workflow, new, &[]).expect("moved");
        let event = &decision.events()[0];
        (event.kind, event.audience, event.to.clone())
    };
    assert_eq!(told(&new), (EventKind::Updated, Audience::Provider, None));
    new.statuses[0].public_code = Some("basket".to_owned());
    assert_eq!(told(&new), (EventKind::Updated, Audience::Public, None));
}

#[test]
fn a_stay_goes_on_with_the_patience_of_the_new_version_and_is_not_told_twice() {
    let mut placed = validating();
    let mut new = next("cloud", &[]);
    for status in &mut new.statuses {
        status.stalls_after_min = status.stalls_after_min.map(|minutes| minutes + 10);
    }
    let since = placed.order.head.status_changed_at;
    let decision = moved(&placed.order, &placed.workflow, &new, &[]).expect("moved");
    assert_eq!(decision.after().head.status_changed_at, since);
    assert_eq!(decision.after().head.stalls_at, Some(since + TimeDelta::minutes(40)));
    placed.order.head.stalls_at = None;
    let decision = moved(&placed.order, &placed.workflow, &new, &[]).expect("moved");
    assert_eq!(decision.after().head.stalls_at, None, "that has been told");
}

#[test]
fn a_status_that_means_something_else_ends_the_order_or_has_it_go_on() {
    let mut placed = an_order("cloud").priced(0).placed_by(&carla());
    placed.does(&carla(), "cancel");
    let ended = placed.order.head.completed_at;
    assert!(ended.is_some());
    let mut new = next("cloud", &[]);
    let same = moved(&placed.order, &placed.workflow, &new, &[]).expect("moved");
    assert_eq!(same.after().head.completed_at, ended, "it ended when it ended");
    for status in new.statuses.iter_mut().filter(|status| status.code == "cancelled") {
        status.category = Category::Pending;
    }
    let open = moved(&placed.order, &placed.workflow, &new, &[]).expect("moved");
    assert_eq!((open.after().head.category, open.after().head.completed_at), (Category::Pending, None));
}

#[test]
fn who_cannot_go_stays() {
    let placed = validating();
    let (old, new) = (&placed.workflow, next("cloud", &[("validating", "checking")]));
    let refused = |order: &Order, mapping: &[(&str, &str)]| match moved(order, old, &new, mapping) {
        Err(Refusal::Validation { path, .. }) => path.join("."),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&placed.order, &[]), "mapping", "its status goes nowhere");
    assert_eq!(refused(&placed.order, &[("validating", "draft")]), "mapping", "nobody works on drafts");
    let mut elsewhere = placed.order.clone();
    elsewhere.head.workflow_version = 7;
    assert_eq!(refused(&elsewhere, &[("validating", "checking")]), "fromVersion");
    elsewhere.head.workflow_version = old.version as i32;
    elsewhere.head.workflow = "hosting".to_owned();
    assert_eq!(refused(&elsewhere, &[("validating", "checking")]), "fromVersion");
}

#[test]
fn every_fault_of_a_mapping_is_found_at_once_at_its_place() {
    let (old, new) = (workflow("cloud"), next("cloud", &[("validating", "checking"), ("failed", "broken")]));
    let faults = |mapping: &[(&str, &str)]| -> Vec<String> {
        let mapping = steps(mapping);
        let faults = Passage { from: &old, to: &new, mapping: &mapping }.faults();
        let place = |fault: Refusal| match fault {
            Refusal::Validation { path, message } => format!("{}: {message}", path.join(".")),
            other => panic!("{other:?}"),
        };
        faults.into_iter().map(place).collect()
    };
    assert_eq!(faults(&[("validating", "checking"), ("failed", "broken")]), [""; 0]);
    assert_eq!(
        faults(&[("failed", "gone"), ("failed", "broken"), ("unknown", "draft")]),
        [
            "mapping.0.to: version 2 has no status `gone`",
            "mapping.1.from: `failed` is named twice; say once where it goes",
            "mapping.2.from: version 1 has no status `unknown`",
            "mapping: version 2 has no status `validating`; say where its orders go",
        ]
    );
}

#[test]
fn there_and_back_is_where_it_was() {
    for code in ["cloud", "hosting", "marketplace", "delivery", "commerce"] {
        let placed = an_order(code).priced(0).placed_by(&carla());
        let new = next(code, &[]);
        let there = moved(&placed.order, &placed.workflow, &new, &[]).expect("moved");
        let mut back_mint = Mint::new(placed.order.head.updated_at, [3; 32]);
        let passage = Passage { from: &new, to: &placed.workflow, mapping: &[] };
        let back = migrate(there.after(), passage, None, &mut back_mint).expect("moved back");
        let head = &back.after().head;
        assert_eq!(head.version, placed.order.head.version + 2);
        assert_eq!(head.facet(&placed.workflow), placed.order.head.facet(&placed.workflow));
        assert_eq!(head.stalls_at, placed.order.head.stalls_at);
    }
}
