//! What is refused at the door, and where in the input it says so.

use domain::{
    actor::Actor,
    event::Audience,
    money::{Money, UnitPrice},
    order::{
        Address, Command, OrderKind, PaymentMethod, ProductKind, ResourceState, Transition,
        limits::{JSON, LINES, MESSAGE, NAME, NESTING, NOTE, QUANTITY, REASON, TAGS, TRACEBACK},
    },
    refusal::Refusal,
};

use crate::build::{
    Basket, a_line, a_resource, an_order, assignee, bare, carla, currency, eur, failure, id, other_buyer,
    other_product, southern, staff,
};

/// The place that a draft is refused at, if it is.
pub fn fault(actor: &Actor, change: impl Fn(&mut Basket)) -> Option<String> {
    let mut basket = an_order("cloud");
    change(&mut basket);
    match basket.try_place(actor) {
        Err(Refusal::Validation { path, .. }) => Some(path.join(".")),
        Err(other) => Some(other.code().to_owned()),
        Ok(_) => None,
    }
}

/// Refused at this place with one too many, and accepted with the most.
fn bounded(path: &str, most: usize, set: impl Fn(&mut Basket, usize)) {
    assert_eq!(fault(&staff(), |basket| set(basket, most)), None, "{path}");
    assert_eq!(fault(&staff(), |basket| set(basket, most + 1)).as_deref(), Some(path));
}

fn text(n: usize) -> String {
    "é".repeat(n)
}

#[test]
fn a_draft_is_bounded_in_every_text_and_list() {
    bounded("externalReference", NAME, |basket, n| basket.draft.external_reference = Some(text(n)));
    bounded("contact.name", NAME, |basket, n| basket.draft.particulars.contact.name = text(n));
    bounded("contact.email", NAME, |basket, n| basket.draft.particulars.contact.email = text(n));
    bounded("contact.phone", NAME, |basket, n| basket.draft.particulars.contact.phone = text(n));
    bounded("customerNote", NOTE, |basket, n| basket.draft.particulars.customer_note = Some(text(n)));
    bounded("tags", TAGS, |basket, n| basket.draft.tags = (0..n).map(|i| format!("tag {i}")).collect());
    bounded("tags", 50, |basket, n| basket.draft.tags = vec![text(n)]);
    bounded("lines", LINES, |basket, n| basket.draft.lines = vec![a_line(crate::build::product()); n]);
    bounded("lines.0.quantity", QUANTITY as usize, |basket, n| basket.draft.lines[0].quantity = n as i64);
    let json = |n: usize| Some(serde_json::json!({ "a": "x".repeat(n - r#"{"a":""}"#.len()) }));
    bounded("lines.0.configuration", JSON, |basket, n| basket.draft.lines[0].configuration = json(n));
    bounded("metadata", JSON, |basket, n| basket.draft.particulars.metadata = json(n));
    let nested =
        |n: usize| Some((0..n).fold(serde_json::json!(1), |inner, _| serde_json::json!({ "a": inner })));
    bounded("metadata", NESTING, |basket, n| basket.draft.particulars.metadata = nested(n));
    let address = |n: usize, line: usize| {
        Some(Address { lines: vec![text(line); n], city: text(line), ..Address::default() })
    };
    bounded("shippingAddress", 4, |basket, n| basket.draft.particulars.shipping_address = address(n, 1));
    bounded("billingAddress", NAME, |basket, n| basket.draft.particulars.billing_address = address(1, n));
}

#[test]
fn a_draft_that_makes_no_sense_is_refused_at_its_place() {
    let at = |path: &str, change: &dyn Fn(&mut Basket)| {
        assert_eq!(fault(&staff(), change).as_deref(), Some(path));
    };
    at("lines", &|basket| basket.draft.lines.clear());
    at("lines.0.quantity", &|basket| basket.draft.lines[0].quantity = 0);
    at("lines.0.quantity", &|basket| basket.draft.lines[0].quantity = -1);
    at("lines.0.product", &|basket| basket.draft.lines[0].product = id(999));
    at("lines.0.configuration", &|basket| basket.draft.lines[0].configuration = Some(serde_json::json!([1])));
    at("lines.1.product", &|basket| {
        basket.draft.lines.push(a_line(other_product()));
        basket.facts.products.get_mut(&other_product()).expect("it is there").active = false;
    });
    at("lines.1.discount", &|basket| {
        basket.draft.lines.push(a_line(other_product()));
        basket.draft.lines[1].discount = Some(eur(1001));
    });
    at("lines.0.discount.amount", &|basket| basket.draft.lines[0].discount = Some(eur(-1)));
    let dollars = || Some(Money::new(1, currency("USD")));
    at("lines.0.discount.currency", &|basket| basket.draft.lines[0].discount = dollars());
    at("deliveryFee.currency", &|basket| basket.draft.delivery_fee = dollars());
    at("deliveryFee.amount", &|basket| basket.draft.delivery_fee = Some(eur(-1)));
    at("deliveryAgent", &|basket| basket.draft.agent = Some(assignee(&carla())));
    for json in [serde_json::json!({ "a": ["\0"] }), serde_json::json!({ "\0": 1 })] {
        at("metadata", &|basket| basket.draft.particulars.metadata = Some(json.clone()));
    }
    at("tags", &|basket| basket.draft.tags = vec![" ".to_owned()]);
    at("externalReference", &|basket| basket.draft.external_reference = Some("a\u{0}b".to_owned()));
    at("lines", &|basket| {
        basket.draft.lines[0].quantity = QUANTITY;
        *basket = basket.clone().whose_products(|product| product.unit_price = UnitPrice(i64::MAX));
    });
}

#[test]
fn a_resource_is_named_exactly_where_one_is_worked_on() {
    let at = |path: &str, change: &dyn Fn(&mut Basket)| {
        assert_eq!(fault(&carla(), change).as_deref(), Some(path));
    };
    let resource = "lines.0.resource";
    at(resource, &|basket| basket.draft.kind = Some(OrderKind::Update));
    at(resource, &|basket| basket.draft.kind = Some(OrderKind::Terminate));
    at(resource, &|basket| basket.draft.lines[0].resource = Some(a_resource()));
    for state in [ResourceState::Updating, ResourceState::Erred, ResourceState::Terminated] {
        let busy = domain::order::Resource { state, ..a_resource() };
        at(resource, &|basket| *basket = basket.clone().on(OrderKind::Update, busy.clone()));
    }
    let strange = domain::order::Resource { customer: other_buyer(), ..a_resource() };
    at(resource, &|basket| *basket = basket.clone().on(OrderKind::Update, strange.clone()));
    at("type", &|basket| basket.draft.kind = Some(OrderKind::Sale));
    at("type", &|basket| {
        *basket = basket.clone().and_another().whose_products(|product| {
            if product.id == other_product() {
                product.kind = ProductKind::Physical;
            }
        })
    });
}

#[test]
fn an_order_of_mixed_providers_workflows_or_currencies_is_refused() {
    type Change = fn(&mut domain::order::Product);
    let changes: [(&str, Change); 3] = [
        ("provider", |product| product.provider = southern()),
        ("workflow", |product| product.workflow = "hosting".to_owned()),
        ("currency", |product| product.currency = currency("USD")),
    ];
    for (what, change) in changes {
        let mut basket = an_order("cloud").and_another();
        change(basket.facts.products.get_mut(&other_product()).expect("it is there"));
        assert_eq!(basket.try_place(&staff()).err(), Some(Refusal::MixedOrder { what }));
    }
}

/// The place that a command on a failed cloud order or a delivery is refused at.
fn refused(code: &str, status: &str, command: &Command) -> Option<String> {
    match an_order(code).admitted(status, 0).decided(&staff(), command) {
        Err(Refusal::Validation { path, .. }) => Some(path.join(".")),
        Err(other) => Some(other.code().to_owned()),
        Ok(_) => None,
    }
}

#[test]
fn what_is_said_about_an_order_is_bounded() {
    let reason = |n| Command::Transition(Transition { reason: Some(text(n)), ..bare("cancel_failed") });
    assert_eq!(refused("cloud", "failed", &reason(REASON)), None);
    assert_eq!(refused("cloud", "failed", &reason(REASON + 1)).as_deref(), Some("reason"));
    assert_eq!(refused("cloud", "failed", &reason(0)).as_deref(), Some("MISSING_REASON"));

    let fails = |message: String, traceback: Option<String>| {
        let error = Some(domain::order::Failure { message, traceback, ..failure("") });
        Command::Transition(Transition { error, ..bare("fail") })
    };
    assert_eq!(refused("cloud", "validating", &fails(text(MESSAGE), Some(text(TRACEBACK)))), None);
    let place = |command| refused("cloud", "validating", &command);
    assert_eq!(place(fails(text(MESSAGE + 1), None)).as_deref(), Some("error.message"));
    assert_eq!(place(fails(" ".to_owned(), None)).as_deref(), Some("error.message"));
    assert_eq!(place(fails(text(1), Some(text(TRACEBACK + 1)))).as_deref(), Some("error.traceback"));
    assert_eq!(place(Command::Transition(bare("fail"))).as_deref(), Some("error"));
    let needless = Transition { error: Some(failure("no")), ..bare("provision") };
    assert_eq!(place(Command::Transition(needless)).as_deref(), Some("error"));

    let note = |n| Command::AddNote { body: text(n), audience: Audience::Staff };
    assert_eq!(place(note(NOTE)), None);
    assert_eq!(place(note(NOTE + 1)).as_deref(), Some("body"));
    assert_eq!(place(note(0)).as_deref(), Some("body"));

    let pays = |n| {
        let (amount, method) = (eur(1), PaymentMethod::Transfer);
        Command::RecordPayment { amount, method, reference: Some(text(n)) }
    };
    assert_eq!(place(pays(NAME)), None);
    assert_eq!(place(pays(NAME + 1)).as_deref(), Some("reference"));

    let refunds = |n| Command::Refund { amount: None, payment: None, reason: text(n) };
    assert_eq!(place(refunds(REASON + 1)).as_deref(), Some("reason"));
    assert_eq!(place(refunds(0)).as_deref(), Some("MISSING_REASON"));
    assert_eq!(place(refunds(1)).as_deref(), Some("amount"), "there is nothing to give back");
}

#[test]
fn named_lines_are_the_orders_own_and_at_least_one() {
    let accept = |items| Command::Transition(Transition { items: Some(items), ..bare("accept") });
    assert_eq!(refused("hosting", "pending", &accept(Vec::new())).as_deref(), Some("items"));
    assert_eq!(refused("hosting", "pending", &accept(vec![id(1)])).as_deref(), Some("NOT_FOUND"));
}
