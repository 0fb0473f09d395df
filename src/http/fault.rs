//! Errors of the transport: each with a stable code, and those that are our fault with an id instead of
//! their inside.

use async_graphql::{ErrorExtensionValues, Response, ServerError, Value};

use crate::telemetry::request;

/// An error with a code, at no place of the operation.
pub(super) fn error(code: &str, message: String) -> ServerError {
    let mut error = ServerError::new(message, None);
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    error.extensions = Some(extensions);
    error
}

/// The most faults of one document that are told.
const TOLD: usize = 20;
/// Bytes of a sentence. Some quote what was sent, a whole line of it.
const SENTENCE: usize = 1_000;

/// Gives the library's own errors a code: what cannot be parsed, validated or read. A short document can have
/// thousands of faults; those who mend the first ones ask again.
pub(super) fn coded(mut response: Response) -> Response {
    let mut faults = 0;
    response.errors.retain(|error| {
        faults += usize::from(error.path.is_empty());
        !error.path.is_empty() || faults <= TOLD
    });
    for error in &mut response.errors {
        if error.message.len() > SENTENCE {
            error.message.truncate(error.message.floor_char_boundary(SENTENCE));
            error.message.push('…');
        }
        let extensions = error.extensions.get_or_insert_default();
        if extensions.get("code").is_none() {
            extensions.set("code", code_of(&error.message));
        }
    }
    response
}

/// The library tells its limits apart by their texts only.
fn code_of(message: &str) -> &'static str {
    const LIMITS: [&str; 6] = [
        "Query is nested too deep",
        "Query is too complex",
        "The recursion depth of the query cannot be greater than",
        "The number of directives on the field",
        "The amount of aliases of the query",
        "recursion limit exceeded",
    ];
    if LIMITS.iter().any(|limit| message.starts_with(limit)) { "TOO_COMPLEX" } else { "BAD_USER_INPUT" }
}

/// The code of the first error, if there is one.
pub(super) fn first_code(response: &Response) -> Option<&str> {
    code(response.errors.first()?)
}

/// The code of an error.
pub(super) fn code(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}

/// The answer to what is our fault. It is logged, once, under an id that may be told: its request's.
pub(super) fn broken(what: &str) -> Response {
    let id = request::incident();
    tracing::error!(incident = %id, "{what}");
    let message = format!("something went wrong on our side; quote {id} when you report it");
    let mut error = error("INTERNAL", message);
    error.extensions.get_or_insert_default().set("incident", id);
    Response::from_errors(vec![error])
}
