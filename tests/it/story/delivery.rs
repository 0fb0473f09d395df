//! Delivery: brought to the door by an agent; the desk moves the order freely.

use serde_json::{Value, json};

use super::Story;

const OUTSIDERS: [(&str, &str); 3] =
    [("provider", "NotPermitted"), ("consumer", "NotPermitted"), ("stranger", "NotFound")];

#[tokio::test(flavor = "multi_thread")]
async fn a_parcel_goes_out_comes_back_goes_out_again_and_is_paid_at_the_door() {
    let mut story = Story::begin(&["staff", "consumer", "agent", "csr", "provider"]).await;
    let parcel = story.app.company.parcel.clone();
    story.place("consumer", &[(&parcel, 1)], &["stranger", "agent"]).await;
    let not = [("manager", "NotPermitted"), ("agent", "NotFound"), ("consumer", "NotPermitted")];
    story.step("csr", "orderProcess", json!({}), &not).await;
    story.refused("csr", "orderDispatch", json!({}), "GuardFailed").await;
    let agent = json!({ "agent": story.app.company.agent.id.to_string() });
    let nobody = json!({ "agent": Value::Null });
    let not = [("provider", "NotPermitted"), ("agent", "NotFound"), ("consumer", "NotPermitted")];
    let given = story.step("csr", "orderAssignAgent", agent.clone(), &not).await;
    assert_eq!(given["deliveryAgent"], json!({ "name": "agent" }));
    story.refused("staff", "orderAssignAgent", agent.clone(), "Validation").await;
    let not = [("agent", "NotPermitted"), ("worker", "NotPermitted"), ("stranger", "NotFound")];
    story.step("csr", "orderAssignAgent", nobody, &not).await;
    story.refused("agent", "orderDispatch", json!({}), "NotFound").await;
    story.step("staff", "orderAssignAgent", agent, &[("support", "NotPermitted")]).await;
    let staff = json!({ "csr": story.app.company.staff.id.to_string() });
    story.step("staff", "orderAssignCsr", staff, &[("csr", "NotPermitted")]).await;
    story.refused("csr", "orderDispatch", json!({}), "NotFound").await;
    story.step("agent", "orderDispatch", json!({}), &OUTSIDERS).await;
    story.refused("agent", "orderFail", json!({}), "MissingReason").await;
    let reason = json!({ "reason": "nobody opened the door" });
    let failed = story.step("agent", "orderFail", reason, &OUTSIDERS).await;
    assert!(failed["completedAt"].is_string());
    let nobody = json!({ "csr": Value::Null });
    story.step("staff", "orderAssignCsr", nobody, &[("agent", "NotPermitted")]).await;
    let again = json!({ "to": "in_transit" });
    let not = [("agent", "NotPermitted"), ("provider", "NotPermitted"), ("stranger", "NotFound")];
    let again = story.step("csr", "orderSetStatus", again, &not).await;
    assert!(again["completedAt"].is_null());
    let cash = json!({ "amount": { "amount": "35.70", "currency": "EUR" }, "method": "CASH" });
    story.step("agent", "orderRecordPayment", cash, &OUTSIDERS).await;
    let card = json!({ "amount": { "amount": "1.00", "currency": "EUR" }, "method": "CARD" });
    story.refused("agent", "orderRecordPayment", card, "NotPermitted").await;
    let done = story.step("agent", "orderDeliver", json!({}), &OUTSIDERS).await;
    assert_eq!(done["items"]["nodes"][0]["status"], "ACTIVE");
    assert!(done["completedAt"].is_string());
    let reason = json!({ "reason": "a change of mind" });
    story.refused("staff", "orderCancel", reason, "IllegalTransition").await;
    story.end("delivery_parcel").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parcel_is_set_to_any_status_by_the_desk_on_the_terms_of_the_named_action() {
    let mut story = Story::begin(&["staff", "approver", "csr"]).await;
    let parcel = story.app.company.parcel.clone();
    story.place("csr", &[(&parcel, 3)], &["worker"]).await;
    story.refused("csr", "orderSetStatus", json!({ "to": "in_transit" }), "GuardFailed").await;
    story.refused("csr", "orderSetStatus", json!({ "to": "failed" }), "MissingReason").await;
    story.refused("csr", "orderSetStatus", json!({ "to": "cancelled" }), "MissingReason").await;
    story.refused("csr", "orderSetStatus", json!({ "to": "lost" }), "Validation").await;
    story.refused("csr", "orderSetStatus", json!({ "to": "pending" }), "Validation").await;
    let not = [("provider", "NotPermitted"), ("consumer", "NotFound"), ("approver", "NotPermitted")];
    story.step("csr", "orderSetStatus", json!({ "to": "delivered" }), &not).await;
    let cancelled = json!({ "reason": "entered by mistake", "to": "cancelled" });
    story.step("staff", "orderSetStatus", cancelled, &not).await;
    story.step("csr", "orderSetStatus", json!({ "to": "pending" }), &not).await;
    let reason = json!({ "reason": "a test" });
    story.step("csr", "orderCancel", reason, &not).await;
    story.end("delivery_desk").await;
}
