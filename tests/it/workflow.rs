//! Workflows at run time: what an administrator saves is there at once, for orders, filters, counts, colours and
//! streams that were open already, on every instance. What is wrong with it is told at once, too.

use std::sync::Arc;

use ordo::{
    app::World,
    usecase::{
        self,
        upkeep::follow_workflows,
        workflow::{Edit, Terms},
    },
};
use serde_json::{Value, json};

use crate::harness::{App, Client, Wanted};

/// Sends one of the mutations that save workflows.
pub async fn save(client: &Client, field: &str, input: Value) -> Value {
    let (head, tail) = field.split_at(1);
    // One status more, or none that takes orders, changes no rule.
    let rules = if field == "workflowSave" { "changedRules" } else { "" };
    let query = format!(
        "mutation($input: {}{tail}Input!) {{ {field}(input: $input) {{ change {rules} \
         workflow {{ code label version revision definition statuses {{ code label color isRetired }} }} \
         errors {{ __typename code message path ... on InvalidDefinition {{ place }} \
           ... on WorkflowConflict {{ version revision }} }} }} }}",
        head.to_uppercase()
    );
    client.data(&query, json!({ "input": input })).await[field].clone()
}

/// Saves, and is not refused.
pub async fn saved(client: &Client, field: &str, input: Value) -> Value {
    let payload = save(client, field, input).await;
    assert_eq!(payload["errors"], json!([]), "{payload:#}");
    payload
}

/// What a workflow reads like.
pub async fn definition(app: &App, code: &str) -> String {
    let query = "query($code: String!) { workflow(code: $code) { definition } }";
    let data = app.admin().data(query, json!({ "code": code })).await;
    data["workflow"]["definition"].as_str().expect("a definition").to_owned()
}

pub fn on_hold() -> Value {
    json!({ "workflow": "delivery", "code": "on_hold", "label": "On hold", "category": "PENDING",
        "color": "#7c3aed", "editable": true, "after": "pending" })
}

pub async fn set_status(client: &Client, order: &str, to: &str) -> Value {
    let query = "mutation($input: OrderSetStatusInput!) { orderSetStatus(input: $input) { \
        order { status { code label color } availableActions { action } } errors { code message path } } }";
    let input = json!({ "order": order, "to": to });
    client.data(query, json!({ "input": input })).await["orderSetStatus"].clone()
}

/// A text with one piece replaced, which is there.
pub fn changed(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "{old} is not in\n{text}");
    text.replacen(old, new, 1)
}

const COUNTED: &str = "query($status: String!) { orders(where: { status: { in: [$status] } }) { totalCount \
    nodes { status { label color } } } }";
const STREAM: &str = "subscription($where: OrderWhereInput) { orderEvents(where: $where) { kind orderId \
    order { status { code label color } } } }";
pub const COUNTS: &str = "subscription { orderStatusCounts { counts { workflowCode count \
    status { code label color isRetired } } } }";

// Rows 003-12 and 001-23: custom statuses.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_was_added_is_usable_at_once_and_seen_by_streams_that_were_open() {
    let app = App::start().await;
    let other = app.beside().await;
    let following = tokio::spawn({
        let inner = other.inner.clone();
        async move { follow_workflows(&inner).await }
    });
    let order = app.stand(&[Wanted::new(&app.company.parcel, "processing")]).await.remove(0);
    app.inner.feed.now().await;
    let held = json!({ "where": { "status": { "in": ["on_hold"] } } });
    let mut here = app.staff().subscribe(STREAM, held.clone()).await;
    let mut there = other.staff().subscribe(STREAM, held).await;
    let mut counts = other.staff().subscribe(COUNTS, json!({})).await;
    for stream in [&mut here, &mut there] {
        assert_eq!(stream.change().await["kind"], "STARTED");
    }
    assert_eq!(counts.change().await["counts"][0]["status"]["code"], "processing");

    let payload = saved(&app.admin(), "workflowAddStatus", on_hold()).await;
    assert_eq!((&payload["change"], &payload["workflow"]["revision"]), (&json!("REVISION"), &json!(2)));
    let listed = &payload["workflow"]["statuses"][1];
    let look = json!({ "code": "on_hold", "label": "On hold", "color": "#7c3aed", "isRetired": false });
    assert_eq!(*listed, look, "behind the status that was named");

    let moved = set_status(&app.staff(), &order, "on_hold").await;
    assert_eq!(moved["errors"], json!([]), "{moved}");
    assert_eq!(moved["order"]["status"]["label"], "On hold");
    let ways_out = moved["order"]["availableActions"].as_array().expect("actions");
    assert!(ways_out.iter().any(|action| action["action"] == "set_status"), "{moved}");
    for stream in [&mut here, &mut there] {
        let change = stream.change().await;
        assert_eq!((&change["kind"], &change["orderId"]), (&json!("ENTERED"), &json!(order)));
        let status = json!({ "code": "on_hold", "label": "On hold", "color": "#7c3aed" });
        assert_eq!(change["order"]["status"], status);
    }
    let expected = json!([{ "workflowCode": "delivery", "count": 1, "status": look }]);
    while counts.change().await["counts"] != expected {}
    for instance in [&app, &other] {
        instance
            .until("the status is a filter", async || {
                let data = instance.staff().data(COUNTED, json!({ "status": "on_hold" })).await;
                data["orders"]["totalCount"] == 1
                    && data["orders"]["nodes"][0]["status"]["color"] == "#7c3aed"
            })
            .await;
    }
    following.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_status_takes_no_more_orders_and_lets_those_in_it_go() {
    let app = App::start().await;
    let (admin, staff) = (app.admin(), app.staff());
    let wanted = ["processing", "pending"].map(|status| Wanted::new(&app.company.parcel, status));
    let orders = app.stand(&wanted).await;
    let (inside, outside) = (&orders[0], &orders[1]);
    let input = json!({ "workflow": "delivery", "code": "processing" });
    let payload = saved(&admin, "workflowRetireStatus", input.clone()).await;
    assert_eq!((&payload["change"], &payload["workflow"]["version"]), (&json!("REVISION"), &json!(1)));
    assert_eq!(payload["workflow"]["statuses"][1]["isRetired"], true);
    assert_eq!(saved(&admin, "workflowRetireStatus", input).await["change"], "NOTHING");

    let refused = staff.transition(outside, "process", json!({})).await;
    assert_eq!(refused["errors"][0]["code"], "ILLEGAL_TRANSITION", "{refused}");
    let refused = set_status(&staff, outside, "processing").await;
    assert_eq!(refused["errors"][0]["path"], json!(["to"]), "{refused}");
    let offered = !refused["errors"][0]["message"].as_str().expect("a message").contains("processing");
    assert!(offered, "{refused}");
    let query = "query($id: ID!) { order(by: { id: $id }) { status { code label color isRetired } } }";
    let status = staff.data(query, json!({ "id": inside })).await["order"]["status"].clone();
    let look = json!({ "code": "processing", "label": "Processing", "color": "#0891b2", "isRetired": true });
    assert_eq!(status, look);
    let mine = app.agent().data(query, json!({ "id": inside })).await;
    assert_eq!(mine["order"]["status"]["isRetired"], true);
    let buyer = app.approver().data(query, json!({ "id": inside })).await;
    assert_eq!(buyer["order"]["status"]["isRetired"], false, "buyers see what orders have come to");
    assert_eq!(app.act(&staff, inside, "dispatch", json!({})).await["status"]["code"], "in_transit");

    let initial = json!({ "workflow": "delivery", "code": "pending" });
    let refused = save(&admin, "workflowRetireStatus", initial).await;
    assert_eq!(refused["errors"][0]["place"], "status[pending].retired", "{refused}");
    let back = changed(&definition(&app, "delivery").await, "retired = true\n", "");
    assert_eq!(saved(&admin, "workflowSave", json!({ "definition": back })).await["change"], "REVISION");
    assert_eq!(app.act(&staff, outside, "process", json!({})).await["status"]["code"], "processing");
}

/// Texts, and where they are told to be wrong.
fn faulty(delivery: &str) -> Vec<(String, Vec<&'static str>)> {
    let swap = |old: &str, new: &str| changed(delivery, old, new);
    let broken = changed(&swap("to = \"processing\"", "to = \"lost\""), "#d97706", "amber");
    let broken = changed(&broken, "label = \"In transit\"", "label = \"\"");
    let row = |more: &str| {
        format!("{delivery}\n[[transition]]\naction = \"x\"\nlabel = \"X\"\nfrom = [\"pending\"]\n{more}\n")
    };
    let statuses: String = (0..201)
        .map(|n| {
            format!(
                "[[status]]\ncode = \"s{n}\"\nlabel = \"S\"\ncategory = \"PENDING\"\ncolor = \"#000000\"\n"
            )
        })
        .collect();
    let statuses = format!("code = \"big\"\nlabel = \"Big\"\n{statuses}");
    vec![
        ("code = \"x\"\nlabel = = 3".to_owned(), vec!["line 2, column 9"]),
        (swap("\"staff\"", "\"chief\""), vec!["line 52, column 7"]),
        (broken, vec!["status[pending].color", "status[in_transit].label", "transition[0].to"]),
        (
            row("to = \"pending\"\nby = [\"staff\", \"system\"]\nauto = \"paid_in_full\""),
            vec!["transition[6].auto"],
        ),
        (
            row("to = \"failed\"\nby = [\"consumer\"]\neffects = [\"refund_payments\"]"),
            vec!["transition[6].by"],
        ),
        (statuses, vec!["status"]),
        ("#".repeat(300 * 1024), vec!["definition"]),
        (swap("version = 1\n", "version = 7\n"), vec!["version"]),
    ]
}

// Row X-22: the graph is checked before anything follows it.
#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_definition_is_told_at_once_and_at_its_place() {
    let app = App::start().await;
    let before = definition(&app, "delivery").await;
    for (text, places) in faulty(&before) {
        let refused = save(&app.admin(), "workflowSave", json!({ "definition": text })).await;
        let told = refused["errors"].as_array().expect("errors");
        assert!(told.iter().all(|error| error["code"] == "INVALID_DEFINITION"), "{refused:#}");
        let found: Vec<_> = told.iter().filter_map(|error| error["place"].as_str()).collect();
        assert_eq!(found, places, "{refused:#}");
        let path = told[0]["path"].as_array().expect("a path");
        assert_eq!(path[0], "definition");
        assert!(path.len() > 1 || places[0].starts_with("line "), "{refused:#}");
        assert_eq!(refused["workflow"], Value::Null);
    }
    assert_eq!(definition(&app, "delivery").await, before);
    let (world, large): (Arc<dyn World>, _) = (app.world.clone(), Edit::Definition("#".repeat(10 << 20)));
    let refused = usecase::workflow::store(&app.inner.store, &world, large, Terms::default()).await;
    let message = refused.expect_err("ten megabytes are not even read").to_string();
    assert!(message.contains("definition: 10485760 bytes; at most 262144 are allowed"), "{message}");

    let wrong = json!({ "workflow": "delivery", "code": "On Hold", "label": " ", "category": "PENDING",
        "color": "violet", "stallsAfter": 0, "publicCode": "held" });
    let refused = save(&app.admin(), "workflowAddStatus", wrong).await;
    let paths: Vec<_> =
        refused["errors"].as_array().expect("errors").iter().map(|one| one["path"][0].clone()).collect();
    assert_eq!(paths, ["code", "label", "color", "stallsAfter", "publicCode"], "{refused:#}");
    let strict = json!({ "workflow": "cloud", "code": "held", "label": "Held", "category": "PENDING",
        "color": "#000000" });
    let refused = save(&app.admin(), "workflowAddStatus", strict).await;
    assert!(refused["errors"][0]["message"].as_str().expect("a message").contains("give it a transition"));
    for (field, mut input) in
        [("workflowAddStatus", on_hold()), ("workflowRetireStatus", json!({ "code": "pending" }))]
    {
        input["workflow"] = "nowhere".into();
        let refused = save(&app.admin(), field, input).await;
        assert_eq!(refused["errors"][0]["code"], "NOT_FOUND", "{refused}");
        assert_eq!(refused["errors"][0]["path"], json!(["workflow"]));
    }
    let mut nowhere = on_hold();
    nowhere["after"] = "nowhere".into();
    let refused = save(&app.admin(), "workflowAddStatus", nowhere).await;
    assert_eq!(
        (&refused["errors"][0]["code"], &refused["errors"][0]["path"]),
        (&json!("VALIDATION"), &json!(["after"]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_are_saved_by_administrators_alone() {
    let app = App::start().await;
    let before = definition(&app, "delivery").await;
    let query =
        "mutation($input: WorkflowAddStatusInput!) { workflowAddStatus(input: $input) { errors { code } } }";
    for (role, client) in app.roles() {
        let expected = match role {
            "admin" => continue,
            "anonymous" => "UNAUTHENTICATED",
            _ => "FORBIDDEN",
        };
        let answer = client.send(query, json!({ "input": on_hold() })).await;
        assert_eq!(answer.codes(), [expected], "{role}");
    }
    assert_eq!(definition(&app, "delivery").await, before);
}
