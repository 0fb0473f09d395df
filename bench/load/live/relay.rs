//! The bare server that fanning out is measured against: whatever is posted goes to every socket as it is.
//! No GraphQL, no accounts, no log; the same allocator, the same small buffers.

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::{
        State,
        ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::{get, post},
};
use tokio::{net::TcpListener, sync::broadcast};

/// Messages that a socket may be behind.
const ROOM: usize = 1_024;
const BUFFER: usize = 1_024;

type Wire = broadcast::Sender<Utf8Bytes>;

/// Serves until it is killed.
pub async fn serve() -> Result<()> {
    let address = std::env::var("LOAD_LISTEN").context("LOAD_LISTEN names no address")?;
    let wire: Wire = broadcast::channel(ROOM).0;
    let routes = Router::new().route("/graphql", get(listen)).route("/say", post(say)).with_state(wire);
    let listener = TcpListener::bind(address).await?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, routes).await?)
}

async fn say(State(wire): State<Wire>, text: String) -> &'static str {
    let _ = wire.send(text.into());
    "said"
}

/// Listens before the upgrade is answered: nothing is missed from then on.
async fn listen(State(wire): State<Wire>, upgrade: WebSocketUpgrade) -> Response {
    let heard = wire.subscribe();
    let upgrade = upgrade.read_buffer_size(BUFFER).write_buffer_size(0);
    upgrade.on_upgrade(|socket| pass_on(socket, heard))
}

async fn pass_on(mut socket: WebSocket, mut heard: broadcast::Receiver<Utf8Bytes>) {
    loop {
        let text = tokio::select! {
            text = heard.recv() => text,
            message = socket.recv() => match message {
                Some(Ok(_)) => continue,
                _ => return,
            },
        };
        let Ok(text) = text else { return };
        if socket.send(Message::Text(text)).await.is_err() {
            return;
        }
    }
}
