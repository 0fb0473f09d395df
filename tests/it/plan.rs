//! How the database goes about pages of orders: from an index that has the list's own order, never by
//! sorting or reading all orders, and at the same cost at any depth.

use chrono::DateTime;
use domain::{actor::Grant, id::OrderId, order::Filter};
use ordo::store::list::{Key, Party, Sort};
use sea_orm::{DatabaseConnection, Statement};

use crate::harness::{
    App, Database,
    plan::{Asked, START, postgres_plan, sketch, sqlite_plan},
};

const SORTS: [(&str, Sort); 3] =
    [("created", Sort::CreatedAt), ("changed", Sort::StatusChangedAt), ("total", Sort::Total)];

struct List {
    name: String,
    grants: Vec<Grant>,
    asked: Asked,
}

/// Every scope that has an index, and every way to reach it.
async fn scopes(app: &App) -> Vec<(&'static str, Vec<Grant>, Filter)> {
    let company = &app.company;
    let all = Filter::default;
    let staff = app.grants(company.staff).await;
    let mut scopes = vec![
        ("staff", staff.clone(), all()),
        ("staff, of a customer", staff.clone(), Filter { customer: Some(vec![company.customer]), ..all() }),
        (
            "staff, of a provider",
            staff.clone(),
            Filter { provider: Some(vec![company.provider_org]), ..all() },
        ),
        ("staff, of a csr", staff.clone(), Filter { csr: Some(vec![company.csr.id]), ..all() }),
        ("staff, of an agent", staff.clone(), Filter { agent: Some(vec![company.agent.id]), ..all() }),
    ];
    for (name, account) in [
        ("provider", company.provider),
        ("manager", company.manager),
        ("approver", company.approver),
        ("consumer", company.consumer),
        ("csr", company.csr),
        ("agent", company.agent),
    ] {
        scopes.push((name, app.grants(account).await, all()));
    }
    scopes
}

/// Every scope in every order, with and without a status, and what was deleted.
async fn lists(app: &App) -> Vec<List> {
    let mut lists = Vec::new();
    for (scope, grants, filter) in scopes(app).await {
        for (by, sort) in SORTS {
            for (status, told) in [(None, ""), (Some("pending_payment"), ", in a status")] {
                let currency = (sort == Sort::Total).then(|| "EUR".parse().expect("a currency"));
                let status = status.map(|code| vec![code.to_owned()]);
                let filter = Filter { currency, status, ..filter.clone() };
                let asked = Asked { sort, descending: true, filter, after: None, limit: 26 };
                lists.push(List { name: format!("{scope} by {by}{told}"), grants: grants.clone(), asked });
            }
        }
    }
    for account in [app.company.staff, app.company.provider, app.company.manager] {
        let filter = Filter { awaits_worker: true, ..Filter::default() };
        let asked = Asked { sort: Sort::CreatedAt, descending: true, filter, after: None, limit: 26 };
        let name = format!("{} by created, awaiting a worker", account.role.name());
        lists.push(List { name, grants: app.grants(account).await, asked });
    }
    let filter = Filter { deleted: true, ..Filter::default() };
    let asked = Asked { sort: Sort::CreatedAt, descending: true, filter, after: None, limit: 26 };
    lists.push(List {
        name: "staff by created, deleted".to_owned(),
        grants: app.grants(app.company.staff).await,
        asked,
    });
    lists
}

/// A key that so many orders of a throng lie below.
fn key(sort: Sort, orders: i64) -> Key {
    let at = DateTime::from_timestamp(START + orders, 0).expect("a moment");
    match sort {
        Sort::CreatedAt => Key::CreatedAt(OrderId::floor(at)),
        Sort::StatusChangedAt => Key::StatusChangedAt(at, OrderId::floor(at)),
        Sort::Total => Key::Total(5_000, OrderId::floor(at)),
    }
}

async fn plan(db: &DatabaseConnection, statement: Statement) -> String {
    match Database::of_this_run() {
        Database::Postgres => sketch(&postgres_plan(db, statement, false).await),
        Database::Sqlite => sqlite_plan(db, statement).await,
    }
}

/// A plan's indexes and kinds of nodes alone: a page's cursor adds bounds to SQLite's searches.
fn unbounded(plan: &str) -> String {
    let step = |step: &str| {
        let words = step.split(' ').filter(|word| !word.contains(['?', '=', '(', '<']) && *word != "AND");
        words.collect::<Vec<_>>().join(" ").replace("SEARCH", "SCAN").replace(']', "")
    };
    let mut steps: Vec<String> = plan.split(" + ").map(step).collect();
    steps.sort();
    steps.join(" + ")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_is_read_from_the_index_that_has_its_order() {
    let app = App::start().await;
    let db = app.throng(20_000).await;
    let mut plans = String::new();
    for List { name, grants, asked } in lists(&app).await {
        let first = plan(&db, app.page_statement(&grants, &asked, &[])).await;
        for bad in ["Sort", "Seq Scan", "Bitmap", "TEMP B-TREE", "AUTOMATIC"] {
            assert!(!first.contains(bad), "{name}: {first}");
        }
        let walks = first.replace("SCAN o USING INDEX", "");
        assert!(!walks.contains("SCAN"), "{name}: {first}");
        for descending in [true, false] {
            let after = Some(key(asked.sort, 10_000));
            let asked = Asked { descending, after, ..asked.clone() };
            let deep = plan(&db, app.page_statement(&grants, &asked, &[])).await;
            assert_eq!(unbounded(&deep), unbounded(&first), "{name}, descending: {descending}");
        }
        let named = plan(&db, app.page_statement(&grants, &asked, &[Party::Customer, Party::Provider])).await;
        for bad in ["Sort", "Bitmap", "TEMP B-TREE", "AUTOMATIC", "MATERIALIZE"] {
            assert!(!named.contains(bad), "{name}, with names: {named}");
        }
        plans.push_str(&format!("{name}\n    {first}\n"));
    }
    let database = format!("plans on {:?}", Database::of_this_run()).to_lowercase();
    insta::assert_snapshot!(database, plans);
}

/// Blocks that a full page of 25, and the one order that tells of more, is read from.
async fn blocks(db: &DatabaseConnection, statement: Statement) -> u64 {
    let plan = postgres_plan(db, statement, true).await;
    assert_eq!(plan["Actual Rows"].as_f64(), Some(26.0), "{plan:#}");
    ["Shared Hit Blocks", "Shared Read Blocks"].iter().filter_map(|blocks| plan[blocks].as_u64()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_at_any_depth_of_a_long_list_is_read_from_as_few_blocks_as_the_first_of_a_short_one() {
    if Database::of_this_run() != Database::Postgres {
        return;
    }
    let mut short = Vec::new();
    for size in [2_000, 50_000] {
        let app = App::start().await;
        let db = app.throng(size).await;
        let size = i64::try_from(size).expect("a size");
        for (i, List { name, grants, asked }) in long_lists(&app).await.into_iter().enumerate() {
            let mut read = Vec::new();
            for after in [None, Some(key(asked.sort, size / 2)), Some(key(asked.sort, size / 4))] {
                let asked = Asked { after, ..asked.clone() };
                read.push(blocks(&db, app.page_statement(&grants, &asked, &[])).await);
            }
            let (first, deepest) = (read[0], read[1].max(read[2]));
            // A tenth more at most, and a few blocks for pages that happen to lie across more of them.
            assert!(deepest * 10 <= first * 11 + 40, "{name}, {size} orders: {read:?}");
            if size == 2_000 {
                short.push(first);
                continue;
            }
            // A larger index has one more level, which each branch of a merge goes down once; and each may
            // begin at the end of a block and go on in the next.
            let text = app.page_statement(&grants, &asked, &[]).sql;
            let branches = text.matches("FROM orders").count() as u64;
            let most = short[i] * 11 / 10 + 2 * branches + 4;
            assert!(first.max(deepest) <= most, "{name}, {size} orders: {read:?}, at most {most}");
        }
    }
}

/// The lists that are long for everybody.
async fn long_lists(app: &App) -> Vec<List> {
    let mut lists = lists(app).await;
    lists.retain(|list| {
        list.asked.filter.status.is_none() && !list.asked.filter.deleted && !list.asked.filter.awaits_worker
    });
    lists
}
