//! Counts stay true: from any point of the log, in either direction, the counts that events move are those
//! that counting anew gives.

use std::collections::{BTreeMap, HashMap};

use domain::{
    actor::Actor,
    event::{Event, Facet},
    id::OrderId,
    order::{Filter, Seen, Tally},
    permission::Field,
    role::{Role, RoleSet},
};
use proptest::prelude::*;

use crate::{
    build::{Placed, an_order, carla, everybody, staff, worker},
    sights::{delete_or_restore, listed, some_filter},
    walk::{Dice, some_basket, some_command, somebody},
};

/// Several orders by several people, and the log of it.
fn told(starts: &[Dice], steps: &[(u8, Dice)]) -> (Vec<Placed>, Vec<Event>) {
    let people = everybody();
    let (mut orders, mut log) = (Vec::new(), Vec::new());
    for (n, start) in starts.iter().enumerate() {
        let mut basket = some_basket(*start);
        basket.minute = n as u64 * 1_000;
        let placed = basket.placed_by(&carla());
        log.extend(placed.events.iter().cloned());
        orders.push(placed);
    }
    for (which, dice) in steps {
        let n = usize::from(*which) % orders.len();
        let placed = &mut orders[n];
        let known = placed.events.len();
        if which / 16 == 15 {
            delete_or_restore(placed);
        } else {
            let (actor, command) = (somebody(&people, dice[0]), some_command(placed, *dice));
            let _refused = placed.tries(&actor, &command).is_err();
        }
        log.extend(placed.events[known..].iter().cloned());
    }
    (orders, log)
}

/// What the counts are once these events have happened, counted anew.
fn counted(log: &[Event], actor: &Actor, filter: &Filter) -> BTreeMap<Seen, i64> {
    let mut orders: HashMap<OrderId, &Facet> = HashMap::new();
    for event in log {
        orders.insert(event.order, event.after.as_ref().expect("orders stay"));
    }
    let mut counts = BTreeMap::new();
    for facet in orders.into_values() {
        let standing = actor.standing(&facet.parties, facet.deleted);
        if !standing.is_empty() && filter.matches(facet, standing) {
            let internal = Field::InternalStatus.shows(standing);
            let status = if internal { &facet.status } else { &facet.public_status };
            let seen = Seen { workflow: facet.workflow.clone(), status: status.clone() };
            *counts.entry(seen).or_default() += 1;
        }
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_moved_by_events_are_the_counts(
        starts in prop::collection::vec(any::<Dice>(), 1..5),
        steps in prop::collection::vec((any::<u8>(), any::<Dice>()), 0..40),
        filters in prop::collection::vec(any::<[u8; 12]>(), 1..4),
        from in any::<prop::sample::Index>(),
    ) {
        let (orders, log) = told(&starts, &steps);
        let from = from.index(log.len() + 1);
        for actor in everybody() {
            for filter in filters.iter().map(|dice| some_filter(*dice)).chain([Filter::default()]) {
                let begun = counted(&log[..from], &actor, &filter);
                let mut tally = Tally::new(actor.grants(), filter.clone(), begun.clone());
                for (n, event) in log.iter().enumerate().skip(from) {
                    let before = tally.counts().clone();
                    let changed = tally.advance(event);
                    prop_assert_eq!(changed, before != *tally.counts());
                    prop_assert_eq!(tally.counts(), &counted(&log[..=n], &actor, &filter), "{:?}", actor);
                }
                let shown = listed(&orders, &actor, &filter).len();
                prop_assert_eq!(tally.total(), shown as i64, "{:?} {:?}", actor, filter);
                log[from..].iter().rev().for_each(|event| {
                    tally.rewind(event);
                });
                prop_assert_eq!(tally.counts(), &begun, "back again: {:?}", actor);
            }
        }
    }
}

#[test]
fn a_move_that_buyers_do_not_see_moves_no_count_of_theirs() {
    let mut placed = an_order("cloud").priced(0).placed_by(&carla());
    placed.does(&carla(), "submit").does(&staff(), "validate").does(&staff(), "provision");
    let numbers = |actor: &Actor| -> Vec<(String, i64)> {
        let mut tally = Tally::new(actor.grants(), Filter::default(), []);
        let moves = placed.events.iter().map(|event| tally.advance(event)).collect::<Vec<_>>();
        assert_eq!(moves.last(), Some(&(actor == &worker())), "provisioning looks like validating");
        tally.counts().iter().map(|(seen, count)| (seen.status.clone(), *count)).collect()
    };
    assert_eq!(numbers(&carla()), [("processing".to_owned(), 1)]);
    assert_eq!(numbers(&worker()), [("provisioning".to_owned(), 1)]);
}

#[test]
fn who_placed_an_order_sees_it_no_better_for_that() {
    // A tally is shared by all who have the same grants: the relation must open nothing that it counts by.
    let creator = RoleSet::of(&[Role::Creator]);
    assert!(!Field::InternalStatus.shows(creator) && !Field::Assignments.shows(creator));
}
