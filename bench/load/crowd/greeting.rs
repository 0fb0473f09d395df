//! What a client says before it listens.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::{
    client::{Client, Room},
    frame::{TEXT, masked},
};

/// What a client says; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Greeting {
    /// Who it is; nothing where nobody asks.
    init: Option<Arc<[u8]>>,
    subscribe: Arc<[u8]>,
    /// How many subscriptions must have begun before it listens.
    pub subscriptions: u32,
    /// For how long it then reads nothing.
    pub deaf: Duration,
}

impl Greeting {
    /// Says who it is, and nothing more.
    pub fn of(token: &str) -> Greeting {
        let payload = json!({ "Authorization": format!("Bearer {token}") });
        let init = text(&json!({ "type": "connection_init", "payload": payload }));
        Greeting { init: Some(init.into()), ..Greeting::default() }
    }

    /// Subscribes to this besides, so many times over.
    pub fn watching(self, query: &str, variables: &Value, times: u32) -> Greeting {
        let payload = json!({ "query": query, "variables": variables });
        let one = |n: u32| text(&json!({ "type": "subscribe", "id": n.to_string(), "payload": payload }));
        let subscribe: Vec<u8> = (1..=times).flat_map(one).collect();
        Greeting { subscribe: subscribe.into(), subscriptions: times, ..self }
    }

    /// Reads nothing for so long, once its subscriptions have begun.
    pub fn deaf_for(self, deaf: Duration) -> Greeting {
        Greeting { deaf, ..self }
    }

    /// Says it.
    pub(super) async fn introduce<T>(&self, client: &mut Client, room: &Mutex<Room<T>>) -> Result<()> {
        let Some(init) = &self.init else { return Ok(()) };
        client.send(init).await?;
        let mut welcome = false;
        while !welcome {
            let hear = |_: &mut T, text: &[u8], _| {
                welcome = text.starts_with(br#"{"type":"connection_ack""#);
                if welcome { Ok(()) } else { bail!("no welcome, but {}", String::from_utf8_lossy(text)) }
            };
            client.read(room, hear).await?;
        }
        client.send(&self.subscribe).await
    }
}

fn text(message: &Value) -> Vec<u8> {
    masked(TEXT, message.to_string().as_bytes())
}
