//! Thousands of orders, and how the database goes about a statement.

use std::collections::BTreeMap;

use domain::{actor::Grant, id::OrganizationId, order::Filter};
use ordo::{
    app::World,
    store::{
        Reads, Store,
        list::{self, Key, Page, Party, Sort},
        people::{Organization, OrganizationKind},
    },
};
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DbBackend, IdenStatic, Iterable, Statement,
    Value as Bound,
    sea_query::{PostgresQueryBuilder, QueryBuilder},
};
use serde_json::Value;

use super::{Account, App};

/// What is asked of a list, in few words.
#[derive(Clone, Debug)]
pub struct Asked {
    pub sort: Sort,
    pub descending: bool,
    pub filter: Filter,
    pub after: Option<Key>,
    pub limit: usize,
}

impl App {
    /// Multiplies a crowd to so many orders, one per second, for fifty more customers besides its own, and
    /// lets the database look at them.
    pub async fn throng(&self, count: usize) -> DatabaseConnection {
        self.crowd(11, 120).await;
        let mut mint = self.world.mint();
        let founded = self.inner.store.write(async move |tx| {
            for n in 0..50 {
                let new = Organization {
                    id: mint.id::<OrganizationId>(),
                    kind: OrganizationKind::Company,
                    name: format!("Company {n}"),
                    email: None,
                    time_zone: "UTC".to_owned(),
                    created_at: mint.now(),
                };
                tx.insert_organization(&new).await?;
            }
            Ok(())
        });
        founded.await.expect("companies");
        let db = Database::connect(&self.database_url).await.expect("a connection");
        db.execute_unprepared(&multiply(db.get_database_backend(), count)).await.expect("a throng");
        // SQLite is used without statistics: see `Store::open`.
        if db.get_database_backend() == DbBackend::Postgres {
            db.execute_unprepared("ANALYZE").await.expect("statistics");
        }
        db.close().await.expect("closed");
        // One connection, for what is prepared there is found again; set as the server sets its own.
        Store::open(&self.database_url, 1).await.expect("the store opens").db().pool().clone()
    }

    /// What an account reaches.
    pub async fn grants(&self, account: Account) -> Vec<Grant> {
        ordo::usecase::session::actor(&self.inner, &ordo::usecase::session::Credentials::of(account.id, None))
            .await
            .expect("an actor")
            .grants()
    }

    /// The statement of a page, with the names of these parties.
    pub fn page_statement(&self, grants: &[Grant], asked: &Asked, names: &[Party]) -> Statement {
        let page = Page {
            grants,
            book: &self.inner.book.now(),
            filter: &asked.filter,
            sort: asked.sort,
            descending: asked.descending,
            after: asked.after,
            before: None,
            from_end: false,
            limit: asked.limit,
        };
        list::statement(&self.inner.store, &page, names)
            .expect("a statement")
            .expect("something to read")
            .statement()
    }
}

/// The second after which a throng's orders begin.
pub const START: i64 = 1_780_000_000;

/// Orders in the likeness of those that are there.
fn multiply(backend: DbBackend, count: usize) -> String {
    let (id, changed) = match backend {
        DbBackend::Postgres => (
            format!("(lpad(to_hex(({START} + n::bigint) * 1000), 12, '0') || '70008000000000000000')::uuid"),
            format!("to_timestamp({START} + n + 60)"),
        ),
        _ => (
            format!("unhex(printf('%012x', ({START} + n) * 1000) || '70008000000000000000')"),
            format!("strftime('%Y-%m-%dT%H:%M:%S+00:00', {START} + n + 60, 'unixepoch')"),
        ),
    };
    let columns: Vec<&str> = entity::order::Column::iter().map(|column| column.as_str()).collect();
    let values = columns.iter().map(|column| match *column {
        "id" => id.clone(),
        "number" => "1000000000 + n".to_owned(),
        "external_reference" => "NULL".to_owned(),
        "status_changed_at" => changed.clone(),
        "total" => "o.total + (n * 7) % 5000".to_owned(),
        "customer_id" => "CASE WHEN n % 2 = 0 THEN o.customer_id ELSE c.id END".to_owned(),
        // People order for their own companies.
        "creator_id" => "CASE WHEN n % 2 = 0 AND o.customer_id IN (SELECT m.organization_id FROM \
            memberships m WHERE m.user_id = o.creator_id) THEN o.creator_id END"
            .to_owned(),
        column => format!("o.{column}"),
    });
    let numbered =
        |from: &str| format!("(SELECT *, row_number() OVER (ORDER BY id) - 1 AS place FROM {from})");
    format!(
        "INSERT INTO orders ({}) WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series \
         WHERE n < {count}) SELECT {} FROM series JOIN {} o ON o.place = n % 120 \
         JOIN {} c ON c.place = (n / 2) % 50 ORDER BY n",
        columns.join(", "),
        values.collect::<Vec<_>>().join(", "),
        numbered("orders"),
        numbered("organizations WHERE name LIKE 'Company %'"),
    )
}

/// The plan that PostgreSQL makes for any values, in the form of its JSON; with `analyze`, after running it.
pub async fn postgres_plan(db: &DatabaseConnection, statement: Statement, analyze: bool) -> Value {
    let values = statement.values.map(|values| values.0).unwrap_or_default();
    let literal = |value: &Bound| {
        let kind = if matches!(value, Bound::Array(..)) { "::uuid[]" } else { "" };
        format!("{}{kind}", PostgresQueryBuilder.value_to_string(value))
    };
    let literals: Vec<String> = values.iter().map(literal).collect();
    let arguments = if literals.is_empty() { String::new() } else { format!("({})", literals.join(", ")) };
    let how = if analyze { "ANALYZE, BUFFERS, TIMING OFF," } else { "" };
    db.execute_unprepared(&format!("PREPARE asked AS {}", statement.sql)).await.expect("a statement");
    let explain = format!("EXPLAIN ({how} FORMAT JSON) EXECUTE asked{arguments}");
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, explain)).await.expect("a plan");
    db.execute_unprepared("DEALLOCATE asked").await.expect("the statement is forgotten");
    let plans: Value = row.expect("a row").try_get_by_index(0).expect("JSON");
    plans[0]["Plan"].clone()
}

/// A plan as one line: kinds of nodes and names of indexes, equal children counted.
pub fn sketch(node: &Value) -> String {
    let kind = node["Node Type"].as_str().expect("a kind of node");
    let name = node["Index Name"].as_str().or(node["Relation Name"].as_str());
    let mut children = BTreeMap::new();
    for child in node["Plans"].as_array().into_iter().flatten() {
        *children.entry(sketch(child)).or_insert(0) += 1;
    }
    let children = counted(children);
    let name = name.map_or_else(String::new, |name| format!(" {name}"));
    if children.is_empty() { format!("{kind}{name}") } else { format!("{kind}{name} < {children}") }
}

/// What SQLite does, as one line: its steps, equal ones counted.
pub async fn sqlite_plan(db: &DatabaseConnection, statement: Statement) -> String {
    let explain = format!("EXPLAIN QUERY PLAN {}", statement.sql);
    let statement = Statement { sql: explain, ..statement };
    let mut steps = BTreeMap::new();
    for row in db.query_all_raw(statement).await.expect("a plan") {
        let step: String = row.try_get("", "detail").expect("a step");
        let step = step.split(" SUBQUERY").next().expect("a step").to_owned();
        *steps.entry(step).or_insert(0) += 1;
    }
    counted(steps)
}

fn counted(parts: BTreeMap<String, usize>) -> String {
    let parts = parts.into_iter().map(|(part, count)| match count {
        1 => part,
        count => format!("{count} x [{part}]"),
    });
    parts.collect::<Vec<_>>().join(" + ")
}
