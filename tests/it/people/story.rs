//! A provider from nothing (rows 002-09, 002-14 of our comparison): an administrator makes it, its owner comes by
//! invitation and invites a manager for one offering, who sees that offering's orders until removed.

use serde_json::{Value, json};

use super::{done, log_in, newcomer, refused, tell, users};
use crate::harness::App;

const ORDERS: &str = "{ orders { nodes { id } } }";
const EVENTS: &str = "subscription { orderEvents { kind orderId } }";

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_invites_a_manager_for_one_offering_whose_orders_are_all_that_the_manager_sees() {
    let app = App::start().await;
    let company = &app.company;
    let provider = company.provider_org.to_string();
    let invitation = json!({ "organization": provider, "role": "PROVIDER", "email": "Petra@Example.test" });
    let owner = newcomer(&app, &app.admin(), invitation).await;
    let manager = newcomer(
        &app,
        &owner,
        json!({
            "organization": provider,
            "role": "MANAGER",
            "offerings": [company.webspace.id.to_string()],
            "email": "marek@example.test",
        }),
    )
    .await;
    let mut stream = manager.subscribe(EVENTS, json!({})).await;
    assert_eq!(stream.change().await["kind"], "STARTED");
    let server = app.place(&app.consumer(), &company.server, 1).await;
    let webspace = app.place(&app.consumer(), &company.webspace, 1).await;
    assert_eq!(stream.change().await["orderId"], json!(webspace), "no other offering's is told");
    let seen = manager.data(ORDERS, json!({})).await["orders"]["nodes"].clone();
    assert_eq!(seen, json!([{ "id": webspace }]), "and not {server}");
    let viewer = "{ viewer { user { id name email } memberships { role offerings } } }";
    let viewer = manager.data(viewer, json!({})).await["viewer"].clone();
    assert_eq!(viewer["memberships"][0]["role"], "manager");

    let gone = json!({ "user": viewer["user"]["id"], "organization": provider });
    let left = done(&owner, "membershipRemove", gone.clone()).await;
    assert_eq!(left["account"]["memberships"], json!([]));
    assert_eq!(manager.data(ORDERS, json!({})).await["orders"]["nodes"], json!([]));
    // The owner still hears of it; the manager hears nothing more but the next thing that is for them.
    app.place(&app.consumer(), &company.webspace, 1).await;
    let again = json!({ "user": viewer["user"]["id"], "organization": provider, "role": "MANAGER",
        "offerings": [company.cluster.id.to_string()] });
    assert_eq!(refused(&owner, "membershipSet", again.clone()).await, "NOT_FOUND", "invited, not taken");
    done(&app.admin(), "membershipSet", again).await;
    let cluster = app.place(&app.consumer(), &company.cluster, 1).await;
    assert_eq!(stream.change().await["orderId"], json!(cluster), "nothing while they were out");
    assert_eq!(refused(&app.rival(), "membershipRemove", gone).await, "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_is_made_by_an_administrator_and_renamed_by_its_owner() {
    let app = App::start().await;
    let made = json!({ "kind": "PROVIDER", "name": " Cirrus ", "email": "Office@Cirrus.test" });
    let made = done(&app.admin(), "organizationSave", made).await["organization"].clone();
    assert_eq!((&made["name"], &made["email"]), (&json!("Cirrus"), &json!("office@cirrus.test")));
    assert_eq!((&made["kind"], &made["timeZone"]), (&json!("PROVIDER"), &json!("UTC")));
    let invitation = json!({ "organization": made["id"], "role": "PROVIDER", "email": "cira@cirrus.test" });
    let owner = newcomer(&app, &app.admin(), invitation).await;
    let change = json!({ "organization": made["id"], "name": "Cirrus Two", "email": "",
        "timeZone": "Europe/Lisbon" });
    let changed = done(&owner, "organizationSave", change.clone()).await["organization"].clone();
    assert_eq!((&changed["name"], &changed["email"]), (&json!("Cirrus Two"), &Value::Null));
    for client in [app.rival(), app.approver()] {
        assert_eq!(refused(&client, "organizationSave", change.clone()).await, "NOT_FOUND");
    }
    for client in [app.staff(), app.manager(), app.consumer(), app.worker()] {
        assert_eq!(refused(&client, "organizationSave", change.clone()).await, "FORBIDDEN");
    }
    assert_eq!(
        refused(&owner, "organizationSave", json!({ "kind": "COMPANY", "name": "X" })).await,
        "FORBIDDEN"
    );
    for (wrong, path) in [
        (json!({ "name": "nameless" }), "kind"),
        (json!({ "kind": "COMPANY" }), "name"),
        (json!({ "kind": "OPERATOR", "name": "Second" }), "kind"),
        (json!({ "organization": made["id"], "kind": "COMPANY" }), "kind"),
        (json!({ "organization": made["id"], "timeZone": "Mars/Base" }), "timeZone"),
        (json!({ "organization": made["id"], "email": "nobody" }), "email"),
    ] {
        let refused = tell(&app.admin(), "organizationSave", wrong.clone()).await;
        assert_eq!(refused["errors"][0]["path"], json!([path]), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_without_a_password_renamed_disabled_and_enabled() {
    let app = App::start().await;
    let admin = app.admin();
    let made = done(&admin, "userSave", json!({ "email": "Nora@Example.test", "name": "Nora" })).await;
    let user = made["account"]["user"]["id"].clone();
    assert_eq!(made["account"]["user"]["email"], "nora@example.test");
    let twice = tell(&admin, "userSave", json!({ "email": "NORA@example.test", "name": "Other" })).await;
    assert_eq!(twice["errors"][0]["path"], json!(["email"]));
    let moved = tell(&admin, "userSave", json!({ "user": user, "email": "n@example.test" })).await;
    assert_eq!(moved["errors"][0]["path"], json!(["email"]));
    let named = done(&admin, "userSave", json!({ "user": user, "name": "Nora N." })).await;
    assert_eq!(named["account"]["user"]["name"], "Nora N.");
    for client in [app.staff(), app.provider(), app.approver(), app.support()] {
        assert_eq!(refused(&client, "userSave", json!({ "user": user })).await, "FORBIDDEN");
    }

    let invited = json!({ "organization": app.company.operator.to_string(), "role": "STAFF",
        "email": "sasha@example.test" });
    let sasha = newcomer(&app, &admin, invited).await;
    let query = "{ viewer { user { id } } }";
    let id = sasha.data(query, json!({})).await["viewer"]["user"]["id"].clone();
    let mut stream = sasha.subscribe(EVENTS, json!({})).await;
    assert_eq!(stream.change().await["kind"], "STARTED");
    let off = done(&admin, "userSave", json!({ "user": id, "disabled": true })).await;
    assert_eq!(off["account"]["disabledAt"], "2026-03-02T09:00:00.002Z");
    assert_eq!(sasha.send(ORDERS, json!({})).await.codes(), ["UNAUTHENTICATED"]);
    app.place(&app.consumer(), &app.company.server, 1).await;
    assert!(stream.message().await.to_string().contains("UNAUTHENTICATED"), "at once");
    let on = done(&admin, "userSave", json!({ "user": id, "disabled": false })).await;
    assert_eq!(on["account"]["disabledAt"], Value::Null);
    assert_eq!(sasha.send(ORDERS, json!({})).await.codes(), ["UNAUTHENTICATED"], "that session has ended");
    log_in(&app, "sasha@example.test").await.data(ORDERS, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn colleagues_see_each_others_names_owners_their_addresses_and_strangers_nothing() {
    let app = App::start().await;
    let company = &app.company;
    let name = |name: &str, told: bool| (name.to_owned(), told.then(|| format!("{name}@example.test")));
    let shown = users(&app.provider(), json!(null)).await;
    assert_eq!(shown, [name("provider", true), name("manager", true), name("worker", true)]);
    let shown = users(&app.manager(), json!(null)).await;
    assert_eq!(shown, [name("provider", false), name("manager", true), name("worker", false)]);
    let shown = users(&app.consumer(), json!(null)).await;
    assert_eq!(shown, [name("approver", false), name("consumer", true)]);
    let of = |id: domain::id::OrganizationId| json!({ "organization": id.to_string() });
    assert!(users(&app.consumer(), of(company.provider_org)).await.is_empty(), "not theirs");
    for client in [app.staff(), app.support(), app.csr()] {
        assert_eq!(
            users(&client, of(company.customer)).await,
            [name("approver", true), name("consumer", true)]
        );
    }
    assert_eq!(users(&app.staff(), json!(null)).await.len(), 12);
    let search = |text: &str| json!({ "search": text });
    assert_eq!(users(&app.staff(), search("CONSUMER@")).await, [name("consumer", true)]);
    assert!(users(&app.approver(), search("consumer@")).await.is_empty(), "addresses are for the operator");
    assert_eq!(users(&app.approver(), search("Cons")).await, [name("consumer", true)]);
    assert!(users(&app.staff(), search("%%")).await.is_empty(), "signs of patterns are letters");
    done(&app.admin(), "userSave", json!({ "user": company.consumer.id.to_string(), "disabled": true }))
        .await;
    assert_eq!(users(&app.staff(), json!({ "disabled": true })).await, [name("consumer", true)]);
    assert_eq!(users(&app.approver(), json!({ "disabled": true })).await, [name("consumer", true)]);
    let (robot, _) = crate::service_token::machine(&app, json!({})).await;
    assert_eq!(robot.send("{ users { nodes { erasedAt } } }", json!({})).await.codes(), ["FORBIDDEN"]);
    assert_eq!(users(&app.staff(), json!(null)).await.len(), 12, "a machine is nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_people_costs_as_many_statements_whatever_their_number() {
    let app = App::start().await;
    let query = |first: u32| {
        format!(
            "{{ users(first: {first}) {{ nodes {{ user {{ name email }} memberships {{ role \
             organization {{ name kind }} }} }} pageInfo {{ endCursor hasNextPage }} }} }}"
        )
    };
    for client in [app.staff(), app.provider()] {
        let mut least = [u64::MAX; 2];
        for _ in 0..5 {
            for (least, first) in least.iter_mut().zip([1, 100]) {
                let text = query(first);
                *least = (*least).min(app.statements_of(client.data(&text, json!({}))).await.0);
            }
        }
        assert_eq!(least[0], least[1]);
    }
    let first = app.staff().data(&query(5), json!({})).await["users"].clone();
    let after = first["pageInfo"]["endCursor"].as_str().expect("a cursor");
    let rest = format!("{{ users(first: 100, after: \"{after}\") {{ nodes {{ user {{ name }} }} }} }}");
    let rest = app.staff().data(&rest, json!({})).await["users"].clone();
    assert_eq!(rest["nodes"].as_array().expect("nodes").len(), 7);
}
