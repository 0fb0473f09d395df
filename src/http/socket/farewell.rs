//! How a conversation ends.

use std::{future::pending, time::Duration};

use axum::extract::ws::{self, CloseFrame, WebSocket};

use tokio::time::timeout;

use super::protocol::close;

/// How a conversation ends.
#[derive(Debug)]
pub enum End {
    /// We close.
    Close(CloseFrame),
    /// What came in cannot be read on.
    Broken(CloseFrame),
    /// The client has closed.
    Left,
    /// Nobody is there any more.
    Dead,
}

/// Closes a socket that was never served.
pub async fn dismiss(mut socket: WebSocket, why: CloseFrame, farewell: Duration) {
    part(&mut socket, End::Close(why), farewell).await;
}

/// Ends politely, within bounds: a connection that is cut while frames of the client are unread takes our
/// close frame with it, so they are read and dropped until the client has closed too.
pub async fn part(socket: &mut WebSocket, end: End, farewell: Duration) {
    let (last, broken) = match end {
        End::Close(why) => (Some(why), false),
        End::Broken(why) => (Some(why), true),
        End::Left => (None, false),
        End::Dead => return,
    };
    let parting = async {
        if last.is_some() && socket.send(ws::Message::Close(last)).await.is_err() {
            return;
        }
        if broken {
            // Nothing can be read any more; give the frame its time.
            pending::<()>().await;
        }
        while let Some(Ok(_)) = socket.recv().await {}
    };
    // Late is as good as done.
    let _ = timeout(farewell, parting).await;
}

/// What to say about frames that cannot be read. The library below tells them apart by their texts only.
pub fn unreadable(error: &str) -> CloseFrame {
    match error {
        error if error.contains("too long") => close(1009, "Message too big"),
        error if error.contains("UTF-8") => close(1007, "Text is not UTF-8"),
        _ => close(1002, "Invalid frame"),
    }
}
