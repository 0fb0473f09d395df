//! Jobs: done by whoever is there, each row once, however often whoever is at it is lost; and orders that are moved
//! to another version of their workflow, which are done so.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use domain::{id::JobId, workflow::SOURCES};
use futures_util::future::join_all;
use ordo::{
    app::World,
    store::{
        Store,
        workflow::{Stored, ship},
    },
    usecase::job::{forget, run, turn},
};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{sync::oneshot, time::Instant};

use crate::{
    cli::{ANY_PORT, Server, ordo},
    harness::{Account, App, Client, Database, SECRET, Subscriber, Wanted},
};

const MIGRATE: &str = "mutation($input: WorkflowMigrateOrdersInput!) { workflowMigrateOrders(input: $input) { \
    job { id state kind progress { total done failed } createdBy { id } createdAt startedAt endedAt error \
      refusals { subject code message } } \
    counts { status target orders } errors { __typename code message path } } }";
const JOB: &str = "query($id: ID!) { node(id: $id) { ... on Job { state error progress { total done failed } \
    startedAt endedAt refusals { subject code message } } } }";
const PROGRESS: &str =
    "subscription($job: ID!) { jobProgress(job: $job) { id state progress { total done failed } } }";
const CANCEL: &str = "mutation($input: JobCancelInput!) { jobCancel(input: $input) { job { state endedAt } \
    errors { __typename code message path ... on JobEnded { state } } } }";

/// Every event of a migration.
const MIGRATED: &str = "SELECT COUNT(*) FROM events WHERE action = 'migrate'";
/// Orders with such an event.
const MIGRATED_ORDERS: &str = "SELECT COUNT(DISTINCT subject_id) FROM events WHERE action = 'migrate'";

/// Saves a second version of `cloud`, in which two statuses have other codes.
pub async fn second_version(app: &App) {
    let (code, text) = SOURCES.iter().find(|(code, _)| *code == "cloud").expect("a workflow");
    let renamed = text.replace("validating", "checking").replace("pending_payment", "awaiting_payment");
    let stored = Stored {
        code: (*code).to_owned(),
        version: 2,
        revision: 1,
        definition: format!("version = 2\n{renamed}"),
    };
    ship(&app.inner.store, stored, app.world.mint().id(), app.world.now()).await.expect("shipped");
    app.inner.book.read_again(&app.inner.store).await.expect("read");
}

/// The input that moves every order of `cloud` to its second version.
fn forward() -> Value {
    let mapping = json!([
        { "from": "validating", "to": "checking" },
        { "from": "pending_payment", "to": "awaiting_payment" },
    ]);
    json!({ "workflow": "cloud", "fromVersion": 1, "toVersion": 2, "mapping": mapping })
}

/// So many orders of `cloud` that were placed a while ago, and a second version of it.
async fn shop(orders: usize) -> (App, Vec<String>) {
    let app = App::start().await;
    let orders = app.stand(&vec![Wanted::new(&app.company.server, "pending_payment"); orders]).await;
    app.world.advance(TimeDelta::hours(1));
    second_version(&app).await;
    (app, orders)
}

/// Asks for the migration; the job's id.
async fn ask(app: &App) -> String {
    let payload = app.admin().data(MIGRATE, json!({ "input": forward() })).await;
    let payload = &payload["workflowMigrateOrders"];
    assert_eq!(payload["errors"], json!([]), "{payload}");
    assert_eq!(payload["job"]["state"], "QUEUED");
    payload["job"]["id"].as_str().expect("a job").to_owned()
}

async fn look(app: &App, job: &str) -> Value {
    app.staff().data(JOB, json!({ "id": job })).await["node"].clone()
}

/// Does what is due, to the end; how many tasks that were.
async fn work(app: &ordo::app::App) -> usize {
    let mut tasks = 0;
    while turn(app).await.expect("a turn") {
        tasks += 1;
    }
    tasks
}

/// Another process on the same database.
async fn process(app: &App) -> ordo::app::App {
    let store = Store::open(&app.database_url, 4).await.expect("the store opens");
    let world: Arc<dyn World> = app.world.clone();
    ordo::app::App::start(store, SECRET, world).await.expect("another process")
}

/// From now on nobody can write to this order.
async fn poison(app: &App, order: &str) {
    let id: domain::id::OrderId = order.parse().expect("an id");
    let statements = match Database::of_this_run() {
        Database::Sqlite => format!(
            "CREATE TRIGGER poison BEFORE UPDATE ON orders WHEN OLD.id = x'{}' \
             BEGIN SELECT RAISE(ABORT, 'poison'); END",
            id.0.simple()
        ),
        Database::Postgres => format!(
            "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'poison'; END $$; CREATE TRIGGER poison BEFORE UPDATE ON orders \
             FOR EACH ROW WHEN (OLD.id = '{}') EXECUTE FUNCTION poison()",
            id.0
        ),
    };
    app.second_connection().await.execute_unprepared(&statements).await.expect("poisoned");
}

async fn cure(app: &App) {
    let statement = match Database::of_this_run() {
        Database::Sqlite => "DROP TRIGGER poison",
        Database::Postgres => "DROP TRIGGER poison ON orders",
    };
    app.second_connection().await.execute_unprepared(statement).await.expect("cured");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_to_its_end_and_its_progress_is_heard() {
    let (app, orders) = shop(250).await;
    let job = ask(&app).await;
    let mut stream = app.staff().subscribe(PROGRESS, json!({ "job": job })).await;
    let first = stream.change().await;
    assert_eq!((&first["id"], &first["state"]), (&json!(job), &json!("QUEUED")));
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(run(app.inner.clone(), async { drop(stopped.await) }));
    let mut done = vec![0];
    let last = loop {
        let heard = stream.change().await;
        done.push(heard["progress"]["done"].as_i64().expect("a number"));
        if heard["state"] != "RUNNING" {
            break heard;
        }
    };
    assert_eq!(last["state"], "SUCCEEDED", "{last}");
    assert_eq!(last["progress"], json!({ "total": 250, "done": 250, "failed": 0 }));
    assert!(done.is_sorted(), "{done:?}");
    assert_eq!(stream.message().await["type"], "complete", "a job that has ended has no more to tell");
    drop(stop);
    running.await.expect("it ends when it is told to");
    assert_eq!((app.count_of(MIGRATED).await, app.count_of(MIGRATED_ORDERS).await), (250, 250));
    let moved = "SELECT COUNT(*) FROM orders WHERE workflow_version = 2 AND status = 'awaiting_payment'";
    assert_eq!(app.count_of(moved).await, 250);
    app.act(&app.staff(), &orders[0], "confirm_payment", json!({})).await;
    let ended = look(&app, &job).await;
    assert_eq!((&ended["error"], &ended["refusals"]), (&Value::Null, &json!([])));
    assert_eq!(ended["startedAt"], ended["endedAt"], "the clock stands still");
    // One who comes late is told how it ended.
    let mut late = app.admin().subscribe(PROGRESS, json!({ "job": job })).await;
    assert_eq!(late.change().await["state"], "SUCCEEDED");
    assert_eq!(late.message().await["type"], "complete");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_share_a_job_do_no_row_twice() {
    let (app, orders) = shop(430).await;
    let job = ask(&app).await;
    let other = process(&app).await;
    let until_done = async |process: &ordo::app::App| {
        let mut tasks = 0;
        while app.count_of("SELECT COUNT(*) FROM jobs WHERE state = 'SUCCEEDED'").await == 0 {
            tasks += work(process).await;
        }
        tasks
    };
    let shares = join_all([&app.inner, &other, &app.inner, &other].map(until_done)).await;
    assert_eq!(shares.iter().sum::<usize>(), 7, "planning, five pieces and the last: {shares:?}");
    assert_eq!((app.count_of(MIGRATED).await, app.count_of(MIGRATED_ORDERS).await), (430, 430));
    let ended = look(&app, &job).await;
    assert_eq!(ended["progress"], json!({ "total": 430, "done": 430, "failed": 0 }));
    assert_eq!(orders.len(), 430);
    other.store.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_in_the_middle_leaves_nothing_half_done_or_done_twice() {
    let (app, orders) = shop(330).await;
    let job = ask(&app).await;
    // The last order holds the job up for as long as it takes to kill somebody.
    poison(&app, orders.iter().max().expect("orders")).await;
    let folder = TempDir::new().expect("a folder");
    let serve = async || {
        let mut command = ordo(folder.path(), &ANY_PORT);
        let secret = std::str::from_utf8(SECRET).expect("text");
        command.env("DATABASE_URL", &app.database_url).env("ORDO_JWT_SECRET", secret).env("ORDO_DEMO", "off");
        Server::start(command, "Ordo listens on").await
    };
    let deadline = Instant::now() + Duration::from_secs(90);
    for least in [1, 300] {
        let mut server = serve().await;
        while app.count_of(MIGRATED).await < least {
            assert!(Instant::now() < deadline, "the job does not go on: {}", look(&app, &job).await);
        }
        server.process.kill().await.expect("killed");
    }
    assert!(app.count_of(MIGRATED).await < 330, "it was killed in the middle");
    assert_eq!(look(&app, &job).await["state"], "RUNNING");
    cure(&app).await;
    let server = serve().await;
    while look(&app, &job).await["state"] == "RUNNING" {
        assert!(Instant::now() < deadline, "the job does not end: {}", look(&app, &job).await);
    }
    let ended = look(&app, &job).await;
    assert_eq!(ended["state"], "SUCCEEDED", "{ended}");
    assert_eq!(ended["progress"], json!({ "total": 330, "done": 330, "failed": 0 }));
    assert_eq!((app.count_of(MIGRATED).await, app.count_of(MIGRATED_ORDERS).await), (330, 330));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_that_fails_is_tried_again_with_growing_waits_and_what_was_done_stays() {
    let (app, orders) = shop(130).await;
    let job = ask(&app).await;
    poison(&app, orders.iter().max().expect("orders")).await;
    // The planning, the first hundred, and the thirty that fail.
    assert_eq!(work(&app.inner).await, 3);
    let mut waits = Vec::new();
    while look(&app, &job).await["state"] == "RUNNING" {
        let seen = look(&app, &job).await;
        assert_eq!(seen["progress"]["done"], 100, "all or nothing of a piece");
        let told = seen["error"].as_str().expect("a sentence");
        assert!(told.contains("on our side") && !told.contains("poison"), "{told}");
        let mut wait = 0;
        while work(&app.inner).await == 0 {
            wait += 1;
            assert!(wait < 200, "it is never tried again: {seen}");
            app.world.advance(TimeDelta::seconds(1));
        }
        waits.push(wait);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64]);
    let failed = look(&app, &job).await;
    assert_eq!(failed["state"], "FAILED");
    assert_eq!(failed["progress"], json!({ "total": 130, "done": 100, "failed": 0 }));
    assert!(failed["endedAt"].is_string() && failed["error"].is_string(), "{failed}");
    app.world.advance(TimeDelta::hours(1));
    cure(&app).await;
    assert_eq!(work(&app.inner).await, 0, "nothing more comes of it");
    // Whoever asks again has the rest done.
    let again = ask(&app).await;
    work(&app.inner).await;
    assert_eq!(look(&app, &again).await["progress"], json!({ "total": 30, "done": 30, "failed": 0 }));
    assert_eq!((app.count_of(MIGRATED).await, app.count_of(MIGRATED_ORDERS).await), (130, 130));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_that_fails_once_is_no_failure_of_the_job() {
    let (app, orders) = shop(30).await;
    let job = ask(&app).await;
    poison(&app, &orders[0]).await;
    work(&app.inner).await;
    assert!(look(&app, &job).await["error"].is_string());
    cure(&app).await;
    app.world.advance(TimeDelta::seconds(1));
    work(&app.inner).await;
    let ended = look(&app, &job).await;
    assert_eq!((&ended["state"], &ended["error"]), (&json!("SUCCEEDED"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_somebody_who_was_lost_is_taken_again_when_its_lease_runs_out_and_the_lost_one_has_no_say()
{
    let (app, _) = shop(30).await;
    let job = ask(&app).await;
    assert!(turn(&app.inner).await.expect("planned"));
    let world = app.world.clone();
    let take = async || {
        let mut mint = world.mint();
        let taken = app.inner.store.write(async move |tx| tx.take_task(mint.id(), mint.now()).await);
        taken.await.expect("a transaction")
    };
    let lost = take().await.expect("a task");
    assert_eq!(work(&app.inner).await, 0, "it is somebody's");
    app.world.advance(TimeDelta::seconds(10));
    let heir = take().await.expect("the same task");
    assert_eq!((heir.position, heir.attempts), (lost.position, lost.attempts + 1));
    let holds = async |taken| app.inner.store.write(async move |tx| tx.hold_task(&taken).await).await;
    assert!(!holds(lost).await.expect("an answer") && holds(heir).await.expect("an answer"));
    app.world.advance(TimeDelta::seconds(10));
    work(&app.inner).await;
    assert_eq!(look(&app, &job).await["progress"]["done"], 30);
    // Whoever takes it is lost each time: then the job has failed, rather than go on for ever.
    let (app, _) = shop(1).await;
    let job = ask(&app).await;
    for _ in 0..8 {
        let mut mint = app.world.mint();
        let taken = app.inner.store.write(async move |tx| tx.take_task(mint.id(), mint.now()).await);
        assert!(taken.await.expect("a transaction").is_some());
        app.world.advance(TimeDelta::minutes(2));
    }
    assert_eq!(work(&app.inner).await, 1);
    assert_eq!(look(&app, &job).await["state"], "FAILED");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_stops_between_two_pieces() {
    let (app, _) = shop(250).await;
    let job = ask(&app).await;
    let mut stream = app.staff().subscribe(PROGRESS, json!({ "job": job })).await;
    assert_eq!(stream.change().await["state"], "QUEUED");
    for _ in 0..2 {
        assert!(turn(&app.inner).await.expect("a turn"));
    }
    let cancelled = app.admin().data(CANCEL, json!({ "input": { "job": job } })).await["jobCancel"].clone();
    assert_eq!((&cancelled["errors"], &cancelled["job"]["state"]), (&json!([]), &json!("CANCELLED")));
    assert!(cancelled["job"]["endedAt"].is_string());
    assert_eq!(work(&app.inner).await, 0, "nothing else is begun");
    let left = look(&app, &job).await;
    assert_eq!(left["progress"], json!({ "total": 250, "done": 100, "failed": 0 }));
    assert_eq!(app.count_of(MIGRATED).await, 100);
    assert_eq!(app.count_of("SELECT COUNT(*) FROM tasks WHERE state = 'OPEN'").await, 0);
    let mut last = stream.change().await;
    while last["state"] == "RUNNING" {
        last = stream.change().await;
    }
    assert_eq!(last["state"], "CANCELLED");
    let again = app.admin().data(CANCEL, json!({ "input": { "job": job } })).await["jobCancel"].clone();
    let error = &again["errors"][0];
    assert_eq!((&error["code"], &error["state"]), (&json!("JOB_ENDED"), &json!("CANCELLED")), "{again}");
    assert_eq!(again["job"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cancels_waits_for_the_piece_that_is_under_way() {
    let (app, _) = shop(50).await;
    let job = ask(&app).await;
    assert!(turn(&app.inner).await.expect("planned"));
    // However the two meet, what was done is what is counted.
    let admin = app.admin();
    let both = tokio::join!(turn(&app.inner), admin.send(CANCEL, json!({ "input": { "job": job } })));
    both.0.expect("a turn");
    let answer = &both.1.body["data"]["jobCancel"];
    let (left, done) = (look(&app, &job).await, app.count_of(MIGRATED).await);
    assert_eq!(answer["errors"], json!([]), "{answer}");
    assert_eq!((&left["state"], &left["progress"]["done"]), (&json!("CANCELLED"), &json!(done)));
    assert!(done == 0 || done == 50, "{done}");
}

/// A job of this account's, as the store keeps it.
pub async fn own_job(app: &App, owner: Account) -> String {
    use domain::job::{JobKind, JobState, Progress};
    let mut mint = app.world.mint();
    let id: JobId = mint.id();
    let job = ordo::store::job::Job {
        id,
        kind: JobKind::MigrateOrders,
        state: JobState::Queued,
        input: json!({ "workflow": "cloud", "from": 1, "to": 2, "mapping": [] }),
        owner: owner.id,
        created_at: mint.now(),
        started_at: None,
        ended_at: None,
        progress: Progress::default(),
        error: None,
        refusals: Vec::new(),
    };
    let written = app.inner.store.write(async move |tx| tx.insert_job(&job, mint.id()).await);
    written.await.expect("a job");
    id.to_string()
}

async fn listed(client: &Client, conditions: Value) -> Vec<Value> {
    let query =
        "query($where: JobWhereInput) { jobs(where: $where, first: 50) { nodes { id createdBy { name } } } }";
    let data = client.data(query, json!({ "where": conditions })).await;
    let nodes = data["jobs"]["nodes"].as_array().expect("jobs").iter();
    nodes.map(|node| node["id"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_see_every_job_and_others_their_own() {
    let (app, _) = shop(1).await;
    let of_admin = ask(&app).await;
    app.world.advance(TimeDelta::seconds(1));
    let of_consumer = own_job(&app, app.company.consumer).await;
    for (role, client) in app.roles().into_iter().filter(|(role, _)| *role != "anonymous") {
        let seen = listed(&client, json!({})).await;
        let expected = match role {
            "admin" | "staff" => vec![json!(of_consumer), json!(of_admin)],
            "consumer" => vec![json!(of_consumer)],
            _ => Vec::new(),
        };
        assert_eq!(seen, expected, "{role}");
        for job in [&of_admin, &of_consumer] {
            let sees = expected.contains(&json!(job));
            let found = client.data(JOB, json!({ "id": job })).await;
            assert_eq!(found["node"].is_object(), sees, "{role}");
            let mut stream = Subscriber::connect(&app.url, client.token()).await;
            stream.start("1", PROGRESS, json!({ "job": job })).await;
            let first = stream.message().await;
            assert_eq!(first["type"] == "next" && first["payload"].get("errors").is_none(), sees, "{first}");
        }
    }
    let code = async |client: Client, job: &str| {
        let answer = client.send(CANCEL, json!({ "input": { "job": job } })).await;
        let expected = answer.body["data"]["jobCancel"]["errors"][0]["code"].as_str().map(str::to_owned);
        expected.or_else(|| answer.codes().first().map(|code| (*code).to_owned()))
    };
    assert_eq!(code(app.staff(), &of_admin).await.as_deref(), Some("FORBIDDEN"));
    assert_eq!(code(app.stranger(), &of_consumer).await.as_deref(), Some("NOT_FOUND"));
    assert_eq!(code(app.consumer(), &of_admin).await.as_deref(), Some("NOT_FOUND"));
    assert_eq!(code(app.consumer(), &of_consumer).await, None);
    assert_eq!(code(app.admin(), &of_admin).await, None);
    let cancelled = json!({ "state": { "in": ["CANCELLED"] }, "kind": { "in": ["MIGRATE_ORDERS"] } });
    assert_eq!(listed(&app.staff(), cancelled).await.len(), 2);
    assert_eq!(listed(&app.staff(), json!({ "state": { "in": [] } })).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_about_a_job_ends_with_the_right_to_see_it() {
    let (app, _) = shop(130).await;
    let job = ask(&app).await;
    let mut stream = app.staff().subscribe(PROGRESS, json!({ "job": job })).await;
    assert_eq!(stream.change().await["state"], "QUEUED");
    let staff = sea_orm::Value::Uuid(Some(app.company.staff.id.0));
    assert_eq!(app.execute("DELETE FROM memberships WHERE user_id = $1", [staff]).await, 1);
    // Rights are taken as read for a second.
    tokio::time::sleep_until(Instant::now() + Duration::from_millis(1_100)).await;
    work(&app.inner).await;
    let told = stream.message().await;
    let error = &told["payload"]["errors"][0]["extensions"]["code"];
    let error = if error.is_null() { &told["payload"][0]["extensions"]["code"] } else { error };
    assert_eq!(error, "BAD_USER_INPUT", "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_ended_long_ago_are_removed_with_their_tasks() {
    let (app, _) = shop(1).await;
    let old = ask(&app).await;
    work(&app.inner).await;
    app.world.advance(TimeDelta::days(2));
    let newer = own_job(&app, app.company.admin).await;
    app.world.advance(TimeDelta::days(28));
    assert_eq!(forget(&app.inner).await.expect("removed"), 0, "thirty days are kept");
    app.world.advance(TimeDelta::seconds(1));
    assert_eq!(forget(&app.inner).await.expect("removed"), 1);
    assert_eq!(look(&app, &old).await, Value::Null);
    assert_eq!(look(&app, &newer).await["state"], "QUEUED", "what has not ended is kept");
    assert_eq!(app.count_of("SELECT COUNT(*) FROM tasks").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_for_work_costs_one_statement_when_there_is_none_and_lists_cost_the_same_for_one_and_many() {
    let (app, _) = shop(1).await;
    let (idle, done) = app.statements_of(async { turn(&app.inner).await }).await;
    assert_eq!((idle, done.expect("a turn")), (1, false));
    let staff = app.staff();
    own_job(&app, app.company.admin).await;
    listed(&staff, json!({})).await;
    let (one, _) = app.statements_of(listed(&staff, json!({}))).await;
    for account in [app.company.consumer, app.company.staff, app.company.provider] {
        own_job(&app, account).await;
    }
    let (many, jobs) = app.statements_of(listed(&staff, json!({}))).await;
    assert_eq!((many, jobs.len()), (one, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_a_hundred_open_jobs_at_most() {
    let (app, _) = shop(1).await;
    for _ in 0..100 {
        own_job(&app, app.company.admin).await;
    }
    let answer = app.admin().send(MIGRATE, json!({ "input": forward() })).await;
    assert_eq!(answer.codes(), ["RATE_LIMITED"]);
    assert_eq!(app.count("jobs").await, 100);
}
