//! Orders that leave: deleted and restored, or removed for good.

use chrono::TimeDelta;
use domain::{actor::Membership, role::Role};
use serde_json::{Value, json};

use crate::harness::{App, Client, Subscriber, Wanted};

const WATCH: &str = "subscription { orderEvents { kind orderId event { kind } } }";

async fn delete(client: &Client, order: &str, extra: Value) -> Value {
    let query = "mutation($input: OrderDeleteInput!) { orderDelete(input: $input) { replayed order { deletedAt \
        availableActions { action } } event { kind reason } errors { code message } } }";
    carry_out(client, query, order, extra).await
}

async fn restore(client: &Client, order: &str) -> Value {
    let query = "mutation($input: OrderRestoreInput!) { orderRestore(input: $input) { order { deletedAt \
        status { code } } event { kind } errors { code message } } }";
    carry_out(client, query, order, json!({})).await
}

async fn purge(client: &Client, order: &str, extra: Value) -> Value {
    let query = "mutation($input: OrderPurgeInput!) { orderPurge(input: $input) { replayed purged \
        errors { code message path ... on GuardFailed { guard } } } }";
    carry_out(client, query, order, extra).await
}

async fn carry_out(client: &Client, query: &str, order: &str, extra: Value) -> Value {
    let mut input = extra;
    input["order"] = order.into();
    let data = client.data(query, json!({ "input": input })).await;
    data.as_object().and_then(|data| data.values().next()).cloned().expect("a payload")
}

/// Whether the order exists for this client: by id, in lists, and in what it counts.
async fn sees(client: &Client, order: &str, deleted: bool) -> bool {
    let query = "query($id: ID!, $deleted: Boolean!) { order(by: { id: $id }) { id } \
        orders(where: { deleted: $deleted }) { totalCount nodes { id } } }";
    let data = client.data(query, json!({ "id": order, "deleted": deleted })).await;
    let listed = data["orders"]["nodes"].as_array().expect("nodes").iter().any(|node| node["id"] == order);
    assert_eq!(data["orders"]["totalCount"], json!(u8::from(listed)), "{data}");
    assert!(!listed || data["order"]["id"] == order, "{data}");
    listed
}

async fn number(client: &Client, order: &str) -> String {
    let query = "query($id: ID!) { order(by: { id: $id }) { number } }";
    let data = client.data(query, json!({ "id": order })).await;
    data["order"]["number"].as_str().expect("a number").to_owned()
}

async fn watch(client: &Client) -> Subscriber {
    let mut live = client.subscribe(WATCH, json!({})).await;
    assert_eq!(live.change().await["kind"], "STARTED");
    live
}

async fn next(live: &mut Subscriber) -> (Value, Value) {
    let change = live.change().await;
    (change["kind"].clone(), change["event"]["kind"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_order_is_gone_for_all_but_staff_until_an_administrator_restores_it() {
    let app = App::start().await;
    let order = app.place(&app.consumer(), &app.company.server, 1).await;
    let everybody = [app.consumer(), app.approver(), app.provider(), app.manager(), app.staff(), app.admin()];
    let mut streams = Vec::new();
    for client in &everybody {
        assert!(sees(client, &order, false).await);
        streams.push(watch(client).await);
    }
    let payload = delete(&app.staff(), &order, json!({ "reason": "entered twice" })).await;
    assert_eq!(payload["errors"], json!([]));
    assert!(payload["order"]["deletedAt"].is_string(), "{payload}");
    assert_eq!(payload["order"]["availableActions"], json!([]));
    assert_eq!(payload["event"], json!({ "kind": "DELETED", "reason": "entered twice" }));
    for (client, live) in everybody.iter().zip(&mut streams) {
        assert_eq!(next(live).await, (json!("REMOVED"), Value::Null), "of which the id alone is told");
        assert!(!sees(client, &order, false).await);
    }
    for client in &everybody[..4] {
        assert!(!sees(client, &order, true).await);
        assert_eq!(restore(client, &order).await["errors"][0]["code"], "NOT_FOUND");
    }
    for client in &everybody[4..] {
        assert!(sees(client, &order, true).await);
        let submitted = client.transition(&order, "submit", json!({})).await;
        assert_eq!(submitted["errors"][0]["code"], "GUARD_FAILED");
    }
    assert_eq!(restore(&app.staff(), &order).await["errors"][0]["code"], "NOT_PERMITTED");
    let payload = restore(&app.admin(), &order).await;
    assert_eq!(payload["order"], json!({ "deletedAt": null, "status": { "code": "draft" } }), "{payload}");
    for (client, live) in everybody.iter().zip(&mut streams) {
        assert_eq!(next(live).await.0, "RESTORED");
        assert!(sees(client, &order, false).await);
    }
    app.act(&app.consumer(), &order, "submit", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_watch_deleted_orders_see_them_come_and_go() {
    let app = App::start().await;
    let order = app.place(&app.consumer(), &app.company.server, 1).await;
    let query = "subscription { orderEvents(where: { deleted: true }) { kind orderId } }";
    let mut bin = app.admin().subscribe(query, json!({})).await;
    assert_eq!(bin.change().await["kind"], "STARTED");
    delete(&app.staff(), &order, json!({})).await;
    restore(&app.admin(), &order).await;
    assert_eq!(bin.change().await, json!({ "kind": "ENTERED", "orderId": order }));
    assert_eq!(bin.change().await, json!({ "kind": "LEFT", "orderId": order }));
}

/// An order of the webspace that was paid, given back and cancelled, with notes and reasons.
async fn settled(app: &App) -> String {
    let wanted = Wanted { paid: 100, ..Wanted::new(&app.company.webspace, "active") };
    let order = app.stand(&[wanted]).await.remove(0);
    let note = "mutation($order: ID!) { orderAddNote(input: { order: $order, body: \"MARKER\" }) { errors { code } } }";
    let noted = app.staff().data(note, json!({ "order": order })).await;
    assert_eq!(noted["orderAddNote"]["errors"], json!([]));
    app.act(&app.staff(), &order, "reset_to_pending", json!({ "reason": "MARKER" })).await;
    app.act(&app.staff(), &order, "cancel_and_refund", json!({ "reason": "MARKER" })).await;
    order
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_order_is_gone_its_books_and_its_log_stay_and_say_nothing_of_people() {
    let app = App::start().await;
    let order = settled(&app).await;
    let (admin, typed) = (app.admin(), number(&app.admin(), &order).await);
    let mut live = watch(&app.consumer()).await;
    let (before, resources) = (app.rows(&order).await, app.count("resources").await);
    assert!(before.to_string().contains("MARKER"));
    assert_eq!(resources, 1);
    let payload = purge(&admin, &order, json!({ "number": typed, "idempotencyKey": "once" })).await;
    assert_eq!(payload, json!({ "replayed": false, "purged": order, "errors": [] }));
    assert_eq!(next(&mut live).await, (json!("REMOVED"), Value::Null));
    let after = app.rows(&order).await;
    for table in ["orders", "order_items", "attempts", "notes"] {
        assert_eq!(after[table], json!([]), "{table}");
    }
    assert_eq!(app.count("resources").await, 0);
    for table in ["payments", "refunds"] {
        assert_eq!(after[table].as_array().map(Vec::len), Some(1), "{table}");
    }
    let last = after["events"].as_array().and_then(|events| events.last()).expect("an event");
    assert_eq!((&last["kind"], &last["after"]), (&json!("PURGED"), &Value::Null));
    assert_eq!(
        after["events"].as_array().map(Vec::len),
        before["events"].as_array().map(|events| events.len() + 1)
    );
    assert!(!after.to_string().contains("MARKER"), "{after}");
    for client in [app.consumer(), app.staff(), app.admin()] {
        for deleted in [false, true] {
            assert!(!sees(&client, &order, deleted).await);
        }
    }
    let again = purge(&admin, &order, json!({ "number": typed, "idempotencyKey": "once" })).await;
    assert_eq!(again, json!({ "replayed": true, "purged": order, "errors": [] }));
    let other = purge(&admin, &order, json!({ "number": typed })).await;
    assert_eq!(other["errors"][0]["code"], "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_that_was_issued_is_kept_and_cancelled_and_one_that_was_not_goes() {
    let app = App::start().await;
    let wanted =
        [Wanted::new(&app.company.server, "fulfilled"), Wanted::new(&app.company.server, "pending_payment")];
    for (order, kept) in app.stand(&wanted).await.iter().zip([true, false]) {
        let before = app.rows(order).await["invoices"].clone();
        assert_eq!(before[0]["issued_at"].is_null(), !kept);
        delete(&app.staff(), order, json!({})).await;
        let typed = number(&app.admin(), order).await;
        assert_eq!(purge(&app.admin(), order, json!({ "number": typed })).await["errors"], json!([]));
        let after = app.rows(order).await["invoices"].clone();
        assert_eq!(after.as_array().map(Vec::len), Some(usize::from(kept)), "{after}");
        if kept {
            assert_eq!(
                (&after[0]["number"], &after[0]["state"]),
                (&before[0]["number"], &json!("CANCELLED"))
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_is_for_administrators_who_type_the_number_of_an_order_that_may_go() {
    let app = App::start().await;
    let order = app.place(&app.consumer(), &app.company.server, 1).await;
    let typed = number(&app.staff(), &order).await;
    let right = json!({ "number": typed });
    let refused = purge(&app.admin(), &order, right.clone()).await;
    assert_eq!(refused["errors"][0]["guard"], "not_deleted", "{refused}");
    delete(&app.staff(), &order, json!({})).await;
    let before = app.rows(&order).await;
    let wrong = purge(&app.admin(), &order, json!({ "number": "1000000000" })).await;
    assert_eq!(
        (&wrong["errors"][0]["code"], &wrong["errors"][0]["path"]),
        (&json!("VALIDATION"), &json!(["number"]))
    );
    let garbled = "mutation($input: OrderPurgeInput!) { orderPurge(input: $input) { purged } }";
    let garbled = app.admin().send(garbled, json!({ "input": { "order": order, "number": "one" } })).await;
    assert_eq!(garbled.codes(), ["BAD_USER_INPUT"]);
    for (client, code) in
        [(app.staff(), "NOT_PERMITTED"), (app.consumer(), "NOT_FOUND"), (app.provider(), "NOT_FOUND")]
    {
        assert_eq!(purge(&client, &order, right.clone()).await["errors"][0]["code"], code);
    }
    assert_eq!(app.rows(&order).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_an_order_that_is_gone_is_never_given_again() {
    let app = App::start().await;
    let chance = app.world.chance();
    let place_again = async || {
        app.world.advance(TimeDelta::seconds(1));
        app.world.repeat(chance);
        let order = app.place(&app.consumer(), &app.company.server, 1).await;
        let typed = number(&app.staff(), &order).await;
        delete(&app.staff(), &order, json!({})).await;
        assert_eq!(purge(&app.admin(), &order, json!({ "number": typed })).await["errors"], json!([]));
        typed
    };
    let first = place_again().await;
    assert_ne!(place_again().await, first);
    // Chance does repeat itself.
    app.execute("DELETE FROM purged_orders", []).await;
    assert_eq!(place_again().await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_delete_restore_and_purge_at_once_each_step_is_done_once() {
    let app = App::start().await;
    let order = app.place(&app.consumer(), &app.company.server, 1).await;
    let typed = number(&app.staff(), &order).await;
    let at_operator =
        Membership { organization: app.company.operator, role: Role::Admin, offerings: Vec::new() };
    let other = app.enrol("other admin", vec![at_operator]).await;
    let clients = [app.admin(), app.client(other)];
    let done = |payloads: Vec<Value>| payloads.iter().filter(|it| it["errors"] == json!([])).count();
    let deleted =
        futures_util::future::join_all(clients.iter().map(|it| delete(it, &order, json!({})))).await;
    assert_eq!(done(deleted), 1);
    let right = json!({ "number": typed });
    let purged =
        futures_util::future::join_all((0..8).map(|n| purge(&clients[n % 2], &order, right.clone()))).await;
    assert_eq!(done(purged), 1);
    assert_eq!(app.count("purged_orders").await, 1);
}
