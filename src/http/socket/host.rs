//! What a socket serves.

use std::time::Duration;

use futures_util::{future::BoxFuture, stream::BoxStream};

use super::{
    super::envelope::Envelope,
    message::{Object, Output},
};

/// Whoever looks at clients and runs their operations.
pub trait Host: Send + 'static {
    /// What is remembered of a client that was let in.
    type Session: Send + 'static;

    /// Looks at a client by the payload of its first message.
    fn init(&self, payload: Object) -> Init<Self::Session>;

    /// Starts an operation. A panic in it is the host's to catch.
    fn start(&self, session: &Self::Session, envelope: Envelope) -> Started;
}

/// Whether a client is let in; else why not, in words that it may read.
pub type Init<S> = BoxFuture<'static, Result<Welcome<S>, String>>;

/// What an operation says, until it ends; nothing is asked after [`Output::Errors`].
pub type Started = BoxStream<'static, Output>;

/// A client is let in.
#[derive(Debug)]
pub struct Welcome<S> {
    /// What each of its operations is started with.
    pub session: S,
    /// How long it may stay; the socket then closes with 4403.
    pub expires_in: Option<Duration>,
    /// What it is told.
    pub payload: Option<Object>,
}
