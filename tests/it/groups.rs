//! Equal subscriptions share the work and the words; nobody is told anything in words meant for others.

use std::time::Duration;

use domain::{actor::Membership, role::Role};
use ordo::{bus::hub, http};
use serde_json::{Value, json};

use crate::harness::{Account, App, Client, Subscriber};

const EVENTS: &str = "subscription($after: String) { orderEvents(after: $after) { kind cursor orderId \
    order { id status { code } availableActions { action } lines: items(first: 5) { nodes { name } } } \
    event { version } } }";

async fn listen(client: &Client, after: Option<&Value>) -> Subscriber {
    let mut stream = client.subscribe(EVENTS, json!({ "after": after })).await;
    assert_eq!(stream.change().await["kind"], "STARTED");
    stream
}

async fn crowd(client: &Client, count: usize) -> Vec<Subscriber> {
    let mut crowd = Vec::new();
    for _ in 0..count {
        crowd.push(listen(client, None).await);
    }
    crowd
}

async fn operator(app: &App, name: &'static str, role: Role) -> Account {
    let at_operator = Membership { organization: app.company.operator, role, offerings: Vec::new() };
    app.enrol(name, vec![at_operator]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_equal_subscriptions_cost_the_statements_of_one() {
    let app = App::start().await;
    let mut first = listen(&app.staff(), None).await;
    let (alone, _) = app
        .statements_of(async {
            app.place(&app.consumer(), &app.company.server, 1).await;
            first.change().await
        })
        .await;
    let mut others = crowd(&app.staff(), 99).await;
    let (together, _) = app
        .statements_of(async {
            app.place(&app.consumer(), &app.company.server, 1).await;
            let expected = first.change().await;
            for other in &mut others {
                assert_eq!(other.change().await, expected);
            }
        })
        .await;
    // The feed looks at the log by itself four times a second.
    assert!(together <= alone + 20, "{together} statements for a hundred, {alone} for one");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_placed_an_order_is_told_of_it_as_a_query_would_tell() {
    let app = App::start().await;
    let (one, other) =
        (operator(&app, "one", Role::Support).await, operator(&app, "other", Role::Support).await);
    let order = app.place(&app.consumer(), &app.company.allocation, 1).await;
    let id: domain::id::OrderId = order.parse().expect("an id");
    let values = [sea_orm::Value::Uuid(Some(one.id.0)), sea_orm::Value::Uuid(Some(id.0))];
    assert_eq!(app.execute("UPDATE orders SET creator_id = $1 WHERE id = $2", values).await, 1);
    let mut streams = Vec::new();
    for account in [one, other] {
        streams.push((account, listen(&app.client(account), None).await));
    }
    let note = "mutation($order: ID!) { orderAddNote(input: { order: $order, body: \"hello\", audience: PUBLIC }) \
        { errors { code } } }";
    let noted = app.staff().data(note, json!({ "order": order })).await;
    assert_eq!(noted["orderAddNote"]["errors"], json!([]));
    let mut told = Vec::new();
    for (account, stream) in &mut streams {
        let change = stream.change().await;
        let query = "query($id: ID!) { order(by: { id: $id }) { availableActions { action } } }";
        let now = app.client(*account).data(query, json!({ "id": order })).await;
        assert_eq!(change["order"]["availableActions"], now["order"]["availableActions"]);
        told.push(change["order"]["availableActions"].clone());
    }
    assert_ne!(told[0], told[1], "only whoever placed it may cancel it");
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_come_with_old_cursors_hear_what_they_missed_and_then_what_all_hear() {
    let app = App::start().await;
    let mut witness = listen(&app.staff(), None).await;
    let mut seen = Vec::new();
    for _ in 0..30 {
        app.place(&app.consumer(), &app.company.server, 1).await;
        seen.push(witness.change().await);
    }
    // The newest first: the group has to reach back for each of the others.
    let mut late = Vec::new();
    for missed in [1, 2, 10, 29, 5] {
        let after = &seen[seen.len() - 1 - missed]["cursor"];
        late.push((missed, listen(&app.staff(), Some(after)).await));
    }
    let last = app.place(&app.consumer(), &app.company.server, 1).await;
    seen.push(witness.change().await);
    assert_eq!(seen[30]["orderId"], json!(last));
    for (missed, stream) in &mut late {
        for expected in &seen[30 - *missed..] {
            let change = stream.change().await;
            assert_eq!((&change["cursor"], &change["orderId"]), (&expected["cursor"], &expected["orderId"]));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_rights_change_leaves_and_the_others_stay() {
    let app = App::start().await;
    let (stays, goes) =
        (operator(&app, "stays", Role::Staff).await, operator(&app, "goes", Role::Staff).await);
    let mut staying = listen(&app.client(stays), None).await;
    let mut going = listen(&app.client(goes), None).await;
    app.place(&app.consumer(), &app.company.server, 1).await;
    assert_eq!(staying.change().await, going.change().await);
    let demote = "UPDATE memberships SET role = 'support' WHERE user_id = $1";
    assert_eq!(app.execute(demote, [sea_orm::Value::Uuid(Some(goes.id.0))]).await, 1);
    // Whoever moves hears everything once, before and after.
    let mut orders = Vec::new();
    let changed = std::time::Instant::now();
    loop {
        orders.push(app.place(&app.consumer(), &app.company.server, 1).await);
        let (one, other) = (staying.change().await, going.change().await);
        assert_eq!(one["orderId"], json!(orders.last()));
        assert_eq!((&one["orderId"], &one["cursor"]), (&other["orderId"], &other["cursor"]));
        if one["order"]["availableActions"] != other["order"]["availableActions"] {
            break;
        }
        assert!(changed.elapsed() < std::time::Duration::from_secs(10), "support may do what staff may");
    }
}

/// Writes a note of some length on an order.
async fn note(app: &App, order: &str) {
    let note = "mutation($order: ID!, $body: String!) { orderAddNote(input: { order: $order, body: $body, \
        audience: PUBLIC }) { errors { code } } }";
    let variables = json!({ "order": order, "body": "a word ".repeat(700) });
    let noted = app.staff().data(note, variables).await;
    assert_eq!(noted["orderAddNote"]["errors"], json!([]), "{noted}");
}

const NOTES: usize = 16;

/// Somebody who does not read while so much is told that no buffer holds it; and what everybody else heard.
async fn one_who_does_not_read(app: &App) -> (Subscriber, Vec<Value>) {
    let order = app.place(&app.consumer(), &app.company.server, 1).await;
    for _ in 0..40 {
        note(app, &order).await;
    }
    let copies: String = (0..20).map(|n| format!("n{n}: notes {{ body }} ")).collect();
    let query = format!("subscription {{ orderEvents {{ kind cursor order {{ {copies} }} }} }}");
    let mut slow = app.staff().subscribe(&query, json!({})).await;
    assert_eq!(slow.change().await["kind"], "STARTED");
    let mut witness = listen(&app.staff(), None).await;
    let mut heard = Vec::new();
    for _ in 0..NOTES {
        note(app, &order).await;
        heard.push(witness.change().await);
    }
    (slow, heard)
}

async fn remembering_little(patience: Duration) -> App {
    let live = hub::Limits { told: 2, patience, ..hub::Limits::default() };
    let limits = http::Limits::roomy();
    App::start_with(http::Settings { live, limits, ..http::Settings::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_was_slow_for_a_while_hears_everything_all_the_same() {
    let app = remembering_little(Duration::from_secs(60)).await;
    let (mut slow, heard) = one_who_does_not_read(&app).await;
    for expected in &heard {
        assert_eq!(slow.change().await["cursor"], expected["cursor"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_stays_behind_is_told_so_and_goes_on_after_the_cursor_that_it_is_told() {
    let app = remembering_little(Duration::ZERO).await;
    let (mut slow, heard) = one_who_does_not_read(&app).await;
    let mut taken = 0;
    let ended = loop {
        let message = slow.message().await;
        if message["type"] == "error" {
            break message["payload"][0]["extensions"].clone();
        }
        assert_eq!(message["payload"]["data"]["orderEvents"]["cursor"], heard[taken]["cursor"]);
        taken += 1;
    };
    assert!(0 < taken && taken < heard.len(), "{taken} messages were taken");
    assert_eq!(ended["code"], "TOO_SLOW");
    assert_eq!(ended["cursor"], heard[taken - 1]["cursor"]);
    let mut resumed = listen(&app.staff(), Some(&ended["cursor"])).await;
    for expected in &heard[taken..] {
        assert_eq!(resumed.change().await["cursor"], expected["cursor"]);
    }
}

/// The next that is told of an order.
async fn news(stream: &mut Subscriber) -> Value {
    loop {
        let change = stream.change().await;
        if change["kind"] != "CHECKPOINT" {
            return change;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_may_see_nothing_of_what_happens_is_told_how_far_the_log_has_come() {
    let live = hub::Limits { checkpoint: Duration::ZERO, ..hub::Limits::default() };
    let app = App::start_with(http::Settings { live, ..http::Settings::default() }).await;
    let mut idle = listen(&app.stranger(), None).await;
    let mut seen = listen(&app.staff(), None).await;
    app.place(&app.consumer(), &app.company.server, 1).await;
    let placed = news(&mut seen).await;
    let mark = loop {
        let change = idle.change().await;
        assert_eq!((&change["kind"], &change["orderId"]), (&json!("CHECKPOINT"), &Value::Null));
        // The same place in the log, sealed alike for everybody.
        if change["cursor"] == placed["cursor"] {
            break change;
        }
    };
    let mut resumed = listen(&app.staff(), Some(&mark["cursor"])).await;
    let next = app.place(&app.consumer(), &app.company.server, 1).await;
    assert_eq!(news(&mut resumed).await["orderId"], json!(next), "nothing from before the mark");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_token_that_is_revoked_ends_its_streams_though_nothing_else_happens() {
    let app = App::start().await;
    let create = "mutation($provider: ID!) { serviceTokenCreate(input: { organization: $provider, name: \"agent\", \
        actions: [\"provision\"] }) { token serviceToken { id } errors { code } } }";
    let made = app.admin().data(create, json!({ "provider": app.company.provider_org.to_string() })).await;
    let made = &made["serviceTokenCreate"];
    assert_eq!(made["errors"], json!([]), "{made}");
    let agent = Client::new(&app.url, made["token"].as_str().map(str::to_owned));
    let mut stream = listen(&agent, None).await;
    let revoke =
        "mutation($id: ID!) { serviceTokenRevoke(input: { serviceToken: $id }) { errors { code } } }";
    let revoked = app.admin().data(revoke, json!({ "id": made["serviceToken"]["id"] })).await;
    assert_eq!(revoked["serviceTokenRevoke"]["errors"], json!([]), "{revoked}");
    assert!(stream.message().await.to_string().contains("UNAUTHENTICATED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_has_one_field_at_its_root() {
    let app = App::start().await;
    let mut socket = Subscriber::connect(&app.url, app.staff().token()).await;
    let two = "subscription { a: orderEvents { kind } b: orderEvents { kind } }";
    socket.start("1", two, json!({})).await;
    let refused = socket.message().await;
    assert_eq!(refused["type"], "error", "{refused}");
    assert_eq!(refused["payload"][0]["extensions"]["code"], "BAD_USER_INPUT");
}
