//! The live feed under scope, filter and time: who hears of what, from which cursor, and until when.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use domain::{actor::Membership, role::Role};
use futures_util::future::join_all;
use ordo::app::World;
use serde_json::{Value, json};

use crate::harness::{App, Client, Subscriber};

const EVENTS: &str = "subscription($where: OrderWhereInput, $after: String) { \
    orderEvents(where: $where, after: $after) { kind cursor orderId order { id } \
    event { id kind version from { code } to { code } } } }";

async fn listen(client: &Client, variables: Value) -> Subscriber {
    let mut stream = client.subscribe(EVENTS, variables).await;
    assert_eq!(stream.change().await["kind"], "STARTED");
    stream
}

/// Gives an order to somebody, or to nobody.
async fn assign(app: &App, order: &str, what: &str, to: Option<domain::id::UserId>) {
    let (field, input) = match what {
        "csr" => ("orderAssignCsr", "OrderAssignCsrInput"),
        _ => ("orderAssignAgent", "OrderAssignAgentInput"),
    };
    let document = format!("mutation($input: {input}!) {{ {field}(input: $input) {{ errors {{ code }} }} }}");
    let mut variables = json!({ "input": { "order": order } });
    variables["input"][what] = json!(to.map(|to| to.to_string()));
    let data = app.staff().data(&document, variables).await;
    assert_eq!(data[field]["errors"], json!([]), "{data}");
}

/// The next so many messages as (kind, order).
async fn told(stream: &mut Subscriber, count: usize) -> Vec<(String, String)> {
    let mut told = Vec::new();
    for _ in 0..count {
        let change = stream.change().await;
        let text = |field: &str| change[field].as_str().unwrap_or("-").to_owned();
        if ["LEFT", "REMOVED"].contains(&text("kind").as_str()) {
            assert_eq!((&change["order"], &change["event"]), (&Value::Null, &Value::Null), "{change}");
        }
        told.push((text("kind"), text("orderId")));
    }
    told
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(kind, order)| ((*kind).to_owned(), (*order).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_enter_and_leave_with_their_assignment() {
    let app = App::start().await;
    let (csr, agent) = (app.company.csr.id, app.company.agent.id);
    let mut desk = listen(&app.csr(), json!({})).await;
    let mut road = listen(&app.agent(), json!({})).await;
    let first = app.place(&app.consumer(), &app.company.parcel, 1).await;
    assign(&app, &first, "csr", Some(app.company.staff.id)).await;
    assign(&app, &first, "agent", Some(agent)).await;
    app.act(&app.staff(), &first, "process", json!({})).await;
    assign(&app, &first, "csr", Some(csr)).await;
    assign(&app, &first, "agent", None).await;
    app.act(&app.staff(), &first, "cancel", json!({ "reason": "late" })).await;
    assign(&app, &first, "csr", None).await;
    let last = app.place(&app.consumer(), &app.company.parcel, 1).await;
    assign(&app, &last, "agent", Some(agent)).await;
    let (first, last) = (first.as_str(), last.as_str());
    let heard = told(&mut desk, 8).await;
    // Back in nobody's hands it stays in reach: csrs see what nobody has.
    let expected = [
        ("CREATED", first),
        ("LEFT", first),
        ("ENTERED", first),
        ("ASSIGNED", first),
        ("STATUS_CHANGED", first),
        ("ASSIGNED", first),
        ("CREATED", last),
        ("ASSIGNED", last),
    ];
    assert_eq!(heard, pairs(&expected));
    let heard = told(&mut road, 4).await;
    let expected = [("ENTERED", first), ("STATUS_CHANGED", first), ("LEFT", first), ("ENTERED", last)];
    assert_eq!(heard, pairs(&expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_enter_and_leave_a_filter_by_the_status_that_the_viewer_sees() {
    let app = App::start().await;
    let filter = |codes: &[&str]| json!({ "where": { "status": { "in": codes } } });
    let mut staff = listen(&app.staff(), filter(&["validating"])).await;
    let mut buyer = listen(&app.consumer(), filter(&["processing"])).await;
    let mut nobody = listen(&app.consumer(), filter(&["validating", "provisioning", "draft"])).await;
    let mut none = listen(&app.staff(), filter(&[])).await;
    let order = app.place(&app.consumer(), &app.company.trial, 1).await;
    app.act(&app.consumer(), &order, "submit", json!({})).await;
    for action in ["validate", "provision", "fulfill"] {
        app.act(&app.worker(), &order, action, json!({})).await;
    }
    let last = app.place(&app.consumer(), &app.company.trial, 1).await;
    let (order, last) = (order.as_str(), last.as_str());
    assert_eq!(told(&mut staff, 2).await, pairs(&[("ENTERED", order), ("LEFT", order)]));
    assert_eq!(told(&mut buyer, 2).await, pairs(&[("ENTERED", order), ("LEFT", order)]));
    // Internal statuses match nothing for a buyer; drafts have one name for everybody.
    let expected = [("CREATED", order), ("LEFT", order), ("CREATED", last)];
    assert_eq!(told(&mut nobody, 3).await, pairs(&expected));
    app.act(&app.consumer(), last, "submit", json!({})).await;
    app.act(&app.worker(), last, "validate", json!({})).await;
    assert_eq!(told(&mut staff, 1).await, pairs(&[("ENTERED", last)]));
    // An empty list matches nothing, so the stream has nothing to tell but its end.
    none.send(json!({ "type": "ping" })).await;
    assert_eq!(none.message().await["type"], "pong");
}

/// What stays the same whenever a message is delivered; the order itself is shown as it is then.
fn essence(change: &Value) -> Value {
    json!({ "kind": change["kind"], "cursor": change["cursor"], "orderId": change["orderId"] })
}

/// A day at the desk with assignments, notes, moves and several customers.
async fn busy_day(app: &App) {
    let orders = [
        app.place(&app.consumer(), &app.company.trial, 1).await,
        app.place(&app.approver(), &app.company.parcel, 1).await,
        app.place(&app.consumer(), &app.company.allocation, 1).await,
    ];
    app.act(&app.consumer(), &orders[0], "submit", json!({})).await;
    assign(app, &orders[0], "csr", Some(app.company.staff.id)).await;
    app.act(&app.worker(), &orders[0], "validate", json!({})).await;
    app.act(&app.worker(), &orders[0], "provision", json!({})).await;
    assign(app, &orders[1], "agent", Some(app.company.agent.id)).await;
    assign(app, &orders[0], "csr", Some(app.company.csr.id)).await;
    app.act(&app.staff(), &orders[1], "dispatch", json!({})).await;
    app.act(&app.approver(), &orders[2], "reject", json!({ "reason": "too dear" })).await;
    app.act(&app.worker(), &orders[0], "fail", json!({ "error": { "message": "full" } })).await;
    app.act(&app.staff(), &orders[1], "deliver", json!({})).await;
    assign(app, &orders[1], "agent", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_any_cursor_a_stream_resumes_with_exactly_what_was_missed() {
    let app = App::start().await;
    let mut witness = listen(&app.staff(), json!({})).await;
    let earlier = app.place(&app.consumer(), &app.company.server, 1).await;
    assert_eq!(told(&mut witness, 1).await, pairs(&[("CREATED", &earlier)]), "the feed is past it");
    let pending =
        json!({ "status": { "in": ["pending_payment", "payment_confirmed", "draft", "processing"] } });
    let viewers = [
        (app.staff(), json!({}), 17),
        (app.csr(), json!({}), 15),
        (app.agent(), json!({}), 6),
        (app.consumer(), pending, 7),
        (app.worker(), json!({ "workflow": { "in": ["cloud"] } }), 8),
    ];
    let mut streams = Vec::new();
    for (client, condition, _) in &viewers {
        let mut stream = client.subscribe(EVENTS, json!({ "where": condition })).await;
        let started = stream.change().await;
        streams.push((stream, vec![essence(&started)]));
    }
    busy_day(&app).await;
    let end = app.place(&app.consumer(), &app.company.trial, 1).await;
    assign(&app, &end, "agent", Some(app.company.agent.id)).await;
    for ((client, condition, messages), (mut stream, mut recorded)) in viewers.into_iter().zip(streams) {
        // The last message is the one about the last order.
        while recorded.last().is_none_or(|last| last["orderId"] != json!(end)) {
            recorded.push(essence(&stream.change().await));
        }
        assert_eq!(recorded.len(), messages, "{condition} {recorded:#?}");
        for (at, from) in recorded.iter().enumerate() {
            let variables = json!({ "where": condition, "after": from["cursor"] });
            let mut resumed = client.subscribe(EVENTS, variables).await;
            let started = resumed.change().await;
            assert_eq!((&started["kind"], &started["cursor"]), (&json!("STARTED"), &from["cursor"]));
            for missed in &recorded[at + 1..] {
                assert_eq!(essence(&resumed.change().await), *missed, "after {at} of {condition}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_this_feed_never_gave_out_is_refused() {
    let (app, elsewhere) = (App::start().await, App::start().await);
    // The same numbers in another order: as after a backup was restored.
    elsewhere.world.seed();
    let list = "{ orders { eventsCursor pageInfo { endCursor } } }";
    let cursors = async |app: &App, orders: usize| {
        for _ in 0..orders {
            app.place(&app.consumer(), &app.company.server, 1).await;
        }
        let mut stream = listen(&app.staff(), json!({ "after": start(app).await })).await;
        let mut last = Value::Null;
        for _ in 0..orders {
            last = stream.change().await["cursor"].clone();
        }
        (last.as_str().expect("a cursor").to_owned(), app.staff().data(list, json!({})).await)
    };
    let (mine, page) = cursors(&app, 3).await;
    let (restored, _) = cursors(&elsewhere, 3).await;
    let (ahead, _) = cursors(&elsewhere, 2).await;
    let mut flipped = mine.clone().into_bytes();
    flipped[5] = if flipped[5] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).expect("text");
    let of_the_list = page["orders"]["pageInfo"]["endCursor"].as_str().expect("a cursor").to_owned();
    let garbled = ["", "0", "not a cursor", "AAAA", &mine[1..], &flipped, &of_the_list, &restored, &ahead];
    for cursor in garbled.into_iter().chain([format!("{mine}AA").as_str(), "5", "-1", "\u{1f600}"]) {
        let refused = refusal(&app, EVENTS, json!({ "after": cursor })).await;
        assert_eq!(refused["code"], "CURSOR_INVALID", "{cursor:?}");
    }
    listen(&app.staff(), json!({ "after": mine })).await;
    listen(&app.staff(), json!({ "after": page["orders"]["eventsCursor"] })).await;
}

/// The cursor before everything.
async fn start(app: &App) -> String {
    app.inner.keys.cursors().seal(ordo::store::event::Position::START)
}

/// The extensions of the error that a subscription is refused with.
async fn refusal(app: &App, document: &str, variables: Value) -> Value {
    let mut stream = app.staff().subscribe(document, variables).await;
    let message = stream.message().await;
    let errors = match message["type"].as_str() {
        Some("error") => &message["payload"],
        _ => &message["payload"]["errors"],
    };
    assert!(errors.is_array(), "{message}");
    errors[0]["extensions"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_events_do_not_carry_is_refused_by_name() {
    let app = App::start().await;
    let since = json!({ "gte": "2026-01-01T00:00:00Z" });
    let statuses = EVENTS.replace("orderEvents", "orderStatusChanged");
    for document in [EVENTS, &statuses] {
        for field in ["createdAt", "statusChangedAt"] {
            let refused = refusal(&app, document, json!({ "where": { field: since } })).await;
            assert_eq!(refused["code"], "LIVE_FILTER_UNSUPPORTED");
            assert_eq!(refused["argument"], format!("where.{field}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_token_expires() {
    let app = App::start().await;
    let short = app.token(app.company.staff.id, TimeDelta::milliseconds(1_500));
    let client = Client::new(&app.url, Some(short));
    let stream = listen(&client, json!({})).await;
    let order = app.place(&app.consumer(), &app.company.server, 1).await;
    let (said, code) = stream.until_closed().await;
    assert_eq!(said[0]["payload"]["data"]["orderEvents"]["orderId"], json!(order));
    // Either the stream's own end is heard first, or that of the whole socket.
    for message in &said[1..] {
        let text = message.to_string();
        assert!(text.contains("UNAUTHENTICATED") || message["type"] == "complete", "{message}");
    }
    assert_eq!(code, Some(4403), "clients retry 4403 with a new token");
    // A socket outlives its token by no operation.
    let mut socket = listen(&app.staff(), json!({})).await;
    app.world.advance(TimeDelta::hours(9));
    socket.start("2", EVENTS, json!({})).await;
    let refused = socket.message().await;
    assert_eq!(refused["id"], "2");
    assert!(refused.to_string().contains("UNAUTHENTICATED"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_membership_that_is_taken_away_stops_its_flow_within_a_second() {
    let app = App::start().await;
    let company = &app.company;
    let of = |organization, role| Membership { organization, role, offerings: Vec::new() };
    let memberships =
        vec![of(company.provider_org, Role::Provider), of(company.other_customer, Role::Approver)];
    let account = app.enrol("mover", memberships).await;
    let mut stream = listen(&app.client(account), json!({})).await;
    let mut witness = listen(&app.staff(), json!({})).await;
    let seen = app.place(&app.consumer(), &company.server, 1).await;
    assert_eq!(told(&mut stream, 1).await, pairs(&[("CREATED", &seen)]));
    let sql = "DELETE FROM memberships WHERE role = 'PROVIDER' AND user_id = $1";
    let gone = app.execute(sql, [sea_orm::Value::Uuid(Some(account.id.0))]).await;
    assert_eq!(gone, 1, "the membership is gone");
    let taken = Instant::now();
    // Keeps the feed busy until the rights that were read before are surely stale.
    let mut late = app.place(&app.consumer(), &company.server, 1).await;
    while taken.elapsed() < Duration::from_millis(1_100) {
        late = app.place(&app.consumer(), &company.server, 1).await;
        while witness.change().await["orderId"] != json!(late) {}
    }
    let unseen = app.place(&app.consumer(), &company.server, 1).await;
    let input = json!({
        "customer": { "id": company.other_customer.to_string() },
        "lines": [{ "product": company.server.id.to_string() }],
    });
    let own = app.place_input(&app.stranger(), input).await;
    loop {
        let (_, order) = told(&mut stream, 1).await.remove(0);
        assert_ne!(order, unseen, "told of it a second after the membership was gone");
        if order == own {
            break;
        }
    }
    let query = "query($id: ID!) { order(by: { id: $id }) { id } }";
    let now = app.client(account).data(query, json!({ "id": late })).await;
    assert_eq!(now["order"], Value::Null, "a query is not a moment behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_disabled_ends_its_stream() {
    let app = App::start().await;
    let member = Membership { organization: app.company.operator, role: Role::Staff, offerings: Vec::new() };
    let account = app.enrol("leaver", vec![member]).await;
    let stream = listen(&app.client(account), json!({})).await;
    let mut witness = listen(&app.staff(), json!({})).await;
    let sql = "UPDATE users SET disabled_at = created_at WHERE id = $1";
    assert_eq!(app.execute(sql, [sea_orm::Value::Uuid(Some(account.id.0))]).await, 1);
    let disabled = Instant::now();
    while disabled.elapsed() < Duration::from_millis(1_100) {
        let order = app.place(&app.consumer(), &app.company.server, 1).await;
        while witness.change().await["orderId"] != json!(order) {}
    }
    app.place(&app.consumer(), &app.company.server, 1).await;
    let mut stream = stream;
    loop {
        let message = stream.message().await;
        if message.to_string().contains("UNAUTHENTICATED") {
            break;
        }
        assert_eq!(message["type"], "next", "{message}");
    }
}

const WRITERS: usize = 8;
const ORDERS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_at_once_lose_nothing_and_tell_nothing_twice() {
    let app = App::start().await;
    let mut streams = Vec::new();
    for client in [app.staff(), app.provider(), app.consumer()] {
        streams.push(listen(&client, json!({})).await);
    }
    let app = &app;
    let writers = (0..WRITERS).map(async |_| {
        let mut orders = Vec::new();
        for _ in 0..ORDERS {
            let order = app.place(&app.consumer(), &app.company.trial, 1).await;
            app.act(&app.consumer(), &order, "submit", json!({})).await;
            app.act(&app.worker(), &order, "validate", json!({})).await;
            orders.push(order);
        }
        orders
    });
    let orders: Vec<String> = join_all(writers).await.into_iter().flatten().collect();
    let end = app.place(&app.consumer(), &app.company.trial, 1).await;
    for mut stream in streams {
        let mut heard: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        loop {
            let change = stream.change().await;
            let order = change["orderId"].as_str().expect("an order").to_owned();
            if order == end {
                break;
            }
            heard.entry(order).or_default().push(change["event"]["version"].as_i64().expect("a version"));
        }
        assert_eq!(heard.len(), WRITERS * ORDERS);
        for order in &orders {
            // Placed, submitted, confirmed by itself since it is free, validated.
            assert_eq!(heard[order], [1, 2, 3, 4], "{order}");
        }
    }
}
