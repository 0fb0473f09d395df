//! What a thread of clients has heard. Each text is kept and understood once; a delivery is the number of
//! its text and a moment, so that ten thousand equal ones cost ten thousand comparisons of bytes and no
//! more.

use std::{collections::HashMap, sync::Arc, time::Instant};

use anyhow::{Result, bail};
use serde_json::Value;

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The subscription has begun.
    Started,
    /// An order has moved to another status, and has a new version.
    Changed(Change),
    /// Something that nobody asked a mutation for: a checkpoint, an order that stalls.
    Other,
}

/// An event of an order, as a subscription tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub order: String,
    pub version: i64,
    /// What to go on behind.
    pub cursor: String,
    /// Which of the client's subscriptions was told, from 0.
    pub subscription: u32,
}

/// A message to a client.
#[derive(Clone, Copy, Debug)]
pub struct Receipt {
    pub client: u32,
    /// Its text, by number.
    pub text: u32,
    pub at: Instant,
}

/// One text.
#[derive(Clone, Debug)]
pub struct Text {
    pub bytes: Arc<[u8]>,
    pub said: Said,
}

/// What was heard.
#[derive(Debug, Default)]
pub struct Desk {
    clients: usize,
    /// Of each client.
    subscriptions: usize,
    pub texts: Vec<Text>,
    numbers: HashMap<Arc<[u8]>, u32>,
    pub receipts: Vec<Receipt>,
    /// Clients whose socket was ended by the server, and how.
    pub ended: Vec<(u32, String)>,
}

impl Desk {
    /// A desk for so many clients with so many subscriptions each.
    pub fn new(clients: usize, subscriptions: u32) -> Desk {
        Desk { clients, subscriptions: subscriptions.max(1) as usize, ..Desk::default() }
    }

    /// Subscriptions of all clients.
    pub fn listeners(&self) -> usize {
        self.clients * self.subscriptions
    }

    /// The number of a client's subscription among all.
    pub fn listener(&self, client: u32, subscription: u32) -> usize {
        client as usize * self.subscriptions + subscription as usize
    }

    /// Notes a message; `last` is the number of the client's last one. Clients hear much the same in much
    /// the same order, so the next number is nearly always right.
    pub fn note(&mut self, client: u32, bytes: &[u8], last: &mut u32, at: Instant) -> Result<&Said> {
        let guess = last.wrapping_add(1);
        let number = match self.texts.get(guess as usize) {
            Some(text) if *text.bytes == *bytes => guess,
            _ => self.number(bytes)?,
        };
        *last = number;
        let said = &self.texts[number as usize].said;
        if let Said::Changed(_) = said {
            self.receipts.push(Receipt { client, text: number, at });
        }
        Ok(said)
    }

    /// The first text that tells of this version of an order, and what it says.
    pub fn telling(&self, order: &str, version: i64) -> Option<(&Text, &Change)> {
        self.texts.iter().find_map(|text| match &text.said {
            Said::Changed(change) if change.order == order && change.version == version => {
                Some((text, change))
            }
            _ => None,
        })
    }

    fn number(&mut self, bytes: &[u8]) -> Result<u32> {
        if let Some(number) = self.numbers.get(bytes) {
            return Ok(*number);
        }
        let (number, bytes) = (u32::try_from(self.texts.len())?, Arc::<[u8]>::from(bytes));
        let said = understand(&bytes)?;
        if let Said::Changed(change) = &said
            && change.subscription as usize >= self.subscriptions
        {
            bail!("a subscription that nobody has was told of {change:?}");
        }
        self.texts.push(Text { said, bytes: bytes.clone() });
        self.numbers.insert(bytes, number);
        Ok(number)
    }
}

/// Reads a message of `graphql-transport-ws`.
fn understand(bytes: &[u8]) -> Result<Said> {
    let message: Value = serde_json::from_slice(bytes)?;
    let data = message["payload"]["data"].as_object().and_then(|data| data.values().next());
    let (Some("next"), Some(told)) = (message["type"].as_str(), data) else {
        let errors = message.pointer("/payload/errors").unwrap_or(&message["payload"]);
        let code = errors[0]["extensions"]["code"].as_str().unwrap_or("no code");
        bail!("a subscription was ended with {code}: {}", errors[0]["message"]);
    };
    let kind = told["kind"].as_str().unwrap_or_default();
    if kind == "STARTED" {
        return Ok(Said::Started);
    }
    let (order, version) = (told["orderId"].as_str(), told["event"]["version"].as_i64());
    let ("STATUS_CHANGED", Some(order), Some(version)) = (kind, order, version) else {
        return Ok(Said::Other);
    };
    let id: u32 = message["id"].as_str().unwrap_or_default().parse()?;
    let cursor = told["cursor"].as_str().unwrap_or_default().to_owned();
    Ok(Said::Changed(Change { order: order.to_owned(), version, cursor, subscription: id.saturating_sub(1) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(version: i64) -> String {
        format!(
            r#"{{"id":"1","type":"next","payload":{{"data":{{"orderEvents":{{"kind":"STATUS_CHANGED",
            "cursor":"c","orderId":"a","event":{{"version":{version}}}}}}}}}}}"#
        )
    }

    #[test]
    fn equal_messages_have_one_text_and_a_receipt_each() {
        let (mut desk, at) = (Desk::new(3, 1), Instant::now());
        for client in 0..3 {
            let mut last = u32::MAX;
            for version in [1, 2, 2] {
                desk.note(client, told(version).as_bytes(), &mut last, at).unwrap();
            }
        }
        assert_eq!(desk.texts.len(), 2);
        let heard: Vec<_> = desk.receipts.iter().map(|receipt| (receipt.client, receipt.text)).collect();
        assert_eq!(heard, [(0, 0), (0, 1), (0, 1), (1, 0), (1, 1), (1, 1), (2, 0), (2, 1), (2, 1)]);
    }

    #[test]
    fn what_is_no_event_of_an_order_leaves_no_receipt_and_an_error_is_one() {
        let (mut desk, mut last) = (Desk::new(1, 1), u32::MAX);
        let started = br#"{"id":"1","type":"next","payload":{"data":{"x":{"kind":"STARTED"}}}}"#;
        assert_eq!(*desk.note(0, started, &mut last, Instant::now()).unwrap(), Said::Started);
        let refused = br#"{"id":"1","type":"error","payload":[{"message":"no"}]}"#;
        assert!(desk.note(0, refused, &mut last, Instant::now()).is_err());
        assert!(desk.receipts.is_empty());
    }
}
