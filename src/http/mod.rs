//! The edge to the network: routes, tokens, GraphQL over POST, GET and WebSocket.
//! It may use the schema, the app and `usecase::session`; nothing below them.
//! What never happens here: rules, SQL, a read of business data.

mod address;
mod answer;
pub mod auth;
mod body;
mod budget;
mod client;
mod document;
mod envelope;
mod events;
mod fault;
mod graphql;
mod limit;
mod listen;
mod measure;
mod media;
mod operation;
mod scan;
mod settings;
mod socket;
mod start_page;
mod texts;
mod variable;

use std::{any::Any, future::Future, io, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use serde_json::json;
use tokio::{net::TcpListener, sync::watch, time::timeout};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    cors::{AllowOrigin, CorsLayer},
};
use tracing::Instrument;

pub use address::Proxies;
pub use limit::{Limits, Rate};
pub use listen::{Bounds, Tls};
pub use settings::Settings;
pub use start_page::{MUTATION, QUERY, SUBSCRIPTION, StartPage, curl};
pub use texts::Trusted;

use crate::{app::App, http::auth::Auth};

/// How long requests may take to end once the server is told to stop.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long the database may take to answer a probe.
const PROBE: Duration = Duration::from_secs(3);

/// Serves until `stop`: then accepts nothing more, lets requests end, closes sockets and streams with a
/// word, and returns after ten seconds at the latest.
///
/// # Errors
/// The listener's.
pub async fn serve(
    listener: TcpListener,
    app: App,
    auth: Auth,
    settings: Settings,
    start: StartPage,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, stopped) = watch::channel(false);
    let (tls, bounds) = (settings.tls.clone(), settings.bounds);
    let routes = routes(app, auth, settings, start, stopped.clone());
    tokio::spawn(async move {
        stop.await;
        stopping.send_replace(true);
        // Kept until every socket has seen it.
        stopping.closed().await;
    });
    let told = |mut stopped: watch::Receiver<bool>| async move {
        let _ = stopped.wait_for(|stopping| *stopping).await;
    };
    let server = listen::serve(listener, tls, routes, bounds, told(stopped.clone()));
    let late = async {
        told(stopped).await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        result = server => result,
        () = late => {
            tracing::warn!("some requests did not end in time");
            Ok(())
        }
    }
}

fn routes(
    app: App,
    auth: Auth,
    settings: Settings,
    start: StartPage,
    stopping: watch::Receiver<bool>,
) -> Router {
    let origins = cors(&settings.cors_origins);
    let operations = operation::Operations::new(app.clone(), auth, settings);
    let endpoint = graphql::Endpoint { operations, sockets: client::Sockets::default(), stopping };
    Router::new()
        .route("/graphql", any(graphql::serve).layer(origins).with_state(endpoint))
        .route("/readyz", get(ready).with_state(app))
        .route("/", get(start_page::show).with_state(start))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing here; see /") })
        .layer(CompressionLayer::new().gzip(true).br(true))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(in_a_span))
}

/// Lets the web pages of these origins call the API, with a token and never with cookies; other pages'
/// browsers keep their scripts from it.
fn cors(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([header::RETRY_AFTER, HeaderName::from_static("x-request-id")])
        .max_age(Duration::from_secs(3_600))
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
    answer::refuse(status, code, message, media::Media::Json)
}

/// What is said of a panic: an id here and in the log, nothing of the inside.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    answer::write(fault::broken("a handler panicked"), media::Media::Json, answer::Stage::Broken)
}
