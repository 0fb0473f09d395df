use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::Actor,
    event::{Event, EventKind},
    id::OrderId,
    order::{Filter, Head},
    role::Role,
    workflow::Category,
};

use super::*;
use crate::{
    app::World,
    store::{
        Store, event,
        list::{self, Page, Sort},
    },
};

#[derive(Debug)]
struct Still;

impl World for Still {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).expect("a moment")
    }

    fn seed(&self) -> [u8; 32] {
        [7; 32]
    }
}

async fn loaded(folder: &Path, name: &str) -> App {
    let url = format!("sqlite://{}", folder.join(name).display());
    let store = Store::open(&url, 2).await.expect("a database");
    let app = App::start(store, &[1; 32], Arc::new(Still)).await.expect("an application");
    assert!(is_empty(&app).await.expect("an answer"));
    load(&app).await.expect("the demo company");
    assert!(!is_empty(&app).await.expect("an answer"));
    app
}

async fn heads(app: &App) -> Vec<Head> {
    let filter = Filter { category: Some(Category::ALL.to_vec()), ..Filter::default() };
    let grants = Actor::System.grants();
    let page = Page {
        grants: &grants,
        book: &app.book.now(),
        filter: &filter,
        sort: Sort::CreatedAt,
        descending: false,
        after: None,
        before: None,
        from_end: false,
        limit: 1_000,
    };
    list::page(&app.store, &page, &[]).await.expect("a list").heads
}

async fn events(app: &App) -> Vec<Event> {
    let events = event::after(&app.store, 0, 10_000).await.expect("the log");
    events.iter().filter_map(|record| Some(record.order()?.event.clone())).collect()
}

fn assert_a_true_timeline(head: &Head, timeline: &[&Event]) {
    let mut before = None;
    let mut at = head.created_at;
    for (event, version) in timeline.iter().zip(1..) {
        assert_eq!(event.version, version, "{}", head.number);
        assert_eq!(event.before, before, "{}", head.number);
        assert!(event.at >= at, "{}: time goes forward", head.number);
        at = event.at;
        before.clone_from(&event.after);
    }
    assert_eq!(head.version, timeline.len() as i64);
    assert_eq!(before.map(|facet| facet.status).as_ref(), Some(&head.status));
    assert!(at <= Still.now(), "{}: nothing happens in the future", head.number);
    assert!(Still.now() - head.created_at < TimeDelta::days(61), "{}", head.number);
}

#[tokio::test]
async fn the_demo_company_is_the_same_every_time_and_stands_in_every_status() {
    let folder = tempfile::tempdir().expect("a folder");
    let started = std::time::Instant::now();
    let first = loaded(folder.path(), "first.db").await;
    let took = started.elapsed();
    let second = loaded(folder.path(), "second.db").await;
    let (orders, log) = (heads(&first).await, events(&first).await);
    assert_eq!(orders, heads(&second).await);
    assert_eq!(log, events(&second).await);

    let mut timelines: HashMap<OrderId, Vec<&Event>> = HashMap::new();
    for event in &log {
        timelines.entry(event.order).or_default().push(event);
    }
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for head in &orders {
        assert_a_true_timeline(head, &timelines[&head.id]);
        *counts.entry((&head.workflow, &head.status)).or_default() += 1;
    }
    for workflow in first.book.now().all() {
        for status in &workflow.statuses {
            let count = counts.get(&(workflow.code.as_str(), status.code.as_str()));
            assert!(count.is_some(), "no {} order is {}", workflow.code, status.code);
        }
    }
    assert!((180..=220).contains(&orders.len()), "{} orders", orders.len());
    let kinds: BTreeSet<&str> = log.iter().map(|event| event.kind.name()).collect();
    let by_hand = [EventKind::Scheduled, EventKind::Unscheduled, EventKind::Lapsed];
    let unseen =
        [EventKind::Deleted, EventKind::Restored, EventKind::Purged, EventKind::Updated, EventKind::Stalled];
    let unseen = [&unseen[..], &by_hand].concat();
    for kind in EventKind::ALL.into_iter().filter(|kind| !unseen.contains(kind)) {
        assert!(kinds.contains(kind.name()), "no event is {}", kind.name());
    }
    println!("{} orders, {} events, {took:?}: {counts:?}", orders.len(), log.len());
}

#[tokio::test]
async fn the_first_account_of_a_role_is_the_one_named_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let app = loaded(folder.path(), "demo.db").await;
    let roles = [
        Role::Admin,
        Role::Staff,
        Role::Support,
        Role::Csr,
        Role::Agent,
        Role::Provider,
        Role::Manager,
        Role::Worker,
        Role::Approver,
        Role::Consumer,
    ];
    for role in roles {
        let user = people::user_by_role(&app.store, role).await.expect("an answer");
        assert_eq!(user.map(|user| user.email), Some(format!("{}@demo.test", role.name())));
    }
    assert!(matches!(load(&app).await, Err(Error::BadInput { .. })), "a second load is refused");
}
