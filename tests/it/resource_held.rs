//! One open order per resource (002-21): in the rules, in the database, and at once.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{App, Client, Wanted};

const CREATE: &str = "mutation($input: OrderCreateInput!) { orderCreate(input: $input) { order { id } \
    errors { __typename code message path ... on ResourceBusy { order { id } } } } }";

/// The input of an order that ends a resource of the customer, which is in use.
pub async fn terminate(app: &App) -> Value {
    let order = app.stand(&[Wanted::new(&app.company.server, "fulfilled")]).await.remove(0);
    let query = "query($id: ID!) { order(by: { id: $id }) { items { nodes { resource { id } } } } }";
    let found = app.staff().data(query, json!({ "id": order })).await;
    let resource = found["order"]["items"]["nodes"][0]["resource"]["id"].clone();
    let line = json!({ "product": app.company.server.id.to_string(), "resource": resource });
    json!({ "customer": { "id": app.company.customer.to_string() }, "type": "TERMINATE", "lines": [line] })
}

async fn create(client: &Client, input: &Value) -> Value {
    client.data(CREATE, json!({ "input": input })).await["orderCreate"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_an_unfinished_order_works_on_is_refused_naming_that_order_to_who_may_see_it() {
    let app = App::start().await;
    let input = terminate(&app).await;
    let first = app.place_input(&app.approver(), input.clone()).await;
    let mut update = input.clone();
    update["type"] = json!("UPDATE");
    for wanted in [&input, &update] {
        let refused = create(&app.approver(), wanted).await;
        let error = &refused["errors"][0];
        assert_eq!(
            (&error["code"], &error["path"]),
            (&json!("RESOURCE_BUSY"), &json!(["lines", "0", "resource"]))
        );
        assert_eq!(error["order"]["id"], json!(first));
        // Made by somebody else of the same customer: it is busy all the same, and with what is not told.
        let refused = create(&app.consumer(), wanted).await;
        assert_eq!(
            (&refused["errors"][0]["code"], &refused["errors"][0]["order"]),
            (&json!("RESOURCE_BUSY"), &Value::Null)
        );
        assert!(!refused.to_string().contains(&first));
    }
    app.act(&app.approver(), &first, "cancel", json!({})).await;
    assert_eq!(create(&app.consumer(), &update).await["errors"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_orders_for_one_resource_at_once_exactly_one_is_placed() {
    let app = App::start().await;
    let input = terminate(&app).await;
    let beside = app.beside().await;
    let tries = (0..12).map(|i| {
        let client = if i % 2 == 0 { app.staff() } else { beside.approver() };
        let mut input = input.clone();
        input["type"] = json!(if i % 3 == 0 { "UPDATE" } else { "TERMINATE" });
        tokio::spawn(async move { create(&client, &input).await })
    });
    let answers = join_all(tries.collect::<Vec<_>>()).await;
    let codes: Vec<Value> =
        answers.into_iter().map(|answer| answer.expect("an answer")["errors"][0]["code"].clone()).collect();
    assert_eq!(codes.iter().filter(|code| code.is_null()).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == "RESOURCE_BUSY").count(), 11, "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_itself_refuses_a_second_line_that_holds_a_resource() {
    use sea_orm::{ConnectionTrait, Database, Statement};
    let app = App::start().await;
    let input = terminate(&app).await;
    app.place_input(&app.approver(), input).await;
    let db = Database::connect(&app.database_url).await.expect("a second connection");
    let sql = "UPDATE order_items SET holds = TRUE WHERE resource_id IS NOT NULL";
    let refused = db
        .execute_raw(Statement::from_string(db.get_database_backend(), sql))
        .await
        .expect_err("two hold it");
    let broken = refused.sql_err();
    assert!(matches!(broken, Some(sea_orm::SqlErr::UniqueConstraintViolation(_))), "{broken:?}");
    db.close().await.expect("closed");
}

/// The ids of the resources that somebody sees.
async fn seen(client: &Client, conditions: Value) -> Vec<Value> {
    let query = "query($where: ResourceWhereInput) { resources(where: $where, first: 100) { nodes { id } } }";
    let found = client.data(query, json!({ "where": conditions })).await;
    let nodes = found["resources"]["nodes"].as_array().expect("nodes").clone();
    nodes.into_iter().map(|node| node["id"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_tells_its_history_to_those_who_see_an_order_about_it_and_is_not_there_for_others() {
    let app = App::start().await;
    let input = terminate(&app).await;
    let resource = input["lines"][0]["resource"].clone();
    let later = app.place_input(&app.approver(), input).await;
    let foreign = json!({
        "customer": { "id": app.company.other_customer.to_string() },
        "lines": [{ "product": app.company.rival_server.id.to_string() }],
    });
    app.place_input(&app.stranger(), foreign).await;
    let node = "query($id: ID!) { node(id: $id) { id ... on Resource { state history { nodes { order { id type \
        attempts { nodes { outcome } } } } } } } }";
    for (role, client) in app.roles().into_iter().filter(|(role, _)| *role != "anonymous") {
        let orders: &[&str] = match role {
            "stranger" | "rival" => &[],
            // Who made the first, or delivers it, sees the first alone.
            "consumer" | "agent" => &["CREATE"],
            _ => &["CREATE", "TERMINATE"],
        };
        let found = client.data(node, json!({ "id": resource })).await["node"].clone();
        let listed = seen(&client, json!(null)).await.contains(&resource);
        assert_eq!((listed, found.is_null()), (!orders.is_empty(), orders.is_empty()), "{role} {found}");
        let told = found["history"]["nodes"].as_array().cloned().unwrap_or_default();
        let told: Vec<Value> = told.into_iter().map(|piece| piece["order"].clone()).collect();
        let types: Vec<_> = told.iter().filter_map(|order| order["type"].as_str()).collect();
        assert_eq!(types, orders, "{role}");
        if role == "provider" {
            assert_eq!(told[0]["attempts"]["nodes"], json!([{ "outcome": "SUCCEEDED" }]));
            assert_eq!((&told[1]["id"], &found["state"]), (&json!(later), &json!("OK")));
        }
    }
    for (conditions, there) in [
        (json!({ "state": { "in": ["OK"] } }), true),
        (json!({ "state": { "in": ["ERRED"] } }), false),
        (json!({ "state": { "in": [] } }), false),
        (json!({ "product": { "in": [app.company.server.id.to_string()] } }), true),
        (json!({ "product": { "in": [] } }), false),
        (json!({ "customer": { "in": [app.company.other_customer.to_string()] } }), false),
    ] {
        assert_eq!(seen(&app.staff(), conditions.clone()).await.contains(&resource), there, "{conditions}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_histories_of_a_page_cost_no_statement_for_each_resource() {
    let app = App::start().await;
    let query =
        "{ resources(first: 100) { nodes { id state history(first: 5) { nodes { order { id } } } } } }";
    // The feed reads the log beside it now and then: the least of a few is what the query costs.
    let cost = async |resources: usize| {
        let mut least = u64::MAX;
        for _ in 0..5 {
            let (statements, found) = app.statements_of(app.staff().data(query, json!({}))).await;
            assert_eq!(found["resources"]["nodes"].as_array().map(Vec::len), Some(resources));
            least = least.min(statements);
        }
        least
    };
    app.stand(&[Wanted::new(&app.company.server, "fulfilled")]).await;
    let one = cost(1).await;
    app.stand(&vec![Wanted::new(&app.company.server, "fulfilled"); 30]).await;
    assert_eq!(one, cost(31).await);
}
