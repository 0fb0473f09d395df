//! GraphQL over server-sent events: a stream per connection, resumed as browsers do it.

use serde_json::{Value, json};

use crate::harness::{App, Client, Event, Events};

const WATCH: &str = "subscription($after: String) { orderEvents(after: $after) { kind cursor orderId } }";

fn post(app: &App, client: &Client, body: &Value) -> reqwest::RequestBuilder {
    let request = reqwest::Client::new().post(format!("{}/graphql", app.url)).json(body);
    match client.token() {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

fn watching(variables: Value) -> Value {
    json!({ "query": WATCH, "variables": variables })
}

/// The next order that was placed; what else happens is passed over.
async fn created(stream: &mut Events) -> Value {
    loop {
        let (_, change) = stream.change().await;
        if change["kind"] == "CREATED" {
            return change;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_pushes_each_change_with_its_cursor_and_goes_on_behind_it() {
    let app = App::start().await;
    let staff = app.staff();
    let mut stream = Events::open(post(&app, &staff, &watching(json!({})))).await;
    let (first, start) = stream.change().await;
    assert_eq!((start["kind"].as_str(), first.as_deref()), (Some("STARTED"), start["cursor"].as_str()));
    let order = app.place(&app.consumer(), &app.company.instant, 1).await;
    let created = created(&mut stream).await;
    assert_eq!(created["orderId"], json!(order));
    drop(stream);

    let second = app.place(&app.consumer(), &app.company.instant, 1).await;
    // What the browser says beats what the page has written into its query.
    let resumed = post(&app, &staff, &watching(json!({ "after": created["cursor"] })));
    let mut stream = Events::open(resumed.header("last-event-id", first.unwrap())).await;
    assert_eq!(self::created(&mut stream).await["orderId"], json!(order));
    assert_eq!(self::created(&mut stream).await["orderId"], json!(second));

    let mut stream = Events::open(post(&app, &staff, &watching(json!({ "after": created["cursor"] })))).await;
    assert_eq!(self::created(&mut stream).await["orderId"], json!(second));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_begin_is_told_inside_the_stream_and_ends_it() {
    let app = App::start().await;
    for (query, code) in [
        ("subscription {", "BAD_USER_INPUT"),
        ("subscription { nothing }", "BAD_USER_INPUT"),
        ("subscription { orderEvents(after: \"x\") { kind } }", "CURSOR_INVALID"),
        (&format!("subscription {{ orderEvents {{ {} }} }}", "k: kind ".repeat(101)), "TOO_COMPLEX"),
    ] {
        let mut stream = Events::open(post(&app, &app.staff(), &json!({ "query": query }))).await;
        let Event { kind, data, .. } = stream.next().await.unwrap();
        assert_eq!(
            (kind.as_str(), &data["errors"][0]["extensions"]["code"]),
            ("next", &json!(code)),
            "{query}"
        );
        assert_eq!(stream.next().await.map(|event| event.kind).as_deref(), Some("complete"), "{query}");
        assert_eq!(stream.next().await, None, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_is_a_stream_of_one_and_nobody_watches_without_a_token() {
    let app = App::start().await;
    let query = json!({ "query": "{ settings { expiryEnabled } }" });
    let mut stream = Events::open(post(&app, &app.staff(), &query)).await;
    assert_eq!(stream.change().await.1, json!({ "expiryEnabled": false }));
    assert_eq!(stream.next().await.map(|event| event.kind).as_deref(), Some("complete"));

    let mut stream = Events::open(post(&app, &app.anonymous(), &watching(json!({})))).await;
    let refused = stream.next().await.unwrap();
    assert_eq!(refused.data["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    // Nothing is complete: a client that comes back with a token gets its stream.
    assert_eq!(stream.next().await, None);

    let garbage = post(&app, &app.anonymous(), &watching(json!({}))).bearer_auth("garbage");
    let garbage = garbage.header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(garbage.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_can_be_opened_with_get_and_a_mutation_cannot() {
    let app = App::start().await;
    let get = |query: &str| {
        let query: String =
            form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
        reqwest::Client::new()
            .get(format!("{}/graphql?{query}", app.url))
            .bearer_auth(app.staff().token().unwrap())
    };
    let mut stream = Events::open(get("subscription { orderEvents { kind cursor } }")).await;
    assert_eq!(stream.change().await.1["kind"], "STARTED");
    let mutation = "mutation { orderSubmit(input: { order: \"a\" }) { replayed } }";
    let refused = get(mutation).header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(refused.status(), 405);
}

const TICKET: &str = "mutation($input: StreamTicketInput!) { streamTicket(input: $input) { url expiresAt } }";

async fn ticket(app: &App, client: &Client, input: Value) -> String {
    let data = client.data(TICKET, json!({ "input": input })).await;
    format!("{}{}", app.url, data["streamTicket"]["url"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_opens_its_stream_for_its_person_as_often_as_it_is_used() {
    let app = App::start().await;
    let query = "subscription A($where: OrderWhereInput) { orderEvents(where: $where) { kind cursor orderId } } \
        subscription B { orderEvents { kind } }";
    let input = json!({ "query": query, "operationName": "A", "variables": { "where": {} } });
    let url = ticket(&app, &app.consumer(), input).await;
    let mut stream = Events::open(reqwest::Client::new().get(&url)).await;
    let (started, _) = stream.change().await;
    let foreign = json!({ "customer": { "id": app.company.other_customer.to_string() },
        "lines": [{ "product": app.company.instant.id.to_string() }] });
    app.place_input(&app.staff(), foreign).await;
    let own = app.place(&app.consumer(), &app.company.instant, 1).await;
    assert_eq!(created(&mut stream).await["orderId"], json!(own), "another's order is not in it");
    drop(stream);
    let again = reqwest::Client::new().get(&url).header("last-event-id", started.unwrap());
    assert_eq!(created(&mut Events::open(again).await).await["orderId"], json!(own));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_opens_nothing_is_refused_and_none_changes_anything() {
    let app = App::start().await;
    let url = ticket(&app, &app.staff(), json!({ "query": "subscription { orderEvents { kind } }" })).await;
    let get = async |url: &str| {
        let request = reqwest::Client::new().get(url).header("accept", "text/event-stream");
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(get(&url[..url.len() - 1]).await, 401);
    assert_eq!(get(&format!("{}/graphql?ticket=", app.url)).await, 401);
    let mutation = "mutation { orderSubmit(input: { order: \"a\" }) { replayed } }";
    assert_eq!(get(&ticket(&app, &app.staff(), json!({ "query": mutation })).await).await, 405);
    app.world.advance(chrono::TimeDelta::hours(9));
    assert_eq!(get(&url).await, 401, "its token has expired");
    let large = json!({ "input": { "query": "x".repeat(5_000) } });
    assert_eq!(app.staff().send(TICKET, large).await.codes(), ["BAD_USER_INPUT"]);
    let nobody = json!({ "input": { "query": "{ __typename }" } });
    assert_eq!(app.anonymous().send(TICKET, nobody).await.codes(), ["UNAUTHENTICATED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_ends_its_streams_and_does_not_call_them_complete() {
    let app = App::start().await;
    let mut stream = Events::open(post(&app, &app.staff(), &watching(json!({})))).await;
    assert_eq!(stream.change().await.1["kind"], "STARTED");
    app.stop();
    assert_eq!(stream.next().await, None);
}
