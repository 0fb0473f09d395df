//! Every change of rights is kept: who did it to whom, and what it was. And it counts at once.

use domain::{actor::Membership, role::Role};
use serde_json::{Value, json};

use super::{done, refused, seat};
use crate::harness::{App, Client};

const CHANGE: &str = "kind user { name } actor { name } organization { name } before { role offerings } \
    after { role offerings } at";

/// What somebody reads of it, the newest last.
async fn history(client: &Client, arguments: &str) -> Vec<Value> {
    let query = format!("{{ rightsChanges(last: 100{arguments}) {{ nodes {{ {CHANGE} }} }} }}");
    let data = client.data(&query, json!({})).await;
    data["rightsChanges"]["nodes"].as_array().expect("nodes").clone()
}

/// Who did what to whom.
fn words(change: &Value) -> String {
    let text = |at: &str| change.pointer(at).and_then(Value::as_str).unwrap_or("-").to_owned();
    let [actor, kind, user] = ["/actor/name", "/kind", "/user/name"].map(text);
    let [before, after] = ["/before/role", "/after/role"].map(text);
    format!("{actor} {kind} {user} {before} {after}")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changed_whose_rights_is_read_by_administrators_and_the_organisations_owners() {
    let app = App::start().await;
    let company = &app.company;
    let (manager, provider) = (company.manager, company.provider_org.to_string());
    let place = json!({ "user": manager.id.to_string(), "organization": provider });
    app.world.advance(chrono::TimeDelta::seconds(1));
    let mut narrowed = seat(manager, &provider, "MANAGER");
    narrowed["offerings"] = json!([company.server.id.to_string()]);
    done(&app.provider(), "membershipSet", narrowed.clone()).await;
    app.world.advance(chrono::TimeDelta::seconds(1));
    done(&app.provider(), "membershipSet", narrowed).await;
    app.world.advance(chrono::TimeDelta::seconds(1));
    done(&app.admin(), "membershipSet", seat(manager, &provider, "PROVIDER")).await;
    app.world.advance(chrono::TimeDelta::seconds(1));
    done(&app.admin(), "membershipRemove", place).await;
    for disabled in [true, true, false] {
        app.world.advance(chrono::TimeDelta::seconds(1));
        done(&app.admin(), "userSave", json!({ "user": manager.id.to_string(), "disabled": disabled })).await;
    }
    let of_the_manager = history(&app.admin(), &format!(", user: \"{}\"", manager.id)).await;
    let told: Vec<String> = of_the_manager.iter().map(words).collect();
    let expected = [
        "- MEMBERSHIP_ADDED manager - MANAGER",
        "provider MEMBERSHIP_CHANGED manager MANAGER MANAGER",
        "admin MEMBERSHIP_CHANGED manager MANAGER PROVIDER",
        "admin MEMBERSHIP_REMOVED manager PROVIDER -",
        "admin DISABLED manager - -",
        "admin ENABLED manager - -",
    ];
    assert_eq!(told, expected, "each once, and nothing where nothing changed");
    assert_eq!(of_the_manager[1]["after"]["offerings"], json!([company.server.id.to_string()]));
    let there: Vec<String> = history(&app.provider(), "").await.iter().map(words).collect();
    assert_eq!(there[there.len() - 3..], expected[1..4], "an owner reads what happened at home");
    let at_home = history(&app.provider(), &format!(", organization: \"{provider}\"")).await;
    assert_eq!(at_home.len(), there.len());
    assert!(history(&app.rival(), &format!(", organization: \"{provider}\"")).await.is_empty());
    for client in [app.staff(), app.support(), app.worker(), app.consumer(), app.manager()] {
        let answer = client.send("{ rightsChanges { nodes { kind } } }", json!({})).await;
        assert_eq!(answer.codes(), ["FORBIDDEN"]);
    }
    let mut least = [u64::MAX; 2];
    for _ in 0..5 {
        for (least, first) in least.iter_mut().zip([1, 50]) {
            let query = format!("{{ rightsChanges(first: {first}) {{ nodes {{ {CHANGE} }} }} }}");
            *least = (*least).min(app.statements_of(app.admin().data(&query, json!({}))).await.0);
        }
    }
    assert!(least[0] <= least[1] && least[1] <= 4, "{least:?}");
}

const EVENTS: &str = "subscription { orderEvents { kind orderId } }";

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_a_membership_hears_no_more_and_who_gains_one_hears_at_once() {
    let app = App::start().await;
    let company = &app.company;
    let provider =
        Membership { organization: company.provider_org, role: Role::Provider, offerings: Vec::new() };
    let mover = app.enrol("mover", vec![provider]).await;
    let mut stream = app.client(mover).subscribe(EVENTS, json!({})).await;
    assert_eq!(stream.change().await["kind"], "STARTED");
    let first = app.place(&app.consumer(), &company.server, 1).await;
    assert_eq!(stream.change().await["orderId"], json!(first));
    // In one go from one provider to the other; the clock has not moved.
    done(&app.admin(), "membershipSet", seat(mover, company.rival_org, "MANAGER")).await;
    let place = json!({ "user": mover.id.to_string(), "organization": company.provider_org.to_string() });
    done(&app.provider(), "membershipRemove", place).await;
    for _ in 0..5 {
        app.place(&app.consumer(), &company.server, 1).await;
    }
    done(&app.admin(), "membershipSet", seat(mover, company.rival_org, "PROVIDER")).await;
    let last = app.place(&app.consumer(), &company.rival_server, 1).await;
    let heard = stream.change().await;
    assert_eq!(heard["orderId"], json!(last), "nothing of the five, and this: {heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_stays_assigned_to_who_has_left_and_is_out_of_their_reach() {
    let app = App::start().await;
    let company = &app.company;
    let order = app.place(&app.consumer(), &company.parcel, 1).await;
    let assign =
        "mutation($input: OrderAssignAgentInput!) { orderAssignAgent(input: $input) { errors { code } } }";
    let input = json!({ "order": order, "agent": company.agent.id.to_string() });
    app.staff().data(assign, json!({ "input": input })).await;
    assert!(app.agent().status(&order).await.is_some());
    let place = json!({ "user": company.agent.id.to_string(), "organization": company.operator.to_string() });
    done(&app.admin(), "membershipRemove", place).await;
    assert_eq!(app.agent().status(&order).await, None);
    let query = "query($id: ID!) { order(by: { id: $id }) { deliveryAgent { name } timeline(last: 1) { nodes { \
        kind assignedTo { name } } } } }";
    let seen = app.staff().data(query, json!({ "id": order })).await["order"].clone();
    assert_eq!(seen["deliveryAgent"]["name"], "agent");
    assert_eq!(seen["timeline"]["nodes"][0]["assignedTo"]["name"], "agent", "with who had it before");
    let again = json!({ "user": company.agent.id.to_string(), "organization": company.operator.to_string() });
    assert_eq!(refused(&app.admin(), "membershipRemove", again).await, "NOT_FOUND");
}
