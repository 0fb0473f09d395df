//! Versions and revisions of workflows: what a save is, the definitions alone decide; nobody overwrites what
//! somebody else saved, and orders keep the rules that they were placed under.

use domain::id::EventId;
use futures_util::future::join_all;
use ordo::{
    app::World,
    store::workflow::{self, Stored},
};
use serde_json::{Value, json};

use crate::{
    harness::{App, Wanted},
    workflow::{COUNTS, changed, definition, on_hold, save, saved, set_status},
};

/// A definition without the row of an action.
fn without_row(text: &str, action: &str) -> String {
    let mut rows: Vec<&str> = text.split("[[transition]]\n").collect();
    let before = rows.len();
    rows.retain(|row| !row.starts_with(&format!("action = \"{action}\"")));
    assert_eq!(rows.len(), before - 1, "{text}");
    rows.join("[[transition]]\n")
}

// Row 003-06: the workflow is configured.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_rules_is_a_new_version_and_leaves_old_orders_alone() {
    let app = App::start().await;
    let (admin, staff) = (app.admin(), app.staff());
    let old = app.stand(&[Wanted::new(&app.company.parcel, "pending")]).await.remove(0);
    let text = definition(&app, "delivery").await;
    let unnumbered = changed(&changed(&text, "version = 1\n", ""), "revision = 1\n", "");
    let input = json!({ "definition": without_row(&unnumbered, "process"), "dryRun": true });
    let dry = saved(&admin, "workflowSave", input.clone()).await;
    assert_eq!(dry["change"], "VERSION");
    let rule = "transition `process`: is removed or changed, or something comes before it, from pending";
    assert!(dry["changedRules"].as_array().expect("rules").contains(&json!(rule)), "{dry}");
    assert_eq!(definition(&app, "delivery").await, text, "it was only asked");

    let input = json!({ "definition": input["definition"] });
    let payload = saved(&admin, "workflowSave", input.clone()).await;
    assert_eq!((&payload["workflow"]["version"], &payload["workflow"]["revision"]), (&json!(2), &json!(1)));
    assert_eq!(saved(&admin, "workflowSave", input).await["change"], "NOTHING");
    let new = app.place(&app.consumer(), &app.company.parcel, 1).await;
    let refused = staff.transition(&new, "process", json!({})).await;
    assert_eq!(refused["errors"][0]["code"], "ILLEGAL_TRANSITION", "{refused}");
    assert_eq!(app.act(&staff, &old, "process", json!({})).await["status"]["code"], "processing");
    let query = "{ old: workflow(code: \"delivery\", version: 1) { transitions { action } } \
        new: workflow(code: \"delivery\") { transitions { action } } \
        none: workflow(code: \"delivery\", version: 3) { code } }";
    let versions = staff.data(query, json!({})).await;
    let actions = |name: &str| versions[name]["transitions"].as_array().map(Vec::len);
    assert_eq!((actions("old"), actions("new")), (Some(6), Some(5)));
    assert_eq!(versions["none"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_in_use_is_not_removed_from_its_version() {
    let app = App::start().await;
    let wanted = vec![Wanted::new(&app.company.parcel, "failed"); 3];
    let orders = app.stand(&wanted).await;
    let text = definition(&app, "delivery").await;
    let text = without_row(&changed(&text, "code = \"failed\"", "code = \"broken\""), "fail");
    let text = changed(&text, "\"in_transit\", \"failed\"", "\"in_transit\", \"broken\"");
    let refused = save(&app.admin(), "workflowSave", json!({ "definition": text })).await;
    let told = refused["errors"].as_array().expect("errors");
    assert!(told.iter().all(|error| error["__typename"] == "InvalidDefinition"), "{refused:#}");
    let failed = told.iter().find(|error| error["place"] == "status[failed]").expect("the status");
    let message = failed["message"].as_str().expect("a message");
    assert!(
        message.contains("3 orders of version 1") && message.contains("workflowMigrateOrders"),
        "{message}"
    );

    let next = changed(&changed(&text, "version = 1", "version = 2"), "revision = 1\n", "");
    let payload = saved(&app.admin(), "workflowSave", json!({ "definition": next })).await;
    assert_eq!(payload["workflow"]["version"], 2);
    assert_eq!(app.staff().status(&orders[0]).await.as_deref(), Some("failed"), "its version is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_who_save_at_once_one_wins_each_revision() {
    let app = App::start().await;
    let text = definition(&app, "commerce").await;
    let bare = changed(&changed(&text, "version = 1\n", ""), "revision = 1\n", "");
    for revision in 1..=3 {
        let savers = (0..64).map(async |n| {
            let label = format!("label = \"Shop {revision} of {n}\"");
            let definition = match n % 2 {
                // Half say in the text what it was made from, half beside it.
                0 => changed(&bare, "label = \"", &format!("version = 1\nrevision = {revision}\nlabel = \"")),
                _ => bare.clone(),
            };
            let old = bare.lines().find(|line| line.starts_with("label = ")).expect("a label");
            let mut input = json!({ "definition": changed(&definition, old, &label) });
            if n % 2 == 1 {
                input["expectedVersion"] = 1.into();
                input["expectedRevision"] = revision.into();
            }
            save(&app.admin(), "workflowSave", input).await
        });
        let payloads = join_all(savers).await;
        let (won, lost): (Vec<_>, Vec<_>) =
            payloads.iter().partition(|payload| payload["errors"] == json!([]));
        assert_eq!(won.len(), 1, "{payloads:#?}");
        assert_eq!(won[0]["workflow"]["revision"], revision + 1);
        assert_eq!(definition(&app, "commerce").await, won[0]["workflow"]["definition"], "no write is lost");
        for payload in lost {
            let conflict = &payload["errors"][0];
            assert_eq!(conflict["code"], "WORKFLOW_CONFLICT", "{payload}");
            assert_eq!((&conflict["version"], &conflict["revision"]), (&json!(1), &json!(revision + 1)));
        }
    }
    let added = join_all((0..8).map(async |n| {
        let mut input = on_hold();
        input["code"] = format!("on_hold_{n}").into();
        saved(&app.admin(), "workflowAddStatus", input).await
    }));
    added.await;
    let statuses = definition(&app, "delivery").await.matches("[[status]]").count();
    assert_eq!(statuses, 6 + 8, "statuses added at once are all there");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_and_saved_again_is_the_same_for_every_shipped_workflow() {
    let app = App::start().await;
    for (code, _) in domain::workflow::SOURCES {
        let text = definition(&app, code).await;
        let input = json!({ "definition": text });
        let payload = saved(&app.admin(), "workflowSave", input).await;
        assert_eq!(
            (&payload["change"], &payload["workflow"]["definition"]),
            (&json!("NOTHING"), &json!(text))
        );
        let copy = changed(&text, &format!("code = \"{code}\""), "code = \"copy_of_it\"");
        let copy = changed(&copy, "code = \"copy_of_it\"", &format!("code = \"copy_of_{code}\""));
        let payload = saved(&app.admin(), "workflowSave", json!({ "definition": copy })).await;
        assert_eq!(
            (&payload["change"], &payload["workflow"]["definition"]),
            (&json!("VERSION"), &json!(copy))
        );
        assert_eq!(definition(&app, &format!("copy_of_{code}")).await, copy);
    }
    let query = "{ workflow(code: \"cloud\") { definition } workflows { code } }";
    for (role, client) in app.roles().into_iter().skip(1) {
        let data = client.data(query, json!({})).await;
        let reads = data["workflow"]["definition"].is_string();
        assert_eq!(reads, ["admin", "staff"].contains(&role), "{role}");
        assert_eq!(data["workflows"].as_array().map(Vec::len), Some(10));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_program_brings_nothing_into_a_workflow_that_people_have_edited() {
    let app = App::start().await;
    saved(&app.admin(), "workflowAddStatus", on_hold()).await;
    let theirs = definition(&app, "delivery").await;
    for (code, version, revision, stored) in [
        ("delivery", 1, 9, false),
        ("delivery", 2, 1, false),
        ("commerce", 1, 2, true),
        ("cloud", 2, 1, true),
    ] {
        let source = domain::workflow::SOURCES.iter().find(|(known, _)| *known == code).expect("it ships").1;
        let text: String = source
            .lines()
            .filter(|line| !line.starts_with("version = ") && !line.starts_with("revision = "))
            .map(|line| format!("{line}\n"))
            .collect();
        let definition = format!("version = {version}\nrevision = {revision}\n{text}");
        let shipped = Stored { code: code.to_owned(), version, revision, definition };
        let (noted, now): (EventId, _) = (app.world.mint().id(), app.world.now());
        let done = workflow::ship(&app.inner.store, shipped, noted, now).await.expect("shipped");
        assert_eq!(done, stored, "{code} {version} {revision}");
    }
    app.inner.book.read_again(&app.inner.store).await.expect("read");
    assert_eq!(definition(&app, "delivery").await, theirs);
    let number = |code: &str| app.inner.book.newest(code).map(|known| (known.version, known.revision));
    assert_eq!((number("commerce"), number("cloud")), (Some((1, 2)), Some((2, 1))));
    let again = app.beside().await;
    assert_eq!(definition(&again, "delivery").await, theirs, "another start changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_has_not_heard_of_a_version_reads_it_when_it_meets_an_order() {
    let app = App::start().await;
    let other = app.beside().await;
    let text = definition(&app, "delivery").await;
    let text = changed(&text, "version = 1\nrevision = 1\n", "");
    let next = without_row(&text, "process");
    saved(&app.admin(), "workflowSave", json!({ "definition": next })).await;
    let order = app.place(&app.consumer(), &app.company.parcel, 1).await;
    assert_eq!(other.inner.book.newest("delivery").expect("known").version, 1, "nobody told it");
    let query =
        "query($id: ID!) { order(by: { id: $id }) { status { label } timeline { nodes { to { label } } } } }";
    let seen = other.staff().data(query, json!({ "id": order })).await;
    assert_eq!(seen["order"]["status"]["label"], "Pending");
    assert_eq!(other.inner.book.newest("delivery").expect("known").version, 2);

    saved(&app.admin(), "workflowAddStatus", on_hold()).await;
    assert_eq!(set_status(&app.staff(), &order, "on_hold").await["errors"], json!([]));
    let third = set_status(&other.staff(), &order, "processing").await;
    assert_eq!(third["errors"], json!([]), "it knows the status that the order is in: {third}");
    let renamed = changed(&definition(&app, "delivery").await, "label = \"Delivery\"", "label = \"Parcels\"");
    let renamed = changed(&changed(&renamed, "version = 2\n", ""), "revision = 2\n", "");
    let renamed = changed(&renamed, "code = \"delivery\"", "code = \"parcels\"");
    saved(&app.admin(), "workflowSave", json!({ "definition": renamed })).await;
    let move_over = "UPDATE products SET workflow = 'parcels' WHERE id = $1";
    let parcel = sea_orm::Value::Uuid(Some(app.company.parcel.id.0));
    assert_eq!(app.execute(move_over, [parcel]).await, 1);
    let placed = other.place(&other.consumer(), &app.company.parcel, 1).await;
    let query = "query($id: ID!) { order(by: { id: $id }) { workflowCode } }";
    let seen = other.consumer().data(query, json!({ "id": placed })).await;
    assert_eq!(seen["order"]["workflowCode"], "parcels");
    let mut counts = app.staff().subscribe(COUNTS, json!({})).await;
    assert_eq!(counts.change().await["counts"].as_array().map(Vec::len), Some(2));
}
