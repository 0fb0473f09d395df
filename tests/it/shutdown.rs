//! SIGTERM: what was begun is ended and answered, whoever listens is told, and the process ends well.

use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, Statement};
use serde_json::json;
use tempfile::TempDir;
use tokio::{net::TcpStream, process::Command, task::yield_now, time::timeout};

use crate::{
    cli::{LONG_SECRET, PATIENCE, Server, ordo, printed},
    harness::{Client, Database, Subscriber},
    postgres,
};

/// How long the server may take to end, once what it waits for is done.
const FAREWELL: Duration = Duration::from_secs(10);

async fn connection(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await.expect("a connection")
}

/// Nobody writes while this connection lives and has not committed.
async fn locked(url: &str) -> DatabaseConnection {
    let db = connection(url).await;
    let lock = match Database::of_this_run() {
        Database::Sqlite => "BEGIN IMMEDIATE",
        Database::Postgres => "BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE",
    };
    db.execute_unprepared(lock).await.expect("the lock");
    db
}

/// Requests under way besides the one that asks.
async fn under_way(url: &str) -> u32 {
    let text = reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap();
    let open = text.lines().find_map(|line| line.strip_prefix("ordo_http_requests_open ")).expect("a gauge");
    open.parse::<u32>().expect("a number") - 1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_under_way_is_ended_and_answered_and_sockets_are_told() {
    let folder = TempDir::new().unwrap();
    let url = match Database::of_this_run() {
        Database::Sqlite => format!("sqlite://{}?mode=rwc", folder.path().join("shop.db").display()),
        Database::Postgres => postgres::empty().await,
    };
    let with = |arguments: &[&str]| -> Command {
        let mut command = ordo(folder.path(), arguments);
        command.env("DATABASE_URL", &url).env("ORDO_JWT_SECRET", LONG_SECRET);
        command
    };
    printed(with(&["demo"])).await;
    let token = printed(with(&["token", "--as", "staff"])).await.trim().to_owned();
    let mut server = Server::start(with(&["--listen", "127.0.0.1:0"]), "Ordo listens on").await;
    let staff = Client::new(&server.url, Some(token.clone()));
    let order = staff.data(ordo::http::QUERY, json!({})).await["orders"]["nodes"][0]["id"].clone();
    let live = staff.subscribe("subscription { orderEvents { kind } }", json!({})).await;
    let idle = Subscriber::connect(&server.url, Some(&token)).await;

    let lock = locked(&url).await;
    let write =
        tokio::spawn(async move { staff.data(ordo::http::MUTATION, json!({ "order": order })).await });
    let begun = async { while under_way(&server.url).await == 0 {} };
    timeout(PATIENCE, begun).await.expect("the write is under way");
    server.terminate().await;
    // It accepts nobody any more: the signal was heard.
    let address = server.url.trim_start_matches("http://").to_owned();
    let deaf = async {
        while TcpStream::connect(&address).await.is_ok() {
            yield_now().await
        }
    };
    timeout(PATIENCE, deaf).await.expect("the door is closed");
    assert!(server.process.try_wait().unwrap().is_none(), "it waits for the write");
    for socket in [live, idle] {
        assert_eq!(socket.until_closed().await.1, Some(1001), "sockets are told at once");
    }

    lock.execute_unprepared("COMMIT").await.expect("the lock is given back");
    lock.close().await.unwrap();
    let answer = write.await.expect("an answer");
    assert_eq!(answer["orderAddNote"]["errors"], json!([]));
    server.ended(FAREWELL).await;
    let db = connection(&url).await;
    let sql = "SELECT COUNT(*) FROM notes WHERE body = 'Called the customer'";
    let row =
        db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap().unwrap();
    assert_eq!(row.try_get_by_index::<i64>(0).unwrap(), 1, "what was acknowledged is there");
    db.close().await.unwrap();
}
