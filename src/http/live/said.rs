//! One thing that a stream says, ready to be sent. Clones share their bytes, so that one text can go to any
//! number of subscribers.

use std::sync::Arc;

use async_graphql::{Response, Value};

use crate::http::{fault, socket::Output};

/// One thing that a stream says.
#[derive(Clone, Debug)]
pub(in crate::http) struct Said {
    /// The answer, as JSON.
    pub(in crate::http) output: Output,
    /// Where in the feed it stands; an event source resumes there.
    pub(in crate::http) cursor: Option<Arc<str>>,
    /// Whether it says that the token has expired: the client shall come back with another.
    pub(in crate::http) is_logged_out: bool,
}

impl Said {
    /// A response of the library.
    pub(in crate::http) fn of(response: &Response) -> Said {
        Said {
            output: Output::of(response),
            cursor: cursor(&response.data).map(Arc::from),
            is_logged_out: response.errors.iter().any(|error| fault::code(error) == Some("UNAUTHENTICATED")),
        }
    }

    /// Its bytes.
    pub(super) fn weight(&self) -> usize {
        self.output.text().len() + self.cursor.as_ref().map_or(0, |cursor| cursor.len())
    }
}

/// The field `cursor` of the only root field. Nothing else has an id: an alias could put any text there.
fn cursor(data: &Value) -> Option<&str> {
    let Value::Object(fields) = data else { return None };
    let Some(Value::Object(change)) = fields.values().next() else { return None };
    let Some(Value::String(cursor)) = change.get("cursor") else { return None };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (!cursor.is_empty() && cursor.bytes().all(is_plain)).then_some(cursor)
}
