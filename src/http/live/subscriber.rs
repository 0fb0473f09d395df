//! One subscription, from its first message to its last: mostly a seat in a group. What the group cannot tell
//! it (its own orders, what it missed, what its new rights are), it asks for itself.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_graphql::Response;
use domain::{id::UserId, order::Watch};
use futures_util::{FutureExt, Stream, future::BoxFuture};
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};

use super::{
    crier::{Crier, Who, scope, tell},
    said::Said,
    template::Template,
};
use crate::{
    bus::hub::{Heard, Listener, Member, Position, Tidings},
    error::{Error, Result},
    graphql::Session,
    http::{fault, limit::Held, operation::Operations},
    telemetry::metrics,
    usecase::session,
};

/// How long to wait before the database is asked again.
const AGAIN: Duration = Duration::from_millis(250);
/// How long what it asks for may take, at first and at most: a connection to the database that falls silent
/// never answers.
const STATEMENTS: Duration = Duration::from_secs(10);
const MOST_PATIENCE: Duration = Duration::from_secs(120);
/// How many messages are prepared at once for a subscriber that reads the log itself.
const BATCH: usize = 64;

/// What a subscriber does for itself has come to this.
enum Done {
    /// This is to be said; each stands at its position, and all up to the last position is done.
    Told(Vec<(Position, Said)>, Position),
    /// Its rights are now these.
    Moved(Session),
    /// It is nobody any more.
    Nobody,
}

/// What a subscription needs to ask for itself.
#[derive(Clone)]
pub(super) struct Own {
    operations: Operations,
    template: Arc<Template>,
    session: Session,
    /// What it watches, with the rights of the session.
    watch: Arc<Watch>,
}

/// A subscription's stream.
pub(super) struct Subscriber {
    own: Own,
    member: Member<Crier>,
    /// What is to be said before the group is heard again.
    queue: VecDeque<(Position, Said)>,
    work: Option<BoxFuture<'static, Done>>,
    /// Since when it has been slower than its group.
    behind: Option<Instant>,
    expiry: Pin<Box<Sleep>>,
    is_over: bool,
    counted: metrics::Operation,
    _place: Held,
}

impl Own {
    pub(super) fn new(
        operations: Operations,
        template: Arc<Template>,
        session: Session,
        watch: Watch,
    ) -> Own {
        Own { operations, template, session, watch: Arc::new(watch) }
    }

    fn join(&self, position: Position) -> Member<Crier> {
        let (shared, user) = scope(self.session.clone());
        let key = self.template.key(&shared);
        let listener = Listener { who: Who::of(&self.session), person: self.user(), position };
        self.operations.hub().join(key, listener, || {
            let watch = Watch { user, ..Watch::clone(&self.watch) };
            let (operations, template) = (self.operations.clone(), self.template.clone());
            (watch, Crier { operations, template, session: shared, key })
        })
    }

    fn user(&self) -> Option<UserId> {
        self.session.actor().user()
    }

    /// The same with other rights.
    fn with(&self, session: Session) -> Own {
        let (grants, user) = (session.grants().to_vec(), session.actor().user());
        let watch = Arc::new(Watch { grants, user, ..Watch::clone(&self.watch) });
        Own { session, watch, ..self.clone() }
    }

    /// Does something for as long as the database does not answer.
    async fn insist(self, what: impl AsyncFn(&Own) -> Result<Done>) -> Done {
        let mut patience = STATEMENTS;
        loop {
            let tried = timeout(patience, what(&self)).await;
            // It may only have been much to ask for.
            patience = (patience * 2).min(MOST_PATIENCE);
            match tried.unwrap_or_else(|_| Err(Error::internal("the database says nothing"))) {
                Ok(done) => return done,
                Err(Error::Unauthenticated) => return Done::Nobody,
                Err(error) => {
                    tracing::error!(error = ?error, "a subscriber could not be told; trying again");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    async fn rights(&self) -> Result<Session> {
        let credentials = self.session.credentials().clone();
        let actor = session::actor(self.operations.app(), &credentials).await?;
        Ok(Session::new(actor, credentials, self.session.expires_at()))
    }

    /// Tells what happened to an order of its own.
    async fn tell(&self, tidings: Tidings) -> Result<Done> {
        let at = tidings.position();
        let said = tell(&self.operations, &self.template, &self.session, vec![tidings]).await?;
        Ok(Done::Told(said.into_iter().map(|said| (at, said)).collect(), at))
    }

    /// Reads the log by itself, a page of it, with the rights that it has now.
    async fn catch_up(&self, after: Position) -> Result<Done> {
        let session = self.rights().await?;
        if self.template.key(&session) != self.template.key(&self.session) {
            return Ok(Done::Moved(session));
        }
        let page = self.operations.hub().page(&self.watch, after.seq).await?;
        let Some((mut tidings, last)) = page else { return Ok(Done::Told(Vec::new(), after)) };
        let mut until = last;
        if tidings.len() > BATCH {
            tidings.truncate(BATCH);
            until = tidings.last().map_or(until, |last| last.position());
        }
        let at: Vec<Position> = tidings.iter().map(|tidings| tidings.position()).collect();
        let said = match tidings.is_empty() {
            true => Vec::new(),
            false => tell(&self.operations, &self.template, &session, tidings).await?,
        };
        Ok(Done::Told(at.into_iter().zip(said).collect(), until))
    }
}

impl Subscriber {
    /// A subscription that has been opened, with what it said first.
    pub(super) fn new(
        own: Own,
        position: Position,
        first: Said,
        counted: metrics::Operation,
        place: Held,
    ) -> Subscriber {
        let left = own.session.expires_at() - own.operations.now();
        let expiry = Box::pin(sleep_until(Instant::now() + left.to_std().unwrap_or_default()));
        let member = own.join(position);
        // Equal subscriptions keep one request between them.
        let own = Own { template: member.teller().template.clone(), ..own };
        let queue = VecDeque::from([(position, first)]);
        Subscriber {
            own,
            member,
            queue,
            work: None,
            behind: None,
            expiry,
            is_over: false,
            counted,
            _place: place,
        }
    }

    /// The last thing that is said.
    fn end(&mut self, error: async_graphql::ServerError) -> Said {
        self.is_over = true;
        let response = Response::from_errors(vec![error]);
        self.counted.answered(fault::first_code(&response));
        Said::of(&response)
    }

    fn logged_out(&mut self) -> Said {
        self.end(fault::error("UNAUTHENTICATED", Error::Unauthenticated.to_string()))
    }

    /// Its group has gone on without it. It reads the log at its own pace, but not for ever.
    fn fall_behind(&mut self) -> Option<Said> {
        let since = *self.behind.get_or_insert_with(Instant::now);
        if !self.member.is_joining() && since.elapsed() > self.own.operations.hub().patience() {
            let message = "you read more slowly than things happen; subscribe again, after this cursor";
            let mut error = fault::error("TOO_SLOW", message.to_owned());
            let cursor = self.own.operations.app().keys.cursors().seal(self.member.position());
            error.extensions.get_or_insert_default().set("cursor", cursor);
            return Some(self.end(error));
        }
        let (own, after) = (self.own.clone(), self.member.position());
        self.work = Some(own.insist(async move |own| own.catch_up(after).await).boxed());
        None
    }

    fn finish(&mut self, done: Done) -> Option<Said> {
        match done {
            Done::Told(said, until) => {
                if said.is_empty() {
                    self.member.go_on_behind(until);
                }
                self.queue.extend(said);
                if let Some(last) = self.queue.back_mut() {
                    last.0 = until;
                }
            }
            Done::Moved(session) => {
                self.own = self.own.with(session);
                self.member = self.own.join(self.member.position());
            }
            Done::Nobody => return Some(self.logged_out()),
        }
        None
    }

    fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<Said> {
        if self.expiry.as_mut().poll(cx).is_ready() {
            return Poll::Ready(self.logged_out());
        }
        loop {
            if let Some((at, said)) = self.queue.pop_front() {
                self.member.go_on_behind(at);
                return Poll::Ready(said);
            }
            if let Some(work) = &mut self.work {
                let done = ready!(work.as_mut().poll(cx));
                self.work = None;
                if let Some(last) = self.finish(done) {
                    return Poll::Ready(last);
                }
                continue;
            }
            match self.member.poll_heard(cx) {
                Poll::Pending => {
                    self.behind = None;
                    return Poll::Pending;
                }
                Poll::Ready(Heard::Words(said)) => return Poll::Ready(said),
                Poll::Ready(Heard::Own(tidings)) => {
                    let own = self.own.clone();
                    self.work = Some(own.insist(async move |own| own.tell(tidings.clone()).await).boxed());
                }
                Poll::Ready(Heard::Behind) => {
                    if let Some(last) = self.fall_behind() {
                        return Poll::Ready(last);
                    }
                }
                Poll::Ready(Heard::Moved) => {
                    let own = self.own.clone();
                    self.work = Some(own.insist(async |own| own.rights().await.map(Done::Moved)).boxed());
                }
            }
        }
    }
}

impl Stream for Subscriber {
    type Item = Said;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Said>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let said = ready!(self.poll_said(cx));
        metrics::event_delivered();
        Poll::Ready(Some(said))
    }
}
