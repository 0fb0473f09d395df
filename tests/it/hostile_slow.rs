//! Clients that take their time: what they begin and never finish, what they never read. The bounds are
//! given small; a test waits for what the server does about it.

use std::time::Duration;

use ordo::http::{Bounds, Limits, Settings, SocketLimits};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    PATIENCE, PLAIN, QUERY, Row, address, as_well_as_before, each, get, post,
    socket::{Wire, subscribe, text},
    soon,
};
use crate::harness::{App, Subscriber};

const SHORT: Duration = Duration::from_millis(300);
/// What has an answer of some 100 kB.
const LONG: &str =
    "__schema { types { name description fields { name description args { name description } } } }";

async fn with(bounds: Bounds, sockets: SocketLimits) -> App {
    App::start_with(Settings { bounds, sockets, limits: Limits::roomy(), ..Settings::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_begun_and_never_finished_is_not_waited_for() {
    let bounds = Bounds { first_head: SHORT, body: SHORT, ..Bounds::default() };
    let app = with(bounds, SocketLimits::default()).await;
    let half = &PLAIN[..10];
    #[rustfmt::skip]
    let rows: Vec<Row> = vec![
        ("nothing at all", vec![], "closed"),
        ("a letter", b"P".to_vec(), "closed"),
        ("half a head", b"POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-le".to_vec(), "closed"),
        ("blank lines without end", b"\r\n".repeat(3_000), "closed"),
        ("half a preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM".to_vec(), "closed"),
        ("half a body", post("content-length: 24\r\n", half), "408 BAD_USER_INPUT"),
        ("a body that was announced alone", post("content-length: 24\r\nexpect: 100-continue\r\n", ""), "408 BAD_USER_INPUT"),
        ("half a chunk", post("transfer-encoding: chunked\r\n", "18\r\n{\"query"), "408 BAD_USER_INPUT"),
        ("chunks without a last one", post("transfer-encoding: chunked\r\n", "1\r\n{\r\n"), "408 BAD_USER_INPUT"),
        ("half the size of a chunk", post("transfer-encoding: chunked\r\n", "1"), "408 BAD_USER_INPUT"),
    ];
    each(&app, rows).await;
}

/// Sends a byte whenever nothing has come back for a moment; returns what comes in the end.
async fn dribble(app: &App, begun: &[u8], drop: u8) -> String {
    let mut stream = TcpStream::connect(address(app)).await.expect("a connection");
    stream.write_all(begun).await.expect("sent");
    let mut answer = [0; 12];
    let talk = async {
        loop {
            match timeout(SHORT / 20, stream.read(&mut answer)).await {
                Ok(Ok(length)) => return String::from_utf8_lossy(&answer[..length]).into_owned(),
                Ok(Err(_)) => return String::new(),
                Err(_) => drop_one(&mut stream, drop).await,
            }
        }
    };
    soon(talk).await
}

async fn drop_one(stream: &mut TcpStream, drop: u8) {
    // The end is seen by reading.
    let _ = stream.write_all(&[drop]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_now_and_then_wins_no_time() {
    let bounds = Bounds { first_head: SHORT, body: SHORT, ..Bounds::default() };
    let app = with(bounds, SocketLimits::default()).await;
    assert_eq!(dribble(&app, b"GET /", b'a').await, "", "a head");
    assert_eq!(dribble(&app, b"", b'\n').await, "", "blank lines");
    let body = post("content-length: 100000\r\n", "{");
    assert_eq!(dribble(&app, &body, b' ').await, "HTTP/1.1 408", "a body");
    let chunk = post("transfer-encoding: chunked\r\n", "186a0\r\n");
    assert_eq!(dribble(&app, &chunk, b' ').await, "HTTP/1.1 408", "a chunk");
    as_well_as_before(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_never_finishes_keeps_nobody_waiting() {
    let app = App::start().await;
    let begun = [
        b"POST /graphql HTTP/1.1\r\nx: ".to_vec(),
        post("content-length: 1000000\r\n", vec![b' '; 10_000]),
        get(
            "/graphql",
            "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
            sec-websocket-protocol: graphql-transport-ws\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        ),
    ];
    let mut crowd = Vec::new();
    for nth in 0..300 {
        let mut stream = TcpStream::connect(address(&app)).await.expect("a connection");
        stream.write_all(&begun[nth % begun.len()]).await.expect("sent");
        crowd.push(stream);
    }
    let staff = app.staff();
    let mut live = staff.subscribe("subscription { orderEvents { kind } }", json!({})).await;
    assert_eq!(live.change().await["kind"], "STARTED");
    as_well_as_before(&app).await;
    assert_eq!(live.change().await["kind"], "CREATED");
    for stream in &mut crowd[..2] {
        assert!(timeout(Duration::ZERO, stream.read(&mut [0])).await.is_err(), "they still hang on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_of_what_is_answered_is_given_up() {
    // There is one place: that another client is served shows that the lazy one has lost it.
    let bounds = Bounds { connections: 1, stall: SHORT, ..Bounds::default() };
    let app = with(bounds, SocketLimits::default()).await;
    let token = app.staff().token().unwrap().to_owned();
    let body = json!({ "query": format!("{{ {LONG} }}") }).to_string();
    let request = post(&format!("authorization: Bearer {token}\r\ncontent-length: {}\r\n", body.len()), body);
    let mut lazy = TcpStream::connect(address(&app)).await.expect("a connection");
    // More than the system keeps for somebody who does not read.
    let asking = tokio::spawn(async move {
        let _ = lazy.write_all(&request.repeat(200)).await;
        lazy
    });
    soon(app.staff().data(QUERY, json!({}))).await;
    soon(asking).await.expect("an end");
    as_well_as_before(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_reads_nothing_is_given_up_and_disturbs_no_other() {
    // Places for the patient one, the lazy one and one more: a fourth client is served in the lazy one's.
    let bounds = Bounds { connections: 3, ..Bounds::default() };
    let app = with(bounds, SocketLimits { sending: SHORT, ..SocketLimits::default() }).await;
    let staff = app.staff();
    let watch = "subscription { orderEvents { kind orderId } }";
    let mut patient = staff.subscribe(watch, json!({})).await;
    assert_eq!(patient.change().await["kind"], "STARTED");
    let mut lazy = Wire::greeted(&app).await;
    lazy.send(&subscribe(json!({ "query": watch }).to_string())).await;
    // Each is sent back: more than the system keeps for somebody who does not read.
    let ping = text(json!({ "type": "ping", "payload": { "a": "x".repeat(250_000) } }).to_string());
    let asking = tokio::spawn(async move {
        lazy.send(&ping.repeat(180)).await;
        lazy
    });
    for _ in 0..5 {
        let order = app.place(&staff, &app.company.webspace, 1).await;
        assert_eq!(patient.change().await, json!({ "kind": "CREATED", "orderId": order }));
    }
    soon(app.support().data(QUERY, json!({}))).await;
    let mut lazy = soon(asking).await.expect("an end");
    let mut pongs = 0;
    while let Some((first, _)) = soon(lazy.frame()).await {
        assert_ne!(first, 0x88, "it is dropped without a word");
        pongs += 1;
    }
    assert!(pongs < 180, "{pongs} were read");
    drop(staff);
    as_well_as_before(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_never_says_who_it_is_is_closed() {
    let app = with(Bounds::default(), SocketLimits { greeting: SHORT, ..SocketLimits::default() }).await;
    let silent = Subscriber::open(&app.url).await;
    assert_eq!(silent.until_closed().await, (vec![], Some(4408)));
    let mut chatty = Subscriber::open(&app.url).await;
    chatty.send(json!({ "type": "ping" })).await;
    assert_eq!(
        chatty.until_closed().await,
        (vec![json!({ "type": "pong" })], Some(4408)),
        "not a word about it"
    );
    // Who has introduced itself stays as long as it likes.
    let mut known = Subscriber::connect(&app.url, app.staff().token()).await;
    assert_eq!(Subscriber::open(&app.url).await.until_closed().await.1, Some(4408));
    known.send(json!({ "type": "ping" })).await;
    assert_eq!(known.message().await["type"], "pong");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_gives_no_sign_of_life_is_dropped() {
    let app = with(Bounds::default(), SocketLimits { ping: SHORT / 3, ..SocketLimits::default() }).await;
    let mut wire = Wire::greeted(&app).await;
    let mut pings = 0;
    while let Some((first, _)) = timeout(PATIENCE, wire.frame()).await.expect("an end in time") {
        assert_eq!(first, 0x89, "a ping");
        pings += 1;
    }
    assert_eq!(pings, 2, "two are left without an answer");
}
