//! One operation, whatever it came over: parsed once, given its session, run as a task of its own, so
//! that a client that hangs up never stops database work halfway.

use std::{any::TypeId, panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{
    Data, ErrorExtensionValues, Executor, Request, Response, ServerError, parser::types::OperationType,
};
use chrono::{DateTime, Utc};
use futures_util::{
    StreamExt, future,
    stream::{self, BoxStream},
};
use tracing::Instrument;

use super::{
    auth::{Auth, Denied, Verified},
    document::Documents,
};
use crate::{
    app::App,
    error::Error,
    graphql::{Schema, Session, schema},
    usecase,
};

/// What runs operations. Cheap to clone.
#[derive(Clone)]
pub(super) struct Operations(Arc<Inner>);

struct Inner {
    app: App,
    auth: Auth,
    schema: Schema,
    documents: Documents,
}

/// Why an operation was not run.
pub(super) enum Refused {
    /// Its token opens nothing.
    Denied(Denied),
    /// It is our fault.
    Broken(Box<Response>),
}

impl Operations {
    pub(super) fn new(app: App, auth: Auth) -> Operations {
        let auth = auth.knowing(app.keys.clone());
        let schema = schema(app.clone(), Arc::new(auth.clone()));
        Operations(Arc::new(Inner { app, auth, schema, documents: Documents::new() }))
    }

    pub(super) fn auth(&self) -> &Auth {
        &self.0.auth
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.0.app.world.now()
    }

    /// Parses; see [`Documents::prepare`].
    ///
    /// # Errors
    /// The answer to a text that cannot be parsed.
    pub(super) fn prepare(&self, request: &mut Request) -> Result<Option<OperationType>, Box<Response>> {
        self.0.documents.prepare(request).map_err(|error| Box::new(coded(Response::from_errors(vec![error]))))
    }

    /// Runs a prepared operation for whoever the token named. The reads of a query share a connection; a
    /// mutation must see what it has just written.
    pub(super) async fn run(
        &self,
        request: Request,
        kind: Option<OperationType>,
        who: Option<Verified>,
    ) -> Result<Response, Refused> {
        let own = self.clone();
        let work = async move {
            let mut app = own.0.app.clone();
            if kind == Some(OperationType::Query) {
                app.store = app.store.reading();
            }
            let request = with_session(request, &app, who).await?.data(app);
            Ok(coded(own.0.schema.execute(request).await))
        };
        tokio::spawn(work.in_current_span())
            .await
            .unwrap_or_else(|_| Err(Refused::Broken(Box::new(broken("an operation panicked")))))
    }

    /// Starts an operation of a socket: one answer, or a subscription's many.
    async fn start(self, mut request: Request, who: Option<Verified>) -> BoxStream<'static, Response> {
        let kind = match self.prepare(&mut request) {
            Ok(kind) => kind,
            Err(answer) => return once(*answer),
        };
        if kind != Some(OperationType::Subscription) {
            return once(self.run(request, kind, who).await.unwrap_or_else(Refused::into_response));
        }
        let own = self.clone();
        let session =
            tokio::spawn(async move { with_session(request, &own.0.app, who).await }.in_current_span());
        let request = match session.await {
            Ok(Ok(request)) => request,
            Ok(Err(refused)) => return once(refused.into_response()),
            Err(_) => return once(broken("a session panicked")),
        };
        let answers = AssertUnwindSafe(self.0.schema.execute_stream(request)).catch_unwind();
        answers.map(|answer| answer.map_or_else(|_| broken("a subscription panicked"), coded)).boxed()
    }
}

/// Puts the session into the request: the account's memberships as they are now.
async fn with_session(request: Request, app: &App, who: Option<Verified>) -> Result<Request, Refused> {
    let Some(Verified { user, session, expires_at }) = who else {
        return Ok(request);
    };
    match usecase::session::actor(app, user, session).await {
        Ok(actor) => Ok(request.data(Session::new(actor, session, expires_at))),
        Err(Error::Unauthenticated) => Err(Refused::Denied(Denied::NoAccount)),
        Err(error) => {
            let (message, incident) = incident(&format!("memberships could not be read: {error:?}"));
            Err(Refused::Broken(Box::new(internal(message, incident))))
        }
    }
}

impl Executor for Operations {
    async fn execute(&self, mut request: Request) -> Response {
        match self.prepare(&mut request) {
            Ok(kind) => self.run(request, kind, None).await.unwrap_or_else(Refused::into_response),
            Err(answer) => *answer,
        }
    }

    /// Who it is stands in the socket's data; see `socket`.
    fn execute_stream(&self, request: Request, socket: Option<Arc<Data>>) -> BoxStream<'static, Response> {
        let who = socket.as_ref().and_then(|data| data.get(&TypeId::of::<Verified>()));
        let who = who.and_then(|who| who.downcast_ref::<Verified>()).copied();
        let expired = who.is_some_and(|who| who.expires_at < self.now() - super::auth::LEEWAY);
        if expired {
            return once(Refused::Denied(Denied::Expired).into_response());
        }
        stream::once(self.clone().start(request, who)).flatten().boxed()
    }
}

impl Refused {
    pub(super) fn into_response(self) -> Response {
        match self {
            Refused::Denied(denied) => {
                Response::from_errors(vec![error("UNAUTHENTICATED", denied.to_string())])
            }
            Refused::Broken(response) => *response,
        }
    }
}

fn once(response: Response) -> BoxStream<'static, Response> {
    stream::once(future::ready(response)).boxed()
}

/// Gives the library's own errors a code: what cannot be parsed, validated or read.
fn coded(mut response: Response) -> Response {
    for error in &mut response.errors {
        let extensions = error.extensions.get_or_insert_default();
        if extensions.get("code").is_none() {
            extensions.set("code", code_of(&error.message));
        }
    }
    response
}

/// The library tells its limits apart by their texts only.
fn code_of(message: &str) -> &'static str {
    const LIMITS: [&str; 6] = [
        "Query is nested too deep",
        "Query is too complex",
        "The recursion depth of the query cannot be greater than",
        "The number of directives on the field",
        "The amount of aliases of the query",
        "recursion limit exceeded",
    ];
    if LIMITS.iter().any(|limit| message.starts_with(limit)) { "TOO_COMPLEX" } else { "BAD_USER_INPUT" }
}

fn error(code: &str, message: String) -> ServerError {
    let mut error = ServerError::new(message, None);
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    error.extensions = Some(extensions);
    error
}

/// Logs what happened, once, and gives it an id that may be told.
pub(super) fn incident(what: &str) -> (String, String) {
    let id = format!("{:016x}", rand::random::<u64>());
    tracing::error!(incident = %id, "{what}");
    (format!("something went wrong on our side; quote {id} when you report it"), id)
}

fn broken(what: &str) -> Response {
    let (message, incident) = incident(what);
    internal(message, incident)
}

fn internal(message: String, incident: String) -> Response {
    let mut error = error("INTERNAL", message);
    if let Some(extensions) = &mut error.extensions {
        extensions.set("incident", incident);
    }
    Response::from_errors(vec![error])
}
