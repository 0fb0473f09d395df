//! What travels: messages of the client, read strictly, and messages of the server, written.

use std::borrow::Cow;

use async_graphql::{Response, Value as Answer};
use axum::extract::ws::Utf8Bytes;
use serde_json::{Map, Value};

use crate::http::envelope::{self, Envelope};

/// An object in JSON.
pub type Object = Map<String, Value>;

/// What a client says.
#[derive(Debug)]
pub enum Message {
    /// Who it is; without a payload an empty one.
    Init(Object),
    /// Whether we are there; the payload is to be sent back.
    Ping(Option<Object>),
    /// That it is there.
    Pong,
    /// Run this.
    Subscribe(String, Box<Envelope>),
    /// Stop that.
    Complete(String),
}

/// What an operation says, as JSON that is ready to be sent. Clones share their bytes, so that one text
/// can go to any number of sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// One result: `{"data": ...}`.
    Next(Utf8Bytes),
    /// The operation was refused or broke off: `[{"message": ...}]`. Nothing follows.
    Errors(Utf8Bytes),
}

impl Output {
    /// The JSON.
    pub fn text(&self) -> &Utf8Bytes {
        match self {
            Output::Next(text) | Output::Errors(text) => text,
        }
    }

    /// A response of the library. What it answers before execution has neither data nor a path.
    pub fn of(response: &Response) -> Output {
        let refused = response.data == Answer::Null
            && !response.errors.is_empty()
            && response.errors.iter().all(|error| error.path.is_empty());
        let json =
            if refused { serde_json::to_string(&response.errors) } else { serde_json::to_string(response) };
        match json {
            Ok(json) if refused => Output::Errors(json.into()),
            Ok(json) => Output::Next(json.into()),
            // Only a scalar whose own serialisation fails comes here.
            Err(_) => Output::Errors(Utf8Bytes::from_static(
                r#"[{"message":"the answer cannot be written as JSON","extensions":{"code":"INTERNAL"}}]"#,
            )),
        }
    }
}

/// Reads what a client sent.
///
/// # Errors
/// What is wrong with it, as a part of a sentence.
pub fn read(text: &str, longest_id: usize) -> Result<Message, Cow<'static, str>> {
    let Ok(mut message) = serde_json::from_str::<Object>(text) else {
        return Err("it is not a JSON object".into());
    };
    let kind = match message.remove("type") {
        Some(Value::String(kind)) => kind,
        Some(_) => return Err("`type` is not a string".into()),
        None => return Err("`type` is missing".into()),
    };
    match kind.as_str() {
        "connection_init" => Ok(Message::Init(payload(&mut message)?.unwrap_or_default())),
        "ping" => Ok(Message::Ping(payload(&mut message)?)),
        "pong" => Ok(payload(&mut message).map(|_| Message::Pong)?),
        "subscribe" => {
            let id = id(&mut message, longest_id)?;
            let payload = payload(&mut message)?.ok_or("`payload` is missing")?;
            let envelope = envelope::from_payload(payload).map_err(|wrong| wrong.to_string())?;
            Ok(Message::Subscribe(id, Box::new(envelope)))
        }
        "complete" => Ok(Message::Complete(id(&mut message, longest_id)?)),
        _ => Err("`type` is none that a client may send".into()),
    }
}

fn id(message: &mut Object, longest: usize) -> Result<String, &'static str> {
    match message.remove("id") {
        Some(Value::String(id)) if id.is_empty() => Err("`id` is empty"),
        Some(Value::String(id)) if id.chars().count() > longest => Err("`id` is too long"),
        Some(Value::String(id)) => Ok(id),
        Some(_) => Err("`id` is not a string"),
        None => Err("`id` is missing"),
    }
}

fn payload(message: &mut Object) -> Result<Option<Object>, &'static str> {
    object(message, "payload").map_err(|()| "`payload` is not an object")
}

/// Takes an object out of another one; null counts as missing.
fn object(from: &mut Object, key: &str) -> Result<Option<Object>, ()> {
    match from.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(()),
    }
}

/// The client is let in.
pub fn ack(payload: Option<Object>) -> Utf8Bytes {
    greeting("connection_ack", payload)
}

/// We are there.
pub fn pong(payload: Option<Object>) -> Utf8Bytes {
    greeting("pong", payload)
}

fn greeting(kind: &str, payload: Option<Object>) -> Utf8Bytes {
    match payload {
        Some(payload) => [r#"{"type":""#, kind, r#"","payload":"#, &Value::Object(payload).to_string(), "}"]
            .concat()
            .into(),
        None => [r#"{"type":""#, kind, r#""}"#].concat().into(),
    }
}

/// A result of the operation with this id, which is quoted already.
pub fn next(id: &str, payload: &str) -> Utf8Bytes {
    [r#"{"id":"#, id, r#","type":"next","payload":"#, payload, "}"].concat().into()
}

/// Why the operation with this quoted id ended or never began.
pub fn error(id: &str, errors: &str) -> Utf8Bytes {
    [r#"{"id":"#, id, r#","type":"error","payload":"#, errors, "}"].concat().into()
}

/// Nothing more comes from the operation with this quoted id.
pub fn complete(id: &str) -> Utf8Bytes {
    [r#"{"id":"#, id, r#","type":"complete"}"#].concat().into()
}

/// An id as it stands in JSON.
pub fn quoted(id: &str) -> Box<str> {
    Value::from(id).to_string().into()
}
