//! What the one who operates the server sees of it: the log, metrics, traces, and the id that joins them.
//! It may use tracing, metrics, OpenTelemetry and tokio; plain values are handed to it.
//! What never happens here: a variable, a header, a token or a body on its way out; a label that clients
//! can invent.

pub mod log;
pub mod metrics;
pub mod request;
pub mod trace;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It reads.
    Query,
    /// It writes.
    Mutation,
    /// It watches.
    Subscription,
    /// Its text could not be read, so nobody knows.
    Unknown,
}

impl Kind {
    /// Every kind, in the order of its number.
    const ALL: [Kind; 4] = [Kind::Query, Kind::Mutation, Kind::Subscription, Kind::Unknown];

    /// Its name in the log and in labels.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Query => "query",
            Kind::Mutation => "mutation",
            Kind::Subscription => "subscription",
            Kind::Unknown => "unknown",
        }
    }
}
