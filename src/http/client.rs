//! What a socket serves: who its client is, and the operations that it runs for it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use axum::{extract::ws::WebSocketUpgrade, response::Response};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;

use super::{
    auth::{Denied, LEEWAY, Verified},
    envelope::Envelope,
    fault::broken,
    operation::{Caller, Operations, once},
    socket::{self, Host, Init, Limits, Object, Output, Started, Welcome},
};

/// Opens sockets, all within the same limits.
#[derive(Clone, Debug, Default)]
pub(super) struct Sockets {
    limits: Arc<Limits>,
}

impl Sockets {
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
}

impl Client {
    pub(super) fn new(operations: Operations, caller: Caller) -> Client {
        Client { operations, caller }
    }

    /// The first message: its token counts, else the header's, else nobody is there.
    fn greet(&self, payload: &Object) -> Result<Option<Verified>, Denied> {
        let (auth, now) = (self.operations.auth(), self.operations.now());
        let text = |key: &str| payload.get(key).and_then(serde_json::Value::as_str);
        let named = text("Authorization").or_else(|| text("authorization"));
        match (named, text("token")) {
            (Some(credentials), _) => auth.credentials(credentials, now).map(Some),
            (None, Some(token)) => auth.verify(token, now).map(Some),
            (None, None) => Ok(self.caller.who),
        }
    }
}

impl Host for Client {
    type Session = Option<Verified>;

    fn init(&self, payload: Object) -> Init<Self::Session> {
        let now = self.operations.now();
        let welcome = self.greet(&payload).map_err(|denied| denied.to_string()).map(|who| {
            // The same grace that a request has whose token has just expired.
            let left = who.map(|who| (who.expires_at + LEEWAY - now).to_std().unwrap_or_default());
            Welcome { session: who, expires_in: left, payload: None }
        });
        std::future::ready(welcome).boxed()
    }

    fn start(&self, session: &Self::Session, envelope: Envelope) -> Started {
        let caller = Caller { who: *session, ..self.caller.clone() };
        let operations = &self.operations;
        let answers = match catch_unwind(AssertUnwindSafe(|| operations.prepare(envelope))) {
            Ok(Ok(prepared)) => operations.stream(prepared, caller),
            Ok(Err(refusal)) => once(*refusal),
            Err(_) => once(broken("an operation could not be prepared")),
        };
        answers.map(|answer| Output::of(&answer)).boxed()
    }
}
