//! The protocol `graphql-transport-ws` as a machine that neither waits nor writes: it is told what came
//! in or happened, and says what to do.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Utf8Bytes};
use tokio::time::Instant;

use super::{
    super::envelope::Envelope,
    limits::{Limits, Rate},
    message::{self, Message, Object, Output},
};

const TOO_MANY: &str = r#"[{"message":"too many operations run on this socket; complete one first","extensions":{"code":"RATE_LIMITED"}}]"#;

/// An operation, told apart from a later one that has the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(pub u64);

/// What came in.
#[derive(Clone, Copy, Debug)]
pub enum Frame<'a> {
    /// A message.
    Text(&'a str),
    /// Bytes, which this protocol does not know.
    Binary,
    /// A ping or a pong of WebSocket itself, which is answered below us.
    Heartbeat,
    /// The client ends the conversation.
    Close,
}

/// What happened on our side.
#[derive(Debug)]
pub enum Event {
    /// The client may come in; what to tell it.
    Accepted(Option<Object>),
    /// It may not, and why.
    Refused(String),
    /// The time for introductions is over.
    Late,
    /// The token has expired.
    Expired,
    /// The server stops.
    Stopping,
    /// An operation says something.
    Output(Key, Output),
    /// An operation has nothing more to say.
    Ended(Key),
}

/// What to do.
#[derive(Debug)]
pub enum Action {
    /// Nothing at all.
    Nothing,
    /// Send a message.
    Send(Utf8Bytes),
    /// Look at who this is, then tell whether it was accepted.
    Init(Object),
    /// Start an operation.
    Start(Key, Box<Envelope>),
    /// Drop an operation.
    Stop(Key),
    /// Close the socket.
    Close(CloseFrame),
    /// The client has closed it.
    Leave,
}

/// The state of one socket.
#[derive(Debug)]
pub struct Machine {
    phase: Phase,
    // Few, so that looking through them is quicker, and smaller, than a table.
    operations: Vec<Operation>,
    started: u64,
    rate: Rate,
    limits: Arc<Limits>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nobody has introduced themselves.
    Waiting,
    /// Somebody has, and is being looked at.
    Greeting,
    Ready,
    Over,
}

#[derive(Debug)]
struct Operation {
    key: Key,
    /// In quotes, as it is written into each message.
    id: Box<str>,
}

impl Machine {
    /// A socket that was just opened.
    pub fn new(limits: Arc<Limits>, now: Instant) -> Machine {
        Machine { phase: Phase::Waiting, operations: Vec::new(), started: 0, rate: Rate::new(now), limits }
    }

    /// What to do about a frame of the client.
    pub fn received(&mut self, frame: Frame<'_>, now: Instant) -> Action {
        if self.phase == Phase::Over {
            return Action::Nothing;
        }
        if !self.rate.admit(&self.limits, now) {
            // Clients do not retry after 4429, and one that floods shall not.
            return self.close(4429, "Too many messages");
        }
        let text = match frame {
            Frame::Heartbeat => return Action::Nothing,
            Frame::Binary => return self.invalid("it is binary, not text"),
            Frame::Close => {
                self.phase = Phase::Over;
                return Action::Leave;
            }
            Frame::Text(text) => text,
        };
        match message::read(text, self.limits.id) {
            Ok(message) => self.said(message),
            Err(why) => self.invalid(&why),
        }
    }

    /// What to do about something on our side.
    pub fn happened(&mut self, event: Event) -> Action {
        if self.phase == Phase::Over {
            return Action::Nothing;
        }
        match event {
            Event::Accepted(payload) => {
                self.phase = Phase::Ready;
                Action::Send(message::ack(payload))
            }
            Event::Refused(why) if why.is_empty() => self.close(4403, "Forbidden"),
            Event::Refused(why) => self.close(4403, &format!("Forbidden: {why}")),
            Event::Late if self.phase == Phase::Ready => Action::Nothing,
            Event::Late => self.close(4408, "Connection initialisation timeout"),
            // Clients come back after 4403, with a new token; 4401 they take for final.
            Event::Expired => self.close(4403, "token expired"),
            Event::Stopping => self.close(1001, "the server stops; connect again"),
            Event::Output(key, Output::Next(payload)) => self
                .operations
                .iter()
                .find(|operation| operation.key == key)
                .map_or(Action::Nothing, |operation| Action::Send(message::next(&operation.id, &payload))),
            Event::Output(key, Output::Errors(errors)) => {
                self.forget(key).map_or(Action::Nothing, |id| Action::Send(message::error(&id, &errors)))
            }
            Event::Ended(key) => {
                self.forget(key).map_or(Action::Nothing, |id| Action::Send(message::complete(&id)))
            }
        }
    }

    fn said(&mut self, message: Message) -> Action {
        match message {
            Message::Init(payload) if self.phase == Phase::Waiting => {
                self.phase = Phase::Greeting;
                Action::Init(payload)
            }
            Message::Init(_) => self.close(4429, "Too many initialisation requests"),
            Message::Ping(payload) => Action::Send(message::pong(payload)),
            Message::Pong => Action::Nothing,
            Message::Subscribe(id, envelope) => self.subscribe(&id, envelope),
            Message::Complete(id) => {
                let id = message::quoted(&id);
                let key = self.operations.iter().find(|operation| operation.id == id).map(|found| found.key);
                // An unknown id is one that has just ended: our last message and this one crossed.
                key.map_or(Action::Nothing, |key| {
                    self.forget(key);
                    Action::Stop(key)
                })
            }
        }
    }

    fn subscribe(&mut self, id: &str, envelope: Box<Envelope>) -> Action {
        if self.phase != Phase::Ready {
            return self.close(4401, "Unauthorized");
        }
        let quoted = message::quoted(id);
        if self.operations.iter().any(|operation| operation.id == quoted) {
            return self.close(4409, &format!("Subscriber for {id} already exists"));
        }
        if self.operations.len() >= self.limits.operations {
            return Action::Send(message::error(&quoted, TOO_MANY));
        }
        self.started += 1;
        let key = Key(self.started);
        self.operations.push(Operation { key, id: quoted });
        Action::Start(key, envelope)
    }

    fn forget(&mut self, key: Key) -> Option<Box<str>> {
        let at = self.operations.iter().position(|operation| operation.key == key)?;
        Some(self.operations.swap_remove(at).id)
    }

    fn invalid(&mut self, why: &str) -> Action {
        self.close(4400, &format!("Invalid message: {why}"))
    }

    fn close(&mut self, code: u16, reason: &str) -> Action {
        self.phase = Phase::Over;
        Action::Close(close(code, reason))
    }
}

/// A close frame; it holds 123 bytes of text.
pub fn close(code: u16, reason: &str) -> CloseFrame {
    CloseFrame { code, reason: reason[..reason.floor_char_boundary(123)].into() }
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
