//! Hosting: reviewed by staff, line by line.

use serde_json::json;

use super::Story;

const OUTSIDERS: [(&str, &str); 4] = [
    ("provider", "NotPermitted"),
    ("consumer", "NotPermitted"),
    ("csr", "NotPermitted"),
    ("stranger", "NotFound"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_webspace_is_accepted_in_part_refunded_reset_and_found_to_be_fraud_which_its_buyer_never_hears() {
    let mut story = Story::begin(&["staff", "consumer", "provider"]).await;
    let webspace = story.app.company.webspace.clone();
    story.place("consumer", &[(&webspace, 1), (&webspace, 3)], &["rival", "support"]).await;
    let query = "query($id: ID!) { order(by: { id: $id }) { items { nodes { id } } } }";
    let data = story.client("staff").data(query, json!({ "id": story.order })).await;
    let first = data["order"]["items"]["nodes"][0]["id"].clone();
    let ticked = json!({ "items": [first] });
    let accepted = story.step("staff", "orderAccept", ticked, &OUTSIDERS).await;
    let items = accepted["items"]["nodes"].as_array().expect("items");
    assert_eq!(items[0]["status"], "PROVISIONING");
    assert_eq!(items[1]["status"], "PENDING", "what was not ticked stays as it was");
    let payment = json!({ "amount": { "amount": "23.80", "currency": "EUR" }, "method": "CARD" });
    let not = [("provider", "NotPermitted"), ("consumer", "NotPermitted"), ("stranger", "NotFound")];
    let paid = story.step("csr", "orderRecordPayment", payment.clone(), &not).await;
    assert_eq!(paid["invoice"]["state"], "PAID");
    story.refused("staff", "orderCancel", json!({}), "GuardFailed").await;
    let refund = json!({ "reason": "double order", "refund": true });
    let back = story.step("staff", "orderCancel", refund, &OUTSIDERS).await;
    assert_eq!(back["invoice"]["state"], "REFUNDED");
    assert_eq!(back["pricing"]["paid"], json!({ "amount": "0.00" }));
    let why = json!({ "reason": "it was no double" });
    let reset = story.step("staff", "orderResetToPending", why, &OUTSIDERS).await;
    assert!(reset["completedAt"].is_null(), "it is open again");
    let note = json!({ "audience": "PROVIDER", "body": "look at the card's country" });
    let not = [("consumer", "NotPermitted"), ("worker", "NotPermitted"), ("stranger", "NotFound")];
    story.step("staff", "orderAddNote", note, &not).await;
    story.refused("staff", "orderMarkFraud", json!({ "reason": "" }), "MissingReason").await;
    let why = json!({ "reason": "stolen card" });
    let fraud = story.step("staff", "orderMarkFraud", why.clone(), &OUTSIDERS).await;
    assert_eq!(fraud["status"]["code"], "fraud");
    story.refused("staff", "orderAccept", json!({}), "IllegalTransition").await;
    story.refused("consumer", "orderAccept", json!({}), "IllegalTransition").await;
    story.refused("admin", "orderTransition", json!({ "action": "purge" }), "IllegalTransition").await;
    let set = json!({ "to": "active" });
    story.refused("staff", "orderSetStatus", set, "IllegalTransition").await;
    story.step("staff", "orderTransition", json!({ "action": "reset_to_pending" }), &OUTSIDERS).await;
    story.step("admin", "orderAccept", json!({}), &OUTSIDERS).await;
    let not = [("provider", "NotPermitted"), ("approver", "NotPermitted"), ("stranger", "NotFound")];
    story.step("staff", "orderRecordPayment", payment, &not).await;
    story.refused("staff", "orderMarkFraud", why.clone(), "GuardFailed").await;
    let kept = json!({ "action": "mark_fraud", "keepCredit": true, "reason": "stolen card" });
    story.step("staff", "orderTransition", kept, &OUTSIDERS).await;
    story.never_told("consumer", "fraud").await;
    story.never_told("consumer", "double").await;
    story.end("hosting_fraud").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webspace_that_is_pending_is_cancelled_by_its_consumer_and_an_active_one_by_staff_alone() {
    let mut story = Story::begin(&["staff", "consumer", "worker"]).await;
    let webspace = story.app.company.webspace.clone();
    story.place("consumer", &[(&webspace, 2)], &["stranger"]).await;
    let not = [("provider", "NotPermitted"), ("csr", "NotPermitted"), ("rival", "NotFound")];
    let cancelled = story.step("consumer", "orderCancel", json!({}), &not).await;
    assert_eq!(cancelled["invoice"]["state"], "CANCELLED");
    story.step("staff", "orderResetToPending", json!({}), &OUTSIDERS).await;
    story.step("staff", "orderAccept", json!({}), &OUTSIDERS).await;
    story.refused("consumer", "orderCancel", json!({}), "NotPermitted").await;
    let over = story.step("staff", "orderCancel", json!({ "reason": "unpaid" }), &OUTSIDERS).await;
    assert_eq!(over["attempts"]["nodes"][0]["outcome"], "ABANDONED");
    assert_eq!(over["items"]["nodes"][0]["resource"], json!({ "state": "TERMINATED" }));
    story.end("hosting_cancel").await;
}
