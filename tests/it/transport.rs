//! GraphQL over HTTP, as its specification and its clients want it: media types, methods, persisted and
//! trusted documents, other origins, compression, who may read the schema, and how long things may take.

use std::time::Duration;

use ordo::{
    config::Introspection,
    http::{Settings, Trusted},
};
use reqwest::{Method, RequestBuilder, Response, header};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{App, Client, Database};

const QUERY: &str = "{ settings { expiryEnabled } }";

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_gzip().no_brotli().build().unwrap()
}

fn post(app: &App, body: &Value) -> RequestBuilder {
    http().post(format!("{}/graphql", app.url)).bearer_auth(app.staff().token().unwrap()).json(body)
}

fn query(app: &App, text: &str) -> RequestBuilder {
    post(app, &json!({ "query": text }))
}

async fn body(response: Response) -> Value {
    response.json().await.expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_what_the_client_accepts() {
    let app = App::start().await;
    let graphql = "application/graphql-response+json; charset=utf-8";
    let json = "application/json; charset=utf-8";
    for (accept, kind) in [
        ("application/graphql-response+json", graphql),
        ("application/json", json),
        ("*/*", json),
        ("APPLICATION/GraphQL-Response+JSON;charset=UTF-8, application/json;q=0.9", graphql),
        ("application/json;q=0.2, application/graphql-response+json;q=0.8", graphql),
        ("application/*;q=0.5, text/html", json),
    ] {
        let response = query(&app, QUERY).header("accept", accept).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &kind.parse().unwrap())
        );
        assert!(
            response.headers()[header::VARY].to_str().unwrap().to_lowercase().contains("accept"),
            "{accept}"
        );
        assert_eq!(body(response).await["data"], json!({ "settings": { "expiryEnabled": false } }));
    }
    let refused = query(&app, QUERY).header("accept", "text/html").send().await.unwrap();
    assert_eq!(refused.status(), 406);
    assert_eq!(body(refused).await["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_cannot_begin_is_400_only_for_those_who_know_the_newer_type() {
    let app = App::start().await;
    let bodies = [
        json!({ "query": "{" }),
        json!({ "query": "{ nothing }" }),
        json!({ "query": "query($id: ID!) { node(id: $id) { id } }" }),
        json!({ "query": "query($id: ID!) { node(id: $id) { id } }", "variables": { "id": null } }),
        json!({ "query": QUERY, "operationName": "Other" }),
        json!({ "query": "query A { settings { expiryEnabled } } query B { settings { expiryEnabled } }" }),
    ];
    for sent in &bodies {
        for (accept, status) in [("application/graphql-response+json", 400), ("application/json", 200)] {
            let response = post(&app, sent).header("accept", accept).send().await.unwrap();
            assert_eq!(response.status(), status, "{sent} {accept}");
            let answer = body(response).await;
            assert!(answer.get("data").is_none() && answer["errors"][0]["message"].is_string(), "{answer}");
        }
    }
    let partial = query(&app, "{ order(by: { id: \"x\" }) { id } }");
    let partial = partial.header("accept", "application/graphql-response+json").send().await.unwrap();
    assert_eq!(partial.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_and_bodies_of_other_kinds_are_refused_with_the_way_out() {
    let app = App::start().await;
    let url = format!("{}/graphql", app.url);
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let response = http().request(method, &url).json(&json!({ "query": QUERY })).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["allow"]),
            (405, &"GET, HEAD, POST".parse().unwrap())
        );
        assert_eq!(body(response).await["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    }
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=latin1",
    ] {
        let response =
            http().post(&url).header("content-type", kind).body(json!({ "query": QUERY }).to_string());
        assert_eq!(response.send().await.unwrap().status(), 415, "{kind}");
    }
    let compressed =
        http().post(&url).header("content-type", "application/json").header("content-encoding", "gzip");
    let response = compressed.body("x").send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["accept-encoding"]),
        (415, &"identity".parse().unwrap())
    );
    let head = http().head(format!("{url}?query=%7B__typename%7D")).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.text().await.unwrap().as_str()), (200, ""));
    let streamed = query(&app, "subscription { orderEvents { kind } }").send().await.unwrap();
    assert_eq!(streamed.status(), 406);
    assert!(body(streamed).await["errors"][0]["message"].as_str().unwrap().contains("text/event-stream"));
}

fn persisted(text: &str) -> Value {
    let hash: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_sent_once_and_named_by_its_hash_from_then_on() {
    let app = App::start().await;
    let hash_only = json!({ "extensions": persisted(QUERY) });
    let unknown = body(post(&app, &hash_only).send().await.unwrap()).await;
    assert_eq!(unknown["errors"][0]["message"], "PersistedQueryNotFound");
    assert_eq!(unknown["errors"][0]["extensions"]["code"], "PERSISTED_QUERY_NOT_FOUND");
    let wrong = json!({ "query": "{ __typename }", "extensions": persisted(QUERY) });
    let wrong = body(post(&app, &wrong).send().await.unwrap()).await;
    assert_eq!(wrong["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    let both = json!({ "query": QUERY, "extensions": persisted(QUERY) });
    for sent in [&both, &hash_only, &hash_only] {
        let answer = body(post(&app, sent).send().await.unwrap()).await;
        assert_eq!(answer["data"]["settings"]["expiryEnabled"], false, "{answer}");
    }
    let mut url = reqwest::Url::parse(&format!("{}/graphql", app.url)).unwrap();
    url.query_pairs_mut().append_pair("extensions", &persisted(QUERY).to_string());
    let answer = http().get(url).bearer_auth(app.staff().token().unwrap());
    let answer = body(answer.send().await.unwrap()).await;
    assert_eq!(answer["data"]["settings"]["expiryEnabled"], false, "{answer}");
    let mut socket = app.staff().subscribe(QUERY, json!({})).await;
    socket.message().await;
    assert_eq!(socket.message().await["type"], "complete");
    socket.send(json!({ "id": "2", "type": "subscribe", "payload": hash_only })).await;
    assert_eq!(socket.next().await["settings"]["expiryEnabled"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_strict_mode_nothing_but_trusted_documents_runs() {
    let manifest = json!({ "settings": QUERY }).to_string();
    let trusted = Trusted::parse(&manifest).unwrap();
    let app = App::start_with(Settings { trusted, only_trusted: true, ..Settings::default() }).await;
    for sent in [
        json!({ "documentId": "settings" }),
        json!({ "query": QUERY }),
        json!({ "extensions": persisted(QUERY) }),
    ] {
        let answer = body(post(&app, &sent).send().await.unwrap()).await;
        assert_eq!(answer["data"]["settings"]["expiryEnabled"], false, "{sent}: {answer}");
    }
    for (sent, code) in [
        (json!({ "documentId": "other" }), "DOCUMENT_NOT_FOUND"),
        (json!({ "query": "{ settings { serverVersion } }" }), "DOCUMENT_NOT_TRUSTED"),
        (
            json!({ "query": "{ __typename }", "extensions": persisted("{ __typename }") }),
            "DOCUMENT_NOT_TRUSTED",
        ),
        (json!({ "documentId": "settings", "query": "{ __typename }" }), "BAD_USER_INPUT"),
    ] {
        let answer = body(post(&app, &sent).send().await.unwrap()).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{sent}: {answer}");
    }
    let mut socket = crate::harness::Subscriber::connect(&app.url, app.staff().token()).await;
    socket.start("1", "{ __typename }", json!({})).await;
    assert_eq!(socket.message().await["payload"][0]["extensions"]["code"], "DOCUMENT_NOT_TRUSTED");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_pages_of_named_origins_may_call() {
    let cors_origins = vec!["https://shop.example.com".to_owned()];
    let app = App::start_with(Settings { cors_origins, ..Settings::default() }).await;
    for (origin, allowed) in [
        ("https://shop.example.com", true),
        ("https://shop.example.com.evil.example", false),
        ("http://shop.example.com", false),
        ("null", false),
    ] {
        let preflight = http()
            .request(Method::OPTIONS, format!("{}/graphql", app.url))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type");
        let preflight = preflight.send().await.unwrap();
        let named = preflight.headers().get("access-control-allow-origin");
        assert_eq!(named.is_some_and(|named| named == origin), allowed, "{origin}");
        let response = query(&app, QUERY).header("origin", origin).send().await.unwrap();
        let headers = response.headers();
        assert_eq!(headers.get("access-control-allow-origin").is_some(), allowed, "{origin}");
        assert!(headers.get("access-control-allow-credentials").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_answers_are_compressed_for_those_who_ask() {
    let app = App::start().await;
    let types = "{ __schema { types { name description fields { name description } } } }";
    let plain = query(&app, types).send().await.unwrap();
    assert!(plain.headers().get("content-encoding").is_none());
    let length = plain.bytes().await.unwrap().len();
    for coding in ["gzip", "br"] {
        let response = query(&app, types).header("accept-encoding", coding).send().await.unwrap();
        assert_eq!(response.headers()["content-encoding"], coding);
        assert!(response.bytes().await.unwrap().len() < length / 3, "{coding} of {length}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_read_by_those_who_may() {
    let schema = "{ a: __typename ...f } fragment f on Query { __schema { queryType { name } } }";
    for (introspection, expected) in [
        (Introspection::Everybody, [true, true, true]),
        (Introspection::Members, [false, true, true]),
        (Introspection::Staff, [false, false, true]),
        (Introspection::Nobody, [false, false, false]),
    ] {
        let app = App::start_with(Settings { introspection, ..Settings::default() }).await;
        let clients: [Client; 3] = [app.anonymous(), app.consumer(), app.support()];
        for (client, may) in clients.iter().zip(expected) {
            let answer = client.send(schema, json!({})).await;
            let codes = answer.codes();
            assert_eq!(codes.is_empty(), may, "{introspection:?} {:?}", answer.body);
            assert!(may || codes == ["FORBIDDEN"], "{codes:?}");
            assert_eq!(client.data("{ __typename }", json!({})).await, json!({ "__typename": "Query" }));
        }
    }
}

/// A lock that somebody else holds is the one thing that makes an operation slow for as long as one likes.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_has_so_much_time_and_a_mutation_is_not_cut_in_the_middle() {
    let operation_time = Duration::from_millis(500);
    let app = App::start_with(Settings { operation_time, ..Settings::default() }).await;
    let order = app.place(&app.consumer(), &app.company.instant, 1).await;
    let held = app.second_connection().await;
    held.execute_unprepared(match Database::of_this_run() {
        Database::Sqlite => "BEGIN IMMEDIATE",
        Database::Postgres => "BEGIN; LOCK TABLE notes, orders IN ACCESS EXCLUSIVE MODE",
    })
    .await
    .unwrap();
    let note = "mutation($order: ID!) { orderAddNote(input: { order: $order, body: \"late\" }) { errors { code } } }";
    let answer = app.staff().send(note, json!({ "order": order })).await;
    assert_eq!((answer.status, answer.codes()), (503, vec!["TIMEOUT"]), "{}", answer.body);
    if Database::of_this_run() == Database::Postgres {
        let answer = app.staff().send("{ orders { nodes { id } } }", json!({})).await;
        assert_eq!((answer.status, answer.codes()), (503, vec!["TIMEOUT"]), "{}", answer.body);
    }
    let mut stream = app.staff().subscribe("subscription { orderEvents { kind } }", json!({})).await;
    assert_eq!(stream.change().await["kind"], "STARTED");
    held.execute_unprepared("ROLLBACK").await.unwrap();
    held.close().await.unwrap();
    assert_eq!(stream.change().await["kind"], "NOTE", "what was begun is done");
}
