//! Orders by the million, made inside the database: three lines and three events each, spread over
//! providers, customers, statuses and time.

use anyhow::{Result, anyhow};
use domain::id::{OrganizationId, TypedId};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend};
use uuid::Uuid;

use crate::{
    company::{self, Company},
    site,
};

/// The first order's moment, in milliseconds: 1 January 2026.
const START: i64 = 1_767_225_600_000;
/// From one order to the next.
const STEP: i64 = 20_000;

/// Makes the tables, the company and so many orders.
pub async fn fill(url: &str, orders: i64) -> Result<Company> {
    let app = site::boot(url, 2).await?;
    let company = company::found(&app).await?;
    app.store.close().await.map_err(|error| anyhow!("{error:?}"))?;
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await?;
    let dialect = Dialect { postgres: db.get_database_backend() == DbBackend::Postgres };
    for statement in dialect.statements(&company, orders) {
        db.execute_unprepared(&statement).await?;
    }
    settle(&db, dialect).await?;
    db.close().await?;
    Ok(company)
}

/// What a database that has been up for a while has done: statistics, visibility, no journal to write back.
async fn settle(db: &DatabaseConnection, dialect: Dialect) -> Result<()> {
    let statements: &[&str] = match dialect.postgres {
        true => &["VACUUM (ANALYZE)", "CHECKPOINT"],
        // The server keeps no statistics on SQLite: see `store`.
        false => &["PRAGMA wal_checkpoint(TRUNCATE)"],
    };
    for statement in statements {
        db.execute_unprepared(statement).await?;
    }
    Ok(())
}

/// What the two databases say differently.
#[derive(Clone, Copy)]
struct Dialect {
    postgres: bool,
}

/// Every order by its number `i`: `h` is as good as random, and the same on both databases.
const ORDERS: &str = "numbered AS (SELECT i, (i * 2654435761) % 1000003 AS h FROM series), \
    drawn AS (SELECT i, h, i % 50 AS customer, (i / 50) % 5 AS provider, \
    CASE WHEN h % 100 < 60 THEN 'cloud' ELSE 'delivery' END AS workflow, (h / 100) % 8 AS s FROM numbered)";

const STATUS: &str = "CASE WHEN workflow = 'delivery' THEN CASE WHEN s < 4 THEN 'delivered' WHEN s < 7 THEN \
    'pending' ELSE 'in_transit' END ELSE CASE WHEN s < 4 THEN 'fulfilled' WHEN s < 6 THEN 'provisioning' \
    WHEN s < 7 THEN 'failed' ELSE 'pending_payment' END END";

const CATEGORY: &str = "CASE WHEN s < 4 THEN 'SUCCEEDED' WHEN workflow = 'delivery' THEN CASE WHEN s < 7 THEN \
    'PENDING' ELSE 'IN_PROGRESS' END ELSE CASE WHEN s < 6 THEN 'IN_PROGRESS' WHEN s < 7 THEN 'FAILED' ELSE \
    'PENDING' END END";

impl Dialect {
    fn statements(self, company: &Company, orders: i64) -> [String; 3] {
        let series = match self.postgres {
            true => format!("series AS (SELECT i::bigint AS i FROM generate_series(1, {orders}) AS i)"),
            false => format!("series(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < {orders})"),
        };
        let with = format!(
            "WITH RECURSIVE {series}, {ORDERS}, {}, {}",
            self.parties("customers", &company.customers),
            self.parties("providers", &company.providers)
        );
        [self.orders(&with), self.items(&with), self.events(&with)]
    }

    fn orders(self, with: &str) -> String {
        let (id, at) = (self.id("i", "0"), self.moment("i"));
        let json = if self.postgres { "::jsonb" } else { "" };
        let contact = "'{\"name\":\"Kim Doe\",\"email\":\"kim@load.test\"}'";
        format!(
            "INSERT INTO orders (id, number, kind, version, workflow, workflow_version, status, category, \
             status_changed_at, created_at, updated_at, placed_at, listed, customer_id, provider_id, currency, \
             subtotal, discount, tax, delivery_fee, total, paid, tags, contact, metadata) \
             {with} SELECT {id}, 1000000000 + i, 'CREATE', 3, workflow, 1, {STATUS}, {CATEGORY}, {at}, {at}, {at}, \
             {at}, TRUE, c.id, p.id, 'EUR', 12000, 0, 2280, 0, 14280, 0, '[]'{json}, {contact}{json}, '{{}}'{json} \
             FROM drawn JOIN customers c ON c.n = drawn.customer JOIN providers p ON p.n = drawn.provider"
        )
    }

    fn items(self, with: &str) -> String {
        let (id, order) = (self.id("i", "k"), self.id("i", "0"));
        let empty = if self.postgres { "'{}'::jsonb" } else { "'{}'" };
        format!(
            "INSERT INTO order_items (id, order_id, position, product_id, name, sku, configuration, quantity, \
             unit_price, tax_rate, discount, tax, line_total, status) \
             {with}, lines(k) AS (VALUES (1), (2), (3)), goods AS (SELECT id, provider_id, workflow, name, sku, \
             row_number() OVER (PARTITION BY provider_id, workflow ORDER BY id) - 1 AS n FROM products) \
             SELECT {id}, {order}, k, goods.id, goods.name, goods.sku, {empty}, k, 20000000, 190000, 0, k * 380, \
             k * 2000, 'PENDING' FROM drawn CROSS JOIN lines JOIN providers p ON p.n = drawn.provider \
             JOIN goods ON goods.provider_id = p.id AND goods.workflow = drawn.workflow AND goods.n = (h + k) % 5"
        )
    }

    /// Placed, then twice moved; positions in the log are given, as if the feed had been running. Those of the
    /// workflows and accounts come first.
    fn events(self, with: &str) -> String {
        let (uid, order, at) = (self.id("i", "k + 8"), self.id("i", "0"), self.moment("i"));
        let object = if self.postgres { "jsonb_build_object" } else { "json_object" };
        let facet = format!(
            "{object}('provider', p.typed, 'customer', c.typed, 'workflow', workflow, 'status', {STATUS}, \
             'public_status', {STATUS}, 'category', {CATEGORY}, \
             'public_category', {CATEGORY}, 'currency', 'EUR', 'total', 14280, 'paid', 0)"
        );
        format!(
            "INSERT INTO events (seq, uid, subject_kind, subject_id, subject_version, kind, action, \
             from_status, to_status, actor_kind, reason_public, audience, before, after, at) \
             {with}, versions(k) AS (VALUES (1), (2), (3)), others(seq) AS (SELECT COALESCE(MAX(seq), 0) FROM events \
             WHERE subject_kind <> 'ORDER') SELECT others.seq + 3 * (i - 1) + k, {uid}, 'ORDER', {order}, k, \
             CASE k WHEN 1 THEN 'CREATED' ELSE 'STATUS_CHANGED' END, CASE k WHEN 1 THEN NULL ELSE 'set_status' END, \
             CASE k WHEN 1 THEN NULL ELSE {STATUS} END, {STATUS}, 'SYSTEM', FALSE, 'PUBLIC', \
             CASE k WHEN 1 THEN NULL ELSE {facet} END, {facet}, {at} FROM drawn CROSS JOIN versions CROSS JOIN others \
             JOIN customers c ON c.n = drawn.customer JOIN providers p ON p.n = drawn.provider ORDER BY i, k"
        )
    }

    /// Organisations by number, with their ids as events hold them.
    fn parties(self, name: &str, ids: &[OrganizationId]) -> String {
        let row = |(n, id): (usize, &OrganizationId)| format!("({n}, {}, '{id}')", self.literal(id.0));
        let rows: Vec<String> = ids.iter().enumerate().map(row).collect();
        format!("{name}(n, id, typed) AS (VALUES {})", rows.join(", "))
    }

    fn literal(self, id: Uuid) -> String {
        if self.postgres { format!("'{id}'::uuid") } else { format!("x'{}'", id.simple()) }
    }

    /// A UUIDv7 of the moment of order `i`; `k` tells apart what belongs to it.
    fn id(self, i: &str, k: &str) -> String {
        let millis = format!("{START} + {i} * {STEP}");
        match self.postgres {
            true => format!(
                "(lpad(to_hex({millis}), 12, '0') || '7' || lpad(to_hex(({i} * 7919) % 4096), 3, '0') || '8' || \
                 lpad(to_hex(({k})::int), 3, '0') || lpad(to_hex(({i} * 2654435761) % 281474976710656), 12, '0'))::uuid"
            ),
            false => format!(
                "unhex(printf('%012x7%03x8%03x%012x', {millis}, ({i} * 7919) % 4096, {k}, \
                 ({i} * 2654435761) % 281474976710656))"
            ),
        }
    }

    /// The moment of order `i`.
    fn moment(self, i: &str) -> String {
        let at = format!("({START} + {i} * {STEP}) / 1000");
        match self.postgres {
            true => format!("to_timestamp({at})"),
            false => format!("strftime('%Y-%m-%dT%H:%M:%S+00:00', {at}, 'unixepoch')"),
        }
    }
}

/// The id of order `i`, as [`Dialect::id`] makes it.
pub fn order_id<T: TypedId>(i: i64) -> T {
    let millis = (START + i * STEP) as u128;
    let middle = ((i * 7_919) % 4_096) as u128;
    let low = ((i as u128) * 2_654_435_761) % (1 << 48);
    T::from(Uuid::from_u128(millis << 80 | 7 << 76 | middle << 64 | 8 << 60 | low))
}
