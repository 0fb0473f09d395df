//! The edge to the network: routes, tokens, GraphQL over POST, GET and WebSocket.
//! It may use the schema, the app and `usecase::session`; nothing below them.
//! What never happens here: rules, SQL, a read of business data.

pub mod auth;
mod budget;
mod document;
mod graphql;
mod measure;
mod operation;
mod scan;
mod socket;
mod start_page;

use std::{any::Any, future::Future, io, net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
    serve::ListenerExt,
};
use serde_json::json;
use tokio::{net::TcpListener, sync::watch, time::timeout};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

pub use start_page::{MUTATION, QUERY, SUBSCRIPTION, StartPage, curl};

use crate::{app::App, http::auth::Auth};

/// How long requests may take to end once the server is told to stop.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long the database may take to answer a probe.
const PROBE: Duration = Duration::from_secs(3);

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
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, stopped) = watch::channel(false);
    let routes = routes(app, auth, start, stopped.clone());
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
        () = late => {
            tracing::warn!("some requests did not end in time");
            Ok(())
        }
    }
}

fn routes(app: App, auth: Auth, start: StartPage, stopping: watch::Receiver<bool>) -> Router {
    let operations = operation::Operations::new(app.clone(), auth);
    let endpoint = graphql::Endpoint { operations, stopping };
    Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post).with_state(endpoint))
        .route("/readyz", get(ready).with_state(app))
        .route("/", get(start_page::show).with_state(start))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing here; see /") })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(in_a_span))
}

/// Gives the request an id, which the log and the answer both name.
async fn in_a_span(request: Request, next: Next) -> Response {
    let id = format!("{:016x}", rand::random::<u64>());
    let span = tracing::info_span!("request", %id, method = %request.method(), path = request.uri().path());
    let mut response = next.run(request).instrument(span).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// Whether the server can work.
async fn ready(State(app): State<App>) -> Response {
    // A task of its own: nothing that a client does interrupts a statement.
    let probe = tokio::spawn(async move { app.store.ping().await });
    let (status, word) = match timeout(PROBE, probe).await {
        Ok(Ok(Ok(()))) => (StatusCode::OK, "ready"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (status, headers, axum::Json(json!({ "status": word }))).into_response()
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
