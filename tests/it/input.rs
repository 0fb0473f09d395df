//! Bad input: each is a typed error that names the place, and nothing has changed.

#[path = "input_changes.rs"]
mod changes;
#[path = "input_fuzz.rs"]
mod fuzz;
#[path = "input_reads.rs"]
mod reads;

use domain::id::{OrganizationId, ProductId, ResourceId, UserId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Answer, App, Client};

pub(crate) const CREATE: &str = "mutation($input: OrderCreateInput!) { orderCreate(input: $input) \
    { replayed order { id version } errors { __typename code message path } } }";

/// What is wrong, by whom it is sent, what is sent, and the code and place that the answer names.
pub(crate) type Row<'a> = (&'a str, &'a Client, Value, &'a str, &'a str);

/// What an answer refuses: its only error's code, and all that says where.
pub(crate) fn fault(answer: &Answer) -> Option<(String, Vec<String>)> {
    let body = &answer.body;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Some(errors) = body["errors"].as_array() {
        // What GraphQL itself refuses is named in the message alone, and may be several faults.
        let messages: Vec<String> = errors.iter().map(|error| text(&error["message"])).collect();
        let extensions = &errors.first()?["extensions"];
        return Some((text(&extensions["code"]), vec![text(&extensions["argument"]), messages.join(" ")]));
    }
    let payload = body["data"].as_object()?.values().next()?;
    let [error] = payload["errors"].as_array()?.as_slice() else { return None };
    let code = text(&error["code"]);
    let words = code.split('_').filter(|word| !word.is_empty());
    let name: String = words.map(|word| word[..1].to_owned() + &word[1..].to_lowercase()).collect();
    let typed = error["__typename"] == json!(name) && error["message"] != "";
    let refused = payload["order"].is_null() && payload["replayed"] == json!(false);
    let path: Vec<String> = error["path"].as_array()?.iter().map(text).collect();
    (typed && refused).then(|| (code, vec![path.join(".")]))
}

/// Compares an answer with what the row says; tells what is different.
pub(crate) fn wrong(what: &str, answer: &Answer, code: &str, place: &str) -> Option<String> {
    let right = |(got, places): &(String, Vec<String>)| {
        got == code
            && match places.as_slice() {
                [path] => path == place,
                [argument, _] if !argument.is_empty() => argument == place,
                [_, message] => message.contains(place),
                _ => false,
            }
    };
    let fine = answer.status < 500 && fault(answer).as_ref().is_some_and(right);
    let said = || answer.body.to_string().chars().take(600).collect::<String>();
    (!fine).then(|| format!("{what}: expected {code} at {place:?}, got HTTP {}: {}", answer.status, said()))
}

/// Fails with every row that was not as it should be.
pub(crate) fn none_wrong(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A well-formed id that names nothing.
pub(crate) fn nobody<T: From<Uuid> + ToString>() -> String {
    T::from(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001)).to_string()
}

/// An input that would place an order, with some fields in place of its own.
fn order(app: &App, fields: Value) -> Value {
    let mut input = json!({
        "customer": { "id": app.company.customer.to_string() },
        "lines": [line(app, json!({}))],
    });
    merge(&mut input, fields);
    input
}

/// A line that could be ordered, with some fields in place of its own.
fn line(app: &App, fields: Value) -> Value {
    let mut line = json!({ "product": app.company.server.id.to_string(), "quantity": 1 });
    merge(&mut line, fields);
    line
}

fn lines(app: &App, fields: Value) -> Value {
    order(app, json!({ "lines": [line(app, fields)] }))
}

fn merge(into: &mut Value, fields: Value) {
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    into.as_object_mut().expect("an object").extend(fields);
}

/// JSON nested so deep.
fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!({ "a": inner }))
}

/// Sends every row's input to `orderCreate` and compares; nothing may have been written in the end.
async fn refused(app: &App, rows: Vec<Row<'_>>) {
    let before = app.counts().await;
    let mut faults = Vec::new();
    for (what, client, input, code, place) in rows {
        let answer = client.send(CREATE, json!({ "input": input })).await;
        faults.extend(wrong(what, &answer, code, place));
    }
    none_wrong(faults);
    assert_eq!(app.counts().await, before, "nothing is written");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_for_nobody_or_of_nothing_is_refused() {
    let app = App::start().await;
    let (staff, consumer, stranger) = (app.staff(), app.consumer(), app.stranger());
    let c = &app.company;
    let product = |id: &str| lines(&app, json!({ "product": id }));
    let customer = |customer: Value| order(&app, json!({ "customer": customer }));
    let long = format!("product_{}", "0".repeat(11_000));
    let (cap, place) = ("BAD_USER_INPUT", "input.lines.0.product");
    let other = line(&app, json!({ "product": "product_" }));
    let unknown = line(&app, json!({ "product": nobody::<ProductId>() }));
    let of_rival = json!({ "product": c.rival_server.id.to_string() });
    let of_hosting = json!({ "product": c.webspace.id.to_string() });
    let in_dollars = json!({ "product": c.dollar_server.id.to_string() });
    let two = |second: Value| order(&app, json!({ "lines": [line(&app, json!({})), line(&app, second)] }));
    let many = vec![line(&app, json!({})); 201];
    let new = |fields: Value| customer(json!({ "new": fields }));
    let control = json!({ "name": "A\u{7}" });
    let blank = json!({ "name": " " });
    let zone = json!({ "name": "A", "timeZone": "Mars/Olympus" });
    let both = json!({ "id": c.customer.to_string(), "new": { "name": "A" } });
    #[rustfmt::skip]
    let rows: Vec<Row<'_>> = vec![
        ("a product's id that is no id", &staff, product("nonsense"), cap, place),
        ("an empty id", &staff, product(""), cap, place),
        ("an id longer than 10 kB", &staff, product(&long), cap, place),
        ("an id of another kind", &staff, product(&c.customer.to_string()), cap, place),
        ("an id in other letters", &staff, product("product_01H455VB4PEX5VSKNK084SN02Q"), cap, place),
        ("an id of digits beyond ASCII", &staff, product("product_０１h455vb4pex5vsknk084sn02q"), cap, place),
        ("the second line's id", &staff, order(&app, json!({ "lines": [line(&app, json!({})), other] })), cap, "input.lines.1.product"),
        ("a product that is not there", &staff, order(&app, json!({ "lines": [line(&app, json!({})), unknown] })), "VALIDATION", "lines.1.product"),
        ("a customer's id that is no id", &staff, customer(json!({ "id": "org_" })), cap, "input.customer.id"),
        ("a customer that is not there", &staff, customer(json!({ "id": nobody::<OrganizationId>() })), "NOT_FOUND", "customer.id"),
        ("a provider as customer", &staff, customer(json!({ "id": c.provider_org.to_string() })), "NOT_FOUND", "customer.id"),
        ("somebody else's organisation", &stranger, order(&app, json!({})), "NOT_FOUND", "customer.id"),
        ("a customer both known and new", &staff, customer(both), cap, "input.customer"),
        ("a customer neither known nor new", &staff, customer(json!({})), cap, "input.customer"),
        ("a new customer without a name", &staff, new(blank), "VALIDATION", "customer.new.name"),
        ("a new customer with a bell in the name", &staff, new(control), "VALIDATION", "customer.new.name"),
        ("a time zone that is not there", &staff, new(zone), "VALIDATION", "customer.new.timeZone"),
        ("a new customer, from a consumer", &consumer, new(json!({ "name": "A" })), "NOT_PERMITTED", ""),
        ("no lines", &staff, order(&app, json!({ "lines": [] })), "VALIDATION", "lines"),
        ("lines that are null", &staff, order(&app, json!({ "lines": null })), cap, "lines"),
        ("201 lines", &staff, order(&app, json!({ "lines": many })), "VALIDATION", "lines"),
        ("lines of two providers", &staff, two(of_rival), "MIXED_ORDER", "lines"),
        ("lines of two workflows", &staff, two(of_hosting), "MIXED_ORDER", "lines"),
        ("lines in two currencies", &staff, two(in_dollars), "MIXED_ORDER", "lines"),
        ("a field that is not there", &staff, order(&app, json!({ "colour": "red" })), cap, "colour"),
    ];
    refused(&app, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_quantities_amounts_days_and_kinds_are_refused() {
    let app = App::start().await;
    let (staff, consumer) = (app.staff(), app.consumer());
    let quantity = |quantity: Value| lines(&app, json!({ "quantity": quantity }));
    let fee = |amount: Value, currency: &str| {
        order(&app, json!({ "deliveryFee": { "amount": amount, "currency": currency } }))
    };
    let discount = |amount: &str, currency: &str| {
        lines(&app, json!({ "discount": { "amount": amount, "currency": currency } }))
    };
    let with = |fields: Value| order(&app, fields);
    let (bad, validation) = ("BAD_USER_INPUT", "VALIDATION");
    let (place, amount, off) = ("lines.0.quantity", "deliveryFee.amount", "lines.0.discount");
    let sold = json!({ "type": "SALE" });
    let update = json!({ "type": "UPDATE" });
    let resource =
        json!({ "type": "UPDATE", "lines": [line(&app, json!({ "resource": nobody::<ResourceId>() }))] });
    let agent = |id: &str| order(&app, json!({ "deliveryAgent": id }));
    let not_agent = app.company.consumer.id.to_string();
    let agent_of_ours = app.company.agent.id.to_string();
    let goods = line(&app, json!({ "product": app.company.parcel.id.to_string() }));
    #[rustfmt::skip]
    let rows: Vec<Row<'_>> = vec![
        ("none of it", &staff, quantity(json!(0)), validation, place),
        ("less than none of it", &staff, quantity(json!(-1)), validation, place),
        ("more than a million", &staff, quantity(json!(1_000_001)), validation, place),
        ("the most negative number", &staff, quantity(json!(i32::MIN)), validation, place),
        ("more than an Int holds", &staff, quantity(json!(2_147_483_648_u64)), bad, "Int"),
        ("a huge integer", &staff, quantity(json!(u64::MAX)), bad, "Int"),
        ("half of one", &staff, quantity(json!(0.5)), bad, "Int"),
        ("a quantity in words", &staff, quantity(json!("one")), bad, "Int"),
        ("a fee in another currency", &staff, fee(json!("1.00"), "USD"), validation, "deliveryFee.currency"),
        ("a fee in no currency", &staff, fee(json!("1.00"), "XYZ"), bad, "CurrencyCode"),
        ("a fee in gold", &staff, fee(json!("1.00"), "XAU"), bad, "CurrencyCode"),
        ("a fee with three decimals", &staff, fee(json!("1.005"), "EUR"), validation, amount),
        ("a fee below zero", &staff, fee(json!("-1.00"), "EUR"), validation, amount),
        ("a fee too large", &staff, fee(json!("99999999999999999999999"), "EUR"), validation, amount),
        ("a fee that makes the total too large", &staff, fee(json!("10000000000000.00"), "EUR"), validation, "lines"),
        ("a fee in words", &staff, fee(json!("ten"), "EUR"), bad, "Decimal"),
        ("a fee in powers of ten", &staff, fee(json!("1e3"), "EUR"), bad, "Decimal"),
        ("a fee that is not a number", &staff, fee(json!("NaN"), "EUR"), bad, "Decimal"),
        ("a fee as a float", &staff, fee(json!(1.5), "EUR"), bad, "Decimal"),
        ("a fee from a consumer", &consumer, fee(json!("1.00"), "EUR"), validation, "deliveryFee"),
        ("a discount above the price", &staff, discount("20.01", "EUR"), validation, off),
        ("a discount below zero", &staff, discount("-0.01", "EUR"), validation, "lines.0.discount.amount"),
        ("a discount with three decimals", &staff, discount("0.001", "EUR"), validation, "lines.0.discount.amount"),
        ("a discount in another currency", &staff, discount("1", "USD"), validation, "lines.0.discount.currency"),
        ("a discount from a consumer", &consumer, discount("1", "EUR"), validation, off),
        ("a day that is not there", &staff, with(json!({ "expiresOn": "2026-02-30" })), bad, "Date"),
        ("a day in words", &staff, with(json!({ "expiresOn": "tomorrow" })), bad, "Date"),
        ("a day before our era", &staff, with(json!({ "expiresOn": "-9999-01-01" })), bad, "Date"),
        ("a day far beyond", &staff, with(json!({ "expiresOn": "+262142-01-01" })), bad, "Date"),
        ("a server as a sale", &staff, with(sold), validation, "type"),
        ("goods beside a server", &staff, with(json!({ "lines": [line(&app, json!({})), goods] })), "MIXED_ORDER", "lines"),
        ("a kind that is not there", &staff, with(json!({ "type": "GIFT" })), bad, "OrderType"),
        ("a change of nothing", &staff, with(update), validation, "lines.0.resource"),
        ("a change of what is not there", &staff, with(resource), validation, "lines.0.resource"),
        ("an agent's id that is no id", &staff, agent("me"), bad, "input.deliveryAgent"),
        ("an agent without an account", &staff, agent(&nobody::<UserId>()), validation, "deliveryAgent"),
        ("an agent who is none", &staff, agent(&not_agent), validation, "deliveryAgent"),
        ("an agent, from a consumer", &consumer, agent(&agent_of_ours), validation, "deliveryAgent"),
    ];
    refused(&app, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_too_long_or_with_control_characters_and_wild_json_are_refused() {
    let app = App::start().await;
    let staff = app.staff();
    let with = |fields: Value| order(&app, fields);
    let x = |count: usize| "ä".repeat(count);
    let (validation, configuration) = ("VALIDATION", "lines.0.configuration");
    let configured = |value: Value| lines(&app, json!({ "configuration": value }));
    let address = |fields: Value| order(&app, json!({ "shippingAddress": fields }));
    let key = |key: &str| order(&app, json!({ "idempotencyKey": key }));
    let tags: Vec<String> = (0..21).map(|n| format!("t{n}")).collect();
    let large = json!({ "text": x(9_000) });
    #[rustfmt::skip]
    let rows: Vec<Row<'_>> = vec![
        ("a reference too long", &staff, with(json!({ "externalReference": x(201) })), validation, "externalReference"),
        ("a reference with NUL", &staff, with(json!({ "externalReference": "a\u{0}b" })), validation, "externalReference"),
        ("a note too long", &staff, with(json!({ "customerNote": x(5_001) })), validation, "customerNote"),
        ("a note with escapes", &staff, with(json!({ "customerNote": "\u{1b}[31m" })), validation, "customerNote"),
        ("a contact too long", &staff, with(json!({ "contact": { "email": x(201) } })), validation, "contact.email"),
        ("a contact with NUL", &staff, with(json!({ "contact": { "phone": "a\u{0}" } })), validation, "contact.phone"),
        ("five lines of address", &staff, address(json!({ "lines": ["1", "2", "3", "4", "5"] })), validation, "shippingAddress"),
        ("a town too long", &staff, address(json!({ "city": x(201) })), validation, "shippingAddress"),
        ("a country with NUL", &staff, with(json!({ "billingAddress": { "country": "D\u{0}E" } })), validation, "billingAddress"),
        ("21 tags", &staff, with(json!({ "tags": tags })), validation, "tags"),
        ("a tag too long", &staff, with(json!({ "tags": ["a", x(51)] })), validation, "tags"),
        ("a blank tag", &staff, with(json!({ "tags": [" "] })), validation, "tags"),
        ("a tag with DEL", &staff, with(json!({ "tags": ["a\u{7f}b"] })), validation, "tags"),
        ("a key too long", &staff, key(&x(201)), validation, "idempotencyKey"),
        ("a blank key", &staff, key("  "), validation, "idempotencyKey"),
        ("a key with NUL", &staff, key("a\u{0}b"), validation, "idempotencyKey"),
        ("configuration that is a list", &staff, configured(json!([1])), validation, configuration),
        ("configuration that is a text", &staff, configured(json!("vCPU")), validation, configuration),
        ("configuration too large", &staff, configured(large.clone()), validation, configuration),
        ("configuration nested too deep", &staff, configured(nested(60)), validation, configuration),
        ("configuration with NUL", &staff, configured(json!({ "a": ["x\u{0}y"] })), validation, configuration),
        ("configuration with NUL in a name", &staff, configured(json!({ "a\u{0}": 1 })), validation, configuration),
        ("metadata that is a number", &staff, with(json!({ "metadata": 7 })), validation, "metadata"),
        ("metadata too large", &staff, with(json!({ "metadata": large })), validation, "metadata"),
        ("metadata with NUL", &staff, with(json!({ "metadata": { "a": { "b": "\u{0}" } } })), validation, "metadata"),
    ];
    refused(&app, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_reference_is_taken_once_per_customer() {
    let app = App::start().await;
    let staff = app.staff();
    let named = |reference: &str| order(&app, json!({ "externalReference": reference }));
    app.place_input(&staff, named("PO-1")).await;
    #[rustfmt::skip]
    let rows: Vec<Row<'_>> = vec![
        ("the same reference", &staff, named("PO-1"), "DUPLICATE_REFERENCE", "externalReference"),
        ("the same with blanks around it", &staff, named("  PO-1 "), "DUPLICATE_REFERENCE", "externalReference"),
    ];
    refused(&app, rows).await;
    let mut other = named("PO-1");
    other["customer"] = json!({ "id": app.company.other_customer.to_string() });
    app.place_input(&staff, other).await;
    app.place_input(&staff, named("po-1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unusual_but_right_is_accepted_and_read_back_unchanged() {
    let app = App::start().await;
    let name = "Zoë 名前 \u{1F9EA} e\u{301} \u{202E}abc";
    let configuration =
        json!({ "vCPU": 4, "名": [null, true, { "x": 0.5 }], "big": 9_007_199_254_740_993_u64 });
    let input = order(
        &app,
        json!({
            "customer": { "new": { "name": name, "timeZone": "Pacific/Auckland" } },
            "lines": [line(&app, json!({ "quantity": 1_000_000, "configuration": configuration }))],
            "customerNote": "line one\n\tline two\r\n",
            "expiresOn": "9999-12-31",
        }),
    );
    let id = app.place_input(&app.staff(), input).await;
    let query = "query($id: ID!) { order(by: { id: $id }) { customer { name } customerNote expiresOn \
        items { nodes { quantity configuration } } } }";
    let data = app.staff().data(query, json!({ "id": id })).await;
    let read = &data["order"];
    assert_eq!(read["customer"]["name"], name);
    assert_eq!(read["customerNote"], "line one\n\tline two");
    assert_eq!(read["expiresOn"], "9999-12-31");
    assert_eq!(read["items"]["nodes"][0]["quantity"], 1_000_000);
    assert_eq!(read["items"]["nodes"][0]["configuration"], configuration);
}
