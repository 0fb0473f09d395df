//! Clients that hang up in mid-request: no transaction is left open, no acknowledged write is lost, no lock
//! is held. A future dropped while BEGIN is under way is how such a server would break without a word.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::harness::{App, Client, Database};

/// Clients at once, and how often. A burst of 32 waits for connections; as many clients as there are
/// connections are cut in the middle of their transactions.
const BURSTS: [(usize, usize); 2] = [(32, 4), (8, 64)];
/// How long something may take that must not wait for a lock.
const SOON: Duration = Duration::from_secs(5);

/// A request as bytes: a note on an order, under a text of its own.
fn request(app: &App, token: &str, order: &str, body: &str) -> Vec<u8> {
    let query = "mutation($order: ID!, $body: String!) { orderAddNote(input: { order: $order, body: $body }) \
        { errors { code } } }";
    let sent = json!({ "query": query, "variables": { "order": order, "body": body } }).to_string();
    let host = app.url.trim_start_matches("http://");
    format!(
        "POST /graphql HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{sent}",
        sent.len()
    )
    .into_bytes()
}

/// Sends a request and resets the connection after some bytes or some microseconds; true when the answer
/// was read to its end before that and says that the note is written.
async fn hang_up(app: &App, bytes: &[u8], cut: Option<usize>, patience: Duration) -> bool {
    let address = app.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // Dropped with this set, the connection is reset: nothing more is sent, nothing received.
    stream.set_zero_linger().expect("a socket option");
    let mut answer = Vec::new();
    let talk = async {
        let sent = &bytes[..cut.unwrap_or(bytes.len())];
        stream.write_all(sent).await?;
        if cut.is_none() {
            stream.read_to_end(&mut answer).await?;
        }
        std::io::Result::Ok(())
    };
    let ended = timeout(patience, talk).await.is_ok_and(|done| done.is_ok());
    let answer = String::from_utf8_lossy(&answer);
    ended && cut.is_none() && answer.starts_with("HTTP/1.1 200") && answer.ends_with("{\"errors\":[]}}}")
}

/// The bodies of all notes, as somebody else reads them.
async fn notes(app: &App) -> Vec<String> {
    let db = app.second_connection().await;
    let statement = Statement::from_string(db.get_database_backend(), "SELECT body FROM notes ORDER BY id");
    let rows = db.query_all_raw(statement).await.expect("notes");
    let bodies = rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect();
    db.close().await.expect("closed");
    bodies
}

/// Waits until no connection is inside a transaction. It is for tasks that outlive their clients to end
/// their work; one that never ends is what is looked for.
pub async fn no_transaction_is_open(app: &App) {
    let db = app.second_connection().await;
    let began = Instant::now();
    loop {
        let open = match Database::of_this_run() {
            Database::Postgres => {
                let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'";
                let statement = Statement::from_string(db.get_database_backend(), sql);
                let row = db.query_one_raw(statement).await.expect("a count").expect("a row");
                row.try_get_by_index::<i64>(0).expect("a number")
            }
            // A second writer gets the lock at once, or another holds it.
            Database::Sqlite => {
                db.execute_unprepared("PRAGMA busy_timeout = 0").await.expect("a setting");
                match db.execute_unprepared("BEGIN IMMEDIATE; ROLLBACK").await {
                    Ok(_) => 0,
                    Err(_) => 1,
                }
            }
        };
        if open == 0 {
            break;
        }
        assert!(began.elapsed() < SOON, "{open} transactions are still open");
        tokio::task::yield_now().await;
    }
    db.close().await.expect("closed");
}

/// Every order can be moved without waiting for anybody.
async fn every_order_moves(staff: &Client, orders: &[String]) {
    let moved = join_all(orders.iter().map(async |order| {
        let payload = timeout(SOON, staff.transition(order, "accept", json!({}))).await;
        payload.expect("no lock is held")["errors"].clone()
    }));
    assert!(moved.await.iter().all(|errors| *errors == json!([])), "an order did not move");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_hang_up_in_mid_request_leave_nothing_behind() {
    let app = App::start().await;
    let staff = app.staff();
    let mut orders = Vec::new();
    for _ in 0..8 {
        orders.push(app.place(&staff, &app.company.webspace, 1).await);
    }
    let token = staff.token().expect("a token").to_owned();
    let mut random = StdRng::seed_from_u64(7);
    let mut acknowledged: Vec<String> = Vec::new();
    let bursts: Vec<usize> = BURSTS.iter().flat_map(|(size, times)| vec![*size; *times]).collect();
    for (burst, size) in bursts.iter().enumerate() {
        let mut clients = Vec::new();
        for n in 0..*size {
            let (order, body) = (&orders[n % orders.len()], format!("note {burst}.{n}"));
            let bytes = request(&app, &token, order, &body);
            // A few are cut while they write; most while the server works; some read their answer.
            let cut = (n % 8 == 0).then(|| random.random_range(1..bytes.len()));
            let patience = match n % 8 {
                7 => SOON * 4,
                _ => Duration::from_micros(random.random_range(0..10_000)),
            };
            clients.push((bytes, body, cut, patience));
        }
        let talks = clients.iter().map(|(bytes, _, cut, patience)| hang_up(&app, bytes, *cut, *patience));
        let answered = join_all(talks).await;
        let bodies = clients.iter().zip(answered).filter(|(_, answered)| *answered);
        acknowledged.extend(bodies.map(|((_, body, ..), _)| body.clone()));
        // Now, not in the end: a later COMMIT on the same connection would hide what was left open.
        no_transaction_is_open(&app).await;
    }
    assert!(acknowledged.len() >= bursts.iter().sum::<usize>() / 8, "the patient ones are answered");
    let written = notes(&app).await;
    let lost: Vec<&String> = acknowledged.iter().filter(|body| !written.contains(body)).collect();
    assert!(lost.is_empty(), "acknowledged, and not there: {lost:?}");
    every_order_moves(&staff, &orders).await;
    no_transaction_is_open(&app).await;

    // What is written from now on commits: somebody else sees it.
    let later = app.place(&staff, &app.company.webspace, 1).await;
    let rows = app.rows(&later).await;
    assert_eq!(rows["orders"].as_array().map(Vec::len), Some(1));
    assert_eq!(rows["events"].as_array().map(Vec::len), Some(1));
    // Versions and events tell the same story, whatever was cut.
    for order in &orders {
        let rows = app.rows(order).await;
        let events = rows["events"].as_array().map(Vec::len);
        let version = rows["orders"][0]["version"].as_u64();
        assert_eq!(version, events.map(|events| events as u64), "{rows:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_break_off_in_mid_subscription_do_not_disturb_the_feed() {
    const EVENTS: &str = "subscription { orderEvents { kind orderId } }";
    let app = App::start().await;
    let staff = app.staff();
    let mut patient = staff.subscribe(EVENTS, json!({})).await;
    assert_eq!(patient.change().await["kind"], "STARTED");
    let mut placed: Vec<Value> = Vec::new();
    for _ in 0..4 {
        let mut gone = Vec::new();
        for _ in 0..8 {
            gone.push(staff.subscribe(EVENTS, json!({})).await);
        }
        placed.push(app.place(&staff, &app.company.webspace, 1).await.into());
        drop(gone);
        placed.push(app.place(&staff, &app.company.webspace, 1).await.into());
    }
    for order in placed {
        assert_eq!(patient.change().await, json!({ "kind": "CREATED", "orderId": order }));
    }
}
