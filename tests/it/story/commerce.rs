//! Commerce: shipped or cancelled, then closed, and one day archived.

use serde_json::json;

use super::Story;

#[tokio::test(flavor = "multi_thread")]
async fn a_pallet_is_shipped_closed_and_archived_which_takes_it_off_the_lists_and_tells_its_buyer_no_more() {
    let mut story = Story::begin(&["staff", "consumer", "provider"]).await;
    let pallet = story.app.company.pallet.clone();
    story.place("consumer", &[(&pallet, 2)], &["rival", "worker"]).await;
    let not = [("consumer", "NotPermitted"), ("csr", "NotPermitted"), ("stranger", "NotFound")];
    let shipped = story.step("manager", "orderShip", json!({}), &not).await;
    assert_eq!(shipped["items"]["nodes"][0]["status"], "ACTIVE");
    story.refused("consumer", "orderCancel", json!({}), "IllegalTransition").await;
    story.refused("staff", "orderCancel", json!({}), "IllegalTransition").await;
    let not = [("provider", "NotPermitted"), ("consumer", "NotPermitted"), ("rival", "NotFound")];
    let closed = story.step("staff", "orderClose", json!({}), &not).await;
    assert!(closed["completedAt"].is_string());
    let archived = story.step("staff", "orderArchive", json!({}), &not).await;
    assert_eq!(archived["status"]["code"], "archived");
    assert_eq!(archived["completedAt"], closed["completedAt"], "archiving is no second end");
    story.refused("staff", "orderClose", json!({}), "IllegalTransition").await;
    story.refused("consumer", "orderClose", json!({}), "IllegalTransition").await;
    story.never_told("consumer", "archive").await;
    story.end("commerce_pallet").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pallet_is_cancelled_by_its_consumer_and_closed_by_staff() {
    let mut story = Story::begin(&["staff", "consumer", "manager"]).await;
    let pallet = story.app.company.pallet.clone();
    story.place("consumer", &[(&pallet, 1)], &["stranger"]).await;
    let expire = json!({ "action": "expire" });
    story.refused("staff", "orderTransition", expire, "NotPermitted").await;
    let not = [("manager", "NotPermitted"), ("support", "NotPermitted"), ("stranger", "NotFound")];
    story.step("consumer", "orderCancel", json!({}), &not).await;
    let not = [("manager", "NotPermitted"), ("consumer", "NotPermitted"), ("stranger", "NotFound")];
    story.step("staff", "orderTransition", json!({ "action": "close" }), &not).await;
    story.step("admin", "orderArchive", json!({}), &not).await;
    story.end("commerce_cancelled").await;
}
