//! A client that listens to `orderEvents` and comes back with its last cursor after any end, at any instance.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use domain::id::EventId;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::TcpSocket,
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::{
    check::Receipt,
    client::{Doors, Login, http},
};

const LISTEN: &str = "subscription($after: String) { orderEvents(after: $after) { kind cursor orderId \
    order { id version status { code } } event { id version kind } MORE } }";
/// How often a narrow socket asks for the order once more: it shall not take long until nothing fits any more.
const COPIES: usize = 25;
/// How long a server may take to say what it must say at once. Later silence is no fault: pings are.
const PATIENCE: Duration = Duration::from_secs(20);
/// Before coming back.
const PAUSE: Duration = Duration::from_millis(20);
/// What the kernel may hold for a reader that stops reading, in bytes.
const NARROW: u32 = 4_096;

/// How a reader is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `graphql-transport-ws`
    Socket,
    /// The same, with next to no room in the kernel.
    NarrowSocket,
    /// Server-sent events.
    Stream,
}

/// What a reader has heard so far.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub receipts: Vec<(Receipt, Instant)>,
    pub cursor: Option<String>,
    /// How often it was ended, by whomever.
    pub ends: usize,
    /// The last end, in words.
    pub last_end: String,
}

/// A listening client; it ends with this value.
pub struct Reader {
    heard: Arc<Mutex<Heard>>,
    reading: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Reader {
    /// Connects, beginning at this door, and returns once the stream has begun.
    pub async fn begin(transport: Transport, turn: usize, doors: Doors, login: Login) -> Result<Reader> {
        Reader::resume(transport, turn, doors, login, None).await
    }

    /// The same from a cursor on.
    pub async fn resume(
        transport: Transport,
        turn: usize,
        doors: Doors,
        login: Login,
        cursor: Option<String>,
    ) -> Result<Reader> {
        let heard = Arc::new(Mutex::new(Heard { cursor, ..Heard::default() }));
        let (reading, may_read) = watch::channel(true);
        let (begun, mut has_begun) = watch::channel(false);
        let ear = Ear { heard: heard.clone(), begun };
        let session = Session { transport, doors, login, may_read, ear };
        let reader = Reader { heard, reading, task: tokio::spawn(session.run(turn)) };
        let begun = timeout(PATIENCE, has_begun.wait_for(|begun| *begun)).await;
        begun.with_context(|| format!("a stream does not begin: {}", reader.heard().last_end))??;
        Ok(reader)
    }

    /// So far.
    pub fn heard(&self) -> Heard {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many receipts there are so far.
    pub fn count(&self) -> usize {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).receipts.len()
    }

    /// Stops or goes on reading; the connection stays open.
    pub fn read(&self, on: bool) {
        self.reading.send_replace(on);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How a stream from this cursor on ends that should not begin, in words.
pub async fn refusal(doors: Doors, login: Login, cursor: String) -> Result<String> {
    let heard = Arc::new(Mutex::new(Heard { cursor: Some(cursor), ..Heard::default() }));
    let ((_reading, may_read), (begun, _)) = (watch::channel(true), watch::channel(false));
    let ear = Ear { heard, begun };
    let mut session = Session { transport: Transport::Socket, doors, login, may_read, ear };
    match timeout(PATIENCE, session.socket(0)).await {
        Ok(Err(error)) => Ok(format!("{error:#}")),
        Ok(Ok(())) | Err(_) => bail!("a stream that should be refused begins"),
    }
}

/// Takes down what is heard.
struct Ear {
    heard: Arc<Mutex<Heard>>,
    begun: watch::Sender<bool>,
}

impl Ear {
    fn cursor(&self) -> Option<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).cursor.clone()
    }

    fn ended(&self, error: &anyhow::Error) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.ends += 1;
        heard.last_end = format!("{error:#}");
    }

    /// One answer of the subscription.
    fn hear(&self, payload: &Value) -> Result<()> {
        let change = &payload["data"]["orderEvents"];
        if change.is_null() {
            bail!("refused: {payload}");
        }
        let cursor = change["cursor"].as_str().context("no cursor")?;
        let receipt = match &change["orderId"] {
            // The stream has begun, or stands where it says.
            Value::Null => None,
            _ if change["event"]["kind"] == "STALLED" => None,
            order => Some(Receipt {
                cursor: cursor.to_owned(),
                order: id(order)?,
                event: event(&change["event"])?,
            }),
        };
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.cursor = Some(cursor.to_owned());
        heard.receipts.extend(receipt.map(|receipt| (receipt, Instant::now())));
        drop(heard);
        self.begun.send_replace(true);
        Ok(())
    }
}

fn event(event: &Value) -> Result<Option<(EventId, i64)>> {
    let Value::Object(fields) = event else { return Ok(None) };
    Ok(Some((id(&fields["id"])?, fields["version"].as_i64().context("no version")?)))
}

fn id<T: std::str::FromStr>(value: &Value) -> Result<T> {
    let text = value.as_str().with_context(|| format!("no id but {value}"))?;
    text.parse().ok().with_context(|| format!("no id but {text}"))
}

struct Session {
    transport: Transport,
    doors: Doors,
    login: Login,
    may_read: watch::Receiver<bool>,
    ear: Ear,
}

impl Session {
    async fn run(mut self, mut turn: usize) {
        loop {
            let ended = match self.transport {
                Transport::Stream => self.stream(turn).await,
                _ => self.socket(turn).await,
            };
            if let Err(error) = ended {
                self.ear.ended(&error);
            }
            turn += 1;
            sleep(PAUSE).await;
        }
    }

    fn payload(&self) -> Value {
        let copies = if self.transport == Transport::NarrowSocket { COPIES } else { 0 };
        let more: String =
            (0..copies).map(|n| format!("o{n}: order {{ id version status {{ code }} }} ")).collect();
        json!({ "query": LISTEN.replace("MORE", &more), "variables": { "after": self.ear.cursor() } })
    }

    /// Returns only with the reason why it ended.
    async fn socket(&mut self, turn: usize) -> Result<()> {
        let address = self.doors.pick(turn)?;
        let connection = TcpSocket::new_v4()?;
        if self.transport == Transport::NarrowSocket {
            connection.set_recv_buffer_size(NARROW)?;
        }
        let stream = timeout(PATIENCE, connection.connect(address)).await??;
        let mut request = format!("ws://{address}/graphql").into_client_request()?;
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (mut socket, _) = timeout(PATIENCE, client_async(request, stream)).await??;
        let token = json!({ "Authorization": format!("Bearer {}", self.login.token()?) });
        let subscribe = json!({ "id": "1", "type": "subscribe", "payload": self.payload() });
        for message in [json!({ "type": "connection_init", "payload": token }), subscribe] {
            socket.send(Message::text(message.to_string())).await?;
            if message["type"] == "connection_init" {
                // The acknowledgement.
                timeout(PATIENCE, socket.next()).await?.context("cut off")??;
            }
        }
        loop {
            self.may_read.wait_for(|on| *on).await?;
            match socket.next().await.context("cut off")?? {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text)?;
                    match message["type"].as_str() {
                        Some("next") => self.ear.hear(&message["payload"])?,
                        _ => bail!("said {message}"),
                    }
                }
                Message::Close(frame) => bail!("closed with {frame:?}"),
                _ => {}
            }
        }
    }

    /// The same over server-sent events.
    async fn stream(&mut self, turn: usize) -> Result<()> {
        let url = format!("http://{}/graphql", self.doors.pick(turn)?);
        let request = http()?.post(url).bearer_auth(self.login.token()?).json(&self.payload());
        let request = request.header("accept", "text/event-stream").timeout(Duration::from_secs(86_400));
        let mut response = request.send().await?.error_for_status()?;
        let mut unread = String::new();
        loop {
            self.may_read.wait_for(|on| *on).await?;
            let chunk = response.chunk().await?.context("cut off")?;
            unread += std::str::from_utf8(&chunk)?;
            while let Some((block, rest)) = unread.split_once("\n\n") {
                if let Some(data) = block.lines().find_map(|line| line.strip_prefix("data: ")) {
                    self.ear.hear(&serde_json::from_str(data)?)?;
                }
                unread = rest.to_owned();
            }
        }
    }
}
