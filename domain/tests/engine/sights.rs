//! Lists stay true: somebody who keeps a list by the events alone has what the list would show now.

use std::collections::BTreeSet;

use domain::{
    actor::{Actor, Reach},
    event::{Event, EventKind},
    id::{OrderId, TypedId},
    order::{Command, Filter, Sight, Watch, sight},
    permission::Field,
    role::{Role, RoleSet},
    workflow::Category,
};
use proptest::prelude::*;

use crate::{
    build::{
        Placed, an_order, anna_agent, arne_agent, assignee, buyer, carla, cleo_csr, currency, cyril_csr,
        everybody, id, mint, northern, other_buyer, southern, staff, user,
    },
    walk::{Dice, pick, some_basket, some_command, somebody},
};

/// A filter on some of the columns.
pub fn some_filter(dice: [u8; 12]) -> Filter {
    let list = |die: u8| die & 3 == 0;
    let statuses =
        ["draft", "processing", "validating", "pending", "executing", "cancelled", "archived", "done"];
    Filter {
        workflow: list(dice[0])
            .then(|| vec![pick(&["cloud", "marketplace", "delivery"], dice[0] >> 2).to_owned()]),
        status: list(dice[1])
            .then(|| [dice[1] >> 2, dice[2], dice[3]].map(|die| pick(&statuses, die).to_owned()).to_vec()),
        category: list(dice[4])
            .then(|| [dice[4] >> 2, dice[5]].map(|die| pick(&Category::ALL, die)).to_vec()),
        customer: (dice[6] & 15 == 0).then(|| vec![pick(&[buyer(), other_buyer()], dice[6] >> 4)]),
        provider: (dice[7] & 15 == 0).then(|| vec![pick(&[northern(), southern()], dice[7] >> 4)]),
        csr: list(dice[8]).then(|| vec![user(&pick(&[cleo_csr(), cyril_csr()], dice[8] >> 2))]),
        agent: list(dice[9]).then(|| vec![user(&pick(&[anna_agent(), arne_agent()], dice[9] >> 2))]),
        currency: (dice[10] & 15 == 0).then(|| currency(pick(&["EUR", "USD"], dice[10] >> 4))),
        deleted: dice[11] & 7 == 0,
        ..Filter::default()
    }
}

/// Deletes or restores an order, as the write path will: no rule of the engine does so yet.
pub fn delete_or_restore(placed: &mut Placed) {
    let before = placed.order.head.facet(&placed.workflow);
    let mut mint = mint(placed.minute + 1);
    let head = &mut placed.order.head;
    let kind = if head.deleted_at.is_none() { EventKind::Deleted } else { EventKind::Restored };
    head.deleted_at = head.deleted_at.is_none().then(|| mint.now());
    head.version += 1;
    let after = head.facet(&placed.workflow);
    let last = placed.events.last().expect("an order has events").clone();
    let (before, after) = (Some(before), Some(after));
    let event = Event { id: mint.id(), version: head.version, kind, before, after, ..last };
    placed.events.push(event);
    placed.minute += 1;
}

/// Keeps a list by what events mean, and checks that they never say what makes no sense.
fn follow(list: &mut BTreeSet<OrderId>, watch: &Watch, event: &Event) {
    match sight(watch, event) {
        Sight::Created => {
            assert_eq!(event.kind, EventKind::Created);
            assert!(list.insert(event.order), "created twice");
        }
        Sight::Entered => assert!(list.insert(event.order), "entered what it was in"),
        Sight::Left | Sight::Removed => assert!(list.remove(&event.order), "left what it was not in"),
        Sight::Changed => assert!(list.contains(&event.order), "changed outside the list"),
        Sight::Nothing => {}
    }
}

/// What the list would show now: scope, then filter.
pub fn listed(orders: &[Placed], actor: &Actor, filter: &Filter) -> BTreeSet<OrderId> {
    let shown = orders.iter().filter(|placed| {
        let head = &placed.order.head;
        let standing = actor.standing(&head.parties, head.deleted_at.is_some());
        !standing.is_empty() && filter.matches(&head.facet(&placed.workflow), standing)
    });
    shown.map(|placed| placed.order.head.id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_list_kept_by_events_is_the_list(
        starts in prop::collection::vec(any::<Dice>(), 1..5),
        steps in prop::collection::vec((any::<u8>(), any::<Dice>()), 0..50),
        filters in prop::collection::vec(any::<[u8; 12]>(), 1..4),
    ) {
        let people = everybody();
        let mut log: Vec<Event> = Vec::new();
        let mut orders = Vec::new();
        for (n, start) in starts.iter().enumerate() {
            let mut basket = some_basket(*start);
            basket.minute = n as u64 * 1_000;
            let placed = basket.placed_by(&carla());
            log.extend(placed.events.iter().cloned());
            orders.push(placed);
        }
        for (which, dice) in &steps {
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
        for actor in &people {
            for filter in filters.iter().map(|dice| some_filter(*dice)).chain([Filter::default()]) {
                let watch = watching(actor, filter.clone());
                let mut list = BTreeSet::new();
                log.iter().for_each(|event| follow(&mut list, &watch, event));
                prop_assert_eq!(list, listed(&orders, actor, &filter), "{:?} {:?}", actor, filter);
            }
        }
    }
}

/// Where what somebody reaches does not depend on who it is, neither does what an event means: that is why
/// equal subscriptions of different people can share their messages.
#[test]
fn who_placed_an_order_makes_no_difference_to_whoever_sees_it_anyway() {
    let mut own = an_order("delivery").placed_by(&staff());
    own.commands(&staff(), Command::AssignCsr(Some(assignee(&cleo_csr()))));
    for actor in everybody() {
        let watch = watching(&actor, Filter::default());
        if watch.grants.iter().any(|grant| grant.reach.is_personal()) {
            continue;
        }
        let anyone = Watch { user: None, ..watch.clone() };
        for event in &own.events {
            assert_eq!(sight(&watch, event), sight(&anyone, event), "{actor:?}");
        }
    }
    let creator = RoleSet::of(&[Role::Creator]);
    assert!(Field::ALL.into_iter().all(|field| !field.shows(creator)));
}

fn watching(actor: &Actor, filter: Filter) -> Watch {
    Watch { grants: actor.grants(), user: actor.user(), filter, ..Watch::default() }
}

#[test]
fn an_order_is_in_every_set_that_is_said_of_it_and_in_no_other() {
    let placed = an_order("cloud").placed_by(&carla());
    let parties = placed.order.head.parties;
    let said: Vec<_> = Reach::of(&parties).collect();
    assert!(said.iter().all(|reach| reach.holds(&parties)), "{said:?}");
    let reaches = everybody().into_iter().flat_map(|actor| actor.grants());
    for reach in reaches.map(|grant| grant.reach).filter(|reach| reach.holds(&parties)) {
        assert!(said.contains(&reach), "{reach:?}");
    }
}

#[test]
fn some_orders_and_their_statuses_alone_can_be_watched() {
    let mut placed = an_order("delivery").placed_by(&carla());
    placed.commands(&staff(), Command::AssignCsr(Some(assignee(&cleo_csr()))));
    let seen = |watch: &Watch| placed.events.iter().map(|event| sight(watch, event)).collect::<Vec<_>>();
    let all = watching(&staff(), Filter::default());
    assert_eq!(seen(&all), [Sight::Created, Sight::Changed]);
    let statuses = Watch { statuses_only: true, ..all.clone() };
    assert_eq!(seen(&statuses), [Sight::Created, Sight::Nothing]);
    let this = Watch { orders: Some(vec![placed.order.head.id]), ..all.clone() };
    assert_eq!(seen(&this), seen(&all));
    let none = Watch { orders: Some(Vec::new()), ..all };
    assert_eq!(seen(&none), [Sight::Nothing; 2]);
}

#[test]
fn whoever_loses_an_order_is_told_that_it_left_and_whoever_gets_it_that_it_entered() {
    let mut placed = an_order("delivery").placed_by(&carla());
    let assign = |csr: &Actor| Command::AssignCsr(Some(assignee(csr)));
    placed.commands(&staff(), assign(&cleo_csr())).commands(&staff(), assign(&cyril_csr()));
    let seen_by = |actor: &Actor| -> Vec<Sight> {
        let watch = Watch { grants: actor.grants(), user: actor.user(), ..Watch::default() };
        placed.events.iter().map(|event| sight(&watch, event)).collect()
    };
    assert_eq!(seen_by(&cleo_csr()), [Sight::Created, Sight::Changed, Sight::Left]);
    assert_eq!(seen_by(&cyril_csr()), [Sight::Created, Sight::Left, Sight::Entered]);
    assert_eq!(seen_by(&carla()), [Sight::Created, Sight::Nothing, Sight::Nothing]);
    assert_eq!(seen_by(&anna_agent()), [Sight::Nothing; 3]);
}

#[test]
fn a_move_between_statuses_that_look_the_same_is_nothing_to_the_buyer() {
    let mut placed = an_order("cloud").priced(0).placed_by(&carla());
    placed.does(&carla(), "submit").does(&staff(), "validate").does(&staff(), "provision");
    let filter = Filter { status: Some(vec!["processing".to_owned()]), ..Filter::default() };
    let watch = Watch { grants: carla().grants(), user: carla().user(), filter, ..Watch::default() };
    let seen: Vec<_> = placed.events.iter().map(|event| sight(&watch, event)).collect();
    assert_eq!(seen[seen.len() - 2..], [Sight::Entered, Sight::Nothing]);
    let internal = Filter { status: Some(vec!["validating".to_owned()]), ..Filter::default() };
    let watch = Watch { filter: internal, ..watch };
    assert!(placed.events.iter().all(|event| sight(&watch, event) == Sight::Nothing));
}

#[test]
fn ids_of_the_test_company_are_apart() {
    let all: BTreeSet<_> = everybody().iter().filter_map(Actor::user).collect();
    assert_eq!(all.len() + 1, everybody().len());
    assert_ne!(id::<OrderId>(1).to_string(), format!("{}_", OrderId::PREFIX));
}
