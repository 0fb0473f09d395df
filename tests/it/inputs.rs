//! Provisioning inputs (001-12): handed in by staff, told once to the worker that claims, then nowhere any more.

use ordo::{keys::Keys, usecase};
use sea_orm::{ConnectionTrait, Database as Connection, Statement};
use serde_json::{Value, json};

use crate::{
    harness::{App, SECRET},
    items::{accept, lines, tell, webspaces},
};

/// What must never be found where it does not belong.
const MARKER: &str = "s3cret-of-the-marker";

/// Everything that the database holds, as text.
async fn whole(app: &App) -> String {
    let db = Connection::connect(&app.database_url).await.expect("a second connection");
    let backend = db.get_database_backend();
    let tables = match backend {
        sea_orm::DbBackend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
        _ => "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema()",
    };
    let found = db.query_all_raw(Statement::from_string(backend, tables)).await.expect("tables");
    let tables: Vec<String> = found.iter().map(|row| row.try_get("", "name").expect("a name")).collect();
    assert!(tables.iter().any(|table| table == "provisioning_inputs"), "{tables:?}");
    let mut text = String::new();
    for table in tables {
        let sql = match backend {
            sea_orm::DbBackend::Sqlite => {
                let columns = format!("SELECT name FROM pragma_table_info('{table}')");
                let found =
                    db.query_all_raw(Statement::from_string(backend, columns)).await.expect("columns");
                let names: Vec<String> =
                    found.iter().map(|row| row.try_get("", "name").expect("one")).collect();
                let each: Vec<_> = names.iter().map(|it| format!("quote(\"{it}\")")).collect();
                format!("SELECT {} AS line FROM \"{table}\"", each.join(" || ' ' || "))
            }
            _ => format!("SELECT CAST(t AS TEXT) AS line FROM \"{table}\" t"),
        };
        for row in db.query_all_raw(Statement::from_string(backend, sql)).await.expect("rows") {
            text += &row.try_get::<String>("", "line").expect("a line");
            text.push('\n');
        }
    }
    db.close().await.expect("closed");
    text
}

/// How many inputs lie sealed.
async fn sealed(app: &App) -> i64 {
    let db = Connection::connect(&app.database_url).await.expect("a second connection");
    let sql = "SELECT COUNT(*) AS n FROM provisioning_inputs";
    let row =
        db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.expect("a count");
    let count = row.expect("a row").try_get::<i64>("", "n").expect("a number");
    db.close().await.expect("closed");
    count
}

/// All that anybody can read of an order, whoever asks.
async fn all_answers(app: &App, order: &str) -> String {
    let query = "query($id: ID!) { order(by: { id: $id }) { id metadata customerNote status { code } \
        items { nodes { id name configuration status resource { name backendId } } } \
        attempts { nodes { id stage inputs error { message traceback } } } notes { body } \
        timeline { nodes { kind action reason } } availableActions { action } } }";
    let mut text = String::new();
    for (_, client) in app.roles() {
        text += &client.send(query, json!({ "id": order })).await.body.to_string();
    }
    text
}

/// The files that an SQLite database consists of, byte by byte.
fn files_hold(app: &App, marker: &str) -> bool {
    let Some(path) = app.database_url.strip_prefix("sqlite://").and_then(|url| url.split('?').next()) else {
        return false;
    };
    let files = ["", "-wal", "-shm"].iter().filter_map(|end| std::fs::read(format!("{path}{end}")).ok());
    files.into_iter().any(|bytes| bytes.windows(marker.len()).any(|window| window == marker.as_bytes()))
}

async fn claimed(app: &App, order: &str, key: &str) -> Value {
    let document = "mutation($input: AttemptClaimInput!) { attemptClaim(input: $input) { fence inputs replayed \
        attempt { id inputs itemId } errors { code } } }";
    let input = json!({ "order": order, "idempotencyKey": key });
    app.worker().data(document, json!({ "input": input })).await["attemptClaim"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_are_told_once_to_the_worker_that_claims_and_are_nowhere_else_before_or_after() {
    let app = App::start().await;
    let order = webspaces(&app, 2).await;
    let items = lines(&app, &order).await;
    let given = json!({ "server": "node-3", "password": MARKER });
    let more = json!({ "inputs": [{ "item": items[0], "inputs": given }], "idempotencyKey": "accepted" });
    assert_eq!(accept(&app.staff(), &order, more.clone()).await["errors"], json!([]));
    assert_eq!(accept(&app.staff(), &order, more).await["replayed"], true);
    assert_eq!(sealed(&app).await, 1);
    for text in [whole(&app).await, all_answers(&app, &order).await] {
        assert!(text.contains("SEALED") && !text.contains(MARKER));
    }
    assert!(!files_hold(&app, MARKER));
    let told = claimed(&app, &order, "once").await;
    assert_eq!((&told["inputs"], &told["attempt"]["inputs"]), (&given, &json!("READ")), "{told}");
    assert_eq!(told["attempt"]["itemId"], json!(items[0]));
    let again = claimed(&app, &order, "once").await;
    assert_eq!((&again["replayed"], &again["inputs"]), (&json!(true), &Value::Null));
    assert_eq!(
        again["attempt"], told["attempt"],
        "that they were told is said, so that nobody works without"
    );
    assert_eq!(sealed(&app).await, 0);
    for text in [whole(&app).await, all_answers(&app, &order).await] {
        assert!(text.contains("READ") && !text.contains(MARKER));
    }
    assert!(!files_hold(&app, MARKER));
    let other = claimed(&app, &order, "twice").await;
    assert_eq!((&other["inputs"], &other["attempt"]["inputs"]), (&Value::Null, &Value::Null), "it had none");
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_that_nobody_read_go_with_their_attempt() {
    let app = App::start().await;
    let given = |item: &str| json!({ "inputs": [{ "item": item, "inputs": { "password": MARKER } }] });
    for (way, action) in
        [("orderItemFailed", None), ("cancel", Some("cancel")), ("reset", Some("reset_to_pending"))]
    {
        let order = webspaces(&app, 1).await;
        let item = lines(&app, &order).await.remove(0);
        assert_eq!(accept(&app.staff(), &order, given(&item)).await["errors"], json!([]));
        assert_eq!(sealed(&app).await, 1, "{way}");
        match action {
            Some(action) => {
                app.act(&app.staff(), &order, action, json!({})).await;
            }
            None => {
                let error = json!({ "error": { "message": "full" } });
                tell(&app.staff(), way, &order, &item, error).await;
            }
        }
        assert_eq!(sealed(&app).await, 0, "{way}");
        assert!(all_answers(&app, &order).await.contains("DESTROYED"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_of_a_retry_reach_the_next_worker_and_what_is_no_object_or_too_large_reaches_nobody() {
    let app = App::start().await;
    let order = webspaces(&app, 1).await;
    let item = lines(&app, &order).await.remove(0);
    for (inputs, path) in [
        (json!([1, 2]), json!(["inputs", "0", "inputs"])),
        (json!({ "long": "x".repeat(16_400) }), json!(["inputs", "0", "inputs"])),
        (json!({ "nul": format!("{MARKER}\u{0}") }), json!(["inputs", "0", "inputs"])),
    ] {
        let more = json!({ "inputs": [{ "item": item, "inputs": inputs }] });
        let refused = accept(&app.staff(), &order, more).await;
        assert_eq!(
            (&refused["errors"][0]["code"], &refused["errors"][0]["path"]),
            (&json!("VALIDATION"), &path)
        );
        assert!(!refused.to_string().contains(MARKER));
    }
    accept(&app.staff(), &order, json!({})).await;
    let error = json!({ "error": { "message": "no such user" } });
    tell(&app.staff(), "orderItemFailed", &order, &item, error).await;
    let more = json!({ "inputs": { "user": "web7" } });
    assert_eq!(tell(&app.staff(), "orderItemRetry", &order, &item, more).await["errors"], json!([]));
    assert_eq!(claimed(&app, &order, "next").await["inputs"], json!({ "user": "web7" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_secret_reads_what_is_stored_once_it_knows_the_earlier_one() {
    let app = App::start().await;
    let order = webspaces(&app, 1).await;
    let item = lines(&app, &order).await.remove(0);
    let given = json!({ "inputs": [{ "item": item, "inputs": { "user": "web7" } }] });
    accept(&app.staff(), &order, given).await;
    let new = Keys::derive(b"another secret of the tests, as long as the first");
    let ignorant = ordo::app::App { keys: new.clone(), ..app.inner.clone() };
    let rotated = usecase::keys::rotate(&ignorant).await.expect("a rotation");
    assert_eq!((rotated.anew, rotated.unknown), (0, 1), "what cannot be opened is left as it is");
    let knowing = ordo::app::App { keys: new.clone().remembering([SECRET]), ..app.inner.clone() };
    let rotated = usecase::keys::rotate(&knowing).await.expect("a rotation");
    assert_eq!((rotated.anew, rotated.unknown), (1, 0));
    assert_eq!(usecase::keys::rotate(&knowing).await.expect("a rotation"), usecase::keys::Rotated::default());
    // The server of the old secret cannot read them any more, and loses nothing by trying.
    let document = "mutation($input: AttemptClaimInput!) { attemptClaim(input: $input) { inputs } }";
    let body = app.worker().send(document, json!({ "input": { "order": order } })).await.body;
    assert_eq!(body["errors"][0]["extensions"]["code"], "INTERNAL", "{body}");
    assert_eq!(sealed(&app).await, 1);
    assert!(whole(&app).await.contains(&format!("{}.", new.rest_id())));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_rotations_at_once_and_one_that_was_broken_off_seal_each_text_anew_exactly_once() {
    let app = App::start().await;
    let order = webspaces(&app, 200).await;
    let items = lines_of_many(&app, &order).await;
    let inputs: Vec<Value> =
        items.iter().map(|item| json!({ "item": item, "inputs": { "user": item } })).collect();
    assert_eq!(accept(&app.staff(), &order, json!({ "inputs": inputs })).await["errors"], json!([]));
    let keys = Keys::derive(b"another secret of the tests, as long as the first").remembering([SECRET]);
    let other = ordo::app::App { keys, ..app.inner.clone() };
    let broken_off = tokio::spawn({
        let other = other.clone();
        async move { usecase::keys::rotate(&other).await }
    });
    broken_off.abort();
    let (one, two) = tokio::join!(usecase::keys::rotate(&other), usecase::keys::rotate(&other));
    let (one, two) = (one.expect("a rotation"), two.expect("a rotation"));
    assert!(one.anew + two.anew <= 200 && one.unknown + two.unknown == 0, "{one:?} {two:?}");
    assert_eq!(usecase::keys::rotate(&other).await.expect("a rotation"), usecase::keys::Rotated::default());
    assert_eq!(sealed(&app).await, 200);
}

/// The lines of an order of two hundred.
async fn lines_of_many(app: &App, order: &str) -> Vec<String> {
    let query = "query($id: ID!) { order(by: { id: $id }) { first: items(first: 100) { nodes { id } } \
        last: items(last: 100) { nodes { id } } } }";
    let found = app.staff().data(query, json!({ "id": order })).await;
    let nodes =
        ["first", "last"].map(|page| found["order"][page]["nodes"].as_array().expect("lines").clone());
    nodes.concat().iter().map(|node| node["id"].as_str().expect("an id").to_owned()).collect()
}
