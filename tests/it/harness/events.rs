//! A client of server-sent events, as a browser reads them.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open stream.
pub struct Events {
    response: reqwest::Response,
    unread: String,
}

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// What kind it is.
    pub kind: String,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// What it says.
    pub data: Value,
}

impl Events {
    /// Sends a request and expects a stream.
    pub async fn open(request: reqwest::RequestBuilder) -> Events {
        let response = request.header("accept", "text/event-stream").send().await.expect("an answer");
        let status = response.status();
        if status != 200 {
            panic!("{status}: {}", response.text().await.expect("a body"));
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events { response, unread: String::new() }
    }

    /// The next event; nothing where the stream has ended. Comments are passed over.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.unread.split_once("\n\n") {
                let event = read(block);
                self.unread = rest.to_owned();
                if event.is_some() {
                    return event;
                }
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("an event in time");
            let chunk = chunk.expect("an open stream")?;
            self.unread.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }

    /// The only root field of the next answer, which must have no errors.
    pub async fn change(&mut self) -> (Option<String>, Value) {
        let Event { kind, id, data } = self.next().await.expect("an event");
        assert_eq!(kind, "next", "{data:#}");
        assert!(data.get("errors").is_none(), "{data:#}");
        let fields = data["data"].as_object().expect("data");
        (id, fields.values().next().expect("a root field").clone())
    }
}

/// An event, if the block is one and not just a comment.
fn read(block: &str) -> Option<Event> {
    let mut event = Event::default();
    for line in block.lines() {
        match line.split_once(": ") {
            Some(("event", kind)) => event.kind = kind.to_owned(),
            Some(("id", id)) => event.id = Some(id.to_owned()),
            Some(("data", data)) => event.data = serde_json::from_str(data).expect("JSON"),
            _ => {}
        }
    }
    (!event.kind.is_empty()).then_some(event)
}
