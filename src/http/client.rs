//! What a socket serves: who its client is, and the operations that it runs for it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{extract::ws::WebSocketUpgrade, response::Response};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;

use super::{
    auth::{Denied, LEEWAY, Verified},
    envelope::Envelope,
    fault::broken,
    limit::Held,
    live::{Said, once},
    operation::{Caller, Operations},
    socket::{self, Host, Init, Limits, Object, Started, Welcome},
};

use crate::telemetry::metrics;

/// Opens sockets, all within the same limits.
#[derive(Clone, Debug)]
pub(super) struct Sockets {
    limits: Arc<Limits>,
}

impl Sockets {
    pub(super) fn new(limits: Limits) -> Sockets {
        Sockets { limits: Arc::new(limits) }
    }

    /// Upgrades a request and serves the socket until either side has had enough.
    pub(super) fn open(
        &self,
        upgrade: WebSocketUpgrade,
        client: Client,
        stopping: watch::Receiver<bool>,
    ) -> Response {
        socket::open(upgrade, client, self.limits.clone(), stopping)
    }
}

/// A client at the other end of a socket.
pub(super) struct Client {
    operations: Operations,
    /// Whom the upgrade's header named, and where from; the first message may name somebody else.
    caller: Caller,
    /// Among the sockets of its address, until it is known whose it is.
    place: Mutex<Option<Held>>,
    _open: metrics::Open,
}

/// Who was let in.
pub(super) struct Guest {
    who: Option<Verified>,
    /// Among that person's sockets, or still among its address's.
    _place: Option<Held>,
}

impl Client {
    pub(super) fn new(operations: Operations, caller: Caller, place: Held) -> Client {
        Client { operations, caller, place: Mutex::new(Some(place)), _open: metrics::socket_open() }
    }
}

/// The first message: its token counts, else the header's, else nobody is there.
async fn greet(
    operations: &Operations,
    caller: &Caller,
    payload: &Object,
) -> Result<Option<Verified>, Denied> {
    let (auth, now) = (operations.auth(), operations.now());
    let text = |key: &str| payload.get(key).and_then(serde_json::Value::as_str);
    let named = text("Authorization").or_else(|| text("authorization"));
    match (named, text("token")) {
        (Some(credentials), _) => auth.credentials(credentials, now).await.map(Some),
        (None, Some(token)) => auth.verify(token, now).await.map(Some),
        (None, None) => Ok(caller.who.clone()),
    }
}

/// Lets a client in, with a place among its person's sockets.
async fn admit(
    operations: Operations,
    caller: Caller,
    mut place: Option<Held>,
    payload: Object,
) -> Result<Welcome<Guest>, String> {
    let who = greet(&operations, &caller, &payload).await.map_err(|denied| denied.to_string())?;
    if who.is_some() {
        let limited = Caller { who: who.clone(), ..caller }.limited();
        place = Some(operations.limiter().socket(limited).map_err(|refused| refused.to_string())?);
    }
    // The same grace that a request has whose token has just expired.
    let left =
        who.as_ref().map(|who| (who.expires_at + LEEWAY - operations.now()).to_std().unwrap_or_default());
    Ok(Welcome { session: Guest { who, _place: place }, expires_in: left, payload: None })
}

impl Host for Client {
    type Session = Guest;

    fn init(&self, payload: Object) -> Init<Self::Session> {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
        admit(self.operations.clone(), self.caller.clone(), place, payload).boxed()
    }

    fn start(&self, session: &Self::Session, envelope: Envelope) -> Started {
        let caller = Caller { who: session.who.clone(), ..self.caller.clone() };
        let (operations, who) = (&self.operations, caller.limited());
        let prepare = || operations.count(who).and_then(|()| operations.prepare(envelope, who));
        let answers = match catch_unwind(AssertUnwindSafe(prepare)) {
            Ok(Ok(prepared)) => operations.stream(prepared, caller),
            Ok(Err(refusal)) => once(Said::of(&refusal)),
            Err(_) => once(Said::of(&broken("an operation could not be prepared"))),
        };
        answers.map(|said| said.output).boxed()
    }
}
