//! What an order says is changed while its status lets that happen, and told before and after.

use domain::{
    actor::Actor,
    id::OrganizationId,
    order::{Change, Command, Edit, InvoiceState, LineEdit, OrderKind, Particulars, Setting, decide},
    refusal::{Block, Refusal},
};
use serde_json::{Value, json};

use crate::build::{
    Placed, admin, an_order, approver, carla, cleo_csr, day, eur, everybody, mint, other_buyer,
    other_product, product, staff,
};

fn edit(edit: Edit) -> Command {
    Command::Edit { edit: Box::new(edit), particulars: Box::new(Particulars::default()) }
}

fn lines(lines: Vec<LineEdit>) -> Command {
    edit(Edit { lines, ..Edit::default() })
}

fn add(quantity: i64) -> LineEdit {
    LineEdit::Add { product: other_product(), quantity, configuration: None, discount: None }
}

fn noted() -> Command {
    edit(Edit { customer_note: Some(Some("ring twice".to_owned())), ..Edit::default() })
}

/// What an edit changes: field, before, after.
fn changes(placed: &Placed, actor: &Actor, command: &Command) -> Vec<(String, Value, Value)> {
    let setting = Setting { workflow: &placed.workflow, actor, facts: &placed.facts };
    let decision =
        decide(setting, &placed.order, command, &mut mint(placed.minute + 1)).expect("it is allowed");
    let (event, changes) = decision.edit().expect("an edit");
    assert_eq!(*event, decision.events()[0].id);
    let plain = |value: Option<Value>| value.unwrap_or_default();
    changes
        .iter()
        .cloned()
        .map(|Change { field, before, after }| (field, plain(before), plain(after)))
        .collect()
}

fn invalid(placed: &Placed, actor: &Actor, command: &Command) -> String {
    match placed.refuses_to(actor, command) {
        Refusal::Validation { path, .. } => path.join("."),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_desk_edits_what_is_editable_and_a_buyer_its_own_draft() {
    let may = |placed: &Placed| -> Vec<Actor> {
        everybody().into_iter().filter(|actor| placed.clone().tries(actor, &noted()).is_ok()).collect()
    };
    let mut server = an_order("cloud").placed_by(&carla());
    assert_eq!(
        may(&server),
        [admin(), staff(), cleo_csr(), crate::build::cyril_csr(), approver(), carla(), Actor::System]
    );
    server.does(&carla(), "submit");
    assert_eq!(may(&server), [admin(), staff(), cleo_csr(), crate::build::cyril_csr(), Actor::System]);
    server.does(&staff(), "confirm_payment");
    assert_eq!(server.refuses_to(&staff(), &noted()), Refusal::GuardFailed(Block::NotEditable));
    assert!(matches!(server.refuses_to(&carla(), &noted()), Refusal::NotPermitted { .. }));
}

#[test]
fn terms_are_for_the_desk() {
    let server = an_order("cloud").placed_by(&carla());
    let discounted =
        LineEdit::Add { product: product(), quantity: 1, configuration: None, discount: Some(eur(1)) };
    for (change, place) in [
        (Edit { customer: Some(other_buyer()), ..Edit::default() }, "customer"),
        (Edit { delivery_fee: Some(eur(1)), ..Edit::default() }, "deliveryFee"),
        (Edit { tags: Some(vec!["a".to_owned()]), ..Edit::default() }, "tags"),
        (Edit { metadata: Some(Some(json!({ "a": 1 }))), ..Edit::default() }, "metadata"),
        (Edit { lines: vec![add(1), discounted], ..Edit::default() }, "lines.1.add.discount"),
    ] {
        assert_eq!(invalid(&server, &carla(), &edit(change.clone())), place);
        server.clone().commands(&staff(), edit(change));
    }
}

#[test]
fn an_edit_tells_each_field_before_and_after_and_nothing_that_stayed() {
    let placed = an_order("delivery").placed_by(&staff());
    let command = edit(Edit {
        delivery_fee: Some(eur(250)),
        expires_on: Some(Some(day("2026-04-01"))),
        tags: Some(vec!["late ".to_owned(), "fragile".to_owned(), "late".to_owned()]),
        lines: vec![
            LineEdit::Change {
                item: placed.order.items[0].id,
                quantity: Some(3),
                configuration: None,
                discount: Some(eur(100)),
            },
            add(2),
        ],
        ..Edit::default()
    });
    let line = |quantity: i64, discount: &str| {
        json!({ "name": "Thing", "sku": placed.order.items[0].sku, "quantity": quantity, "unitPrice": "10",
            "discount": discount, "configuration": {} })
    };
    let other = {
        let mut other = line(2, "0.00");
        other["sku"] = json!(format!("SKU-{}", other_product()));
        other
    };
    let expected = [
        ("tags", json!([]), json!(["fragile", "late"])),
        ("items.1", line(1, "0.00"), line(3, "1.00")),
        ("deliveryFee", json!("0.00"), json!("2.50")),
        ("total", json!("10.00"), json!("51.50")),
        ("expiresOn", Value::Null, json!("2026-04-01")),
        ("items.2", Value::Null, other),
    ];
    let told = changes(&placed, &staff(), &command);
    for (field, before, after) in &expected {
        assert!(told.contains(&((*field).to_owned(), before.clone(), after.clone())), "{field} {told:#?}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    assert_eq!(placed.refuses_to(&staff(), &lines(Vec::new())).code(), "VALIDATION");
}

#[test]
fn lines_come_and_go_and_the_order_belongs_to_the_offering_that_all_share() {
    let mut placed = an_order("cloud").placed_by(&carla());
    assert_eq!(placed.order.head.parties.offering, Some(product()));
    placed.commands(&carla(), lines(vec![add(2)]));
    assert_eq!(placed.order.head.parties.offering, None);
    let first = placed.order.items[0].id;
    placed.commands(&carla(), lines(vec![LineEdit::Remove { item: first }]));
    assert_eq!(placed.order.head.parties.offering, Some(other_product()));
    assert_eq!((placed.order.items[0].position, placed.order.head.total), (2, 2_000));
    placed.commands(&carla(), lines(vec![add(1)]));
    assert_eq!(placed.order.items[1].position, 3, "a place is not used twice");
    placed.does(&carla(), "submit");
    assert_eq!(placed.order.head.total, 3_000);
}

#[test]
fn what_a_line_cannot_be_is_refused_with_its_place() {
    let placed = an_order("cloud").placed_by(&carla());
    let item = placed.order.items[0].id;
    let change =
        |quantity, configuration, discount| LineEdit::Change { item, quantity, configuration, discount };
    let unknown = LineEdit::Remove { item: crate::build::id(99) };
    let nothing =
        LineEdit::Add { product: crate::build::id(98), quantity: 1, configuration: None, discount: None };
    for (edits, place) in [
        (vec![add(0)], "lines.0.add.quantity"),
        (vec![add(1_000_001)], "lines.0.add.quantity"),
        (vec![add(1), change(Some(-1), None, None)], "lines.1.change.quantity"),
        (vec![change(None, Some(json!([])), None)], "lines.0.change.configuration"),
        (vec![change(None, None, Some(eur(-1)))], "lines.0.change.discount.amount"),
        (vec![change(None, None, Some(eur(1_001)))], "lines.0.change"),
        (vec![unknown], "lines.0.remove.item"),
        (vec![nothing], "lines.0.add.product"),
        (vec![LineEdit::Remove { item }], "lines"),
        (vec![LineEdit::Remove { item }, change(Some(1), None, None)], "lines.1.change.item"),
        (vec![add(1); 200], "lines"),
    ] {
        assert_eq!(invalid(&placed, &staff(), &lines(edits)), place);
    }
}

#[test]
fn what_does_not_fit_the_other_lines_is_another_order() {
    let mut placed = an_order("cloud").placed_by(&carla());
    let refused = |placed: &Placed| placed.refuses_to(&carla(), &lines(vec![add(1)]));
    for what in ["provider", "workflow", "currency"] {
        let mut other = placed.clone();
        let product = other.facts.products.get_mut(&other_product()).expect("the other product");
        match what {
            "provider" => product.provider = crate::build::southern(),
            "workflow" => product.workflow = "hosting".to_owned(),
            _ => product.currency = "USD".parse().expect("a currency"),
        }
        assert_eq!(refused(&other), Refusal::MixedOrder { what });
    }
    placed.facts.products.get_mut(&other_product()).expect("the other product").active = false;
    assert_eq!(refused(&placed).code(), "VALIDATION");
    let resized = an_order("cloud").on_a_resource(OrderKind::Update).placed_by(&carla());
    assert_eq!(invalid(&resized, &carla(), &lines(vec![add(1)])), "lines.0.add.product");
    let customer = edit(Edit { customer: Some(other_buyer()), ..Edit::default() });
    assert_eq!(invalid(&resized, &staff(), &customer), "customer");
}

#[test]
fn lines_that_work_has_begun_on_stay_as_they_are() {
    let mut placed = an_order("hosting").twice().placed_by(&carla());
    placed.does(&staff(), "accept").does(&staff(), "reset_to_pending");
    assert_eq!(placed.status(), "pending");
    let item = placed.order.items[0].id;
    assert_eq!(invalid(&placed, &staff(), &lines(vec![LineEdit::Remove { item }])), "lines.0.remove.item");
    placed.commands(&staff(), lines(vec![add(1)]));
}

#[test]
fn an_open_invoice_follows_the_total_and_payments_that_cover_it_move_the_order_on() {
    let mut placed = an_order("cloud").twice().placed_by(&carla());
    placed.does(&carla(), "submit").is_paid(1_000);
    assert_eq!((placed.status(), placed.order.head.due()), ("pending_payment", 1_000));
    let item = placed.order.items[1].id;
    placed.commands(&staff(), lines(vec![LineEdit::Remove { item }]));
    let invoice = placed.order.invoice.as_ref().expect("an invoice");
    assert_eq!((invoice.total, invoice.state), (1_000, InvoiceState::Paid));
    assert_eq!(placed.status(), "payment_confirmed");
    assert_eq!(placed.last_events(2), ["UPDATED", "STATUS_CHANGED"]);
}

#[test]
fn an_order_changes_hands_among_those_the_actor_may_order_for() {
    let mut placed = an_order("cloud").placed_by(&carla());
    let to = |customer: OrganizationId| edit(Edit { customer: Some(customer), ..Edit::default() });
    placed.commands(&staff(), to(other_buyer()));
    assert_eq!(placed.order.head.parties.customer, other_buyer());
    let event = placed.events.last().expect("an event");
    assert_ne!(event.before, event.after);
    assert_eq!(placed.refuses_to(&carla(), &noted()), Refusal::NotFound { what: "order" });
}
