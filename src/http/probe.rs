//! What machines ask: whether the process lives, whether it can work, and its metrics.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Request, State},
    http::{
        Extensions, HeaderMap, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::{sync::watch, time::timeout};

use super::{address::forwarded, not_found};
use crate::{
    app::App,
    config::Secret,
    telemetry::metrics::{self, Readings},
};

/// How long the database may take to answer a probe.
const PROBE: Duration = Duration::from_secs(3);
/// The feed reads the log four times a second; this long without a reading, it hangs.
const SILENCE: Duration = Duration::from_secs(10);
#[derive(Clone)]
struct Probes {
    app: App,
    stopping: watch::Receiver<bool>,
    metrics_token: Option<[u8; 32]>,
}

/// `/livez`, `/readyz` and `/metrics`.
pub(super) fn routes(app: App, metrics_token: Option<&Secret>, stopping: watch::Receiver<bool>) -> Router {
    let metrics_token = metrics_token.map(|token| digest(token.bytes()));
    Router::new()
        .route("/livez", get(|| async { Json(json!({ "status": "alive" })) }))
        .route("/readyz", get(ready))
        // Another method must not tell that there is something.
        .route("/metrics", get(metrics).fallback(not_found))
        .with_state(Probes { app, stopping, metrics_token })
}

/// Whether the server can work.
async fn ready(State(probes): State<Probes>) -> Response {
    let app = probes.app.clone();
    // A task of its own: nothing that a client does interrupts a statement.
    let database = timeout(PROBE, tokio::spawn(async move { app.store.ping().await })).await;
    let database = matches!(database, Ok(Ok(Ok(()))));
    let feed = &probes.app.feed;
    let health = Health {
        database,
        feed: feed.was_read_within(SILENCE),
        whole: !feed.is_maimed(),
        bell: feed.bell_is_well(),
    };
    let stopping = *probes.stopping.borrow();
    health.answer(stopping)
}

/// What readiness is made of.
#[derive(Clone, Copy, Debug)]
struct Health {
    database: bool,
    feed: bool,
    /// No hole in the log was passed over.
    whole: bool,
    /// Whether other instances are heard; none where there can be none.
    bell: Option<bool>,
}

impl Health {
    /// A server whose bell is lost, or whose log has a hole, stays in rotation: it serves everything, events a
    /// poll later; and the others would most likely be told to leave for the same cause.
    fn answer(self, stopping: bool) -> Response {
        let (status, word) = match (self.database && self.feed, stopping) {
            (_, true) => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
            (true, false) => (StatusCode::OK, "ready"),
            (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        };
        let said = |well, otherwise| if well { "ok" } else { otherwise };
        let mut checks = json!({
            "database": said(self.database, "failing"),
            "feed": if self.feed { said(self.whole, "hole") } else { "failing" },
        });
        if let Some(well) = self.bell {
            checks["bell"] = said(well, "degraded").into();
        }
        (status, Json(json!({ "status": word, "checks": checks }))).into_response()
    }
}

/// The metrics, for this machine and for whoever has the token; for all others there is nothing here.
async fn metrics(State(probes): State<Probes>, request: Request) -> Response {
    let (headers, extensions) = (request.headers(), request.extensions());
    if !(is_near(headers, extensions) || has_token(headers, probes.metrics_token)) {
        return not_found().await;
    }
    let text = metrics::render(readings(&probes.app).await);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn readings(app: &App) -> Readings {
    let (connections_open, connections_idle) = app.store.connections();
    let feed = app.feed.clone();
    let lag = timeout(PROBE, tokio::spawn(async move { feed.lag().await })).await;
    let feed_lag = lag.ok().and_then(|joined| joined.ok()?.ok());
    let bell = app.feed.bell_is_well();
    let (feed_position, feed_readings) = (app.feed.head().seq, app.feed.readings());
    Readings { feed_position, feed_readings, feed_lag, bell, connections_open, connections_idle }
}

/// Whether the request comes from this machine, and nobody passes it on for another.
fn is_near(headers: &HeaderMap, extensions: &Extensions) -> bool {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    let loopback = peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
    loopback && !forwarded(headers)
}

fn has_token(headers: &HeaderMap, wanted: Option<[u8; 32]>) -> bool {
    let Some(wanted) = wanted else { return false };
    let credentials = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
    let token = credentials.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = token else { return false };
    // All bytes are compared, whichever of them differs first; and hashes do not tell how long a token is.
    digest(token.trim().as_bytes()).iter().zip(wanted).fold(0, |differ, (one, other)| differ | (one ^ other))
        == 0
}

fn digest(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn from(peer: &str) -> Extensions {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        extensions
    }

    #[test]
    fn near_is_who_speaks_from_this_machine_for_nobody_else() {
        let nothing = HeaderMap::new();
        for peer in ["127.0.0.1:5", "127.9.9.9:5", "[::1]:5", "[::ffff:127.0.0.1]:5"] {
            assert!(is_near(&nothing, &from(peer)), "{peer}");
        }
        for peer in ["10.0.0.1:5", "[fe80::1]:5", "[::ffff:10.0.0.1]:5", "0.0.0.0:5"] {
            assert!(!is_near(&nothing, &from(peer)), "{peer}");
        }
        assert!(!is_near(&nothing, &Extensions::new()), "nobody knows who");
        for name in ["forwarded", "via", "x-forwarded-for", "x-real-ip"] {
            let name = HeaderName::from_static(name);
            let headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static("127.0.0.1"))]);
            assert!(!is_near(&headers, &from("127.0.0.1:5")), "{name}");
        }
    }

    #[test]
    fn the_token_opens_and_nothing_else_does() {
        let opens = |header: &'static str, token: Option<&str>| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(header))]);
            has_token(&headers, token.map(|token| digest(token.as_bytes())))
        };
        assert!(opens("Bearer secret", Some("secret")) && opens("bearer  secret", Some("secret")));
        for header in ["Bearer secre", "Bearer secrets", "Bearer", "Bearer ", "secret", "Basic secret", ""] {
            assert!(!opens(header, Some("secret")), "{header:?}");
            assert!(!opens(header, None), "{header:?}");
        }
        assert!(!has_token(&HeaderMap::new(), Some(digest(b"secret"))));
    }

    const WELL: Health = Health { database: true, feed: true, whole: true, bell: Some(true) };

    #[test]
    fn a_server_that_stops_is_not_ready_however_well_it_is() {
        assert_eq!(WELL.answer(false).status(), StatusCode::OK);
        let broken = [Health { database: false, ..WELL }, Health { feed: false, ..WELL }];
        for response in [broken[0].answer(false), broken[1].answer(false), WELL.answer(true)] {
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    #[tokio::test]
    async fn what_only_slows_events_down_is_told_and_takes_nobody_out_of_rotation() {
        for (health, feed, bell) in [
            (WELL, "ok", json!("ok")),
            (Health { bell: Some(false), ..WELL }, "ok", json!("degraded")),
            (Health { whole: false, ..WELL }, "hole", json!("ok")),
            (Health { bell: None, ..WELL }, "ok", serde_json::Value::Null),
        ] {
            let response = health.answer(false);
            assert_eq!(response.status(), StatusCode::OK, "{health:?}");
            let body = axum::body::to_bytes(response.into_body(), 1 << 10).await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["checks"]["feed"], feed);
            assert_eq!(body["checks"]["bell"], bell);
        }
    }
}
