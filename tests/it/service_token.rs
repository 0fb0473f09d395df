//! Machines: accounts that are narrowed to a provider, offerings and actions, and how they end.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use domain::role::Role;
use ordo::{
    app::World,
    keys::{Keys, Purpose},
    store::people,
};
use serde_json::{Value, json};

use crate::{
    access::socket,
    harness::{App, Client, Subscriber, Wanted},
    session::forgeries,
};

const TOKEN: &str = "id name organization { id name } offerings actions createdBy { name } createdAt \
    expiresAt revokedAt";
const ERRORS: &str = "errors { __typename code message path }";
const ORDERS: &str = "{ orders { nodes { id } } }";
const EVENTS: &str = "subscription { orderEvents { kind orderId } }";

/// Makes a token; the whole payload.
async fn create(client: &Client, input: Value) -> Value {
    let document = format!(
        "mutation($input: ServiceTokenCreateInput!) {{ serviceTokenCreate(input: $input) {{ \
         serviceToken {{ {TOKEN} }} token {ERRORS} }} }}"
    );
    client.data(&document, json!({ "input": input })).await["serviceTokenCreate"].clone()
}

/// Revokes one; the whole payload.
async fn revoke(client: &Client, id: &Value) -> Value {
    let document = format!(
        "mutation($input: ServiceTokenRevokeInput!) {{ serviceTokenRevoke(input: $input) {{ \
         serviceToken {{ {TOKEN} }} {ERRORS} }} }}"
    );
    let input = json!({ "input": { "serviceToken": id } });
    client.data(&document, input).await["serviceTokenRevoke"].clone()
}

/// A machine of the provider with these actions: its client and its token's id.
pub async fn machine(app: &App, other: Value) -> (Client, Value) {
    let organization = app.company.provider_org.to_string();
    let mut input = json!({ "name": "robot", "organization": organization, "actions": ["fulfill"] });
    input.as_object_mut().expect("an input").extend(other.as_object().expect("fields").clone());
    let made = create(&app.provider(), input).await;
    assert_eq!(made["errors"], json!([]), "{made}");
    let token = made["token"].as_str().expect("a token").to_owned();
    (Client::new(&app.url, Some(token)), made["serviceToken"]["id"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_takes_the_actions_it_names_on_its_providers_orders_and_writes_nothing_else() {
    let app = App::start().await;
    let (robot, _) = machine(&app, json!({})).await;
    let server = &app.company.server;
    let wanted = [Wanted::new(server, "provisioning"), Wanted::new(server, "validating")];
    let orders = app.stand(&wanted).await;
    let query = "query($id: ID!) { order(by: { id: $id }) { availableActions { action } } }";
    let offered = robot.data(query, json!({ "id": orders[0] })).await;
    assert_eq!(offered["order"]["availableActions"], json!([{ "action": "fulfill" }]));
    let failed = robot.transition(&orders[0], "fail", json!({ "error": { "message": "full" } })).await;
    assert_eq!(failed["errors"][0]["code"], "NOT_PERMITTED");
    assert_eq!(failed["errors"][0]["allowedActions"], json!(["fulfill"]));
    assert_eq!(
        robot.transition(&orders[1], "provision", json!({})).await["errors"][0]["code"],
        "NOT_PERMITTED"
    );
    let note = "mutation($order: ID!) { orderAddNote(input: { order: $order, body: \"hello\", \
        audience: PUBLIC }) { errors { code } } }";
    let noted = robot.data(note, json!({ "order": orders[0] })).await;
    assert_eq!(noted["orderAddNote"]["errors"][0]["code"], "NOT_PERMITTED");
    let place = "mutation($input: OrderCreateInput!) { orderCreate(input: $input) { errors { code } } }";
    let customer = json!({ "id": app.company.customer.to_string() });
    let input = json!({ "customer": customer, "lines": [{ "product": server.id.to_string() }] });
    let placed = robot.data(place, json!({ "input": input })).await;
    assert_eq!(placed["orderCreate"]["errors"][0]["code"], "NOT_FOUND");
    app.act(&robot, &orders[0], "fulfill", json!({})).await;
    let viewer = "{ viewer { user { name } memberships { role organization { name } } expiresAt } }";
    let viewer = robot.data(viewer, json!({})).await;
    let memberships = json!([{ "role": "worker", "organization": { "name": "Nimbus" } }]);
    assert_eq!(viewer["viewer"]["memberships"], memberships);
    assert_eq!(viewer["viewer"]["user"]["name"], "robot");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_of_one_offering_sees_no_other_and_one_without_actions_only_reads() {
    let app = App::start().await;
    let offering = app.company.webspace.id.to_string();
    let (robot, _) = machine(&app, json!({ "offerings": [offering, offering], "actions": [] })).await;
    let wanted =
        [Wanted::new(&app.company.server, "provisioning"), Wanted::new(&app.company.webspace, "pending")];
    let orders = app.stand(&wanted).await;
    assert_eq!(robot.data(ORDERS, json!({})).await["orders"]["nodes"], json!([{ "id": orders[1] }]));
    assert_eq!(robot.transition(&orders[0], "fulfill", json!({})).await["errors"][0]["code"], "NOT_FOUND");
    let query = "query($id: ID!) { order(by: { id: $id }) { availableActions { action } } }";
    let offered = robot.data(query, json!({ "id": orders[1] })).await;
    assert_eq!(offered["order"]["availableActions"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_opens_nothing_from_the_next_request_on_and_its_stream_ends() {
    let app = App::start().await;
    let (robot, id) = machine(&app, json!({})).await;
    let mut stream = robot.subscribe(EVENTS, json!({})).await;
    assert_eq!(stream.change().await["kind"], "STARTED");
    let order = app.place(&app.consumer(), &app.company.server, 1).await;
    assert_eq!(stream.change().await["orderId"], json!(order));
    let revoked = revoke(&app.admin(), &id).await;
    assert_eq!(revoked["serviceToken"]["revokedAt"], "2026-03-02T09:00:00.000Z", "{revoked}");
    app.world.advance(TimeDelta::minutes(1));
    let again = revoke(&app.provider(), &id).await;
    assert_eq!(again, revoked, "the first counts");
    let answer = robot.send(ORDERS, json!({})).await;
    assert_eq!((answer.status, answer.codes()), (401, vec!["UNAUTHENTICATED"]));
    let mut socket = Subscriber::connect(&app.url, robot.token()).await;
    socket.start("1", EVENTS, json!({})).await;
    assert!(socket.message().await.to_string().contains("UNAUTHENTICATED"));
    // Rights of streams are read again once they are a second old.
    let out = Instant::now();
    while out.elapsed() < Duration::from_millis(1_100) {
        app.place(&app.consumer(), &app.company.server, 1).await;
    }
    app.place(&app.consumer(), &app.company.server, 1).await;
    loop {
        let message = stream.message().await;
        if message.to_string().contains("UNAUTHENTICATED") {
            break;
        }
        assert_eq!(message["type"], "next", "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_when_it_was_to_end_on_requests_and_sockets() {
    let app = App::start().await;
    let ends = app.world.now() + TimeDelta::milliseconds(1_500);
    let ends = ends.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let (robot, _) = machine(&app, json!({ "expiresAt": ends })).await;
    let viewer = robot.data("{ viewer { expiresAt } }", json!({})).await;
    assert_eq!(viewer["viewer"]["expiresAt"], json!(ends));
    let mut stream = robot.subscribe(EVENTS, json!({})).await;
    assert_eq!(stream.change().await["kind"], "STARTED");
    let (said, code) = stream.until_closed().await;
    assert_eq!(code, Some(4403), "the socket ends with its token: {said:?}");
    app.world.advance(TimeDelta::seconds(32));
    let answer = robot.send(ORDERS, json!({})).await;
    assert_eq!((answer.status, answer.codes()), (401, vec!["UNAUTHENTICATED"]));
    let (robot, _) = machine(&app, json!({ "expiresAt": null })).await;
    app.world.advance(TimeDelta::days(36_500));
    robot.data(ORDERS, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_forged_service_token_is_refused_over_post_and_socket() {
    let app = App::start().await;
    let (robot, _) = machine(&app, json!({})).await;
    let token = robot.token().expect("a token");
    let keys = &app.inner.keys;
    let said = keys.open::<24>(Purpose::Service, &token[5..]).expect("what it says");
    let another = Keys::derive(b"another secret, just as long as ours is");
    let mut of_staff = said;
    of_staff[..16].copy_from_slice(app.company.staff.id.0.as_bytes());
    let mut forged = forgeries(token);
    forged.extend([
        token[5..].to_owned(),
        token.replacen("ordo_", "ORDO_", 1),
        token.replacen("ordo_", "ordo__", 1),
        format!("ordo_{token}"),
        "ordo_".to_owned(),
        format!("ordo_{}", another.seal(Purpose::Service, &said)),
        format!("ordo_{}", keys.seal(Purpose::Refresh, &said)),
        format!("ordo_{}", keys.seal(Purpose::Reset, &said)),
        format!("ordo_{}", keys.seal(Purpose::Service, &said[..23])),
        format!("ordo_{}", another.seal(Purpose::Service, &of_staff)),
    ]);
    // What no header holds is refused as such.
    for token in forged.into_iter().filter(|token| token.len() < 10_000) {
        let answer = Client::new(&app.url, Some(token.clone())).send(ORDERS, json!({})).await;
        assert_eq!((answer.status, answer.codes()), (401, vec!["UNAUTHENTICATED"]), "{token}");
        let greeting = json!({ "Authorization": format!("Bearer {token}") });
        assert_ne!(socket(&app, None, Some(greeting)).await, "open", "{token}");
    }
    assert_eq!(socket(&app, robot.token(), None).await, "open");
    robot.data(ORDERS, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_has_no_password_and_gets_none() {
    let app = App::start().await;
    let (robot, id) = machine(&app, json!({})).await;
    let user = id.as_str().expect("an id").replacen("token_", "user_", 1);
    let admin = app.admin();
    let query = "query($id: ID!) { node(id: $id) { ... on User { id email name } } }";
    let account = admin.data(query, json!({ "id": user })).await["node"].clone();
    let email = account["email"].as_str().expect("an address");
    assert!(email.starts_with("service-") && email.ends_with("@service.invalid"), "{email}");
    let store = &app.inner.store;
    assert_eq!(people::user_by_email(store, email).await.expect("an answer"), None, "nor from the console");
    let retire = "DELETE FROM memberships WHERE user_id = $1";
    app.execute(retire, [sea_orm::Value::Uuid(Some(app.company.worker.id.0))]).await;
    assert_eq!(people::user_by_role(store, Role::Worker).await.expect("an answer"), None);
    let reset = crate::session::send(&admin, "passwordResetToken", json!({ "user": user })).await;
    assert_eq!(reset.body["data"]["passwordResetToken"]["errors"][0]["code"], "NOT_FOUND");
    let input = json!({ "email": email, "password": "any password at all" });
    let login = crate::session::send(&app.anonymous(), "login", input).await;
    assert_eq!(login.body["data"]["login"]["errors"][0]["code"], "INVALID_CREDENTIALS");
    let change = json!({ "current": "any password at all", "new": "another password" });
    let change = crate::session::send(&robot, "passwordChange", change).await;
    assert_eq!(change.codes(), ["FORBIDDEN"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_token_cannot_be_is_refused_with_its_place() {
    let app = App::start().await;
    let company = &app.company;
    let (provider, rival) = (company.provider_org.to_string(), company.rival_org.to_string());
    let many: Vec<String> = vec!["fulfill".to_owned(); 101];
    let products: Vec<String> = vec![company.server.id.to_string(); 101];
    for (path, other) in [
        (json!(["name"]), json!({ "name": " " })),
        (json!(["name"]), json!({ "name": "x".repeat(201) })),
        (json!(["name"]), json!({ "name": "NUL \0" })),
        (json!(["actions", "1"]), json!({ "actions": ["fulfill", "destroy"] })),
        (json!(["actions", "0"]), json!({ "actions": ["FULFILL"] })),
        (json!(["actions"]), json!({ "actions": many })),
        (json!(["offerings"]), json!({ "offerings": [company.rival_server.id.to_string()] })),
        (json!(["offerings"]), json!({ "offerings": ["product_01h455vb4pex5vsknk084sn02q"] })),
        (json!(["offerings"]), json!({ "offerings": products })),
        (json!(["expiresAt"]), json!({ "expiresAt": "2026-03-02T09:00:00Z" })),
        (json!(["organization"]), json!({ "organization": rival })),
        (json!(["organization"]), json!({ "organization": "org_01h455vb4pex5vsknk084sn02q" })),
        (json!(["organization"]), json!({ "organization": company.customer.to_string() })),
        (json!(["organization"]), json!({ "organization": company.operator.to_string() })),
    ] {
        let mut input = json!({ "name": "robot", "organization": provider, "actions": ["fulfill"] });
        input.as_object_mut().expect("an input").extend(other.as_object().expect("fields").clone());
        let refused = create(&app.provider(), input).await;
        let code = if path == json!(["organization"]) { "NOT_FOUND" } else { "VALIDATION" };
        let error = &refused["errors"][0];
        assert_eq!((&error["code"], &error["path"]), (&json!(code), &path), "{other}");
        assert_eq!((&refused["serviceToken"], &refused["token"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(app.count("service_tokens").await, 0);
    let organization =
        json!({ "name": "robot", "organization": company.customer.to_string(), "actions": [] });
    assert_eq!(create(&app.admin(), organization).await["errors"][0]["code"], "NOT_FOUND", "no provider");
}

/// The names in a page of tokens.
async fn page(client: &Client, arguments: &str) -> (Vec<String>, Value) {
    let query = format!(
        "{{ serviceTokens{arguments} {{ nodes {{ {TOKEN} }} pageInfo {{ hasNextPage hasPreviousPage \
         startCursor endCursor }} }} }}"
    );
    let page = client.data(&query, json!({})).await["serviceTokens"].clone();
    let nodes = page["nodes"].as_array().expect("nodes");
    (nodes.iter().map(|node| node["name"].as_str().expect("a name").to_owned()).collect(), page)
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_listed_by_age_to_those_who_look_after_them_in_as_many_statements_whatever_their_number() {
    let app = App::start().await;
    let (provider, rival) = (app.company.provider_org.to_string(), app.company.rival_org.to_string());
    for n in 0..5 {
        app.world.advance(TimeDelta::seconds(1));
        let (client, organization) = match n {
            4 => (app.rival(), &rival),
            _ => (app.provider(), &provider),
        };
        let name = format!("robot {n}");
        let made =
            create(&client, json!({ "name": name, "organization": organization, "actions": ["fulfill"] }))
                .await;
        assert_eq!(made["errors"], json!([]), "{made}");
    }
    let all = page(&app.admin(), "").await.0;
    assert_eq!(all, ["robot 0", "robot 1", "robot 2", "robot 3", "robot 4"]);
    assert_eq!(page(&app.rival(), "").await.0, ["robot 4"]);
    let of = |organization: &str| format!("(organization: \"{organization}\")");
    assert_eq!(page(&app.admin(), &of(&rival)).await.0, ["robot 4"]);
    assert!(page(&app.rival(), &of(&provider)).await.0.is_empty());
    let (names, first) = page(&app.provider(), "(first: 3)").await;
    assert_eq!((names.len(), &first["pageInfo"]["hasNextPage"]), (3, &json!(true)));
    let after = first["pageInfo"]["endCursor"].as_str().expect("a cursor");
    let (names, rest) = page(&app.provider(), &format!("(first: 3, after: \"{after}\")")).await;
    assert_eq!((names, &rest["pageInfo"]["hasNextPage"]), (vec!["robot 3".to_owned()], &json!(false)));
    let (names, last) = page(&app.provider(), "(last: 2)").await;
    assert_eq!(names, ["robot 2", "robot 3"]);
    assert_eq!(last["pageInfo"]["hasPreviousPage"], true);
    let mut least = [u64::MAX; 2];
    for _ in 0..5 {
        for (least, arguments) in least.iter_mut().zip(["(first: 1)", "(first: 4)"]) {
            *least = (*least).min(app.statements_of(page(&app.provider(), arguments)).await.0);
        }
    }
    assert_eq!(least[0], least[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_out_of_reach_reads_and_is_revoked_like_one_that_does_not_exist() {
    let app = App::start().await;
    let (_, id) = machine(&app, json!({})).await;
    let unknown = json!("token_01h455vb4pex5vsknk084sn02q");
    let node = "query($id: ID!) { node(id: $id) { id ... on ServiceToken { name createdBy { name } } } }";
    let seen = json!({ "node": { "id": id, "name": "robot", "createdBy": { "name": "provider" } } });
    for client in [app.admin(), app.provider()] {
        assert_eq!(client.data(node, json!({ "id": id })).await, seen);
        assert_eq!(client.data(node, json!({ "id": unknown })).await["node"], Value::Null);
    }
    for (role, client) in app.roles() {
        if !matches!(role, "anonymous" | "admin" | "provider") {
            assert_eq!(client.data(node, json!({ "id": id })).await["node"], Value::Null, "{role}");
        }
    }
    let foreign = revoke(&app.rival(), &id).await;
    let missing = revoke(&app.rival(), &unknown).await;
    assert_eq!(foreign, missing);
    assert_eq!(foreign["errors"][0]["code"], "NOT_FOUND");
    let document = "mutation($input: ServiceTokenRevokeInput!) { serviceTokenRevoke(input: $input) { \
        errors { code } } }";
    let input = json!({ "input": { "serviceToken": id } });
    for client in [app.staff(), app.manager(), app.worker(), app.consumer()] {
        assert_eq!(client.send(document, input.clone()).await.codes(), ["FORBIDDEN"]);
    }
    assert_eq!(revoke(&app.provider(), &id).await["errors"], json!([]));
}
