//! Traces, where they are wanted: spans of requests and operations, sent to an OpenTelemetry collector over
//! HTTP. A request that names its trace (W3C `traceparent`) joins it. Spans hold what the log holds.

use std::{collections::HashMap, time::Duration};

use opentelemetry::{propagation::TextMapPropagator, trace::TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    runtime,
    trace::{SdkTracerProvider, span_processor_with_async_runtime::BatchSpanProcessor},
};
use tokio::{sync::oneshot, time::timeout};
use tracing::{Span, Subscriber, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use super::{Kind, log::printable};

/// The target of spans that are for traces alone.
pub(super) const TARGET: &str = "ordo::trace";
/// How long what is not yet sent may take when the process ends.
const FLUSH: Duration = Duration::from_secs(2);
/// How long the collector may take for one batch.
const SENDING: Duration = Duration::from_secs(5);

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
pub enum NotTraced {
    /// The address is of no use.
    #[error("must be the address of an OpenTelemetry collector, such as http://127.0.0.1:4318")]
    Endpoint,
    /// The exporter cannot be made.
    #[error("cannot be used: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// A way to a collector. Spans go there in batches, by a task of their own; those that it cannot take in
/// time are dropped.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// To the collector at this address, `http://HOST:PORT`; spans go to `/v1/traces` there. Needs to be
    /// called inside the runtime.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn to(endpoint: &str) -> Result<Traces, NotTraced> {
        // The exporter's client asks for a provider of TLS even where it speaks none. An error says only
        // that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // The collector is near by, and forwards over TLS where that is needed.
        if !endpoint.starts_with("http://") || endpoint.contains('@') {
            return Err(NotTraced::Endpoint);
        }
        let address = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        let exporter = SpanExporter::builder().with_http().with_endpoint(address).with_timeout(SENDING);
        let batches = BatchSpanProcessor::builder(exporter.build()?, runtime::Tokio).build();
        let resource = Resource::builder().with_service_name("ordo");
        let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = resource.with_attribute(version).build();
        let provider = SdkTracerProvider::builder().with_span_processor(batches).with_resource(resource);
        Ok(Traces(provider.build()))
    }

    /// What turns our own spans, and no library's, into spans of a trace.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let own = Targets::new().with_target("ordo", LevelFilter::INFO);
        let layer = tracing_opentelemetry::layer().with_tracer(self.0.tracer("ordo"));
        layer.with_location(false).with_threads(false).with_filter(own)
    }

    /// Sends what is not sent yet, for two seconds at most.
    pub async fn flush(self) {
        let (done, ended) = oneshot::channel();
        // The library blocks; a thread of its own is not waited for when the process ends.
        let waiting = std::thread::Builder::new().name("traces".to_owned()).spawn(move || {
            let _ = done.send(self.0.shutdown());
        });
        if waiting.is_err() || !matches!(timeout(FLUSH, ended).await, Ok(Ok(Ok(())))) {
            tracing::warn!("the last traces could not be sent");
        }
    }
}

/// Makes a request's span part of the trace that its header `traceparent` names. Before the span is entered.
pub fn join(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent else { return };
    let header = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    // An error means that nothing traces.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&header));
}

/// The span of an operation, for traces alone.
pub fn operation(kind: Kind, name: Option<&str>) -> Span {
    tracing::info_span!(target: TARGET, "operation", kind = kind.name(), operation = name.and_then(printable))
}
