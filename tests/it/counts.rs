//! Counts of orders, live: what the lists count, kept true by the log, scoped like every list, and few messages
//! however much happens.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use domain::{
    actor::{Actor, Membership},
    order::{Filter, Head},
    permission::Field,
    role::Role,
    workflow::Category,
};
use futures_util::future::join_all;
use ordo::{
    app::World,
    store::{Reads, event},
    usecase::session,
};
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value as Bound};
use serde_json::{Value, json};

use crate::{
    harness::{App, Client, Subscriber, Wanted},
    list::viewers,
};

const COUNTS: &str = "subscription($where: OrderWhereInput) { orderStatusCounts(where: $where) { \
    cursor total counts { workflowCode status { code label category color isFinal } count } } }";

type Numbers = BTreeMap<(String, String), i64>;

/// The numbers of a message; the total is their sum.
fn numbers(message: &Value) -> Numbers {
    let counts = message["counts"].as_array().expect("counts").iter().map(|one| {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let key = (text(&one["workflowCode"]), text(&one["status"]["code"]));
        (key, one["count"].as_i64().filter(|count| *count > 0).expect("a count above zero"))
    });
    let numbers: Numbers = counts.collect();
    assert_eq!(message["total"], json!(numbers.values().sum::<i64>()), "{message}");
    numbers
}

fn expected(counts: &[(&str, &str, i64)]) -> Numbers {
    counts.iter().map(|(workflow, status, n)| (((*workflow).to_owned(), (*status).to_owned()), *n)).collect()
}

/// What the lists count, status by status, for whoever asks; and that it is all there is.
async fn listed(app: &App, client: &Client) -> Numbers {
    let query = "query($where: OrderWhereInput) { orders(where: $where) { totalCount } }";
    let count = async |conditions: Value| {
        let data = client.data(query, json!({ "where": conditions })).await;
        data["orders"]["totalCount"].as_i64().expect("a count")
    };
    let book = app.inner.book.now();
    let mut numbers = Numbers::new();
    for workflow in book.all() {
        let shown = workflow.statuses.iter().filter(|status| status.category != Category::Archived);
        let codes = shown.flat_map(|status| [status.code.as_str(), status.public_code()]);
        for code in codes.collect::<BTreeSet<_>>() {
            let one = json!({ "workflow": { "in": [workflow.code] }, "status": { "in": [code] } });
            let n = count(one).await;
            if n > 0 {
                numbers.insert((workflow.code.clone(), code.to_owned()), n);
            }
        }
    }
    assert_eq!(numbers.values().sum::<i64>(), count(json!({})).await);
    numbers
}

/// What the rules say that somebody counts of these orders.
fn by_the_rules(app: &App, actor: &Actor, filter: &Filter, orders: &[Head]) -> Numbers {
    let mut numbers = Numbers::new();
    for head in orders {
        let facet = head.facet(&app.inner.book.newest(&head.workflow).expect("a workflow"));
        let standing = actor.standing(&facet.parties, facet.deleted);
        if !standing.is_empty() && filter.matches(&facet, standing) {
            let internal = Field::InternalStatus.shows(standing);
            let status = if internal { facet.status } else { facet.public_status };
            *numbers.entry((facet.workflow, status)).or_default() += 1;
        }
    }
    numbers
}

async fn watch(client: &Client, conditions: Value) -> (Subscriber, Value) {
    let mut stream = client.subscribe(COUNTS, json!({ "where": conditions })).await;
    let first = stream.change().await;
    (stream, first)
}

/// Reads until the numbers are these: how many messages that took.
async fn until(stream: &mut Subscriber, numbers_: &Numbers) -> usize {
    let mut seen = Vec::new();
    loop {
        seen.push(numbers(&stream.change().await));
        if seen.last() == Some(numbers_) {
            return seen.len();
        }
        assert!(seen.len() < 200, "never {numbers_:?}: {seen:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_message_has_the_numbers_of_the_lists_for_everybody_and_every_filter() {
    let app = App::start().await;
    let crowd = app.crowd(51, 150).await;
    app.inner.feed.now().await;
    let (customer, csr) = (app.company.customer, app.company.csr.id);
    let codes = ["cloud", "commerce"].map(str::to_owned).to_vec();
    let ended = vec![Category::Archived, Category::Cancelled, Category::Failed];
    let any = Filter::default;
    let filters = [
        (json!({}), any()),
        (json!({ "workflow": { "in": codes } }), Filter { workflow: Some(codes), ..any() }),
        (
            json!({ "category": { "in": ["ARCHIVED", "CANCELLED", "FAILED"] } }),
            Filter { category: Some(ended), ..any() },
        ),
        (
            json!({ "customer": { "in": [customer.to_string()] } }),
            Filter { customer: Some(vec![customer]), ..any() },
        ),
        (json!({ "csr": { "in": [csr.to_string()] } }), Filter { csr: Some(vec![csr]), ..any() }),
        (json!({ "deleted": true }), Filter { deleted: true, ..any() }),
    ];
    let mut different = BTreeSet::new();
    for (name, account) in viewers(&app).await {
        let client = app.client(account);
        let credentials = session::Credentials::of(account.id, None);
        let actor = session::actor(&app.inner, &credentials).await.expect("an actor");
        for (conditions, filter) in &filters {
            let (_, first) = watch(&client, conditions.clone()).await;
            let wanted = by_the_rules(&app, &actor, filter, &crowd);
            assert_eq!(numbers(&first), wanted, "{name} {conditions}");
            let query = "query($where: OrderWhereInput) { orders(where: $where) { totalCount } }";
            let page = client.data(query, json!({ "where": conditions })).await;
            assert_eq!(page["orders"]["totalCount"], first["total"], "{name} {conditions}");
            different.insert(wanted);
        }
    }
    assert!(different.len() > 20, "only {} different answers", different.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_stay_those_of_the_lists_after_every_step_for_viewers_of_different_scope() {
    let app = App::start().await;
    let clients = [app.staff(), app.consumer(), app.worker(), app.stranger()];
    let mut streams = Vec::new();
    for client in &clients {
        let (stream, first) = watch(client, json!({})).await;
        assert_eq!(numbers(&first), Numbers::new());
        streams.push((client, stream, Numbers::new()));
    }
    let order = app.place(&app.consumer(), &app.company.trial, 1).await;
    let foreign = json!({
        "customer": { "id": app.company.other_customer.to_string() },
        "lines": [{ "product": app.company.rival_server.id.to_string() }],
    });
    let mut steps = vec![(app.consumer(), "submit")];
    steps.extend(["validate", "provision", "fulfill"].map(|action| (app.worker(), action)));
    app.place_input(&app.stranger(), foreign).await;
    for step in 0..=steps.len() {
        if let Some((client, action)) = step.checked_sub(1).map(|step| &steps[step]) {
            app.act(client, &order, action, json!({})).await;
        }
        for (client, stream, known) in &mut streams {
            let shown = listed(&app, client).await;
            if shown != *known {
                until(stream, &shown).await;
                *known = shown;
            }
        }
    }
    let known: Vec<Numbers> = streams.into_iter().map(|(_, _, known)| known).collect();
    let (done, draft) = (("cloud", "fulfilled", 1), ("cloud", "draft", 1));
    // Nobody else's order is counted for anybody.
    let ends = [&[draft, done][..], &[done], &[done], &[draft]].map(expected);
    assert_eq!(known, ends);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_enters_or_leaves_the_filter_or_is_archived_or_deleted_is_counted_so() {
    let app = App::start().await;
    let of = |wanted: Value| json!({ "status": { "in": wanted } });
    let (mut open, first) = watch(&app.staff(), of(json!(["open", "closed"]))).await;
    assert_eq!(first["total"], 0);
    let (mut all, _) = watch(&app.staff(), json!({})).await;
    let (mut archive, _) = watch(&app.staff(), json!({ "category": { "in": ["ARCHIVED"] } })).await;
    let (mut deleted, _) = watch(&app.staff(), json!({ "deleted": true })).await;
    let order = app.place(&app.consumer(), &app.company.pallet, 1).await;
    until(&mut open, &expected(&[("commerce", "open", 1)])).await;
    app.act(&app.staff(), &order, "ship", json!({})).await;
    until(&mut open, &expected(&[])).await;
    until(&mut all, &expected(&[("commerce", "shipped", 1)])).await;
    app.act(&app.staff(), &order, "close", json!({})).await;
    until(&mut open, &expected(&[("commerce", "closed", 1)])).await;
    app.act(&app.staff(), &order, "archive", json!({})).await;
    until(&mut open, &expected(&[])).await;
    until(&mut all, &expected(&[])).await;
    until(&mut archive, &expected(&[("commerce", "archived", 1)])).await;
    let other = app.place(&app.consumer(), &app.company.pallet, 1).await;
    until(&mut all, &expected(&[("commerce", "open", 1)])).await;
    delete(&app, &other).await;
    until(&mut all, &expected(&[])).await;
    until(&mut deleted, &expected(&[("commerce", "open", 1)])).await;
    let count = "{ orders(where: { deleted: true }) { totalCount } }";
    assert_eq!(app.staff().data(count, json!({})).await["orders"]["totalCount"], 1);
}

/// Deletes an order as the write path will: no action does so yet.
async fn delete(app: &App, order: &str) {
    let (order, id): (domain::id::OrderId, domain::id::EventId) =
        (order.parse().expect("an id"), app.world.mint().id());
    let deleted = app.inner.store.write(async move |tx| {
        let db = tx.db();
        let change =
            "UPDATE orders SET deleted_at = updated_at, listed = FALSE, version = version + 1 WHERE id = $1";
        let after = match db.get_database_backend() {
            DbBackend::Postgres => "after || '{\"deleted\": true}'",
            _ => "json_set(after, '$.deleted', json('true'))",
        };
        let note = format!(
            "INSERT INTO events (uid, subject_kind, subject_id, subject_version, kind, actor_kind, \
             reason_public, audience, before, after, at) SELECT $1, subject_kind, subject_id, \
             subject_version + 1, 'DELETED', 'SYSTEM', FALSE, 'PUBLIC', after, {after}, at FROM events \
             WHERE subject_id = $2 ORDER BY subject_version DESC LIMIT 1"
        );
        let (order, id) = (Bound::Uuid(Some(order.0)), Bound::Uuid(Some(id.0)));
        let run = async |sql: &str, values: Vec<Bound>| {
            let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
            db.execute_raw(statement).await
        };
        assert_eq!(run(change, vec![order.clone()]).await?.rows_affected(), 1);
        assert_eq!(run(&note, vec![id, order]).await?.rows_affected(), 1);
        if db.get_database_backend() == DbBackend::Sqlite {
            run("UPDATE events SET seq = id WHERE seq IS NULL", Vec::new()).await?;
        }
        Ok(())
    });
    deleted.await.expect("deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_changes_is_few_messages_and_ends_in_the_right_numbers() {
    let app = App::start().await;
    let (mut stream, _) = watch(&app.staff(), json!({})).await;
    let begun = Instant::now();
    let writers = (0..6).map(async |_| {
        for _ in 0..21 {
            let order = app.place(&app.consumer(), &app.company.trial, 1).await;
            app.act(&app.consumer(), &order, "submit", json!({})).await;
            app.act(&app.worker(), &order, "validate", json!({})).await;
        }
    });
    let reader = async {
        let messages = until(&mut stream, &expected(&[("cloud", "validating", 126)])).await;
        (messages, begun.elapsed())
    };
    let (_, (messages, took)) = tokio::join!(join_all(writers), reader);
    let most = took.as_millis() / 250 + 1;
    assert!(messages as u128 <= most, "{messages} messages in {took:?}");
    assert_eq!(listed(&app, &app.staff()).await.values().sum::<i64>(), 126);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_watch_the_same_are_counted_for_once_and_forgotten_with_the_last() {
    let app = App::start().await;
    app.stand(&[Wanted::new(&app.company.server, "validating")]).await;
    // On PostgreSQL what is committed has its position a moment later, and is counted from then on.
    app.inner.feed.now().await;
    let tallies = &app.inner.tallies;
    assert!(tallies.is_empty());
    let staff = [
        watch(&app.staff(), json!({})).await,
        watch(&app.staff(), json!({})).await,
        // No person stands in their grants, so two of one role are equal; support's are others.
        watch(&app.client(app.enrol("second", vec![operator(&app, Role::Staff)]).await), json!({})).await,
    ];
    assert_eq!(tallies.len(), 1);
    assert!(staff.iter().all(|(_, first)| first["total"] == 1));
    let support = watch(&app.support(), json!({})).await;
    let narrow = watch(&app.staff(), json!({ "workflow": { "in": ["cloud"] } })).await;
    let csrs = [
        watch(&app.csr(), json!({})).await,
        watch(&app.client(app.enrol("second-csr", vec![operator(&app, Role::Csr)]).await), json!({})).await,
    ];
    assert_eq!(tallies.len(), 5, "a representative's orders are that person's");
    drop((staff, support, narrow, csrs));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !tallies.is_empty() {
        assert!(Instant::now() < deadline, "{} counts are left", tallies.len());
        tokio::task::yield_now().await;
    }
}

fn operator(app: &App, role: Role) -> Membership {
    Membership { organization: app.company.operator, role, offerings: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_rights_counts_anew() {
    let app = App::start().await;
    let company = &app.company;
    let of = |organization, role| Membership { organization, role, offerings: Vec::new() };
    let memberships = vec![of(company.provider_org, Role::Provider), of(company.customer, Role::Approver)];
    let account = app.enrol("mover", memberships).await;
    app.stand(&[Wanted::new(&company.server, "validating"), Wanted::new(&company.rival_server, "draft")])
        .await;
    let (mut stream, first) = watch(&app.client(account), json!({})).await;
    // Sold and bought: as the provider it is seen inside, as the customer only the other one's outside.
    assert_eq!(numbers(&first), expected(&[("cloud", "validating", 1), ("cloud", "draft", 1)]));
    let read = Instant::now();
    let sql = "DELETE FROM memberships WHERE role = 'PROVIDER' AND user_id = $1";
    assert_eq!(app.execute(sql, [Bound::Uuid(Some(account.id.0))]).await, 1);
    let outside = |drafts| expected(&[("cloud", "processing", 1), ("cloud", "draft", drafts)]);
    let mut drafts = 1;
    loop {
        // Something has to happen, or the rights are read when the stream has been idle for long.
        app.place(&app.consumer(), &company.server, 1).await;
        drafts += 1;
        let told = numbers(&stream.change().await);
        if told.contains_key(&("cloud".to_owned(), "processing".to_owned())) {
            until_drafts(&mut stream, told, &outside(drafts)).await;
            break;
        }
        assert!(read.elapsed() < Duration::from_secs(10), "{told:?}");
    }
}

async fn until_drafts(stream: &mut Subscriber, told: Numbers, wanted: &Numbers) {
    if told != *wanted {
        until(stream, wanted).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_end_with_the_token_and_refuse_what_cannot_be_followed() {
    let app = App::start().await;
    let short = Client::new(&app.url, Some(app.token(app.company.staff.id, TimeDelta::milliseconds(1_500))));
    let (stream, _) = watch(&short, json!({})).await;
    let (said, code) = stream.until_closed().await;
    assert_eq!(code, Some(4403), "{said:?}");
    for field in ["createdAt", "statusChangedAt"] {
        let since = json!({ "where": { field: { "gte": "2026-01-01T00:00:00Z" } } });
        let mut stream = app.staff().subscribe(COUNTS, since).await;
        let message = stream.message().await.to_string();
        assert!(message.contains("LIVE_FILTER_UNSUPPORTED") && message.contains(field), "{message}");
    }
    let mut stream = Subscriber::open(&app.url).await;
    stream.introduce(None).await;
    stream.start("1", COUNTS, json!({})).await;
    let message = stream.message().await.to_string();
    assert!(message.contains("UNAUTHENTICATED"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cursor_of_the_counts_joins_them_to_the_events() {
    let app = App::start().await;
    app.place(&app.consumer(), &app.company.trial, 1).await;
    app.inner.feed.now().await;
    let (_, first) = watch(&app.staff(), json!({})).await;
    assert_eq!(first["total"], 1);
    let second = app.place(&app.consumer(), &app.company.trial, 1).await;
    let events = "subscription($after: String) { orderEvents(after: $after) { kind orderId } }";
    let mut stream = app.staff().subscribe(events, json!({ "after": first["cursor"] })).await;
    assert_eq!(stream.change().await["kind"], "STARTED");
    let next = stream.change().await;
    assert_eq!((&next["kind"], &next["orderId"]), (&json!("CREATED"), &json!(second)));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_have_no_position_yet_are_not_counted_twice() {
    let app = App::start().await;
    // Nobody stamps: on PostgreSQL the log's head stays behind what is committed.
    let quiet = ordo::store::Store::open(&app.database_url, 4).await.expect("the store opens");
    let grants = app.grants(app.company.staff).await;
    let count = async || {
        let book = app.inner.book.now();
        let counted = ordo::store::count::by_status(&quiet, book, grants.clone(), Default::default());
        counted.await.expect("counts").expect("every workflow is known")
    };
    let writers = join_all((0..8).map(async |_| {
        for _ in 0..10 {
            app.place(&app.consumer(), &app.company.trial, 1).await;
        }
    }));
    let counting = async {
        let mut seen = Vec::new();
        while seen.last().is_none_or(|counted: &ordo::store::count::Counted| counted.tally.total() < 80) {
            seen.push(count().await);
        }
        seen
    };
    let (_, seen) = tokio::join!(writers, counting);
    let log = event::after(&quiet, 0, 10_000).await.expect("the log");
    for counted in seen {
        let told = log.iter().filter(|record| record.seq <= counted.position.seq && record.order().is_some());
        assert_eq!(counted.tally.total(), told.count() as i64, "as of {:?}", counted.position);
    }
    quiet.close().await.expect("closed");
}
