//! Orders, their lines, the resources that the lines provide, and the attempts at providing them.

use crate::shape::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(orders()).await?;
        for index in order_indexes(manager.get_database_backend()) {
            manager.get_connection().execute_unprepared(&index).await?;
        }
        manager.create_table(resources()).await?;
        manager.create_index(index("resources", "customer", ["customer_id", "id"])).await?;
        manager.create_index(index("resources", "provider", ["provider_id", "id"])).await?;
        manager.create_table(order_items()).await?;
        manager.create_table(attempts()).await?;
        manager.create_index(index("attempts", "order", ["order_id", "id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, ["attempts", "order_items", "resources", "orders"]).await
    }
}

fn orders() -> TableCreateStatement {
    Table::create()
        .table("orders")
        .col(pk_uuid("id"))
        .col(big_integer("number").unique_key())
        .col(text("kind"))
        .col(text_null("external_reference"))
        .col(big_integer("version"))
        .col(text("workflow"))
        .col(integer("workflow_version"))
        .col(text("status"))
        .col(text("category"))
        .col(instant("status_changed_at"))
        .col(instant("created_at"))
        .col(instant("updated_at"))
        .col(instant_null("placed_at"))
        .col(instant_null("completed_at"))
        .col(date_null("expires_on"))
        .col(instant_null("deleted_at"))
        .col(boolean("listed"))
        .col(uuid("customer_id"))
        .col(uuid("provider_id"))
        .col(uuid_null("offering_id"))
        .col(uuid_null("creator_id"))
        .col(uuid_null("csr_id"))
        .col(uuid_null("agent_id"))
        .col(currency())
        .col(big_integer("subtotal"))
        .col(big_integer("discount"))
        .col(big_integer("tax"))
        .col(big_integer("delivery_fee"))
        .col(big_integer("total"))
        .col(big_integer("paid"))
        .col(text_null("payment_method"))
        .col(json_binary("tags"))
        .col(json_binary("contact"))
        .col(json_binary_null("shipping_address"))
        .col(json_binary_null("billing_address"))
        .col(text_null("customer_note"))
        .col(text_null("client_ip"))
        .col(json_binary("metadata"))
        .check(at_least("number", 1))
        .check(at_least("version", 1))
        .check(at_least("workflow_version", 1))
        .check(at_least("total", 0))
        .check(at_least("paid", 0))
        // What is deleted is never in a default list.
        .check(Expr::col("deleted_at").is_null().or(Expr::col("listed").not()))
        .index(&mut unique(["customer_id", "external_reference"]))
        .foreign_key(&mut refers("orders", "customer_id", "organizations"))
        .foreign_key(&mut refers("orders", "provider_id", "organizations"))
        .foreign_key(&mut refers("orders", "offering_id", "products"))
        .foreign_key(&mut refers("orders", "creator_id", "users"))
        .foreign_key(&mut refers("orders", "csr_id", "users"))
        .foreign_key(&mut refers("orders", "agent_id", "users"))
        .take()
}

/// Whose list an index serves: its name, the column it is led by, and which orders it holds.
type Scope = (&'static str, Option<&'static str>, Option<&'static str>);

const SCOPES: [Scope; 8] = [
    // True of every order, and said by lists of all orders alone: see `order_indexes`.
    ("all", None, Some("version > 0")),
    ("provider", Some("provider_id"), None),
    ("offering", Some("offering_id"), Some("offering_id IS NOT NULL")),
    ("customer", Some("customer_id"), None),
    ("creator", Some("creator_id"), Some("creator_id IS NOT NULL")),
    ("csr", Some("csr_id"), Some("csr_id IS NOT NULL")),
    // A CSR also sees what is assigned to nobody. PostgreSQL takes `csr_id IS NULL` for no equality, and would
    // sort what it reads from an index led by csr_id: hence indexes of just these orders.
    ("unassigned", None, Some("csr_id IS NULL")),
    ("agent", Some("agent_id"), Some("agent_id IS NOT NULL")),
];

/// What a list is sorted by: its name, the columns that it fixes, those that it sorts by, and which orders are in
/// it. Ids are minted in the order of creation, so they sort by it.
type Sort = (&'static str, &'static [&'static str], &'static [&'static str], Option<&'static str>);

const SORTS: [Sort; 4] = [
    ("listed", &[], &["id"], Some("listed")),
    ("created", &["workflow", "status"], &["id"], Some("deleted_at IS NULL")),
    ("changed", &["workflow", "status"], &["status_changed_at", "id"], Some("deleted_at IS NULL")),
    ("total", &["workflow", "status", "currency"], &["total", "id"], Some("deleted_at IS NULL")),
];

/// An index for every scope and sort, so that a page of any list is read from an index at any depth.
///
/// PostgreSQL takes what it looks for to be spread evenly, and likes to walk all orders in the order asked for
/// until enough of them pass the filter: for a customer whose orders are all old, that is the whole table.
/// Therefore only the right index has the order that a list asks for:
/// - sorted columns have their nulls at the other end than in the primary key, although they hold none. A list
///   says `ORDER BY id DESC NULLS LAST`, or `ASC NULLS FIRST`; on SQLite indexes are like that by nature;
/// - the indexes of all orders demand `version > 0`, which a narrowed list does not say.
///
/// SQLite uses a partial index only where the query repeats its condition in the same words: `listed`, neither
/// `listed = ?` nor `listed IS TRUE`.
fn order_indexes(backend: DbBackend) -> Vec<String> {
    let nulls = if backend == DbBackend::Postgres { " NULLS FIRST" } else { "" };
    let mut indexes =
        vec![format!("CREATE INDEX idx_orders_deleted ON orders (id{nulls}) WHERE deleted_at IS NOT NULL")];
    for (scope, lead, held) in SCOPES {
        for (sort, fixed, sorted, listed) in SORTS {
            let fixed = lead.iter().chain(fixed).map(|column| String::from(*column));
            let sorted = sorted.iter().map(|column| format!("{column}{nulls}"));
            let columns = fixed.chain(sorted).collect::<Vec<_>>().join(", ");
            let rows = held.into_iter().chain(listed).collect::<Vec<_>>().join(" AND ");
            let filter = if rows.is_empty() { rows } else { format!(" WHERE {rows}") };
            indexes.push(format!("CREATE INDEX idx_orders_{scope}_{sort} ON orders ({columns}){filter}"));
        }
    }
    indexes
}

fn resources() -> TableCreateStatement {
    Table::create()
        .table("resources")
        .col(pk_uuid("id"))
        .col(uuid("product_id"))
        .col(uuid("provider_id"))
        .col(uuid("customer_id"))
        .col(text("name"))
        .col(text("state"))
        .col(text_null("previous_state"))
        .col(text_null("backend_id"))
        .col(instant("created_at"))
        .col(instant("updated_at"))
        .foreign_key(&mut refers("resources", "product_id", "products"))
        .foreign_key(&mut refers("resources", "provider_id", "organizations"))
        .foreign_key(&mut refers("resources", "customer_id", "organizations"))
        .take()
}

fn order_items() -> TableCreateStatement {
    Table::create()
        .table("order_items")
        .col(pk_uuid("id"))
        .col(uuid("order_id"))
        .col(integer("position"))
        .col(uuid_null("product_id"))
        .col(text("name"))
        .col(text("sku"))
        .col(json_binary("configuration"))
        .col(big_integer("quantity"))
        .col(big_integer("unit_price"))
        .col(big_integer("tax_rate"))
        .col(big_integer("discount"))
        .col(big_integer("tax"))
        .col(big_integer("line_total"))
        .col(text("status"))
        .col(uuid_null("resource_id"))
        .check(at_least("position", 0))
        .check(at_least("quantity", 1))
        .check(at_least("unit_price", 0))
        .check(at_least("tax_rate", 0))
        .index(&mut unique(["order_id", "position"]))
        .foreign_key(&mut belongs("order_items", "order_id", "orders"))
        .foreign_key(&mut refers("order_items", "product_id", "products"))
        .foreign_key(&mut refers("order_items", "resource_id", "resources"))
        .take()
}

fn attempts() -> TableCreateStatement {
    Table::create()
        .table("attempts")
        .col(pk_uuid("id"))
        .col(uuid("order_id"))
        .col(uuid("item_id"))
        .col(integer("number"))
        .col(text("stage"))
        .col(text("outcome"))
        .col(instant("started_at"))
        .col(instant_null("ended_at"))
        .col(text_null("error_category"))
        .col(text_null("error_message"))
        .col(text_null("error_traceback"))
        .check(at_least("number", 1))
        .index(&mut unique(["item_id", "number"]))
        .foreign_key(&mut belongs("attempts", "order_id", "orders"))
        .foreign_key(&mut belongs("attempts", "item_id", "order_items"))
        .take()
}
