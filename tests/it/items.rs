//! Lines worked on one by one (001-11, 001-12, 001-15): accepted by choice, reported on, begun again.

use serde_json::{Value, json};

use crate::{
    attempt::{claim, hold},
    harness::{App, Client},
};

/// The lines of an order, by position.
pub async fn lines(app: &App, order: &str) -> Vec<String> {
    let query = "query($id: ID!) { order(by: { id: $id }) { items { nodes { id } } } }";
    let found = app.staff().data(query, json!({ "id": order })).await;
    let nodes = found["order"]["items"]["nodes"].as_array().expect("lines").clone();
    nodes.iter().map(|node| node["id"].as_str().expect("an id").to_owned()).collect()
}

/// Tells of a line; the whole payload.
pub async fn tell(client: &Client, field: &str, order: &str, item: &str, more: Value) -> Value {
    let mut input = json!({ "order": order, "item": item });
    input.as_object_mut().expect("an input").extend(more.as_object().expect("fields").clone());
    let (head, tail) = field.split_at(1);
    let document = format!(
        "mutation($input: {}{tail}Input!) {{ {field}(input: $input) {{ replayed event {{ kind reason }} \
         order {{ status {{ code }} items {{ nodes {{ status resource {{ state backendId }} }} }} }} \
         errors {{ __typename code message path }} }} }}",
        head.to_uppercase()
    );
    client.data(&document, json!({ "input": input })).await[field].clone()
}

/// Begins the first line of an accepted order anew, with inputs for the worker that will claim it.
pub async fn supply(app: &App, order: &str, inputs: Value) {
    let item = lines(app, order).await.remove(0);
    let failed = json!({ "error": { "message": "full" } });
    for (field, more) in [("orderItemFailed", failed), ("orderItemRetry", json!({ "inputs": inputs }))] {
        assert_eq!(tell(&app.staff(), field, order, &item, more).await["errors"], json!([]), "{field}");
    }
}

/// A hosting order of so many lines.
pub async fn webspaces(app: &App, lines: usize) -> String {
    let line = json!({ "product": app.company.webspace.id.to_string() });
    let customer = json!({ "id": app.company.customer.to_string() });
    let input = json!({ "customer": customer, "lines": vec![line; lines] });
    app.place_input(&app.consumer(), input).await
}

/// Accepts an order; the whole payload.
pub async fn accept(client: &Client, order: &str, more: Value) -> Value {
    let mut input = json!({ "order": order });
    input.as_object_mut().expect("an input").extend(more.as_object().expect("fields").clone());
    let document = "mutation($input: OrderAcceptInput!) { orderAccept(input: $input) { replayed order { id } \
        errors { code message path } } }";
    client.data(document, json!({ "input": input })).await["orderAccept"].clone()
}

fn statuses(payload: &Value) -> Vec<&str> {
    assert_eq!(payload["errors"], json!([]), "{payload}");
    let nodes = payload["order"]["items"]["nodes"].as_array().expect("lines");
    nodes.iter().map(|node| node["status"].as_str().expect("a status")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_an_accepted_order_end_one_by_one_and_leave_each_other_alone() {
    let app = App::start().await;
    let order = webspaces(&app, 3).await;
    let items = lines(&app, &order).await;
    assert_eq!(
        accept(&app.staff(), &order, json!({ "items": [items[0], items[1]] })).await["errors"],
        json!([])
    );
    let error =
        json!({ "error": { "category": "CAPACITY", "message": "rack 7 is full", "traceback": "at 7" } });
    let failed = tell(&app.provider(), "orderItemFailed", &order, &items[0], error).await;
    assert_eq!(statuses(&failed), ["FAILED", "PROVISIONING", "PENDING"]);
    assert_eq!(
        (&failed["order"]["status"]["code"], &failed["event"]["kind"]),
        (&json!("active"), &json!("UPDATED"))
    );
    let made = json!({ "backendId": "account-7", "idempotencyKey": "made" });
    let done = tell(&app.manager(), "orderItemProvisioned", &order, &items[1], made.clone()).await;
    assert_eq!(statuses(&done), ["FAILED", "ACTIVE", "PENDING"]);
    assert_eq!(
        done["order"]["items"]["nodes"][1]["resource"],
        json!({ "state": "OK", "backendId": "account-7" })
    );
    let again = tell(&app.manager(), "orderItemProvisioned", &order, &items[1], made).await;
    assert_eq!(again["replayed"], true);
    let retried = tell(&app.staff(), "orderItemRetry", &order, &items[0], json!({})).await;
    assert_eq!(statuses(&retried), ["PROVISIONING", "ACTIVE", "PENDING"]);
    let late = tell(&app.staff(), "orderItemRetry", &order, &items[2], json!({})).await;
    assert_eq!(statuses(&late), ["PROVISIONING", "ACTIVE", "PROVISIONING"], "what was left out is begun");
    // A worker carries the rest out, each under a claim of its own.
    for _ in 0..2 {
        let held = hold(&claim(&app.worker(), &order, json!({})).await);
        let document =
            "mutation($input: AttemptSucceedInput!) { attemptSucceed(input: $input) { errors { code } } }";
        app.worker().data(document, json!({ "input": held })).await;
    }
    let query = "query($id: ID!) { order(by: { id: $id }) { status { code } pricing { paid { amount } } \
        items { nodes { status paymentStatus } } attempts { nodes { number outcome stage error { message traceback } } } } }";
    let read = app.staff().data(query, json!({ "id": order })).await["order"].clone();
    let active = json!({ "status": "ACTIVE", "paymentStatus": "UNPAID" });
    assert_eq!(read["items"]["nodes"], json!([active, active, active]));
    let kept = json!({ "number": 1, "outcome": "FAILED", "stage": "active",
        "error": { "message": "rack 7 is full", "traceback": "at 7" } });
    let attempts = read["attempts"]["nodes"].as_array().expect("attempts");
    assert!(attempts.contains(&kept), "a retry leaves the earlier attempt as it was: {attempts:?}");
    assert_eq!(attempts.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_told_of_a_line_is_refused_with_a_way_out_and_writes_nothing() {
    let app = App::start().await;
    let (order, other) = (webspaces(&app, 1).await, webspaces(&app, 1).await);
    let (item, foreign) = (lines(&app, &order).await.remove(0), lines(&app, &other).await.remove(0));
    accept(&app.staff(), &order, json!({})).await;
    let before = app.rows(&order).await;
    let told = json!({ "error": { "message": "full" } });
    for (client, field, item, more, code) in [
        (app.staff(), "orderItemRetry", &item, json!({}), "VALIDATION"),
        (app.staff(), "orderItemRetry", &foreign, json!({}), "NOT_FOUND"),
        (app.staff(), "orderItemProvisioned", &item, json!({ "expectedVersion": 99 }), "VERSION_CONFLICT"),
        (app.staff(), "orderItemProvisioned", &item, json!({ "backendId": "x".repeat(201) }), "VALIDATION"),
        (app.consumer(), "orderItemProvisioned", &item, json!({}), "NOT_PERMITTED"),
        (app.support(), "orderItemFailed", &item, told.clone(), "NOT_PERMITTED"),
        (app.rival(), "orderItemFailed", &item, told.clone(), "NOT_FOUND"),
        (app.stranger(), "orderItemRetry", &item, json!({}), "NOT_FOUND"),
    ] {
        let refused = tell(&client, field, &order, item, more).await;
        assert_eq!(refused["errors"][0]["code"], code, "{field} {refused}");
        assert_eq!(refused["order"], Value::Null);
    }
    assert_eq!(app.rows(&order).await, before);
    // Of many who tell the same line's end at once, one does.
    let tries = (0..16).map(|i| {
        let (client, order, item) = (app.staff(), order.clone(), item.clone());
        let field = if i % 2 == 0 { "orderItemProvisioned" } else { "orderItemFailed" };
        let more = if i % 2 == 0 { json!({}) } else { json!({ "error": { "message": "full" } }) };
        tokio::spawn(async move { tell(&client, field, &order, &item, more).await })
    });
    let answers = futures_util::future::join_all(tries.collect::<Vec<_>>()).await;
    let won =
        answers.iter().filter(|answer| answer.as_ref().expect("an answer")["errors"] == json!([])).count();
    assert_eq!(won, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_the_workflow_bars_is_overridden_by_staff_with_a_reason() {
    let app = App::start().await;
    let order =
        app.stand(&[crate::harness::Wanted::new(&app.company.server, "provisioning")]).await.remove(0);
    let error = json!({ "error": { "category": "CONFIGURATION", "message": "no such image" } });
    app.act(&app.worker(), &order, "fail", error).await;
    let query = "query($id: ID!) { order(by: { id: $id }) { availableActions { action blockedBy { guard message } } } }";
    let offers = app.staff().data(query, json!({ "id": order })).await["order"]["availableActions"].clone();
    let retry = offers.as_array().expect("offers").iter().find(|offer| offer["action"] == "retry").cloned();
    assert_eq!(retry.expect("it is offered")["blockedBy"]["guard"], "not_retryable", "{offers}");
    let document = "mutation($input: OrderRetryInput!) { orderRetry(input: $input) { order { status { code } } \
        errors { code message } } }";
    let try_again = async |client: Client, more: Value| {
        let mut input = json!({ "order": order });
        input.as_object_mut().expect("an input").extend(more.as_object().expect("fields").clone());
        client.data(document, json!({ "input": input })).await["orderRetry"].clone()
    };
    let because = json!({ "override": true, "reason": "the image is there now" });
    for (client, more, code) in [
        (app.staff(), json!({}), "GUARD_FAILED"),
        (app.staff(), json!({ "override": true }), "MISSING_REASON"),
        (app.provider(), because.clone(), "NOT_PERMITTED"),
    ] {
        assert_eq!(try_again(client, more).await["errors"][0]["code"], code);
    }
    assert_eq!(try_again(app.staff(), because).await["order"]["status"]["code"], "provisioning");
}
