//! Several instances of the application on one database, as processes would be.

use std::{
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use ordo::{
    bus::{Pace, Wire},
    http::{self, auth::Auth},
    store::Store,
};
use serde_json::Value;
use tokio::{sync::oneshot, task::yield_now, time::timeout};

use super::{App, Database, SECRET, TestWorld, fresh_database};

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A bell of a test's own.
#[derive(Clone, Debug)]
pub(super) struct Hung {
    wire: Wire,
    pace: Pace,
}

/// The application inside, with its feed running.
pub(super) async fn process(
    database_url: &str,
    world: &Arc<TestWorld>,
    statements: &Arc<AtomicU64>,
    bell: Option<&Hung>,
) -> ordo::app::App {
    let mut store = Store::open(database_url, 8).await.expect("the database opens");
    store.count_statements(statements.clone());
    let mut inner = ordo::app::App::start(store, SECRET, world.clone()).await.expect("the app starts");
    if let Some(Hung { wire, pace }) = bell {
        inner = inner.rung_by(wire.clone(), *pace).await.expect("the feed opens");
    }
    tokio::spawn(inner.feed.clone().run());
    inner
}

/// Where it listens, and what stops it. Unstopped, it serves on until the test ends.
pub(super) async fn serve(
    inner: &ordo::app::App,
    auth: &Auth,
    settings: http::Settings,
) -> (String, Mutex<Option<oneshot::Sender<()>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (stop, stopped) = oneshot::channel();
    let until = async {
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let start = http::StartPage::default();
    tokio::spawn(http::serve(listener, inner.clone(), auth.clone(), settings, start, until));
    (url, Mutex::new(Some(stop)))
}

fn settings() -> http::Settings {
    http::Settings { limits: http::Limits::roomy(), ..http::Settings::default() }
}

impl App {
    /// Boots on PostgreSQL with a bell and a pace of the test's own, and waits until the bell is heard.
    pub async fn start_rung_by(wire: Wire, pace: Pace) -> App {
        let (database_url, files) = fresh_database(Database::Postgres).await;
        let bell = Some(Hung { wire, pace });
        let app = App::found(database_url, files, settings(), http::Identities::default(), bell).await;
        app.until("the bell is heard", async || app.inner.feed.bell_is_well() == Some(true)).await;
        app
    }

    /// A second instance on the same database, with the same company, clock and kind of bell.
    pub async fn beside(&self) -> App {
        let statements = Arc::new(AtomicU64::new(0));
        let (world, bell) = (self.world.clone(), self.bell.clone());
        let inner = process(&self.database_url, &world, &statements, bell.as_ref()).await;
        let auth = self.auth.clone();
        let (url, stop) = serve(&inner, &auth, settings()).await;
        let (company, database_url) = (self.company.clone(), self.database_url.clone());
        let app =
            App { url, inner, world, company, statements, database_url, auth, bell, stop, _files: None };
        if app.inner.store.stamps_late() {
            app.until("the bell is heard", async || app.inner.feed.bell_is_well() == Some(true)).await;
        }
        app
    }

    /// Waits until something is so, which must happen in time.
    pub async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let waited = async {
            while !so().await {
                yield_now().await;
            }
        };
        timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("in time: {what}"));
    }

    /// What `/readyz` says: the status, and the body.
    pub async fn readiness(&self) -> (u16, Value) {
        let response = reqwest::get(format!("{}/readyz", self.url)).await.expect("an answer");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }
}
