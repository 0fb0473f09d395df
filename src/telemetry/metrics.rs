//! Metrics in Prometheus' text format. Counted once per process, whatever runs in it. Labels have few
//! values, all known here: never a person, a path or a name that a client chose.

use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::Kind;

/// How often [`upkeep`] has to be called, at the least: durations are kept one by one in between.
pub const UPKEEP: Duration = Duration::from_secs(1);

/// Upper bounds, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Methods that are told apart; the last one is for all others.
const METHODS: [&str; 5] = ["GET", "POST", "HEAD", "OPTIONS", "other"];
/// Classes of status codes; the first one is for requests whose client hung up.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
/// How operations end: well, or with one of these codes; the last one is for all others.
const OUTCOMES: [&str; 14] = [
    OK,
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "BAD_USER_INPUT",
    "TOO_COMPLEX",
    "RATE_LIMITED",
    "TIMEOUT",
    "PERSISTED_QUERY_NOT_FOUND",
    "CURSOR_INVALID",
    "CURSOR_EXPIRED",
    "LIVE_FILTER_UNSUPPORTED",
    "TOO_SLOW",
    INTERNAL,
    "other",
];
/// An operation without errors.
const OK: &str = "OK";
/// An operation that panicked, or whose session could not be read.
const INTERNAL: &str = "INTERNAL";

/// Everything that is counted, each with its labels: looking one up would cost more than counting.
struct Meters {
    text: PrometheusHandle,
    requests: [[Counter; CLASSES.len()]; METHODS.len()],
    request_seconds: Histogram,
    requests_open: Gauge,
    operations: [[Counter; OUTCOMES.len()]; Kind::ALL.len()],
    operation_seconds: [Histogram; Kind::ALL.len()],
    sockets_open: Gauge,
    subscriptions_open: Gauge,
    events_delivered: Counter,
    feed_position: Gauge,
    feed_lag: Gauge,
    feed_readings: Counter,
    feed_wakes: Counter,
    feed_polled: Counter,
    feed_holes: Counter,
    bell_up: Gauge,
    connections_open: Gauge,
    connections_idle: Gauge,
    started: Gauge,
    memory: Gauge,
}

fn meters() -> &'static Meters {
    static METERS: OnceLock<Meters> = OnceLock::new();
    METERS.get_or_init(|| {
        // An error means that there is no bucket.
        let builder = PrometheusBuilder::new();
        let builder = builder.set_buckets(&BUCKETS).unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let text = recorder.handle();
        // Not installed for the process: only what is here is counted.
        metrics::with_local_recorder(&recorder, || {
            describe();
            gauge("ordo_build_info", &[("version", env!("CARGO_PKG_VERSION"))]).set(1.0);
            Meters::new(text)
        })
    })
}

impl Meters {
    fn new(text: PrometheusHandle) -> Meters {
        let request = |method, class| counter!("ordo_http_requests_total", "method" => METHODS[method], "status" => CLASSES[class]);
        let operation = |kind: usize, outcome| {
            let kind = Kind::ALL[kind].name();
            counter!("ordo_graphql_operations_total", "type" => kind, "outcome" => OUTCOMES[outcome])
        };
        let seconds = |kind: usize| metrics::histogram!("ordo_graphql_operation_duration_seconds", "type" => Kind::ALL[kind].name());
        Meters {
            text,
            requests: std::array::from_fn(|method| std::array::from_fn(|class| request(method, class))),
            request_seconds: metrics::histogram!("ordo_http_request_duration_seconds"),
            requests_open: gauge("ordo_http_requests_open", &[]),
            operations: std::array::from_fn(|kind| std::array::from_fn(|outcome| operation(kind, outcome))),
            operation_seconds: std::array::from_fn(seconds),
            sockets_open: gauge("ordo_sockets_open", &[]),
            subscriptions_open: gauge("ordo_subscriptions_open", &[]),
            events_delivered: counter!("ordo_events_delivered_total"),
            feed_position: gauge("ordo_feed_position", &[]),
            feed_lag: gauge("ordo_feed_lag_events", &[]),
            feed_readings: counter!("ordo_feed_readings_total"),
            feed_wakes: counter!("ordo_feed_wakes_total"),
            feed_polled: counter!("ordo_feed_polled_events_total"),
            feed_holes: counter!("ordo_feed_holes_total"),
            bell_up: gauge("ordo_bell_up", &[]),
            connections_open: gauge("ordo_database_connections_open", &[]),
            connections_idle: gauge("ordo_database_connections_idle", &[]),
            started: gauge("process_start_time_seconds", &[]),
            memory: gauge("process_resident_memory_bytes", &[]),
        }
    }
}

fn gauge(name: &'static str, labels: &'static [(&'static str, &'static str)]) -> Gauge {
    metrics::gauge!(name, labels)
}

fn describe() {
    describe_gauge!("ordo_build_info", "What runs here; the value is always 1");
    describe_counter!("ordo_http_requests_total", "Requests, by method and class of status");
    describe_histogram!(
        "ordo_http_request_duration_seconds",
        Unit::Seconds,
        "From the head of a request to \
        the head of its answer"
    );
    describe_gauge!("ordo_http_requests_open", "Requests under way");
    describe_counter!(
        "ordo_graphql_operations_total",
        "Operations, by type and by OK or the first error's code"
    );
    describe_histogram!(
        "ordo_graphql_operation_duration_seconds",
        Unit::Seconds,
        "From the start of an \
        operation to its answer; of subscriptions, to their end"
    );
    describe_gauge!("ordo_sockets_open", "WebSockets that are open");
    describe_gauge!("ordo_subscriptions_open", "Subscriptions that run");
    describe_counter!("ordo_events_delivered_total", "Messages of subscriptions");
    describe_counter!("ordo_feed_readings_total", "How often the feed has read the log");
    describe_gauge!("ordo_feed_position", "The last position of the log that the feed has read");
    describe_gauge!("ordo_feed_lag_events", "Events in the log that the feed has not read; NaN: unknown");
    describe_counter!(
        "ordo_feed_wakes_total",
        "How often another instance, or the bell coming back, woke the feed"
    );
    describe_counter!("ordo_feed_polled_events_total", "Events that the poll found and no bell told of");
    describe_counter!("ordo_feed_holes_total", "Holes in the log that the feed has stood in front of");
    describe_gauge!("ordo_bell_up", "Whether other instances are heard; NaN: there can be none");
    describe_gauge!("ordo_database_connections_open", "Connections to the database");
    describe_gauge!("ordo_database_connections_idle", "Connections to the database that nobody uses");
    describe_gauge!("process_start_time_seconds", Unit::Seconds, "When the server began, since 1970");
    describe_gauge!("process_resident_memory_bytes", Unit::Bytes, "Memory that the process holds");
}

/// What only the application knows, read when somebody asks.
#[derive(Clone, Copy, Debug)]
pub struct Readings {
    /// The last position of the log that the feed has read.
    pub feed_position: i64,
    /// How often the feed has read the log.
    pub feed_readings: u64,
    /// Events behind that; none when the database does not say.
    pub feed_lag: Option<i64>,
    /// Whether other instances are heard; none where there can be none.
    pub bell: Option<bool>,
    /// Connections to the database.
    pub connections_open: u32,
    /// Those of them that nobody uses.
    pub connections_idle: usize,
}

/// Everything as text, format 0.0.4, with what only the application knows.
pub fn render(readings: Readings) -> String {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    // Two that ask at once each get their own readings.
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let meters = meters();
    meters.feed_position.set(readings.feed_position as f64);
    meters.feed_readings.absolute(readings.feed_readings);
    meters.feed_lag.set(readings.feed_lag.map_or(f64::NAN, |lag| lag as f64));
    meters.bell_up.set(readings.bell.map_or(f64::NAN, |well| f64::from(u8::from(well))));
    meters.connections_open.set(readings.connections_open);
    meters.connections_idle.set(readings.connections_idle as f64);
    if let Some(bytes) = resident_memory() {
        meters.memory.set(bytes);
    }
    meters.text.render()
}

/// Sums up the durations that were kept one by one; see [`UPKEEP`].
pub fn upkeep() {
    meters().text.run_upkeep();
}

/// The server begins, at this many seconds after 1970.
pub fn started(at: i64) {
    meters().started.set(at as f64);
}

/// A request is answered; without a status when its client hung up before that.
pub fn request_finished(method: &str, status: Option<u16>, took: Duration) {
    let meters = meters();
    let class = status.map_or(0, |status| usize::from(status / 100).min(CLASSES.len() - 1));
    meters.requests[place(&METHODS, method)][class].increment(1);
    meters.request_seconds.record(took);
}

/// An operation under way. Counted when this is dropped, which is when it panics, too.
#[derive(Debug)]
pub struct Operation {
    kind: Kind,
    began: Instant,
    outcome: &'static str,
    _open: Option<Open>,
}

impl Operation {
    /// It begins. Unless told otherwise it will have failed by our fault.
    pub fn begin(kind: Kind) -> Operation {
        let open = (kind == Kind::Subscription).then(subscription_open);
        Operation { kind, began: Instant::now(), outcome: INTERNAL, _open: open }
    }

    /// It was answered: well, or with this code as its first.
    pub fn answered(&mut self, code: Option<&str>) {
        self.outcome = code.map_or(OK, |code| OUTCOMES[place(&OUTCOMES, code)]);
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        operation_finished(self.kind, self.outcome, self.began.elapsed());
    }
}

/// An operation is over: `OK`, or with the code of its first error.
pub fn operation_finished(kind: Kind, outcome: &str, took: Duration) {
    let meters = meters();
    meters.operations[kind as usize][place(&OUTCOMES, outcome)].increment(1);
    meters.operation_seconds[kind as usize].record(took);
}

/// A message of a subscription was handed to its client's connection.
pub fn event_delivered() {
    meters().events_delivered.increment(1);
}

/// The bell woke the feed.
pub fn feed_woken() {
    meters().feed_wakes.increment(1);
}

/// The poll found so many events.
pub fn feed_polled(events: i64) {
    meters().feed_polled.increment(events.max(0) as u64);
}

/// The feed stands in front of a hole in the log.
pub fn hole() {
    meters().feed_holes.increment(1);
}

/// Something that is open, until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Open(&'static Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

fn open(gauge: &'static Gauge) -> Open {
    gauge.increment(1);
    Open(gauge)
}

/// A request is under way.
pub fn request_open() -> Open {
    open(&meters().requests_open)
}

/// A WebSocket is open.
pub fn socket_open() -> Open {
    open(&meters().sockets_open)
}

/// A subscription runs.
pub fn subscription_open() -> Open {
    open(&meters().subscriptions_open)
}

/// Where a value stands in a list whose last place is for all others.
fn place(known: &[&str], value: &str) -> usize {
    known.iter().position(|one| *one == value).unwrap_or(known.len() - 1)
}

/// Bytes, where the system says it in Linux' way: there in kB, which unlike pages have one size.
fn resident_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1_024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNKNOWN: Readings = Readings {
        feed_position: 7,
        feed_readings: 9,
        feed_lag: None,
        bell: None,
        connections_open: 3,
        connections_idle: 2,
    };

    /// The value of a line; other tests of this process count as well.
    fn value(line: &str) -> f64 {
        let text = render(UNKNOWN);
        let found = text.lines().find_map(|one| one.strip_prefix(line)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("{line} in\n{text}")).parse().unwrap()
    }

    #[test]
    fn requests_are_counted_by_method_and_class() {
        let lines = [
            ("GET", Some(204), "ordo_http_requests_total{method=\"GET\",status=\"2xx\"}"),
            ("BREW", Some(418), "ordo_http_requests_total{method=\"other\",status=\"4xx\"}"),
            ("POST", Some(999), "ordo_http_requests_total{method=\"POST\",status=\"5xx\"}"),
            ("HEAD", None, "ordo_http_requests_total{method=\"HEAD\",status=\"none\"}"),
        ];
        for (method, status, line) in lines {
            let before = value(line);
            request_finished(method, status, Duration::from_millis(3));
            assert!(value(line) >= before + 1.0, "{line}");
        }
        upkeep();
        assert!(value("ordo_http_request_duration_seconds_bucket{le=\"0.005\"}") >= 4.0);
    }

    #[test]
    fn operations_are_counted_by_type_and_code_and_an_unknown_code_makes_no_new_line() {
        let other = "ordo_graphql_operations_total{type=\"mutation\",outcome=\"other\"}";
        let (lines, before) = (render(UNKNOWN).lines().count(), value(other));
        for outcome in ["MADE_UP", "order_1", ""] {
            operation_finished(Kind::Mutation, outcome, Duration::ZERO);
        }
        operation_finished(Kind::Unknown, "TOO_COMPLEX", Duration::ZERO);
        assert!(value(other) >= before + 3.0);
        assert!(value("ordo_graphql_operations_total{type=\"unknown\",outcome=\"TOO_COMPLEX\"}") >= 1.0);
        let of_operations = |text: &str| text.matches("ordo_graphql_operations_total{").count();
        assert_eq!(of_operations(&render(UNKNOWN)), 4 * OUTCOMES.len(), "{lines} lines before");
    }

    #[test]
    fn what_is_open_is_closed_when_it_is_dropped() {
        let gauge = Box::leak(Box::new(PrometheusBuilder::new().build_recorder()));
        let counted = metrics::with_local_recorder(gauge, || metrics::gauge!("open"));
        let counted: &'static Gauge = Box::leak(Box::new(counted));
        let (one, two) = (open(counted), open(counted));
        assert!(gauge.handle().render().contains("open 2"));
        drop(one);
        assert!(gauge.handle().render().contains("open 1"));
        drop(two);
        assert!(gauge.handle().render().contains("open 0"));
    }

    #[test]
    fn the_process_and_the_build_are_described() {
        started(1_700_000_000);
        assert_eq!(value(concat!("ordo_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}")), 1.0);
        assert_eq!(value("process_start_time_seconds"), 1_700_000_000.0);
        assert!(value("process_resident_memory_bytes") > 1_000_000.0);
        assert_eq!(value("ordo_feed_position"), 7.0);
        assert!(value("ordo_feed_lag_events").is_nan(), "unknown is not zero");
        assert_eq!(value("ordo_database_connections_open"), 3.0);
        assert_eq!(value("ordo_database_connections_idle"), 2.0);
    }
}
