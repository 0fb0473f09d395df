//! GraphQL over WebSocket, in the protocol `graphql-transport-ws` and no other.
//!
//! `message` reads and writes what travels, `protocol` decides what it means, `session` moves it, and
//! `farewell` ends it. None of them knows what is served: that is a [`Host`].

mod farewell;
mod host;
mod limits;
mod message;
mod protocol;
mod session;

use std::sync::Arc;

use axum::{
    extract::ws::{CloseFrame, WebSocketUpgrade},
    response::Response,
};
use tokio::sync::watch;

use crate::telemetry::request::Belonging;

pub use self::{
    host::{Host, Init, Started, Welcome},
    limits::Limits,
    message::{Object, Output},
};

const PROTOCOL: &str = "graphql-transport-ws";
/// Thousands of sockets are idle most of the time; a longer message gets the room that it needs.
const READ_BUFFER: usize = 1_024;

/// Opens a socket and serves it until either side has had enough.
pub fn open<H: Host>(
    upgrade: WebSocketUpgrade,
    host: H,
    limits: Arc<Limits>,
    stopping: watch::Receiver<bool>,
) -> Response {
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(session::PARCEL)
        .max_message_size(limits.message)
        .max_frame_size(limits.message);
    if upgrade.selected_protocol().is_none() {
        // Told after the upgrade, as the protocol's own server does: a refused upgrade tells a browser
        // nothing.
        let reason = "Subprotocol not acceptable".into();
        let farewell = limits.farewell;
        return upgrade.on_upgrade(move |socket| {
            farewell::dismiss(socket, CloseFrame { code: 4406, reason }, farewell)
        });
    }
    // Asked for here: after the upgrade nobody knows the request any more.
    let belongs = Belonging::here();
    upgrade.on_upgrade(move |socket| belongs.carried(session::converse(socket, host, limits, stopping)))
}
