//! Who gets what of every root field: one golden file, and a row per field.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::{Value, json};

use crate::{
    attempt,
    harness::{App, Client, Goods, Subscriber, Wanted},
    items,
    jobs::own_job,
    timers,
};

/// An example of a mutation on an existing order.
pub struct Mutation {
    pub field: &'static str,
    /// The order it is tried on.
    pub wanted: Wanted,
    /// Its input besides the order.
    pub input: Value,
}

impl Mutation {
    /// Whether it is about an attempt, and names no order.
    pub fn is_on_an_attempt(&self) -> bool {
        ["attemptRenew", "attemptSucceed", "attemptFail"].contains(&self.field)
    }

    /// The operation; every mutation on an order has an input and a payload of one shape.
    pub fn document(&self) -> String {
        let (head, tail) = self.field.split_at(1);
        let (input, field) = (format!("{}{tail}Input", head.to_uppercase()), self.field);
        // A renewal is no event, and tells nothing of the order.
        let told = match field {
            "attemptRenew" => "leaseUntil",
            "orderPurge" => "purged replayed",
            _ => "order { id number version status { code } } event { id } replayed",
        };
        format!(
            "mutation($input: {input}!) {{ {field}(input: $input) {{ {told} \
             errors {{ __typename code message path }} }} }}"
        )
    }

    /// The variables for an order, or for an attempt at it that the worker claims before.
    pub async fn variables(&self, app: &App, order: &str) -> Value {
        let mut variables = self.on(order);
        let input = &mut variables["input"];
        if self.field == "orderUnschedule" {
            let at = json!({ "at": "2026-12-01T08:00:00.000Z" });
            input["schedule"] = timers::schedule(&app.staff(), order, "ship", at).await["id"].clone();
        }
        if self.field.starts_with("orderItem") {
            let item = items::lines(app, order).await.remove(0);
            if self.field == "orderItemRetry" {
                let error = json!({ "message": "full" });
                items::tell(&app.staff(), "orderItemFailed", order, &item, json!({ "error": error })).await;
            }
            input["item"] = item.into();
        }
        if self.field == "attemptClaim" {
            items::supply(app, order, json!({ "user": "web7" })).await;
        }
        if self.is_on_an_attempt() {
            let held = attempt::hold(&attempt::claim(&app.worker(), order, json!({})).await);
            let input = input.as_object_mut().expect("an input");
            input.remove("order");
            input.extend(held.as_object().expect("a hold").clone());
        }
        if self.field == "orderPurge" {
            let query = "query($id: ID!) { order(by: { id: $id }) { number } }";
            input["number"] =
                app.admin().data(query, json!({ "id": order })).await["order"]["number"].clone();
        }
        variables
    }

    /// The variables of one that is about an order.
    pub fn on(&self, order: &str) -> Value {
        let mut input = self.input.clone();
        input["order"] = order.into();
        if self.field.starts_with("orderItem") {
            // A line that no order has.
            input["item"] = "item_01k00000000000000000000000".into();
        }
        json!({ "input": input })
    }
}

/// Every mutation on an existing order, each on an order where somebody may carry it out.
pub fn mutations(app: &App) -> Vec<Mutation> {
    let company = &app.company;
    let row = |field, goods: &Goods, status, input| {
        let (paid, deleted) = (if field == "orderRefund" { 100 } else { 0 }, field == "orderRestore");
        Mutation { field, wanted: Wanted { paid, deleted, ..Wanted::new(goods, status) }, input }
    };
    let (server, webspace, parcel) = (&company.server, &company.webspace, &company.parcel);
    let (allocation, pallet) = (&company.allocation, &company.pallet);
    let euro = json!({ "amount": "1.00", "currency": "EUR" });
    let none = || json!({});
    vec![
        row("attemptClaim", webspace, "active", none()),
        row("attemptFail", server, "provisioning", json!({ "error": { "message": "full" } })),
        row("attemptRenew", server, "provisioning", none()),
        row("attemptSucceed", server, "provisioning", none()),
        row("orderAccept", webspace, "pending", none()),
        row("orderAddNote", server, "pending_payment", json!({ "body": "hello", "audience": "PUBLIC" })),
        row("orderApprove", allocation, "pending_consumer", none()),
        row("orderArchive", pallet, "closed", none()),
        row("orderAssignAgent", parcel, "pending", json!({ "agent": null })),
        row("orderAssignCsr", server, "pending_payment", json!({ "csr": null })),
        row("orderCancel", server, "pending_payment", none()),
        row("orderClose", pallet, "shipped", none()),
        row("orderComplete", allocation, "executing", none()),
        row("orderConfirmPayment", server, "pending_payment", none()),
        row("orderDelete", server, "pending_payment", none()),
        row("orderDeliver", parcel, "in_transit", none()),
        row("orderDispatch", parcel, "processing", none()),
        row("orderFail", server, "provisioning", json!({ "error": { "message": "full" } })),
        row("orderFulfill", server, "provisioning", none()),
        row("orderItemFailed", webspace, "active", json!({ "error": { "message": "full" } })),
        row("orderItemProvisioned", webspace, "active", json!({ "backendId": "account-7" })),
        row("orderItemRetry", webspace, "active", none()),
        row("orderMarkFraud", webspace, "pending", json!({ "reason": "stolen card" })),
        row("orderProcess", parcel, "pending", none()),
        row("orderProvision", server, "validating", none()),
        row("orderPurge", webspace, "cancelled", json!({ "number": "1000000000" })),
        row("orderRecordPayment", server, "pending_payment", json!({ "amount": euro, "method": "CASH" })),
        row("orderRefund", server, "pending_payment", json!({ "amount": euro, "reason": "goodwill" })),
        row("orderReject", allocation, "pending_consumer", json!({ "reason": "too dear" })),
        row("orderResetToPending", webspace, "active", none()),
        row("orderRestore", server, "draft", none()),
        row("orderRetry", server, "failed", none()),
        row("orderSchedule", pallet, "open", json!({ "action": "ship", "at": "2026-12-01T08:00:00.000Z" })),
        row("orderSetStatus", parcel, "pending", json!({ "to": "processing" })),
        row("orderShip", pallet, "open", none()),
        row("orderSubmit", server, "draft", none()),
        row("orderUnschedule", pallet, "open", json!({ "schedule": "schedule_01k00000000000000000000000" })),
        row("orderTransition", server, "pending_payment", json!({ "action": "cancel" })),
        row("orderUpdate", server, "draft", json!({ "customerNote": "ring twice" })),
        row("orderValidate", server, "payment_confirmed", none()),
    ]
}

/// Every query, tried on an order of the customer.
fn queries(order: &str) -> Vec<(&'static str, &'static str, Value)> {
    let id = json!({ "id": order });
    vec![
        ("invitations", "{ invitations { nodes { id } } }", json!({})),
        ("jobs", "{ jobs { nodes { id } } }", json!({})),
        ("node", "query($id: ID!) { node(id: $id) { id } }", id.clone()),
        ("nodes", "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": [order] })),
        ("order", "query($id: ID!) { order(by: { id: $id }) { id } }", id),
        ("orders", "{ orders { nodes { id } } }", json!({})),
        ("organizations", "{ organizations { nodes { id } } }", json!({})),
        ("products", "{ products { nodes { id } } }", json!({})),
        ("rightsChanges", "{ rightsChanges { nodes { id } } }", json!({})),
        ("resources", "{ resources { nodes { id } } }", json!({})),
        ("serviceTokens", "{ serviceTokens { nodes { id } } }", json!({})),
        ("settings", "{ settings { serverVersion } }", json!({})),
        ("users", "{ users { nodes { createdAt } } }", json!({})),
        ("viewer", "{ viewer { user { id } } }", json!({})),
        ("workflow", "{ workflow(code: \"cloud\") { code transitions { action } } }", json!({})),
        ("workflows", "{ workflows { code } }", json!({})),
    ]
}

const SUBSCRIPTIONS: [(&str, &str); 2] = [
    ("orderEvents", "subscription { orderEvents { kind orderId } }"),
    ("orderStatusChanged", "subscription { orderStatusChanged { kind orderId } }"),
];

/// What is for those who have no token yet.
const OPEN: [&str; 4] =
    ["Mutation.invitationAccept", "Mutation.login", "Mutation.passwordReset", "Mutation.refresh"];

/// Every mutation that is about no order, tried by every role.
async fn account(app: &App, golden: &mut Golden) {
    let provider = app.company.provider_org.to_string();
    let wanted = json!({ "name": "robot", "organization": provider, "actions": ["fulfill"] });
    let create = "mutation($input: ServiceTokenCreateInput!) { serviceTokenCreate(input: $input) { \
        serviceToken { id } errors { code } } }";
    let made = app.admin().data(create, json!({ "input": wanted })).await;
    let made = made["serviceTokenCreate"]["serviceToken"]["id"].clone();
    let current = json!({ "current": "a wrong password", "new": "another wrong password" });
    let whom = app.company.consumer.id.to_string();
    let held = json!({ "workflow": "delivery", "code": "on_hold", "label": "On hold", "category": "PENDING",
        "color": "#7c3aed" });
    let customer = app.company.customer.to_string();
    let owner = json!({ "user": app.company.approver.id.to_string(), "organization": customer });
    let role = json!({ "user": whom, "organization": customer, "role": "CONSUMER" });
    let invited = json!({ "organization": provider, "role": "MANAGER", "email": "new@example.test" });
    let unknown = "invitation_01h455vb4pex5vsknk084sn02q";
    let job = own_job(app, app.company.admin).await;
    let mutations = [
        ("invitationAccept", json!({ "token": "nonsense", "name": "New", "password": "a new password" })),
        ("invitationCreate", invited),
        ("invitationRevoke", json!({ "invitation": unknown })),
        ("login", json!({ "email": "staff@example.test", "password": "a wrong password" })),
        ("refresh", json!({ "refreshToken": "nonsense" })),
        ("logout", json!({})),
        ("membershipSet", role),
        // Whoever may, finds that the last owner of the customer stays.
        ("membershipRemove", owner),
        ("organizationSave", json!({ "organization": customer })),
        ("passwordChange", current),
        ("passwordReset", json!({ "token": "nonsense", "new": "a new password" })),
        ("passwordResetToken", json!({ "user": whom })),
        ("serviceTokenCreate", wanted),
        ("serviceTokenRevoke", json!({ "serviceToken": made })),
        ("settingsSave", json!({ "expiryEnabled": true })),
        ("userErase", json!({ "user": whom, "confirm": "somebody@example.test" })),
        ("userSave", json!({ "user": whom })),
        ("streamTicket", json!({ "query": "{ __typename }" })),
        ("workflowAddStatus", held),
        ("workflowRetireStatus", json!({ "workflow": "delivery", "code": "on_hold" })),
        ("workflowSave", json!({ "definition": "nonsense" })),
        ("jobCancel", json!({ "job": job })),
        ("workflowMigrateOrders", json!({ "workflow": "cloud", "fromVersion": 1, "toVersion": 1 })),
    ];
    for (field, input) in mutations {
        let (head, tail) = field.split_at(1);
        // A ticket is refused with an error of the whole answer alone.
        let selected = if field == "streamTicket" { "expiresAt" } else { "errors { code }" };
        let document = format!(
            "mutation($input: {}{tail}Input!) {{ {field}(input: $input) {{ {selected} }} }}",
            head.to_uppercase()
        );
        for (role, client) in app.roles() {
            let answer = client.send(&document, json!({ "input": input })).await;
            golden.add(format!("Mutation.{field}"), role, outcome(&answer.body, field));
        }
    }
}

/// What an answer comes to, in a word.
fn outcome(body: &Value, field: &str) -> String {
    if let Some(errors) = body["errors"].as_array() {
        let codes: Vec<_> = errors.iter().filter_map(|error| error["extensions"]["code"].as_str()).collect();
        return codes.join(" ");
    }
    let value = &body["data"][field];
    if let Some(code) = value["errors"][0]["code"].as_str() {
        assert_eq!(value["order"], Value::Null, "refused, and yet an order: {body}");
        return code.to_owned();
    }
    match value["nodes"].as_array().or(value.as_array()).map(Vec::as_slice) {
        _ if value.is_null() => "null".to_owned(),
        Some([]) => "empty".to_owned(),
        Some([Value::Null]) => "null".to_owned(),
        Some(nodes) => format!("{} of them", nodes.len()),
        None => "data".to_owned(),
    }
}

/// Who came to what, by field.
#[derive(Default)]
struct Golden(BTreeMap<String, Vec<(String, Vec<&'static str>)>>);

impl Golden {
    fn add(&mut self, field: String, role: &'static str, outcome: String) {
        let outcomes = self.0.entry(field).or_default();
        match outcomes.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, roles)) => roles.push(role),
            None => outcomes.push((outcome, vec![role])),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (field, outcomes) in &self.0 {
            writeln!(text, "{field}").expect("text");
            for (outcome, roles) in outcomes {
                writeln!(text, "  {outcome}: {}", roles.join(" ")).expect("text");
            }
        }
        text
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_root_field_answers_every_role_as_the_golden_file_says() {
    let app = App::start().await;
    let mut golden = Golden::default();
    let fixture = app.stand(&[Wanted::new(&app.company.server, "pending_payment")]).await.remove(0);
    account(&app, &mut golden).await;
    for (role, client) in app.roles() {
        for (field, document, variables) in queries(&fixture) {
            let answer = client.send(document, variables).await;
            golden.add(format!("Query.{field}"), role, outcome(&answer.body, field));
        }
    }
    subscribe(&app, &fixture, &mut golden).await;
    place(&app, &mut golden).await;
    change(&app, &mut golden).await;
    assert_eq!(golden.0.keys().cloned().collect::<Vec<_>>(), root_fields(&app).await);
    for (field, outcomes) in &golden.0 {
        let refused = outcomes.iter().find(|(outcome, _)| outcome == "UNAUTHENTICATED");
        let expected = (!OPEN.contains(&field.as_str())).then_some(&["anonymous"][..]);
        assert_eq!(refused.map(|(_, roles)| roles.as_slice()), expected, "{field}");
    }
    insta::assert_snapshot!(golden.text());
}

/// Every root field that the schema has.
async fn root_fields(app: &App) -> Vec<String> {
    let query = "{ __schema { queryType { name fields { name } } mutationType { name fields { name } } \
        subscriptionType { name fields { name } } } }";
    let schema = app.staff().data(query, json!({})).await;
    let types = schema["__schema"].as_object().expect("types").values();
    let mut fields: Vec<String> = types
        .flat_map(|root| {
            let fields = root["fields"].as_array().expect("fields").iter();
            fields.map(|field| {
                format!("{}.{}", root["name"].as_str().expect("a name"), field["name"].as_str().expect("one"))
            })
        })
        .collect();
    fields.sort();
    fields
}

/// Each role hears of the fixture, or of nothing before the order that it may see.
async fn subscribe(app: &App, fixture: &str, golden: &mut Golden) {
    let foreign = json!({
        "customer": { "id": app.company.other_customer.to_string() },
        "lines": [{ "product": app.company.rival_server.id.to_string() }],
    });
    let foreign = app.place_input(&app.stranger(), foreign).await;
    let job = own_job(app, app.company.consumer).await;
    let mut listening = Vec::new();
    for (role, client) in app.roles() {
        golden.add("Subscription.orderStatusCounts".to_owned(), role, counted(app, &client).await);
        golden.add("Subscription.jobProgress".to_owned(), role, watched(app, &client, &job).await);
        for (field, document) in SUBSCRIPTIONS {
            let mut subscriber = Subscriber::connect(&app.url, client.token()).await;
            subscriber.start("1", document, json!({})).await;
            let first = subscriber.message().await;
            let body = match first["type"].as_str() {
                Some("error") => json!({ "errors": first["payload"] }),
                _ => first["payload"].clone(),
            };
            match body["errors"].is_array() {
                true => golden.add(format!("Subscription.{field}"), role, outcome(&body, field)),
                false => {
                    assert_eq!(body["data"][field]["kind"], "STARTED", "{role} {body}");
                    listening.push((role, field, subscriber));
                }
            }
        }
    }
    app.act(&app.consumer(), fixture, "cancel", json!({})).await;
    app.act(&app.stranger(), &foreign, "submit", json!({})).await;
    for (role, field, mut subscriber) in listening {
        let heard = subscriber.change().await["orderId"].clone();
        assert!(heard == json!(fixture) || heard == json!(foreign), "{role} {heard}");
        let outcome = if heard == json!(fixture) { "data" } else { "nothing" };
        golden.add(format!("Subscription.{field}"), role, outcome.to_owned());
    }
}

/// Whether the fixture's customer's orders count for this client.
async fn counted(app: &App, client: &Client) -> String {
    let document = "subscription($where: OrderWhereInput) { orderStatusCounts(where: $where) { total } }";
    let customer = json!({ "where": { "customer": { "in": [app.company.customer.to_string()] } } });
    let mut subscriber = Subscriber::connect(&app.url, client.token()).await;
    subscriber.start("1", document, customer).await;
    let first = subscriber.message().await;
    if first["type"] == "error" {
        return outcome(&json!({ "errors": first["payload"] }), "orderStatusCounts");
    }
    let body = &first["payload"];
    match body["data"]["orderStatusCounts"]["total"].as_i64() {
        Some(0) => "nothing".to_owned(),
        Some(_) => "data".to_owned(),
        None => outcome(body, "orderStatusCounts"),
    }
}

/// Whether this client may watch a job.
async fn watched(app: &App, client: &Client, job: &str) -> String {
    let document = "subscription($job: ID!) { jobProgress(job: $job) { id } }";
    let mut subscriber = Subscriber::connect(&app.url, client.token()).await;
    subscriber.start("1", document, json!({ "job": job })).await;
    let first = subscriber.message().await;
    match first["type"].as_str() {
        Some("error") => outcome(&json!({ "errors": first["payload"] }), "jobProgress"),
        _ => outcome(&first["payload"], "jobProgress"),
    }
}

async fn place(app: &App, golden: &mut Golden) {
    let document = "mutation($input: OrderCreateInput!) { orderCreate(input: $input) { order { id } \
        errors { code } } }";
    for (role, client) in app.roles() {
        let input = json!({
            "customer": { "id": app.company.customer.to_string() },
            "lines": [{ "product": app.company.server.id.to_string() }],
        });
        let answer = client.send(document, json!({ "input": input })).await;
        golden.add("Mutation.orderCreate".to_owned(), role, outcome(&answer.body, "orderCreate"));
    }
}

/// Every mutation by every role, on an order of its own.
async fn change(app: &App, golden: &mut Golden) {
    let (roles, mutations) = (app.roles(), mutations(app));
    let wanted: Vec<Wanted> = mutations
        .iter()
        .flat_map(|mutation| std::iter::repeat_n(mutation.wanted.clone(), roles.len()))
        .collect();
    let mut orders = app.stand(&wanted).await.into_iter();
    for mutation in &mutations {
        for (role, client) in &roles {
            let order = orders.next().expect("an order of its own");
            let before = app.staff().status(&order).await;
            let answer = client.send(&mutation.document(), mutation.variables(app, &order).await).await;
            let outcome = outcome(&answer.body, mutation.field);
            if outcome != "data" {
                assert_eq!(app.staff().status(&order).await, before, "{} {role} {outcome}", mutation.field);
            }
            golden.add(format!("Mutation.{}", mutation.field), role, outcome);
        }
    }
}
