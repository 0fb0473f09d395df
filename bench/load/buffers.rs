//! Whether a page costs the same whatever the number of orders and however deep it lies: the buffers that
//! PostgreSQL touches for the very statement that the server sends.

use anyhow::{Context, Result, anyhow};
use domain::{
    actor::{Actor, Grant},
    book::Book,
    id::{OrderId, UserId},
    order::Filter,
    workflow,
};
use ordo::store::{
    Store,
    list::{self, Key, Page, Sort},
    people,
};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement,
    sea_query::{PostgresQueryBuilder, QueryBuilder},
};

use crate::{company::Company, fill, postgres::Cluster};

const FEW: i64 = 10_000;
const MANY: i64 = 1_000_000;
/// Where pages begin: at the newest order, and after this part of them.
const DEPTHS: [(&str, f64); 3] = [("first page", 0.0), ("half way", 0.5), ("after 90 %", 0.9)];

/// What one page took.
#[derive(Clone, Copy, Default)]
struct Touched {
    buffers: u64,
    rows: u64,
}

impl std::fmt::Display for Touched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} for {} rows", self.buffers, self.rows)
    }
}

/// The pages that are looked at: a name, and the filter.
fn lists() -> Result<[(&'static str, Filter); 2]> {
    let status = Filter {
        workflow: Some(vec!["cloud".to_owned()]),
        status: Some(vec!["fulfilled".to_owned()]),
        ..Filter::default()
    };
    Ok([("all", Filter::default()), ("one status", status)])
}

/// Prints the table.
pub async fn measure() -> Result<()> {
    let cluster = Cluster::start()?;
    let mut columns = Vec::new();
    for orders in [FEW, MANY] {
        let url = cluster.create(&format!("ordo{orders}"), None).await?;
        eprintln!("filling PostgreSQL with {orders} orders …");
        let company = fill::fill(&url, orders).await?;
        columns.push(touched(&url, &company, orders).await?);
    }
    println!(
        "\n### Buffers touched by a page of 20\n\n| page | {FEW} orders | {MANY} orders | ratio |\n|---|---|---|---|"
    );
    for (few, many) in columns[0].iter().zip(&columns[1]) {
        let ratio = match few.1.rows == many.1.rows {
            true => format!("{:.2}", many.1.buffers as f64 / few.1.buffers as f64),
            false => "not the same rows".to_owned(),
        };
        println!("| {} | {} | {} | {ratio} |", few.0, few.1, many.1);
    }
    Ok(())
}

async fn touched(url: &str, company: &Company, orders: i64) -> Result<Vec<(String, Touched)>> {
    let store = Store::open(url, 1).await.map_err(|error| anyhow!("{error:?}"))?;
    let definitions = workflow::builtin().map_err(|faults| anyhow!("a workflow has faults: {faults:?}"))?;
    let book = Book::new(definitions);
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await?;
    let viewers = [("staff", company.staff), ("provider", company.provider), ("customer", company.approver)];
    let mut rows = Vec::new();
    for (name, user) in viewers {
        let grants = grants(&store, user).await?;
        for (list, filter) in lists()? {
            for (depth, part) in DEPTHS {
                let newest = orders - (orders as f64 * part) as i64;
                let after = (part > 0.0).then(|| Key::CreatedAt(fill::order_id::<OrderId>(newest)));
                let page = Page {
                    grants: &grants,
                    book: &book,
                    filter: &filter,
                    sort: Sort::CreatedAt,
                    descending: true,
                    after,
                    before: None,
                    from_end: false,
                    limit: 21,
                };
                let sql = list::statement(&store, &page, &[]).map_err(|error| anyhow!("{error:?}"))?;
                let sql = sql.context("a page that cannot hold anything")?;
                rows.push((format!("{name}, {list}, {depth}"), buffers(&db, sql.statement()).await?));
            }
        }
    }
    Ok(rows)
}

async fn grants(store: &Store, user: Option<UserId>) -> Result<Vec<Grant>> {
    let user = user.context("nobody is there")?;
    let person = people::person(store, user).await.map_err(|error| anyhow!("{error:?}"))?;
    Ok(Actor::User(person.context("the account is gone")?).grants())
}

/// Buffers hit or read by the plan that the server gets, which is made for any values; of the second run, for
/// the first also reads the catalogue.
async fn buffers(db: &DatabaseConnection, page: Statement) -> Result<Touched> {
    let values = page.values.map(|values| values.0).unwrap_or_default();
    let literals: Vec<String> =
        values.iter().map(|value| PostgresQueryBuilder.value_to_string(value)).collect();
    let arguments = if literals.is_empty() { String::new() } else { format!("({})", literals.join(", ")) };
    db.execute_unprepared("SET plan_cache_mode = force_generic_plan").await?;
    db.execute_unprepared(&format!("PREPARE page AS {}", page.sql)).await?;
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE page{arguments}");
    let mut touched = Touched::default();
    for _ in 0..2 {
        let explain = Statement::from_string(DbBackend::Postgres, &explain);
        let row = db.query_one_raw(explain).await?.context("no plan")?;
        let plan: serde_json::Value = row.try_get_by_index(0)?;
        let count = |name: &str| plan[0]["Plan"][name].as_f64().unwrap_or(0.0) as u64;
        let buffers = count("Shared Hit Blocks") + count("Shared Read Blocks");
        touched = Touched { buffers, rows: count("Actual Rows") };
    }
    db.execute_unprepared("DEALLOCATE page").await?;
    Ok(touched)
}
