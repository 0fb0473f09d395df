//! What a page of orders costs, what joins it to the stream, and which pages there cannot be.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_graphql::{Request, Variables};
use chrono::TimeDelta;
use ordo::{app::World, graphql::Session, http::auth::Auth, store::Store};
use serde_json::{Value, json};

use crate::harness::{App, SECRET};

/// Every field and connection of an order, for staff, who see all of them.
const EVERYTHING: &str = "id number type externalReference version workflowCode createdAt updatedAt \
    statusChangedAt placedAt completedAt expiresOn deletedAt isStalled tags clientIp customerNote \
    paymentMethod metadata status { code } pricing { total { amount } } contact { name } \
    shippingAddress { city } billingAddress { city } availableActions { action } error { __typename } \
    customer { id name } provider { id name } createdBy { id name } csr { id name } \
    deliveryAgent { id name } invoice { id } payments { id } refunds { id } notes { id } \
    items(first: 2) { nodes { id product { id name provider { id } } resource { id } } } \
    attempts(first: 2) { nodes { id } } timeline(first: 2) { nodes { id actor { id name } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_hundred_orders_takes_as_many_statements_as_a_page_of_three() {
    let app = App::start().await;
    app.crowd(5, 130).await;
    let quiet = Quiet::beside(&app).await;
    let query = |selection: &str| {
        format!("query($n: Int, $after: String) {{ orders(first: $n, after: $after) {{ {selection} }} }}")
    };
    let whole = query(&format!("nodes {{ {EVERYTHING} }} pageInfo {{ endCursor }}"));
    let (hundred, page) = quiet.read(&whole, 100, &Value::Null).await;
    assert_eq!(page["nodes"].as_array().map(Vec::len), Some(100));
    // What no order of a page has is not looked for: the small page that has all of it counts.
    let (mut three, mut cursor) = (0, Value::Null);
    for _ in 0..33 {
        let (statements, page) = quiet.read(&whole, 3, &cursor).await;
        three = three.max(statements);
        cursor = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(hundred, three);
    assert!(hundred <= 20, "{hundred} statements");
    let cost = async |selection: &str| quiet.read(&query(selection), 10, &Value::Null).await.0;
    let slim = cost("nodes { id }").await;
    let info = "nodes { id } pageInfo { hasNextPage hasPreviousPage } eventsCursor";
    assert_eq!(slim, cost(info).await, "page info costs nothing");
    assert_eq!(slim + 1, cost("nodes { id } totalCount").await, "a count costs one");
}

/// A second server on the same database that has no feed, whose reads of the log would be counted too.
struct Quiet {
    schema: ordo::graphql::Schema,
    session: Session,
    statements: Arc<AtomicU64>,
}

impl Quiet {
    async fn beside(app: &App) -> Quiet {
        let statements = Arc::new(AtomicU64::new(0));
        let mut store = Store::open(&app.database_url, 4).await.expect("the store opens");
        store.count_statements(statements.clone());
        let inner = ordo::app::App::start(store, SECRET, app.world.clone()).await.expect("a server");
        let actor = ordo::usecase::session::actor(
            &inner,
            &ordo::usecase::session::Credentials::of(app.company.staff.id, None),
        )
        .await
        .expect("an actor");
        let session = Session::new(
            actor,
            ordo::usecase::session::Credentials::of(app.company.staff.id, None),
            app.world.now() + TimeDelta::hours(1),
        );
        Quiet {
            schema: ordo::graphql::schema(inner, Arc::new(Auth::with_secret(SECRET, "ordo", "ordo"))),
            session,
            statements,
        }
    }

    /// A page, and what it cost.
    async fn read(&self, query: &str, first: usize, after: &Value) -> (u64, Value) {
        let before = self.statements.load(Ordering::SeqCst);
        let variables = Variables::from_json(json!({ "n": first, "after": after }));
        let request = Request::new(query).variables(variables).data(self.session.clone());
        let response = self.schema.execute(request).await;
        assert!(response.errors.is_empty(), "{:?}", response.errors);
        let data = response.data.into_json().expect("JSON");
        (self.statements.load(Ordering::SeqCst) - before, data["orders"].clone())
    }
}

const STREAM: &str = "subscription($after: String) { orderEvents(after: $after) { kind orderId } }";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_between_list_and_subscription_arrives() {
    let app = App::start().await;
    let earlier = app.place(&app.consumer(), &app.company.server, 1).await;
    let list = "query { orders { eventsCursor nodes { id } } }";
    // The list may be ahead of the feed: then the stream tells of its order again, which is no gap.
    let read = app.consumer().data(list, json!({})).await["orders"].clone();
    assert_eq!(read["nodes"], json!([{ "id": earlier }]));
    let later = app.place(&app.consumer(), &app.company.server, 1).await;
    app.act(&app.consumer(), &earlier, "submit", json!({})).await;
    let mut live = app.consumer().subscribe(STREAM, json!({ "after": read["eventsCursor"] })).await;
    assert_eq!(live.change().await["kind"], "STARTED");
    let mut told = Vec::new();
    while told.last() != Some(&("STATUS_CHANGED".to_owned(), earlier.clone())) {
        let change = live.change().await;
        let text = |field: &str| change[field].as_str().expect("text").to_owned();
        told.push((text("kind"), text("orderId")));
    }
    assert!(told.contains(&("CREATED".to_owned(), later)), "{told:?}");
}

const PAGE: &str = "query($where: OrderWhereInput, $orderBy: OrderOrder, $first: Int, $after: String, \
    $last: Int, $before: String) { orders(where: $where, orderBy: $orderBy, first: $first, after: $after, \
    last: $last, before: $before) { nodes { id } \
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_cannot_be_is_refused_by_the_argument_at_fault() {
    let app = App::start().await;
    app.crowd(6, 4).await;
    let staff = app.staff();
    let cursor = staff.data(PAGE, json!({})).await["orders"]["pageInfo"]["endCursor"].clone();
    let by_total = json!({ "field": "TOTAL", "direction": "ASC" });
    for (variables, path) in [
        (json!({ "first": 0 }), "first"),
        (json!({ "first": 101 }), "first"),
        (json!({ "last": -1 }), "last"),
        (json!({ "first": 1, "last": 1 }), "last"),
        (json!({ "after": "nonsense" }), "after"),
        (json!({ "before": "" }), "before"),
        (json!({ "orderBy": by_total }), "where.currency"),
        (json!({ "orderBy": by_total, "where": { "currency": "EUR" }, "after": cursor }), "after"),
        (json!({ "where": { "customer": { "in": ["order_7"] } } }), "where.customer"),
        (json!({ "where": { "csr": { "in": vec![app.company.csr.id.to_string(); 51] } } }), "where.csr"),
    ] {
        let answer = staff.send(PAGE, variables.clone()).await;
        assert_eq!(answer.codes(), ["BAD_USER_INPUT"], "{variables}: {:#}", answer.body);
        let told = answer.body["errors"][0]["extensions"].to_string();
        assert!(told.contains(path), "{variables}: {told}");
    }
}
