//! Bad input to changes of an order that exists.

use domain::id::{OrderId, PaymentId, UserId};
use serde_json::{Value, json};

use super::{nobody, none_wrong, wrong};
use crate::harness::{App, Client};

/// What is wrong, by whom it is sent, which mutation, what is sent besides the order, code and place.
type Row<'a> = (&'a str, &'a Client, &'a str, Value, &'a str, &'a str);

/// Sends every row and compares; the order must be as it was in every column, and nothing else written.
async fn refused(app: &App, order: &str, rows: Vec<Row<'_>>) {
    let (before, counts) = (app.rows(order).await, app.counts().await);
    let mut faults = Vec::new();
    for (what, client, mutation, extra, code, place) in rows {
        let mut input = json!({ "order": order });
        input.as_object_mut().unwrap().extend(extra.as_object().expect("an object").clone());
        let kind = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
        let query = format!(
            "mutation($input: {kind}!) {{ {mutation}(input: $input) {{ replayed order {{ id }} \
             errors {{ __typename code message path }} }} }}"
        );
        let answer = client.send(&query, json!({ "input": input })).await;
        faults.extend(wrong(what, &answer, code, place));
        assert_eq!(app.rows(order).await, before, "{what}: nothing changes");
    }
    none_wrong(faults);
    assert_eq!(app.counts().await, counts, "nothing is written");
}

const TRANSITION: &str = "orderTransition";

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_action_order_version_or_line_changes_nothing() {
    let app = App::start().await;
    let (staff, consumer, stranger, provider) = (app.staff(), app.consumer(), app.stranger(), app.provider());
    let order = app.place(&consumer, &app.company.webspace, 1).await;
    let other = app.place(&consumer, &app.company.webspace, 1).await;
    let query = "query($id: ID!) { order(by: { id: $id }) { items { nodes { id } } } }";
    let data = staff.data(query, json!({ "id": other })).await;
    let foreign = data["order"]["items"]["nodes"][0]["id"].clone();
    let act = |action: &str| json!({ "action": action });
    let named = |id: &str| json!({ "action": "accept", "order": id });
    let long = format!("order_{}", "z".repeat(11_000));
    let version = |version: Value| json!({ "action": "accept", "expectedVersion": version });
    let items = |ids: Value| json!({ "action": "accept", "items": ids });
    let cancel = |items: Value| json!({ "action": "cancel", "items": items });
    let number = |number: &str| json!({ "action": "cancel", "number": number });
    let error = json!({ "action": "accept", "error": { "message": "no" } });
    let reason = json!({ "action": "accept", "reason": "x".repeat(2_001) });
    let (bad, illegal, conflict) = ("BAD_USER_INPUT", "ILLEGAL_TRANSITION", "VERSION_CONFLICT");
    #[rustfmt::skip]
    let rows: Vec<Row<'_>> = vec![
        ("an action that no workflow has", &staff, TRANSITION, act("fly"), illegal, ""),
        ("an action of another workflow", &staff, TRANSITION, act("dispatch"), illegal, ""),
        ("an empty action", &staff, TRANSITION, act(""), illegal, ""),
        ("an action longer than 10 kB", &staff, TRANSITION, act(&"a".repeat(11_000)), illegal, ""),
        ("an action with NUL", &staff, TRANSITION, act("acc\u{0}ept"), illegal, ""),
        ("an action in capitals", &staff, TRANSITION, act("ACCEPT"), illegal, ""),
        ("an action that is missing", &staff, TRANSITION, json!({}), bad, "action"),
        ("somebody else's action", &consumer, TRANSITION, act("accept"), "NOT_PERMITTED", ""),
        ("an action of the named mutations", &consumer, "orderAccept", json!({}), "NOT_PERMITTED", ""),
        ("no id", &staff, TRANSITION, named("nonsense"), bad, "input.order"),
        ("an empty id", &staff, TRANSITION, named(""), bad, "input.order"),
        ("an id longer than 10 kB", &staff, TRANSITION, named(&long), bad, "input.order"),
        ("an id of another kind", &staff, TRANSITION, named(&nobody::<UserId>()), bad, "input.order"),
        ("an order that is not there", &staff, TRANSITION, named(&nobody::<OrderId>()), "NOT_FOUND", ""),
        ("an order of somebody else", &stranger, TRANSITION, act("accept"), "NOT_FOUND", ""),
        ("an older version", &staff, TRANSITION, version(json!(-1)), conflict, ""),
        ("a version to come", &staff, TRANSITION, version(json!(i32::MAX)), conflict, ""),
        ("a version beyond an Int", &staff, TRANSITION, version(json!(1_u64 << 40)), bad, "Int"),
        ("a version in words", &staff, TRANSITION, version(json!("latest")), bad, "Int"),
        ("an old version and no right", &consumer, "orderAccept", json!({ "expectedVersion": 9 }), conflict, ""),
        ("a line's id that is no id", &staff, TRANSITION, items(json!(["item_1"])), bad, "input.items"),
        ("a line of another order", &staff, TRANSITION, items(json!([foreign])), "NOT_FOUND", "items"),
        ("an empty list of lines", &staff, TRANSITION, items(json!([])), "VALIDATION", "items"),
        ("lines where the action takes none", &staff, TRANSITION, cancel(json!([foreign])), "VALIDATION", "items"),
        ("a number that is none", &staff, TRANSITION, number("12"), bad, "input.number"),
        ("an error where none is taken", &staff, TRANSITION, error, "VALIDATION", "error"),
        ("a reason too long", &staff, TRANSITION, reason, "VALIDATION", "reason"),
        ("an empty reason for fraud", &staff, "orderMarkFraud", json!({ "reason": "" }), "MISSING_REASON", "reason"),
        ("a blank reason for fraud", &staff, "orderMarkFraud", json!({ "reason": " \n " }), "MISSING_REASON", "reason"),
        ("a reason with NUL", &staff, "orderMarkFraud", json!({ "reason": "a\u{0}" }), "VALIDATION", "reason"),
        ("no body for a note", &staff, "orderAddNote", json!({ "body": "  " }), "VALIDATION", "body"),
        ("a note too long", &staff, "orderAddNote", json!({ "body": "x".repeat(5_001) }), "VALIDATION", "body"),
        ("a note with escapes", &staff, "orderAddNote", json!({ "body": "\u{1b}[2J" }), "VALIDATION", "body"),
        ("a note for nobody", &staff, "orderAddNote", json!({ "body": "a", "audience": "WORLD" }), bad, "NoteAudience"),
        ("a note to staff from the provider", &provider, "orderAddNote", json!({ "body": "a" }), "NOT_PERMITTED", ""),
        ("a key with NUL", &staff, "orderAccept", json!({ "idempotencyKey": "\u{0}a" }), "VALIDATION", "idempotencyKey"),
    ];
    refused(&app, &order, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_money_changes_nothing() {
    let app = App::start().await;
    let (staff, consumer) = (app.staff(), app.consumer());
    let order = app.place(&consumer, &app.company.server, 1).await;
    app.act(&consumer, &order, "submit", json!({})).await;
    let query = "mutation($input: OrderRecordPaymentInput!) { orderRecordPayment(input: $input) \
        { order { payments { id } } errors { code message } } }";
    let amount = |amount: Value, currency: &str| json!({ "amount": amount, "currency": currency });
    let paid = |amount: Value| json!({ "amount": amount, "method": "TRANSFER" });
    let ten = json!({ "order": order, "amount": amount(json!("10.00"), "EUR"), "method": "TRANSFER" });
    let data = staff.data(query, json!({ "input": ten })).await;
    let payment = data["orderRecordPayment"]["order"]["payments"][0]["id"].clone();
    let ours =
        |sum: &str| json!({ "amount": amount(json!(sum), "EUR"), "reason": "too much", "payment": payment });
    let refund =
        |sum: &str, currency: &str| json!({ "amount": amount(json!(sum), currency), "reason": "too much" });
    let of = |payment: &str| json!({ "payment": payment, "reason": "too much" });
    let long = json!({ "amount": amount(json!("1"), "EUR"), "method": "CASH", "reference": "x".repeat(201) });
    let (pay, back) = ("orderRecordPayment", "orderRefund");
    let (bad, validation) = ("BAD_USER_INPUT", "VALIDATION");
    #[rustfmt::skip]
    let rows: Vec<Row<'_>> = vec![
        ("a payment in another currency", &staff, pay, paid(amount(json!("1.00"), "USD")), validation, "amount.currency"),
        ("a payment of nothing", &staff, pay, paid(amount(json!("0"), "EUR")), validation, "amount.amount"),
        ("a payment below zero", &staff, pay, paid(amount(json!("-1"), "EUR")), validation, "amount.amount"),
        ("a payment with three decimals", &staff, pay, paid(amount(json!("0.001"), "EUR")), validation, "amount.amount"),
        ("yens with decimals", &staff, pay, paid(amount(json!("0.5"), "JPY")), validation, "amount.amount"),
        ("more money than there is", &staff, pay, paid(amount(json!("10000000000000.01"), "EUR")), validation, "amount.amount"),
        ("more than can be added", &staff, pay, paid(amount(json!("10000000000000.00"), "EUR")), validation, "amount.amount"),
        ("a payment of 41 digits", &staff, pay, paid(amount(json!("1".repeat(41)), "EUR")), bad, "Decimal"),
        ("a payment in other digits", &staff, pay, paid(amount(json!("１０"), "EUR")), bad, "Decimal"),
        ("a payment by cheque", &staff, pay, json!({ "amount": amount(json!("1"), "EUR"), "method": "CHEQUE" }), bad, "PaymentMethod"),
        ("a reference too long", &staff, pay, long, validation, "reference"),
        ("a payment from the customer", &consumer, pay, paid(amount(json!("1"), "EUR")), "NOT_PERMITTED", ""),
        ("a refund above what is paid", &staff, back, refund("10.01", "EUR"), validation, "amount"),
        ("a refund above one payment", &staff, back, ours("10.01"), validation, "amount"),
        ("a refund of nothing", &staff, back, refund("0.00", "EUR"), validation, "amount.amount"),
        ("a refund below zero", &staff, back, refund("-0.01", "EUR"), validation, "amount.amount"),
        ("a refund in another currency", &staff, back, refund("1", "USD"), validation, "amount.currency"),
        ("a refund with three decimals", &staff, back, refund("0.001", "EUR"), validation, "amount.amount"),
        ("a refund without a reason", &staff, back, json!({ "reason": "" }), "MISSING_REASON", "reason"),
        ("a refund of no payment", &staff, back, of("payment_"), bad, "input.payment"),
        ("a refund of another payment", &staff, back, of(&nobody::<PaymentId>()), "NOT_FOUND", "payment"),
        ("a refund from the customer", &consumer, back, refund("1", "EUR"), "NOT_PERMITTED", ""),
        ("a cancellation that keeps the money", &staff, "orderCancel", json!({ "reason": "no" }), "GUARD_FAILED", ""),
    ];
    refused(&app, &order, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_assignment_free_move_or_failure_changes_nothing() {
    let app = App::start().await;
    let (staff, consumer, worker) = (app.staff(), app.consumer(), app.worker());
    let parcel = app.place(&staff, &app.company.parcel, 1).await;
    let c = &app.company;
    let csr = |id: &str| json!({ "csr": id });
    let agent = |id: &str| json!({ "agent": id });
    let to = |to: Value| json!({ "to": to });
    let (bad, validation, set) = ("BAD_USER_INPUT", "VALIDATION", "orderSetStatus");
    let (stranger, delivers, serves) =
        (c.stranger.id.to_string(), c.agent.id.to_string(), c.csr.id.to_string());
    #[rustfmt::skip]
    let rows: Vec<Row<'_>> = vec![
        ("a representative without an account", &staff, "orderAssignCsr", csr(&nobody::<UserId>()), validation, "csr"),
        ("a stranger as representative", &staff, "orderAssignCsr", csr(&stranger), validation, "csr"),
        ("an agent as representative", &staff, "orderAssignCsr", csr(&delivers), validation, "csr"),
        ("a representative's id that is no id", &staff, "orderAssignCsr", csr("anna"), bad, "input.csr"),
        ("nobody in place of nobody", &staff, "orderAssignCsr", json!({ "csr": null }), validation, "csr"),
        ("an assignment by the customer", &consumer, "orderAssignCsr", csr(&serves), "NOT_FOUND", ""),
        ("an agent without an account", &staff, "orderAssignAgent", agent(&nobody::<UserId>()), validation, "agent"),
        ("a stranger as agent", &staff, "orderAssignAgent", agent(&stranger), validation, "agent"),
        ("a representative as agent", &staff, "orderAssignAgent", agent(&serves), validation, "agent"),
        ("an organisation as agent", &staff, "orderAssignAgent", agent(&c.customer.to_string()), bad, "input.agent"),
        ("a move to no status", &staff, set, to(json!("")), validation, "to"),
        ("a move to an unknown status", &staff, set, to(json!("lost")), validation, "to"),
        ("a move to another workflow's status", &staff, set, to(json!("shipped")), validation, "to"),
        ("a move to where it is", &staff, set, to(json!("pending")), validation, "to"),
        ("a move to a status with NUL", &staff, set, to(json!("deliv\u{0}ered")), validation, "to"),
        ("a move without a status", &staff, set, json!({}), bad, "to"),
        ("a move to failed without a reason", &staff, set, to(json!("failed")), "MISSING_REASON", "reason"),
    ];
    refused(&app, &parcel, rows).await;

    let server = app.place(&staff, &app.company.server, 1).await;
    #[rustfmt::skip]
    let rows: Vec<Row<'_>> = vec![
        ("a free move where none is", &staff, set, to(json!("fulfilled")), "ILLEGAL_TRANSITION", ""),
    ];
    refused(&app, &server, rows).await;
    app.act(&staff, &server, "submit", json!({})).await;
    app.act(&staff, &server, "confirm_payment", json!({})).await;
    app.act(&worker, &server, "validate", json!({})).await;
    let failed = |error: Value| json!({ "error": error });
    let (message, traceback) = ("error.message", "error.traceback");
    #[rustfmt::skip]
    let rows: Vec<Row<'_>> = vec![
        ("a failure that says nothing", &worker, "orderFail", json!({}), validation, "error"),
        ("a failure with a blank message", &worker, "orderFail", failed(json!({ "message": " " })), validation, message),
        ("a failure with NUL", &worker, "orderFail", failed(json!({ "message": "a\u{0}b" })), validation, message),
        ("a message too long", &worker, "orderFail", failed(json!({ "message": "x".repeat(5_001) })), validation, message),
        ("a traceback too long", &worker, "orderFail", failed(json!({ "message": "a", "traceback": "x".repeat(50_001) })), validation, traceback),
        ("a category that is not there", &worker, "orderFail", failed(json!({ "message": "a", "category": "GREMLINS" })), bad, "ErrorCategory"),
    ];
    refused(&app, &server, rows).await;
}
