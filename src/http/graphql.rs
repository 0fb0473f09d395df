//! GraphQL over HTTP: what a request must look like, and who gets which kind of answer.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use async_graphql::parser::types::OperationType;
use axum::{
    body::Body,
    extract::{ConnectInfo, FromRequestParts, Request, State, ws::WebSocketUpgrade},
    http::{
        HeaderName, HeaderValue, Method, StatusCode,
        header::{ACCEPT, ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, UPGRADE, VARY, WWW_AUTHENTICATE},
        request::Parts,
    },
    response::Response,
};
use futures_util::stream::BoxStream;

use super::{
    answer::{self, Stage},
    auth::{Denied, Verified},
    body,
    client::{self, Client},
    document::Prepared,
    drain::Waves,
    envelope::{self, Envelope, Malformed},
    events,
    limit::Who,
    live::{Said, once},
    media::{self, Media, Unsupported},
    operation::{Caller, Operations, Refused, kind_of, too_much},
};

use crate::{telemetry::log, usecase::session::Account};

/// Every method that is understood.
const ANY: &str = "GET, HEAD, POST";
/// Where a browser says behind which event it goes on.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What the endpoint needs.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) operations: Operations,
    pub(super) sockets: client::Sockets,
    /// How long a body may take.
    pub(super) patience: Duration,
    /// Tell each socket and stream when to end.
    pub(super) waves: Waves,
}

/// Every request to the endpoint. No answer may be kept or taken for that of another client.
pub(super) async fn serve(State(endpoint): State<Endpoint>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let media = media::negotiate(&parts.headers);
    let mut response = match media {
        Ok(media) => endpoint.handle(parts, body, media).await.unwrap_or_else(|refused| *refused),
        Err(error) => bad(StatusCode::NOT_ACCEPTABLE, &error, Media::Json),
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_name(ACCEPT));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// What a request asks for, if it can be read.
type Parsed = Result<Envelope, Malformed>;

/// A refusal on the way; boxed, for most requests have none.
type Step<T> = Result<T, Box<Response>>;

impl Endpoint {
    async fn handle(&self, mut parts: Parts, body: Body, media: Media) -> Step<Response> {
        if parts.headers.contains_key(UPGRADE) || parts.method == Method::CONNECT {
            return self.open_socket(&mut parts, media).await;
        }
        let (caller, envelope) = match parts.method {
            Method::POST => {
                media::readable(&parts.headers).map_err(|error| unsupported(&error, media))?;
                let caller = self.caller(&parts, media).await?;
                let body = body::read(body, &parts.headers, self.patience).await;
                let body = body.map_err(|unread| Box::new(bad(unread.status(), &unread, media)))?;
                (caller, envelope::from_body(&body))
            }
            Method::GET | Method::HEAD => match envelope::ticket(parts.uri.query()) {
                Some(ticket) => self.admit_ticket(&parts, &ticket, media)?,
                None => (self.caller(&parts, media).await?, envelope::from_url(parts.uri.query())),
            },
            _ => return Err(not_allowed("send a query with GET, any operation with POST", ANY, media)),
        };
        let envelope = envelope.map_err(|malformed| Box::new(bad(malformed.status(), &malformed, media)))?;
        self.execute(&parts.method, envelope, caller, media).await
    }

    /// Who sends these headers, if more requests are allowed there.
    async fn caller(&self, parts: &Parts, media: Media) -> Step<Caller> {
        let who = self.operations.auth().bearer(&parts.headers, self.operations.now()).await;
        self.count(parts, who, media)
    }

    /// Who was given a ticket, and the operation that it is for.
    fn admit_ticket(&self, parts: &Parts, ticket: &str, media: Media) -> Step<(Caller, Parsed)> {
        let opened = self.operations.ticket(ticket);
        let who = opened.as_ref().map(|(who, _)| Some(who.clone())).map_err(|denied| *denied);
        let caller = self.count(parts, who, media)?;
        let (_, operation) = opened.map_err(|denied| Box::new(unauthenticated(denied, media)))?;
        Ok((caller, envelope::from_ticket(operation)))
    }

    /// Counts a request of whoever it is; whoever guesses tokens is counted as nobody.
    fn count(&self, parts: &Parts, who: Result<Option<Verified>, Denied>, media: Media) -> Step<Caller> {
        // Set by the accept loop for every request.
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
        let resume = parts.headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
        let resume = resume.filter(|id| !id.is_empty()).map(str::to_owned);
        let address = self.operations.client(peer, &parts.headers);
        let (who, denied) = who.map_or_else(|denied| (None, Some(denied)), |who| (who, None));
        let caller = Caller { who, address, resume };
        self.operations.count(caller.limited()).map_err(|answer| written(*answer, media))?;
        match denied {
            Some(denied) => Err(Box::new(unauthenticated(denied, media))),
            None => Ok(caller),
        }
    }

    async fn open_socket(&self, parts: &mut Parts, media: Media) -> Step<Response> {
        let caller = self.caller(parts, media).await?;
        let upgrade = WebSocketUpgrade::from_request_parts(parts, &()).await;
        let upgrade = upgrade
            .map_err(|no| Box::new(answer::refuse(no.status(), "BAD_USER_INPUT", &no.body_text(), media)))?;
        let place = self.operations.limiter().socket(Who::Address(caller.address));
        let place = place.map_err(|refused| written(too_much(&refused), media))?;
        let host = Client::new(self.operations.clone(), caller, place);
        Ok(self.sockets.open(upgrade, host, self.waves.join()))
    }

    async fn execute(
        &self,
        method: &Method,
        envelope: Envelope,
        caller: Caller,
        media: Media,
    ) -> Step<Response> {
        let is_stream = media == Media::Events;
        let prepared = match self.operations.prepare(envelope, caller.limited()) {
            Ok(prepared) => prepared,
            Err(refusal) if is_stream => return Ok(self.stream(once(Said::of(&refusal)))),
            Err(refusal) => return Ok(answer::write(*refusal, media, Stage::Refused)),
        };
        reads_only(method, &prepared, media)?;
        log::operation(kind_of(prepared.kind), prepared.name.as_deref());
        if let Some(Account::Id(user)) = caller.who.as_ref().map(|who| &who.account) {
            log::user(user);
        }
        if is_stream {
            return Ok(self.stream(self.operations.stream(prepared, caller)));
        }
        if prepared.kind == Some(OperationType::Subscription) {
            let what = "a subscription is streamed: send `Accept: text/event-stream`, or open a WebSocket";
            return Err(Box::new(answer::refuse(StatusCode::NOT_ACCEPTABLE, "BAD_USER_INPUT", what, media)));
        }
        Ok(match self.operations.answer(prepared, caller).await {
            Ok(answer) => {
                let stage = Stage::of(&answer);
                answer::write(answer, media, stage)
            }
            Err(Refused::Denied(denied)) => unauthenticated(denied, media),
            Err(Refused::Failed(stage, response)) => answer::write(*response, media, stage),
        })
    }

    fn stream(&self, said: BoxStream<'static, Said>) -> Response {
        events::respond(said, self.waves.join())
    }
}

fn written(answer: async_graphql::Response, media: Media) -> Box<Response> {
    Box::new(answer::write(answer, media, Stage::Refused))
}

/// A link can be followed by anybody's browser, so it must not change anything. A stream is a read.
fn reads_only(method: &Method, prepared: &Prepared, media: Media) -> Step<()> {
    let allowed = match prepared.kind {
        _ if *method == Method::POST => true,
        Some(OperationType::Mutation) => false,
        Some(OperationType::Subscription) => media == Media::Events,
        Some(OperationType::Query) | None => true,
    };
    let what = "only queries may be sent with GET; send this operation with POST";
    if allowed { Ok(()) } else { Err(not_allowed(what, "POST", media)) }
}

fn bad(status: StatusCode, what: &impl ToString, media: Media) -> Response {
    answer::refuse(status, "BAD_USER_INPUT", &what.to_string(), media)
}

fn not_allowed(what: &str, methods: &'static str, media: Media) -> Box<Response> {
    let mut response = answer::refuse(StatusCode::METHOD_NOT_ALLOWED, "BAD_USER_INPUT", what, media);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    Box::new(response)
}

fn unsupported(error: &Unsupported, media: Media) -> Box<Response> {
    let mut response = bad(StatusCode::UNSUPPORTED_MEDIA_TYPE, error, media);
    if *error == Unsupported::Encoding {
        response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    Box::new(response)
}

fn unauthenticated(denied: Denied, media: Media) -> Response {
    let status = match denied {
        // Not the token's fault: it may be right, and will do later.
        Denied::NoKeys => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNAUTHORIZED,
    };
    let mut response = answer::refuse(status, "UNAUTHENTICATED", &denied.to_string(), media);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
