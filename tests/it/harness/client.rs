//! A client as the world sees the server: HTTP for queries and mutations, a WebSocket for
//! subscriptions.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Map, Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody who talks to the server.
#[derive(Clone, Debug)]
pub struct Client {
    url: String,
    token: Option<String>,
    http: reqwest::Client,
}

/// A client that trusts nobody's certificate: reading those of the machine takes long, and none is shown here.
fn plain_http() -> reqwest::Client {
    reqwest::Client::builder().tls_certs_only([]).build().expect("a client")
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The codes of the top-level errors.
    pub fn codes(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["extensions"]["code"].as_str()).collect()
    }
}

impl Client {
    /// A client with a token, or without.
    pub fn new(url: &str, token: Option<String>) -> Client {
        Client { url: url.to_owned(), token, http: plain_http() }
    }

    /// The token.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Where the server is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a body as it is; the status and the text of the answer.
    pub async fn post(&self, body: Vec<u8>, content_type: &str) -> (u16, String) {
        let request = self.http.post(format!("{}/graphql", self.url)).header("content-type", content_type);
        self.answer(request.body(body)).await
    }

    /// Asks with an address; the status and the text of the answer.
    pub async fn get(&self, parameters: &[(&str, String)]) -> (u16, String) {
        let encode = |byte: u8| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        };
        let encoded = |text: &str| text.bytes().map(encode).collect::<String>();
        let pairs: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        self.answer(self.http.get(format!("{}/graphql?{}", self.url, pairs.join("&")))).await
    }

    async fn answer(&self, mut request: reqwest::RequestBuilder) -> (u16, String) {
        // On a connection of its own: one that was kept may just be closing, after a body too large to read.
        request = request.header("connection", "close");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.text().await.expect("a text"))
    }

    /// Sends an operation.
    pub async fn send(&self, query: &str, variables: Value) -> Answer {
        let body = json!({ "query": query, "variables": variables });
        let mut request = self.http.post(format!("{}/graphql", self.url)).json(&body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.json().await.expect("JSON") }
    }

    /// Sends an operation that must have no top-level error, and returns its data.
    pub async fn data(&self, query: &str, variables: Value) -> Value {
        let answer = self.send(query, variables).await;
        assert!(answer.body.get("errors").is_none(), "{query}\n{:#}", answer.body);
        answer.body["data"].clone()
    }

    /// Takes an action of an order's workflow by `orderTransition`; `extra` is merged into the input.
    pub async fn transition(&self, order: &str, action: &str, extra: Value) -> Value {
        let mut input = Map::from_iter([("order".into(), order.into()), ("action".into(), action.into())]);
        input.extend(extra.as_object().cloned().unwrap_or_default());
        let query = "mutation($input: OrderTransitionInput!) { orderTransition(input: $input) { replayed \
            order { id version status { code } availableActions { action blockedBy { guard } } } \
            event { id kind from { code } to { code } reason } \
            errors { __typename code message path \
              ... on IllegalTransition { from action allowedActions } \
              ... on NotPermitted { action allowedActions } \
              ... on VersionConflict { expected actual order { version status { code } } } \
              ... on GuardFailed { guard } } } }";
        self.data(query, json!({ "input": input })).await["orderTransition"].clone()
    }

    /// The order's status as this client sees it, none when it does not exist for it.
    pub async fn status(&self, order: &str) -> Option<String> {
        let query = "query($id: ID!) { order(by: { id: $id }) { status { code } } }";
        let data = self.data(query, json!({ "id": order })).await;
        data["order"]["status"]["code"].as_str().map(str::to_owned)
    }

    /// Subscribes and waits for the first message, which must be the handshake.
    pub async fn subscribe(&self, query: &str, variables: Value) -> Subscriber {
        let mut subscriber = Subscriber::connect(&self.url, self.token.as_deref()).await;
        subscriber.start("1", query, variables).await;
        subscriber
    }
}

/// A WebSocket with the `graphql-transport-ws` protocol.
pub struct Subscriber {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Subscriber {
    /// Connects and is acknowledged.
    pub async fn connect(url: &str, token: Option<&str>) -> Subscriber {
        let mut subscriber = Subscriber::open(url).await;
        subscriber.introduce(token).await;
        subscriber
    }

    /// Connects and says nothing yet.
    pub async fn open(url: &str) -> Subscriber {
        let address = format!("{}/graphql", url.replacen("http", "ws", 1));
        let mut request = address.into_client_request().expect("an address");
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (socket, _) = connect_async(request).await.expect("a socket");
        Subscriber { socket }
    }

    /// Says who it is, and is acknowledged.
    pub async fn introduce(&mut self, token: Option<&str>) {
        let payload = token.map(|token| json!({ "Authorization": format!("Bearer {token}") }));
        self.send(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(self.message().await["type"], "connection_ack");
    }

    /// Begins an operation.
    pub async fn start(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        self.send(json!({ "id": id, "type": "subscribe", "payload": payload })).await;
    }

    /// Sends a message as it is.
    pub async fn send(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.expect("sent");
    }

    /// Sends a text as it is.
    ///
    /// # Errors
    /// When the server has hung up.
    pub async fn say(&mut self, text: &str) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        self.socket.send(Message::text(text)).await
    }

    /// The next message of the protocol.
    pub async fn message(&mut self) -> Value {
        self.hear().await.unwrap_or_else(|code| panic!("closed with {code:?}"))
    }

    /// The next message of the protocol.
    ///
    /// # Errors
    /// The code that the server closed with, if it said one.
    pub async fn hear(&mut self) -> Result<Value, Option<u16>> {
        loop {
            let next = timeout(PATIENCE, self.socket.next()).await.expect("a message in time");
            match next {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// What is still said until the server hangs up, and the code that it closes with.
    pub async fn until_closed(mut self) -> (Vec<Value>, Option<u16>) {
        let mut said = Vec::new();
        loop {
            match self.hear().await {
                Ok(message) => said.push(message),
                Err(code) => return (said, code),
            }
        }
    }

    /// The data of the next result; errors fail the test.
    pub async fn next(&mut self) -> Value {
        let message = self.message().await;
        assert_eq!(message["type"], "next", "{message:#}");
        assert!(message["payload"].get("errors").is_none(), "{message:#}");
        message["payload"]["data"].clone()
    }

    /// The next result's only root field.
    pub async fn change(&mut self) -> Value {
        let data = self.next().await;
        let fields = data.as_object().expect("data");
        fields.values().next().expect("a root field").clone()
    }
}
