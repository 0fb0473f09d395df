//! Which parts of an order each role sees: a golden file of fields by role, and the words of each
//! secret, which must not appear anywhere in what the others are told, live or not.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::harness::{App, Client, Wanted};

const EVENT: &str = "id kind action version from { code label color } to { code label color } \
    actor { name } reason amount { amount } assignedTo { name } note { body author { name } }";

fn whole() -> String {
    format!(
        "id version status {{ code label category color }} isStalled availableActions {{ action to {{ code }} }} \
         contact {{ name }} shippingAddress {{ city }} billingAddress {{ city }} customerNote paymentMethod \
         clientIp metadata tags createdBy {{ name }} csr {{ name }} deliveryAgent {{ name }} \
         items {{ nodes {{ id status configuration resource {{ state backendId }} }} }} \
         pricing {{ total {{ amount }} paid {{ amount }} }} invoice {{ number }} \
         payments {{ reference recordedBy {{ name }} }} refunds {{ reason recordedBy {{ name }} }} \
         notes {{ body audience author {{ name }} }} \
         error {{ category message traceback stage }} \
         attempts {{ nodes {{ stage error {{ message traceback }} }} }} \
         timeline {{ nodes {{ {EVENT} }} }}"
    )
}

/// An order with everything in it that somebody must not see.
async fn rich(app: &App) -> String {
    let address = |city: &str| json!({ "lines": ["1 Main Street"], "city": city });
    let input = json!({
        "customer": { "id": app.company.customer.to_string() },
        "lines": [{ "product": app.company.server.id.to_string() }],
        "contact": { "name": "Casey" },
        "shippingAddress": address("Shippingham"),
        "billingAddress": address("Billingham"),
        "customerNote": "ring twice",
        "paymentMethod": "TRANSFER",
        "tags": ["tag-inside"],
        "metadata": { "crm": "metadata-inside" },
    });
    let staff = app.staff();
    let order = app.place_input(&app.consumer(), input).await;
    let csr = json!({ "csr": app.company.csr.id.to_string() });
    desk(&staff, "orderAssignCsr", &order, csr).await;
    let agent = json!({ "agent": app.company.agent.id.to_string() });
    desk(&staff, "orderAssignAgent", &order, agent).await;
    app.act(&app.consumer(), &order, "submit", json!({})).await;
    let amount = json!({ "amount": "23.80", "currency": "EUR" });
    let paid = json!({ "amount": amount, "method": "TRANSFER", "reference": "bank-reference" });
    desk(&staff, "orderRecordPayment", &order, paid).await;
    let amount = json!({ "amount": "1.00", "currency": "EUR" });
    desk(&staff, "orderRefund", &order, json!({ "amount": amount, "reason": "refund-reason" })).await;
    for (audience, body) in
        [("STAFF", "note-to-staff"), ("PROVIDER", "note-to-provider"), ("PUBLIC", "note-to-all")]
    {
        desk(&staff, "orderAddNote", &order, json!({ "body": body, "audience": audience })).await;
    }
    let worker = app.worker();
    app.act(&worker, &order, "validate", json!({ "reason": "reason-of-validation" })).await;
    app.act(&worker, &order, "provision", json!({ "reason": "reason-of-provisioning" })).await;
    let error =
        json!({ "category": "CAPACITY", "message": "message-of-error", "traceback": "traceback-inside" });
    app.act(&worker, &order, "fail", json!({ "error": error })).await;
    order
}

async fn desk(client: &Client, field: &str, order: &str, input: Value) {
    let (head, tail) = field.split_at(1);
    let document = format!(
        "mutation($input: {}{tail}Input!) {{ {field}(input: $input) {{ errors {{ code message }} }} }}",
        head.to_uppercase()
    );
    let mut input = input;
    input["order"] = order.into();
    let data = client.data(&document, json!({ "input": input })).await;
    assert_eq!(data[field]["errors"], json!([]), "{data}");
}

/// Everybody who is something to the order.
fn audience(app: &App) -> Vec<(&'static str, Client)> {
    let mut roles = app.roles();
    roles.retain(|(role, _)| !["anonymous", "stranger", "rival"].contains(role));
    roles
}

const DESK: &[&str] = &["admin", "staff", "csr"];
const OPERATOR: &[&str] = &["admin", "staff", "csr", "support"];
const INSIDE: &[&str] = &["admin", "staff", "csr", "support", "provider", "manager", "worker"];

/// Each secret, and who may read it. One in quotes is a whole word.
const SECRETS: &[(&str, &[&[&str]])] = &[
    ("127.0.0.1", &[DESK]),
    ("traceback-inside", &[DESK, &["provider", "manager", "worker"]]),
    ("message-of-error", &[INSIDE]),
    ("tag-inside", &[INSIDE]),
    ("metadata-inside", &[INSIDE]),
    ("note-to-staff", &[OPERATOR]),
    ("note-to-provider", &[INSIDE]),
    ("reason-of-provisioning", &[INSIDE]),
    ("refund-reason", &[INSIDE]),
    ("provisioning", &[INSIDE, &["agent"]]),
    ("validating", &[INSIDE, &["agent"]]),
    // The name of the representative, and that one was assigned.
    ("\"csr\"", &[OPERATOR, &["agent"]]),
    ("\"ASSIGNED\"", &[OPERATOR]),
    ("Billingham", &[INSIDE, &["approver", "consumer"]]),
    ("bank-reference", &[INSIDE, &["approver", "consumer"]]),
];

/// Secrets by somebody who must not have them.
fn expect_discreet(role: &str, what: &str, told: &Value) {
    // Field names are no secrets: only values are searched.
    let mut words = Vec::new();
    collect(told, &mut words);
    for (secret, readers) in SECRETS {
        let needle = secret.trim_matches('"');
        let found = match secret.starts_with('"') {
            true => words.contains(&needle),
            false => words.iter().any(|word| word.contains(needle)),
        };
        if !readers.concat().contains(&role) {
            assert!(!found, "{role} was told {secret:?} by {what}: {told:#}");
        }
    }
}

fn collect<'v>(value: &'v Value, words: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => words.push(text),
        Value::Array(values) => values.iter().for_each(|value| collect(value, words)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// How much of a field somebody sees.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Array(values) => values.len().to_string(),
        Value::Object(fields) => match fields.get("nodes") {
            Some(nodes) => shown(nodes),
            None => "yes".to_owned(),
        },
        Value::Bool(_) | Value::Number(_) | Value::String(_) => "yes".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_the_fields_that_the_golden_file_says_and_no_secret() {
    let app = App::start().await;
    let order = rich(&app).await;
    let document = format!("query($id: ID!) {{ order(by: {{ id: $id }}) {{ {} }} }}", whole());
    let mut table: Vec<(String, Vec<String>)> = Vec::new();
    let mut header = "field".to_owned();
    for (role, client) in audience(&app) {
        let seen = client.data(&document, json!({ "id": order })).await["order"].clone();
        expect_discreet(role, "order", &seen);
        for (secret, readers) in SECRETS.iter().filter(|(secret, _)| !secret.starts_with('"')) {
            // Agents have no timeline, which alone names the statuses that the order has left.
            let told = readers.concat().contains(&role) && role != "agent";
            assert!(!told || seen.to_string().contains(secret), "{role} is not told {secret}: {seen:#}");
        }
        write!(header, " | {role}").expect("text");
        for (field, value) in seen.as_object().expect("an order") {
            match table.iter_mut().find(|(known, _)| known == field) {
                Some((_, cells)) => cells.push(shown(value)),
                None => table.push((field.clone(), vec![shown(value)])),
            }
        }
        let category = &seen["error"]["category"];
        assert_eq!(*category, "CAPACITY", "{role}");
    }
    table.sort();
    let rows = table.iter().map(|(field, cells)| format!("{field}: {}", cells.join(" | ")));
    insta::assert_snapshot!(format!("{header}\n{}", rows.collect::<Vec<_>>().join("\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_stream_tells_a_secret_and_moves_behind_the_public_status_are_silent() {
    let app = App::start().await;
    let document = format!(
        "subscription {{ orderEvents {{ kind orderId order {{ {} }} event {{ {EVENT} }} }} }}",
        whole()
    );
    let statuses = "subscription { orderStatusChanged { kind orderId order { id } \
        event { from { code } to { code } } } }";
    let mut streams = Vec::new();
    for (role, client) in audience(&app) {
        for (what, document) in [("orderEvents", document.as_str()), ("orderStatusChanged", statuses)] {
            let mut stream = client.subscribe(document, json!({})).await;
            assert_eq!(stream.change().await["kind"], "STARTED");
            streams.push((role, what, stream));
        }
    }
    let order = rich(&app).await;
    app.act(&app.staff(), &order, "cancel_failed", json!({ "reason": "late", "keepCredit": true })).await;
    let end = app.stand(&[Wanted::new(&app.company.server, "draft")]).await.remove(0);
    let mut golden = String::new();
    for (role, what, mut stream) in streams {
        let mut steps = Vec::new();
        loop {
            let change = stream.change().await;
            if change["orderId"] == json!(end) {
                break;
            }
            expect_discreet(role, what, &change);
            let code = |status: &str| change["event"][status]["code"].as_str().unwrap_or("-").to_owned();
            let kind = change["kind"].as_str().expect("a kind").to_owned();
            let step = match kind.as_str() {
                "STATUS_CHANGED" if !change["event"].is_null() => {
                    format!("{} > {}", code("from"), code("to"))
                }
                _ => kind,
            };
            steps.push(step);
        }
        writeln!(golden, "{what} to {role}\n  {}", steps.join("\n  ")).expect("text");
    }
    insta::assert_snapshot!(golden);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_finds_and_counts_orders_by_the_public_status_alone() {
    let app = App::start().await;
    let consumer = app.consumer();
    let wanted = ["validating", "provisioning", "payment_confirmed"]
        .map(|status| Wanted::new(&app.company.server, status));
    let orders = app.stand(&wanted).await;
    let query = "query($status: [String!]!) { orders(where: { status: { in: $status } }) \
        { totalCount nodes { id status { code label } } } }";
    for hidden in ["validating", "provisioning"] {
        let found = consumer.data(query, json!({ "status": [hidden] })).await["orders"].clone();
        assert_eq!(found, json!({ "totalCount": 0, "nodes": [] }), "{hidden}");
        let found = app.provider().data(query, json!({ "status": [hidden] })).await["orders"].clone();
        assert_eq!(found["totalCount"], 1, "{hidden}");
    }
    let found = consumer.data(query, json!({ "status": ["processing"] })).await["orders"].clone();
    let processing = json!({ "code": "processing", "label": "Processing" });
    assert_eq!(found["totalCount"], 2, "{found}");
    assert_eq!(found["nodes"][0]["status"], processing);
    assert_eq!(found["nodes"][1]["status"], processing);
    let nobody = app.staff().data(query, json!({ "status": ["processing"] })).await["orders"].clone();
    assert_eq!(nobody["totalCount"], 0, "to staff it is no status at all");
    // A refusal names the public status too.
    let refused = consumer.transition(&orders[1], "submit", json!({})).await;
    assert_eq!(refused["errors"][0]["from"], "processing", "{refused}");
    assert!(!refused.to_string().contains("provisioning"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_on_what_a_viewer_may_not_see_matches_nothing() {
    let app = App::start().await;
    let order = app.stand(&[Wanted::new(&app.company.server, "pending_payment")]).await.remove(0);
    let csr = json!({ "csr": { "in": [app.company.csr.id.to_string()] } });
    let agent = json!({ "deliveryAgent": { "in": [app.company.agent.id.to_string()] } });
    let query = "query($where: OrderWhereInput) { orders(where: $where) { totalCount nodes { id } } }";
    let events = "subscription($where: OrderWhereInput) { orderEvents(where: $where) { kind orderId } }";
    let mut streams = Vec::new();
    for (role, client) in audience(&app) {
        let knows = OPERATOR.contains(&role) || role == "agent";
        for condition in [&csr, &agent] {
            let found = client.data(query, json!({ "where": condition })).await["orders"].clone();
            let count = usize::from(knows);
            assert_eq!(found["totalCount"], count, "{role} {condition}");
            assert_eq!(found["nodes"].as_array().map(Vec::len), Some(count), "{role} {condition}");
            let mut stream = client.subscribe(events, json!({ "where": condition })).await;
            assert_eq!(stream.change().await["kind"], "STARTED");
            streams.push((role, knows, stream));
        }
    }
    app.act(&app.consumer(), &order, "cancel", json!({})).await;
    for (role, knows, stream) in &mut streams {
        if *knows {
            assert_eq!(stream.change().await["orderId"], json!(order), "{role}");
        }
    }
    // Those who know have heard of it, and the others of nothing.
    for (_, _, mut stream) in streams.into_iter().filter(|(_, knows, _)| !knows) {
        stream.send(json!({ "type": "ping" })).await;
        assert_eq!(stream.message().await["type"], "pong");
    }
}
