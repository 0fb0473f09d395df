//! From a response to what is sent: status, media type and body.

use std::collections::BTreeMap;

use async_graphql::{Response as Answer, ServerError, Value};
use async_graphql_axum::GraphQLResponse;
use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::media::Media;

/// How far an operation came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It did not begin, by a fault of the request: its text, its variables, its name.
    Refused,
    /// It did not end in the time that it has.
    Late,
    /// It did not end, by a fault of ours.
    Broken,
    /// It began, however it ended.
    Begun,
}

impl Stage {
    /// Reads the stage from a response of the library, which does not tell it: whatever happens once an
    /// operation has begun has a path. What it misjudges is refused before, by `variable`.
    pub(super) fn of(answer: &Answer) -> Stage {
        let errors = &answer.errors;
        let refused = answer.data == Value::Null
            && !errors.is_empty()
            && errors.iter().all(|error| error.path.is_empty());
        if refused { Stage::Refused } else { Stage::Begun }
    }
}

/// Writes a response as JSON.
pub(super) fn write(mut answer: Answer, media: Media, stage: Stage) -> Response {
    let wait = wait(&answer.errors);
    let mut response = if stage == Stage::Begun {
        GraphQLResponse::from(answer).into_response()
    } else {
        // What did not begin has no data, not even null.
        let headers = std::mem::take(&mut answer.http_headers);
        (headers, Json(NoData { errors: &answer.errors, extensions: &answer.extensions })).into_response()
    };
    *response.status_mut() = status(media, stage);
    if let Some(seconds) = wait {
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response.headers_mut().insert(CONTENT_TYPE, json(media).content_type());
    response
}

/// Writes the answer to a request that is no operation: malformed, too large, not allowed.
pub(super) fn refuse(status: StatusCode, code: &str, message: &str, media: Media) -> Response {
    let body = serde_json::json!({ "errors": [{ "message": message, "extensions": { "code": code } }] });
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, json(media).content_type());
    response
}

/// Those who wanted events get the newer JSON where there is no stream: an event would need the status 200.
fn json(media: Media) -> Media {
    if media == Media::Events { Media::Graphql } else { media }
}

/// An older client believes a body only with 200, as the sender of anything else may be a proxy. A newer
/// one knows the sender by the media type.
fn status(media: Media, stage: Stage) -> StatusCode {
    match (stage, media) {
        (Stage::Begun, _) | (Stage::Refused, Media::Json) => StatusCode::OK,
        (Stage::Refused, Media::Graphql | Media::Events) => StatusCode::BAD_REQUEST,
        (Stage::Late, _) => StatusCode::SERVICE_UNAVAILABLE,
        (Stage::Broken, _) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// How many seconds to wait, where an error says that the client asks too often.
fn wait(errors: &[ServerError]) -> Option<u64> {
    let extensions = errors.iter().filter_map(|error| error.extensions.as_ref());
    let waits = extensions.filter_map(|extensions| match extensions.get("retryAfter")? {
        Value::Number(seconds) => seconds.as_u64(),
        _ => None,
    });
    waits.max()
}

/// A response without data.
#[derive(Serialize)]
struct NoData<'a> {
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: &'a BTreeMap<String, Value>,
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
