//! Reads and writes agree on who is somebody on an order.

use domain::{
    actor::{Actor, Membership, Parties, Person},
    id::{ProductId, UserId},
    role::{Role, RoleSet},
};
use proptest::prelude::*;

use crate::build::id;

/// Memberships that can be stored; relations and the system cannot.
const HELD: [Role; 10] = [
    Role::Admin,
    Role::Staff,
    Role::Support,
    Role::Csr,
    Role::Provider,
    Role::Manager,
    Role::Worker,
    Role::Approver,
    Role::Consumer,
    Role::Agent,
];

fn a_user() -> impl Strategy<Value = UserId> {
    (1..4_u128).prop_map(id)
}

fn a_membership() -> impl Strategy<Value = Membership> {
    let offerings = prop::collection::vec((20..23_u128).prop_map(id::<ProductId>), 0..3);
    (1..4_u128, 0..Role::ALL.len(), offerings).prop_map(|(org, role, offerings)| Membership {
        organization: id(org),
        role: Role::ALL[role],
        offerings,
    })
}

fn an_actor() -> impl Strategy<Value = Actor> {
    let memberships = prop::collection::vec(a_membership(), 0..4);
    let person = (a_user(), memberships)
        .prop_map(|(id, memberships)| Actor::User(Person { id, memberships, only: None }));
    prop_oneof![20 => person, 1 => Just(Actor::System)]
}

fn some_parties() -> impl Strategy<Value = Parties> {
    let offering = prop::option::of((20..23_u128).prop_map(id));
    let user = || prop::option::of(a_user());
    (1..4_u128, offering, 1..4_u128, user(), user(), user()).prop_map(
        |(provider, offering, customer, creator, csr, agent)| Parties {
            provider: id(provider),
            offering,
            customer: id(customer),
            creator,
            csr,
            agent,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_order_is_reached_exactly_by_who_has_standing_on_it(actor in an_actor(), parties in some_parties()) {
        let reaching: Vec<_> = actor.grants().into_iter().filter(|grant| grant.reach.holds(&parties)).collect();
        let standing = actor.standing(&parties, false);
        prop_assert_eq!(reaching.is_empty(), standing.is_empty());

        let roles = reaching.iter().fold(RoleSet::EMPTY, |roles, grant| roles.union(grant.roles));
        let creator = RoleSet::of(&[Role::Creator]);
        prop_assert_eq!(standing.minus(creator), roles, "no role from anywhere but grants");
        let made_it = !standing.is_empty() && actor.user().is_some() && actor.user() == parties.creator;
        prop_assert_eq!(standing.has(Role::Creator), made_it);
        prop_assert_eq!(standing.has(Role::System), actor == Actor::System);

        let deleted = actor.standing(&parties, true);
        let keeps = RoleSet::of(&[Role::Admin, Role::Staff, Role::System]);
        prop_assert_eq!(deleted, if standing.meets(keeps) { standing } else { RoleSet::EMPTY });
    }

    #[test]
    fn relations_come_from_the_order_and_roles_from_the_organisation(actor in an_actor(), parties in some_parties()) {
        let standing = actor.standing(&parties, false);
        let Actor::User(person) = &actor else { return Ok(()) };
        let holds = |role: Role, test: &dyn Fn(&Membership) -> bool| {
            person.memberships.iter().any(|membership| membership.role == role && test(membership))
        };
        let provides = |m: &Membership| m.organization == parties.provider;
        let buys = |m: &Membership| m.organization == parties.customer;
        let offers = |m: &Membership| parties.offering.is_some_and(|offering| m.offerings.contains(&offering));
        let own = parties.creator == Some(person.id);
        for (role, expected) in [
            (Role::Admin, holds(Role::Admin, &|_| true)),
            (Role::Staff, holds(Role::Staff, &|_| true)),
            (Role::Support, holds(Role::Support, &|_| true)),
            (Role::Csr, holds(Role::Csr, &|_| parties.csr.is_none() || parties.csr == Some(person.id))),
            (Role::AssignedCsr, holds(Role::Csr, &|_| parties.csr == Some(person.id))),
            (Role::AssignedAgent, holds(Role::Agent, &|_| parties.agent == Some(person.id))),
            (Role::Agent, holds(Role::Agent, &|_| parties.agent == Some(person.id))),
            (Role::Provider, holds(Role::Provider, &provides)),
            (Role::Manager, holds(Role::Manager, &|m| provides(m) && offers(m))),
            (Role::Worker, holds(Role::Worker, &|m| provides(m) && (m.offerings.is_empty() || offers(m)))),
            (Role::Approver, holds(Role::Approver, &buys)),
            (Role::Consumer, holds(Role::Approver, &buys) || holds(Role::Consumer, &|m| buys(m) && own)),
        ] {
            prop_assert_eq!(standing.has(role), expected, "{:?}", role);
        }
    }
}

#[test]
fn a_membership_in_a_relation_or_as_the_system_reaches_nothing() {
    for role in Role::ALL.into_iter().filter(|role| !HELD.contains(role)) {
        let memberships = vec![Membership { organization: id(1), role, offerings: vec![id(20)] }];
        assert!(
            Actor::User(Person { id: id(1), memberships, only: None }).grants().is_empty(),
            "{}",
            role.name()
        );
    }
}
