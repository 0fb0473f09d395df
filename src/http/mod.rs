//! The edge to the network: connections, routes, tokens, limits; GraphQL over HTTP, WebSocket and events.
//! It may use the schema, the app and `usecase::session`; nothing below them.
//! What never happens here: rules, SQL, a read of business data.

mod address;
mod answer;
pub mod auth;
mod body;
mod budget;
mod client;
mod document;
mod drain;
mod envelope;
mod events;
mod fault;
mod graphql;
mod identity;
mod limit;
mod listen;
mod live;
mod measure;
mod media;
mod operation;
mod probe;
mod request_log;
mod scan;
mod settings;
mod shield;
mod socket;
mod start_page;
mod texts;
mod variable;

use std::{any::Any, convert::Infallible, future::Future, io, time::Duration};

use axum::{
    Router,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{from_fn, from_fn_with_state},
    response::Response,
    routing::{any, get},
};
use tokio::{net::TcpListener, sync::watch};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    cors::{AllowOrigin, CorsLayer},
};

pub use address::Proxies;
pub use identity::Identities;
pub use limit::{Limits, Rate};
pub use listen::{Bounds, Tls};
pub use settings::Settings;
pub use socket::Limits as SocketLimits;
pub use start_page::{MUTATION, QUERY, SUBSCRIPTION, StartPage, curl};
pub use texts::Trusted;

use crate::{app::App, http::auth::Auth, telemetry::metrics};

/// How long requests may take to end once the server is told to stop.
const FAREWELL: Duration = Duration::from_secs(10);

/// Serves until `stop`: then accepts nothing more, lets requests end, closes sockets and streams with a
/// word, one after the other (see `drain`), and returns after ten seconds at the latest.
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
    metrics::started(app.world.now().timestamp());
    let (tls, bounds) = (settings.tls.clone(), settings.bounds);
    let waves = drain::Waves::default();
    let operations = operation::Operations::new(app.clone(), auth, settings.clone());
    let routes = routes(app, operations.clone(), &settings, start, stopped.clone(), waves.clone());
    tokio::spawn(async move {
        stop.await;
        stopping.send_replace(true);
        waves.roll().await;
        // Kept until everybody has seen it.
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
        never = sum_up() => match never {},
        never = operations.tell() => match never {},
        () = late => {
            tracing::warn!("some requests did not end in time");
            Ok(())
        }
    }
}

/// Keeps the metrics small for as long as it is polled.
async fn sum_up() -> Infallible {
    let mut every = tokio::time::interval(metrics::UPKEEP);
    loop {
        every.tick().await;
        metrics::upkeep();
    }
}

fn routes(
    app: App,
    operations: operation::Operations,
    settings: &Settings,
    start: StartPage,
    stopping: watch::Receiver<bool>,
    waves: drain::Waves,
) -> Router {
    let origins = cors(&settings.cors_origins);
    let shield = shield::TlsOnly(settings.tls_only);
    let probes = probe::routes(app, settings.metrics_token.as_ref(), stopping);
    let (sockets, patience) = (client::Sockets::new(settings.sockets.clone()), settings.bounds.body);
    let endpoint = graphql::Endpoint { operations, sockets, patience, waves };
    Router::new()
        .route("/graphql", any(graphql::serve).layer(origins).with_state(endpoint))
        .route("/", get(start_page::show).with_state(start))
        .merge(probes)
        .fallback(not_found)
        .layer(CompressionLayer::new().gzip(true).br(true))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(shield, shield::guard))
        .layer(from_fn(request_log::follow))
}

async fn not_found() -> Response {
    refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing here; see /")
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

/// An answer without an operation, in the shape that GraphQL clients read.
fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    answer::refuse(status, code, message, media::Media::Json)
}

/// What is said of a panic: an id here and in the log, nothing of the inside.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    answer::write(fault::broken("a handler panicked"), media::Media::Json, answer::Stage::Broken)
}
