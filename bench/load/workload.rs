//! What is asked: a page, an order, a transition, as GraphQL of Ordo and as a plain path of the
//! baseline.

use anyhow::{Context, Result, anyhow};
use chrono::TimeDelta;
use domain::id::{OrderId, UserId};
use ordo::{
    app::{Machine, World},
    http::auth::Auth,
};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, Statement};
use serde_json::{Value, json};

use crate::{SECRET, company::Company, generator::Script};

/// Orders that one connection moves to and fro. No two connections share one, so that nobody waits for a lock.
const MOVED: usize = 10;
/// Orders that detail is asked of.
const LOOKED_AT: usize = 200;

const PAGE: &str = "query ($where: OrderWhereInput) { orders(first: 20, where: $where) { nodes { number \
    status { code } customer { name } pricing { total { amount currency } } \
    items(first: 3) { nodes { quantity product { name } } } } } }";
const DETAIL: &str = "query ($id: ID!) { order(by: { id: $id }) { number version status { code } \
    customer { name } provider { name } pricing { total { amount currency } } \
    items(first: 25) { nodes { quantity lineTotal { amount currency } product { name } } } \
    timeline(first: 25) { nodes { kind version at from { code } to { code } actor { name } } } } }";
const TRANSITION: &str = "mutation ($order: ID!, $to: String!) { orderTransition(input: { order: $order, \
    action: \"set_status\", to: $to }) { order { version status { code } } errors { code } } }";

/// One thing that is measured.
#[derive(Debug)]
pub struct Case {
    pub name: &'static str,
    /// To Ordo, one script for each connection.
    pub ordo: Vec<Script>,
    /// To the server that it is compared with.
    pub other: Vec<Script>,
    /// Whether an answer is one.
    pub good: fn(&[u8]) -> bool,
    /// A request whose statements are counted.
    pub counted: Vec<u8>,
    /// A request that both must answer the same: to Ordo, to the other.
    pub compared: (Vec<u8>, Vec<u8>),
}

impl Case {
    /// The same case for another server that speaks GraphQL.
    pub fn same_for_both(self) -> Case {
        let compared = self.compared.0;
        Case { other: self.ordo.clone(), compared: (compared.clone(), compared), ..self }
    }
}

/// Whether a text holds an error of this code.
pub fn says(answer: &[u8], code: &str) -> bool {
    let error = format!("\"code\":\"{code}\"");
    answer.windows(error.len()).any(|part| part == error.as_bytes())
}

/// Every case, beside the baseline.
pub async fn cases(url: &str, company: &Company, connections: usize) -> Result<Vec<Case>> {
    let token = |user: Option<UserId>| token(user);
    let (staff, csr) = (token(company.staff)?, token(company.csr)?);
    let (provider, approver) = (token(company.provider)?, token(company.approver)?);
    let chosen = json!({ "where": { "workflow": { "in": ["cloud"] }, "status": { "in": ["fulfilled"] } } });
    let page = |name, token: &str, path: String| Case {
        name,
        ordo: vec![Script::new(vec![post(Some(token), PAGE, &chosen)]); connections],
        other: vec![Script::new(vec![get(&path)]); connections],
        good: |body| body.starts_with(b"{\"data\":{\"orders\":{\"nodes\":[{"),
        counted: post(Some(token), PAGE, &chosen),
        compared: (post(Some(token), PAGE, &chosen), get(&path)),
    };
    Ok(vec![
        page("page, provider", &provider, format!("/page/provider/{}", company.providers[0].0)),
        page("page, approver", &approver, format!("/page/customer/{}", company.customers[0].0)),
        page("page, staff", &staff, "/page/all".to_owned()),
        detail(&provider, &orders(url, DETAIL_ORDERS, LOOKED_AT).await?, connections),
        transition(&csr, &orders(url, MOVED_ORDERS, MOVED * connections + 2).await?, connections),
    ])
}

const DETAIL_ORDERS: &str = "SELECT o.id FROM orders o JOIN organizations p ON p.id = o.provider_id \
    WHERE p.name = 'Provider 0' ORDER BY o.number DESC";
const MOVED_ORDERS: &str = "SELECT o.id FROM orders o WHERE o.workflow = 'delivery' AND o.status = 'pending' \
    ORDER BY o.number DESC";

/// Orders that a CSR can move from pending to processing and back.
pub async fn movable(url: &str, count: usize) -> Result<Vec<OrderId>> {
    orders(url, MOVED_ORDERS, count).await
}

async fn orders(url: &str, select: &str, count: usize) -> Result<Vec<OrderId>> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await?;
    let select = Statement::from_string(db.get_database_backend(), format!("{select} LIMIT {count}"));
    let rows = db.query_all_raw(select.clone()).await?;
    let ids = rows.iter().map(|row| Ok(OrderId(row.try_get_by_index(0)?))).collect::<Result<Vec<_>>>()?;
    db.close().await?;
    if ids.len() < count { Err(anyhow!("there are too few orders for `{select}`")) } else { Ok(ids) }
}

fn detail(token: &str, orders: &[OrderId], connections: usize) -> Case {
    let own = |id: &OrderId| post(Some(token), DETAIL, &json!({ "id": id }));
    let other = |id: &OrderId| get(&format!("/order/{}", id.0));
    Case {
        name: "detail, provider",
        ordo: vec![Script::new(orders.iter().map(own).collect()); connections],
        other: vec![Script::new(orders.iter().map(other).collect()); connections],
        good: |body| body.starts_with(b"{\"data\":{\"order\":{"),
        counted: own(&orders[0]),
        compared: (own(&orders[0]), other(&orders[0])),
    }
}

/// Each connection moves its own orders to and fro; the first two orders are for probes.
fn transition(token: &str, orders: &[OrderId], connections: usize) -> Case {
    let own = |id: &OrderId, to: &str| post(Some(token), TRANSITION, &json!({ "order": id, "to": to }));
    let other = |id: &OrderId, to: &str| request("POST", &format!("/order/{}/{to}", id.0), "", "");
    let scripts = |one: &dyn Fn(&OrderId, &str) -> Vec<u8>| {
        let each = orders[2..].chunks(MOVED).take(connections);
        let to_and_fro = each.map(|orders| {
            let moves = ["processing", "pending"].into_iter();
            Script::new(moves.flat_map(|to| orders.iter().map(move |id| one(id, to))).collect())
        });
        to_and_fro.collect()
    };
    Case {
        name: "transition, CSR",
        ordo: scripts(&own),
        other: scripts(&other),
        good: |body| body.ends_with(b"\"errors\":[]}}}"),
        counted: own(&orders[0], "processing"),
        compared: (own(&orders[1], "processing"), other(&orders[1], "processing")),
    }
}

/// A token for an account.
pub fn token(user: Option<UserId>) -> Result<String> {
    let now = Machine.now();
    let user = user.context("nobody is there")?;
    Ok(Auth::with_secret(SECRET.as_bytes(), "ordo", "ordo").issue(user, now, now + TimeDelta::hours(12))?)
}

/// An operation, of somebody or of nobody.
pub fn post(token: Option<&str>, query: &str, variables: &Value) -> Vec<u8> {
    let authorization = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
    let headers = format!("{authorization}content-type: application/json\r\n");
    request("POST", "/graphql", &headers, &json!({ "query": query, "variables": variables }).to_string())
}

fn get(path: &str) -> Vec<u8> {
    request("GET", path, "", "")
}

/// A request as it travels.
pub fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}content-length: {length}\r\n\r\n{body}")
        .into_bytes()
}
