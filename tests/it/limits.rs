//! How much one may ask for, from outside: each limit alone, made small, and that it hits nobody else.

use std::{future::Future, time::Duration};

use ordo::http::{Limits, Proxies, Rate, Settings};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    access::socket,
    harness::{App, Client, Events, Subscriber},
    session::send,
};

const QUERY: &str = "{ settings { expiryEnabled } }";
const WATCH: &str = "subscription { orderEvents { kind } }";
/// Fifty orders with nothing in them.
const DEAR: &str = "{ orders(first: 50) { nodes { id } } }";

/// A server that is narrow in one respect. What is used up comes back in a minute, which no test waits for.
async fn narrow(limits: Limits) -> App {
    App::start_with(Settings { limits, ..Settings::default() }).await
}

/// So much at once, and one more in a minute.
fn few(burst: u32) -> Rate {
    Rate::new(1, burst)
}

fn requests(burst: u32) -> Limits {
    Limits { requests: few(burst), ..Limits::roomy() }
}

/// The query, from somebody with this token or without.
fn ask(app: &App, client: &Client) -> RequestBuilder {
    let request =
        reqwest::Client::new().post(format!("{}/graphql", app.url)).json(&json!({ "query": QUERY }));
    match client.token() {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

/// Checks that an answer refuses because of a limit, and says so in every way that clients look at.
async fn refused(response: Response, media: &str, what: &str) {
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["content-type"], media);
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    let body: Value = response.json().await.unwrap();
    assert!(body.get("data").is_none(), "{body}");
    let error = &body["errors"][0];
    assert_eq!(error["extensions"], json!({ "code": "RATE_LIMITED", "retryAfter": wait }), "{body}");
    assert!((1..=120).contains(&wait) && error["message"].as_str().unwrap().starts_with(what), "{body}");
}

/// The least of several counts is the work's own: the feed's reader polls now and then.
async fn fewest<T, F: Future<Output = T>>(app: &App, work: impl Fn() -> F) -> (u64, T) {
    let (mut least, mut done) = app.statements_of(work()).await;
    for _ in 0..2 {
        let (statements, again) = app.statements_of(work()).await;
        (least, done) = (least.min(statements), again);
    }
    (least, done)
}

/// Repeats until it is so: a place is free again as soon as the server has noticed.
async fn until<F: Future<Output = bool>>(so: impl Fn() -> F) {
    let repeated = async { while !so().await {} };
    timeout(Duration::from_secs(20), repeated).await.expect("it was to be so in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_too_often_is_told_when_to_come_back_and_nobody_else_is_refused() {
    let app = narrow(requests(3)).await;
    let staff = app.staff();
    for _ in 0..3 {
        assert_eq!(status(ask(&app, &staff)).await, 200);
    }
    let json = "application/json; charset=utf-8";
    let graphql = "application/graphql-response+json; charset=utf-8";
    for (accept, media) in [
        ("*/*", json),
        ("application/json", json),
        ("application/graphql-response+json", graphql),
        ("text/event-stream", graphql),
    ] {
        let request = || async { ask(&app, &staff).header("accept", accept).send().await.unwrap() };
        let (statements, response) = fewest(&app, request).await;
        assert_eq!(statements, 0, "nothing is read for them");
        refused(response, media, "requests: 1 asked for, 1 a minute and 3 at once allowed").await;
    }
    let link = reqwest::Client::new().get(format!("{}/graphql?query=%7Ba%7D", app.url));
    assert_eq!(status(link.bearer_auth(staff.token().unwrap())).await, 429);
    assert_eq!(socket(&app, staff.token(), None).await, "429");
    for client in [app.consumer(), app.anonymous()] {
        for allowed in [200, 200, 200, 429] {
            assert_eq!(status(ask(&app, &client)).await, allowed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guessed_tokens_count_on_the_address_and_not_on_people_there() {
    let app = narrow(requests(3)).await;
    for (number, allowed) in [401, 401, 401, 429].into_iter().enumerate() {
        assert_eq!(status(ask(&app, &app.anonymous()).bearer_auth(format!("guess{number}"))).await, allowed);
    }
    assert_eq!(status(ask(&app, &app.anonymous())).await, 429);
    assert_eq!(status(ask(&app, &app.staff())).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn cost_is_limited_and_an_operation_dearer_than_all_runs_when_nothing_was_used() {
    let app = narrow(Limits { cost: few(20), ..Limits::roomy() }).await;
    let (staff, admin) = (app.staff(), app.admin());
    staff.data(DEAR, json!({})).await;
    refused(ask(&app, &staff).send().await.unwrap(), "application/json; charset=utf-8", "cost: ").await;
    admin.data(QUERY, json!({})).await;
    let answer = admin.send(DEAR, json!({})).await;
    assert_eq!((answer.status, answer.codes()), (429, vec!["RATE_LIMITED"]), "{}", answer.body);
    // Nothing was taken for what was refused.
    admin.data(QUERY, json!({})).await;
    // Who accepts a stream is told in it.
    let mut stream = Events::open(ask(&app, &staff)).await;
    assert_eq!(stream.next().await.unwrap().data["errors"][0]["extensions"]["code"], "RATE_LIMITED");
    assert_eq!(stream.next().await.unwrap().kind, "complete");
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_of_a_socket_count_too_and_it_lives_on() {
    let app = narrow(requests(4)).await;
    // The upgrade has no token: it counts on the address.
    let mut live = app.staff().subscribe(WATCH, json!({})).await;
    assert_eq!(live.change().await["kind"], "STARTED");
    for id in ["2", "3", "4"] {
        live.start(id, QUERY, json!({})).await;
        live.next().await;
        assert_eq!(live.message().await["type"], "complete");
    }
    live.start("5", QUERY, json!({})).await;
    let refused = live.message().await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("5")), "{refused}");
    let extensions = &refused["payload"][0]["extensions"];
    assert_eq!(extensions["code"], "RATE_LIMITED", "{refused}");
    assert!((1..=60).contains(&extensions["retryAfter"].as_u64().unwrap()), "{refused}");
    assert_eq!(status(ask(&app, &app.staff())).await, 429, "a person has one bucket for all ways in");
    app.place(&app.consumer(), &app.company.instant, 1).await;
    assert_eq!(live.change().await["kind"], "CREATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_so_many_sockets_and_the_place_of_one_that_closes_is_free() {
    let app = narrow(Limits { sockets: 2, ..Limits::roomy() }).await;
    let staff = app.staff();
    let (first, _second) = (
        Subscriber::connect(&app.url, staff.token()).await,
        Subscriber::connect(&app.url, staff.token()).await,
    );
    let token = staff.token().unwrap().to_owned();
    assert_eq!(socket(&app, None, Some(json!({ "token": token }))).await, "4403");
    assert_eq!(socket(&app, Some(&token), None).await, "4403", "however it says who it is");
    assert_eq!(socket(&app, app.consumer().token(), None).await, "open");
    drop(first);
    until(async || socket(&app, Some(&token), None).await == "open").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_so_many_sockets_of_which_nobody_knows_whose_they_are() {
    let app = narrow(Limits { sockets_of_address: 2, ..Limits::roomy() }).await;
    let mut waiting = Subscriber::open(&app.url).await;
    let _silent = Subscriber::open(&app.url).await;
    let upgrade = |accept: &str| {
        let request = reqwest::Client::new().get(format!("{}/graphql", app.url)).header("accept", accept);
        let request = request.header("upgrade", "websocket").header("connection", "upgrade");
        request.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    let response = upgrade("application/json").send().await.unwrap();
    refused(response, "application/json; charset=utf-8", "sockets: 1 asked for, 2 open at once").await;
    assert_eq!(socket(&app, app.staff().token(), None).await, "429", "a header is no introduction yet");
    // Who is known has a place of one's own.
    waiting.introduce(app.staff().token()).await;
    assert_eq!(socket(&app, app.consumer().token(), None).await, "open");
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_of_a_person_count_together_over_sockets_and_streams() {
    let app = narrow(Limits { subscriptions: 2, ..Limits::roomy() }).await;
    let staff = app.staff();
    let watch = |client: &Client| ask(&app, client).json(&json!({ "query": WATCH }));
    let mut socket = staff.subscribe(WATCH, json!({})).await;
    assert_eq!(socket.change().await["kind"], "STARTED");
    let mut stream = Events::open(watch(&staff)).await;
    assert_eq!(stream.change().await.1["kind"], "STARTED");

    socket.start("2", WATCH, json!({})).await;
    let refused = socket.message().await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("2")), "{refused}");
    assert_eq!(refused["payload"][0]["extensions"], json!({ "code": "RATE_LIMITED", "retryAfter": 5 }));
    let mut third = Events::open(watch(&staff)).await;
    let event = third.next().await.unwrap();
    assert_eq!(event.data["errors"][0]["extensions"]["code"], "RATE_LIMITED", "{event:?}");
    assert_eq!(third.next().await.unwrap().kind, "complete");
    let mut other = Events::open(watch(&app.consumer())).await;
    assert_eq!(other.change().await.1["kind"], "STARTED", "somebody else has two of their own");
    // Queries are no subscriptions.
    socket.start("3", QUERY, json!({})).await;
    socket.next().await;
    assert_eq!(socket.message().await["type"], "complete");

    drop(stream);
    until(async || {
        let event = Events::open(watch(&staff)).await.next().await.unwrap();
        event.data.get("errors").is_none()
    })
    .await;
    socket.send(json!({ "id": "1", "type": "complete" })).await;
    let mut again = Events::open(watch(&staff)).await;
    assert_eq!(again.change().await.1["kind"], "STARTED");
}

/// An attempt to log in from an address that a proxy vouches for: status and body, the seconds left out.
async fn attempt(app: &App, from: &str, email: &str) -> (u16, String) {
    let query = "mutation($input: LoginInput!) { login(input: $input) { errors { code } } }";
    let input = json!({ "email": email, "password": "a wrong password" });
    let request = ask(app, &app.anonymous()).header("x-forwarded-for", from);
    let response = request.json(&json!({ "query": query, "variables": { "input": input } })).send().await;
    let response = response.unwrap();
    let (status, wait) = (response.status().as_u16(), response.headers().get("retry-after").cloned());
    let body = response.text().await.unwrap();
    let wait = wait.map_or_else(|| "none".to_owned(), |wait| wait.to_str().unwrap().to_owned());
    (status, body.replace(&wait, "N"))
}

#[tokio::test(flavor = "multi_thread")]
async fn log_in_attempts_are_limited_before_a_password_is_looked_at_whoever_is_meant() {
    let limits = Limits { logins_of_email: few(2), logins_of_address: few(5), ..Limits::roomy() };
    let proxies = Proxies::parse("127.0.0.1").unwrap();
    let app = App::start_with(Settings { limits, proxies, ..Settings::default() }).await;
    let mut refusals = Vec::new();
    for (place, email) in ["staff@example.test", "nobody@example.test"].into_iter().enumerate() {
        // From wherever: each attempt comes from another address.
        for nth in 0..2 {
            let (status, body) = attempt(&app, &format!("203.0.113.{}", 10 * place + nth), email).await;
            assert_eq!(status, 200);
            assert!(body.contains("INVALID_CREDENTIALS"), "{body}");
        }
        let from = format!("203.0.113.{}", 10 * place + 9);
        let spelt = format!(" {}", email.to_uppercase());
        for email in [email, &spelt] {
            let (statements, refused) = fewest(&app, || attempt(&app, &from, email)).await;
            assert_eq!(statements, 0, "nothing is read, and nothing hashed");
            refusals.push(refused);
        }
    }
    assert!(refusals[0].0 == 429 && refusals[0].1.contains("\"RATE_LIMITED\""), "{refusals:?}");
    assert!(refusals.iter().all(|refused| *refused == refusals[0]), "{refusals:#?}");

    for nth in 0..5 {
        assert_eq!(attempt(&app, "198.51.100.1", &format!("guess{nth}@example.test")).await.0, 200);
    }
    let guess = || attempt(&app, "198.51.100.1", "guess5@example.test");
    let (statements, (status, _)) = fewest(&app, guess).await;
    assert_eq!((status, statements), (429, 0));
    assert_eq!(
        attempt(&app, "198.51.100.2", "guess5@example.test").await.0,
        200,
        "elsewhere it was not tried"
    );
    // Whoever is in already is not kept from anything else.
    app.staff().data(QUERY, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_in_one_operation_are_as_many_attempts() {
    let app = narrow(Limits { logins_of_address: few(2), ..Limits::roomy() }).await;
    let login = |n: u32| {
        format!(
            "a{n}: login(input: {{ email: \"a{n}@b.test\", password: \"long enough\" }}) {{ errors {{ code }} }} "
        )
    };
    let query: String = (0..5).map(login).collect();
    let answer = app.anonymous().send(&format!("mutation {{ {query} }}"), json!({})).await;
    assert_eq!((answer.status, answer.codes()), (429, vec!["RATE_LIMITED"]), "{}", answer.body);
    assert_eq!(answer.body["errors"][0]["path"], json!(["a2"]), "the third was one too many");
    assert_eq!(
        send(&app.anonymous(), "login", json!({ "email": "a@b.test", "password": "x" })).await.status,
        429
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_trusted_proxy_is_believed_about_its_clients() {
    /// Header, value, and whether the two requests from there are used up.
    type Row = (&'static str, &'static str, u16);
    let behind: [Row; 11] = [
        ("x-forwarded-for", "203.0.113.1", 200),
        ("x-forwarded-for", "203.0.113.1", 200),
        ("x-forwarded-for", "203.0.113.1", 429),
        ("x-forwarded-for", "203.0.113.2", 200),
        ("forwarded", "for=203.0.113.1", 429),
        ("x-forwarded-for", "198.51.100.7, 203.0.113.1", 429),
        ("x-forwarded-for", "198.51.100.7", 200),
        ("forwarded", "for=\"[2001:db8::1]:4711\"", 200),
        ("x-forwarded-for", "2001:db8::2", 200),
        ("x-forwarded-for", "2001:db8:0:0:ffff::3", 429),
        ("x-real-ip", "203.0.113.9", 200),
    ];
    let direct: [Row; 3] = [
        ("x-forwarded-for", "203.0.113.1", 200),
        ("forwarded", "for=203.0.113.2", 200),
        ("x-forwarded-for", "203.0.113.3", 429),
    ];
    for (trusted, rows) in [("127.0.0.0/8", behind.as_slice()), ("", &direct), ("10.0.0.0/8", &direct)] {
        let proxies = Proxies::parse(trusted).unwrap();
        let app = App::start_with(Settings { limits: requests(2), proxies, ..Settings::default() }).await;
        for (header, value, allowed) in rows {
            let request = ask(&app, &app.anonymous()).header(*header, *value);
            assert_eq!(status(request).await, *allowed, "{header}: {value}, trusted: {trusted:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_has_the_address_that_is_believed() {
    for (trusted, told) in [("127.0.0.1", "203.0.113.7"), ("", "127.0.0.1")] {
        let proxies = Proxies::parse(trusted).unwrap();
        let settings = Settings { limits: Limits::roomy(), proxies, ..Settings::default() };
        let app = App::start_with(settings).await;
        let query =
            "mutation($input: OrderCreateInput!) { orderCreate(input: $input) { order { clientIp } } }";
        let input = json!({
            "customer": { "id": app.company.customer.to_string() },
            "lines": [{ "product": app.company.instant.id.to_string(), "quantity": 1 }],
        });
        let body = json!({ "query": query, "variables": { "input": input } });
        let request = ask(&app, &app.staff()).header("x-forwarded-for", "10.1.1.1, 203.0.113.7").json(&body);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["data"]["orderCreate"]["order"]["clientIp"], told, "{answer}");
    }
}
