//! Bad input to reads: what cannot be read is said so, with the argument's name.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::id::OrderId;
use serde_json::{Value, json};

use super::{nobody, none_wrong, wrong};
use crate::harness::App;

const PAGE: &str = "query($where: OrderWhereInput, $orderBy: OrderOrder, $first: Int, $after: String, \
    $last: Int, $before: String) { orders(where: $where, orderBy: $orderBy, first: $first, after: $after, \
    last: $last, before: $before) { totalCount nodes { id } } }";
const ONE: &str = "query($by: OrderBy!) { order(by: $by) { id } }";
const NODES: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
const BAD: &str = "BAD_USER_INPUT";

/// What is wrong, operation, variables, and the argument that is named.
type Row<'a> = (&'a str, &'a str, Value, &'a str);

async fn refused(app: &App, code: &str, rows: Vec<Row<'_>>) {
    let staff = app.staff();
    let mut faults = Vec::new();
    for (what, query, variables, place) in rows {
        faults.extend(wrong(what, &staff.send(query, variables).await, code, place));
    }
    none_wrong(faults);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_pages_filters_and_names_are_refused() {
    let app = App::start().await;
    app.place(&app.consumer(), &app.company.server, 1).await;
    let page = app.staff().data(PAGE.replace("nodes { id }", "edges { cursor }").as_str(), json!({})).await;
    let cursor = page["orders"]["edges"][0]["cursor"].clone();
    let by_change = json!({ "field": "STATUS_CHANGED_AT", "direction": "ASC" });
    let by_total = json!({ "field": "TOTAL", "direction": "DESC" });
    let many: Vec<String> = (0..51).map(|n| format!("s{n}")).collect();
    let ids = |count: usize| vec![nobody::<OrderId>(); count];
    let long = "x".repeat(11_000);
    let both = json!({ "id": nobody::<OrderId>(), "number": "1234567890" });
    let of = json!({ "externalReference": { "customer": "org_1", "reference": "a" } });
    #[rustfmt::skip]
    let rows: Vec<Row<'_>> = vec![
        ("a page of none", PAGE, json!({ "first": 0 }), "first"),
        ("a page of 101", PAGE, json!({ "first": 101 }), "first"),
        ("a page of fewer than none", PAGE, json!({ "first": -1 }), "first"),
        ("the last 101", PAGE, json!({ "last": 101 }), "last"),
        ("the last none", PAGE, json!({ "last": 0 }), "last"),
        ("first and last together", PAGE, json!({ "first": 1, "last": 1 }), "last"),
        ("a page beyond an Int", PAGE, json!({ "first": 1_u64 << 33 }), "Int"),
        ("a page of the most negative", PAGE, json!({ "first": i32::MIN }), "first"),
        ("a cursor that is none", PAGE, json!({ "after": "nonsense" }), "after"),
        ("an empty cursor", PAGE, json!({ "after": "" }), "after"),
        ("a cursor in other letters", PAGE, json!({ "before": "名前" }), "before"),
        ("a cursor longer than 10 kB", PAGE, json!({ "after": long }), "after"),
        ("a cursor of another order", PAGE, json!({ "after": cursor, "orderBy": by_change }), "after"),
        ("a cursor that was cut", PAGE, json!({ "after": cursor.as_str().unwrap().get(..20) }), "after"),
        ("totals in any currency", PAGE, json!({ "orderBy": by_total }), "where.currency"),
        ("an order by colour", PAGE, json!({ "orderBy": { "field": "COLOUR", "direction": "ASC" } }), "OrderSort"),
        ("51 statuses", PAGE, json!({ "where": { "status": { "in": many } } }), "where.status"),
        ("51 customers", PAGE, json!({ "where": { "customer": { "in": ids(51) } } }), "where.customer"),
        ("a customer's id that is no id", PAGE, json!({ "where": { "customer": { "in": ["acme"] } } }), "where.customer"),
        ("a provider of another kind", PAGE, json!({ "where": { "provider": { "in": ids(1) } } }), "where.provider"),
        ("a representative that is no id", PAGE, json!({ "where": { "csr": { "in": [""] } } }), "where.csr"),
        ("an agent that is no id", PAGE, json!({ "where": { "deliveryAgent": { "in": ["?"] } } }), "where.deliveryAgent"),
        ("a category that is not there", PAGE, json!({ "where": { "category": { "in": ["LOST"] } } }), "StatusCategory"),
        ("a moment in words", PAGE, json!({ "where": { "createdAt": { "gte": "yesterday" } } }), "DateTime"),
        ("a moment that is not there", PAGE, json!({ "where": { "createdAt": { "lt": "2026-02-30T00:00:00Z" } } }), "DateTime"),
        ("a currency that is not there", PAGE, json!({ "where": { "currency": "EURO" } }), "CurrencyCode"),
        ("an id that is no id", ONE, json!({ "by": { "id": "1" } }), "by.id"),
        ("an id longer than 10 kB", ONE, json!({ "by": { "id": long } }), "by.id"),
        ("a number of two digits", ONE, json!({ "by": { "number": "12" } }), "by.number"),
        ("a number in other digits", ONE, json!({ "by": { "number": "１２３４５６７８９０" } }), "by.number"),
        ("a reference of nobody", ONE, json!({ "by": of }), "by.externalReference.customer"),
        ("an order named twice", ONE, json!({ "by": both }), "by"),
        ("an order named not at all", ONE, json!({ "by": {} }), "by"),
        ("a variable that is missing", ONE, json!({}), "OrderBy"),
        ("101 ids", NODES, json!({ "ids": ids(101) }), "ids"),
        ("an id of no kind", NODES, json!({ "ids": ["coupon_01h455vb4pex5vsknk084sn02q"] }), "id"),
        ("an id without a kind", "query($id: ID!) { node(id: $id) { id } }", json!({ "id": "_" }), "id"),
        ("products of no provider", "{ products(provider: \"x\") { nodes { id } } }", json!({}), "provider"),
        ("a page of 101 products", "{ products(first: 101) { nodes { id } } }", json!({}), "first"),
        ("organisations after nothing", "{ organizations(after: \"?\") { nodes { id } } }", json!({}), "after"),
    ];
    refused(&app, BAD, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_wrong_or_too_much_are_refused_before_anything_is_read() {
    let app = App::start().await;
    let aliases: String = (0..101).map(|n| format!("a{n}: settings {{ serverVersion }} ")).collect();
    let aliases = format!("{{ {aliases} }}");
    let brackets = "{ a".repeat(5_000);
    let list = format!("{{ nodes(ids: {}{}) {{ id }} }}", "[".repeat(5_000), "]".repeat(5_000));
    let ids: String = (0..30).map(|n| format!("a{n}: id ")).collect();
    let nested = |first: i32| {
        format!(
            "{{ orders(first: {first}) {{ nodes {{ timeline(first: {first}) {{ nodes {{ {ids} }} }} }} }} }}"
        )
    };
    let (wide, widest) = (nested(100), nested(i32::MAX));
    let directives = format!("{{ settings {} {{ serverVersion }} }}", "@skip(if: false) ".repeat(11));
    let twice = "{ id: __typename id: settings { serverVersion } }";
    let types = |depth| (0..depth).fold("name".to_owned(), |inner, _| format!("ofType {{ {inner} }}"));
    let deep =
        |depth| format!("{{ __type(name: \"Order\") {{ fields {{ type {{ {} }} }} }} }}", types(depth));
    let (deeper, deepest) = (deep(17), deep(56));
    let spread = |n: usize| format!("fragment F{n} on Query {{ {}}} ", format!("...F{} ", n + 1).repeat(6));
    let bomb: String = (0..18).map(spread).collect();
    let bomb = format!("{{ ...F0 }} {bomb} fragment F18 on Query {{ settings {{ serverVersion }} }}");
    let tokens = format!("{{ settings {{ {} }} }}", "serverVersion ".repeat(5_000));
    let stuck = format!("{{ a(b: [{}", "\"\"\"\\\"".repeat(20_000));
    assert!(app.staff().send(&deep(16), json!({})).await.codes().is_empty());
    let before = app.statements.load(std::sync::atomic::Ordering::SeqCst);
    #[rustfmt::skip]
    let rows: Vec<Row<'_>> = vec![
        ("101 aliases", &aliases, json!({}), "aliases"),
        ("thousands of brackets", &brackets, json!({}), "brackets"),
        ("a list in a list in a list …", &list, json!({}), "brackets"),
        ("a million rows", &wide, json!({}), "complex"),
        ("more rows than can be counted", &widest, json!({}), "complex"),
        ("eleven directives", &directives, json!({}), "directives"),
        ("fields 21 deep", &deeper, json!({}), "depth"),
        ("a fragment within itself", "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", json!({}), "depth"),
        ("fields 60 deep", &deepest, json!({}), "depth"),
        ("eighteen fragments that spread each other six times", &bomb, json!({}), "more than 10000 fields"),
        ("5,000 words", &tokens, json!({}), "tokens"),
    ];
    refused(&app, "TOO_COMPLEX", rows).await;
    #[rustfmt::skip]
    let rows: Vec<Row<'_>> = vec![
        ("block strings that never end", &stuck, json!({}), "block string"),
        ("half a document", "{ orders { nodes { id }", json!({}), "-->"),
        ("no document at all", "#", json!({}), "-->"),
        ("another language", "SELECT * FROM orders", json!({}), "-->"),
        ("a field that is not there", "{ ordres { nodes { id } } }", json!({}), "ordres"),
        ("an argument that is not there", "{ orders(top: 1) { nodes { id } } }", json!({}), "top"),
        ("a fragment that is not there", "{ ...Lost }", json!({}), "Lost"),
        ("an object without fields", "{ orders }", json!({}), "orders"),
        ("a field of a text", "{ settings { serverVersion { length } } }", json!({}), "serverVersion"),
        ("a variable of another type", "query($a: String) { orders(first: $a) { nodes { id } } }", json!({ "a": "1" }), "first"),
        ("two fields under one name", twice, json!({}), "id"),
    ];
    refused(&app, BAD, rows).await;
    let after = app.statements.load(std::sync::atomic::Ordering::SeqCst);
    assert!(after - before <= 18 * 3, "only the memberships are read: {} statements", after - before);
}

/// Values that a database might choke on: they are well-formed, so they find nothing, and nothing breaks.
#[tokio::test(flavor = "multi_thread")]
async fn values_that_name_nothing_find_nothing() {
    let app = App::start().await;
    let staff = app.staff();
    app.place(&app.consumer(), &app.company.server, 1).await;
    let customer = app.company.customer.to_string();
    for text in ["", "\u{0}", "a\u{0}b", "%", "' OR 1=1 --", "\u{FEFF}", "\u{10FFFF}", &"x".repeat(100_000)] {
        let by = json!({ "externalReference": { "customer": customer, "reference": text } });
        assert_eq!(staff.data(ONE, json!({ "by": by })).await["order"], Value::Null, "{text:?}");
        for filter in ["status", "workflow"] {
            let data = staff.data(PAGE, json!({ "where": { filter: { "in": [text] } } })).await;
            assert_eq!(data["orders"], json!({ "totalCount": 0, "nodes": [] }), "{filter} {text:?}");
        }
        let query = "query($code: String!) { workflow(code: $code) { code } \
            products(workflow: $code) { nodes { id } } }";
        let data = staff.data(query, json!({ "code": text })).await;
        assert_eq!(data, json!({ "workflow": null, "products": { "nodes": [] } }), "{text:?}");
    }
    let none = PAGE.replace("totalCount ", "");
    for moment in ["0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999-23:59", "2016-12-31T23:59:60Z"] {
        for filter in ["createdAt", "statusChangedAt"] {
            staff.data(PAGE, json!({ "where": { filter: { "gte": moment } } })).await;
            staff.data(PAGE, json!({ "where": { filter: { "lt": moment } } })).await;
        }
    }
    // Cursors are not signed: whoever makes one up gets a page or is told that it is none.
    let (zero, high) = (uuid::Uuid::nil(), uuid::Uuid::max());
    let forged = [
        ("CREATED_AT", format!("c {zero}")),
        ("CREATED_AT", format!("c {high}")),
        ("STATUS_CHANGED_AT", format!("s -8000000000000000 {zero}")),
        ("STATUS_CHANGED_AT", format!("s 8000000000000000 {high}")),
        ("STATUS_CHANGED_AT", format!("s {} {high}", i64::MIN)),
        ("TOTAL", format!("t {} {zero}", i64::MIN)),
        ("TOTAL", format!("t {} {high}", i64::MAX)),
    ];
    for (field, text) in forged {
        for (argument, direction) in [("after", "ASC"), ("after", "DESC"), ("before", "ASC")] {
            let order = json!({ "field": field, "direction": direction });
            let mut variables = json!({ "orderBy": order, "where": { "currency": "EUR" } });
            variables[argument] = URL_SAFE_NO_PAD.encode(&text).into();
            let answer = staff.send(&none, variables).await;
            assert!(answer.codes().iter().all(|code| *code == BAD), "{text}: {:#}", answer.body);
        }
    }
}
