//! GraphQL over WebSocket, in the protocol `graphql-transport-ws` and no other.

use std::{future::pending, time::Duration};

use async_graphql::{
    Data, Error,
    http::{WebSocket, WebSocketProtocols, WsMessage},
};
use axum::{
    extract::ws::{self, CloseFrame, Message, WebSocketUpgrade},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, Utc};
use futures_util::{SinkExt, Stream, StreamExt, future};
use tokio::{
    sync::{oneshot, watch},
    time::{sleep, timeout},
};

use super::{auth::Verified, graphql::Endpoint, operation::Operations, refusal};
use crate::telemetry::{metrics, request::Belonging};

const PROTOCOL: &str = "graphql-transport-ws";
/// The largest message that is read.
const LARGEST: usize = 256 << 10;
/// How long a client may take to introduce itself.
const GREETING: Duration = Duration::from_secs(10);
/// How long one message may take to be sent; a client that reads nothing is let go.
const SENDING: Duration = Duration::from_secs(30);
/// The longest wait that the timer is asked for at once.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// Opens a socket for whoever the upgrade's header named; its first message may name somebody else.
pub(super) fn open(upgrade: WebSocketUpgrade, endpoint: Endpoint, who: Option<Verified>) -> Response {
    let upgrade = upgrade.protocols([PROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        let what = "offer the WebSocket protocol `graphql-transport-ws` in Sec-WebSocket-Protocol";
        return refusal(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", what);
    }
    // Asked for here: after the upgrade nobody knows the request any more.
    let belongs = Belonging::here();
    // Thousands of sockets are idle most of the time: small buffers, and none for writing.
    upgrade
        .read_buffer_size(4_096)
        .write_buffer_size(0)
        .max_message_size(LARGEST)
        .max_frame_size(LARGEST)
        .on_upgrade(move |socket| belongs.carried(converse(socket, endpoint, who)))
}

async fn converse(socket: ws::WebSocket, endpoint: Endpoint, who: Option<Verified>) {
    let _open = metrics::socket_open();
    let Endpoint { operations, stopping } = endpoint;
    let (mut sink, stream) = socket.split();
    let (greeted, greeting) = oneshot::channel();
    let init = {
        let operations = operations.clone();
        move |payload| greet(operations, who, greeted, payload)
    };
    let answers = WebSocket::new(operations.clone(), texts(stream), WebSocketProtocols::GraphQLWS)
        .on_connection_init(init)
        .map(|answer| match answer {
            WsMessage::Text(text) => Message::Text(text.into()),
            WsMessage::Close(code, reason) => close(code, reason),
        });
    let (ends, stops) = (ends(operations, greeting), stops(stopping));
    futures_util::pin_mut!(answers, ends, stops);
    loop {
        let message = tokio::select! {
            biased;
            last = &mut ends => last,
            last = &mut stops => last,
            answer = answers.next() => match answer {
                Some(answer) => answer,
                None => return,
            },
        };
        let last = matches!(message, Message::Close(_));
        if !matches!(timeout(SENDING, sink.send(message)).await, Ok(Ok(()))) || last {
            return;
        }
    }
}

/// What the client writes, until it stops or breaks the protocol.
fn texts<E>(stream: impl Stream<Item = Result<Message, E>>) -> impl Stream<Item = axum::body::Bytes> {
    stream.take_while(|message| future::ready(message.is_ok())).filter_map(|message| {
        let message = message.ok().filter(|message| matches!(message, Message::Text(_) | Message::Binary(_)));
        future::ready(message.map(Message::into_data))
    })
}

/// The first message: its token counts, else the header's, else nobody is there. Says when the token
/// expires to whoever waits for that.
async fn greet(
    operations: Operations,
    header: Option<Verified>,
    greeted: oneshot::Sender<Option<DateTime<Utc>>>,
    payload: serde_json::Value,
) -> Result<Data, Error> {
    let (auth, now) = (operations.auth(), operations.now());
    let text = |key: &str| payload.get(key).and_then(serde_json::Value::as_str);
    let named = text("Authorization").or_else(|| text("authorization"));
    let who = match (named, text("token")) {
        (Some(credentials), _) => Some(auth.credentials(credentials, now)),
        (None, Some(token)) => Some(auth.verify(token, now)),
        (None, None) => header.map(Ok),
    };
    let who = who.transpose().map_err(|denied| Error::new(denied.to_string()))?;
    let _ = greeted.send(who.map(|who| who.expires_at));
    let mut data = Data::default();
    if let Some(who) = who {
        data.insert(who);
    }
    Ok(data)
}

/// Why the conversation ends from our side: no greeting in time, or the token expires.
async fn ends(operations: Operations, greeting: oneshot::Receiver<Option<DateTime<Utc>>>) -> Message {
    match timeout(GREETING, greeting).await {
        Err(_) => return close(4408, "connection initialisation timeout"),
        Ok(Ok(Some(expires_at))) => {
            let left = (expires_at - operations.now()).to_std().unwrap_or_default();
            sleep(left.min(LONGEST)).await;
        }
        // Anonymous, or refused already.
        Ok(Ok(None) | Err(_)) => pending().await,
    }
    // 4403 is retried by clients, 4401 they take for final.
    close(4403, "token expired")
}

/// That the server stops.
async fn stops(mut stopping: watch::Receiver<bool>) -> Message {
    if stopping.wait_for(|stopping| *stopping).await.is_err() {
        // Nobody is there who could stop it.
        pending::<()>().await;
    }
    close(1001, "the server stops; connect again")
}

fn close(code: u16, reason: impl AsRef<str>) -> Message {
    // A close frame holds 123 bytes of text.
    let reason: String = reason.as_ref().chars().take(120).filter(char::is_ascii).collect();
    Message::Close(Some(CloseFrame { code, reason: reason.into() }))
}
