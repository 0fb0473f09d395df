//! What the store says to the database: one statement whatever the number of orders, the same text
//! again and again; and the log, dense and in each order's own order whoever writes at once.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::NaiveDate;
use domain::{
    actor::{Actor, Parties},
    order::{Assignee, Command, Facts, Filter, Head, Setting, decide},
};
use ordo::{
    app::World,
    store::{Reads, Store, event, list::Sort, order},
};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;

use crate::harness::{App, Database, plan::Asked};

/// The text of a customer's list that is narrowed to so many agents.
async fn narrowed(app: &App, agents: usize) -> String {
    let customer = Some(vec![app.company.customer]);
    let agent = Some((0..agents).map(|_| app.world.mint().id()).collect());
    let filter = Filter { customer, agent, ..Filter::default() };
    let asked = Asked { sort: Sort::CreatedAt, descending: true, filter, after: None, limit: 26 };
    app.page_statement(&app.grants(app.company.staff).await, &asked, &[]).sql
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_ids_is_one_text_or_one_of_few() {
    let app = App::start().await;
    let mut texts = BTreeSet::new();
    for count in 1..=50 {
        texts.insert(narrowed(&app, count).await);
    }
    let few = if app.inner.store.stamps_late() { 1 } else { 7 };
    assert_eq!(texts.len(), few, "{texts:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_beyond_those_that_a_text_is_padded_to_find_nothing_more() {
    let app = App::start().await;
    let crowd = app.crowd(21, 9).await;
    let actor = ordo::usecase::session::actor(
        &app.inner,
        &ordo::usecase::session::Credentials::of(app.company.admin.id, None),
    )
    .await
    .expect("an actor");
    for count in 0..=crowd.len() {
        let ids: Vec<_> = crowd[..count].iter().map(|head| head.id).collect();
        let found = order::by_ids(&app.inner.store, &actor, &ids).await.expect("orders");
        assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), ids.into_iter().collect());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_back_is_what_was_written() {
    let app = App::start().await;
    let crowd = app.crowd(22, 40).await;
    let actor = ordo::usecase::session::actor(
        &app.inner,
        &ordo::usecase::session::Credentials::of(app.company.admin.id, None),
    )
    .await
    .expect("an actor");
    let ids: Vec<_> = crowd.iter().map(|head| head.id).collect();
    let found = order::by_ids(&app.inner.store, &actor, &ids).await.expect("orders");
    for head in &crowd {
        assert_eq!(found.get(&head.id), Some(head));
    }
}

/// Orders that can be submitted, by consumers.
async fn drafts(app: &App, count: usize) -> Vec<String> {
    let mut orders = Vec::new();
    for _ in 0..count {
        orders.push(app.place(&app.consumer(), &app.company.server, 1).await);
    }
    orders
}

/// Hands so many orders to the representative in one transaction, and says what that cost.
async fn hand_over(app: &App, seed: u64, count: usize) -> u64 {
    let mut crowd = app.crowd(seed, count).await;
    crowd.retain(|head| head.deleted_at.is_none() && head.parties.csr != Some(app.company.csr.id));
    let ids: Vec<_> = crowd.iter().map(|head| head.id).collect();
    let actor = ordo::usecase::session::actor(
        &app.inner,
        &ordo::usecase::session::Credentials::of(app.company.csr.id, None),
    )
    .await
    .expect("an actor");
    let to = Assignee { user: app.company.csr.id, actor };
    let (inner, changed) = (app.inner.clone(), ids.clone());
    // A store of its own, so that what the feed reads meanwhile is not counted.
    let mut store = Store::open(&app.database_url, 1).await.expect("the store opens");
    let counter = Arc::new(AtomicU64::new(0));
    store.count_statements(counter.clone());
    let work = store.write(async move |tx| {
        let facts = Facts { products: HashMap::new(), today: NaiveDate::MIN, expiry_enabled: false };
        let mut decisions = Vec::new();
        for order in tx.orders(&Actor::System, &changed).await? {
            let workflow = ordo::usecase::order::workflow(&inner, &*tx, &order.head).await?;
            let setting = Setting { workflow: &workflow, actor: &Actor::System, facts: &facts };
            let command = Command::AssignCsr(Some(to.clone()));
            decisions.push(decide(setting, &order, &command, &mut inner.world.mint())?);
        }
        ordo::store::save(&tx, &decisions).await
    });
    work.await.expect("the orders are handed over");
    let admin = ordo::usecase::session::actor(
        &app.inner,
        &ordo::usecase::session::Credentials::of(app.company.admin.id, None),
    )
    .await
    .expect("an actor");
    let after = order::by_ids(&app.inner.store, &admin, &ids).await.expect("orders");
    assert_eq!(after.len(), ids.len());
    for before in &crowd {
        let head = &after[&before.id];
        assert_eq!(head.parties.csr, Some(app.company.csr.id));
        let parties = Parties { csr: before.parties.csr, ..head.parties };
        let (version, updated_at) = (before.version, before.updated_at);
        assert_eq!(&Head { parties, version, updated_at, ..head.clone() }, before, "nothing else changed");
    }
    counter.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread")]
async fn saving_many_changed_orders_takes_as_many_statements_as_saving_few() {
    let app = App::start().await;
    // What is inserted comes in batches; both fit into one.
    let few = hand_over(&app, 40, 12).await;
    let many = hand_over(&app, 41, 55).await;
    assert_eq!(few, many);
    assert!(many <= 16, "{many} statements");
}

/// Positions of everything in the log, and versions by order, in the order of the positions.
async fn positions(app: &App) -> (Vec<i64>, BTreeMap<String, Vec<i64>>) {
    let (mut seqs, mut versions) = (Vec::new(), BTreeMap::<String, Vec<i64>>::new());
    for record in event::after(&app.inner.store, 0, 10_000).await.expect("the log") {
        seqs.push(record.seq);
        if let Some(logged) = record.order() {
            versions.entry(logged.event.order.to_string()).or_default().push(logged.event.version);
        }
    }
    (seqs, versions)
}

/// What the log begins with: the shipped workflows and the company's memberships.
const FOUNDING: usize = 5 + 12;

/// Waits until the log holds so many events of orders with positions.
async fn stamped(app: &App, events: usize) {
    let events = FOUNDING + events;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while event::after(&app.inner.store, 0, 10_000).await.expect("the log").len() < events {
        assert!(std::time::Instant::now() < deadline, "the log is stamped in time");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_dense_and_in_every_orders_own_order_after_many_wrote_at_once() {
    let app = App::start().await;
    let orders = drafts(&app, 6).await;
    let note = "mutation($input: OrderAddNoteInput!) { orderAddNote(input: $input) { errors { message } } }";
    let writers = (0..48).map(|i| {
        let (client, order) = (app.staff(), orders[i % orders.len()].clone());
        async move {
            let input = json!({ "order": order, "body": format!("note {i}") });
            client.data(note, json!({ "input": input })).await
        }
    });
    for answer in futures_util::future::join_all(writers).await {
        assert_eq!(answer["orderAddNote"]["errors"], json!([]));
    }
    stamped(&app, 6 + 48).await;
    let (seqs, versions) = positions(&app).await;
    assert_eq!(seqs, (1..=FOUNDING as i64 + 54).collect::<Vec<i64>>());
    for (order, versions) in versions {
        assert_eq!(versions, (1..=9).collect::<Vec<i64>>(), "{order}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stampers_at_once_give_each_event_one_position_and_leave_no_hole() {
    if Database::of_this_run() != Database::Postgres {
        return;
    }
    let app = App::start().await;
    app.crowd(23, 400).await;
    let store = &app.inner.store;
    let stamping = futures_util::future::join_all((0..6).map(|_| event::stamp(store, None)));
    let writing = async {
        for seed in 0..3 {
            app.crowd(30 + seed, 50).await;
        }
    };
    let (done, ()) = futures_util::join!(stamping, writing);
    assert!(done.into_iter().all(|stamped| stamped.is_ok()));
    stamped(&app, 550).await;
    assert_eq!(event::unstamped(store).await.expect("an answer"), None);
    let (seqs, _) = positions(&app).await;
    assert_eq!(seqs, (1..=FOUNDING as i64 + 550).collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_rolls_back_leaves_neither_row_nor_event() {
    let app = App::start().await;
    let before: Vec<Head> = app.crowd(24, 3).await;
    stamped(&app, 3).await;
    let again = app.inner.store.write(async |tx| {
        let text = "UPDATE orders SET total = total + 1";
        let backend = tx.db().get_database_backend();
        tx.db().execute_raw(Statement::from_string(backend, text)).await?;
        Err::<(), _>(ordo::error::Error::internal("no"))
    });
    assert!(again.await.is_err());
    let actor = ordo::usecase::session::actor(
        &app.inner,
        &ordo::usecase::session::Credentials::of(app.company.admin.id, None),
    )
    .await
    .expect("an actor");
    let ids: Vec<_> = before.iter().map(|head| head.id).collect();
    let after = order::by_ids(&app.inner.store, &actor, &ids).await.expect("orders");
    assert!(before.iter().all(|head| after.get(&head.id) == Some(head)));
}
