//! What the endpoint says to requests that are no operations, and the form of its answers.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::App;

/// A request that the endpoint does not carry out: what it is, the request, HTTP status, words of the message.
struct Bad {
    what: &'static str,
    request: reqwest::RequestBuilder,
    status: u16,
    says: &'static str,
}

fn bad(what: &'static str, request: reqwest::RequestBuilder, status: u16, says: &'static str) -> Bad {
    Bad { what, request, status, says }
}

/// A POST with a JSON body, as staff.
fn post(app: &App, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
    let request = reqwest::Client::new().post(format!("{}/graphql", app.url));
    request.bearer_auth(app.staff().token().unwrap()).header("content-type", "application/json").body(body)
}

/// A GET with a query string, as staff.
fn get(app: &App, query: &str) -> reqwest::RequestBuilder {
    let request = reqwest::Client::new().get(format!("{}/graphql?{query}", app.url));
    request.bearer_auth(app.staff().token().unwrap())
}

/// `{ settings { serverVersion } }`, for a URL.
const SETTINGS: &str = "query=%7B%20settings%20%7B%20serverVersion%20%7D%20%7D";
const PLAIN: &str = r#"{"query": "{ settings { serverVersion } }"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_operation_is_refused_in_json_with_a_code_and_a_sentence() {
    let app = App::start().await;
    let untyped = reqwest::Client::new().post(format!("{}/graphql", app.url)).body(PLAIN);
    let form =
        reqwest::Client::new().post(format!("{}/graphql", app.url)).header("content-type", "text/plain");
    let long = format!("{{\"query\": \"{{ a }}\", \"variables\": {{\"a\": \"{}\"}}}}", "x".repeat(1 << 20));
    let deep = format!("{{\"query\": \"{{a}}\", \"variables\": {}", "{\"a\":".repeat(5_000));
    let mutation =
        "query=mutation%20%7B%20orderSubmit(input%3A%7Border%3A%22a%22%7D)%20%7B%20replayed%20%7D%20%7D";
    let subscription = "query=subscription%20%7B%20orderEvents%20%7B%20kind%20%7D%20%7D";
    #[rustfmt::skip]
    let rows = [
        bad("no content type", untyped, 415, "Content-Type"),
        bad("a form, as a foreign page can send it", form.body(PLAIN), 415, "Content-Type"),
        bad("a batch", post(&app, format!("[{PLAIN}]")), 400, "batches are not supported"),
        bad("no body", post(&app, ""), 400, "the body is empty"),
        bad("JSON that is cut off", post(&app, r#"{"query": "{ a"#), 400, "cannot be read as JSON"),
        bad("no JSON", post(&app, "query=a"), 400, "must be a JSON object"),
        bad("bytes that are no text", post(&app, vec![b'{', 0xff, 0xfe]), 400, "not UTF-8"),
        bad("half a surrogate", post(&app, r#"{"query": "\ud800"}"#), 400, "hex escape"),
        bad("a number too large for JSON", post(&app, r#"{"query":"{a}","variables":{"a":1e999}}"#), 400, "number"),
        bad("no query", post(&app, "{}"), 400, "`query` is missing"),
        bad("a blank query", post(&app, r#"{"query": " "}"#), 400, "`query` is missing"),
        bad("a query that is a number", post(&app, r#"{"query": 7}"#), 400, "`query`"),
        bad("variables that are a list", post(&app, r#"{"query":"{a}","variables":[]}"#), 400, "`variables`"),
        bad("variables nested too deep", post(&app, deep), 400, "recursion limit"),
        bad("more than a megabyte", post(&app, long), 413, "larger than 1 MiB"),
        bad("a mutation with GET", get(&app, mutation), 405, "only queries"),
        bad("a subscription with GET", get(&app, subscription), 405, "only queries"),
        bad("GET without a query", get(&app, ""), 400, "`query` is missing"),
        bad("GET with broken variables", get(&app, &format!("{SETTINGS}&variables=%7B")), 400, "`variables`"),
        bad("GET with two queries", get(&app, &format!("{SETTINGS}&{SETTINGS}")), 400, "twice"),
        bad("an upgrade to something else", get(&app, SETTINGS).header("upgrade", "h2c"), 400, "pgrade"),
    ];
    for Bad { what, request, status, says } in rows {
        let response = request.send().await.expect(what);
        assert_eq!(response.status().as_u16(), status, "{what}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json; charset=utf-8", "{what}");
        let body: Value = response.json().await.expect(what);
        let error = &body["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{what}: {body}");
        assert!(error["message"].as_str().is_some_and(|said| said.contains(says)), "{what}: {body}");
        assert!(body.get("data").is_none(), "{what}: {body}");
    }
    let refused = get(&app, mutation).send().await.unwrap();
    assert_eq!(refused.headers()[header::ALLOW], "POST");
}

/// Without a length that is announced the server has to count.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_chunks_is_read_up_to_a_megabyte() {
    let app = App::start().await;
    let address = app.url.trim_start_matches("http://");
    let token = app.staff().token().unwrap().to_owned();
    for (count, status) in [(15, "HTTP/1.1 200 "), (17, "HTTP/1.1 413 ")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
             {:x}\r\n{PLAIN}\r\n",
            PLAIN.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(1 << 16));
        for _ in 0..count {
            stream.write_all(chunk.as_bytes()).await.unwrap();
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
        let mut answer = [0; 13];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(std::str::from_utf8(&answer), Ok(status), "{count} chunks of 64 KiB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_works_with_post_and_get_in_either_media_type() {
    let app = App::start().await;
    let named = "query=query%20A(%24n%3AInt)%7Borders(first%3A%24n)%7BtotalCount%7D%7D%20query%20B%7Bsettings%7BexpiryEnabled%7D%7D";
    #[rustfmt::skip]
    let answers = [
        (post(&app, PLAIN), json!({ "settings": { "serverVersion": env!("CARGO_PKG_VERSION") } })),
        (get(&app, SETTINGS), json!({ "settings": { "serverVersion": env!("CARGO_PKG_VERSION") } })),
        (get(&app, &format!("{named}&operationName=A&variables=%7B%22n%22%3A1%7D")), json!({ "orders": { "totalCount": 0 } })),
        (get(&app, &format!("{named}&operationName=B")), json!({ "settings": { "expiryEnabled": false } })),
    ];
    for (request, data) in answers {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(response.json::<Value>().await.unwrap(), json!({ "data": data }));
    }
    let typed = post(&app, PLAIN).header("accept", "application/graphql-response+json").send().await.unwrap();
    assert_eq!(typed.headers()[header::CONTENT_TYPE], "application/graphql-response+json; charset=utf-8");
    let charset = reqwest::Client::new().post(format!("{}/graphql", app.url));
    let charset = charset.header("content-type", "Application/JSON; charset=utf-8").body(PLAIN);
    assert_eq!(charset.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_cannot_begin_has_no_data_and_one_that_fails_has() {
    let app = App::start().await;
    for query in
        ["{ orders {", "{ nothing }", "query A { viewer { expiresAt } } query B { viewer { expiresAt } }"]
    {
        let answer = app.staff().send(query, json!({})).await;
        assert_eq!(answer.status, 200, "{query}");
        assert!(answer.body.get("data").is_none(), "{query}: {}", answer.body);
        assert_eq!(answer.codes(), ["BAD_USER_INPUT"], "{query}");
    }
    let answer = app.staff().send("{ order(by: { id: \"x\" }) { id } }", json!({})).await;
    assert_eq!(answer.body["data"], json!({ "order": null }));
    assert_eq!(answer.body["errors"][0]["path"], json!(["order"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_names_its_request() {
    let app = App::start().await;
    let client = reqwest::Client::new();
    let mut ids = Vec::new();
    for (method, path, status) in [
        (Method::GET, "/", 200),
        (Method::GET, "/readyz", 200),
        (Method::GET, "/nothing", 404),
        (Method::POST, "/graphql/", 404),
        (Method::POST, "/readyz", 405),
        (Method::DELETE, "/graphql", 405),
        (Method::POST, "/graphql", 415),
    ] {
        let response = client.request(method.clone(), format!("{}{path}", app.url)).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} {path}");
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(id.len(), 16, "{method} {path}");
        ids.push(id);
        if status == 404 {
            let body: Value = response.json().await.unwrap();
            assert_eq!(body["errors"][0]["extensions"]["code"], "NOT_FOUND", "{path}");
        }
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 7, "each has its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_page_loads_nothing_from_elsewhere_and_shows_no_token_by_itself() {
    let app = App::start().await;
    let response = reqwest::get(&app.url).await.unwrap();
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let page = response.text().await.unwrap();
    for text in ["src=", "@import", "<script", "<link", "Tokens of the demo", "eyJ"] {
        assert!(!page.contains(text), "{text}");
    }
    let text = page.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    for shown in [ordo::http::QUERY, ordo::http::MUTATION, ordo::http::SUBSCRIPTION] {
        assert!(text.contains(shown), "{shown}");
    }
    let ready: Value = reqwest::get(format!("{}/readyz", app.url)).await.unwrap().json().await.unwrap();
    assert_eq!((&ready["status"], &ready["checks"]["feed"]), (&json!("ready"), &json!("ok")), "{ready}");
}
