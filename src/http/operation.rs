//! One operation, whatever it came over: prepared once, given its session, run as a task of its own, so
//! that a client that hangs up never stops database work halfway.

use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_graphql::{Request, Response, parser::types::OperationType};
use chrono::{DateTime, Utc};
use domain::permission::OPERATOR;
use futures_util::{
    FutureExt, StreamExt, future,
    stream::{self, BoxStream},
};
use tokio::time::timeout;
use tracing::Instrument;

use super::{
    answer::Stage,
    auth::{Auth, Denied, LEEWAY, Verified},
    document::{Documents, Prepared},
    envelope::Envelope,
    fault::{self, broken, coded},
    settings::Settings,
    texts::Texts,
};
use crate::{
    app::App,
    config::Introspection,
    error::Error,
    graphql::{ClientIp, ResumeAfter, Schema, Session, schema},
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
    introspection: Introspection,
    time: Duration,
}

/// Who sent an operation, and from where.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
    /// What the token says; nobody without one.
    pub(super) who: Option<Verified>,
    /// The client's address, where it is known.
    pub(super) address: Option<IpAddr>,
    /// The cursor behind which a stream goes on, whatever its arguments say.
    pub(super) resume: Option<String>,
}

/// Why an operation has no answer of its own.
pub(super) enum Refused {
    /// Its token opens nothing.
    Denied(Denied),
    /// It may not begin, or it did not end.
    Failed(Stage, Box<Response>),
}

impl Refused {
    fn error(stage: Stage, code: &str, message: impl Into<String>) -> Refused {
        Refused::Failed(stage, Box::new(Response::from_errors(vec![fault::error(code, message.into())])))
    }

    fn broken(what: &str) -> Refused {
        Refused::Failed(Stage::Broken, Box::new(broken(what)))
    }

    /// The same as the answer of a stream.
    pub(super) fn into_response(self) -> Response {
        match self {
            Refused::Denied(denied) => {
                Response::from_errors(vec![fault::error("UNAUTHENTICATED", denied.to_string())])
            }
            Refused::Failed(_, response) => *response,
        }
    }
}

impl Operations {
    /// Over an application, with these settings.
    pub(super) fn new(app: App, auth: Auth, settings: Settings) -> Operations {
        let schema = schema(app.clone());
        let Settings { introspection, trusted, only_trusted, operation_time: time, .. } = settings;
        let documents = Documents::new(Texts::new(trusted, only_trusted));
        Operations(Arc::new(Inner { app, auth, schema, documents, introspection, time }))
    }

    pub(super) fn auth(&self) -> &Auth {
        &self.0.auth
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.0.app.world.now()
    }

    /// Finds the text, parses and measures it; see [`Documents::prepare`].
    ///
    /// # Errors
    /// The answer to an operation that may not begin.
    pub(super) fn prepare(&self, envelope: Envelope) -> Result<Prepared, Box<Response>> {
        let prepared = self.0.documents.prepare(envelope);
        prepared.map_err(|error| Box::new(coded(Response::from_errors(vec![error]))))
    }

    /// Runs a query or a mutation. The reads of a query share a connection; a mutation must see what it has
    /// just written. A query that takes too long is dropped; a mutation is left to end by itself.
    pub(super) async fn answer(&self, prepared: Prepared, caller: Caller) -> Result<Response, Refused> {
        let is_query = prepared.kind == Some(OperationType::Query);
        let own = self.clone();
        let work = async move {
            let mut app = own.0.app.clone();
            if is_query {
                app.store = app.store.reading();
            }
            let request = own.admit(prepared, caller, &app).await?.data(app);
            Ok(coded(own.0.schema.execute(request).await))
        };
        let task = tokio::spawn(work.in_current_span());
        let running = task.abort_handle();
        match timeout(self.0.time, task).await {
            Ok(done) => done.unwrap_or_else(|_| Err(Refused::broken("an operation panicked"))),
            Err(_) if is_query => {
                running.abort();
                Err(self.late("it was given up"))
            }
            Err(_) => Err(self.late("it may still be carried out: look before you send it again")),
        }
    }

    /// Starts an operation whose answers are streamed: one, or a subscription's many.
    pub(super) fn stream(&self, prepared: Prepared, caller: Caller) -> BoxStream<'static, Response> {
        let own = self.clone();
        if prepared.kind != Some(OperationType::Subscription) {
            let answer = async move { own.answer(prepared, caller).await };
            return stream::once(answer.map(|answer| answer.unwrap_or_else(Refused::into_response))).boxed();
        }
        stream::once(own.subscribe(prepared, caller)).flatten().boxed()
    }

    async fn subscribe(self, prepared: Prepared, caller: Caller) -> BoxStream<'static, Response> {
        let own = self.clone();
        let admission = async move { own.admit(prepared, caller, &own.0.app).await };
        let request = match tokio::spawn(admission.in_current_span()).await {
            Ok(Ok(request)) => request,
            Ok(Err(refused)) => return once(refused.into_response()),
            Err(_) => return once(broken("a session panicked")),
        };
        let answers = AssertUnwindSafe(self.0.schema.execute_stream(request)).catch_unwind();
        answers.map(|answer| answer.map_or_else(|_| broken("a subscription panicked"), coded)).boxed()
    }

    /// Gives the request its session, the account's memberships as they are now, if it may begin at all.
    async fn admit(&self, prepared: Prepared, caller: Caller, app: &App) -> Result<Request, Refused> {
        let Prepared { mut request, introspects, .. } = prepared;
        let Caller { who, address, resume } = caller;
        let session = match who {
            // A socket may outlive its token by a moment.
            Some(who) if who.expires_at + LEEWAY <= self.now() => {
                return Err(Refused::Denied(Denied::Expired));
            }
            Some(who) => Some(session(app, who).await?),
            None => None,
        };
        if introspects {
            self.may_introspect(session.as_ref())?;
        }
        if let Some(address) = address {
            request = request.data(ClientIp(address.to_string()));
        }
        if let Some(cursor) = resume {
            request = request.data(ResumeAfter(cursor));
        }
        Ok(match session {
            Some(session) => request.data(session),
            None => request,
        })
    }

    fn may_introspect(&self, session: Option<&Session>) -> Result<(), Refused> {
        let may = match (self.0.introspection, session) {
            (Introspection::Everybody, _) | (Introspection::Members, Some(_)) => true,
            (Introspection::Staff, Some(session)) => session.actor().roles().meets(OPERATOR),
            (Introspection::Nobody, _) | (_, None) => false,
        };
        if may {
            return Ok(());
        }
        let what = "you may not read the schema here; it is published as schema.graphql";
        Err(Refused::error(Stage::Refused, "FORBIDDEN", what))
    }

    fn late(&self, then: &str) -> Refused {
        let seconds = self.0.time.as_secs();
        let message = format!("the operation took more than {seconds} seconds; {then}");
        Refused::error(Stage::Late, "TIMEOUT", message)
    }
}

async fn session(app: &App, who: Verified) -> Result<Session, Refused> {
    match usecase::session::actor(app, who.user).await {
        Ok(actor) => Ok(Session::new(actor, who.expires_at)),
        Err(Error::Unauthenticated) => Err(Refused::Denied(Denied::NoAccount)),
        Err(error) => Err(Refused::broken(&format!("memberships could not be read: {error:?}"))),
    }
}

pub(super) fn once(response: Response) -> BoxStream<'static, Response> {
    stream::once(future::ready(response)).boxed()
}
