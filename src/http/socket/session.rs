//! Moves what the protocol decides: one task per socket, a few messages on their way at a time.
//!
//! Each turn reads at most one frame and sends at most one parcel, so that neither side starves the other: a
//! `complete` is heard however much there is to say. What is to be said comes from the operations in turn,
//! and an operation is asked only when the parcel before has left: that is the back-pressure. A parcel is what
//! is ready by then, up to some kilobytes: a socket that lags costs one call of the system for many messages.
//! Nothing is queued but short replies, and while those wait no more is read.

use std::{
    collections::VecDeque,
    future::{Future, pending, poll_fn},
    mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::Bytes,
    extract::ws::{self, Utf8Bytes, WebSocket},
};
use futures_util::{SinkExt, Stream, StreamExt};
use tokio::{
    sync::watch,
    time::{Instant, Sleep, sleep_until},
};

use super::{
    farewell::{End, part, unreadable},
    host::{Host, Init, Started, Welcome},
    limits::Limits,
    message::Output,
    protocol::{Action, Event, Frame, Key, Machine, close},
};

/// Replies that may wait, in bytes, before reading pauses.
const WAITING: usize = 64 << 10;
/// Bytes of messages that are sent with one call, or one message.
pub const PARCEL: usize = 8 << 10;
/// Turns before the clock and the other tasks have theirs.
const TURNS: usize = 32;
/// Pings that may stay without any sign of life.
const UNANSWERED: u8 = 2;

/// Whether something moved; the end of it all travels as an error.
type Step = Result<bool, End>;

struct Running {
    key: Key,
    outputs: Started,
}

impl Running {
    /// Whether it will say one thing and end: a query or a mutation. Subscriptions do not say how long they are.
    fn answers_once(&self) -> bool {
        self.outputs.size_hint() == (1, Some(1))
    }
}

/// When something is due.
struct Deadlines {
    ping: Instant,
    greeting: Option<Instant>,
    expiry: Option<Instant>,
    /// The message on its way must have left.
    sent: Option<Instant>,
}

struct Conversation<H: Host> {
    socket: WebSocket,
    host: H,
    limits: Arc<Limits>,
    machine: Machine,
    init: Option<Init<H::Session>>,
    session: Option<H::Session>,
    /// Whose turn is next stands first.
    running: VecDeque<Running>,
    replies: VecDeque<Utf8Bytes>,
    /// The replies' bytes.
    waiting: usize,
    deadlines: Deadlines,
    /// Pings since the client was last heard.
    unanswered: u8,
    ping_due: bool,
    /// A message is on its way.
    sending: bool,
    /// The server stops: nothing is read or begun any more.
    stopping: bool,
    /// Something that answers once ran when it stopped.
    owing: bool,
}

/// Serves a socket until either side has had enough.
pub fn converse<H: Host>(
    socket: WebSocket,
    host: H,
    limits: Arc<Limits>,
    stopping: watch::Receiver<bool>,
) -> impl Future<Output = ()> + Send {
    let mut conversation = Conversation::new(socket, host, limits);
    // A block rather than an `async fn`: that would hold its arguments twice.
    async move {
        let end = {
            let stop = stopped(stopping);
            let timer = sleep_until(conversation.deadlines.next());
            let (mut stop, mut timer) = (pin!(stop), pin!(timer));
            poll_fn(|cx| conversation.poll(cx, stop.as_mut(), timer.as_mut())).await
        };
        conversation.running = VecDeque::new();
        conversation.init = None;
        part(&mut conversation.socket, end, conversation.limits.farewell).await;
    }
}

/// Waits until the server stops.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    if stopping.wait_for(|stopping| *stopping).await.is_err() {
        // Nobody is there who could stop it.
        pending::<()>().await;
    }
}

impl Deadlines {
    fn next(&self) -> Instant {
        let others = [self.greeting, self.expiry, self.sent];
        others.into_iter().flatten().fold(self.ping, Instant::min)
    }
}

impl<H: Host> Conversation<H> {
    fn new(socket: WebSocket, host: H, limits: Arc<Limits>) -> Conversation<H> {
        let now = Instant::now();
        let deadlines = Deadlines {
            ping: now + limits.ping,
            greeting: Some(now + limits.greeting),
            expiry: None,
            sent: None,
        };
        Conversation {
            socket,
            host,
            machine: Machine::new(limits.clone(), now),
            limits,
            init: None,
            session: None,
            running: VecDeque::new(),
            replies: VecDeque::new(),
            waiting: 0,
            deadlines,
            unanswered: 0,
            ping_due: false,
            sending: false,
            stopping: false,
            owing: false,
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stop: Pin<&mut impl Future<Output = ()>>,
        mut timer: Pin<&mut Sleep>,
    ) -> Poll<End> {
        if !self.stopping && stop.poll(cx).is_ready() {
            self.stopping = true;
            self.running.retain(Running::answers_once);
            self.owing = !self.running.is_empty();
        }
        for _ in 0..TURNS {
            let moved = match self.turn(cx, timer.as_mut()) {
                Ok(moved) => moved,
                Err(end) => return Poll::Ready(end),
            };
            if self.stopping && !self.owes() {
                return Poll::Ready(self.happened(Event::Stopping).err().unwrap_or(End::Dead));
            }
            if !moved {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether the client still waits for an answer: else it would not know whether its mutation was carried
    /// out. Whoever waits for none, and perhaps reads nothing, does not hold up the end.
    fn owes(&self) -> bool {
        self.owing && (self.sending || !self.replies.is_empty() || !self.running.is_empty())
    }

    fn turn(&mut self, cx: &mut Context<'_>, timer: Pin<&mut Sleep>) -> Step {
        let greeted = self.greet(cx)?;
        let read = self.read(cx)?;
        let wrote = self.write(cx)?;
        // Last, for what came before has moved the deadlines.
        let due = self.clock(cx, timer)?;
        Ok(greeted || read || wrote || due)
    }

    fn greet(&mut self, cx: &mut Context<'_>) -> Step {
        let Some(init) = &mut self.init else {
            return Ok(false);
        };
        let Poll::Ready(answer) = init.as_mut().poll(cx) else {
            return Ok(false);
        };
        self.init = None;
        match answer {
            Ok(Welcome { session, expires_in, payload }) => {
                self.session = Some(session);
                // What is too far away for a clock is never.
                self.deadlines.expiry = expires_in.and_then(|left| Instant::now().checked_add(left));
                self.happened(Event::Accepted(payload))?;
            }
            Err(why) => self.happened(Event::Refused(why))?,
        }
        Ok(true)
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Step {
        if self.waiting > WAITING || self.stopping {
            return Ok(false);
        }
        let message = match self.socket.poll_next_unpin(cx) {
            Poll::Pending => return Ok(false),
            Poll::Ready(None) => return Err(End::Dead),
            Poll::Ready(Some(Err(error))) => return Err(End::Broken(unreadable(&error.to_string()))),
            Poll::Ready(Some(Ok(message))) => message,
        };
        self.unanswered = 0;
        let frame = match &message {
            ws::Message::Text(text) => Frame::Text(text),
            ws::Message::Binary(_) => Frame::Binary,
            ws::Message::Ping(_) | ws::Message::Pong(_) => Frame::Heartbeat,
            ws::Message::Close(_) => Frame::Close,
        };
        let action = self.machine.received(frame, Instant::now());
        self.act(action)?;
        Ok(true)
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Step {
        if self.sending {
            match self.socket.poll_flush_unpin(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Err(End::Dead),
                Poll::Pending => {
                    let limit = self.limits.sending;
                    self.deadlines.sent.get_or_insert_with(|| Instant::now() + limit);
                    return Ok(false);
                }
            }
            self.sending = false;
            self.deadlines.sent = None;
        }
        let mut bytes = 0;
        while bytes < PARCEL
            && let Some(message) = self.next_message(cx)?
        {
            bytes += size(&message);
            // The sink is ready: all that went before was flushed, and it has room for a parcel.
            self.socket.start_send_unpin(message).map_err(|_| End::Dead)?;
            self.sending = true;
        }
        Ok(self.sending)
    }

    /// Signs of life first, then replies, then what the operations say.
    fn next_message(&mut self, cx: &mut Context<'_>) -> Result<Option<ws::Message>, End> {
        if mem::take(&mut self.ping_due) {
            return Ok(Some(ws::Message::Ping(Bytes::new())));
        }
        while self.replies.is_empty() {
            match self.output(cx) {
                Poll::Ready(event) => self.happened(event)?,
                Poll::Pending => return Ok(None),
            }
        }
        let reply = self.replies.pop_front();
        self.waiting -= reply.as_ref().map_or(0, |reply| reply.len());
        Ok(reply.map(ws::Message::Text))
    }

    /// Asks each operation once, from the one whose turn it is; who has spoken goes to the end.
    fn output(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        for _ in 0..self.running.len() {
            let Some(mut running) = self.running.pop_front() else {
                break;
            };
            let key = running.key;
            match running.outputs.poll_next_unpin(cx) {
                Poll::Pending => self.running.push_back(running),
                Poll::Ready(None) => return Poll::Ready(Event::Ended(key)),
                Poll::Ready(Some(output)) => {
                    if matches!(output, Output::Next(_)) {
                        self.running.push_back(running);
                    }
                    return Poll::Ready(Event::Output(key, output));
                }
            }
        }
        Poll::Pending
    }

    /// One timer for all deadlines. It is moved when it would ring too late; rung too early, it is wound
    /// up again.
    fn clock(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Step {
        let next = self.deadlines.next();
        if next < timer.deadline() || timer.is_elapsed() {
            timer.as_mut().reset(next);
        }
        if timer.poll(cx).is_pending() {
            return Ok(false);
        }
        let now = Instant::now();
        let due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if due(self.deadlines.greeting) {
            self.deadlines.greeting = None;
            self.happened(Event::Late)?;
        }
        if due(self.deadlines.expiry) {
            self.happened(Event::Expired)?;
        }
        if due(self.deadlines.sent) {
            // Clients come back after this code, and hear what they missed.
            return Err(End::Close(close(1013, "Too slow: subscribe again, after your last cursor")));
        }
        if due(Some(self.deadlines.ping)) {
            if self.unanswered >= UNANSWERED {
                return Err(End::Dead);
            }
            self.unanswered += 1;
            self.ping_due = true;
            self.deadlines.ping = now + self.limits.ping;
        }
        Ok(true)
    }

    fn happened(&mut self, event: Event) -> Result<(), End> {
        let action = self.machine.happened(event);
        self.act(action)
    }

    fn act(&mut self, action: Action) -> Result<(), End> {
        match action {
            Action::Nothing => {}
            Action::Send(reply) => {
                self.waiting += reply.len();
                self.replies.push_back(reply);
            }
            Action::Init(payload) => self.init = Some(self.host.init(payload)),
            Action::Start(key, envelope) => {
                if let Some(session) = &self.session {
                    let outputs = self.host.start(session, *envelope);
                    self.running.push_back(Running { key, outputs });
                }
            }
            Action::Stop(key) => self.running.retain(|running| running.key != key),
            Action::Close(why) => return Err(End::Close(why)),
            Action::Leave => return Err(End::Left),
        }
        Ok(())
    }
}

/// What counts of a message: the others are small and few.
fn size(message: &ws::Message) -> usize {
    match message {
        ws::Message::Text(text) => text.len(),
        _ => 0,
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
