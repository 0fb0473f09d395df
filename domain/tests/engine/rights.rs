//! Who may place, admit, assign and annotate: what no workflow says.

use domain::{actor::Actor, event::Audience, order::Command, refusal::Refusal};

use crate::{
    build::{
        Basket, admin, an_order, anna_agent, approver, assignee, carl, carla, cleo_csr, eur, other_approver,
        provider, staff, support, worker,
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
