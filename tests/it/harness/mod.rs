//! What every test stands on: the application on a fresh database, a clock that only moves when told,
//! a small company, and a client per role.

mod client;
mod company;
mod crowd;
mod events;
mod instance;
mod path;
pub mod plan;
mod raw;
mod world;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::TimeDelta;
use domain::id::UserId;
use ordo::{
    app::World,
    http::{self, auth::Auth},
    store::Store,
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

pub use client::{Answer, Client, Subscriber};
pub use company::{Account, Company, Goods};
pub use events::{Event, Events};
pub use path::Wanted;
pub use world::TestWorld;

use crate::postgres;

/// The secret of every test's server.
pub const SECRET: &[u8] = b"a secret of the tests, long enough for anybody";

/// The databases that the suite runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    /// The one of this run: `ORDO_TEST_DATABASE`, SQLite if it says nothing.
    pub fn of_this_run() -> Database {
        match std::env::var("ORDO_TEST_DATABASE").as_deref() {
            Ok("postgres") => Database::Postgres,
            Ok("sqlite") | Err(_) => Database::Sqlite,
            Ok(other) => panic!("ORDO_TEST_DATABASE is sqlite or postgres, not {other:?}"),
        }
    }
}

/// A running application.
pub struct App {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// The application inside.
    pub inner: ordo::app::App,
    /// Its clock.
    pub world: Arc<TestWorld>,
    /// Who is there.
    pub company: Company,
    /// Statements since the start.
    pub statements: Arc<AtomicU64>,
    /// The database's URL.
    pub database_url: String,
    auth: Auth,
    bell: Option<instance::Hung>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    _files: Option<tempfile::TempDir>,
}

impl App {
    /// Boots the application on a fresh database with the company in it.
    pub async fn start() -> App {
        App::start_on(Database::of_this_run()).await
    }

    /// Boots on a given kind of database.
    pub async fn start_on(database: Database) -> App {
        App::boot(database, http::Settings { limits: http::Limits::roomy(), ..http::Settings::default() })
            .await
    }

    /// Boots with a front door of its own.
    pub async fn start_with(settings: http::Settings) -> App {
        App::boot(Database::of_this_run(), settings).await
    }

    /// Boots an application that takes the tokens of outside identity providers too.
    pub async fn start_trusting(identities: http::Identities) -> App {
        let settings = http::Settings { limits: http::Limits::roomy(), ..http::Settings::default() };
        App::boot_trusting(Database::of_this_run(), settings, identities).await
    }

    async fn boot(database: Database, settings: http::Settings) -> App {
        App::boot_trusting(database, settings, http::Identities::default()).await
    }

    async fn boot_trusting(
        database: Database,
        settings: http::Settings,
        identities: http::Identities,
    ) -> App {
        let (database_url, files) = fresh_database(database).await;
        App::found(database_url, files, settings, identities, None).await
    }

    /// Boots on a database that is there, with the company in it.
    async fn found(
        database_url: String,
        files: Option<tempfile::TempDir>,
        settings: http::Settings,
        identities: http::Identities,
        bell: Option<instance::Hung>,
    ) -> App {
        speak_tls();
        let statements = Arc::new(AtomicU64::new(0));
        let world = Arc::new(TestWorld::default());
        let inner = instance::process(&database_url, &world, &statements, bell.as_ref()).await;
        let company = Company::found(&inner).await;
        let auth = Auth::with_secret(SECRET, "ordo", "ordo").trusting(identities);
        let (url, stop) = instance::serve(&inner, &auth, settings).await;
        App { url, inner, world, company, statements, database_url, auth, bell, stop, _files: files }
    }

    /// Tells the server to stop, as a signal does.
    pub fn stop(&self) {
        if let Some(stop) = self.stop.lock().expect("a lock").take() {
            stop.send(()).expect("a server");
        }
    }

    /// A client with this account's token.
    pub fn client(&self, account: Account) -> Client {
        Client::new(&self.url, Some(self.token(account.id, TimeDelta::hours(8))))
    }

    /// A token for an account.
    pub fn token(&self, user: UserId, life: TimeDelta) -> String {
        let now = self.world.now();
        self.auth.issue(user, now, now + life).expect("a token")
    }

    pub fn admin(&self) -> Client {
        self.client(self.company.admin)
    }
    pub fn staff(&self) -> Client {
        self.client(self.company.staff)
    }
    pub fn support(&self) -> Client {
        self.client(self.company.support)
    }
    pub fn csr(&self) -> Client {
        self.client(self.company.csr)
    }
    pub fn agent(&self) -> Client {
        self.client(self.company.agent)
    }
    pub fn provider(&self) -> Client {
        self.client(self.company.provider)
    }
    pub fn manager(&self) -> Client {
        self.client(self.company.manager)
    }
    pub fn worker(&self) -> Client {
        self.client(self.company.worker)
    }
    pub fn approver(&self) -> Client {
        self.client(self.company.approver)
    }
    pub fn consumer(&self) -> Client {
        self.client(self.company.consumer)
    }
    /// A consumer of another customer, who must never see anything of the first.
    pub fn stranger(&self) -> Client {
        self.client(self.company.stranger)
    }
    /// The owner of another provider.
    pub fn rival(&self) -> Client {
        self.client(self.company.rival)
    }
    /// Nobody: no token at all.
    pub fn anonymous(&self) -> Client {
        Client::new(&self.url, None)
    }

    /// Everybody, by role.
    pub fn roles(&self) -> Vec<(&'static str, Client)> {
        vec![
            ("anonymous", self.anonymous()),
            ("admin", self.admin()),
            ("staff", self.staff()),
            ("support", self.support()),
            ("csr", self.csr()),
            ("provider", self.provider()),
            ("manager", self.manager()),
            ("worker", self.worker()),
            ("agent", self.agent()),
            ("approver", self.approver()),
            ("consumer", self.consumer()),
            ("stranger", self.stranger()),
            ("rival", self.rival()),
        ]
    }

    /// Statements that some work costs.
    pub async fn statements_of<T>(&self, work: impl Future<Output = T>) -> (u64, T) {
        let before = self.statements.load(Ordering::SeqCst);
        let done = work.await;
        (self.statements.load(Ordering::SeqCst) - before, done)
    }

    /// Everything that the database holds about an order, every column of every row: equal before and
    /// after means that nothing was written.
    pub async fn rows(&self, order: &str) -> Value {
        use sea_orm::{FromQueryResult, JsonValue, Statement, Value as Bound};
        let id: domain::id::OrderId = order.parse().expect("an order id");
        let db = sea_orm::Database::connect(&self.database_url).await.expect("a second connection");
        let mut rows = serde_json::Map::new();
        for (table, column) in [
            ("orders", "id"),
            ("order_items", "order_id"),
            ("attempts", "order_id"),
            ("invoices", "order_id"),
            ("payments", "order_id"),
            ("refunds", "order_id"),
            ("notes", "order_id"),
            ("events", "subject_id"),
        ] {
            let sql = format!("SELECT * FROM {table} WHERE {column} = $1 ORDER BY id");
            let statement =
                Statement::from_sql_and_values(db.get_database_backend(), sql, [Bound::Uuid(Some(id.0))]);
            let mut found: Vec<Value> = JsonValue::find_by_statement(statement).all(&db).await.expect("rows");
            // The log gives an event its position after the commit; that is not a change of the order.
            found.iter_mut().filter_map(Value::as_object_mut).for_each(|row| {
                row.remove("seq");
            });
            rows.insert(table.to_owned(), found.into());
        }
        db.close().await.expect("closed");
        Value::Object(rows)
    }

    /// Places an order of one product as this client and returns its id.
    pub async fn place(&self, client: &Client, product: &Goods, quantity: i32) -> String {
        let customer = self.company.customer.to_string();
        let input = json!({
            "customer": { "id": customer },
            "lines": [{ "product": product.id.to_string(), "quantity": quantity }],
        });
        self.place_input(client, input).await
    }

    /// Places an order from a whole input and returns its id.
    pub async fn place_input(&self, client: &Client, input: Value) -> String {
        let query = "mutation($input: OrderCreateInput!) { orderCreate(input: $input) \
            { order { id } errors { code message path } } }";
        let data = client.data(query, json!({ "input": input })).await;
        let payload = &data["orderCreate"];
        assert_eq!(payload["errors"], json!([]), "{payload}");
        payload["order"]["id"].as_str().expect("an id").to_owned()
    }

    /// Takes an action and expects it to succeed; returns the payload's `order`.
    pub async fn act(&self, client: &Client, order: &str, action: &str, extra: Value) -> Value {
        let payload = client.transition(order, action, extra).await;
        assert_eq!(payload["errors"], json!([]), "{action}: {payload}");
        payload["order"].clone()
    }
}

/// Names the one provider of TLS, without which no HTTP client can be made.
pub fn speak_tls() {
    // An error says only that this was done before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The URL of an empty database, and the folder that holds it.
async fn fresh_database(database: Database) -> (String, Option<tempfile::TempDir>) {
    match database {
        Database::Sqlite => {
            let folder = tempfile::tempdir().expect("a folder");
            let file: PathBuf = folder.path().join("ordo.db");
            (format!("sqlite://{}?mode=rwc", file.display()), Some(folder))
        }
        Database::Postgres => {
            let migrate = async |url: String| {
                let store = Store::open(&url, 1).await.expect("the template opens");
                store.migrate().await.expect("the template migrates");
                // So that the first start takes no chance that a test counts on.
                let (id, now) = (uuid::Uuid::from_u128(1), TestWorld::default().now());
                ordo::store::bell::identify(&store, id, now).await.expect("the template has an id");
                store.close().await.expect("the template closes");
            };
            (postgres::fresh(migrate).await, None)
        }
    }
}
