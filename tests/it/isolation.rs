//! What is out of reach is indistinguishable from what does not exist: the same answer, the same
//! statements, and not a word in any list, count or stream.

use std::collections::BTreeSet;

use domain::{
    actor::Membership,
    id::{OrderId, ProductId},
    role::Role,
};
use ordo::app::World;
use serde_json::{Value, json};

use crate::{
    authz::mutations,
    harness::{App, Client, Goods, Wanted},
};

/// An order of the customer's consumer, in somebody's hands, with a reference.
struct Hidden {
    id: String,
    number: String,
}

const REFERENCE: &str = "PO-2026-0001";

impl Hidden {
    async fn place(app: &App, goods: &Goods) -> Hidden {
        let input = json!({
            "customer": { "id": app.company.customer.to_string() },
            "lines": [{ "product": goods.id.to_string() }],
            "externalReference": REFERENCE,
        });
        let id = app.place_input(&app.consumer(), input).await;
        let csr = json!({ "input": { "order": id, "csr": app.company.staff.id.to_string() } });
        let assign =
            "mutation($input: OrderAssignCsrInput!) { orderAssignCsr(input: $input) { errors { code } } }";
        assert_eq!(app.staff().data(assign, csr).await["orderAssignCsr"]["errors"], json!([]));
        let agent = json!({ "input": { "order": id, "agent": app.company.agent.id.to_string() } });
        let assign = "mutation($input: OrderAssignAgentInput!) { orderAssignAgent(input: $input) { errors { code } } }";
        assert_eq!(app.staff().data(assign, agent).await["orderAssignAgent"]["errors"], json!([]));
        let query = "query($id: ID!) { order(by: { id: $id }) { number } }";
        let number = app.staff().data(query, json!({ "id": id })).await["order"]["number"].clone();
        Hidden { id, number: number.as_str().expect("a number").to_owned() }
    }
}

/// Everybody for whom the hidden order does not exist, and why; and an order of theirs that does.
async fn outsiders(app: &App) -> Vec<(&'static str, Client)> {
    let company = &app.company;
    let colleague = member(company.customer, Role::Consumer, &[]);
    let manager = member(company.provider_org, Role::Manager, &[company.instant.id]);
    let idle_manager = member(company.provider_org, Role::Manager, &[]);
    let narrowed = member(company.provider_org, Role::Worker, &[company.instant.id]);
    let agent = member(company.operator, Role::Agent, &[]);
    let mut outsiders =
        vec![("stranger", app.stranger()), ("rival", app.rival()), ("csr of other orders", app.csr())];
    for (name, membership) in [
        ("colleague", colleague),
        ("manager of another offering", manager),
        ("manager of nothing", idle_manager),
        ("worker for another offering", narrowed),
        ("agent of other orders", agent),
    ] {
        let account = app.enrol(name, vec![membership]).await;
        outsiders.push((name, app.client(account)));
    }
    outsiders
}

fn member(organization: domain::id::OrganizationId, role: Role, offerings: &[ProductId]) -> Membership {
    Membership { organization, role, offerings: offerings.to_vec() }
}

fn unknown(app: &App) -> String {
    app.world.mint().id::<OrderId>().to_string()
}

/// The same question about an order out of reach and about one that does not exist: the same answer for
/// the same number of statements. The feed's reader polls now and then, so one equal count in five is
/// proof enough: what costs more always costs more.
async fn expect_alike(app: &App, who: &str, client: &Client, document: &str, asked: [(Value, &str); 2]) {
    let mut costs = Vec::new();
    for _ in 0..5 {
        let mut told = Vec::new();
        let mut cost = Vec::new();
        for (variables, name) in &asked {
            let (statements, answer) = app.statements_of(client.send(document, variables.clone())).await;
            told.push(answer.body.to_string().replace(name, "NAME"));
            cost.push(statements);
        }
        assert_eq!(told[0], told[1], "{who}: {document}");
        if cost[0] == cost[1] {
            return;
        }
        costs.push(cost);
    }
    panic!("{who}: statements tell it from a missing one, {costs:?}: {document}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_out_of_reach_reads_like_one_that_does_not_exist() {
    let app = App::start().await;
    let hidden = Hidden::place(&app, &app.company.server).await;
    app.act(&app.consumer(), &hidden.id, "submit", json!({})).await;
    let (other, number) =
        (unknown(&app), if hidden.number == "1000000007" { "1000000008" } else { "1000000007" });
    let customer = app.company.customer.to_string();
    let by = |by: Value| json!({ "by": by });
    let reference = |reference: &str| {
        by(json!({ "externalReference": { "customer": customer, "reference": reference } }))
    };
    let order = "query($by: OrderBy!) { order(by: $by) { id number status { code } \
        timeline { nodes { id } } items { nodes { id } } } }";
    let node = "query($id: ID!) { node(id: $id) { id ... on Order { number items { nodes { id } } } } }";
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Order { number } } }";
    for (who, client) in outsiders(&app).await {
        let (real, fake) = (hidden.id.as_str(), other.as_str());
        let ids = [(by(json!({ "id": real })), real), (by(json!({ "id": fake })), fake)];
        expect_alike(&app, who, &client, order, ids).await;
        let numbers = [
            (by(json!({ "number": hidden.number })), hidden.number.as_str()),
            (by(json!({ "number": number })), number),
        ];
        expect_alike(&app, who, &client, order, numbers).await;
        let references = [(reference(REFERENCE), REFERENCE), (reference("PO-0"), "PO-0")];
        expect_alike(&app, who, &client, order, references).await;
        expect_alike(
            &app,
            who,
            &client,
            node,
            [(json!({ "id": real }), real), (json!({ "id": fake }), fake)],
        )
        .await;
        let several = |id: &str| json!({ "ids": [id, app.company.server.id.to_string(), id] });
        expect_alike(&app, who, &client, nodes, [(several(real), real), (several(fake), fake)]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mutation_tells_an_order_out_of_reach_from_one_that_does_not_exist() {
    let app = App::start().await;
    let server = Hidden::place(&app, &app.company.server).await;
    let before = app.rows(&server.id).await;
    let other = unknown(&app);
    for (who, client) in outsiders(&app).await {
        for mutation in mutations(&app).iter().filter(|mutation| !mutation.is_on_an_attempt()) {
            let document = mutation.document();
            let terms =
                [json!({}), json!({ "expectedVersion": 99 }), json!({ "idempotencyKey": mutation.field })];
            for terms in terms {
                let variables = |order: &str| {
                    let mut variables = mutation.on(order);
                    let terms = terms.as_object().expect("terms").clone();
                    variables["input"].as_object_mut().expect("an input").extend(terms);
                    variables
                };
                let (real, fake) = (server.id.as_str(), other.as_str());
                let asked = [(variables(real), real), (variables(fake), fake)];
                expect_alike(&app, who, &client, &document, asked).await;
                let answer = client.send(&document, variables(real)).await.body;
                let errors = &answer["data"][mutation.field]["errors"];
                assert_eq!(errors[0]["__typename"], "NotFound", "{who} {}: {answer}", mutation.field);
                assert_eq!(errors.as_array().map(Vec::len), Some(1), "{answer}");
            }
        }
    }
    assert_eq!(app.rows(&server.id).await, before, "a stranger's mutation wrote something");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_list_count_or_filter_knows_an_order_out_of_reach() {
    let app = App::start().await;
    let hidden = Hidden::place(&app, &app.company.server).await;
    app.act(&app.consumer(), &hidden.id, "submit", json!({})).await;
    let company = &app.company;
    let wheres = [
        json!({}),
        json!({ "customer": { "in": [company.customer.to_string()] } }),
        json!({ "provider": { "in": [company.provider_org.to_string()] } }),
        json!({ "csr": { "in": [company.staff.id.to_string()] } }),
        json!({ "deliveryAgent": { "in": [company.agent.id.to_string()] } }),
        json!({ "workflow": { "in": ["cloud"] } }),
        json!({ "status": { "in": ["pending_payment"] } }),
        json!({ "category": { "in": ["PENDING"] } }),
        json!({ "currency": "EUR" }),
        json!({ "createdAt": { "gte": "2026-01-01T00:00:00Z" } }),
        json!({ "statusChangedAt": { "gte": "2026-01-01T00:00:00Z" } }),
        json!({ "deleted": true }),
        json!({ "awaitsWorker": true }),
    ];
    let query = "query($where: OrderWhereInput, $orderBy: OrderOrder) { \
        orders(where: $where, orderBy: $orderBy, last: 5) { totalCount nodes { id } edges { cursor } \
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let empty = json!({
        "totalCount": 0, "nodes": [], "edges": [],
        "pageInfo": { "hasNextPage": false, "hasPreviousPage": false, "startCursor": null, "endCursor": null },
    });
    for (who, client) in outsiders(&app).await {
        for condition in &wheres {
            for field in ["CREATED_AT", "STATUS_CHANGED_AT"] {
                let order_by = json!({ "field": field, "direction": "DESC" });
                let variables = json!({ "where": condition, "orderBy": order_by });
                assert_eq!(client.data(query, variables).await["orders"], empty, "{who} {condition} {field}");
            }
        }
    }
}

/// An order that each outsider does see: the proof that nothing came before it.
async fn visible_orders(app: &App, outsiders: &[(&'static str, Client)]) -> BTreeSet<String> {
    let company = &app.company;
    let order = |customer: String, goods: &Goods| json!({ "customer": { "id": customer }, "lines": [{ "product": goods.id.to_string() }] });
    let (ours, theirs) = (company.customer.to_string(), company.other_customer.to_string());
    let colleague = &outsiders.iter().find(|(who, _)| *who == "colleague").expect("one").1;
    let agent = &outsiders.iter().find(|(who, _)| who.starts_with("agent")).expect("one").1;
    let agent = agent.data("{ viewer { user { id } } }", json!({})).await;
    let mut delivered = order(ours.clone(), &company.parcel);
    delivered["deliveryAgent"] = agent["viewer"]["user"]["id"].clone();
    BTreeSet::from([
        app.place_input(&app.stranger(), order(theirs, &company.rival_server)).await,
        app.place_input(colleague, order(ours.clone(), &company.webspace)).await,
        app.place_input(&app.consumer(), order(ours, &company.instant)).await,
        app.place_input(&app.staff(), delivered).await,
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn no_stream_tells_of_an_order_out_of_reach() {
    let app = App::start().await;
    let hidden = Hidden::place(&app, &app.company.server).await;
    let documents = [
        "subscription { orderEvents { kind orderId order { id } event { id } } }",
        "subscription { orderStatusChanged { kind orderId order { id } event { id } } }",
    ];
    let outsiders = outsiders(&app).await;
    let mut streams = Vec::new();
    for (who, client) in &outsiders {
        if *who == "manager of nothing" {
            continue;
        }
        for document in documents {
            let mut stream = client.subscribe(document, json!({})).await;
            assert_eq!(stream.change().await["kind"], "STARTED");
            streams.push((who, stream));
        }
    }
    app.act(&app.consumer(), &hidden.id, "submit", json!({})).await;
    let note = "mutation($input: OrderAddNoteInput!) { orderAddNote(input: $input) { errors { code } } }";
    let input = json!({ "order": hidden.id, "body": "call back", "audience": "PUBLIC" });
    app.staff().data(note, json!({ "input": input })).await;
    app.act(&app.consumer(), &hidden.id, "cancel", json!({})).await;
    let visible = visible_orders(&app, &outsiders).await;
    for (who, mut stream) in streams {
        let first = stream.change().await;
        let id = first["orderId"].as_str().expect("an order").to_owned();
        assert!(visible.contains(&id), "{who} heard of an order out of reach: {first}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_memberships_see_the_union_and_each_order_once() {
    let app = App::start().await;
    let company = &app.company;
    let memberships = vec![
        member(company.provider_org, Role::Provider, &[]),
        member(company.customer, Role::Approver, &[]),
        member(company.operator, Role::Agent, &[]),
    ];
    let both = app.client(app.enrol("both", memberships).await);
    let order = |customer: domain::id::OrganizationId, goods: &Goods| json!({ "customer": { "id": customer.to_string() }, "lines": [{ "product": goods.id.to_string() }] });
    let ours = app.stand(&[Wanted::new(&company.server, "failed")]).await.remove(0);
    let bought = app.place_input(&app.consumer(), order(company.customer, &company.rival_server)).await;
    let sold = app.place_input(&app.stranger(), order(company.other_customer, &company.server)).await;
    app.place_input(&app.stranger(), order(company.other_customer, &company.rival_server)).await;
    let query = "query($where: OrderWhereInput) { orders(where: $where) { totalCount nodes { id \
        availableActions { action } error { message stage } } } }";
    let expected = BTreeSet::from([ours.as_str(), &bought, &sold]);
    for condition in [json!({}), json!({ "workflow": { "in": ["cloud"] } }), json!({ "currency": "EUR" })] {
        let list = both.data(query, json!({ "where": condition })).await["orders"].clone();
        let nodes = list["nodes"].as_array().expect("nodes");
        let found: BTreeSet<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
        assert_eq!(
            (nodes.len(), &found, &list["totalCount"]),
            (3, &expected, &json!(3)),
            "{condition} {list}"
        );
        let actions = |id: &str| {
            let node = nodes.iter().find(|node| node["id"] == id).expect("the order");
            let actions = node["availableActions"].as_array().expect("actions").iter();
            actions.map(|action| action["action"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(actions(&ours), ["retry"], "as its provider");
        assert_eq!(actions(&bought), ["submit", "cancel"], "as its customer");
        assert!(actions(&sold).is_empty(), "a draft is not the provider's to move");
        let failed = nodes.iter().find(|node| node["id"] == json!(ours)).expect("the failed order");
        assert_eq!(failed["error"]["stage"], "provisioning", "the provider's sight is not narrowed");
    }
    // Internal statuses where the viewer provides, public ones where the viewer only buys.
    let by_status = json!({ "status": { "in": ["draft"] } });
    let list = both.data(query, json!({ "where": by_status })).await["orders"].clone();
    assert_eq!(list["totalCount"], 2, "{list}");
}
