//! Orders moved to another version of their workflow: previewed, moved once, and told to those whom it concerns.

use chrono::TimeDelta;
use ordo::usecase::job::turn;
use serde_json::{Value, json};

use crate::{
    harness::{App, Client, Wanted},
    jobs::second_version,
};

const MIGRATE: &str = "mutation($input: WorkflowMigrateOrdersInput!) { workflowMigrateOrders(input: $input) { \
    job { id } counts { status target orders } errors { code message path } } }";
const JOB: &str = "query($id: ID!) { node(id: $id) { ... on Job { state progress { total done failed } \
    refusals { subject code message } } } }";
const ORDER: &str = "query($id: ID!) { order(by: { id: $id }) { version status { code label } isStalled \
    timeline(last: 20) { nodes { kind action actor { id } from { code } to { code } } } } }";

fn mapping() -> Value {
    json!([
        { "from": "validating", "to": "checking" },
        { "from": "pending_payment", "to": "awaiting_payment" },
    ])
}

async fn migrate(app: &App, extra: Value) -> Value {
    let mut input = json!({ "workflow": "cloud", "fromVersion": 1, "toVersion": 2, "mapping": mapping() });
    input.as_object_mut().expect("an input").extend(extra.as_object().expect("fields").clone());
    app.admin().data(MIGRATE, json!({ "input": input })).await["workflowMigrateOrders"].clone()
}

/// Migrates to the end; the job as it ended.
async fn migrated(app: &App, extra: Value) -> Value {
    let asked = migrate(app, extra).await;
    assert_eq!(asked["errors"], json!([]), "{asked}");
    while turn(&app.inner).await.expect("a turn") {}
    app.admin().data(JOB, json!({ "id": asked["job"]["id"] })).await["node"].clone()
}

async fn timeline(client: &Client, order: &str) -> Vec<Value> {
    let data = client.data(ORDER, json!({ "id": order })).await;
    data["order"]["timeline"]["nodes"].as_array().expect("a timeline").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_counts_and_finds_every_fault_and_writes_nothing() {
    let app = App::start().await;
    let wanted = ["pending_payment", "pending_payment", "validating", "draft"];
    app.stand(&wanted.map(|status| Wanted::new(&app.company.server, status))).await;
    second_version(&app).await;
    let before = (app.counts().await, app.count("jobs").await);
    let seen = migrate(&app, json!({ "preview": true })).await;
    assert_eq!((&seen["job"], &seen["errors"]), (&Value::Null, &json!([])));
    let count = |status: &str, target: &str, orders: i64| json!({ "status": status, "target": target, "orders": orders });
    let counts = json!([
        count("draft", "draft", 1),
        count("pending_payment", "awaiting_payment", 2),
        count("validating", "checking", 1),
    ]);
    assert_eq!(seen["counts"], counts);
    let faulty = json!([
        { "from": "pending_payment", "to": "nowhere" },
        { "from": "pending_payment", "to": "awaiting_payment" },
        { "from": "unheard_of", "to": "draft" },
    ]);
    for preview in [true, false] {
        let refused = migrate(&app, json!({ "preview": preview, "mapping": faulty })).await;
        let places: Vec<String> = refused["errors"]
            .as_array()
            .expect("errors")
            .iter()
            .map(|error| {
                assert_eq!(error["code"], "VALIDATION");
                let path = error["path"].as_array().expect("a path").iter().filter_map(Value::as_str);
                path.collect::<Vec<_>>().join(".")
            })
            .collect();
        assert_eq!(places, ["mapping.0.to", "mapping.1.from", "mapping.2.from", "mapping"], "{refused}");
        assert_eq!(refused["job"], Value::Null);
        assert_eq!(refused["counts"][2], json!({ "status": "validating", "target": null, "orders": 1 }));
    }
    for (extra, code, place) in [
        (json!({ "workflow": "no_such" }), "NOT_FOUND", json!(["workflow"])),
        (json!({ "toVersion": 9 }), "VALIDATION", json!(["toVersion"])),
        (json!({ "fromVersion": 9 }), "VALIDATION", json!(["fromVersion"])),
        (json!({ "toVersion": 1 }), "VALIDATION", json!(["toVersion"])),
    ] {
        let refused = migrate(&app, extra).await;
        let error = &refused["errors"][0];
        assert_eq!((&error["code"], &error["path"], &refused["job"]), (&json!(code), &place, &Value::Null));
    }
    assert_eq!((app.counts().await, app.count("jobs").await), before, "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_for_administrators() {
    let app = App::start().await;
    second_version(&app).await;
    let input = json!({ "workflow": "cloud", "fromVersion": 1, "toVersion": 2, "mapping": mapping(), "preview": true });
    for (role, client) in app.roles() {
        let answer = client.send(MIGRATE, json!({ "input": input })).await;
        let expected: &[&str] = match role {
            "admin" => &[],
            "anonymous" => &["UNAUTHENTICATED"],
            _ => &["FORBIDDEN"],
        };
        assert_eq!(answer.codes(), expected, "{role}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buyers_are_told_what_changes_for_them_and_history_keeps_its_words() {
    let app = App::start().await;
    let orders = app
        .stand(
            &["pending_payment", "validating", "draft"]
                .map(|status| Wanted::new(&app.company.server, status)),
        )
        .await;
    second_version(&app).await;
    let events = "subscription { orderEvents { kind orderId order { status { code } } event { action } } }";
    let mut outside = app.consumer().subscribe(events, json!({})).await;
    let mut inside = app.provider().subscribe(events, json!({})).await;
    assert_eq!(outside.change().await["kind"], "STARTED");
    assert_eq!(inside.change().await["kind"], "STARTED");
    let ended = migrated(&app, json!({})).await;
    assert_eq!(ended["progress"], json!({ "total": 3, "done": 3, "failed": 0 }), "{ended}");
    let told = outside.change().await;
    assert_eq!((&told["kind"], &told["orderId"]), (&json!("STATUS_CHANGED"), &json!(orders[0])));
    assert_eq!(told["order"]["status"]["code"], "awaiting_payment");
    let kinds = [inside.change().await, inside.change().await, inside.change().await];
    let of =
        |order: &str| kinds.iter().find(|it| it["orderId"] == json!(order)).expect("told")["kind"].clone();
    assert_eq!(
        [of(&orders[0]), of(&orders[1]), of(&orders[2])],
        ["STATUS_CHANGED", "STATUS_CHANGED", "UPDATED"]
    );
    // To buyers nothing happened to the one that is validated, or checked.
    let seen = timeline(&app.consumer(), &orders[1]).await;
    assert!(seen.iter().all(|event| event["action"] != "migrate"), "{seen:?}");
    let codes = |seen: &[Value]| {
        let code = |event: &Value| event["to"]["code"].as_str().map(str::to_owned);
        seen.iter().filter_map(code).collect::<Vec<_>>()
    };
    assert_eq!(
        codes(&seen),
        ["draft", "pending_payment", "payment_confirmed", "processing"],
        "old words stay"
    );
    let inner = timeline(&app.staff(), &orders[1]).await;
    assert_eq!(codes(&inner)[1..], ["pending_payment", "payment_confirmed", "validating", "checking"]);
    let last = inner.last().expect("an event");
    let admin = app.company.admin.id.to_string();
    assert_eq!((&last["action"], &last["actor"]["id"]), (&json!("migrate"), &json!(admin)));
    let kept = timeline(&app.staff(), &orders[2]).await;
    let last = kept.last().expect("an event");
    assert_eq!((&last["kind"], &last["to"]), (&json!("UPDATED"), &Value::Null));
    // Their life goes on by the rules of the new version.
    app.act(&app.worker(), &orders[1], "provision", json!({})).await;
    app.act(&app.consumer(), &orders[2], "submit", json!({})).await;
    assert_eq!(app.staff().status(&orders[2]).await.as_deref(), Some("awaiting_payment"));
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_are_placed_or_moved_meanwhile_are_moved_once() {
    let app = App::start().await;
    let orders = app.stand(&vec![Wanted::new(&app.company.server, "pending_payment"); 120]).await;
    app.world.advance(TimeDelta::hours(1));
    // Another process that has not heard of the second version yet places orders of the first.
    let late = app.beside().await;
    second_version(&app).await;
    let asked = migrate(&app, json!({})).await;
    for _ in 0..2 {
        assert!(turn(&app.inner).await.expect("the plan, and the first hundred"));
    }
    let placed = late.place(&late.consumer(), &late.company.server, 1).await;
    let left = "SELECT COUNT(*) FROM orders WHERE workflow_version = 1";
    assert_eq!(app.count_of(left).await, 21);
    let last = orders.iter().max().expect("orders");
    app.act(&app.staff(), last, "confirm_payment", json!({})).await;
    while turn(&app.inner).await.expect("a turn") {}
    let ended = app.admin().data(JOB, json!({ "id": asked["job"]["id"] })).await["node"].clone();
    assert_eq!(ended["progress"], json!({ "total": 120, "done": 121, "failed": 0 }), "{ended}");
    assert_eq!(app.count_of(left).await, 0);
    let told = "SELECT COUNT(*) FROM events WHERE action = 'migrate'";
    assert_eq!(app.count_of(told).await, 121);
    assert_eq!(app.staff().status(&placed).await.as_deref(), Some("draft"));
    assert_eq!(app.staff().status(last).await.as_deref(), Some("payment_confirmed"));
    // Asked for again, it finds nothing to do.
    let again = migrated(&app, json!({})).await;
    assert_eq!(again["progress"], json!({ "total": 0, "done": 0, "failed": 0 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_the_rules_refuse_stay_and_are_listed_once() {
    let app = App::start().await;
    let orders = app
        .stand(&["validating", "pending_payment"].map(|status| Wanted::new(&app.company.server, status)))
        .await;
    second_version(&app).await;
    // Nobody works on orders that are drafts, and somebody is at work on the first.
    let elsewhere = json!([
        { "from": "validating", "to": "draft" },
        { "from": "pending_payment", "to": "awaiting_payment" },
    ]);
    let before = app.rows(&orders[0]).await;
    let ended = migrated(&app, json!({ "mapping": elsewhere })).await;
    assert_eq!(ended["state"], "SUCCEEDED");
    assert_eq!(ended["progress"], json!({ "total": 2, "done": 1, "failed": 1 }));
    let refusals = ended["refusals"].as_array().expect("refusals");
    assert_eq!(refusals.len(), 1);
    assert_eq!((&refusals[0]["subject"], &refusals[0]["code"]), (&json!(orders[0]), &json!("VALIDATION")));
    assert!(refusals[0]["message"].as_str().is_some_and(|message| message.contains("under way")));
    assert_eq!(app.rows(&orders[0]).await, before);
    assert_eq!(app.staff().status(&orders[0]).await.as_deref(), Some("validating"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_this_process_has_not_heard_of_is_read() {
    let app = App::start().await;
    let other = app.beside().await;
    second_version(&other).await;
    let seen = migrate(&app, json!({ "preview": true })).await;
    assert_eq!(seen["errors"], json!([]), "{seen}");
}
