//! One operation, whatever it came over: parsed once, given its session, run as a task of its own, so
//! that a client that hangs up never stops database work halfway.

use std::{any::TypeId, panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{
    Data, ErrorExtensionValues, Executor, Request, Response, ServerError, Value, parser::types::OperationType,
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
    telemetry::{
        Kind, metrics,
        request::{self, carried},
        trace,
    },
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
        let schema = schema(app.clone());
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
        self.0.documents.prepare(request).map_err(|error| {
            let answer = coded(Response::from_errors(vec![error]));
            metrics::Operation::begin(Kind::Unknown).answered(first_code(&answer));
            Box::new(answer)
        })
    }

    /// Runs a prepared operation for whoever the token named. The reads of a query share a connection; a
    /// mutation must see what it has just written.
    pub(super) async fn run(
        &self,
        mut request: Request,
        kind: Option<OperationType>,
        who: Option<Verified>,
    ) -> Result<Response, Refused> {
        let own = self.clone();
        let span = trace::operation(kind_of(kind), name(&mut request).as_deref());
        let mut counted = metrics::Operation::begin(kind_of(kind));
        let work = async move {
            let mut app = own.0.app.clone();
            if kind == Some(OperationType::Query) {
                app.store = app.store.reading();
            }
            let request = with_session(request, &app, who).await.inspect_err(|refused| {
                counted.answered(Some(refused.code()));
            });
            let answer = coded(own.0.schema.execute(request?.data(app)).await);
            counted.answered(first_code(&answer));
            Ok(answer)
        };
        tokio::spawn(carried(work.instrument(span)))
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
        let span = trace::operation(Kind::Subscription, name(&mut request).as_deref());
        let mut counted = metrics::Operation::begin(Kind::Subscription);
        let session = tokio::spawn(carried(async move { with_session(request, &own.0.app, who).await }));
        let request = match session.await {
            Ok(Ok(request)) => request,
            Ok(Err(refused)) => {
                counted.answered(Some(refused.code()));
                return once(refused.into_response());
            }
            Err(_) => return once(broken("a session panicked")),
        };
        let answers = AssertUnwindSafe(self.0.schema.execute_stream(request)).catch_unwind();
        counted.answered(None);
        let answers = answers.map(move |answer| {
            let _inside = span.enter();
            let answer = answer.map_or_else(|_| broken("a subscription panicked"), coded);
            metrics::event_delivered();
            if !answer.errors.is_empty() {
                counted.answered(first_code(&answer));
            }
            answer
        });
        answers.boxed()
    }
}

/// Puts the session into the request: the account's memberships as they are now.
async fn with_session(request: Request, app: &App, who: Option<Verified>) -> Result<Request, Refused> {
    let Some(Verified { user, expires_at }) = who else {
        return Ok(request);
    };
    match usecase::session::actor(app, user).await {
        Ok(actor) => Ok(request.data(Session::new(actor, expires_at))),
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
    fn code(&self) -> &'static str {
        match self {
            Refused::Denied(_) => "UNAUTHENTICATED",
            Refused::Broken(_) => "INTERNAL",
        }
    }

    pub(super) fn into_response(self) -> Response {
        match self {
            Refused::Denied(denied) => {
                Response::from_errors(vec![error("UNAUTHENTICATED", denied.to_string())])
            }
            Refused::Broken(response) => *response,
        }
    }
}

/// What an operation is called: as the request says, or as the text names its only one.
pub(super) fn name(request: &mut Request) -> Option<String> {
    if request.operation_name.is_some() {
        return request.operation_name.clone();
    }
    let mut operations = request.parsed_query().ok()?.operations.iter();
    let (name, _) = operations.next().filter(|_| operations.next().is_none())?;
    name.map(ToString::to_string)
}

pub(super) fn kind_of(kind: Option<OperationType>) -> Kind {
    match kind {
        Some(OperationType::Query) => Kind::Query,
        Some(OperationType::Mutation) => Kind::Mutation,
        Some(OperationType::Subscription) => Kind::Subscription,
        None => Kind::Unknown,
    }
}

/// The code of the first error, if there is one.
fn first_code(response: &Response) -> Option<&str> {
    let error = response.errors.first()?;
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
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

/// Logs what happened, once, and gives it an id that may be told: its request's.
pub(super) fn incident(what: &str) -> (String, String) {
    let id = request::incident();
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
