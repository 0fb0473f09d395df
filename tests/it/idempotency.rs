//! Requests that are sent again, and writers that meet on one order: everything is done once.

use chrono::TimeDelta;
use futures_util::future::join_all;
use sea_orm::Value as Bound;
use serde_json::{Value, json};

use crate::harness::{App, Client};

const CREATE: &str = "mutation($input: OrderCreateInput!) { orderCreate(input: $input) { replayed \
    order { id } event { id kind } errors { code path } } }";
const NOTE: &str = "mutation($input: OrderAddNoteInput!) { orderAddNote(input: $input) { replayed \
    order { id version } event { id kind } errors { code path } } }";
const ACCEPT: &str = "mutation($input: OrderAcceptInput!) { orderAccept(input: $input) { replayed \
    order { id version } event { id kind } errors { code path } } }";

/// An order of one line under a key.
fn basket(app: &App, key: &str, quantity: i32) -> Value {
    json!({
        "customer": { "id": app.company.customer.to_string() },
        "lines": [{ "product": app.company.webspace.id.to_string(), "quantity": quantity }],
        "idempotencyKey": key,
    })
}

async fn create(client: &Client, input: &Value) -> Value {
    client.data(CREATE, json!({ "input": input })).await["orderCreate"].clone()
}

async fn note(client: &Client, order: &Value, body: &str, key: &str) -> Value {
    let input = json!({ "order": order, "body": body, "audience": "PROVIDER", "idempotencyKey": key });
    client.data(NOTE, json!({ "input": input })).await["orderAddNote"].clone()
}

fn code(payload: &Value) -> &str {
    payload["errors"][0]["code"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_under_the_same_key_is_done_once_and_answered_alike() {
    let app = App::start().await;
    let consumer = app.consumer();
    let first = create(&consumer, &basket(&app, "k1", 1)).await;
    assert_eq!(first["errors"], json!([]));
    assert_eq!(first["replayed"], false);
    let again = create(&consumer, &basket(&app, "k1", 1)).await;
    assert_eq!(again["replayed"], true);
    assert_eq!((&again["order"], &again["event"]), (&first["order"], &first["event"]));
    let blanks = create(&consumer, &basket(&app, "  k1 ", 1)).await;
    assert_eq!(blanks["order"], first["order"], "a key is trimmed");
    assert_eq!((app.count("orders").await, app.order_events().await), (1, 1));
    let noted = note(&app.staff(), &first["order"]["id"], "once", "k1").await;
    let replayed = note(&app.staff(), &first["order"]["id"], "once", "k1").await;
    assert_eq!((&noted["replayed"], &replayed["replayed"]), (&json!(false), &json!(true)));
    assert_eq!(replayed["event"], noted["event"]);
    assert_eq!(app.count("notes").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_input_under_the_same_key_is_refused() {
    let app = App::start().await;
    let consumer = app.consumer();
    let first = create(&consumer, &basket(&app, "k", 1)).await;
    let counts = app.counts().await;
    let other = create(&consumer, &basket(&app, "k", 2)).await;
    assert_eq!(other["errors"], json!([{ "code": "IDEMPOTENCY_MISMATCH", "path": ["idempotencyKey"] }]));
    assert_eq!((&other["order"], &other["replayed"]), (&Value::Null, &json!(false)));
    let mut tagged = basket(&app, "k", 1);
    tagged["tags"] = json!(["new"]);
    assert_eq!(code(&create(&consumer, &tagged).await), "IDEMPOTENCY_MISMATCH");
    assert_eq!(app.counts().await, counts);
    let second = create(&consumer, &basket(&app, "other", 1)).await;
    let (staff, id) = (app.staff(), &first["order"]["id"]);
    note(&staff, id, "a", "n").await;
    for (order, body) in [(id, "b"), (&second["order"]["id"], "a")] {
        assert_eq!(code(&note(&staff, order, body, "n").await), "IDEMPOTENCY_MISMATCH", "{body}");
    }
    let versioned = json!({ "order": id, "body": "a", "audience": "PROVIDER", "idempotencyKey": "n",
        "expectedVersion": 2 });
    let payload = staff.data(NOTE, json!({ "input": versioned })).await;
    assert_eq!(code(&payload["orderAddNote"]), "IDEMPOTENCY_MISMATCH", "a version is part of the request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_one_person_and_one_operation() {
    let app = App::start().await;
    let mine = create(&app.consumer(), &basket(&app, "k", 1)).await;
    let theirs = create(&app.approver(), &basket(&app, "k", 1)).await;
    assert_eq!((&theirs["replayed"], &theirs["errors"]), (&json!(false), &json!([])));
    assert_ne!(mine["order"], theirs["order"]);
    let (staff, id) = (app.staff(), &mine["order"]["id"]);
    let noted = note(&staff, id, "a", "k").await;
    let input = json!({ "order": id, "idempotencyKey": "k" });
    let accepted = staff.data(ACCEPT, json!({ "input": input })).await["orderAccept"].clone();
    assert_eq!((&accepted["replayed"], &accepted["errors"]), (&json!(false), &json!([])));
    assert_ne!(accepted["event"], noted["event"]);
    let named = staff.transition(id.as_str().unwrap(), "accept", json!({ "idempotencyKey": "k" })).await;
    assert_eq!(code(&named), "ILLEGAL_TRANSITION", "another mutation is another operation");
    assert_eq!(app.count("orders").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_requests_at_once_under_one_key_place_one_order() {
    let app = App::start().await;
    let input = basket(&app, "race", 1);
    let clients: Vec<Client> = (0..16).map(|_| app.consumer()).collect();
    let answers = join_all(clients.iter().map(|client| create(client, &input))).await;
    assert_eq!((app.count("orders").await, app.order_events().await), (1, 1));
    let fresh = answers.iter().filter(|answer| answer["replayed"] == false).count();
    assert_eq!(fresh, 1, "{answers:#?}");
    for answer in &answers {
        assert_eq!(answer["errors"], json!([]));
        assert_eq!((&answer["order"], &answer["event"]), (&answers[0]["order"], &answers[0]["event"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_refused_leaves_its_key_free() {
    let app = App::start().await;
    let consumer = app.consumer();
    assert_eq!(code(&create(&consumer, &basket(&app, "k", 0)).await), "VALIDATION");
    assert_eq!(app.count("idempotency").await, 0);
    let placed = create(&consumer, &basket(&app, "k", 1)).await;
    assert_eq!((&placed["errors"], &placed["replayed"]), (&json!([]), &json!(false)));
    let id = placed["order"]["id"].as_str().unwrap();
    let key = json!({ "idempotencyKey": "t" });
    assert_eq!(
        code(&app.staff().transition(id, "reset_to_pending", key.clone()).await),
        "ILLEGAL_TRANSITION"
    );
    let moved = app.staff().transition(id, "accept", key).await;
    assert_eq!((&moved["errors"], &moved["replayed"]), (&json!([]), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_remembered_for_24_hours() {
    let app = App::start().await;
    let first = create(&app.consumer(), &basket(&app, "k", 1)).await;
    app.world.advance(TimeDelta::hours(24));
    let still = create(&app.consumer(), &basket(&app, "k", 1)).await;
    assert_eq!((&still["replayed"], &still["order"]), (&json!(true), &first["order"]));
    app.world.advance(TimeDelta::seconds(1));
    let later = create(&app.consumer(), &basket(&app, "k", 2)).await;
    assert_eq!((&later["errors"], &later["replayed"]), (&json!([]), &json!(false)));
    assert_ne!(later["order"], first["order"]);
    assert_eq!((app.count("orders").await, app.count("idempotency").await), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_shows_nothing_that_its_caller_may_not_see_any_more() {
    let app = App::start().await;
    let consumer = app.consumer();
    let input = basket(&app, "k", 1);
    create(&consumer, &input).await;
    assert_eq!(create(&consumer, &input).await["replayed"], true);
    let user = Bound::Uuid(Some(app.company.consumer.id.0));
    assert_eq!(app.execute("DELETE FROM memberships WHERE user_id = $1", [user]).await, 1);
    let refused = create(&consumer, &input).await;
    assert_eq!(code(&refused), "NOT_FOUND");
    assert_eq!((&refused["order"], &refused["event"]), (&Value::Null, &Value::Null));
    assert_eq!(app.count("orders").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_writers_who_saw_the_same_version_one_wins() {
    let app = App::start().await;
    let order = app.place(&app.consumer(), &app.company.webspace, 1).await;
    let staff = app.staff();
    let write = async |n: usize| {
        let input = json!({ "order": order, "body": format!("note {n}"), "expectedVersion": 1 });
        let query = "mutation($input: OrderAddNoteInput!) { orderAddNote(input: $input) { order { version } \
            errors { code ... on VersionConflict { expected actual order { id version } } } } }";
        staff.data(query, json!({ "input": input })).await["orderAddNote"].clone()
    };
    let answers = join_all((0..64).map(write)).await;
    let won: Vec<&Value> = answers.iter().filter(|answer| answer["errors"] == json!([])).collect();
    assert_eq!(won.len(), 1, "{answers:#?}");
    assert_eq!(won[0]["order"]["version"], 2);
    let now = json!({ "id": order, "version": 2 });
    let conflict = json!([{ "code": "VERSION_CONFLICT", "expected": 1, "actual": 2, "order": now }]);
    assert_eq!(answers.iter().filter(|answer| answer["errors"] == conflict).count(), 63, "{answers:#?}");
    assert_eq!((app.count("notes").await, app.order_events().await), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_16_who_take_the_same_action_one_wins_and_the_others_are_told_the_status() {
    let app = App::start().await;
    let order = app.place(&app.consumer(), &app.company.webspace, 1).await;
    let staff = app.staff();
    let answers = join_all((0..16).map(|_| staff.transition(&order, "accept", json!({})))).await;
    let won = answers.iter().filter(|answer| answer["errors"] == json!([])).count();
    assert_eq!(won, 1, "{answers:#?}");
    let late = answers.iter().filter(|answer| code(answer) == "ILLEGAL_TRANSITION");
    let late: Vec<&Value> = late.map(|answer| &answer["errors"][0]).collect();
    assert_eq!(late.len(), 15, "{answers:#?}");
    assert!(late.iter().all(|error| error["from"] == "active" && error["action"] == "accept"), "{late:#?}");
    assert_eq!(app.order_events().await, 2);
}
