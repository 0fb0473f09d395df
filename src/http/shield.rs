//! Headers that every answer carries: what a browser must not do with it. A handler's own stay.

use axum::{
    extract::{Request, State},
    http::{
        HeaderName, HeaderValue,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
            X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    response::Response,
};

/// Pages of other origins cannot embed an answer. What they may read with `fetch` is for CORS to say: its
/// requests are exempt from this.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Set unless the handler has set its own.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];
/// A year, and for this name only: what else lives below it is not ours.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Whether browsers shall never again come here without TLS.
#[derive(Clone, Copy, Debug)]
pub(super) struct TlsOnly(pub(super) bool);

/// Adds what the answer lacks.
pub(super) async fn guard(
    State(TlsOnly(tls_only)): State<TlsOnly>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    if tls_only {
        headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(TLS_ONLY);
    }
    response
}
