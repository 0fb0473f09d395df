//! A person made unreadable: nothing of them is left in any row of any table, and the ledger stands.

use sea_orm::{DbBackend, FromQueryResult, JsonValue, Statement};
use serde_json::{Value, json};

use super::{done, log_in, newcomer, refused, seat, tell};
use crate::harness::{App, Client};

/// What an order of that person says of them.
fn basket(app: &App, customer: &Value, reference: &str) -> Value {
    let address = |city: &str| json!({ "name": "Mk Ada", "lines": ["mk-street 1"], "city": city });
    json!({
        "customer": { "id": customer },
        "lines": [{ "product": app.company.server.id.to_string() }],
        "contact": { "name": "mk-name", "email": "mk-ada@example.test", "phone": "mk-phone" },
        "shippingAddress": address("mk-shipping"),
        "billingAddress": address("mk-billing"),
        "customerNote": "mk-note: ring twice",
        "externalReference": reference,
        "idempotencyKey": reference,
    })
}

/// Every row of every table that holds one of these words, as its table and its text.
async fn rows_with(app: &App, words: &[&str]) -> Vec<String> {
    let db = app.second_connection().await;
    let tables = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
        }
        _ => "SELECT name FROM sqlite_master WHERE type = 'table'",
    };
    let all = async |sql: &str| {
        let statement = Statement::from_string(db.get_database_backend(), sql);
        JsonValue::find_by_statement(statement).all(&db).await.expect("rows")
    };
    let mut found = Vec::new();
    let mut rows = 0;
    for table in all(tables).await {
        let table = table["name"].as_str().expect("a name").to_owned();
        for row in all(&format!("SELECT * FROM \"{table}\"")).await {
            rows += 1;
            let text = row.to_string().to_lowercase();
            if words.iter().any(|word| text.contains(word)) {
                found.push(format!("{table}: {text}"));
            }
        }
    }
    assert!(rows > 60, "everything is read: {rows} rows");
    db.close().await.expect("closed");
    found
}

/// A person who buys, as an organisation of their own, with an account and two orders.
async fn ada(app: &App) -> (Client, Value, Value) {
    let made = json!({ "kind": "PERSON", "name": "Mk-Ada Lovelace", "email": "mk-ada@example.test" });
    let customer = done(&app.admin(), "organizationSave", made).await["organization"]["id"].clone();
    let invitation = json!({ "organization": customer, "role": "APPROVER", "email": "mk-ada@example.test" });
    let client = newcomer(app, &app.admin(), invitation).await;
    let user = client.data("{ viewer { user { id } } }", json!({})).await["viewer"]["user"]["id"].clone();
    (client, user, customer)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_person_who_was_erased_is_left_in_any_row_and_the_ledger_stands() {
    let app = App::start().await;
    let (client, user, customer) = ada(&app).await;
    done(&app.admin(), "userSave", json!({ "user": user, "name": "Mk-Ada" })).await;
    let order = app.place_input(&client, basket(&app, &customer, "one")).await;
    app.act(&client, &order, "submit", json!({})).await;
    // A customer that they are no member of any more.
    let company = app.company.customer.to_string();
    let consumer = json!({ "user": user, "organization": company, "role": "CONSUMER" });
    done(&app.admin(), "membershipSet", consumer).await;
    let earlier = app.place_input(&client, basket(&app, &json!(company), "two")).await;
    let place = json!({ "user": user, "organization": company });
    done(&app.approver(), "membershipRemove", place).await;
    // What they wrote for somebody else, at the operator's desk, is the customer's and stays.
    done(
        &app.admin(),
        "membershipSet",
        json!({ "user": user, "role": "STAFF",
        "organization": app.company.operator.to_string() }),
    )
    .await;
    let mut desk = basket(&app, &json!(app.company.other_customer.to_string()), "three");
    desk["contact"] = json!({ "name": "Sam Stranger", "email": "sam@example.test" });
    desk["customerNote"] = json!("leave at the door");
    for address in ["shippingAddress", "billingAddress"] {
        desk[address] = json!({ "name": "Sam", "lines": ["1 Side Street"], "city": "Samtown" });
    }
    let desk = app.place_input(&client, desk).await;
    let invitation = json!({ "organization": company, "role": "CONSUMER", "email": "MK-Ada@example.test" });
    done(&app.approver(), "invitationCreate", invitation).await;
    let words = ["mk-", "mk ada", "127.0.0.1"];
    assert!(rows_with(&app, &words).await.len() >= 6, "the markers are there before");

    let query = "query($id: ID!) { order(by: { id: $id }) { number status { code } version pricing { total { \
        amount } } createdBy { name } contact { name email phone } shippingAddress { city } customerNote \
        clientIp timeline { nodes { kind actor { name } } } } }";
    let before = app.admin().data(query, json!({ "id": order })).await["order"].clone();
    let wrong = json!({ "user": user, "confirm": "ada@example.test" });
    assert_eq!(tell(&app.admin(), "userErase", wrong).await["errors"][0]["path"], json!(["confirm"]));
    for other in [app.staff(), app.approver(), app.provider()] {
        let input = json!({ "user": user, "confirm": "mk-ada@example.test" });
        assert_eq!(refused(&other, "userErase", input).await, "FORBIDDEN");
    }
    let mut stream = client.subscribe("subscription { orderEvents { kind } }", json!({})).await;
    assert_eq!(stream.change().await["kind"], "STARTED");
    let input = json!({ "user": user, "confirm": " MK-Ada@Example.test " });
    let erased = done(&app.admin(), "userErase", input.clone()).await["account"].clone();
    assert_eq!(erased["user"]["name"], "Erased user");
    assert_eq!((&erased["memberships"], &erased["erasedAt"]), (&json!([]), &erased["disabledAt"]));

    // The desk's own order keeps the network address of whoever took it: it is no buyer's.
    let words = ["mk-", "mk ada"];
    assert_eq!(rows_with(&app, &words).await, Vec::<String>::new());
    let after = app.admin().data(query, json!({ "id": order })).await["order"].clone();
    for kept in ["number", "status", "version", "pricing"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    assert_eq!(after["createdBy"]["name"], "Erased user");
    assert_eq!(after["contact"], json!({ "name": "", "email": "", "phone": "" }));
    for gone in ["shippingAddress", "customerNote", "clientIp"] {
        assert_eq!(after[gone], Value::Null, "{gone}");
    }
    let kinds = |order: &Value| {
        let nodes = order["timeline"]["nodes"].as_array().expect("nodes").clone();
        nodes.iter().map(|node| node["kind"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&after), kinds(&before), "every event");
    assert_eq!(after["timeline"]["nodes"][0]["actor"]["name"], "Erased user");
    assert_eq!(app.admin().data(query, json!({ "id": earlier })).await["order"]["contact"]["name"], "");
    let stays = app.admin().data(query, json!({ "id": desk })).await["order"].clone();
    assert_eq!(stays["contact"]["name"], "Sam Stranger", "staff wrote it for a customer");
    assert_eq!(client.send("{ viewer { expiresAt } }", json!({})).await.codes(), ["UNAUTHENTICATED"]);
    app.place(&app.consumer(), &app.company.server, 1).await;
    assert!(stream.message().await.to_string().contains("UNAUTHENTICATED"));

    // Nobody comes back through any door.
    assert_eq!(refused(&app.admin(), "userErase", input).await, "NOT_FOUND");
    let back = json!({ "user": user, "disabled": false });
    assert_eq!(refused(&app.admin(), "userSave", back).await, "VALIDATION");
    let seated = json!({ "user": user, "organization": company, "role": "CONSUMER" });
    assert_eq!(refused(&app.admin(), "membershipSet", seated).await, "NOT_FOUND");
    let reset = "mutation($user: ID!) { passwordResetToken(input: { user: $user }) { errors { code } } }";
    let reset = app.admin().data(reset, json!({ "user": user })).await;
    assert_eq!(reset["passwordResetToken"]["errors"][0]["code"], "NOT_FOUND");
    // The address is free again, and whoever has it now is somebody else.
    let made = done(&app.admin(), "userSave", json!({ "email": "mk-ada@example.test", "name": "New" })).await;
    assert_ne!(made["account"]["user"]["id"], user);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_made_for_machines_opens_nothing_any_more() {
    let app = App::start().await;
    let company = &app.company;
    let invitation = json!({ "organization": company.provider_org.to_string(), "role": "PROVIDER",
        "email": "owner@example.test" });
    let owner = newcomer(&app, &app.admin(), invitation).await;
    let create = "mutation($input: ServiceTokenCreateInput!) { serviceTokenCreate(input: $input) { token } }";
    let input = json!({ "name": "robot", "organization": company.provider_org.to_string(), "actions": [] });
    let token = owner.data(create, json!({ "input": input })).await["serviceTokenCreate"]["token"].clone();
    let robot = Client::new(&app.url, Some(token.as_str().expect("a token").to_owned()));
    robot.data("{ viewer { expiresAt } }", json!({})).await;
    let user = owner.data("{ viewer { user { id } } }", json!({})).await["viewer"]["user"]["id"].clone();
    done(&app.admin(), "userErase", json!({ "user": user, "confirm": "owner@example.test" })).await;
    assert_eq!(robot.send("{ viewer { expiresAt } }", json!({})).await.codes(), ["UNAUTHENTICATED"]);
    let history =
        "query($user: ID!) { rightsChanges(user: $user) { nodes { kind actor { name } user { name } } } }";
    let told = app.admin().data(history, json!({ "user": user })).await["rightsChanges"]["nodes"].clone();
    let kinds: Vec<&str> =
        told.as_array().expect("nodes").iter().filter_map(|change| change["kind"].as_str()).collect();
    assert_eq!(kinds, ["MEMBERSHIP_ADDED", "MEMBERSHIP_REMOVED", "ERASED"]);
    assert!(told.as_array().expect("nodes").iter().all(|change| change["user"]["name"] == "Erased user"));
    let second = app.enrol("second", Vec::new()).await;
    done(&app.admin(), "membershipSet", seat(second, company.provider_org, "PROVIDER")).await;
    let invite = json!({ "organization": company.provider_org.to_string(), "role": "MANAGER",
        "email": "owner@example.test" });
    newcomer(&app, &app.client(second), invite).await;
    log_in(&app, "owner@example.test").await;
}
