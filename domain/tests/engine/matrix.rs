//! Who may do what in which status: every shipped workflow, status, action and role, as one table to
//! review. A cell is the status that the order has then, `-` where the workflow has no such action,
//! `no` where it is not for this role, `?` where the order does not exist for it, else what stands in
//! the way.

use domain::{
    actor::Actor,
    order::{Command, ItemStatus, ProductKind, Subject, Transition, available_actions},
    refusal::{Block, Refusal},
    workflow::{Definition, Need, Target},
};

use crate::build::{
    Basket, Placed, admin, an_order, anna_agent, approver, carla, cleo_csr, cyril_csr, failure, manager,
    other_approver, provider, staff, support, user, worker,
};

/// How the parties of an order differ from one column to the next.
type Arrange = fn(&mut Placed);

/// A column: its title, who it is, and the order they meet.
type Column = (&'static str, Actor, Arrange);

fn columns() -> Vec<Column> {
    fn as_it_is(_: &mut Placed) {}
    fn in_cleos_hands(placed: &mut Placed) {
        placed.order.head.parties.csr = cleo_csr().user();
    }
    fn made_by_approver(placed: &mut Placed) {
        placed.order.head.parties.creator = approver().user();
    }
    vec![
        ("admin", admin(), as_it_is),
        ("staff", staff(), as_it_is),
        ("support", support(), as_it_is),
        ("csr", cyril_csr(), as_it_is),
        ("own_csr", cleo_csr(), in_cleos_hands),
        ("alien_csr", cyril_csr(), in_cleos_hands),
        ("provider", provider(), as_it_is),
        ("manager", manager(), as_it_is),
        ("worker", worker(), as_it_is),
        ("approver", approver(), as_it_is),
        ("appr+crea", approver(), made_by_approver),
        ("cons+crea", carla(), as_it_is),
        ("own_agent", anna_agent(), |placed| placed.order.head.parties.agent = anna_agent().user()),
        ("stranger", other_approver(), as_it_is),
        ("system", Actor::System, as_it_is),
    ]
}

/// A move with everything supplied that any row of the action might ask for.
pub fn well_supplied(placed: &Placed, action: &str, to: Option<&str>) -> Transition {
    let workflow = &placed.workflow;
    let mut rows = workflow.transitions.iter().filter(|row| row.action == action);
    let asks = rows.any(|row| row.needs.contains(&Need::Error));
    Transition {
        action: action.to_owned(),
        reason: Some("because".to_owned()),
        error: asks.then(|| failure("no space")),
        to: to.map(str::to_owned),
        items: None,
        keep_credit: false,
        number: Some(placed.order.head.number),
        ..Transition::default()
    }
}

/// Every move that can be asked for in a status: the action, and where to if the caller chooses.
pub fn moves(placed: &Placed) -> Vec<(String, Option<String>)> {
    let workflow = &placed.workflow;
    let mut moves = Vec::new();
    for action in workflow.actions() {
        let mut rows = workflow.transitions.iter().filter(|row| row.action == action);
        if rows.any(|row| row.to == Target::Chosen) {
            let others = workflow.statuses.iter().filter(|status| status.code != placed.status());
            moves.extend(others.map(|status| (action.to_owned(), Some(status.code.clone()))));
        } else {
            moves.push((action.to_owned(), None));
        }
    }
    moves
}

fn cell(placed: &Placed, actor: &Actor, action: &str, to: Option<&str>) -> String {
    let command = Command::Transition(well_supplied(placed, action, to));
    match placed.decided(actor, &command) {
        Ok((order, _)) => order.head.status,
        Err(Refusal::IllegalTransition { .. }) => "-".to_owned(),
        Err(Refusal::NotPermitted { .. }) => "no".to_owned(),
        Err(Refusal::NotFound { .. }) => "?".to_owned(),
        Err(Refusal::GuardFailed(block)) => format!("guard:{}", block.name()),
        Err(other) => other.code().to_owned(),
    }
}

/// What is offered is exactly what succeeds, and what blocks an offer is what refuses it.
fn offers_are_true(placed: &Placed, actor: &Actor) {
    let parties = &placed.order.head.parties;
    let standing = actor.standing(parties, false);
    let subject = Subject { head: &placed.order.head, items: &placed.order.items, facts: &placed.facts };
    let rights = actor.rights(parties, false);
    let offers = available_actions(&placed.workflow, subject, rights);
    for action in placed.workflow.actions() {
        let offer = offers.iter().find(|offer| offer.action == action);
        let mut results = Vec::new();
        for (_, to) in moves(placed).into_iter().filter(|(name, _)| name == action) {
            let command = Command::Transition(well_supplied(placed, action, to.as_deref()));
            results.push(placed.decided(actor, &command));
        }
        let place = format!("{} {action} {standing:?}", placed.status());
        match offer.map(|offer| offer.blocked_by) {
            Some(None) => assert!(results.iter().any(Result::is_ok), "offered, yet refused: {place}"),
            None | Some(Some(_)) => {
                assert!(results.iter().all(Result::is_err), "succeeds, yet not offered: {place}");
            }
        }
        if let Some(Some(block)) = offer.map(|offer| offer.blocked_by) {
            let blocked: Result<_, Refusal> = Err(Refusal::GuardFailed(block));
            assert!(results.iter().all(|result| *result == blocked), "blocked by something else: {place}");
        }
    }
}

/// A section: its title and the order of it in a status.
type Section = (&'static str, Box<dyn Fn(&str) -> Placed>);

fn section(title: &'static str, basket: Basket, change: impl Fn(&mut Placed) + 'static) -> Section {
    let order = move |status: &str| {
        let mut placed = basket.admitted(status, 0);
        change(&mut placed);
        placed
    };
    (title, Box::new(order))
}

fn paid(title: &'static str, basket: Basket) -> Section {
    (title, Box::new(move |status| basket.admitted(status, 1000)))
}

fn with_agent(placed: &mut Placed) {
    placed.order.head.parties.agent = Some(user(&anna_agent()));
}

fn untouched(_: &mut Placed) {}

/// The first section whole; of each further one the rows in which it differs from the first. Actions
/// that a status does not know are one line, which ends its rows.
fn table(code: &str, sections: &[Section]) -> String {
    let columns = columns();
    let mut head = format!("{:<36}", "status action");
    columns.iter().for_each(|(title, ..)| head += &format!(" {title:<17}"));
    let mut lines = vec![head.trim_end().to_owned()];
    let mut first = Vec::new();
    for (n, (title, order)) in sections.iter().enumerate() {
        lines.push(format!("\n## {title}{}", if n == 0 { "" } else { " (what differs)" }));
        let rows = rows(&an_order(code).workflow, order.as_ref(), &columns);
        if n == 0 {
            lines.extend(rows.iter().cloned());
            first = rows;
        } else {
            lines.extend(rows.into_iter().filter(|row| !first.contains(row)));
        }
    }
    lines.join("\n")
}

fn rows(workflow: &Definition, order: &dyn Fn(&str) -> Placed, columns: &[Column]) -> Vec<String> {
    let mut rows = Vec::new();
    for status in &workflow.statuses {
        let placed = order(&status.code);
        let mut unknown = Vec::new();
        for (action, to) in moves(&placed) {
            let to_text = to.as_ref().map(|to| format!("→{to}")).unwrap_or_default();
            let cells: Vec<_> = columns
                .iter()
                .map(|(_, actor, arrange)| {
                    let mut met = placed.clone();
                    arrange(&mut met);
                    offers_are_true(&met, actor);
                    short(&cell(&met, actor, &action, to.as_deref()))
                })
                .collect();
            if cells.iter().all(|cell| cell == "-" || cell == "?") {
                unknown.push(format!("{action}{to_text}"));
                continue;
            }
            let mut row = format!("{:<36}", format!("{} {action}{to_text}", status.code));
            cells.iter().for_each(|cell| row += &format!(" {cell:<17}"));
            rows.push(row.trim_end().to_owned());
        }
        if !unknown.is_empty() {
            rows.push(format!("{:<36} - for all: {}", status.code, unknown.join(", ")));
        }
    }
    rows
}

/// Block names cut to the column.
fn short(cell: &str) -> String {
    let names = [
        (Block::UnrefundedPayment.name(), "unrefunded"),
        ("no_provider_approval", "provider"),
        ("manual_offering", "manual"),
        ("nothing_active", "active"),
        ("agent_assigned", "agent"),
    ];
    names.into_iter().fold(cell.to_owned(), |cell, (long, short)| cell.replace(long, short))
}

#[test]
fn cloud() {
    let sections = [
        section("an order of 10 EUR, not paid", an_order("cloud"), untouched),
        paid("paid in full", an_order("cloud")),
        section("free of charge", an_order("cloud").priced(0), untouched),
        section("two products, so that no manager has it", an_order("cloud").and_another(), untouched),
    ];
    insta::assert_snapshot!(table("cloud", &sections));
}

#[test]
fn hosting() {
    let in_use = |placed: &mut Placed| placed.order.items[0].status = ItemStatus::Active;
    let sections = [
        section("an order of 10 EUR, not paid", an_order("hosting"), untouched),
        section("its item is in use", an_order("hosting"), in_use),
        paid("paid in full", an_order("hosting")),
    ];
    insta::assert_snapshot!(table("hosting", &sections));
}

#[test]
fn marketplace() {
    let order = || an_order("marketplace");
    let sections = [
        section("BASIC, both approvals needed", order(), untouched),
        section("SLURM, both approvals needed", order().of_kind(ProductKind::Slurm), untouched),
        section("VPS, both approvals needed", order().of_kind(ProductKind::Vps), untouched),
        section("BASIC, provider need not approve", order().without_provider_approval(), untouched),
        section("BASIC, customer need not approve", order().without_consumer_approval(), untouched),
        paid("BASIC, paid", order()),
    ];
    insta::assert_snapshot!(table("marketplace", &sections));
}

#[test]
fn delivery() {
    let sections = [
        section("an agent is assigned", an_order("delivery"), with_agent),
        section("nobody is assigned but own_agent", an_order("delivery"), untouched),
        paid("nobody is assigned but own_agent, paid in full", an_order("delivery")),
    ];
    insta::assert_snapshot!(table("delivery", &sections));
}

#[test]
fn commerce() {
    let automation_off = |placed: &mut Placed| placed.facts.expiry_enabled = false;
    let sections = [
        section("an order without an expiry date", an_order("commerce"), untouched),
        section("wanted until yesterday, automation on", an_order("commerce").expired(), untouched),
        section("wanted until yesterday, automation off", an_order("commerce").expired(), automation_off),
        paid("wanted until yesterday, automation on, paid", an_order("commerce").expired()),
    ];
    insta::assert_snapshot!(table("commerce", &sections));
}
