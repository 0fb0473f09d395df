//! Schedules at their edges: who may make, see and call off which, what is refused and how, what becomes of them
//! when their maker's rights are gone, and what the command line lists.

use chrono::TimeDelta;
use domain::id::OrderId;
use ordo::usecase::order::fire_timers;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    cli::{LONG_SECRET, ordo, printed, run},
    harness::{App, Client, Wanted},
    timers::{dated, schedule, scheduling, switch},
};

const SOON: &str = "2026-03-02T10:00:00.000Z";

fn soon() -> Value {
    json!({ "at": SOON })
}

async fn unschedule(client: &Client, order: &str, schedule: &Value) -> Value {
    let query = "mutation($input: OrderUnscheduleInput!) { orderUnschedule(input: $input) { \
        event { kind schedule { action } } errors { code path } } }";
    let input = json!({ "input": { "order": order, "schedule": schedule } });
    client.data(query, input).await["orderUnschedule"].clone()
}

/// The actions that a client sees waiting.
async fn seen(client: &Client, order: &str) -> Vec<String> {
    let query = "query($id: ID!) { order(by: { id: $id }) { scheduled { action } } }";
    let read = client.data(query, json!({ "id": order })).await;
    let all = read["order"]["scheduled"].as_array().expect("schedules").clone();
    all.iter().map(|schedule| schedule["action"].as_str().expect("an action").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_scheduled_is_refused_at_its_place_with_the_way_out() {
    let app = App::start().await;
    let order = app.stand(&[Wanted::new(&app.company.pallet, "open")]).await.remove(0);
    let at = |at: &str| json!({ "at": at });
    let (staff, consumer) = (app.staff(), app.consumer());
    for (client, action, extra, code, path, way_out) in [
        (&staff, "ship", at("2026-03-02T09:00:00.000Z"), "VALIDATION", json!(["at"]), "name a later one"),
        (&staff, "ship", at("2031-03-02T09:00:00.001Z"), "VALIDATION", json!(["at"]), "at most 60 months"),
        (&staff, "vanish", soon(), "VALIDATION", json!(["action"]), "you may schedule: cancel, ship, close"),
        (&consumer, "ship", soon(), "NOT_PERMITTED", json!([]), "you may: cancel"),
        (&consumer, "vanish", soon(), "VALIDATION", json!(["action"]), "you may schedule: cancel"),
        (&app.stranger(), "cancel", soon(), "NOT_FOUND", json!([]), "no such order"),
        (
            &staff,
            "ship",
            json!({ "at": SOON, "expectedVersion": 7 }),
            "VERSION_CONFLICT",
            json!([]),
            "read it again",
        ),
    ] {
        let payload = scheduling(client, &order, action, extra).await;
        let error = &payload["errors"][0];
        assert_eq!((&error["code"], &error["path"]), (&json!(code), &path), "{payload}");
        assert!(error["message"].as_str().expect("a message").contains(way_out), "{payload}");
    }
    for _ in 0..20 {
        schedule(&staff, &order, "ship", soon()).await;
    }
    let more = scheduling(&staff, &order, "ship", soon()).await;
    assert_eq!(more["errors"][0]["path"], json!(["order"]), "{more}");
    assert_eq!(app.count_of("SELECT COUNT(*) FROM schedules").await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_made_once_per_key_and_called_off_before_its_time() {
    let app = App::start().await;
    let order = app.stand(&[Wanted::new(&app.company.pallet, "open")]).await.remove(0);
    let keyed = json!({ "at": SOON, "idempotencyKey": "once" });
    let made = schedule(&app.staff(), &order, "ship", keyed.clone()).await["id"].clone();
    let again = scheduling(&app.staff(), &order, "ship", keyed).await;
    assert_eq!(again["event"]["schedule"]["id"], made);
    let done = unschedule(&app.csr(), &order, &made).await;
    assert_eq!((&done["event"]["kind"], &done["errors"]), (&json!("UNSCHEDULED"), &json!([])));
    let gone = unschedule(&app.csr(), &order, &made).await;
    assert_eq!(
        (&gone["errors"][0]["code"], &gone["errors"][0]["path"]),
        (&json!("NOT_FOUND"), &json!(["schedule"]))
    );
    app.world.advance(TimeDelta::days(1));
    assert_eq!(fire_timers(&app.inner).await.expect("a sweep"), 0);
    assert_eq!(app.staff().status(&order).await.as_deref(), Some("open"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_inside_schedules_stays_inside_and_what_buyers_schedule_is_seen_by_all() {
    let app = App::start().await;
    let order = app.stand(&[Wanted::new(&app.company.pallet, "open")]).await.remove(0);
    let inside = schedule(&app.staff(), &order, "ship", soon()).await["id"].clone();
    schedule(&app.consumer(), &order, "cancel", json!({ "at": "2026-03-02T11:00:00.000Z" })).await;
    for (client, expected) in [
        (app.staff(), vec!["ship", "cancel"]),
        (app.provider(), vec!["ship", "cancel"]),
        (app.consumer(), vec!["cancel"]),
        (app.approver(), vec!["cancel"]),
    ] {
        assert_eq!(seen(&client, &order).await, expected);
    }
    let hidden = unschedule(&app.consumer(), &order, &inside).await;
    assert_eq!(hidden["errors"][0]["code"], "NOT_FOUND");
    app.world.advance(TimeDelta::hours(1));
    assert_eq!(fire_timers(&app.inner).await.expect("a sweep"), 1);
    let told = "query($id: ID!) { order(by: { id: $id }) { timeline(last: 9) { nodes { kind schedule { action } } } } }";
    let read = app.consumer().data(told, json!({ "id": order })).await;
    let told: Vec<_> = read["order"]["timeline"]["nodes"].as_array().expect("a timeline").clone();
    let last = told.last().expect("an event");
    assert_eq!(last, &json!({ "kind": "STATUS_CHANGED", "schedule": null }), "that it waited is not told");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_scheduled_who_may_no_longer_lapses() {
    let app = App::start().await;
    let orders = app.stand(&vec![Wanted::new(&app.company.pallet, "open"); 2]).await;
    schedule(&app.manager(), &orders[0], "ship", soon()).await;
    schedule(&app.provider(), &orders[1], "ship", soon()).await;
    let leave = "DELETE FROM memberships WHERE user_id = $1";
    assert_eq!(app.execute(leave, [app.company.manager.id.0.into()]).await, 1);
    let demote = "UPDATE memberships SET role = 'WORKER' WHERE user_id = $1";
    assert_eq!(app.execute(demote, [app.company.provider.id.0.into()]).await, 1);
    app.world.advance(TimeDelta::hours(2));
    assert_eq!(fire_timers(&app.inner).await.expect("a sweep"), 2);
    for (order, code) in orders.iter().zip(["NOT_FOUND", "NOT_PERMITTED"]) {
        assert_eq!(app.staff().status(order).await.as_deref(), Some("open"));
        let told = "query($id: ID!) { order(by: { id: $id }) { timeline(last: 1) { nodes { kind schedule { refused } } } } }";
        let read = app.staff().data(told, json!({ "id": order })).await;
        let last = &read["order"]["timeline"]["nodes"][0];
        assert_eq!(last, &json!({ "kind": "LAPSED", "schedule": { "refused": code } }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_costs_a_list_two_statements_however_long_it_is() {
    let app = App::start().await;
    let orders = app.stand(&vec![Wanted::new(&app.company.pallet, "open"); 30]).await;
    for order in &orders {
        schedule(&app.staff(), order, "ship", soon()).await;
    }
    let list = |size: usize| {
        format!("{{ orders(first: {size}) {{ nodes {{ id scheduled {{ action madeBy {{ name }} }} }} }} }}")
    };
    let staff = app.staff();
    let (few, _) = app.statements_of(staff.data(&list(2), json!({}))).await;
    let (many, read) = app.statements_of(staff.data(&list(30), json!({}))).await;
    assert_eq!(few, many);
    assert!(!read.to_string().contains("\"scheduled\":[]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_lists_what_time_does_next() {
    let app = App::start().await;
    let server = app.stand(&[Wanted::new(&app.company.server, "validating")]).await.remove(0);
    let day = dated(&app, &app.consumer(), app.company.customer, "2026-03-03").await;
    let pallet = app.place(&app.consumer(), &app.company.pallet, 1).await;
    schedule(&app.staff(), &pallet, "ship", soon()).await;
    let folder = TempDir::new().unwrap();
    let listed = async |more: &[&str]| {
        let mut command = ordo(folder.path(), &[&["timers"], more].concat());
        command.env("DATABASE_URL", &app.database_url).env("ORDO_JWT_SECRET", LONG_SECRET);
        printed(command).await
    };
    let off = listed(&[]).await;
    assert!(!off.contains("expires in") && off.contains("settingsSave switches that on"), "{off}");
    switch(&app, true).await;
    let number = async |order: &str| {
        let id: OrderId = order.parse().expect("an id");
        let query = "query($id: ID!) { order(by: { id: $id }) { number } }";
        app.staff().data(query, json!({ "id": id })).await["order"]["number"]
            .as_str()
            .expect("a number")
            .to_owned()
    };
    let told: Value = serde_json::from_str(&listed(&["--json"]).await).expect("JSON");
    let timer = async |order: &str, at: &str, kind: &str, workflow: &str, status: &str, action: Value| {
        json!({ "at": at, "order": number(order).await, "kind": kind, "workflow": workflow, "status": status,
            "action": action })
    };
    let expected = [
        timer(&server, "2026-03-02T09:30:00.000Z", "STALL", "cloud", "validating", Value::Null).await,
        timer(&pallet, SOON, "SCHEDULE", "commerce", "open", json!("ship")).await,
        timer(&day, "2026-03-03T23:00:00.000Z", "EXPIRY", "commerce", "open", Value::Null).await,
    ];
    assert_eq!(told, json!({ "expiryEnabled": true, "timers": expected }));
    let two = listed(&["--limit", "2"]).await;
    assert!(two.contains("counts as stalled in validating (cloud)"), "{two}");
    assert!(two.contains("ship is taken from open (commerce)") && !two.contains("expires in"), "{two}");
    let none = run(ordo(folder.path(), &["timers", "--limit", "0"])).await;
    assert!(!none.status.success());
}
