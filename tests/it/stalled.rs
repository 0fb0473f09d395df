//! Orders that rest too long: told once per stay, to those who see inside, whoever looks.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join_all;
use ordo::{store::Store, usecase::order::fire_timers};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};

use crate::harness::{App, SECRET, Wanted};

const EVENTS: &str = "subscription { orderEvents { kind orderId event { kind version actor { id } } } }";

/// The kinds and versions of an order's timeline, as staff read it.
async fn timeline(app: &App, order: &str) -> Vec<(String, i64)> {
    let query = "query($id: ID!) { order(by: { id: $id }) { version timeline(last: 20) { nodes { kind version } } } }";
    let order = app.staff().data(query, json!({ "id": order })).await["order"].clone();
    let nodes = order["timeline"]["nodes"].as_array().expect("a timeline");
    let told: Vec<(String, i64)> = nodes
        .iter()
        .map(|node| {
            (node["kind"].as_str().expect("a kind").to_owned(), node["version"].as_i64().expect("one"))
        })
        .collect();
    assert_eq!(told.last().map(|(_, version)| json!(version)), Some(order["version"].clone()));
    told
}

fn stalls(timeline: &[(String, i64)]) -> usize {
    timeline.iter().filter(|(kind, _)| kind == "STALLED").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stay_that_lasts_too_long_is_told_once_to_those_who_see_inside() {
    let app = App::start().await;
    let orders = app
        .stand(&[
            Wanted::new(&app.company.server, "validating"),
            Wanted::new(&app.company.server, "draft"),
            Wanted::new(&app.company.parcel, "pending"),
        ])
        .await;
    let mut inside = app.worker().subscribe(EVENTS, json!({})).await;
    let mut outside = app.consumer().subscribe(EVENTS, json!({})).await;
    assert_eq!(inside.change().await["kind"], "STARTED");
    assert_eq!(outside.change().await["kind"], "STARTED");
    app.world.advance(TimeDelta::minutes(30));
    assert_eq!(fire_timers(&app.inner).await.expect("a sweep"), 0, "thirty minutes are allowed");
    app.world.advance(TimeDelta::seconds(1));
    assert_eq!(fire_timers(&app.inner).await.expect("a sweep"), 1);
    assert_eq!(fire_timers(&app.inner).await.expect("a sweep"), 0, "it is told once");
    let told = inside.change().await;
    assert_eq!((&told["kind"], &told["orderId"]), (&json!("STALLED"), &json!(orders[0])));
    assert_eq!((&told["event"]["kind"], &told["event"]["actor"]), (&json!("STALLED"), &Value::Null));
    app.act(&app.worker(), &orders[0], "provision", json!({})).await;
    app.world.advance(TimeDelta::minutes(31));
    assert_eq!(fire_timers(&app.inner).await.expect("a sweep"), 1, "another stay");
    assert_eq!(stalls(&timeline(&app, &orders[0]).await), 2);
    app.act(&app.worker(), &orders[0], "fulfill", json!({})).await;
    // To the customer, neither delay nor the move behind one face happened.
    assert_eq!(outside.change().await["kind"], "STATUS_CHANGED");
    let consumer = app.consumer();
    let seen = consumer.data(
        "query($id: ID!) { order(by: { id: $id }) { timeline(first: 50) { nodes { kind } } } }",
        json!({ "id": orders[0] }),
    );
    assert!(!seen.await.to_string().contains("STALLED"));
    for order in &orders[1..] {
        assert_eq!(stalls(&timeline(&app, order).await), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_processes_look_each_order_is_told_once() {
    let app = App::start().await;
    let wanted = vec![Wanted::new(&app.company.server, "provisioning"); 130];
    let orders = app.stand(&wanted).await;
    let store = Store::open(&app.database_url, 4).await.expect("the store opens");
    let world: Arc<dyn ordo::app::World> = app.world.clone();
    let other = ordo::app::App::start(store, SECRET, world).await.expect("another process");
    app.world.advance(TimeDelta::hours(1));
    let sweeps = join_all([&app.inner, &other, &app.inner, &other].map(fire_timers)).await;
    let told: usize = sweeps.into_iter().map(|told| told.expect("a sweep")).sum();
    assert_eq!(told, orders.len());
    assert_eq!(app.count_of("SELECT COUNT(*) FROM events WHERE kind = 'STALLED'").await, 130);
    assert_eq!(
        app.count_of("SELECT COUNT(DISTINCT subject_id) FROM events WHERE kind = 'STALLED'").await,
        130
    );
    other.store.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_costs_one_statement_when_nothing_is_due_and_old_orders_are_looked_at_once() {
    let app = App::start().await;
    let orders = app
        .stand(&[
            Wanted::new(&app.company.server, "validating"),
            Wanted::new(&app.company.server, "draft"),
            Wanted::new(&app.company.webspace, "pending"),
        ])
        .await;
    // As after an upgrade: nobody has looked at them yet.
    assert_eq!(app.execute("UPDATE orders SET stalls_at = status_changed_at", []).await, 3);
    app.world.advance(TimeDelta::minutes(5));
    assert_eq!(fire_timers(&app.inner).await.expect("a sweep"), 0);
    assert_eq!(app.count_of("SELECT COUNT(*) FROM orders WHERE stalls_at IS NOT NULL").await, 1);
    let mut quiet = Store::open(&app.database_url, 1).await.expect("the store opens");
    let counter = Arc::new(std::sync::atomic::AtomicU64::new(0));
    quiet.count_statements(counter.clone());
    let process = ordo::app::App { store: quiet, ..app.inner.clone() };
    assert_eq!(fire_timers(&process).await.expect("a sweep"), 0);
    assert_eq!(counter.load(std::sync::atomic::Ordering::SeqCst), 1, "statements of an idle sweep");
    app.world.advance(TimeDelta::minutes(26));
    assert_eq!(fire_timers(&app.inner).await.expect("a sweep"), 1);
    assert_eq!(stalls(&timeline(&app, &orders[0]).await), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_found_by_an_index_of_just_that() {
    let app = App::start().await;
    let expiry = "(SELECT $1 FROM settings WHERE key = 'expiry_enabled' AND CAST(value AS TEXT) = 'true')";
    for (due, index) in [
        (
            "SELECT o.id FROM orders o WHERE o.stalls_at < $1 ORDER BY o.stalls_at LIMIT 100",
            "idx_orders_stalls",
        ),
        (
            &format!(
                "SELECT o.id FROM orders o WHERE o.expires_at <= {expiry} ORDER BY o.expires_at LIMIT 100"
            ),
            "idx_orders_expires",
        ),
        ("SELECT s.order_id FROM schedules s WHERE s.at <= $1 ORDER BY s.at LIMIT 100", "idx_schedules_at"),
    ] {
        let plan = plan(&app, due).await;
        assert!(plan.contains(index) && !plan.to_lowercase().contains("sort"), "{plan}");
    }
}

async fn plan(app: &App, due: &str) -> String {
    let db = app.second_connection().await;
    let explain = match db.get_database_backend() {
        DbBackend::Postgres => {
            // As the application plans: whatever the value; an empty table would be read whole.
            let settings = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
                SET enable_bitmapscan = off";
            db.execute_unprepared(settings).await.expect("settings");
            db.execute_unprepared(&format!("PREPARE due(timestamptz) AS {due}")).await.expect("prepared");
            "EXPLAIN EXECUTE due(now())".to_owned()
        }
        _ => format!("EXPLAIN QUERY PLAN {due}"),
    };
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), explain)).await;
    let column = if app.inner.store.stamps_late() { 0 } else { 3 };
    let lines = rows.expect("a plan").into_iter().map(|row| row.try_get_by_index(column).expect("a line"));
    let plan = lines.collect::<Vec<String>>().join("\n");
    db.close().await.expect("closed");
    plan
}
