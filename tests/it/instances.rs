//! Several instances on one PostgreSQL: they wake each other, and are one feed to whoever listens. In most of
//! these tests the poll comes once in an hour: what arrives was told by the bell.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use ordo::bus::{Pace, Patience, Ring, Servers, Wire};
use serde_json::{Value, json};

use crate::{
    harness::{App, Client, Subscriber},
    nats::Nats,
};

const HOUR: Duration = Duration::from_secs(3_600);
const WATCH: &str = "subscription($after: String) { orderEvents(after: $after) { kind cursor orderId event { id version } } }";

/// Nothing happens by itself.
fn deaf() -> Pace {
    let bell = Patience { silence: HOUR, echo: Duration::from_secs(10) };
    Pace { poll: HOUR, bell, ..Pace::default() }
}

/// A bell that is soon missed.
fn alert(poll: Duration) -> Pace {
    let bell = Patience { silence: Duration::from_millis(100), echo: Duration::from_millis(500) };
    Pace { poll, bell, ..Pace::default() }
}

fn over(nats: &Nats) -> Wire {
    Wire::Nats(Servers::parse(&nats.url()).expect("an address"))
}

async fn watch(app: &App) -> (Subscriber, String) {
    let mut live = app.staff().subscribe(WATCH, json!({})).await;
    let started = live.change().await;
    assert_eq!(started["kind"], "STARTED");
    (live, started["cursor"].as_str().expect("a cursor").to_owned())
}

async fn place(app: &App) -> String {
    app.place(&app.consumer(), &app.company.server, 1).await
}

/// The next order that was placed.
async fn created(live: &mut Subscriber) -> (String, Value) {
    let change = live.change().await;
    assert_eq!(change["kind"], "CREATED", "{change}");
    (change["orderId"].as_str().expect("an id").to_owned(), change)
}

async fn bell(app: &App) -> Value {
    let (status, body) = app.readiness().await;
    assert_eq!(status, 200, "a lost bell takes nobody out of rotation: {body}");
    body["checks"]["bell"].clone()
}

async fn told_without_a_poll(wire: Wire) {
    let one = App::start_rung_by(wire, deaf()).await;
    let other = one.beside().await;
    let ((mut here, _), (mut there, start)) = (watch(&one).await, watch(&other).await);
    for writer in [&one, &other, &one] {
        let order = place(writer).await;
        let (seen, told) = created(&mut here).await;
        assert_eq!(seen, order);
        assert_eq!(created(&mut there).await, (order, told), "the same to the cursor");
    }
    // A cursor of one instance is served by the other, from the first event to the last.
    let mut resumed = one.staff().subscribe(WATCH, json!({ "after": start })).await;
    assert_eq!(resumed.change().await["kind"], "STARTED");
    let (_, first) = created(&mut resumed).await;
    let mut behind = other.staff().subscribe(WATCH, json!({ "after": first["cursor"] })).await;
    assert_eq!(behind.change().await["kind"], "STARTED");
    for live in [&mut resumed, &mut behind] {
        created(live).await;
        created(live).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_at_one_instance_reaches_subscribers_of_another_by_notify() {
    told_without_a_poll(Wire::Notify).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_at_one_instance_reaches_subscribers_of_another_by_nats() {
    let nats = Nats::start().await;
    told_without_a_poll(over(&nats)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nats_is_gone_events_come_by_the_poll_and_readiness_says_so() {
    let mut nats = Nats::start().await;
    let one = App::start_rung_by(over(&nats), alert(Duration::from_millis(50))).await;
    let other = one.beside().await;
    let (mut live, _) = watch(&other).await;
    assert_eq!((bell(&one).await, bell(&other).await), (json!("ok"), json!("ok")));
    nats.kill();
    for app in [&one, &other] {
        app.until("the loss is noticed", async || bell(app).await == "degraded").await;
    }
    let order = place(&one).await;
    assert_eq!(created(&mut live).await.0, order);
    nats.restart().await;
    for app in [&one, &other] {
        app.until("the bell is back", async || bell(app).await == "ok").await;
    }
    let order = place(&one).await;
    assert_eq!(created(&mut live).await.0, order);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_while_nats_was_gone_is_heard_when_it_is_back() {
    let mut nats = Nats::start().await;
    let one = App::start_rung_by(over(&nats), alert(HOUR)).await;
    let other = one.beside().await;
    let (mut live, _) = watch(&other).await;
    nats.kill();
    other.until("the loss is noticed", async || bell(&other).await == "degraded").await;
    let order = place(&one).await;
    nats.restart().await;
    assert_eq!(created(&mut live).await.0, order);
}

/// The connections that listen, of both instances.
const LISTENERS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_whose_backend_is_ended_listens_again() {
    let one = App::start_rung_by(Wire::Notify, alert(HOUR)).await;
    let other = one.beside().await;
    let (mut live, _) = watch(&other).await;
    for _ in 0..3 {
        let ended = one.execute(&format!("SELECT pg_terminate_backend(pid) {LISTENERS}"), []).await;
        assert_eq!(ended, 2);
        // Whether it is told by the new connection, or found because there is one: not by the poll.
        let order = place(&one).await;
        assert_eq!(created(&mut live).await.0, order);
        for app in [&one, &other] {
            app.until("it listens again", async || {
                app.numbers(&format!("SELECT pid::bigint {LISTENERS}")).await.len() == 2
            })
            .await;
            app.until("the bell is back", async || bell(app).await == "ok").await;
        }
    }
}

/// Stops the backends of these processes from doing anything, or lets them go on.
fn signal(name: &str, pids: &[i64]) {
    let pids: Vec<String> = pids.iter().map(i64::to_string).collect();
    let done =
        std::process::Command::new("sh").args(["-c", &format!("kill -{name} {}", pids.join(" "))]).status();
    assert!(done.expect("a shell").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_cut_off_without_a_word_is_missed_and_replaced() {
    let one = App::start_rung_by(Wire::Notify, alert(HOUR)).await;
    let other = one.beside().await;
    let (mut live, _) = watch(&other).await;
    let frozen = one.numbers(&format!("SELECT pid::bigint {LISTENERS}")).await;
    assert_eq!(frozen.len(), 2);
    signal("STOP", &frozen);
    for app in [&one, &other] {
        let listening =
            format!("SELECT pid::bigint {LISTENERS} AND NOT pid = ANY('{{{}, {}}}')", frozen[0], frozen[1]);
        app.until("others listen", async || app.numbers(&listening).await.len() == 2).await;
        app.until("the bell is back", async || bell(app).await == "ok").await;
    }
    let order = place(&one).await;
    let seen = created(&mut live).await.0;
    signal("CONT", &frozen);
    assert_eq!(seen, order);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_its_connections_are_cut_the_application_recovers_by_itself() {
    let app = App::start_rung_by(Wire::Notify, alert(Duration::from_millis(50))).await;
    let (mut live, _) = watch(&app).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    app.execute(cut, []).await;
    let reader = app.staff();
    let works = async || reader.send("{ orders(first: 1) { nodes { id } } }", json!({})).await;
    app.until("it works again", async || {
        let answer = works().await;
        let code = answer.codes().first().map(|code| (*code).to_owned());
        assert!(code.as_deref().is_none_or(|code| code == "INTERNAL"), "{:#}", answer.body);
        code.is_none()
    })
    .await;
    app.until("readiness is back", async || {
        let (status, body) = app.readiness().await;
        status == 200 && body["checks"]["bell"] == "ok"
    })
    .await;
    let order = place(&app).await;
    assert_eq!(created(&mut live).await.0, order);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_died_while_they_rested_fail_nobody() {
    let app = App::start_rung_by(Wire::Notify, deaf()).await;
    let staff = app.staff();
    let ask = || join_all((0..8).map(|_| staff.send("{ orders(first: 1) { nodes { id } } }", json!({}))));
    ask().await;
    let others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
        AND query NOT LIKE 'LISTEN%'";
    let busy = format!("SELECT pid::bigint {others} AND state_change > now() - interval '800 milliseconds'");
    app.until("they rest", async || app.numbers(&busy).await.is_empty()).await;
    assert!(app.execute(&format!("SELECT pg_terminate_backend(pid) {others}"), []).await >= 2);
    for answer in ask().await {
        assert_eq!((answer.status, answer.codes()), (200, vec![]), "{:#}", answer.body);
    }
}

/// What nobody should listen to: of another database, garbled, and huge.
fn noise() -> Vec<String> {
    let foreign = Ring { database: uuid::Uuid::from_u128(7), head: i64::MAX }.text();
    vec![
        foreign,
        String::new(),
        "DROP TABLE orders".to_owned(),
        "x".repeat(7_000),
        "\u{1}\u{ffff}".to_owned(),
    ]
}

/// How often each noise is made: had it been listened to, the log would have been read far oftener than it is
/// for good reasons. All of it together waits to be heard without overflowing.
const NOISES: u64 = 8;
/// A bell that has just come back, what is new, and what the test asks for twice, each of which may leave one
/// more reading behind.
const GOOD_REASONS: u64 = 6;

async fn is_not_woken_by_noise(app: &App, say: impl AsyncFn(String)) {
    let stored = ordo::store::bell::database(&app.inner.store).await.expect("an answer");
    let database = stored.expect("the database has an id");
    // What is true and old does not wake anybody either.
    let old = Ring { database, head: 0 }.text();
    app.inner.feed.now().await;
    let before = app.inner.feed.readings();
    for _ in 0..NOISES {
        for text in noise().into_iter().chain([old.clone()]) {
            say(text).await;
        }
    }
    let meanwhile = app.inner.feed.readings();
    // What follows does: it is heard behind all of the noise.
    say(Ring { database, head: i64::MAX }.text()).await;
    app.until("it is woken", async || app.inner.feed.readings() > meanwhile).await;
    app.inner.feed.now().await;
    let readings = app.inner.feed.readings() - before;
    assert!(readings <= GOOD_REASONS, "{readings} readings");
    assert_eq!(bell(app).await, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_on_the_channel_changes_nothing() {
    let app = App::start_rung_by(Wire::Notify, deaf()).await;
    is_not_woken_by_noise(&app, async |text| {
        app.execute("SELECT pg_notify('ordo', $1)", [text.into()]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_on_the_subject_changes_nothing() {
    let nats = Nats::start().await;
    let app = App::start_rung_by(over(&nats), deaf()).await;
    let client = async_nats::connect(nats.url()).await.expect("a client");
    let stored = ordo::store::bell::database(&app.inner.store).await.expect("an answer");
    let subject = format!("ordo.bell.{}", stored.expect("an id"));
    is_not_woken_by_noise(&app, async |text| {
        client.publish(subject.clone(), text.into()).await.expect("published");
        client.flush().await.expect("sent");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_a_flood_of_noise_is_heard_though_some_of_it_is_dropped() {
    let nats = Nats::start().await;
    let one = App::start_rung_by(over(&nats), deaf()).await;
    let other = one.beside().await;
    let (mut live, _) = watch(&one).await;
    let client = async_nats::connect(nats.url()).await.expect("a client");
    let stored = ordo::store::bell::database(&one.inner.store).await.expect("an answer");
    let subject = format!("ordo.bell.{}", stored.expect("an id"));
    let foreign = Ring { database: uuid::Uuid::from_u128(7), head: i64::MAX }.text();
    let flood = async || {
        for _ in 0..5_000 {
            client.publish(subject.clone(), foreign.clone().into()).await.expect("published");
        }
    };
    for _ in 0..20 {
        let (order, ()) = tokio::join!(place(&other), flood());
        assert_eq!(created(&mut live).await.0, order);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watched_an_instance_that_stops_goes_on_at_another_and_misses_nothing() {
    let one = App::start_rung_by(Wire::Notify, deaf()).await;
    let other = one.beside().await;
    let mut watching = Vec::new();
    for _ in 0..40 {
        watching.push(watch(&one).await);
    }
    one.stop();
    let order = place(&other).await;
    for (socket, cursor) in watching {
        let (said, code) = socket.until_closed().await;
        assert_eq!(code, Some(1001));
        // Whether it was told of the order before it had to leave or not.
        let seen =
            said.iter().filter_map(|message| message["payload"]["data"]["orderEvents"]["cursor"].as_str());
        let (last, told) = (seen.clone().next_back().unwrap_or(&cursor).to_owned(), seen.count());
        if told == 0 {
            let mut live = other.staff().subscribe(WATCH, json!({ "after": last })).await;
            assert_eq!(live.change().await["kind"], "STARTED");
            assert_eq!(created(&mut live).await.0, order);
        }
    }
}

const WRITERS: usize = 8;
const CHANGES: usize = 20;

/// Writes so many notes on an order, one after the other.
async fn write(client: Client, order: String) {
    let query = "mutation($input: OrderAddNoteInput!) { orderAddNote(input: $input) { errors { code } } }";
    for note in 0..CHANGES {
        let input = json!({ "order": order, "body": format!("note {note}") });
        assert_eq!(client.data(query, json!({ "input": input })).await["orderAddNote"]["errors"], json!([]));
    }
}

/// Hears all that is to be heard: the versions of each order, as they came, and the cursors.
async fn hear(mut live: Subscriber) -> (BTreeMap<String, Vec<i64>>, Vec<Value>) {
    let (mut versions, mut cursors) = (BTreeMap::<String, Vec<i64>>::new(), Vec::new());
    for _ in 0..WRITERS * CHANGES {
        let change = live.change().await;
        let order = change["orderId"].as_str().expect("an order").to_owned();
        versions.entry(order).or_default().push(change["event"]["version"].as_i64().expect("a version"));
        cursors.push(change["cursor"].clone());
    }
    (versions, cursors)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_two_instances_write_a_subscriber_at_each_sees_all_of_it_once_and_in_one_order() {
    let one = App::start_rung_by(Wire::Notify, deaf()).await;
    let other = one.beside().await;
    let apps = [&one, &other];
    let mut orders = Vec::new();
    for at in 0..WRITERS {
        orders.push(place(apps[at % 2]).await);
    }
    for app in apps {
        app.inner.feed.now().await;
    }
    let ((here, _), (there, _)) = (watch(&one).await, watch(&other).await);
    let writers = orders.iter().enumerate().map(|(at, order)| write(apps[at % 2].staff(), order.clone()));
    let (heard, also, _) = tokio::join!(hear(here), hear(there), join_all(writers));
    for (versions, _) in [&heard, &also] {
        assert_eq!(versions.len(), WRITERS);
        for (order, versions) in versions {
            let first = versions[0];
            assert_eq!(*versions, (first..first + CHANGES as i64).collect::<Vec<_>>(), "{order}");
        }
    }
    assert_eq!(heard.1, also.1, "the same order at both");
}
