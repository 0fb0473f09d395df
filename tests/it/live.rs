//! The live feed, as a subscriber sees it.

use serde_json::json;

use crate::harness::App;

const EVENTS: &str = "subscription($where: OrderWhereInput, $after: String) { \
    orderEvents(where: $where, after: $after) \
    { kind cursor orderId order { number status { code } } event { kind action from { code } to { code } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_sees_an_order_placed_and_moved_the_moment_it_commits() {
    let app = App::start().await;
    let mut live = app.staff().subscribe(EVENTS, json!({})).await;
    assert_eq!(live.change().await["kind"], "STARTED");
    let order = app.place(&app.consumer(), &app.company.server, 2).await;
    let created = live.change().await;
    assert_eq!(created["kind"], "CREATED");
    assert_eq!(created["orderId"], json!(order));
    assert_eq!(created["order"]["status"]["code"], "draft");
    app.act(&app.consumer(), &order, "submit", json!({})).await;
    let submitted = live.change().await;
    assert_eq!(submitted["kind"], "STATUS_CHANGED");
    assert_eq!(submitted["event"]["action"], "submit");
    assert_eq!(submitted["event"]["from"]["code"], "draft");
    assert_eq!(submitted["event"]["to"]["code"], "pending_payment");
    let mut resumed = app.staff().subscribe(EVENTS, json!({ "after": created["cursor"] })).await;
    assert_eq!(resumed.change().await["kind"], "STARTED");
    assert_eq!(resumed.change().await, submitted);
}
