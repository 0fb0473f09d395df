//! The handlers: one statement for a page, two for an order, three in a transaction for a transition. The same
//! text for both databases, against the driver's own types of each.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use sea_orm::sqlx;

use super::answer::{
    Code, Data, Event, Line, Money, Moved, Named, Nodes, One, Order, Page, PricedLine, Pricing,
    Row as Listed, Transition, Version,
};

/// A page of one status, of the orders that `$condition` narrows it to. Joined from the page's orders outwards.
macro_rules! page {
    ($condition:literal) => {
        concat!(
            "SELECT o.number, o.status, c.name, o.total, o.currency, i.quantity, p.name FROM (SELECT id, number, \
             status, total, currency, customer_id FROM orders o WHERE ",
            $condition,
            " AND o.workflow = 'cloud' AND o.status = 'fulfilled' AND o.deleted_at IS NULL ORDER BY o.id DESC NULLS \
             LAST LIMIT 20) o JOIN organizations c ON c.id = o.customer_id JOIN order_items i ON i.order_id = o.id \
             LEFT JOIN products p ON p.id = i.product_id ORDER BY o.id DESC, i.position"
        )
    };
}

const ORDER: &str = "SELECT o.number, o.version, o.status, c.name, v.name, o.total, o.currency, i.quantity, \
    i.line_total, p.name FROM orders o JOIN organizations c ON c.id = o.customer_id \
    JOIN organizations v ON v.id = o.provider_id JOIN order_items i ON i.order_id = o.id \
    LEFT JOIN products p ON p.id = i.product_id WHERE o.id = $1 ORDER BY i.position";
const TIMELINE: &str = "SELECT e.kind, e.subject_version, e.at, e.from_status, e.to_status, u.name FROM events e \
    LEFT JOIN users u ON u.id = e.actor_id WHERE e.subject_kind = 'ORDER' AND e.subject_id = $1 \
    ORDER BY e.subject_version LIMIT 25";
const SCOPED: &str = "SELECT version, status, workflow, customer_id, provider_id, total, paid FROM orders \
    WHERE id = $1 AND csr_id IS NULL AND deleted_at IS NULL";
const UPDATE: &str = "UPDATE orders SET status = $1, category = $2, version = version + 1, status_changed_at = $3, \
    updated_at = $3 WHERE id = $4 AND version = $5";
const APPEND: &str = "INSERT INTO events (uid, subject_kind, subject_id, subject_version, kind, action, \
    from_status, to_status, actor_kind, reason_public, audience, before, after, at) \
    VALUES ($1, 'ORDER', $2, $3, 'STATUS_CHANGED', 'set_status', $4, $5, 'SYSTEM', FALSE, 'PUBLIC', $6, $7, $8)";

/// What went wrong, for whoever runs the measurement.
pub struct Failed(String);

impl<E: std::fmt::Display> From<E> for Failed {
    fn from(error: E) -> Failed {
        Failed(error.to_string())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.0).into_response()
    }
}

/// The columns of an order that its events repeat.
fn facet(row: &Scoped, status: &str) -> serde_json::Value {
    serde_json::json!({
        "provider": row.provider.to_string(), "customer": row.customer.to_string(), "workflow": row.workflow,
        "status": status, "public_status": status, "category": category(status), "public_category": category(status), "currency": "EUR",
        "total": row.total, "paid": row.paid,
    })
}

fn category(status: &str) -> &'static str {
    if status == "pending" { "PENDING" } else { "IN_PROGRESS" }
}

/// What a transition reads.
struct Scoped {
    version: i64,
    status: String,
    workflow: String,
    customer: uuid::Uuid,
    provider: uuid::Uuid,
    total: i64,
    paid: i64,
}

macro_rules! handlers {
    ($name:ident, $driver:ty) => {
        /// On one database.
        pub mod $name {
            use axum::{
                Json,
                extract::{Path, State},
            };
            use chrono::{DateTime, SecondsFormat, Utc};
            use domain::mint::Mint;
            use ordo::app::{Machine, World};
            use sqlx::Row;
            use uuid::Uuid;

            use super::*;

            /// Connections to read with, and to write with.
            #[derive(Clone)]
            pub struct Pools {
                pub reader: sqlx::Pool<$driver>,
                pub writer: sqlx::Pool<$driver>,
            }

            /// A page of a provider's or a customer's orders.
            pub async fn page(
                State(pools): State<Pools>,
                Path((scope, id)): Path<(String, Uuid)>,
            ) -> Result<Json<Data<Page>>, Failed> {
                let text = match scope.as_str() {
                    "provider" => page!("o.provider_id = $1"),
                    _ => page!("o.customer_id = $1"),
                };
                listed(sqlx::query(text).bind(id).fetch_all(&pools.reader).await?)
            }

            /// A page of all orders.
            pub async fn page_of_all(State(pools): State<Pools>) -> Result<Json<Data<Page>>, Failed> {
                listed(sqlx::query(page!("o.version > 0")).fetch_all(&pools.reader).await?)
            }

            fn listed(rows: Vec<<$driver as sqlx::Database>::Row>) -> Result<Json<Data<Page>>, Failed> {
                let mut nodes: Vec<Listed> = Vec::with_capacity(20);
                let mut last = 0;
                for row in rows {
                    let number: i64 = row.try_get(0)?;
                    if number != last {
                        last = number;
                        nodes.push(Listed {
                            number: number.to_string(),
                            status: Code { code: row.try_get(1)? },
                            customer: Named { name: row.try_get(2)? },
                            pricing: Pricing { total: Money::new(row.try_get(3)?, row.try_get(4)?) },
                            items: Nodes { nodes: Vec::with_capacity(3) },
                        });
                    }
                    let name: Option<String> = row.try_get(6)?;
                    let line = Line { quantity: row.try_get(5)?, product: name.map(|name| Named { name }) };
                    if let Some(order) = nodes.last_mut() {
                        order.items.nodes.push(line);
                    }
                }
                Ok(Json(Data { data: Page { orders: Nodes { nodes } } }))
            }

            /// One order.
            pub async fn order(
                State(pools): State<Pools>,
                Path(id): Path<Uuid>,
            ) -> Result<Json<Data<One>>, Failed> {
                let mut connection = pools.reader.acquire().await?;
                let rows = sqlx::query(ORDER).bind(id).fetch_all(&mut *connection).await?;
                let events = sqlx::query(TIMELINE).bind(id).fetch_all(&mut *connection).await?;
                drop(connection);
                let row = rows.first().ok_or("there is no such order")?;
                let currency: String = row.try_get(6)?;
                let mut order = Order {
                    number: row.try_get::<i64, _>(0)?.to_string(),
                    version: row.try_get(1)?,
                    status: Code { code: row.try_get(2)? },
                    customer: Named { name: row.try_get(3)? },
                    provider: Named { name: row.try_get(4)? },
                    pricing: Pricing { total: Money::new(row.try_get(5)?, currency.clone()) },
                    items: Nodes { nodes: Vec::new() },
                    timeline: Nodes { nodes: Vec::new() },
                };
                for row in &rows {
                    let name: Option<String> = row.try_get(9)?;
                    order.items.nodes.push(PricedLine {
                        quantity: row.try_get(7)?,
                        line_total: Money::new(row.try_get(8)?, currency.clone()),
                        product: name.map(|name| Named { name }),
                    });
                }
                for row in &events {
                    let at: DateTime<Utc> = row.try_get(2)?;
                    let name: Option<String> = row.try_get(5)?;
                    order.timeline.nodes.push(Event {
                        kind: row.try_get(0)?,
                        version: row.try_get(1)?,
                        at: at.to_rfc3339_opts(SecondsFormat::Millis, true),
                        from: row.try_get::<Option<String>, _>(3)?.map(|code| Code { code }),
                        to: row.try_get::<Option<String>, _>(4)?.map(|code| Code { code }),
                        actor: name.map(|name| Named { name }),
                    });
                }
                Ok(Json(Data { data: One { order } }))
            }

            /// Moves one order: a scoped read, a versioned update, an event, in one transaction.
            pub async fn transition(
                State(pools): State<Pools>,
                Path((id, to)): Path<(Uuid, String)>,
            ) -> Result<Json<Data<Transition>>, Failed> {
                let mut mint = Mint::new(Machine.now(), Machine.seed());
                let event: domain::id::EventId = mint.id();
                let now = mint.now();
                let mut tx = pools.writer.begin_with(BEGIN).await?;
                let row = sqlx::query(SCOPED).bind(id).fetch_one(&mut *tx).await?;
                let scoped = Scoped {
                    version: row.try_get(0)?,
                    status: row.try_get(1)?,
                    workflow: row.try_get(2)?,
                    customer: row.try_get(3)?,
                    provider: row.try_get(4)?,
                    total: row.try_get(5)?,
                    paid: row.try_get(6)?,
                };
                let update = sqlx::query(UPDATE).bind(&to).bind(category(&to)).bind(now).bind(id);
                if update.bind(scoped.version).execute(&mut *tx).await?.rows_affected() != 1 {
                    return Err("the order has changed meanwhile".into());
                }
                let (before, after) = (facet(&scoped, &scoped.status), facet(&scoped, &to));
                let append = sqlx::query(APPEND).bind(event.0).bind(id).bind(scoped.version + 1);
                let append = append.bind(&scoped.status).bind(&to).bind(before).bind(after).bind(now);
                append.execute(&mut *tx).await?;
                tx.commit().await?;
                let order = Version { version: scoped.version + 1, status: Code { code: to } };
                Ok(Json(Data { data: Transition { transition: Moved { order, errors: [] } } }))
            }

            const BEGIN: &str = BEGINS.$name;
        }
    };
}

struct Begins {
    postgres: &'static str,
    sqlite: &'static str,
}

const BEGINS: Begins = Begins { postgres: "BEGIN", sqlite: "BEGIN IMMEDIATE" };

handlers!(postgres, sqlx::Postgres);
handlers!(sqlite, sqlx::Sqlite);
