//! What an order says is changed, tried before, and told before and after to those who see it.

use serde_json::{Value, json};

use crate::harness::{App, Client};

const UPDATE: &str = "mutation($input: OrderUpdateInput!) { orderUpdate(input: $input) { replayed \
    changes { field before after } pricing { total { amount } due { amount } } \
    order { version contact { name } shippingAddress { city } customerNote tags paymentMethod expiresOn \
        customer { id } externalReference items { nodes { id quantity position configuration } } \
        pricing { total { amount } } } \
    event { kind changes { field before after } } errors { __typename code message path } } }";

async fn update(client: &Client, order: &str, extra: Value) -> Value {
    let mut input = extra;
    input["order"] = order.into();
    client.data(UPDATE, json!({ "input": input })).await["orderUpdate"].clone()
}

async fn items(client: &Client, order: &str) -> Vec<Value> {
    let query = "query($id: ID!) { order(by: { id: $id }) { items { nodes { id } } } }";
    let data = client.data(query, json!({ "id": order })).await;
    data["order"]["items"]["nodes"].as_array().expect("lines").iter().map(|line| line["id"].clone()).collect()
}

/// The fields that a payload or an event says were changed.
fn fields(changes: &Value) -> Vec<&str> {
    let changes = changes.as_array().map(Vec::as_slice).unwrap_or_default();
    changes.iter().filter_map(|change| change["field"].as_str()).collect()
}

fn everything(app: &App, item: &Value) -> Value {
    json!({
        "contact": { "name": "Ada", "email": "ada@example.test" },
        "shippingAddress": { "name": "Ada", "lines": ["1 High Street"], "city": "York", "country": "GB" },
        "customerNote": "ring twice",
        "paymentMethod": "CARD",
        "deliveryFee": { "amount": "2.50", "currency": "EUR" },
        "externalReference": "PO-1",
        "expiresOn": "2026-12-24",
        "tags": ["fragile"],
        "metadata": { "gift": true },
        "lines": [
            { "change": { "item": item, "quantity": 3, "configuration": { "vCPU": 4 } } },
            { "add": { "product": app.company.trial.id.to_string(), "quantity": 2 } },
        ],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_tried_first_and_then_done_and_says_the_same() {
    let app = App::start().await;
    let order = app.place(&app.consumer(), &app.company.server, 1).await;
    let item = items(&app.staff(), &order).await.remove(0);
    let before = (app.rows(&order).await, app.counts().await);
    let mut asked = everything(&app, &item);
    asked["dryRun"] = true.into();
    let tried = update(&app.staff(), &order, asked.clone()).await;
    assert_eq!(
        (&tried["errors"], &tried["order"], &tried["event"]),
        (&json!([]), &Value::Null, &Value::Null)
    );
    assert_eq!((app.rows(&order).await, app.counts().await), before, "nothing was written");
    // 3 of 20.00 EUR with 19 % tax, and the fee.
    assert_eq!(tried["pricing"]["total"]["amount"], "73.90", "{tried}");
    asked["dryRun"] = false.into();
    asked["expectedVersion"] = 1.into();
    let done = update(&app.staff(), &order, asked).await;
    assert_eq!(done["errors"], json!([]));
    assert_eq!((&done["changes"], &done["pricing"]), (&tried["changes"], &tried["pricing"]));
    assert_eq!(done["event"], json!({ "kind": "UPDATED", "changes": done["changes"] }));
    let now = &done["order"];
    assert_eq!(now["contact"]["name"], "Ada");
    assert_eq!(now["shippingAddress"]["city"], "York");
    assert_eq!((&now["customerNote"], &now["paymentMethod"]), (&json!("ring twice"), &json!("CARD")));
    assert_eq!((&now["externalReference"], &now["expiresOn"]), (&json!("PO-1"), &json!("2026-12-24")));
    assert_eq!((&now["tags"], &now["pricing"]["total"]["amount"]), (&json!(["fragile"]), &json!("73.90")));
    let lines = now["items"]["nodes"].as_array().expect("lines");
    assert_eq!((&lines[0]["quantity"], &lines[0]["configuration"]), (&json!(3), &json!({ "vCPU": 4 })));
    assert_eq!((&lines[1]["quantity"], &lines[1]["position"]), (&json!(2), &json!(2)));
    let removed = json!({ "shippingAddress": null, "customerNote": null,
        "lines": [{ "remove": { "item": lines[0]["id"] } }] });
    let done = update(&app.staff(), &order, removed).await;
    assert_eq!(fields(&done["changes"]), ["shippingAddress", "customerNote", "items.1", "total"], "{done}");
    assert_eq!(
        (&done["order"]["shippingAddress"], &done["order"]["contact"]["name"]),
        (&Value::Null, &json!("Ada"))
    );
    assert_eq!(items(&app.staff(), &order).await, [lines[1]["id"].clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reads_of_an_edit_what_it_sees_of_the_order() {
    let app = App::start().await;
    let order = app.place(&app.consumer(), &app.company.server, 1).await;
    let watch = "subscription { orderEvents { kind event { changes { field } } } }";
    let mut live = app.consumer().subscribe(watch, json!({})).await;
    assert_eq!(live.change().await["kind"], "STARTED");
    let done = update(
        &app.staff(),
        &order,
        json!({ "contact": { "name": "Ada" }, "tags": ["late"], "metadata": { "a": 1 }, "paymentMethod": "CASH" }),
    )
    .await;
    assert_eq!(fields(&done["changes"]), ["contact", "tags", "paymentMethod", "metadata"], "{done}");
    let change = live.change().await;
    assert_eq!(change["kind"], "UPDATED");
    assert_eq!(fields(&change["event"]["changes"]), ["contact", "paymentMethod"]);
    let timeline =
        "query($id: ID!) { order(by: { id: $id }) { timeline { nodes { kind changes { field } } } } }";
    for (client, expected) in [
        (app.consumer(), vec!["contact", "paymentMethod"]),
        (app.provider(), vec!["contact", "tags", "paymentMethod", "metadata"]),
    ] {
        let data = client.data(timeline, json!({ "id": order })).await;
        let nodes = data["order"]["timeline"]["nodes"].as_array().expect("events");
        assert_eq!(nodes[0]["changes"], Value::Null);
        assert_eq!(fields(&nodes[1]["changes"]), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_changes_hands_leaves_one_customer_and_enters_the_other() {
    let app = App::start().await;
    let order = app.place(&app.consumer(), &app.company.server, 1).await;
    let watch = "subscription { orderEvents { kind orderId } }";
    let (mut old, mut new) =
        (app.approver().subscribe(watch, json!({})).await, app.stranger().subscribe(watch, json!({})).await);
    for live in [&mut old, &mut new] {
        assert_eq!(live.change().await["kind"], "STARTED");
    }
    let to = |customer: String| json!({ "customer": customer });
    let done = update(&app.staff(), &order, to(app.company.other_customer.to_string())).await;
    assert_eq!(done["order"]["customer"]["id"], json!(app.company.other_customer.to_string()), "{done}");
    assert_eq!(old.change().await, json!({ "kind": "LEFT", "orderId": order }));
    assert_eq!(new.change().await, json!({ "kind": "ENTERED", "orderId": order }));
    let provider = update(&app.staff(), &order, to(app.company.provider_org.to_string())).await;
    assert_eq!(provider["errors"][0]["code"], "NOT_FOUND");
    assert_eq!(provider["errors"][0]["path"], json!(["customer", "id"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_the_customer_used_before_is_refused() {
    let app = App::start().await;
    let (one, other) = (
        app.place(&app.consumer(), &app.company.server, 1).await,
        app.place(&app.consumer(), &app.company.server, 1).await,
    );
    let named = json!({ "externalReference": "PO-7" });
    assert_eq!(update(&app.staff(), &one, named.clone()).await["errors"], json!([]));
    let refused = update(&app.staff(), &other, named).await;
    assert_eq!(refused["errors"][0]["code"], "DUPLICATE_REFERENCE", "{refused}");
    assert_eq!(refused["errors"][0]["path"], json!(["externalReference"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_may_edit_is_refused_with_its_place_and_changes_nothing() {
    let app = App::start().await;
    let order = app.place(&app.consumer(), &app.company.server, 1).await;
    let item = items(&app.staff(), &order).await.remove(0);
    let before = app.rows(&order).await;
    let long = "x".repeat(300);
    let cases = [
        (app.staff(), json!({}), "VALIDATION", ""),
        (app.staff(), json!({ "contact": { "name": long } }), "VALIDATION", "contact.name"),
        (app.staff(), json!({ "customerNote": "\u{1b}[2J" }), "VALIDATION", "customerNote"),
        (app.staff(), json!({ "metadata": [1] }), "VALIDATION", "metadata"),
        (app.staff(), json!({ "tags": vec!["a"; 21] }), "VALIDATION", "tags"),
        (
            app.staff(),
            json!({ "deliveryFee": { "amount": "1.00", "currency": "USD" } }),
            "VALIDATION",
            "deliveryFee.currency",
        ),
        (
            app.staff(),
            json!({ "lines": [{ "change": { "item": item, "quantity": 0 } }] }),
            "VALIDATION",
            "lines.0.change.quantity",
        ),
        (app.staff(), json!({ "lines": [{ "remove": { "item": item } }] }), "VALIDATION", "lines"),
        (app.consumer(), json!({ "tags": ["mine"] }), "VALIDATION", "tags"),
        (app.provider(), json!({ "customerNote": "hello" }), "NOT_PERMITTED", ""),
        (app.stranger(), json!({ "customerNote": "hello" }), "NOT_FOUND", ""),
        (app.staff(), json!({ "customerNote": "hello", "expectedVersion": 9 }), "VERSION_CONFLICT", ""),
    ];
    for (client, extra, code, path) in cases {
        let refused = update(&client, &order, extra.clone()).await;
        let error = &refused["errors"][0];
        let steps: Vec<&str> =
            error["path"].as_array().expect("a path").iter().filter_map(Value::as_str).collect();
        assert_eq!(
            (error["code"].as_str(), steps.join(".")),
            (Some(code), path.to_owned()),
            "{extra} {refused}"
        );
        assert_eq!((&refused["order"], &refused["changes"]), (&Value::Null, &json!([])));
    }
    assert_eq!(app.rows(&order).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_sent_twice_is_done_once_and_says_again_what_it_changed() {
    let app = App::start().await;
    let order = app.place(&app.consumer(), &app.company.server, 1).await;
    let asked = json!({ "customerNote": "once", "idempotencyKey": "k" });
    let first = update(&app.consumer(), &order, asked.clone()).await;
    let again = update(&app.consumer(), &order, asked).await;
    assert_eq!((&first["replayed"], &again["replayed"]), (&json!(false), &json!(true)));
    assert_eq!((&first["changes"], &first["event"]), (&again["changes"], &again["event"]));
    assert_eq!(app.count("order_edits").await, 1);
}
