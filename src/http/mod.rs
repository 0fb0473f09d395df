//! The edge to the network: routes, tokens, GraphQL over POST, GET and WebSocket.
//! It may use the schema, the app and `usecase::session`; nothing below them.
//! What never happens here: rules, SQL, a read of business data.

pub mod auth;
mod budget;
mod document;
mod graphql;
mod measure;
mod operation;
mod probe;
mod request_log;
mod scan;
mod shield;
mod socket;
mod start_page;

use std::{any::Any, fmt, future::Future, io, net::SocketAddr, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
    serve::ListenerExt,
};
use serde_json::json;
use tokio::{net::TcpListener, sync::watch};
use tower_http::catch_panic::CatchPanicLayer;

pub use start_page::{MUTATION, QUERY, SUBSCRIPTION, StartPage, curl};

use crate::{app::App, http::auth::Auth, telemetry::metrics};

/// How long requests may take to end once the server is told to stop.
const FAREWELL: Duration = Duration::from_secs(10);

/// What the one who operates the server has decided.
#[derive(Clone, Default)]
pub struct Operating {
    /// Opens `/metrics` to those who are not on this machine.
    pub metrics_token: Option<String>,
    /// Browsers are told to come with TLS only: right when TLS is spoken here or in front of it.
    pub tls_only: bool,
}

impl fmt::Debug for Operating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.metrics_token.is_some();
        f.debug_struct("Operating").field("metrics_token", &token).field("tls_only", &self.tls_only).finish()
    }
}

/// Serves until `stop`: then accepts nothing more, lets requests end, closes sockets with a word, and
/// returns after ten seconds at the latest.
///
/// # Errors
/// The listener's.
pub async fn serve(
    listener: TcpListener,
    app: App,
    auth: Auth,
    start: StartPage,
    operating: Operating,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, stopped) = watch::channel(false);
    metrics::started(app.world.now().timestamp());
    let routes = routes(app, auth, start, &operating, stopped.clone());
    let listener = listener.tap_io(|stream| {
        // Answers are small and written whole: waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
    });
    let signal = async move {
        stop.await;
        stopping.send_replace(true);
        // Kept until every socket has seen it.
        stopping.closed().await;
    };
    let mut told = stopped.clone();
    tokio::spawn(signal);
    let mut ends = stopped;
    let server = axum::serve(listener, routes.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move {
            let _ = told.wait_for(|stopping| *stopping).await;
        });
    let late = async move {
        let _ = ends.wait_for(|stopping| *stopping).await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        result = server.into_future() => result,
        never = sum_up() => match never {},
        () = late => {
            tracing::warn!("some requests did not end in time");
            Ok(())
        }
    }
}

/// Keeps the metrics small for as long as it is polled.
async fn sum_up() -> std::convert::Infallible {
    let mut every = tokio::time::interval(metrics::UPKEEP);
    loop {
        every.tick().await;
        metrics::upkeep();
    }
}

fn routes(
    app: App,
    auth: Auth,
    start: StartPage,
    operating: &Operating,
    stopping: watch::Receiver<bool>,
) -> Router {
    let operations = operation::Operations::new(app.clone(), auth);
    let probes = probe::routes(app, operating, stopping.clone());
    let endpoint = graphql::Endpoint { operations, stopping };
    Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post).with_state(endpoint))
        .route("/", get(start_page::show).with_state(start))
        .merge(probes)
        .fallback(not_found)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(shield::TlsOnly(operating.tls_only), shield::guard))
        .layer(from_fn(request_log::follow))
}

async fn not_found() -> Response {
    refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing here; see /")
}

/// An answer without an operation, in the shape that GraphQL clients read.
fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({ "errors": [{ "message": message, "extensions": { "code": code } }] });
    (status, axum::Json(body)).into_response()
}

/// What is said of a panic: an id here and in the log, nothing of the inside.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    let (message, incident) = operation::incident("a handler panicked");
    let extensions = json!({ "code": "INTERNAL", "incident": incident });
    let body = json!({ "errors": [{ "message": message, "extensions": extensions }] });
    (StatusCode::INTERNAL_SERVER_ERROR, axum::Json(body)).into_response()
}
