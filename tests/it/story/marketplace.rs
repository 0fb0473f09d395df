//! Marketplace: approved by both sides, each where the offering asks for it, then executed.

use serde_json::{Value, json};

use super::Story;

fn failure() -> Value {
    let error = json!({ "category": "CAPACITY", "message": "quota of rack 3", "traceback": "at rack-3" });
    json!({ "error": error })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_is_approved_by_both_sides_fails_is_tried_again_and_done() {
    let mut story = Story::begin(&["staff", "consumer", "approver", "provider"]).await;
    let allocation = story.app.company.allocation.clone();
    story.place("consumer", &[(&allocation, 1)], &["stranger", "rival"]).await;
    let not = [("consumer", "NotPermitted"), ("provider", "NotPermitted"), ("stranger", "NotFound")];
    let approved = story.step("approver", "orderApprove", json!({}), &not).await;
    assert_eq!(approved["status"]["code"], "pending_provider");
    let not = [("approver", "NotPermitted"), ("consumer", "NotPermitted"), ("rival", "NotFound")];
    story.step("provider", "orderApprove", json!({}), &not).await;
    story.refused("consumer", "orderCancel", json!({}), "IllegalTransition").await;
    let not = [("approver", "NotPermitted"), ("support", "NotPermitted"), ("rival", "NotFound")];
    let erred = story.step("provider", "orderFail", failure(), &not).await;
    assert_eq!(erred["items"]["nodes"][0]["resource"], json!({ "state": "TERMINATED" }));
    let not = [("worker", "NotPermitted"), ("consumer", "NotPermitted"), ("stranger", "NotFound")];
    let again = story.step("manager", "orderRetry", json!({}), &not).await;
    assert!(again["error"].is_null() && again["completedAt"].is_null(), "{again:#}");
    assert_eq!(again["attempts"]["nodes"][0]["error"]["message"], "quota of rack 3", "nothing is lost");
    let not = [("consumer", "NotPermitted"), ("csr", "NotPermitted"), ("rival", "NotFound")];
    let done = story.step("provider", "orderComplete", json!({}), &not).await;
    assert_eq!(done["status"]["isFinal"], json!(true));
    assert!(done["completedAt"].is_string());
    story.refused("provider", "orderRetry", json!({}), "IllegalTransition").await;
    story.end("marketplace_allocation").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_is_rejected_by_its_provider_for_a_reason_that_the_consumer_reads() {
    let mut story = Story::begin(&["staff", "consumer", "manager"]).await;
    let allocation = story.app.company.allocation.clone();
    story.place("consumer", &[(&allocation, 2)], &["provider"]).await;
    let action = json!({ "action": "approve" });
    let not = [("manager", "NotPermitted"), ("consumer", "NotPermitted"), ("rival", "NotFound")];
    story.step("staff", "orderTransition", action, &not).await;
    story.refused("manager", "orderReject", json!({ "reason": "\n" }), "MissingReason").await;
    let reason = json!({ "reason": "the project has ended" });
    let not = [("consumer", "NotPermitted"), ("approver", "NotPermitted"), ("stranger", "NotFound")];
    story.step("manager", "orderReject", reason, &not).await;
    story.refused("staff", "orderApprove", json!({}), "IllegalTransition").await;
    story.end("marketplace_rejected").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_is_withdrawn_by_its_creator_before_anybody_approved_it() {
    let mut story = Story::begin(&["staff", "consumer", "provider"]).await;
    let allocation = story.app.company.allocation.clone();
    story.place("consumer", &[(&allocation, 1)], &["agent"]).await;
    let reason = json!({ "reason": "a typing error" });
    let not = [("provider", "NotPermitted"), ("csr", "NotPermitted"), ("stranger", "NotFound")];
    story.step("consumer", "orderReject", reason, &not).await;
    story.end("marketplace_withdrawn").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_is_cancelled_by_the_consumer_while_the_provider_thinks() {
    let mut story = Story::begin(&["staff", "consumer", "provider"]).await;
    let cluster = story.app.company.cluster.clone();
    story.place("consumer", &[(&cluster, 1)], &["worker"]).await;
    let not = [("provider", "NotPermitted"), ("support", "NotPermitted"), ("stranger", "NotFound")];
    let gone = story.step("consumer", "orderCancel", json!({}), &not).await;
    assert_eq!(gone["status"]["code"], "canceled");
    story.end("marketplace_cancelled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_needs_its_provider_alone_and_is_completed_by_the_worker() {
    let mut story = Story::begin(&["staff", "consumer", "worker"]).await;
    let cluster = story.app.company.cluster.clone();
    story.place("consumer", &[(&cluster, 1)], &["rival"]).await;
    let not = [("approver", "NotPermitted"), ("worker", "NotPermitted"), ("stranger", "NotFound")];
    let approved = story.step("manager", "orderApprove", json!({}), &not).await;
    assert_eq!(approved["status"]["code"], "executing");
    let not = [("approver", "NotPermitted"), ("support", "NotPermitted"), ("rival", "NotFound")];
    let done = story.step("worker", "orderComplete", json!({}), &not).await;
    assert_eq!(done["items"]["nodes"][0]["status"], "ACTIVE");
    story.end("marketplace_cluster").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instant_offering_starts_executing_and_only_machines_carry_it_out() {
    let mut story = Story::begin(&["staff", "consumer", "provider", "worker"]).await;
    let instant = story.app.company.instant.clone();
    story.place("consumer", &[(&instant, 1)], &["stranger"]).await;
    story.refused("provider", "orderComplete", json!({}), "GuardFailed").await;
    let not = [("consumer", "NotPermitted"), ("manager", "NotFound"), ("stranger", "NotFound")];
    story.step("worker", "orderFail", failure(), &not).await;
    story.refused("provider", "orderRetry", json!({}), "GuardFailed").await;
    story.refused("staff", "orderRetry", json!({}), "GuardFailed").await;
    story.refused("worker", "orderComplete", json!({}), "IllegalTransition").await;
    story.end("marketplace_instant").await;
}
