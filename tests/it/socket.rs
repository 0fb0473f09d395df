//! Sockets from outside: how they are opened, what closes them, and with which code. The protocol itself
//! is tested beside its code.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::harness::App;

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(app: &App, protocol: Option<&'static str>) -> Socket {
        let address = format!("{}/graphql", app.url.replacen("http", "ws", 1));
        let mut request = address.into_client_request().unwrap();
        if let Some(protocol) = protocol {
            request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
        }
        request
            .headers_mut()
            .insert("authorization", format!("Bearer {}", app.staff().token().unwrap()).parse().unwrap());
        Socket(connect_async(request).await.unwrap().0)
    }

    async fn greeted(app: &App) -> Socket {
        let mut socket = Socket::open(app, Some("graphql-transport-ws")).await;
        socket.say(&json!({ "type": "connection_init" }).to_string()).await;
        assert_eq!(socket.hears().await["type"], "connection_ack");
        socket
    }

    async fn say(&mut self, text: &str) {
        // One that is closed already cannot be written to; what it said is read afterwards.
        let _ = self.0.send(Message::text(text)).await;
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        let payload = json!({ "query": query });
        self.say(&json!({ "id": id, "type": "subscribe", "payload": payload }).to_string()).await;
    }

    /// The next message of the protocol; a close is `{"close": code}`.
    async fn hears(&mut self) -> Value {
        loop {
            match timeout(Duration::from_secs(20), self.0.next()).await.expect("a message in time") {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Close(frame))) => {
                    return json!({ "close": frame.map(|frame| u16::from(frame.code)) });
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return json!({ "close": null }),
            }
        }
    }
}

const WATCH: &str = "subscription { orderEvents { kind } }";

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_break_the_protocol_has_its_code() {
    let app = App::start().await;
    let mut stranger = Socket::open(&app, None).await;
    assert_eq!(stranger.hears().await, json!({ "close": 4406 }));
    let mut early = Socket::open(&app, Some("graphql-transport-ws")).await;
    early.subscribe("1", WATCH).await;
    assert_eq!(early.hears().await, json!({ "close": 4401 }));
    for (said, code) in [
        ("no JSON", 4400),
        (r#"{"type":"start","id":"1"}"#, 4400),
        (r#"{"type":"connection_init"}"#, 4429),
        (r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","operationName":7}}"#, 4400),
    ] {
        let mut socket = Socket::greeted(&app).await;
        socket.say(said).await;
        assert_eq!(socket.hears().await, json!({ "close": code }), "{said}");
    }
    let mut twice = Socket::greeted(&app).await;
    twice.subscribe("1", WATCH).await;
    assert_eq!(twice.hears().await["type"], "next");
    twice.subscribe("1", WATCH).await;
    assert_eq!(twice.hears().await, json!({ "close": 4409 }));
    let mut large = Socket::greeted(&app).await;
    large.say(&"x".repeat(300 << 10)).await;
    assert_eq!(large.hears().await, json!({ "close": 1009 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_begin_is_an_error_message_and_the_socket_lives_on() {
    let app = App::start().await;
    let mut socket = Socket::greeted(&app).await;
    for (query, code) in [
        ("{ orders {", "BAD_USER_INPUT"),
        ("{ nothing }", "BAD_USER_INPUT"),
        ("query($id: ID!) { node(id: $id) { id } }", "BAD_USER_INPUT"),
        (&format!("{{ {} }}", "s: settings { expiryEnabled } ".repeat(101)), "TOO_COMPLEX"),
    ] {
        socket.subscribe("1", query).await;
        let message = socket.hears().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("1")), "{query}: {message}");
        assert_eq!(message["payload"][0]["extensions"]["code"], code, "{query}: {message}");
    }
    socket.subscribe("1", "{ settings { expiryEnabled } }").await;
    assert_eq!(socket.hears().await["payload"]["data"], json!({ "settings": { "expiryEnabled": false } }));
    assert_eq!(socket.hears().await["type"], "complete");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_has_so_many_operations_and_a_flood_closes_it() {
    let app = App::start().await;
    let mut socket = Socket::greeted(&app).await;
    for number in 0..101 {
        socket.subscribe(&number.to_string(), WATCH).await;
    }
    let mut refused = Vec::new();
    for _ in 0..101 {
        let message = socket.hears().await;
        if message["type"] == "error" {
            refused.push(message["payload"][0]["extensions"]["code"].clone());
        }
    }
    assert_eq!(refused, ["RATE_LIMITED"]);
    for _ in 0..400 {
        socket.say(r#"{"type":"pong"}"#).await;
    }
    let closed = loop {
        let message = socket.hears().await;
        if message.get("close").is_some() {
            break message;
        }
    };
    assert_eq!(closed, json!({ "close": 4429 }));
}
