//! A server with a host whose operations are named by their query, and a client that speaks JSON.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::ws::{Utf8Bytes, WebSocketUpgrade},
    routing::any,
};
use futures_util::{FutureExt, SinkExt, StreamExt, future, stream};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::super::super::{Host, Init, Limits, Object, Output, Started, Welcome, open};
use crate::http::envelope::Envelope;

/// Longer than anything here takes, and shorter than any limit of a server that was not given its own: a
/// deadline that is met only when another one rings is noticed.
const LONG: Duration = Duration::from_secs(8);

/// What the host saw.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    Started(String),
    /// A heavy operation was asked for another payload.
    Asked,
    Dropped(String),
    /// The whole conversation is over.
    Gone,
}

/// Says when it is dropped.
struct Guard(mpsc::UnboundedSender<Seen>, Option<Seen>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.1.take().map(|last| self.0.send(last));
    }
}

pub struct TestHost {
    seen: mpsc::UnboundedSender<Seen>,
    _gone: Guard,
}

impl TestHost {
    pub fn new(seen: mpsc::UnboundedSender<Seen>) -> TestHost {
        TestHost { _gone: Guard(seen.clone(), Some(Seen::Gone)), seen }
    }
}

impl Host for TestHost {
    type Session = Object;

    fn init(&self, payload: Object) -> Init<Object> {
        let asked = |key: &str| payload.get(key).cloned();
        if asked("hang").is_some() {
            return future::pending().boxed();
        }
        if let Some(why) = asked("refuse") {
            return future::ready(Err(why.as_str().unwrap().to_owned())).boxed();
        }
        let expires_in =
            asked("expires").map(|after| after.as_u64().map_or(Duration::MAX, Duration::from_millis));
        future::ready(Ok(Welcome { session: payload, expires_in, payload: None })).boxed()
    }

    fn start(&self, session: &Object, envelope: Envelope) -> Started {
        let name = envelope.request.query;
        let _ = self.seen.send(Seen::Started(name.clone()));
        let guard = Guard(self.seen.clone(), Some(Seen::Dropped(name.clone())));
        let outputs = match name.as_str() {
            "one" => {
                let json = json!({ "data": session }).to_string();
                stream::iter([Output::Next(json.into())]).boxed()
            }
            "slow" => {
                let done = tokio::time::sleep(Duration::from_millis(100));
                stream::once(done.map(|()| Output::Next(r#"{"data":"done"}"#.into()))).boxed()
            }
            "refused" => stream::iter([Output::Errors(r#"[{"message":"no"}]"#.into())]).boxed(),
            "quiet" => stream::pending().boxed(),
            "busy" => stream::repeat(Output::Next(r#"{"data":0}"#.into())).boxed(),
            // One text for all, as a group of subscribers has it.
            _ => {
                let payload = Utf8Bytes::from(json!({ "data": "x".repeat(256 << 10) }).to_string());
                let seen = self.seen.clone();
                stream::repeat_with(move || {
                    let _ = seen.send(Seen::Asked);
                    Output::Next(payload.clone())
                })
                .boxed()
            }
        };
        outputs
            .inspect(move |_| {
                let _held = &guard;
            })
            .boxed()
    }
}

pub struct Server {
    address: SocketAddr,
    pub stop: watch::Sender<bool>,
    seen: mpsc::UnboundedReceiver<Seen>,
}

impl Server {
    pub async fn start(limits: Limits) -> Server {
        let (seen_by, seen) = mpsc::unbounded_channel();
        let (stop, stopping) = watch::channel(false);
        let limits = Arc::new(limits);
        let socket = move |upgrade: WebSocketUpgrade| {
            let answer = open(upgrade, TestHost::new(seen_by.clone()), limits.clone(), stopping.clone());
            future::ready(answer)
        };
        Server { address: serve(Router::new().route("/", any(socket))).await, stop, seen }
    }

    /// What the host sees next.
    pub async fn saw(&mut self) -> Seen {
        timeout(LONG, self.seen.recv()).await.unwrap().unwrap()
    }

    /// Waits until the host has seen this, and says how often it was asked for more in the meantime.
    pub async fn until(&mut self, wanted: Seen) -> usize {
        let mut asked = 0;
        loop {
            match self.saw().await {
                seen if seen == wanted => return asked,
                Seen::Asked => asked += 1,
                _ => {}
            }
        }
    }

    /// Waits until nothing is asked for any more, because the way to the client is full.
    pub async fn until_blocked(&mut self) -> usize {
        self.until(Seen::Asked).await;
        let mut asked = 1;
        while let Ok(seen) = timeout(Duration::from_millis(300), self.seen.recv()).await {
            assert_eq!(seen, Some(Seen::Asked));
            asked += 1;
        }
        asked
    }
}

pub async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

pub struct Client(WebSocketStream<TcpStream>);

impl Client {
    /// Connects, offering this protocol, with little room for what it does not read.
    pub async fn connect(address: SocketAddr, protocol: Option<&'static str>) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8 << 10).unwrap();
        let stream = socket.connect(address).await.unwrap();
        let mut request = format!("ws://{address}/").into_client_request().unwrap();
        if let Some(protocol) = protocol {
            let protocol = HeaderValue::from_static(protocol);
            request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
        }
        Client(client_async(request, stream).await.unwrap().0)
    }

    /// Connects and says nothing.
    pub async fn silent(server: &Server) -> Client {
        Client::connect(server.address, Some("graphql-transport-ws")).await
    }

    pub async fn without_protocol(server: &Server) -> Client {
        Client::connect(server.address, None).await
    }

    /// Connects and is let in.
    pub async fn greeted(server: &Server, payload: Value) -> Client {
        let mut client = Client::silent(server).await;
        client.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(client.hear().await, json!({ "type": "connection_ack" }));
        client
    }

    pub async fn send(&mut self, message: Message) {
        timeout(LONG, self.0.send(message)).await.unwrap().unwrap();
    }

    pub async fn say(&mut self, message: Value) {
        self.send(Message::text(message.to_string())).await;
    }

    /// Starts the operation of this name, under its name.
    pub async fn run(&mut self, name: &str) {
        self.say(json!({ "type": "subscribe", "id": name, "payload": { "query": name } })).await;
    }

    pub async fn complete(&mut self, name: &str) {
        self.say(json!({ "type": "complete", "id": name })).await;
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Message {
        timeout(LONG, self.0.next()).await.unwrap().unwrap().unwrap()
    }

    /// The next message.
    pub async fn hear(&mut self) -> Value {
        loop {
            match self.frame().await {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("no message: {other:?}"),
            }
        }
    }

    /// Waits until a message has this, and says so when it never comes.
    pub async fn hear_until(&mut self, key: &str, value: &str) {
        let heard = async { while self.hear().await[key] != value {} };
        timeout(LONG, heard).await.unwrap_or_else(|_| panic!("no {key} is {value}"));
    }

    /// How the socket is closed, whatever is said before.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.frame().await {
                let frame = frame.unwrap();
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }
}
