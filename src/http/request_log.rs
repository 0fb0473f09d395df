//! What is known of every request, whatever becomes of it: an id, a span, a line in the log, its place in
//! the metrics.

use std::time::{Duration, Instant};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument, Span};

use crate::telemetry::{
    log, metrics,
    request::{RequestId, within},
    trace,
};

const ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACE: HeaderName = HeaderName::from_static("traceparent");

/// Follows a request from its head to the head of its answer, which names the request's id.
pub(super) async fn follow(request: Request, next: Next) -> Response {
    let (id, span) = begin(&request);
    let mut followed = Followed::new(request.method().clone(), span.clone());
    let mut response = within(id.clone(), next.run(request).instrument(span)).await;
    followed.status = Some(response.status().as_u16());
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(ID, id);
    }
    response
}

fn begin(request: &Request) -> (RequestId, Span) {
    let header = |name: &HeaderName| text(request.headers(), name);
    let id = RequestId::given_or_new(header(&ID));
    // Never the query string: it can hold an operation or a ticket.
    let span = log::request(&id, request.method().as_str(), request.uri().path());
    trace::join(&span, header(&TRACE));
    (id, span)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A request under way. It is over when this is dropped, which happens as well when a client hangs up.
struct Followed {
    method: Method,
    span: Span,
    began: Instant,
    status: Option<u16>,
    _open: metrics::Open,
}

impl Followed {
    fn new(method: Method, span: Span) -> Followed {
        Followed { method, span, began: Instant::now(), status: None, _open: metrics::request_open() }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let took: Duration = self.began.elapsed();
        log::answered(&self.span, self.status, took);
        metrics::request_finished(self.method.as_str(), self.status, took);
    }
}
