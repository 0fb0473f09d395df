//! Cloud: paid first, then validated and provisioned by machines.

use serde_json::{Value, json};

use super::Story;

fn euros(amount: &str, method: &str) -> Value {
    json!({ "amount": { "amount": amount, "currency": "EUR" }, "method": method })
}

fn failure(category: &str, message: &str) -> Value {
    json!({ "error": { "category": category, "message": message, "traceback": "at node-7.internal:22" } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_paid_fails_is_tried_again_and_runs_and_its_money_can_go_back() {
    let mut story = Story::begin(&["staff", "consumer", "provider", "csr"]).await;
    let server = story.app.company.server.clone();
    story.place("consumer", &[(&server, 2)], &["stranger", "provider", "support", "worker"]).await;
    let nobody = [("provider", "NotPermitted"), ("support", "NotPermitted"), ("stranger", "NotFound")];
    story.step("consumer", "orderSubmit", json!({}), &nobody).await;
    let note = json!({ "body": "a difficult customer" });
    let not = [("consumer", "NotPermitted"), ("provider", "NotPermitted"), ("rival", "NotFound")];
    story.step("staff", "orderAddNote", note, &not).await;
    let csr = story.app.company.csr.id.to_string();
    let not = [("csr", "NotPermitted"), ("consumer", "NotPermitted"), ("manager", "NotPermitted")];
    story.step("staff", "orderAssignCsr", json!({ "csr": csr }), &not).await;
    let part = story.step("csr", "orderRecordPayment", euros("20.00", "TRANSFER"), &nobody).await;
    assert_eq!(part["status"]["code"], "pending_payment", "a part does not confirm");
    let paid = story.step("csr", "orderRecordPayment", euros("27.60", "CARD"), &nobody).await;
    assert_eq!(paid["status"]["code"], "payment_confirmed", "the rest confirms by itself");
    assert_eq!(paid["invoice"]["state"], "PAID");
    let not = [("consumer", "NotPermitted"), ("csr", "NotPermitted"), ("stranger", "NotFound")];
    story.step("worker", "orderValidate", json!({}), &not).await;
    story.refused("provider", "orderFulfill", json!({}), "IllegalTransition").await;
    story.refused("consumer", "orderFulfill", json!({}), "IllegalTransition").await;
    story.step("provider", "orderTransition", json!({ "action": "provision" }), &not).await;
    let failed = story.step("worker", "orderFail", failure("CAPACITY", "no room on node-7"), &not).await;
    assert_eq!(failed["error"]["message"], "no room on node-7");
    assert!(failed["completedAt"].is_string(), "a failure is an end, for now");
    story.refused("consumer", "orderCancel", json!({ "reason": "enough" }), "NotPermitted").await;
    story.refused("staff", "orderCancel", json!({ "reason": "enough" }), "GuardFailed").await;
    let not = [("worker", "NotPermitted"), ("consumer", "NotPermitted"), ("stranger", "NotFound")];
    let again = story.step("manager", "orderRetry", json!({}), &not).await;
    assert_eq!(again["status"]["code"], "provisioning", "back to where it failed");
    assert!(again["error"].is_null() && again["completedAt"].is_null(), "{again:#}");
    let attempts = again["attempts"]["nodes"].as_array().expect("attempts");
    assert_eq!((&attempts[0]["outcome"], &attempts[1]["outcome"]), (&json!("FAILED"), &json!("RUNNING")));
    assert_eq!(attempts[0]["error"]["message"], "no room on node-7", "nothing is lost");
    let not = [("consumer", "NotPermitted"), ("csr", "NotPermitted"), ("rival", "NotFound")];
    let done = story.step("worker", "orderFulfill", json!({}), &not).await;
    assert!(done["completedAt"].is_string());
    assert_eq!(done["items"]["nodes"][0]["status"], "ACTIVE");
    assert_eq!(done["items"]["nodes"][0]["resource"], json!({ "state": "OK" }));
    assert_eq!(done["availableActions"], json!([]), "fulfilled is final");
    story.refused("staff", "orderCancel", json!({}), "IllegalTransition").await;
    let back = json!({ "amount": { "amount": "7.60", "currency": "EUR" }, "reason": "slow" });
    let not = [("csr", "NotPermitted"), ("provider", "NotPermitted"), ("consumer", "NotPermitted")];
    let part = story.step("staff", "orderRefund", back, &not).await;
    assert_eq!(part["invoice"]["state"], "ISSUED", "no longer covered");
    let whole = story.step("staff", "orderRefund", json!({ "reason": "goodwill" }), &not).await;
    assert_eq!(whole["pricing"]["paid"], json!({ "amount": "0.00" }));
    assert_eq!(whole["invoice"]["state"], "REFUNDED", "all of it has gone back");
    story.never_told("consumer", "goodwill").await;
    story.never_told("consumer", "node-7").await;
    story.never_told("consumer", "difficult").await;
    story.end("cloud_server").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_that_costs_nothing_confirms_itself_and_is_cancelled_when_it_fails_twice() {
    let mut story = Story::begin(&["staff", "consumer", "manager"]).await;
    let trial = story.app.company.trial.clone();
    story.place("consumer", &[(&trial, 1)], &["rival", "agent"]).await;
    let not = [("provider", "NotPermitted"), ("stranger", "NotFound"), ("manager", "NotFound")];
    let free = story.step("consumer", "orderSubmit", json!({}), &not).await;
    assert_eq!(free["status"]["code"], "payment_confirmed", "nothing to pay is paid");
    assert_eq!(free["invoice"]["state"], "PAID");
    let not = [("consumer", "NotPermitted"), ("approver", "NotPermitted"), ("manager", "NotFound")];
    story.step("worker", "orderValidate", json!({}), &not).await;
    story.refused("worker", "orderFail", json!({}), "Validation").await;
    story.refused("staff", "orderFail", json!({ "reason": "it broke" }), "Validation").await;
    let bad = failure("CONFIGURATION", "flavour m9 is not known to rack 3");
    story.step("worker", "orderFail", bad, &not).await;
    story.refused("provider", "orderTransition", json!({ "action": "retry" }), "GuardFailed").await;
    let anew = json!({ "action": "retry", "override": true, "reason": "flavour m9 is known at rack 3 now" });
    let unless = [("consumer", "NotPermitted"), ("provider", "NotPermitted"), ("manager", "NotFound")];
    let again = story.step("staff", "orderTransition", anew, &unless).await;
    assert_eq!(again["status"]["code"], "validating", "back to where it failed");
    let bad = failure("INFRASTRUCTURE", "rack 3 is on fire");
    story.step("provider", "orderFail", bad, &not).await;
    story.refused("staff", "orderCancel", json!({}), "MissingReason").await;
    story.refused("staff", "orderCancel", json!({ "reason": "  " }), "MissingReason").await;
    let reason = json!({ "reason": "rack 3 will not come back" });
    let not = [("consumer", "NotPermitted"), ("provider", "NotPermitted"), ("stranger", "NotFound")];
    let gone = story.step("staff", "orderCancel", reason, &not).await;
    assert_eq!(gone["status"]["code"], "cancelled");
    assert_eq!(gone["attempts"]["nodes"].as_array().map(Vec::len), Some(2), "both attempts are kept");
    story.refused("provider", "orderRetry", json!({}), "IllegalTransition").await;
    story.never_told("consumer", "rack 3").await;
    story.end("cloud_trial").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_holds_money_is_cancelled_by_staff_as_a_credit_or_not_at_all() {
    let mut story = Story::begin(&["staff", "approver"]).await;
    let server = story.app.company.server.clone();
    story.place("staff", &[(&server, 1)], &["stranger"]).await;
    let not = [("worker", "NotPermitted"), ("stranger", "NotFound")];
    story.step("staff", "orderSubmit", json!({}), &not).await;
    let not = [("agent", "NotFound"), ("manager", "NotPermitted")];
    story.step("staff", "orderRecordPayment", euros("5.00", "CASH"), &not).await;
    story.refused("consumer", "orderCancel", json!({}), "NotFound").await;
    story.refused("approver", "orderCancel", json!({}), "GuardFailed").await;
    story.refused("staff", "orderCancel", json!({}), "GuardFailed").await;
    let credit = json!({ "keepCredit": true });
    let not = [("approver", "NotPermitted"), ("provider", "NotPermitted"), ("consumer", "NotFound")];
    let kept = story.step("staff", "orderCancel", credit, &not).await;
    assert_eq!(kept["pricing"]["paid"], json!({ "amount": "5.00" }));
    assert_eq!(kept["invoice"]["state"], "CANCELLED");
    story.end("cloud_credit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_dropped_by_the_consumer_who_made_it() {
    let mut story = Story::begin(&["staff", "consumer", "approver"]).await;
    let server = story.app.company.server.clone();
    story.place("consumer", &[(&server, 1)], &["worker"]).await;
    let not = [("provider", "NotPermitted"), ("support", "NotPermitted"), ("rival", "NotFound")];
    let dropped = story.step("consumer", "orderCancel", json!({}), &not).await;
    assert_eq!(dropped["items"]["nodes"][0]["status"], "CANCELLED");
    assert!(dropped["invoice"].is_null() && dropped["completedAt"].is_string());
    story.end("cloud_draft").await;
}
