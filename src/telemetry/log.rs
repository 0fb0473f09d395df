//! The log: to standard error, as text for people or as a JSON object per line. One line per request.
//! What a client wrote never gets into it, but names of a bounded length.

use std::time::Duration;

use tracing::{Span, Subscriber, field::Empty};
use tracing_subscriber::{
    EnvFilter, Layer, fmt::MakeWriter, layer::SubscriberExt, registry::LookupSpan, util::SubscriberInitExt,
};

use super::{
    Kind,
    request::RequestId,
    trace::{self, Traces},
};

/// Bytes of a path that are logged.
const PATH: usize = 256;
/// Bytes of an operation's name that are logged.
const NAME: usize = 128;

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one object per line.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// The levels cannot be read.
    #[error(transparent)]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The process has one already.
    #[error(transparent)]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Logs to standard error from now on, and traces where that is wanted; once per process.
/// `levels` is a level, or levels by target.
///
/// # Errors
/// When the levels cannot be read, or there is a log already.
pub fn start(levels: &str, format: Format, colours: bool, traces: Option<&Traces>) -> Result<(), NotStarted> {
    let log = lines(format, colours, std::io::stderr).with_filter(filter(levels)?);
    tracing_subscriber::registry().with(traces.map(Traces::layer)).with(log).try_init()?;
    Ok(())
}

fn filter(levels: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    // Migrations tell a line for each table, the client of NATS one for each connection; whoever wants them
    // names them. What is for traces alone would say everything twice.
    EnvFilter::try_new(format!("sea_orm_migration=warn,async_nats=warn,{}=off,{levels}", trace::TARGET))
}

fn lines<S, W>(format: Format, colours: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        Format::Text => lines.with_ansi(colours).compact().boxed(),
        Format::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
        }
    }
}

/// The span of a request: whatever is logged inside says which request it was.
pub fn request(id: &RequestId, method: &str, path: &str) -> Span {
    let path = start_of(path, PATH);
    tracing::info_span!(
        "request",
        id = id.as_str(),
        method,
        path,
        status = Empty,
        operation = Empty,
        kind = Empty,
        user = Empty
    )
}

/// Notes in the span of the request what it asks for. A name that is none of GraphQL's is left out.
pub fn operation(kind: Kind, name: Option<&str>) {
    let span = Span::current();
    span.record("kind", kind.name());
    if let Some(name) = name.and_then(printable) {
        span.record("operation", name);
    }
}

/// Notes in the span of the request who asks.
pub fn user(id: impl std::fmt::Display) {
    Span::current().record("user", tracing::field::display(id));
}

/// The line of a request. None as status: the client hung up before there was one.
pub fn answered(span: &Span, status: Option<u16>, took: Duration) {
    if let Some(status) = status {
        span.record("status", status);
    }
    let ms = took.as_micros() as f64 / 1_000.0;
    span.in_scope(|| match status {
        Some(_) => tracing::info!(ms, "answered"),
        None => tracing::info!(ms, "the client hung up"),
    });
}

/// An operation's name as it may be logged: GraphQL's letters only, and not too many.
pub(super) fn printable(name: &str) -> Option<&str> {
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name && !name.is_empty()).then(|| start_of(name, NAME))
}

fn start_of(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use serde_json::Value;

    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is logged while something happens.
    fn logged(format: Format, what: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let log = lines(format, false, move || writer.clone()).with_filter(filter("info").unwrap());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log), what);
        String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
    }

    fn a_request() {
        let span = request(&RequestId::given_or_new(Some("r-1")), "POST", "/graphql");
        span.in_scope(|| {
            operation(Kind::Query, Some("Orders"));
            user("user_1");
            trace::operation(Kind::Query, Some("Orders"))
                .in_scope(|| tracing::debug!("nobody asked for this"));
        });
        answered(&span, Some(200), Duration::from_micros(1_500));
    }

    #[test]
    fn a_request_is_one_object_in_one_line() {
        let text = logged(Format::Json, a_request);
        assert_eq!(text.lines().count(), 1, "{text}");
        let mut line: Value = serde_json::from_str(&text).unwrap();
        assert!(line["timestamp"].take().is_string());
        assert_eq!(
            line,
            serde_json::json!({
                "timestamp": null, "level": "INFO", "target": "ordo::telemetry::log", "message": "answered",
                "ms": 1.5,
                "span": {
                    "name": "request", "id": "r-1", "method": "POST", "path": "/graphql", "status": 200,
                    "operation": "Orders", "kind": "query", "user": "user_1",
                },
            })
        );
    }

    #[test]
    fn a_request_is_one_line_of_text() {
        let text = logged(Format::Text, a_request);
        assert_eq!(text.lines().count(), 1, "{text}");
        for part in ["answered", "ms=1.5", "id=\"r-1\"", "status=200", "operation=\"Orders\"", "user=user_1"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn what_a_client_can_invent_is_bounded() {
        let text = logged(Format::Json, || {
            let path = format!("/{}", "ä".repeat(1_000));
            let span = request(&RequestId::given_or_new(None), "GET", &path);
            span.in_scope(|| operation(Kind::Unknown, Some(&"x".repeat(1_000))));
            answered(&span, None, Duration::ZERO);
        });
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "the client hung up");
        assert_eq!(line["span"]["path"].as_str().map(str::len), Some(255), "a whole number of letters");
        assert_eq!(line["span"]["operation"].as_str().map(str::len), Some(128));
        for name in ["", "a b", "a\nb", "a\"", "ä", "{secret}"] {
            assert_eq!(printable(name), None, "{name:?}");
        }
    }
}
