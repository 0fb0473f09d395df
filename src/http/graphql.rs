//! GraphQL over HTTP: what a request must look like, and what an answer looks like.

use std::net::SocketAddr;

use async_graphql::{Response as Answer, parser::types::OperationType};
use axum::{
    body::Body,
    extract::{ConnectInfo, FromRequestParts, Query, Request, State, ws::WebSocketUpgrade},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, UPGRADE, WWW_AUTHENTICATE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{
    auth::{Denied, Verified},
    operation::{Operations, Refused, kind_of, name},
    refusal, socket,
};
use crate::{graphql::ClientIp, telemetry::log};

/// The largest body that is read.
const LARGEST: usize = 1 << 20;
const JSON: &str = "application/json";
const GRAPHQL: &str = "application/graphql-response+json";

/// What the endpoint needs.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) operations: Operations,
    pub(super) stopping: watch::Receiver<bool>,
}

/// An operation in a query string.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InUrl {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
}

/// POST: an operation as JSON.
pub(super) async fn post(State(endpoint): State<Endpoint>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !is_json(&parts.headers) {
        let what = "send the operation as JSON, with the header `Content-Type: application/json`";
        return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "BAD_USER_INPUT", what);
    }
    let who = match authenticate(&endpoint, &parts.headers) {
        Ok(who) => who,
        Err(denied) => return unauthenticated(denied),
    };
    let body = match read(body, &parts.headers).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    match operation(&body) {
        Ok(request) => execute(&endpoint, &parts, request, who).await,
        Err(what) => refusal(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", &what),
    }
}

/// GET: a query in the URL, or a socket.
pub(super) async fn get(State(endpoint): State<Endpoint>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let who = match authenticate(&endpoint, &parts.headers) {
        Ok(who) => who,
        Err(denied) => return unauthenticated(denied),
    };
    if parts.headers.contains_key(UPGRADE) {
        return match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => socket::open(upgrade, endpoint, who),
            Err(rejection) => refusal(rejection.status(), "BAD_USER_INPUT", &rejection.body_text()),
        };
    }
    match operation_in_url(&parts) {
        Ok(request) => execute(&endpoint, &parts, request, who).await,
        Err(what) => refusal(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", &what),
    }
}

fn authenticate(endpoint: &Endpoint, headers: &HeaderMap) -> Result<Option<Verified>, Denied> {
    endpoint.operations.auth().bearer(headers, endpoint.operations.now())
}

async fn execute(
    endpoint: &Endpoint,
    parts: &Parts,
    mut request: async_graphql::Request,
    who: Option<Verified>,
) -> Response {
    if request.query.trim().is_empty() {
        return refusal(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", "`query` is missing or empty");
    }
    let kind = match endpoint.operations.prepare(&mut request) {
        Ok(kind) => kind,
        Err(answer) => return respond(StatusCode::OK, &parts.headers, *answer),
    };
    if parts.method != Method::POST && kind.is_some_and(|kind| kind != OperationType::Query) {
        let what = "only queries may be sent with GET; send this operation with POST";
        let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "BAD_USER_INPUT", what);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    log::operation(kind_of(kind), name(&mut request).as_deref());
    if let Some(who) = &who {
        log::user(who.user);
    }
    // Set by `serve`; what a proxy says in its place is not believed yet.
    if let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() {
        request = request.data(ClientIp(peer.ip().to_string()));
    }
    match endpoint.operations.run(request, kind, who).await {
        Ok(answer) => respond(StatusCode::OK, &parts.headers, answer),
        Err(Refused::Denied(denied)) => unauthenticated(denied),
        Err(Refused::Broken(answer)) => respond(StatusCode::INTERNAL_SERVER_ERROR, &parts.headers, *answer),
    }
}

fn unauthenticated(denied: Denied) -> Response {
    let mut response = refusal(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", &denied.to_string());
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// An answer as GraphQL over HTTP wants it: an operation that did not begin has no `data` at all.
#[derive(Serialize)]
struct NoData<'a> {
    errors: &'a [async_graphql::ServerError],
}

fn respond(status: StatusCode, headers: &HeaderMap, answer: Answer) -> Response {
    let not_begun = answer.data == async_graphql::Value::Null
        && !answer.errors.is_empty()
        && answer.errors.iter().all(|error| error.path.is_empty());
    let body = if not_begun {
        serde_json::to_vec(&NoData { errors: &answer.errors })
    } else {
        serde_json::to_vec(&answer)
    };
    let Ok(body) = body else {
        return refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL",
            "the answer cannot be written as JSON",
        );
    };
    let mut response = (status, Body::from(body)).into_response();
    let kind = if prefers_graphql(headers) { GRAPHQL } else { JSON };
    response.headers_mut().extend(answer.http_headers);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether the newer media type is named, and before the older one.
fn prefers_graphql(headers: &HeaderMap) -> bool {
    let Some(accept) = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()) else {
        return false;
    };
    accept.find(GRAPHQL).is_some_and(|at| accept.find(JSON).is_none_or(|json| at < json))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(JSON))
}

async fn read(body: Body, headers: &HeaderMap) -> Result<Vec<u8>, Response> {
    let too_large = || {
        let what = "the body is larger than 1 MiB";
        refusal(StatusCode::PAYLOAD_TOO_LARGE, "BAD_USER_INPUT", what)
    };
    let announced = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > LARGEST) {
        return Err(too_large());
    }
    let mut read = Vec::with_capacity(announced.unwrap_or(0));
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            refusal(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", "the body ended before it was complete")
        })?;
        if read.len() + chunk.len() > LARGEST {
            return Err(too_large());
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read)
}

/// The operation in a body, or what is wrong with it.
fn operation(body: &[u8]) -> Result<async_graphql::Request, String> {
    match body.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(body)
            .map_err(|error| format!("the body is not a GraphQL request in JSON: {error}")),
        Some(b'[') => Err("batches are not supported; send one operation per request".to_owned()),
        Some(_) => Err("the body must be a JSON object with `query`".to_owned()),
        None => Err("the body is empty; send a JSON object with `query`".to_owned()),
    }
}

fn operation_in_url(parts: &Parts) -> Result<async_graphql::Request, String> {
    let Query(found) = Query::<InUrl>::try_from_uri(&parts.uri)
        .map_err(|_| "the query string is not properly encoded, or names a parameter twice".to_owned())?;
    let mut request = async_graphql::Request::new(found.query.unwrap_or_default());
    request.operation_name = found.operation_name.filter(|name| !name.is_empty());
    if let Some(text) = found.variables.filter(|text| !text.trim().is_empty()) {
        request.variables = serde_json::from_str(&text)
            .map_err(|error| format!("`variables` is not a JSON object: {error}"))?;
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_no_operation_is_told_so_in_words() {
        let said = |body: &str| operation(body.as_bytes()).err().unwrap_or_default();
        assert_eq!(said("[{}]"), "batches are not supported; send one operation per request");
        assert_eq!(said("  "), "the body is empty; send a JSON object with `query`");
        assert_eq!(said("7"), "the body must be a JSON object with `query`");
        assert!(said("{\"query\": 1}").contains("invalid type: integer `1`, expected a string"));
        assert!(said("{\"query\": \"{a}\"").starts_with("the body is not a GraphQL request in JSON: EOF"));
        assert!(said("{\"query\": \"{a}\", \"variables\": [1]}").contains("expected a map"));
        assert!(said(&"{\"variables\":".repeat(5_000)).contains("recursion limit"));
        let request = operation(br#"{"query": "{a}", "operationName": null, "variables": null, "more": 1}"#);
        assert_eq!(request.unwrap().query, "{a}");
    }

    #[test]
    fn the_newer_media_type_is_given_to_those_who_prefer_it() {
        let prefers = |accept: &'static str| {
            prefers_graphql(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]))
        };
        assert!(prefers("application/graphql-response+json, application/json;q=0.9"));
        assert!(!prefers("application/json, application/graphql-response+json"));
        assert!(!prefers("*/*"));
    }
}
