//! Traces, as a collector receives them over HTTP.

use axum::{Router, body::Bytes, routing::post};
use ordo::telemetry::trace::Traces;
use serde_json::json;
use tokio::{net::TcpListener, sync::mpsc};
use tracing_subscriber::layer::SubscriberExt;

use crate::harness::App;

/// A collector: its address, and what it is sent.
async fn collector() -> (String, mpsc::UnboundedReceiver<Bytes>) {
    let (send, received) = mpsc::unbounded_channel();
    let take = async move |body: Bytes| {
        let _ = send.send(body);
    };
    let routes = Router::new().route("/v1/traces", post(take));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (address, received)
}

fn has(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

/// On one thread, so that the subscriber is this test's alone.
#[tokio::test]
async fn a_request_joins_the_trace_that_it_names_and_tells_the_collector_no_secret() {
    let (address, mut received) = collector().await;
    let traces = Traces::to(&address).unwrap();
    let _here = tracing::subscriber::set_default(tracing_subscriber::registry().with(traces.layer()));
    let app = App::start().await;
    let token = app.staff().token().unwrap().to_owned();
    let body = json!({
        "query": "query TheirName($a: String) { orders(first: 1, where: { externalReference: { eq: $a } }) { totalCount } }",
        "variables": { "a": "hidden-value" },
    });
    let request =
        reqwest::Client::new().post(format!("{}/graphql?ticket=hidden-ticket", app.url)).json(&body);
    let request = request.bearer_auth(&token).header("x-request-id", "their-id");
    let request = request.header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
    traces.flush().await;

    let mut all = Vec::new();
    while let Ok(batch) = received.try_recv() {
        all.extend_from_slice(&batch);
    }
    let trace =
        [0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c];
    let parent = [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31];
    assert!(has(&all, &trace), "the client's trace");
    assert!(has(&all, &parent), "below the client's span");
    let user = app.company.staff.id.to_string();
    for told in ["ordo", "request", "operation", "/graphql", "their-id", "TheirName", user.as_str()] {
        assert!(has(&all, told.as_bytes()), "{told}");
    }
    for secret in ["hidden-value", "hidden-ticket", token.as_str(), "externalReference"] {
        assert!(!has(&all, secret.as_bytes()), "{secret}");
    }
}

#[tokio::test]
async fn a_collector_that_is_not_there_disturbs_nobody() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let traces = Traces::to(&format!("http://{gone}")).unwrap();
    let _here = tracing::subscriber::set_default(tracing_subscriber::registry().with(traces.layer()));
    let app = App::start().await;
    let data = app.staff().data("{ settings { expiryEnabled } }", json!({})).await;
    assert_eq!(data, json!({ "settings": { "expiryEnabled": false } }));
    let began = std::time::Instant::now();
    traces.flush().await;
    assert!(began.elapsed().as_secs() < 3, "the end is not held up");
    for wrong in ["", "127.0.0.1:4318", "https://collector", "http://me:word@collector", "ftp://x"] {
        assert!(Traces::to(wrong).is_err(), "{wrong}");
    }
}
