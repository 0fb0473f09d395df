//! From where orders begin, every status can be come to, one decision at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::{actor::Actor, order::Command, order::ProductKind};

use crate::{
    build::{Basket, Placed, an_order, anna_agent, carla, everybody},
    matrix::{moves, well_supplied},
};

/// What only a bulk command or a timer can come to: workflow, status, why. None so far; a status that
/// needs a line here needs a good reason too.
const ELSEWHERE: [(&str, &str, &str); 0] = [];

/// The status codes that somebody of these can bring an order to, with the action that came first.
fn reached(baskets: &[Basket], people: &[Actor]) -> BTreeMap<String, String> {
    let mut reached = BTreeMap::new();
    for basket in baskets {
        let mut start = basket.placed_by(&carla());
        start.order.head.parties.agent = anna_agent().user();
        let mut seen = BTreeSet::from([start.status().to_owned()]);
        reached.entry(start.status().to_owned()).or_insert_with(|| "place".to_owned());
        let mut open: VecDeque<Placed> = VecDeque::from([start]);
        while let Some(placed) = open.pop_front() {
            for (action, to) in moves(&placed) {
                for actor in people {
                    let mut next = placed.clone();
                    let command = Command::Transition(well_supplied(&placed, &action, to.as_deref()));
                    if next.tries(actor, &command).is_ok() && seen.insert(next.status().to_owned()) {
                        reached.entry(next.status().to_owned()).or_insert_with(|| action.clone());
                        open.push_back(next);
                    }
                }
            }
        }
    }
    reached
}

fn baskets(code: &str) -> Vec<Basket> {
    let order = || an_order(code);
    match code {
        "marketplace" => vec![order(), order().of_kind(ProductKind::Vps)],
        _ => vec![order()],
    }
}

#[test]
fn every_status_of_every_workflow_is_reached_by_ordinary_steps() {
    for code in ["cloud", "hosting", "marketplace", "delivery", "commerce"] {
        let reached: BTreeSet<_> = reached(&baskets(code), &everybody()).into_keys().collect();
        let elsewhere = ELSEWHERE.iter().filter(|(workflow, ..)| *workflow == code);
        let elsewhere: BTreeSet<_> = elsewhere.map(|(_, status, _)| (*status).to_owned()).collect();
        let all: BTreeSet<_> = an_order(code).workflow.statuses.into_iter().map(|s| s.code).collect();
        assert!(reached.is_disjoint(&elsewhere), "{code}: listed as out of reach, yet reached");
        assert_eq!(reached.union(&elsewhere).cloned().collect::<BTreeSet<_>>(), all, "{code}");
    }
}

#[test]
fn no_status_needs_an_administrator_and_orders_never_move_for_strangers() {
    let strangers = [crate::build::other_provider(), crate::build::other_approver()];
    let others: Vec<Actor> =
        everybody().into_iter().filter(|actor| *actor != crate::build::admin()).collect();
    for code in ["cloud", "hosting", "marketplace", "delivery", "commerce"] {
        let all = an_order(code).workflow.statuses.len();
        assert_eq!(reached(&baskets(code), &others).len(), all, "{code}");
        assert_eq!(reached(&baskets(code), &strangers).len(), 1, "{code}");
    }
}
