//! The operator's settings: changed by administrators alone, heard of by every instance, and never without a trace.

use chrono::TimeDelta;
use ordo::store::event::{self, Subject};
use serde_json::{Value, json};

use crate::{harness::App, timers::switch};

const SAVE: &str = "mutation($input: SettingsSaveInput!) { settingsSave(input: $input) { \
    settings { expiryEnabled } errors { code message path } } }";
const HISTORY: &str = "query($first: Int, $after: String, $last: Int) { settings { \
    history(first: $first, after: $after, last: $last) { \
    nodes { at by { id } before { expiryEnabled } after { expiryEnabled } } pageInfo { hasNextPage endCursor } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_changed_by_administrators_alone_and_read_by_everybody() {
    let app = App::start().await;
    let input = json!({ "input": { "expiryEnabled": true } });
    for (role, client) in app.roles() {
        let answer = client.send(SAVE, input.clone()).await;
        let expected = match role {
            "anonymous" => vec!["UNAUTHENTICATED"],
            "admin" => Vec::new(),
            _ => vec!["FORBIDDEN"],
        };
        assert_eq!(answer.codes(), expected, "{role}");
    }
    let read = app.consumer().data("{ settings { expiryEnabled } }", json!({})).await;
    assert_eq!(read["settings"]["expiryEnabled"], true);
    let nothing = app.admin().data(SAVE, json!({ "input": {} })).await;
    assert_eq!(nothing["settingsSave"]["errors"][0]["code"], "VALIDATION");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changed_what_when_is_kept_and_told_to_administrators_alone() {
    let app = App::start().await;
    for on in [true, true, false, true] {
        switch(&app, on).await;
        app.world.advance(TimeDelta::minutes(1));
    }
    let read = app.admin().data(HISTORY, json!({ "first": 2 })).await;
    let page = &read["settings"]["history"];
    let by = json!({ "id": app.company.admin.id.to_string() });
    let change = |at: &str, after: bool| {
        let values = |on: bool| json!({ "expiryEnabled": on });
        json!({ "at": at, "by": by, "before": values(!after), "after": values(after) })
    };
    let newest = json!([change("2026-03-02T09:03:00.000Z", true), change("2026-03-02T09:02:00.000Z", false)]);
    assert_eq!(page["nodes"], newest, "what was the same already is no change");
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let first = json!([change("2026-03-02T09:00:00.000Z", true)]);
    let rest = app.admin().data(HISTORY, json!({ "first": 2, "after": page["pageInfo"]["endCursor"] })).await;
    assert_eq!(rest["settings"]["history"]["nodes"], first);
    let oldest = app.admin().data(HISTORY, json!({ "last": 1 })).await;
    assert_eq!(oldest["settings"]["history"]["nodes"], first);
    for (role, client) in app.roles().into_iter().filter(|(role, _)| !["admin", "anonymous"].contains(role)) {
        assert_eq!(
            client.data(HISTORY, json!({ "first": 2 })).await["settings"]["history"],
            Value::Null,
            "{role}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_instance_hears_of_changed_settings_and_no_stream_of_orders_does() {
    let app = App::start().await;
    let other = app.beside().await;
    let mut listener = other.inner.feed.listen(other.inner.feed.head());
    let mut stream = app.admin().subscribe("subscription { orderEvents { kind orderId } }", json!({})).await;
    assert_eq!(stream.change().await["kind"], "STARTED");
    switch(&app, true).await;
    // On PostgreSQL what was written before gets its place in the log only now.
    while !listener.next().await.expect("news").iter().any(|it| matches!(it.subject, Subject::Settings)) {}
    let order = app.place(&app.consumer(), &app.company.pallet, 1).await;
    assert_eq!(stream.change().await["orderId"], json!(order));
    app.inner.feed.now().await;
    let log = event::after(&app.inner.store, 0, 1_000).await.expect("the log");
    assert_eq!(log.iter().filter(|record| matches!(record.subject, Subject::Settings)).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_who_change_settings_at_once_take_turns() {
    let app = App::start().await;
    let admin = app.admin();
    let save = |on: bool| {
        let admin = &admin;
        async move { admin.data(SAVE, json!({ "input": { "expiryEnabled": on } })).await }
    };
    futures_util::future::join_all((0..8).map(|n| save(n % 2 == 0))).await;
    let read = app.admin().data(HISTORY, json!({ "first": 50 })).await;
    let changes = read["settings"]["history"]["nodes"].as_array().expect("changes").clone();
    assert!(!changes.is_empty());
    for pair in changes.windows(2) {
        assert_eq!(pair[0]["before"], pair[1]["after"], "each change begins where the last one ended");
    }
}
