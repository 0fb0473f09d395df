//! One operation, whatever it came over: prepared once, given its session, run as a task of its own, so
//! that a client that hangs up never stops database work halfway.

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use async_graphql::{Request, Response, parser::types::OperationType};
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use domain::permission::OPERATOR;
use futures_util::{
    FutureExt, StreamExt,
    stream::{self, BoxStream},
};
use governor::clock::MonotonicClock;
use tokio::time::timeout;
use tracing::Instrument;
use uuid::Uuid;

use super::{
    address::Proxies,
    answer::Stage,
    auth::{Auth, Denied, LEEWAY, Verified},
    document::{Documents, Prepared},
    envelope::Envelope,
    fault::{self, broken, coded, first_code},
    limit::{self, Limiter, Who},
    live::{self, Crier, Said},
    settings::Settings,
    texts::Texts,
};
use crate::{
    app::App,
    bus::hub::Hub,
    config::Introspection,
    error::Error,
    graphql::{ClientIp, ResumeAfter, Schema, Session, schema},
    telemetry::{Kind, metrics, request::carried, trace},
    usecase::{
        self,
        session::{Account, Attempts, Operation, Ticket},
    },
};

/// What runs operations. Cheap to clone.
#[derive(Clone)]
pub(super) struct Operations(Arc<Inner>);

struct Inner {
    app: App,
    auth: Auth,
    schema: Schema,
    documents: Documents,
    limiter: Limiter,
    proxies: Proxies,
    introspection: Introspection,
    time: Duration,
    hub: Arc<Hub<Crier>>,
}

/// Who sent an operation, and from where.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// What the token says; nobody without one.
    pub(super) who: Option<Verified>,
    /// The client's address.
    pub(super) address: IpAddr,
    /// The cursor behind which a stream goes on, whatever its arguments say.
    pub(super) resume: Option<String>,
}

impl Caller {
    /// Whose limits count.
    pub(super) fn limited(&self) -> Who {
        match self.who.as_ref().map(|who| &who.account) {
            None => Who::Address(self.address),
            Some(Account::Id(user)) => Who::Person(*user.0.as_bytes()),
            // The id is not known before the database is asked, and limits come first.
            Some(Account::Email(email)) => {
                Who::Person(*Uuid::new_v5(&Uuid::NAMESPACE_OID, email.as_bytes()).as_bytes())
            }
        }
    }
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

    pub(super) fn code(&self) -> &str {
        match self {
            Refused::Denied(_) => "UNAUTHENTICATED",
            Refused::Failed(_, response) => first_code(response).unwrap_or("INTERNAL"),
        }
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
        let auth = auth.knowing(app.keys.clone());
        let schema = schema(app.clone(), Arc::new(auth.clone()));
        let Settings {
            introspection,
            trusted,
            only_trusted,
            operation_time: time,
            proxies,
            limits,
            live,
            ..
        } = settings;
        let documents = Documents::new(Texts::new(trusted, only_trusted));
        let limiter = Limiter::new(limits, MonotonicClock);
        let hub = Hub::new(app.feed.clone(), live);
        Operations(Arc::new(Inner {
            app,
            auth,
            schema,
            documents,
            limiter,
            proxies,
            introspection,
            time,
            hub,
        }))
    }

    pub(super) fn app(&self) -> &App {
        &self.0.app
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.0.schema
    }

    pub(super) fn hub(&self) -> &Arc<Hub<Crier>> {
        &self.0.hub
    }

    pub(super) fn auth(&self) -> &Auth {
        &self.0.auth
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.0.app.world.now()
    }

    /// Who is at the other end: the peer, or whom a trusted proxy names.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.0.proxies.client(peer, headers)
    }

    /// Who was given a ticket, and for what.
    ///
    /// # Errors
    /// When it opens nothing.
    pub(super) fn ticket(&self, text: &str) -> Result<(Verified, Operation), Denied> {
        let Ticket { credentials, expires_at, operation } =
            Ticket::open(&self.0.app.keys, text).ok_or(Denied::Forged)?;
        let who = Verified::with(credentials, expires_at);
        if self.now() < expires_at + LEEWAY { Ok((who, operation)) } else { Err(Denied::Expired) }
    }

    pub(super) fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    /// Counts a request.
    ///
    /// # Errors
    /// The answer to one too many.
    pub(super) fn count(&self, who: Who) -> Result<(), Box<Response>> {
        self.0.limiter.request(who).map_err(|refused| Box::new(too_much(&refused)))
    }

    /// Finds the text, parses and measures it, see [`Documents::prepare`], and counts what it costs.
    ///
    /// # Errors
    /// The answer to an operation that may not begin.
    pub(super) fn prepare(&self, envelope: Envelope, who: Who) -> Result<Prepared, Box<Response>> {
        let prepared = self.0.documents.prepare(envelope);
        let prepared = prepared.map_err(|error| Box::new(coded(Response::from_errors(vec![error]))));
        let affordable = prepared.and_then(|prepared| {
            let counted = self.0.limiter.cost(who, prepared.cost);
            counted.map(|()| prepared).map_err(|refused| Box::new(too_much(&refused)))
        });
        affordable.inspect_err(|refusal| {
            metrics::Operation::begin(Kind::Unknown).answered(first_code(refusal));
        })
    }

    /// Runs a query or a mutation. The reads of a query share a connection; a mutation must see what it has
    /// just written. A query that takes too long is dropped; a mutation is left to end by itself.
    pub(super) async fn answer(&self, prepared: Prepared, caller: Caller) -> Result<Response, Refused> {
        let is_query = prepared.kind == Some(OperationType::Query);
        let own = self.clone();
        let span = trace::operation(kind_of(prepared.kind), prepared.name.as_deref());
        let mut counted = metrics::Operation::begin(kind_of(prepared.kind));
        let work = async move {
            let mut app = own.0.app.clone();
            if is_query {
                app.store = app.store.reading();
            }
            let request = own.admit(prepared, caller, &app).await;
            let (request, _) = request.inspect_err(|refused| counted.answered(Some(refused.code())))?;
            let answer = coded(own.0.schema.execute(request.data(app)).await);
            counted.answered(first_code(&answer));
            Ok(answer)
        };
        let task = tokio::spawn(carried(work.instrument(span)));
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
    pub(super) fn stream(&self, prepared: Prepared, caller: Caller) -> BoxStream<'static, Said> {
        let own = self.clone();
        if prepared.kind != Some(OperationType::Subscription) {
            let answer = async move { own.answer(prepared, caller).await };
            return stream::once(answer.map(|answer| said(answer.unwrap_or_else(Refused::into_response))))
                .boxed();
        }
        match self.0.limiter.subscription(caller.limited()) {
            // Boxed, so that what only the beginning needs is given back when it is over.
            Ok(place) => {
                stream::once(live::subscribe(own, prepared, caller, place).boxed()).flatten().boxed()
            }
            Err(refused) => live::once(said(too_much(&refused))),
        }
    }

    /// Tells subscribers what happens, for as long as it is polled.
    pub(super) async fn tell(&self) -> Infallible {
        self.0.hub.clone().run().await
    }

    /// Gives the request its session, the account's memberships as they are now, if it may begin at all.
    pub(super) async fn admit(
        &self,
        prepared: Prepared,
        caller: Caller,
        app: &App,
    ) -> Result<(Request, Option<Session>), Refused> {
        let Prepared { mut request, kind, introspects, .. } = prepared;
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
        if kind == Some(OperationType::Mutation) {
            let attempts: Arc<dyn Attempts> = Arc::new(Doorkeeper { operations: self.clone(), address });
            request = request.data(attempts).data(ClientIp(address.to_string()));
        }
        if let Some(cursor) = resume {
            request = request.data(ResumeAfter(cursor));
        }
        if let Some(session) = session.clone() {
            request = request.data(session);
        }
        Ok((request, session))
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

/// Counts attempts at passwords from one address.
struct Doorkeeper {
    operations: Operations,
    address: IpAddr,
}

impl Attempts for Doorkeeper {
    fn admit(&self, email: &str) -> crate::error::Result<()> {
        let admitted = self.operations.limiter().login(self.address, email);
        admitted.map_err(|refused| Error::RateLimited { retry_after: refused.retry_after })
    }
}

/// The answer to too much. The wait is told to whoever reads codes, and in the header `Retry-After`.
pub(super) fn too_much(refused: &limit::Refused) -> Response {
    let mut error = fault::error("RATE_LIMITED", refused.to_string());
    error.extensions.get_or_insert_default().set("retryAfter", refused.seconds());
    Response::from_errors(vec![error])
}

async fn session(app: &App, who: Verified) -> Result<Session, Refused> {
    let read = async {
        let roles = who.roles.as_deref();
        let credentials = usecase::session::credentials(app, &who.account, who.session, roles).await?;
        let actor = usecase::session::actor(app, &credentials).await?;
        Ok(Session::new(actor, credentials, who.expires_at))
    };
    read.await.map_err(|error| match error {
        Error::Unauthenticated => Refused::Denied(Denied::NoAccount),
        error => Refused::broken(&format!("memberships could not be read: {error:?}")),
    })
}

pub(super) fn kind_of(kind: Option<OperationType>) -> Kind {
    match kind {
        Some(OperationType::Query) => Kind::Query,
        Some(OperationType::Mutation) => Kind::Mutation,
        Some(OperationType::Subscription) => Kind::Subscription,
        None => Kind::Unknown,
    }
}

fn said(response: Response) -> Said {
    Said::of(&response)
}
