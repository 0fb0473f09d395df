//! Who may place, admit, assign and annotate: what no workflow says.

use std::sync::Arc;

use domain::{
    actor::Actor,
    event::Audience,
    order::{Command, Order, PaymentMethod, Subject, available_actions},
    permission::{OrganizationScope, may_reset_passwords, token_scope},
    refusal::Refusal,
};

use crate::{
    build::{
        Basket, admin, an_order, anna_agent, approver, assignee, bare, carl, carla, cleo_csr, eur, everybody,
        northern, other_approver, other_provider, payment, provider, staff, support, worker,
    },
    limits::fault,
};

#[test]
fn fees_discounts_and_agents_are_for_the_desk_to_set() {
    type Change = fn(&mut Basket);
    let set: [(&str, Change); 3] = [
        ("deliveryFee", |basket| basket.draft.delivery_fee = Some(eur(1))),
        ("deliveryAgent", |basket| basket.draft.agent = Some(assignee(&anna_agent()))),
        ("lines.0.discount", |basket| basket.draft.lines[0].discount = Some(eur(1))),
    ];
    for (path, change) in set {
        for actor in [carla(), approver()] {
            assert_eq!(fault(&actor, change).as_deref(), Some(path));
        }
        for actor in [admin(), staff(), cleo_csr(), Actor::System] {
            assert_eq!(fault(&actor, change), None, "{path}");
        }
    }
}

#[test]
fn orders_are_placed_by_the_customers_members_and_by_the_desk() {
    for actor in [admin(), staff(), cleo_csr(), approver(), carla(), carl(), Actor::System] {
        assert_eq!(fault(&actor, |_| {}), None, "{actor:?}");
    }
    for actor in [support(), provider(), worker(), anna_agent(), other_approver()] {
        assert_eq!(fault(&actor, |_| {}).as_deref(), Some("NOT_FOUND"), "{actor:?}");
    }
}

#[test]
fn an_order_is_assigned_to_who_does_that_work_and_only_once() {
    let csr = |actor: &Actor| Command::AssignCsr(Some(assignee(actor)));
    let agent = |actor: &Actor| Command::AssignAgent(Some(assignee(actor)));
    let mut placed = an_order("delivery").placed_by(&carla());
    for somebody in [carla(), provider(), anna_agent(), support()] {
        let refusal = placed.refuses_to(&staff(), &csr(&somebody));
        assert!(matches!(refusal, Refusal::Validation { path, .. } if path == ["csr"]));
    }
    for somebody in [carla(), staff(), cleo_csr()] {
        let refusal = placed.refuses_to(&staff(), &agent(&somebody));
        assert!(matches!(refusal, Refusal::Validation { path, .. } if path == ["agent"]));
    }
    placed.commands(&staff(), csr(&cleo_csr())).commands(&cleo_csr(), agent(&anna_agent()));
    assert_eq!(placed.refuses_to(&staff(), &csr(&cleo_csr())).code(), "VALIDATION");
    assert_eq!(placed.refuses_to(&cleo_csr(), &Command::AssignCsr(None)).code(), "NOT_PERMITTED");
    placed.commands(&staff(), Command::AssignCsr(None)).commands(&staff(), Command::AssignAgent(None));
    assert_eq!((placed.order.head.parties.csr, placed.order.head.parties.agent), (None, None));
}

#[test]
fn notes_are_written_by_who_reads_that_audience() {
    let placed = an_order("cloud").admitted("validating", 0);
    let note = |audience| Command::AddNote { body: "noted".to_owned(), audience };
    for actor in [admin(), staff(), support(), cleo_csr()] {
        for audience in Audience::ALL {
            assert!(placed.decided(&actor, &note(audience)).is_ok(), "{actor:?} {audience:?}");
        }
    }
    for audience in [Audience::Provider, Audience::Public] {
        assert!(placed.decided(&provider(), &note(audience)).is_ok());
    }
    assert_eq!(placed.refuses_to(&provider(), &note(Audience::Staff)).code(), "NOT_PERMITTED");
    for audience in Audience::ALL {
        assert_eq!(placed.refuses_to(&approver(), &note(audience)).code(), "NOT_PERMITTED");
    }
}

/// A worker that may take these actions alone.
fn only(actions: &[&str]) -> Actor {
    let Actor::User(mut person) = worker() else { unreachable!("a worker is somebody") };
    person.only = Some(Arc::new(actions.iter().map(|action| (*action).to_owned()).collect()));
    Actor::User(person)
}

#[test]
fn a_service_token_takes_the_actions_that_it_names_and_is_offered_no_other() {
    let placed = an_order("cloud").admitted("provisioning", 0);
    let offered = |actor: &Actor| {
        let Order { head, items, .. } = &placed.order;
        let subject = Subject { head, items, facts: &placed.facts };
        let rights = actor.rights(&head.parties, false);
        let offers = available_actions(&placed.workflow, subject, rights).into_iter();
        offers.map(|offer| offer.action).collect::<Vec<_>>()
    };
    assert_eq!(offered(&worker()), ["fulfill", "fail"]);
    assert_eq!(offered(&only(&["fulfill", "cancel"])), ["fulfill"]);
    assert_eq!(offered(&only(&[])), Vec::<String>::new());
    assert!(placed.decided(&only(&["fulfill"]), &Command::Transition(bare("fulfill"))).is_ok());
    let allowed = vec!["fulfill".to_owned()];
    let refused = Refusal::NotPermitted { action: "fail".to_owned(), allowed };
    assert_eq!(placed.refuses(&only(&["fulfill"]), "fail"), refused);
    let unpaid = an_order("cloud").admitted("pending_payment", 0);
    let refusal = unpaid.refuses(&only(&["fulfill", "cancel"]), "cancel");
    assert_eq!(refusal.code(), "NOT_PERMITTED", "a name is no right");
    assert_eq!(placed.refuses(&only(&["validate"]), "validate").code(), "ILLEGAL_TRANSITION");
}

/// The same account with the rights of somebody else: what narrows holds whatever the role.
fn narrowed(actor: &Actor) -> Actor {
    let (Actor::User(mut person), Actor::User(robot)) = (actor.clone(), only(&["fulfill"])) else {
        unreachable!("people are people")
    };
    person.only = robot.only;
    Actor::User(person)
}

#[test]
fn a_service_token_writes_nothing_but_actions_whatever_its_roles() {
    let placed = an_order("cloud").admitted("provisioning", 0);
    let commands = [
        Command::AddNote { body: "noted".to_owned(), audience: Audience::Public },
        Command::AssignCsr(None),
        Command::AssignAgent(None),
        payment(100, PaymentMethod::Cash),
        payment(100, PaymentMethod::Transfer),
        Command::Refund { amount: None, payment: None, reason: "why".to_owned() },
    ];
    for command in commands {
        let refusal = placed.refuses_to(&narrowed(&admin()), &command);
        assert_eq!(refusal.code(), "NOT_PERMITTED", "{command:?}");
    }
    for actor in [admin(), staff(), cleo_csr(), approver(), carla()] {
        assert_eq!(fault(&narrowed(&actor), |_| {}).as_deref(), Some("NOT_FOUND"), "{actor:?}");
    }
    for actor in [admin(), provider()] {
        assert_eq!(token_scope(&narrowed(&actor)), None);
        assert!(!may_reset_passwords(&narrowed(&actor)));
    }
}

#[test]
fn service_tokens_are_made_by_administrators_and_by_a_providers_owner_for_it_alone() {
    assert_eq!(token_scope(&admin()), Some(OrganizationScope::Every));
    assert_eq!(token_scope(&provider()), Some(OrganizationScope::Of(vec![northern()])));
    for actor in everybody().iter().filter(|actor| ![admin(), provider(), other_provider()].contains(actor)) {
        assert_eq!(token_scope(actor), None, "{actor:?}");
    }
    for actor in everybody() {
        assert_eq!(may_reset_passwords(&actor), actor == admin(), "{actor:?}");
    }
}

#[test]
fn orders_from_outside_enter_by_staff_alone_into_statuses_that_exist() {
    use domain::order::{Admission, Setting, admit};
    let basket = an_order("cloud");
    let try_admit = |actor: &Actor, status: &str, paid: i64| {
        let setting = Setting { workflow: &basket.workflow, actor, facts: &basket.facts };
        let admission = Admission { draft: basket.draft.clone(), status: status.to_owned(), paid };
        admit(setting, &admission, &mut crate::build::mint(1)).map(|decision| decision.events().len())
    };
    for actor in [admin(), staff(), Actor::System] {
        assert_eq!(try_admit(&actor, "fulfilled", 0), Ok(1));
    }
    for actor in [support(), cleo_csr(), provider(), approver(), carla()] {
        assert_eq!(try_admit(&actor, "fulfilled", 0).map_err(|no| no.code()), Err("NOT_PERMITTED"));
    }
    for (status, paid) in [("unheard_of", 0), ("draft", -1), ("draft", i64::MAX)] {
        assert_eq!(try_admit(&staff(), status, paid).map_err(|no| no.code()), Err("VALIDATION"));
    }
}
