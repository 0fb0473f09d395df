//! What time does to orders: each timer fires once, at its time or as soon as somebody runs again, and never against
//! a person who was faster.

use chrono::TimeDelta;
use domain::id::{OrderId, OrganizationId};
use futures_util::future::{join, join_all};
use ordo::{app::World, usecase::order::fire_timers};
use serde_json::{Value, json};

use crate::harness::{App, Client, Wanted};

const SCHEDULE: &str = "mutation($input: OrderScheduleInput!) { orderSchedule(input: $input) { \
    order { id scheduled { id action at reason madeBy { id } madeAt } } \
    event { kind schedule { id action at refused } } errors { code message path } } }";
const TIMELINE: &str = "query($id: ID!) { order(by: { id: $id }) { status { code } timeline(last: 50) { nodes { \
    kind action actor { id } schedule { id action refused } } } } }";

/// Has an action taken later; the payload.
pub async fn scheduling(client: &Client, order: &str, action: &str, extra: Value) -> Value {
    let mut input = json!({ "order": order, "action": action });
    input.as_object_mut().expect("an input").extend(extra.as_object().expect("fields").clone());
    client.data(SCHEDULE, json!({ "input": input })).await["orderSchedule"].clone()
}

/// Has an action taken later, which is allowed; the schedule.
pub async fn schedule(client: &Client, order: &str, action: &str, extra: Value) -> Value {
    let payload = scheduling(client, order, action, extra).await;
    assert_eq!(payload["errors"], json!([]), "{payload}");
    let made = payload["event"]["schedule"]["id"].clone();
    let all = payload["order"]["scheduled"].as_array().expect("schedules").iter();
    all.into_iter().find(|schedule| schedule["id"] == made).expect("the schedule").clone()
}

/// Switches expiry on or off, as the administrator.
pub async fn switch(app: &App, on: bool) {
    let query = "mutation($on: Boolean!) { settingsSave(input: { expiryEnabled: $on }) { \
        settings { expiryEnabled } errors { code } } }";
    let saved = app.admin().data(query, json!({ "on": on })).await;
    assert_eq!(saved["settingsSave"], json!({ "settings": { "expiryEnabled": on }, "errors": [] }));
}

/// An order of commerce that is wanted until a day, of the customer or of another one.
pub async fn dated(app: &App, client: &Client, customer: OrganizationId, day: &str) -> String {
    let lines = json!([{ "product": app.company.pallet.id.to_string() }]);
    let input = json!({ "customer": { "id": customer.to_string() }, "lines": lines, "expiresOn": day });
    app.place_input(client, input).await
}

/// What happened to an order of this kind, as staff reads it.
async fn told(app: &App, order: &str, kind: &str) -> Vec<Value> {
    let read = app.staff().data(TIMELINE, json!({ "id": order })).await;
    let nodes = read["order"]["timeline"]["nodes"].as_array().expect("a timeline").clone();
    nodes.into_iter().filter(|event| event["kind"] == kind).collect()
}

async fn fired(app: &App) -> usize {
    fire_timers(&app.inner).await.expect("a sweep")
}

/// So long after the present moment, as clients write it.
fn after(app: &App, minutes: i64) -> Value {
    let at = app.world.now() + TimeDelta::minutes(minutes);
    json!({ "at": at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true) })
}

// 004-03, 000-31: timers.
#[tokio::test(flavor = "multi_thread")]
async fn a_stall_an_expiry_and_a_schedule_fire_once_at_their_time() {
    let app = App::start().await;
    let server = app.stand(&[Wanted::new(&app.company.server, "validating")]).await.remove(0);
    switch(&app, true).await;
    let customer = app.company.customer;
    let day = dated(&app, &app.consumer(), customer, "2026-03-02").await;
    let pallet = app.place(&app.consumer(), &app.company.pallet, 1).await;
    let made = schedule(&app.staff(), &pallet, "ship", after(&app, 60)).await;
    assert_eq!(
        (&made["action"], &made["madeBy"]["id"]),
        (&json!("ship"), &json!(app.company.staff.id.to_string()))
    );
    assert_eq!(fired(&app).await, 0, "nothing is due");
    app.world.advance(TimeDelta::minutes(31));
    assert_eq!((fired(&app).await, fired(&app).await), (1, 0));
    assert_eq!(told(&app, &server, "STALLED").await.len(), 1);
    app.world.advance(TimeDelta::minutes(29));
    assert_eq!((fired(&app).await, fired(&app).await), (1, 0));
    let moved = told(&app, &pallet, "STATUS_CHANGED").await;
    assert_eq!(moved.len(), 1);
    let (by, what) = (&moved[0]["actor"]["id"], &moved[0]["schedule"]);
    assert_eq!(by, &json!(app.company.staff.id.to_string()), "it is done as its maker");
    assert_eq!(
        what,
        &json!({ "id": made["id"], "action": "ship", "refused": null }),
        "and says that it waited"
    );
    // Berlin's day is over at 23:00 in Greenwich; it is 10:00.
    app.world.advance(TimeDelta::minutes(13 * 60 - 1));
    assert_eq!(fired(&app).await, 0);
    app.world.advance(TimeDelta::minutes(1));
    assert_eq!((fired(&app).await, fired(&app).await), (1, 0));
    let expired = told(&app, &day, "STATUS_CHANGED").await;
    assert_eq!(
        (expired.len(), &expired[0]["action"], &expired[0]["actor"]),
        (1, &json!("expire"), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_expire_only_while_that_is_switched_on_and_late_rather_than_not() {
    let app = App::start().await;
    let (consumer, customer) = (app.consumer(), app.company.customer);
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(dated(&app, &consumer, customer, "2026-03-04").await);
    }
    app.world.advance(TimeDelta::days(30));
    assert_eq!(fired(&app).await, 0, "off until switched on");
    switch(&app, true).await;
    switch(&app, false).await;
    assert_eq!(fired(&app).await, 0, "off at once");
    switch(&app, true).await;
    app.act(&app.staff(), &orders[0], "ship", json!({})).await;
    assert_eq!((fired(&app).await, fired(&app).await), (2, 0), "late, once, and not against who was faster");
    let statuses = join_all(orders.iter().map(async |order| app.staff().status(order).await)).await;
    assert_eq!(statuses.iter().flatten().collect::<Vec<_>>(), ["shipped", "cancelled", "cancelled"]);
    app.act(&app.staff(), &orders[0], "close", json!({})).await;
    assert_eq!(app.count_of("SELECT COUNT(*) FROM orders WHERE expires_at IS NOT NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_over_where_the_customer_is() {
    let app = App::start().await;
    let company = &app.company;
    for (customer, zone) in
        [(company.customer, "Pacific/Auckland"), (company.other_customer, "America/Los_Angeles")]
    {
        let sql = "UPDATE organizations SET time_zone = $1 WHERE id = $2";
        assert_eq!(app.execute(sql, [zone.into(), customer.0.into()]).await, 1);
    }
    switch(&app, true).await;
    let east = dated(&app, &app.consumer(), company.customer, "2026-03-04").await;
    let west = dated(&app, &app.stranger(), company.other_customer, "2026-03-04").await;
    // From 2 March, 9:00: midnight in Auckland is 11:00 of the same day, that in Los Angeles 8:00 of the next.
    for (minutes, expired) in [(2 * 1_440 + 119, 0), (1, 1), (21 * 60 - 1, 0), (1, 1)] {
        app.world.advance(TimeDelta::minutes(minutes));
        assert_eq!(fired(&app).await, expired, "{}", app.world.now());
    }
    assert_eq!(app.staff().status(&east).await.as_deref(), Some("cancelled"));
    assert_eq!(app.staff().status(&west).await.as_deref(), Some("cancelled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_was_faster_wins_and_the_timeline_says_that_the_schedule_lapsed() {
    let app = App::start().await;
    let pallets = vec![Wanted::new(&app.company.pallet, "open"); 12];
    let orders = app.stand(&pallets).await;
    for order in &orders {
        schedule(&app.staff(), order, "ship", after(&app, 5)).await;
    }
    app.act(&app.consumer(), &orders[0], "cancel", json!({})).await;
    app.world.advance(TimeDelta::minutes(5));
    let staff = app.staff();
    let cancelling = join_all(orders[1..].iter().map(|order| staff.transition(order, "cancel", json!({}))));
    let (swept, cancelled) = join(join_all((0..3).map(|_| fire_timers(&app.inner))), cancelling).await;
    let mut sum: usize = swept.into_iter().map(|swept| swept.expect("a sweep")).sum();
    // What somebody held while they looked is looked at again.
    sum += fired(&app).await;
    assert_eq!(sum, orders.len());
    for (order, payload) in orders[1..].iter().zip(cancelled) {
        let first = payload["errors"] == json!([]);
        let (lapsed, moved) = (told(&app, order, "LAPSED").await, told(&app, order, "STATUS_CHANGED").await);
        assert_eq!((lapsed.len(), moved.len()), (usize::from(first), 1), "{payload}");
    }
    let lapsed = told(&app, &orders[0], "LAPSED").await;
    assert_eq!((lapsed.len(), &lapsed[0]["actor"]), (1, &Value::Null));
    assert_eq!(lapsed[0]["schedule"]["refused"], "ILLEGAL_TRANSITION");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_scheduled_is_taken_late_after_a_downtime_by_whoever_starts() {
    let app = App::start().await;
    let orders = app.stand(&vec![Wanted::new(&app.company.pallet, "open"); 3]).await;
    for order in &orders {
        schedule(&app.staff(), order, "ship", after(&app, 5)).await;
        // Two timers of one order that are both late fire in their order.
        schedule(&app.staff(), order, "close", after(&app, 10)).await;
    }
    app.world.advance(TimeDelta::days(400));
    let other = app.beside().await;
    assert_eq!((fired(&other).await, fired(&app).await), (6, 0));
    for order in &orders {
        assert_eq!(app.staff().status(order).await.as_deref(), Some("closed"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_look_each_of_many_timers_fires_once() {
    let app = App::start().await;
    let orders = app.stand(&vec![Wanted::new(&app.company.pallet, "open"); 230]).await;
    plant(&app, &orders).await;
    let other = app.beside().await;
    app.world.advance(TimeDelta::hours(1));
    let sweeps = join_all([&app.inner, &other.inner, &app.inner, &other.inner].map(fire_timers)).await;
    let sum: usize = sweeps.into_iter().map(|swept| swept.expect("a sweep")).sum();
    assert_eq!(sum + fired(&app).await, orders.len());
    let moved = "SELECT COUNT(*) FROM events WHERE kind = 'STATUS_CHANGED' AND action = 'ship'";
    assert_eq!(app.count_of(moved).await, 230);
    assert_eq!(app.count_of("SELECT COUNT(*) FROM events WHERE kind = 'LAPSED'").await, 0);
    assert_eq!(app.count_of("SELECT COUNT(*) FROM schedules").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn firing_costs_the_same_statements_for_one_order_as_for_a_hundred() {
    let app = App::start().await;
    let mut costs = Vec::new();
    for count in [1, 99] {
        let orders = app.stand(&vec![Wanted::new(&app.company.pallet, "open"); count]).await;
        plant(&app, &orders).await;
        app.world.advance(TimeDelta::hours(1));
        let (cost, swept) = app.statements_of(fire_timers(&app.inner)).await;
        assert_eq!(swept.expect("a sweep"), count);
        costs.push(cost);
    }
    // Events are appended fifty at a time, wherever the feed's own statements fall.
    assert!(costs[1] <= costs[0] + 6, "{costs:?}");
}

/// Has each order shipped by staff half an hour from now, past the API.
async fn plant(app: &App, orders: &[String]) {
    let at = app.world.now() + TimeDelta::minutes(30);
    for order in orders {
        let id: domain::id::ScheduleId = app.world.mint().id();
        let order: OrderId = order.parse().expect("an id");
        let sql = "INSERT INTO schedules (id, order_id, action, at, made_by, made_at, audience) \
            VALUES ($1, $2, 'ship', $3, $4, $3, 'PROVIDER')";
        let values = [id.0.into(), order.0.into(), at.into(), app.company.staff.id.0.into()];
        assert_eq!(app.execute(sql, values).await, 1);
    }
}
