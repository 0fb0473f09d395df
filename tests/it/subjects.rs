//! The log tells of more than orders: of accounts whose rights changed and of workflows that were saved, in the
//! same dense series, in nobody's timeline, and without a word about anybody.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use domain::{actor::Membership, id::UserId, role::Role};
use futures_util::future::join_all;
use ordo::{
    app::World,
    store::{
        Store,
        event::{self, Record, Subject},
        session::Because,
        workflow::{self, Stored},
    },
    usecase::upkeep::follow_workflows,
};
use serde_json::json;

use crate::harness::{App, SECRET};

async fn log(app: &App) -> Vec<Record> {
    app.inner.feed.now().await;
    let log = event::after(&app.inner.store, 0, 10_000).await.expect("the log");
    assert!(log.iter().zip(1..).all(|(record, seq)| record.seq == seq), "dense, whatever it is about");
    log
}

/// How often the log has told of an account.
async fn told_of(app: &App, user: UserId) -> usize {
    let log = log(app).await;
    log.iter().filter(|record| matches!(record.subject, Subject::Account(other) if other == user)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_rights_are_in_the_log_with_the_change_and_in_no_stream_of_orders() {
    let app = App::start().await;
    let mut stream = app.admin().subscribe("subscription { orderEvents { kind orderId } }", json!({})).await;
    assert_eq!(stream.change().await["kind"], "STARTED");
    let create = "mutation($input: ServiceTokenCreateInput!) { serviceTokenCreate(input: $input) { \
        serviceToken { id } errors { code } } }";
    let organization = app.company.provider_org.to_string();
    let input = json!({ "name": "robot", "organization": organization, "actions": ["fulfill"] });
    let made = app.provider().data(create, json!({ "input": input })).await;
    let token = made["serviceTokenCreate"]["serviceToken"]["id"].clone();
    let id: domain::id::ServiceTokenId = token.as_str().expect("an id").parse().expect("an id");
    assert_eq!(told_of(&app, UserId(id.0)).await, 1, "made");
    let revoke = "mutation($input: ServiceTokenRevokeInput!) { serviceTokenRevoke(input: $input) { errors { code } } }";
    for _ in 0..2 {
        app.provider().data(revoke, json!({ "input": { "serviceToken": token } })).await;
        assert_eq!(told_of(&app, UserId(id.0)).await, 2, "revoked, once");
    }
    let staff = app.company.staff.id;
    let known = told_of(&app, staff).await;
    let sessions = begin_sessions(&app, staff, 3).await;
    assert_eq!(told_of(&app, staff).await, known, "a session that begins takes nothing away");
    let now = app.world.now();
    for _ in 0..2 {
        let first = sessions[0];
        let ended = app.inner.store.write(async move |tx| tx.end_session(first, Because::Logout, now).await);
        ended.await.expect("ended");
        assert_eq!(told_of(&app, staff).await, known + 1, "ended, once");
    }
    for _ in 0..2 {
        let noted = app.world.mint().id();
        let ended = app
            .inner
            .store
            .write(async move |tx| tx.end_sessions(noted, (staff, None), Because::Password, now).await);
        ended.await.expect("ended");
        assert_eq!(told_of(&app, staff).await, known + 2, "all that were left, once");
    }
    let order = app.place(&app.consumer(), &app.company.server, 1).await;
    assert_eq!(stream.change().await["orderId"], json!(order), "nothing but orders is told");
    // Names and addresses of the tests' people hold these.
    let words = "SELECT COUNT(*) FROM events WHERE subject_kind <> 'ORDER' AND (before IS NOT NULL OR after IS NOT \
        NULL OR reason IS NOT NULL OR CAST(detail AS TEXT) LIKE '%@%' OR CAST(detail AS TEXT) LIKE '%robot%')";
    assert_eq!(app.count_of(words).await, 0, "ids alone, so that a person can be erased");
}

async fn begin_sessions(app: &App, user: UserId, count: usize) -> Vec<domain::id::SessionId> {
    let (mut mint, now) = (app.world.mint(), app.world.now());
    let ids: Vec<domain::id::SessionId> = (0..count).map(|_| mint.id()).collect();
    let begun = ids.clone();
    let work = app.inner.store.write(async move |tx| {
        for id in begun {
            tx.begin_session(id, user, now, now + TimeDelta::days(1)).await?;
        }
        Ok(())
    });
    work.await.expect("sessions");
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_one_account_at_once_take_turns() {
    let app = App::start().await;
    let user = app.enrol("busy", Vec::new()).await.id;
    let organization = app.company.operator;
    let writes =
        [Role::Admin, Role::Staff, Role::Support, Role::Csr, Role::Agent, Role::Manager].map(|role| {
            let (mut mint, store) = (app.world.mint(), app.inner.store.clone());
            async move {
                let member = Membership { organization, role, offerings: Vec::new() };
                let written = store
                    .write(async move |tx| tx.insert_membership(mint.id(), user, &member, mint.now()).await);
                written.await.expect("a membership");
            }
        });
    join_all(writes).await;
    assert_eq!(told_of(&app, user).await, 6);
    let versions = "SELECT MAX(subject_version) FROM events WHERE subject_kind = 'ACCOUNT'";
    assert_eq!(app.count_of(versions).await, 6);
}

/// The cloud workflow at a later version, with another name.
pub fn newer() -> Stored {
    let (code, text) =
        domain::workflow::SOURCES.iter().find(|(code, _)| *code == "cloud").expect("a workflow");
    let definition = format!("version = 2\n{}", text.replacen("version = 1\n", "", 1));
    Stored { code: (*code).to_owned(), version: 2, revision: 1, definition }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_learns_which_workflow_another_one_shipped() {
    let app = App::start().await;
    let store = Store::open(&app.database_url, 4).await.expect("the store opens");
    let world: Arc<dyn World> = app.world.clone();
    let old = ordo::app::App::start(store, SECRET, world).await.expect("another process");
    let feed = tokio::spawn(old.feed.clone().run());
    let follower = old.clone();
    let following = tokio::spawn(async move { follow_workflows(&follower).await });
    let version = |app: &ordo::app::App| app.book.newest("cloud").expect("a workflow").version;
    assert_eq!((version(&app.inner), version(&old)), (1, 1));
    for _ in 0..2 {
        let (noted, now) = (app.world.mint().id(), app.world.now());
        workflow::ship(&app.inner.store, newer(), noted, now).await.expect("shipped");
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while version(&old) != 2 {
        assert!(Instant::now() < deadline, "the other process has not learned of it");
        tokio::task::yield_now().await;
    }
    assert!(old.book.version("cloud", 1).is_some(), "orders of the old version go on");
    let saved = log(&app).await.into_iter().filter_map(|record| match record.subject {
        Subject::Workflow(code) => Some(code),
        _ => None,
    });
    let saved: Vec<String> = saved.collect();
    assert_eq!(saved.len(), 6, "five at the first start, none at the second, one newer: {saved:?}");
    assert_eq!(saved.last().map(String::as_str), Some("cloud"));
    following.abort();
    feed.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_of_a_newer_version_of_the_program_holds_its_place_and_nothing_else() {
    let app = App::start().await;
    let mut stream = app.staff().subscribe("subscription { orderEvents { kind orderId } }", json!({})).await;
    assert_eq!(stream.change().await["kind"], "STARTED");
    let seq = if app.inner.store.stamps_late() { "NULL" } else { "(SELECT MAX(seq) + 1 FROM events)" };
    let sql = format!(
        "INSERT INTO events (seq, uid, subject_kind, subject_id, subject_version, kind, actor_kind, reason_public, \
         audience, at) SELECT {seq}, $1, 'WEATHER', subject_id, subject_version, 'DONE', 'SYSTEM', FALSE, 'STAFF', at \
         FROM events ORDER BY id LIMIT 1"
    );
    let id: domain::id::EventId = app.world.mint().id();
    assert_eq!(app.execute(&sql, [sea_orm::Value::Uuid(Some(id.0))]).await, 1);
    let order = app.place(&app.consumer(), &app.company.server, 1).await;
    assert_eq!(stream.change().await["orderId"], json!(order));
    let unknown =
        log(&app).await.into_iter().filter(|record| matches!(record.subject, Subject::Unknown)).count();
    assert_eq!(unknown, 1);
}
