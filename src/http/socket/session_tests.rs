//! Conversations over real sockets.

use std::time::Duration;

use axum::{Router, extract::ws::WebSocketUpgrade, routing::any};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use super::*;

#[path = "rig_tests.rs"]
mod rig;

use rig::{Client, Seen, Server, TestHost, serve};

const SOON: Duration = Duration::from_millis(100);

fn reason(code: u16, text: &str) -> (u16, String) {
    (code, text.to_owned())
}

async fn server() -> Server {
    Server::start(Limits::default()).await
}

#[tokio::test]
async fn an_operation_answers_and_completes_and_its_id_can_be_used_again() {
    let server = server().await;
    let mut client = Client::greeted(&server, json!({ "me": 1 })).await;
    for _ in 0..2 {
        client.run("one").await;
        let next = json!({ "id": "one", "type": "next", "payload": { "data": { "me": 1 } } });
        assert_eq!(client.hear().await, next);
        assert_eq!(client.hear().await, json!({ "id": "one", "type": "complete" }));
        client.run("refused").await;
        let error = json!({ "id": "refused", "type": "error", "payload": [{ "message": "no" }] });
        assert_eq!(client.hear().await, error);
    }
}

#[tokio::test]
async fn a_client_without_the_protocol_is_told_so() {
    let server = server().await;
    let mut client = Client::without_protocol(&server).await;
    assert_eq!(client.closed().await, reason(4406, "Subprotocol not acceptable"));
}

#[tokio::test]
async fn a_client_that_does_not_introduce_itself_is_closed() {
    let server = Server::start(Limits { greeting: SOON, ..Limits::default() }).await;
    let mut client = Client::silent(&server).await;
    assert_eq!(client.closed().await, reason(4408, "Connection initialisation timeout"));
    let mut client = Client::silent(&server).await;
    client.say(json!({ "type": "connection_init", "payload": { "hang": 1 } })).await;
    assert_eq!(client.closed().await, reason(4408, "Connection initialisation timeout"));
}

#[tokio::test]
async fn a_client_that_is_not_let_in_hears_why() {
    let server = server().await;
    let mut client = Client::silent(&server).await;
    client.say(json!({ "type": "connection_init", "payload": { "refuse": "no account" } })).await;
    assert_eq!(client.closed().await, reason(4403, "Forbidden: no account"));
}

#[tokio::test]
async fn an_expired_token_ends_the_conversation() {
    let mut server = server().await;
    let mut client = Client::greeted(&server, json!({ "expires": 50 })).await;
    client.run("quiet").await;
    assert_eq!(client.closed().await, reason(4403, "token expired"));
    server.until(Seen::Dropped("quiet".to_owned())).await;
    server.until(Seen::Gone).await;
}

#[tokio::test]
async fn a_token_that_lasts_for_ever_is_no_trouble() {
    let server = server().await;
    let mut client = Client::greeted(&server, json!({ "expires": "never" })).await;
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.hear().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let mut server = server().await;
    let mut client = Client::greeted(&server, json!({})).await;
    client.run("quiet").await;
    server.until(Seen::Started("quiet".to_owned())).await;
    server.stop.send(true).unwrap();
    assert_eq!(client.closed().await, reason(1001, "the server stops; connect again"));
    server.until(Seen::Gone).await;
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_operations_along() {
    let mut server = server().await;
    let mut client = Client::greeted(&server, json!({})).await;
    client.run("quiet").await;
    server.until(Seen::Started("quiet".to_owned())).await;
    client.send(Message::Close(None)).await;
    assert_eq!(client.frame().await, Message::Close(None));
    server.until(Seen::Dropped("quiet".to_owned())).await;
    server.until(Seen::Gone).await;
}

#[tokio::test]
async fn a_client_that_vanishes_is_noticed_at_once() {
    let mut server = server().await;
    let mut client = Client::greeted(&server, json!({})).await;
    client.run("quiet").await;
    server.until(Seen::Started("quiet".to_owned())).await;
    drop(client);
    server.until(Seen::Gone).await;
}

#[tokio::test]
async fn who_answers_pings_stays() {
    let server = Server::start(Limits { ping: Duration::from_millis(20), ..Limits::default() }).await;
    let mut client = Client::greeted(&server, json!({})).await;
    for _ in 0..6 {
        assert!(matches!(client.frame().await, Message::Ping(_)));
    }
    client.run("one").await;
    assert_eq!(client.hear().await["type"], "next");
}

#[tokio::test]
async fn who_answers_no_pings_is_dropped() {
    let ping = Duration::from_millis(50);
    let mut server = Server::start(Limits { ping, ..Limits::default() }).await;
    // Pings are answered while reading only, and it does not read.
    let mut client = Client::greeted(&server, json!({})).await;
    client.run("quiet").await;
    server.until(Seen::Started("quiet".to_owned())).await;
    let since = Instant::now();
    server.until(Seen::Gone).await;
    assert!(since.elapsed() > ping, "after one ping only");
}

#[tokio::test]
async fn what_breaks_the_rules_closes_the_socket() {
    let server = server().await;
    let mut client = Client::silent(&server).await;
    client.send(Message::binary(vec![1])).await;
    assert_eq!(client.closed().await, reason(4400, "Invalid message: it is binary, not text"));
    let mut client = Client::silent(&server).await;
    client.send(Message::text("x".repeat((256 << 10) + 1))).await;
    assert_eq!(client.closed().await, reason(1009, "Message too big"));
    let mut client = Client::greeted(&server, json!({})).await;
    client.run("quiet").await;
    client.run("quiet").await;
    assert_eq!(client.closed().await, reason(4409, "Subscriber for quiet already exists"));
}

#[tokio::test]
async fn a_flood_is_stopped_and_told_why() {
    let server = server().await;
    let mut client = Client::greeted(&server, json!({})).await;
    for _ in 0..400 {
        client.say(json!({ "type": "ping" })).await;
    }
    assert_eq!(client.closed().await, reason(4429, "Too many messages"));
}

#[tokio::test]
async fn a_busy_operation_starves_neither_others_nor_what_the_client_says() {
    let mut server = server().await;
    let mut client = Client::greeted(&server, json!({})).await;
    client.run("busy").await;
    assert_eq!(client.hear().await["id"], "busy");
    client.run("one").await;
    client.hear_until("id", "one").await;
    assert_eq!(client.hear().await["id"], "busy");
    client.complete("busy").await;
    server.until(Seen::Dropped("busy".to_owned())).await;
    client.say(json!({ "type": "ping" })).await;
    client.hear_until("type", "pong").await;
    // Nothing comes after; the next thing heard is the next thing asked for.
    client.run("refused").await;
    assert_eq!(client.hear().await["id"], "refused");
}

#[tokio::test]
async fn busy_operations_take_turns() {
    let server = server().await;
    let mut client = Client::greeted(&server, json!({})).await;
    for id in 0..5 {
        client
            .say(json!({ "type": "subscribe", "id": id.to_string(), "payload": { "query": "busy" } }))
            .await;
    }
    // From when the last one is heard, each has every fifth message.
    client.hear_until("id", "4").await;
    let mut heard = [0; 5];
    for _ in 0..500 {
        let id = client.hear().await["id"].as_str().unwrap().parse::<usize>().unwrap();
        heard[id] += 1;
    }
    assert_eq!(heard, [100; 5]);
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_dropped_and_costs_little_until_then() {
    let sending = Duration::from_millis(500);
    let mut server = Server::start(Limits { sending, ..Limits::default() }).await;
    let mut client = Client::greeted(&server, json!({})).await;
    client.run("heavy").await;
    let asked = server.until(Seen::Gone).await;
    // What the kernel holds, and one message that waits: of 256 KiB each.
    assert!(asked < 100, "{asked} payloads were asked for");
}

#[tokio::test]
async fn a_client_that_reads_again_in_time_hears_that_it_was_too_slow() {
    let (sending, farewell) = (Duration::from_millis(500), Duration::from_secs(20));
    let mut server = Server::start(Limits { sending, farewell, ..Limits::default() }).await;
    let mut client = Client::greeted(&server, json!({})).await;
    client.run("heavy").await;
    server.until(Seen::Dropped("heavy".to_owned())).await;
    let why = "Too slow: subscribe again, after your last cursor";
    assert_eq!(client.closed().await, reason(1013, why));
}

#[tokio::test]
async fn a_complete_is_heard_while_a_message_cannot_be_sent() {
    let mut server = server().await;
    let mut client = Client::greeted(&server, json!({})).await;
    client.run("heavy").await;
    server.until_blocked().await;
    client.complete("heavy").await;
    assert_eq!(server.saw().await, Seen::Dropped("heavy".to_owned()));
    // The socket still works once the client reads again.
    client.run("one").await;
    client.hear_until("id", "one").await;
}

#[tokio::test]
async fn a_client_that_was_slow_once_is_forgiven() {
    let (sending, ping) = (Duration::from_secs(2), Duration::from_millis(500));
    let mut server = Server::start(Limits { sending, ping, ..Limits::default() }).await;
    let mut client = Client::greeted(&server, json!({})).await;
    client.run("heavy").await;
    server.until_blocked().await;
    client.complete("heavy").await;
    client.run("one").await;
    client.hear_until("id", "one").await;
    // Longer than the message had to leave.
    let since = Instant::now();
    while since.elapsed() < sending + ping {
        client.frame().await;
    }
    client.run("one").await;
    client.hear_until("type", "next").await;
}

#[tokio::test]
async fn what_answers_once_is_answered_before_a_stop_and_nothing_more_begins() {
    let mut server = server().await;
    let mut client = Client::greeted(&server, json!({})).await;
    client.run("busy").await;
    client.run("slow").await;
    server.until(Seen::Started("slow".to_owned())).await;
    server.stop.send(true).unwrap();
    client.run("one").await;
    client.hear_until("id", "slow").await;
    assert_eq!(client.hear().await, json!({ "id": "slow", "type": "complete" }));
    assert_eq!(client.closed().await, reason(1001, "the server stops; connect again"));
}

#[tokio::test]
async fn a_stop_is_not_held_up_by_a_client_that_reads_nothing() {
    let mut server = server().await;
    let mut client = Client::greeted(&server, json!({})).await;
    client.run("heavy").await;
    server.until_blocked().await;
    server.stop.send(true).unwrap();
    assert_eq!(server.until(Seen::Gone).await, 0);
}

#[tokio::test]
async fn a_token_expires_while_a_message_cannot_be_sent() {
    let mut server = server().await;
    let mut client = Client::greeted(&server, json!({ "expires": 3_000 })).await;
    client.run("heavy").await;
    server.until_blocked().await;
    assert_eq!(server.until(Seen::Gone).await, 0);
    drop(client);
}

#[tokio::test]
async fn a_client_that_asks_and_never_reads_cannot_fill_our_memory() {
    let limits = Limits { per_second: 1_000_000, burst: 1_000_000, ..Limits::default() };
    let mut server = Server::start(limits).await;
    let mut client = Client::greeted(&server, json!({})).await;
    let ping = json!({ "type": "ping", "payload": { "x": "x".repeat(64 << 10) } });
    // Once replies wait, nothing more is read, and the way to us is full as well.
    let mut said = 0;
    while tokio::time::timeout(Duration::from_millis(500), client.say(ping.clone())).await.is_ok() {
        said += 1;
        assert!(said < 1_000, "all of it was read");
    }
    server.stop.send(true).unwrap();
    server.until(Seen::Gone).await;
}

#[tokio::test]
async fn a_quiet_conversation_sleeps() {
    let (polls, mut polled) = watch::channel(0);
    let polls = Arc::new(polls);
    let (_stop, stopping) = watch::channel(false);
    let quick = Duration::from_millis(20);
    let limits = Arc::new(Limits { greeting: quick, ping: quick, ..Limits::default() });
    let socket = async move |upgrade: WebSocketUpgrade| {
        let host = TestHost::new(mpsc::unbounded_channel().0);
        upgrade.protocols(["graphql-transport-ws"]).on_upgrade(move |socket| {
            let mut future = Box::pin(converse(socket, host, limits, stopping));
            poll_fn(move |cx| {
                polls.send_modify(|polls| *polls += 1);
                future.as_mut().poll(cx)
            })
        })
    };
    let address = serve(Router::new().route("/", any(socket))).await;
    let mut client = Client::connect(address, Some("graphql-transport-ws")).await;
    client.say(json!({ "type": "connection_init" })).await;
    client.hear().await;
    for _ in 0..10 {
        assert!(matches!(client.frame().await, Message::Ping(_)));
    }
    let polls = *polled.borrow_and_update();
    assert!(polls < 100, "it was woken {polls} times");
}

#[tokio::test]
async fn a_conversation_is_small() {
    let (size, mut sizes) = mpsc::unbounded_channel();
    let (_stop, stopping) = watch::channel(false);
    let socket = async move |upgrade: WebSocketUpgrade| {
        upgrade.protocols(["graphql-transport-ws"]).on_upgrade(move |socket| {
            let host = TestHost::new(mpsc::unbounded_channel().0);
            let alone = size_of_val(&socket);
            let future = converse(socket, host, Arc::new(Limits::default()), stopping);
            let _ = size.send((size_of_val(&future), alone));
            future
        })
    };
    let address = serve(Router::new().route("/", any(socket))).await;
    let _client = Client::connect(address, Some("graphql-transport-ws")).await;
    let (size, alone) = sizes.recv().await.unwrap();
    println!("the future has {size} bytes, {alone} of them the library's socket");
    assert!(size < 3_000, "{size} bytes");
}
