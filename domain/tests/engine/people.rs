//! Who looks after whom, over the whole table; who is what where; and what a change of rights is.

use std::collections::BTreeSet;

use domain::{
    actor::Actor,
    id::OrganizationId,
    people::{MOST_OFFERINGS, OrganizationKind, RightsChange, RightsDetail, Seat, address, seat, step_down},
    permission::{Duty, OrganizationScope, colleagues, duty_scope},
    refusal::Refusal,
    role::Role,
};

use crate::build::{
    admin, approver, buyer, everybody, id, member, northern, operator, other_approver, other_buyer,
    other_product, other_provider, product, provider, southern,
};

/// The same person behind a service token.
fn narrowed(actor: &Actor) -> Actor {
    let Actor::User(mut person) = actor.clone() else { return Actor::System };
    person.only = Some(BTreeSet::from(["fulfill".to_owned()]).into());
    Actor::User(person)
}

/// The owner of one organisation each.
fn owners() -> [(Actor, OrganizationId); 4] {
    [
        (provider(), northern()),
        (other_provider(), southern()),
        (approver(), buyer()),
        (other_approver(), other_buyer()),
    ]
}

#[test]
fn an_administrator_has_every_duty_everywhere_an_owner_some_at_home_and_nobody_else_any() {
    for duty in Duty::ALL {
        for actor in everybody() {
            let home = owners().into_iter().find(|(owner, _)| *owner == actor).map(|(_, home)| home);
            let sells = [northern(), southern()];
            let expected = match (duty, home) {
                _ if actor == admin() => Some(OrganizationScope::Every),
                (Duty::FoundOrganizations | Duty::KeepAccounts, _) | (_, None) => None,
                (Duty::GiveServiceTokens, Some(home)) if !sells.contains(&home) => None,
                (_, Some(home)) => Some(OrganizationScope::Of(vec![home])),
            };
            assert_eq!(duty_scope(&actor, duty), expected, "{duty:?} {actor:?}");
            assert_eq!(duty_scope(&narrowed(&actor), duty), None, "a service token has none: {duty:?}");
        }
    }
}

#[test]
fn colleagues_see_each_other_the_operator_sees_everybody_and_machines_nobody() {
    let sees = |actor: &Actor| colleagues(actor);
    assert_eq!(sees(&admin()), Some(OrganizationScope::Every));
    assert_eq!(sees(&provider()), Some(OrganizationScope::Of(vec![northern()])));
    assert_eq!(sees(&approver()), Some(OrganizationScope::Of(vec![buyer()])));
    for actor in everybody() {
        assert_eq!(sees(&narrowed(&actor)).is_some(), actor == Actor::System, "{actor:?}");
    }
    let agent = member(1, operator(), Role::Agent, &[]);
    assert_eq!(sees(&agent), Some(OrganizationScope::Of(vec![operator()])));
}

#[test]
fn an_organisation_has_the_roles_of_its_kind_and_none_above_its_owners() {
    use OrganizationKind::{Company, Operator, Person, Provider};
    let roles = |kind| match kind {
        Operator => vec![Role::Admin, Role::Staff, Role::Support, Role::Csr, Role::Agent],
        Provider => vec![Role::Provider, Role::Manager],
        Company | Person => vec![Role::Approver, Role::Consumer],
    };
    for kind in OrganizationKind::ALL {
        assert_eq!(OrganizationKind::parse(kind.name()), Some(kind));
        for role in Role::ALL {
            let given = seat(kind, role, Vec::new());
            match roles(kind).contains(&role) {
                true => assert_eq!(given, Ok(Seat { role, offerings: vec![] })),
                false => assert_eq!(given.map_err(|no| no.code()), Err("VALIDATION"), "{kind:?} {role:?}"),
            }
        }
        // Whoever looks after an organisation can give no role that another kind of organisation has.
        let owner = member(1, northern(), kind.owner(), &[]);
        assert!(duty_scope(&owner, Duty::GiveMemberships).is_some());
        assert_eq!(roles(kind).first(), Some(&kind.owner()));
    }
}

#[test]
fn offerings_narrow_managers_alone_each_once_and_not_too_many() {
    let twice = vec![other_product(), product(), other_product()];
    let given = seat(OrganizationKind::Provider, Role::Manager, twice.clone()).expect("a seat");
    assert_eq!(given.offerings, [product(), other_product()]);
    let owner = seat(OrganizationKind::Provider, Role::Provider, twice);
    assert!(matches!(owner, Err(Refusal::Validation { path, .. }) if path == ["offerings"]));
    let many = (0..=MOST_OFFERINGS as u128).map(id).collect();
    assert!(seat(OrganizationKind::Provider, Role::Manager, many).is_err());
}

#[test]
fn the_last_owner_stays_and_the_last_administrator() {
    for kind in OrganizationKind::ALL {
        assert_eq!(step_down(kind, northern(), 1), Ok(()));
        let code = step_down(kind, northern(), 0).map_err(|refusal| refusal.code());
        let expected = if kind == OrganizationKind::Operator { "LAST_ADMIN" } else { "LAST_OWNER" };
        assert_eq!(code, Err(expected));
    }
    let told = step_down(OrganizationKind::Company, buyer(), 0).expect_err("a refusal").to_string();
    assert!(told.contains(&buyer().to_string()) && told.contains("`approver`"), "the way out: {told}");
}

#[test]
fn an_address_has_a_name_and_a_domain_and_is_kept_in_lower_case() {
    assert_eq!(address("email", " Ada.Lovelace@Example.TEST ").as_deref(), Ok("ada.lovelace@example.test"));
    let long = format!("{}@example.test", "a".repeat(200));
    for text in ["", "ada", "@example.test", "ada@", "a da@example.test", "a@b@c", "a\0@b.c", &long] {
        assert_eq!(address("email", text).map_err(|no| no.code()), Err("VALIDATION"), "{text:?}");
    }
}

#[test]
fn a_change_of_rights_is_read_as_it_was_noted() {
    let seat = |role| Some(Seat { role, offerings: vec![product()] });
    let membership = |before, after| RightsChange::Membership { organization: northern(), before, after };
    for (change, name) in [
        (membership(None, seat(Role::Manager)), "MEMBERSHIP_ADDED"),
        (membership(seat(Role::Manager), seat(Role::Provider)), "MEMBERSHIP_CHANGED"),
        (membership(seat(Role::Provider), None), "MEMBERSHIP_REMOVED"),
        (RightsChange::Disabled, "DISABLED"),
        (RightsChange::Enabled, "ENABLED"),
        (RightsChange::Erased, "ERASED"),
    ] {
        assert_eq!(change.name(), name);
        let kept = serde_json::to_string(&change.detail()).expect("JSON");
        let detail: RightsDetail = serde_json::from_str(&kept).expect("a detail");
        assert_eq!(RightsChange::read(name, detail), Some(change));
    }
    assert_eq!(RightsChange::read("OF_A_NEWER_PROGRAM", RightsDetail::default()), None);
}
