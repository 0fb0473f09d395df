//! Attempts and the workers that hold them: claimed once, kept, reported on, lost.

use chrono::TimeDelta;
use domain::{actor::Membership, role::Role};
use futures_util::future::join_all;
use ordo::usecase::order::lose_expired;
use serde_json::{Value, json};

use crate::{
    harness::{App, Client, Wanted},
    service_token::machine,
};

const ERRORS: &str = "errors { code message path ... on AttemptClaimed { until } }";
const WAITING: &str = "{ orders(where: { awaitsWorker: true }) { nodes { id awaitsWorker } eventsCursor } }";

/// Claims an attempt; the whole payload.
pub async fn claim(client: &Client, order: &str, more: Value) -> Value {
    let mut input = json!({ "order": order });
    input.as_object_mut().expect("an input").extend(more.as_object().expect("fields").clone());
    let document = format!(
        "mutation($input: AttemptClaimInput!) {{ attemptClaim(input: $input) {{ fence replayed attempt {{ id \
         number outcome stage isClaimed leaseUntil }} order {{ status {{ code }} awaitsWorker version }} \
         event {{ kind actor {{ name }} }} {ERRORS} }} }}"
    );
    client.data(&document, json!({ "input": input })).await["attemptClaim"].clone()
}

/// What a claim was given, as renewals and reports name it.
pub fn hold(claimed: &Value) -> Value {
    assert_eq!(claimed["errors"], json!([]), "{claimed}");
    json!({ "attempt": claimed["attempt"]["id"], "fence": claimed["fence"] })
}

async fn tell(client: &Client, field: &str, selected: &str, hold: &Value, more: Value) -> Value {
    let mut input = hold.clone();
    input.as_object_mut().expect("an input").extend(more.as_object().expect("fields").clone());
    let (head, tail) = field.split_at(1);
    let document = format!(
        "mutation($input: {}{tail}Input!) {{ {field}(input: $input) {{ {selected} {ERRORS} }} }}",
        head.to_uppercase()
    );
    client.data(&document, json!({ "input": input })).await[field].clone()
}

async fn renew(client: &Client, hold: &Value) -> Value {
    tell(client, "attemptRenew", "leaseUntil", hold, json!({})).await
}

const ORDER: &str =
    "replayed order { status { code } items { nodes { status resource { state backendId } } } }";

async fn succeed(client: &Client, hold: &Value, more: Value) -> Value {
    tell(client, "attemptSucceed", ORDER, hold, more).await
}

async fn fail(client: &Client, hold: &Value) -> Value {
    let error = json!({ "category": "CAPACITY", "message": "no space", "traceback": "rack 7" });
    tell(client, "attemptFail", ORDER, hold, json!({ "error": error })).await
}

fn code(payload: &Value) -> &str {
    payload["errors"][0]["code"].as_str().unwrap_or("none")
}

/// The orders that somebody may claim.
async fn waiting(client: &Client) -> Vec<Value> {
    let found = client.data(WAITING, json!({})).await;
    let nodes = found["orders"]["nodes"].as_array().expect("nodes").clone();
    assert!(nodes.iter().all(|node| node["awaitsWorker"] == true), "{found}");
    nodes.into_iter().map(|node| node["id"].clone()).collect()
}

/// The attempts at an order, as staff reads them.
async fn attempts(app: &App, order: &str) -> Value {
    let query = "query($id: ID!) { order(by: { id: $id }) { version attempts { nodes { number outcome isClaimed \
        leaseUntil error { category message } } } } }";
    app.staff().data(query, json!({ "id": order })).await["order"].clone()
}

async fn confirmed(app: &App) -> String {
    app.stand(&[Wanted::new(&app.company.server, "payment_confirmed")]).await.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_finds_an_order_claims_it_and_provisions_it_to_its_end() {
    let app = App::start().await;
    let order = confirmed(&app).await;
    let worker = app.worker();
    assert_eq!(waiting(&worker).await, [json!(order)]);
    let claimed = claim(&worker, &order, json!({ "leaseSeconds": 90 })).await;
    assert_eq!((&claimed["fence"], &claimed["replayed"]), (&json!(1), &json!(false)));
    assert_eq!(claimed["order"]["status"]["code"], "provisioning");
    assert_eq!(claimed["order"]["awaitsWorker"], false);
    assert_eq!(claimed["event"], json!({ "kind": "UPDATED", "actor": { "name": "worker" } }));
    let attempt = &claimed["attempt"];
    assert_eq!((&attempt["number"], &attempt["outcome"]), (&json!(1), &json!("RUNNING")));
    assert_eq!(attempt["leaseUntil"], "2026-03-02T09:01:30.000Z");
    assert_eq!(waiting(&worker).await, Vec::<Value>::new());
    let done = succeed(&worker, &hold(&claimed), json!({ "backendId": "vm-7" })).await;
    assert_eq!(done["order"]["status"]["code"], "fulfilled", "{done}");
    let resource = json!({ "state": "OK", "backendId": "vm-7" });
    assert_eq!(done["order"]["items"]["nodes"], json!([{ "status": "ACTIVE", "resource": resource }]));
    let after = attempts(&app, &order).await;
    let ended = json!({ "number": 1, "outcome": "SUCCEEDED", "isClaimed": false, "leaseUntil": null,
        "error": null });
    assert_eq!(after["attempts"]["nodes"], json!([ended]));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_workers_that_claim_at_once_exactly_one_holds_the_attempt() {
    let app = App::start().await;
    let provider = app.company.provider_org;
    let worker = Membership { organization: provider, role: Role::Worker, offerings: Vec::new() };
    let second = app.client(app.enrol("second", vec![worker]).await);
    for order in app.stand(&vec![Wanted::new(&app.company.server, "payment_confirmed"); 4]).await {
        let tries = (0..8).map(|i| {
            let (client, order) = (if i % 2 == 0 { app.worker() } else { second.clone() }, order.clone());
            tokio::spawn(async move { claim(&client, &order, json!({})).await })
        });
        let answers = join_all(tries.collect::<Vec<_>>()).await;
        let mut codes: Vec<String> =
            answers.into_iter().map(|answer| code(&answer.expect("an answer")).to_owned()).collect();
        codes.sort();
        let mut wanted = vec!["ATTEMPT_CLAIMED"; 7];
        wanted.push("none");
        assert_eq!(codes, wanted);
        assert_eq!(attempts(&app, &order).await["attempts"]["nodes"].as_array().map(Vec::len), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_runs_out_fails_the_attempt_once_and_late_reports_change_nothing() {
    let app = App::start().await;
    let (order, other) = (confirmed(&app).await, confirmed(&app).await);
    let worker = app.worker();
    let lost = hold(&claim(&worker, &order, json!({})).await);
    let kept = hold(&claim(&worker, &other, json!({ "leaseSeconds": 3600 })).await);
    app.world.advance(TimeDelta::seconds(59));
    assert_eq!(lose_expired(&app.inner).await.expect("a sweep"), 0);
    app.world.advance(TimeDelta::seconds(1));
    let before = app.rows(&order).await;
    for late in [succeed(&worker, &lost, json!({})).await, fail(&worker, &lost).await] {
        assert_eq!((code(&late), &late["order"]), ("LEASE_LOST", &Value::Null));
    }
    assert_eq!(code(&renew(&worker, &lost).await), "LEASE_LOST");
    let claimed = claim(&worker, &order, json!({})).await;
    assert_eq!(code(&claimed), "ATTEMPT_CLAIMED");
    assert_eq!(claimed["errors"][0]["until"], "2026-03-02T09:01:00.000Z");
    assert_eq!(app.rows(&order).await, before, "nothing was written");
    // Two instances come by at once.
    let mut stream = app.staff().subscribe("subscription { orderEvents { kind orderId } }", json!({})).await;
    stream.change().await;
    let sweeps = join_all((0..2).map(|_| lose_expired(&app.inner))).await;
    assert_eq!(sweeps.into_iter().map(|swept| swept.expect("a sweep")).sum::<usize>(), 1);
    let told = stream.change().await;
    assert_eq!((&told["kind"], &told["orderId"]), (&json!("STATUS_CHANGED"), &json!(order)));
    assert_eq!(lose_expired(&app.inner).await.expect("a sweep"), 0);
    assert_eq!(app.staff().status(&order).await.as_deref(), Some("failed"));
    let failed = attempts(&app, &order).await["attempts"]["nodes"][0].clone();
    let error = json!({ "category": "INFRASTRUCTURE", "message": "worker lost" });
    assert_eq!((&failed["outcome"], &failed["error"]), (&json!("FAILED"), &error));
    assert_eq!(code(&succeed(&worker, &lost, json!({})).await), "LEASE_LOST");
    assert_eq!(code(&claim(&worker, &order, json!({})).await), "ILLEGAL_TRANSITION");
    app.act(&app.staff(), &order, "retry", json!({})).await;
    let again = claim(&worker, &order, json!({})).await;
    assert_eq!((&again["attempt"]["number"], &again["fence"]), (&json!(2), &json!(2)));
    assert_eq!(succeed(&worker, &hold(&again), json!({})).await["order"]["status"]["code"], "fulfilled");
    assert_eq!(succeed(&worker, &kept, json!({})).await["order"]["status"]["code"], "fulfilled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_lease_lives_on_and_is_no_news() {
    let app = App::start().await;
    let order = confirmed(&app).await;
    let held = hold(&claim(&app.worker(), &order, json!({})).await);
    let version = attempts(&app, &order).await["version"].clone();
    for _ in 0..3 {
        app.world.advance(TimeDelta::seconds(40));
        assert_eq!(renew(&app.worker(), &held).await["errors"], json!([]));
    }
    assert_eq!(lose_expired(&app.inner).await.expect("a sweep"), 0);
    let after = attempts(&app, &order).await;
    assert_eq!(after["version"], version, "no event");
    assert_eq!(after["attempts"]["nodes"][0]["leaseUntil"], "2026-03-02T09:03:00.000Z");
    for stale in [0, 2] {
        let stale = json!({ "attempt": held["attempt"], "fence": stale });
        for refused in [
            renew(&app.worker(), &stale).await,
            succeed(&app.worker(), &stale, json!({})).await,
            fail(&app.worker(), &stale).await,
        ] {
            assert_eq!(code(&refused), "LEASE_LOST");
        }
    }
    let short = tell(&app.worker(), "attemptRenew", "leaseUntil", &held, json!({ "leaseSeconds": 9 })).await;
    assert_eq!((code(&short), &short["errors"][0]["path"]), ("VALIDATION", &json!(["leaseSeconds"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_answer_was_lost_is_answered_again() {
    let app = App::start().await;
    let order = confirmed(&app).await;
    let key = json!({ "idempotencyKey": "claim-1" });
    let claimed = claim(&app.worker(), &order, key.clone()).await;
    let again = claim(&app.worker(), &order, key.clone()).await;
    assert_eq!((hold(&again), &again["replayed"]), (hold(&claimed), &json!(true)));
    let held = hold(&claimed);
    let key = json!({ "idempotencyKey": "report-1" });
    for replayed in [false, true] {
        let done = succeed(&app.worker(), &held, key.clone()).await;
        assert_eq!((code(&done), &done["replayed"]), ("none", &json!(replayed)));
        assert_eq!(done["order"]["status"]["code"], "fulfilled");
    }
    assert_eq!(
        code(&succeed(&app.worker(), &held, json!({})).await),
        "LEASE_LOST",
        "without the key it is late"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_are_the_workers_and_for_outsiders_there_are_none() {
    let app = App::start().await;
    let order = confirmed(&app).await;
    let held = hold(&claim(&app.worker(), &order, json!({})).await);
    let missing = json!({ "attempt": "attempt_01kjq6fzge7tsvwxyz0123456a", "fence": 1 });
    for (name, client) in
        app.roles().into_iter().filter(|(name, _)| *name != "anonymous" && *name != "worker")
    {
        let outside = ["agent", "approver", "consumer", "stranger", "rival"].contains(&name);
        let wanted = if outside { "NOT_FOUND" } else { "NOT_PERMITTED" };
        for (what, refused) in [
            ("renew", renew(&client, &held).await),
            ("succeed", succeed(&client, &held, json!({})).await),
            ("fail", fail(&client, &held).await),
        ] {
            assert_eq!(code(&refused), wanted, "{name} {what}");
            if outside {
                let nothing = match what {
                    "renew" => renew(&client, &missing).await,
                    "succeed" => succeed(&client, &missing, json!({})).await,
                    _ => fail(&client, &missing).await,
                };
                assert_eq!(refused, nothing, "hidden reads like missing");
            }
        }
        let sees = !["stranger", "rival"].contains(&name);
        let claimed = claim(&client, &order, json!({})).await;
        assert_eq!(code(&claimed), if sees { "NOT_PERMITTED" } else { "NOT_FOUND" }, "{name}");
    }
    assert_eq!(succeed(&app.worker(), &held, json!({})).await["order"]["status"]["code"], "fulfilled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_claims_what_its_actions_and_offerings_reach() {
    let app = App::start().await;
    let orders = app
        .stand(&[
            Wanted::new(&app.company.server, "payment_confirmed"),
            Wanted::new(&app.company.instant, "executing"),
        ])
        .await;
    let (reader, _) = machine(&app, json!({ "actions": [] })).await;
    assert_eq!(code(&claim(&reader, &orders[0], json!({})).await), "NOT_PERMITTED");
    let (completer, _) = machine(&app, json!({ "actions": ["complete", "fail"] })).await;
    assert_eq!(code(&claim(&completer, &orders[0], json!({})).await), "NOT_PERMITTED");
    let offering = json!([app.company.server.id.to_string()]);
    let all = json!(["validate", "provision", "fulfill", "fail"]);
    let (narrow, _) = machine(&app, json!({ "actions": all, "offerings": offering })).await;
    assert_eq!(code(&claim(&narrow, &orders[1], json!({})).await), "NOT_FOUND");
    assert_eq!(waiting(&narrow).await, [json!(orders[0])]);
    let mut both: Vec<Value> = orders.iter().map(|order| json!(order)).collect();
    // Newest first, and ids sort by age.
    both.sort_by_key(|order| std::cmp::Reverse(order.to_string()));
    assert_eq!(waiting(&completer).await, both);
    let held = hold(&claim(&narrow, &orders[0], json!({})).await);
    let failed = fail(&narrow, &held).await;
    assert_eq!(failed["order"]["status"]["code"], "failed", "{failed}");
    let held = hold(&claim(&completer, &orders[1], json!({})).await);
    assert_eq!(code(&fail(&narrow, &held).await), "NOT_FOUND", "of another offering");
    assert_eq!(succeed(&completer, &held, json!({})).await["order"]["status"]["code"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_the_waiting_list_and_then_the_feed_misses_nothing_and_buyers_hear_of_no_claim() {
    let app = App::start().await;
    let worker = app.worker();
    let cursor = worker.data(WAITING, json!({})).await["orders"]["eventsCursor"].clone();
    let order = confirmed(&app).await;
    let events = "subscription($after: String) { orderEvents(after: $after) { kind orderId \
        order { awaitsWorker } event { kind } } }";
    let mut feed = worker.subscribe(events, json!({ "after": cursor })).await;
    let mut buyer = app.consumer().subscribe(events, json!({ "after": cursor })).await;
    loop {
        let change = feed.change().await;
        if change["orderId"] == json!(order) && change["order"]["awaitsWorker"] == true {
            break;
        }
    }
    let held = hold(&claim(&worker, &order, json!({})).await);
    while feed.change().await["event"]["kind"] != "UPDATED" {}
    succeed(&worker, &held, json!({})).await;
    loop {
        let change = buyer.change().await;
        assert_ne!(change["kind"], "UPDATED", "buyers hear of no claim");
        assert_ne!(change["order"]["awaitsWorker"], true, "nor of who waits: {change}");
        if app.consumer().status(&order).await.as_deref() == Some("fulfilled") && change["kind"] != "STARTED"
        {
            break;
        }
    }
    for client in [app.consumer(), app.approver(), app.agent()] {
        let order = confirmed(&app).await;
        assert!(client.status(&order).await.is_some());
        assert_eq!(waiting(&client).await, Vec::<Value>::new());
    }
    let live = "subscription { orderEvents(where: { awaitsWorker: true }) { kind } }";
    let mut refused = worker.subscribe(live, json!({})).await;
    let told = refused.message().await;
    assert_eq!(told["payload"]["errors"][0]["extensions"]["code"], "LIVE_FILTER_UNSUPPORTED", "{told}");
}
