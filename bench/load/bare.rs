//! The bare executor: the same schema over the same application, behind the stock integration on
//! `axum::serve`. It does what executing needs and nothing else: no budget, no limits, no tasks of their
//! own, no log, no metrics, no compression, and a token is verified once. What Ordo takes more is its
//! transport.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::{Context, Result};
use async_graphql_axum::{GraphQLRequest, GraphQLResponse};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header::AUTHORIZATION},
    routing::post,
};
use chrono::{DateTime, Utc};
use ordo::{
    app::App,
    graphql::{Schema, Session, schema},
    http::auth::Auth,
    usecase::{self, session::Credentials},
};
use tokio::net::TcpListener;

use crate::{CONNECTIONS, SECRET, site};

/// Who sends a token.
#[derive(Clone)]
struct Known {
    credentials: Credentials,
    expires_at: DateTime<Utc>,
}

#[derive(Clone)]
struct Executor {
    app: App,
    schema: Schema,
    auth: Auth,
    /// Who sends a header, by its bytes.
    known: Arc<RwLock<HashMap<HeaderValue, Known>>>,
}

/// Serves until it is killed.
pub async fn serve(url: &str) -> Result<()> {
    let address = std::env::var("LOAD_LISTEN").context("LOAD_LISTEN names no address")?;
    let app = site::boot(url, CONNECTIONS).await?;
    // As beside Ordo: what a transition writes is read again by the feed.
    tokio::spawn(app.feed.clone().run());
    let auth = Auth::with_secret(SECRET.as_bytes(), "ordo", "ordo");
    let executor =
        Executor { schema: schema(app.clone(), Arc::new(auth.clone())), app, auth, known: Arc::default() };
    let routes = Router::new().route("/graphql", post(execute)).with_state(executor);
    let listener = TcpListener::bind(address).await?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, routes).await?)
}

/// As Ordo does it: the reads of a query share a connection, its session's among them.
async fn execute(
    State(executor): State<Executor>,
    headers: HeaderMap,
    request: GraphQLRequest,
) -> Result<GraphQLResponse, StatusCode> {
    let request = request.into_inner();
    let who = executor.who(&headers).await.ok_or(StatusCode::UNAUTHORIZED)?;
    let mut app = executor.app.clone();
    if !request.query.starts_with("mutation") {
        app.store = app.store.reading();
    }
    let actor = usecase::session::actor(&app, &who.credentials).await;
    let actor = actor.map_err(|_| StatusCode::UNAUTHORIZED)?;
    let request = request.data(Session::new(actor, who.credentials, who.expires_at)).data(app);
    Ok(executor.schema.execute(request).await.into())
}

impl Executor {
    /// Verifies the token when it comes for the first time.
    async fn who(&self, headers: &HeaderMap) -> Option<Known> {
        let header = headers.get(AUTHORIZATION)?;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(header).cloned();
        if known.is_some() {
            return known;
        }
        let who = self.auth.bearer(headers, self.app.world.now()).await.ok().flatten()?;
        let credentials = usecase::session::credentials(&self.app, &who.account, who.session, None);
        let known = Known { credentials: credentials.await.ok()?, expires_at: who.expires_at };
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(header.clone(), known.clone());
        Some(known)
    }
}
