//! What the one who operates the server relies on: probes, metrics, the log, headers for browsers.

use std::{sync::Arc, time::Duration};

use ordo::{
    bus::Feed,
    config::Secret,
    http::{self, Settings, StartPage, auth::Auth},
};
use reqwest::{Method, header};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{
    cli::{ANY_PORT, LOG, Server, ordo, printed},
    harness::{App, Database, SECRET, Subscriber},
};

/// The same application at another address, operated in this way.
async fn operated(app: &App, settings: Settings) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let auth = Auth::with_secret(SECRET, "ordo", "ordo");
    let never = std::future::pending();
    tokio::spawn(http::serve(listener, app.inner.clone(), auth, settings, StartPage::default(), never));
    url
}

async fn get(url: String) -> (u16, Value) {
    let response = reqwest::get(url).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probes_tell_a_process_that_lives_from_one_that_can_work() {
    let app = App::start().await;
    assert_eq!(get(format!("{}/livez", app.url)).await, (200, json!({ "status": "alive" })));
    let mut checks = json!({ "database": "ok", "feed": "ok" });
    if Database::of_this_run() == Database::Postgres {
        app.until("the bell is heard", async || app.inner.feed.bell_is_well() == Some(true)).await;
        checks["bell"] = "ok".into();
    }
    assert_eq!(app.readiness().await, (200, json!({ "status": "ready", "checks": checks })));
    for path in ["livez", "readyz", "metrics"] {
        let head = reqwest::Client::new().head(format!("{}/{path}", app.url)).send().await.unwrap();
        assert_eq!(head.status().as_u16(), 200, "{path}");
        assert!(head.bytes().await.unwrap().is_empty(), "{path}");
    }
    app.inner.store.clone().close().await.unwrap();
    let (status, body) = get(format!("{}/readyz", app.url)).await;
    assert_eq!((status, &body["status"]), (503, &json!("unavailable")), "{body}");
    assert_eq!(body["checks"]["database"], "failing");
    assert_eq!(get(format!("{}/livez", app.url)).await, (200, json!({ "status": "alive" })));
    // The metrics are there all the same.
    let metrics = reqwest::get(format!("{}/metrics", app.url)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("\nordo_feed_lag_events NaN\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_nobody_runs_is_silent_and_falls_behind() {
    let app = App::start().await;
    // What founded the company has its positions.
    app.inner.feed.now().await;
    let feed = Arc::new(Feed::open(app.inner.store.clone()).await.unwrap());
    assert!(feed.was_read_within(Duration::from_secs(3_600)), "it has just begun");
    assert!(!feed.was_read_within(Duration::ZERO));
    app.place(&app.staff(), &app.company.webspace, 1).await;
    // The other feed gives the event its position, where the database does not.
    app.inner.feed.now().await;
    assert_eq!(feed.lag().await.unwrap(), 1);
    tokio::spawn(feed.clone().run());
    feed.now().await;
    assert_eq!(feed.lag().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_happens_and_name_nobody() {
    let app = App::start().await;
    let staff = app.staff();
    let mut live = staff.subscribe("subscription { orderEvents { kind } }", json!({})).await;
    assert_eq!(live.change().await["kind"], "STARTED");
    app.place(&staff, &app.company.webspace, 1).await;
    assert_eq!(live.change().await["kind"], "CREATED");
    staff.send("query TheirOwnName { viewer { expiresAt } }", json!({})).await;
    staff.send("{ nothing }", json!({})).await;
    let response = reqwest::get(format!("{}/metrics", app.url)).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    let text = response.text().await.unwrap();
    // Other tests of this process count as well.
    let value = |line: &str| -> f64 {
        let found = text.lines().find_map(|one| one.strip_prefix(line)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("{line} in\n{text}")).parse().unwrap()
    };
    for (line, least) in [
        ("ordo_http_requests_total{method=\"POST\",status=\"2xx\"}", 3.0),
        ("ordo_http_request_duration_seconds_count", 3.0),
        ("ordo_http_requests_open", 1.0),
        ("ordo_graphql_operations_total{type=\"query\",outcome=\"OK\"}", 1.0),
        ("ordo_graphql_operations_total{type=\"query\",outcome=\"BAD_USER_INPUT\"}", 1.0),
        ("ordo_graphql_operations_total{type=\"mutation\",outcome=\"OK\"}", 1.0),
        ("ordo_graphql_operation_duration_seconds_count{type=\"query\"}", 2.0),
        ("ordo_sockets_open", 1.0),
        ("ordo_subscriptions_open", 1.0),
        ("ordo_events_delivered_total", 2.0),
        ("ordo_feed_position", 1.0),
        ("ordo_feed_lag_events", 0.0),
        ("ordo_feed_wakes_total", 0.0),
        ("ordo_feed_polled_events_total", 0.0),
        ("ordo_feed_holes_total", 0.0),
        ("ordo_database_connections_open", 1.0),
        ("ordo_database_connections_idle", 0.0),
        ("process_start_time_seconds", 1.0),
        ("process_resident_memory_bytes", 1_000_000.0),
    ] {
        assert!(value(line) >= least, "{line} in\n{text}");
    }
    let user = app.company.staff.id.to_string();
    for name in ["TheirOwnName", user.as_str(), "127.0.0.1", "/graphql"] {
        assert!(!text.contains(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_this_machine_and_for_the_token_and_are_not_there_for_others() {
    let app = App::start().await;
    let token = "a token for the metrics".to_owned();
    let guarded =
        operated(&app, Settings { metrics_token: Some(Secret::new(token.clone())), ..Settings::default() })
            .await;
    let unknown = reqwest::get(format!("{guarded}/nothing")).await.unwrap().text().await.unwrap();
    let ask = |url: &str| reqwest::Client::new().get(format!("{url}/metrics"));
    let away = |url: &str| ask(url).header("x-forwarded-for", "127.0.0.1");
    let post = reqwest::Client::new().post(format!("{guarded}/metrics"));
    for (what, request, status) in [
        ("from here", ask(&guarded), 200),
        ("from elsewhere with the token", away(&guarded).bearer_auth(&token), 200),
        ("from elsewhere", away(&guarded), 404),
        ("by a proxy that says so", ask(&guarded).header("forwarded", "for=127.0.0.1"), 404),
        ("with another token", away(&guarded).bearer_auth("a token for the metricz"), 404),
        ("with a user's token", away(&guarded).bearer_auth(app.staff().token().unwrap()), 404),
        ("where no token is set", away(&app.url).bearer_auth(""), 404),
        ("with POST", post, 404),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{what}");
        assert_eq!(status == 404, response.text().await.unwrap() == unknown, "{what}: as an unknown path");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_tells_browsers_what_not_to_do_with_it() {
    let app = App::start().await;
    let strict = operated(&app, Settings { tls_only: true, ..Settings::default() }).await;
    let token = app.staff().token().unwrap().to_owned();
    // Whoever is there cannot be read any more: our fault.
    app.execute("ALTER TABLE memberships RENAME TO gone", []).await;
    let ask = |method: Method, path: &str| reqwest::Client::new().request(method, format!("{strict}{path}"));
    let query = json!({ "query": "{ viewer { expiresAt } }" });
    for (what, request, status) in [
        ("data", ask(Method::POST, "/graphql").json(&query), 200),
        ("a refusal", ask(Method::POST, "/graphql").body("x"), 415),
        ("a token of no use", ask(Method::POST, "/graphql").json(&query).bearer_auth("x"), 401),
        ("our fault", ask(Method::POST, "/graphql").json(&query).bearer_auth(&token), 500),
        ("the start page", ask(Method::GET, "/"), 200),
        ("nothing", ask(Method::GET, "/nothing"), 404),
        ("another method", ask(Method::DELETE, "/graphql"), 405),
        ("a probe", ask(Method::GET, "/readyz"), 200),
        ("the metrics", ask(Method::GET, "/metrics"), 200),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{what}");
        let said = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap());
        assert_eq!(said("x-content-type-options"), "nosniff", "{what}");
        assert_eq!(said("referrer-policy"), "no-referrer", "{what}");
        assert_eq!(said("cross-origin-resource-policy"), "same-origin", "{what}");
        assert_eq!(said("x-frame-options"), "DENY", "{what}");
        assert_eq!(said("cache-control"), "no-store", "{what}");
        assert_eq!(said("strict-transport-security"), "max-age=31536000", "{what}");
        let policy = said("content-security-policy");
        match what {
            "the start page" => assert!(policy.contains("style-src 'sha256-"), "{policy}"),
            _ => assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'", "{what}"),
        }
        assert_eq!(response.headers().get_all("content-security-policy").iter().count(), 1, "{what}");
    }
    let plain = reqwest::get(&app.url).await.unwrap();
    assert!(plain.headers().get("strict-transport-security").is_none(), "not without TLS");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_ours_is_called_as_its_request() {
    let app = App::start().await;
    let order = app.place(&app.staff(), &app.company.webspace, 1).await;
    app.execute("ALTER TABLE notes RENAME TO gone", []).await;
    let ask = |name: &str| {
        let query = format!("{{ order(by: {{ id: \"{order}\" }}) {{ notes {{ body }} }} }}");
        let request = reqwest::Client::new().post(format!("{}/graphql", app.url));
        let request = request.bearer_auth(app.staff().token().unwrap()).header("x-request-id", name);
        request.json(&json!({ "query": query })).send()
    };
    for (given, taken) in [("their.id-7_x", true), ("their id", false), (&*"x".repeat(65), false)] {
        let response = ask(given).await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(id == given, taken, "{given}: {id}");
        let body: Value = response.json().await.unwrap();
        let error = &body["errors"][0];
        assert_eq!(error["extensions"]["code"], "INTERNAL", "{body}");
        assert_eq!(error["extensions"]["incident"], *id, "{body}");
        assert!(error["message"].as_str().unwrap().contains(&id), "{body}");
    }
    // A socket's operations belong to the request that opened it.
    let mut socket = Subscriber::connect(&app.url, app.staff().token()).await;
    let mut incidents = Vec::new();
    for name in ["1", "2"] {
        let query = format!("{{ order(by: {{ id: \"{order}\" }}) {{ notes {{ body }} }} }}");
        socket.start(name, &query, json!({})).await;
        let said = socket.message().await;
        incidents.push(said["payload"]["errors"][0]["extensions"]["incident"].clone());
        assert_eq!(socket.message().await["type"], "complete");
    }
    assert!(incidents[0].is_string() && incidents[0] == incidents[1], "{incidents:?}");
    app.execute("ALTER TABLE memberships RENAME TO lost", []).await;
    let response = ask("before-a-field").await.unwrap();
    assert_eq!(response.status().as_u16(), 500);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["incident"], "before-a-field");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_one_line_of_the_log_without_anything_secret() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(ordo(folder.path(), &ANY_PORT), "curl ").await;
    let token = printed(ordo(folder.path(), &["token", "--as", "staff"])).await;
    let body = json!({
        "query": "query TheirName($a: [ID!]!) { nodes(ids: $a) { id } }",
        "variables": { "a": ["hidden-value"] },
    });
    let request = reqwest::Client::new().post(format!("{}/graphql?ticket=hidden-ticket", server.url));
    let request = request.json(&body).bearer_auth(token.trim()).header("x-request-id", "their-id");
    let request = request.header("x-other", "hidden-header");
    assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
    server.stop().await;
    let log = std::fs::read_to_string(folder.path().join(LOG)).unwrap();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("answered")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    for part in [
        "id=\"their-id\"",
        "method=\"POST\"",
        "path=\"/graphql\"",
        "status=200",
        "ms=",
        "operation=\"TheirName\"",
    ] {
        assert!(lines[0].contains(part), "{part}: {log}");
    }
    assert!(lines[0].contains("kind=\"query\"") && lines[0].contains("user=user_"), "{log}");
    for secret in ["hidden", token.trim(), "nodes"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}
