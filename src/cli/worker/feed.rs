//! The feed of the provider's orders, as a bell: it rings when something may wait. What does wait, the list says.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::{
    api::{Api, Failure, Pauses, refusal},
    cursor::Cursor,
};

const EVENTS: &str = "subscription Watch($after: String) { orderEvents(after: $after) { kind cursor \
    order { awaitsWorker } } }";
/// A stream that is silent for so long is dead: the server shows every 12 seconds that it lives.
const SILENCE: Duration = Duration::from_secs(40);
/// The longest message.
const LONGEST: usize = 1 << 20;

/// Follows the feed from the cursor, through restarts of the server; ends when the server will not have it.
pub(super) async fn follow(api: Arc<Api>, mut cursor: Cursor, bell: Arc<Notify>) -> Failure {
    let mut pauses = Pauses::new();
    loop {
        let begun = cursor.at().map(str::to_owned);
        let why = match listen(&api, &mut cursor, &bell).await {
            Ok(()) => "the stream has ended".to_owned(),
            Err(Failure::Again(why)) => why,
            Err(Failure::Refused { code, .. }) if code.starts_with("CURSOR_") && cursor.at().is_some() => {
                tracing::warn!(code, "the cursor is not served any more; beginning with what waits");
                cursor.forget();
                continue;
            }
            Err(other) => return other,
        };
        if cursor.at() != begun.as_deref() {
            pauses = Pauses::new();
        }
        let pause = pauses.next();
        tracing::info!(why, ?pause, "the feed is opened again");
        sleep(pause).await;
    }
}

/// One stream, to its end.
async fn listen(api: &Api, cursor: &mut Cursor, bell: &Notify) -> Result<(), Failure> {
    let mut response = api.stream(EVENTS, json!({ "after": cursor.at() })).await?;
    let mut unread = Vec::new();
    loop {
        let chunk = timeout(SILENCE, response.chunk()).await;
        let chunk = chunk.map_err(|_| Failure::Again("the server is silent".to_owned()))??;
        let Some(chunk) = chunk else { return Ok(()) };
        unread.extend_from_slice(&chunk);
        while let Some(end) = unread.windows(2).position(|two| two == b"\n\n") {
            let block: Vec<u8> = unread.drain(..end + 2).collect();
            if let Some(message) = message(&block) {
                hear(&message, cursor, bell)?;
            }
        }
        if unread.len() > LONGEST {
            return Err(Failure::Again("a message of the feed is too long".to_owned()));
        }
        cursor.save();
    }
}

/// The data of an event; comments have none.
fn message(block: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(block).ok()?;
    let data = text.lines().find_map(|line| line.strip_prefix("data:"))?;
    serde_json::from_str(data.trim()).ok()
}

fn hear(message: &Value, cursor: &mut Cursor, bell: &Notify) -> Result<(), Failure> {
    refusal(&message["errors"])?;
    let change = &message["data"]["orderEvents"];
    let Some(at) = change["cursor"].as_str() else { return Ok(()) };
    cursor.move_to(at);
    // A stream that begins: what came to wait before is in the list now.
    if change["kind"] == "STARTED" || change["order"]["awaitsWorker"] == true {
        bell.notify_one();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_and_comments_passed_over() {
        assert_eq!(message(b":\n\n"), None);
        assert_eq!(message(b"event: complete\ndata: null\n\n"), Some(Value::Null));
        let next = b"event: next\nid: a\ndata: {\"data\":{\"orderEvents\":{\"cursor\":\"a\"}}}\n\n";
        assert_eq!(message(next).unwrap()["data"]["orderEvents"]["cursor"], "a");
    }

    #[tokio::test]
    async fn the_bell_rings_for_what_waits_and_the_cursor_moves_with_everything() {
        let (mut cursor, bell) = (Cursor::open(None).unwrap(), Notify::new());
        let told = |kind: &str, at: &str, waits: bool| {
            let order = json!({ "awaitsWorker": waits });
            json!({ "data": { "orderEvents": { "kind": kind, "cursor": at, "order": order } } })
        };
        let rung = async |bell: &Notify| timeout(Duration::from_millis(1), bell.notified()).await.is_ok();
        for (kind, at, waits, rings) in [
            ("STARTED", "a", false, true),
            ("NOTE", "b", false, false),
            ("STATUS_CHANGED", "c", true, true),
            ("CHECKPOINT", "d", false, false),
        ] {
            hear(&told(kind, at, waits), &mut cursor, &bell).unwrap();
            assert_eq!((cursor.at(), rung(&bell).await), (Some(at), rings), "{kind}");
        }
        let expired =
            json!({ "errors": [{ "message": "log in", "extensions": { "code": "UNAUTHENTICATED" } }] });
        assert!(matches!(hear(&expired, &mut cursor, &bell), Err(Failure::Final(_))));
        hear(&Value::Null, &mut cursor, &bell).unwrap();
    }
}
