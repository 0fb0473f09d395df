//! The timeline of an order, and the notes in it.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};
use domain::{
    event::{self, Detail, EventKind as Kind},
    id::UserId,
    order::Note,
    permission::{self, Field},
    role::RoleSet,
    workflow::Definition,
};

use super::{
    Order,
    edit::OrderFieldChange,
    money::{Money, author},
    schedule::OrderEventSchedule,
    store,
};
use crate::{
    app::App,
    bus::Cursors,
    graphql::{
        failure::{Failure, Result},
        people::User,
        scalar::DateTime,
        siblings::Siblings,
        workflow::OrderStatus,
    },
    store::{
        event::{Logged, Position},
        people,
    },
};

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Kind")]
pub enum OrderEventKind {
    /// The order was placed.
    Created,
    /// The order came from outside: an import, another system.
    Imported,
    /// The order moved to another status.
    StatusChanged,
    /// Something else about the order changed: its lines, an attempt at it.
    Updated,
    /// The order has rested in a status for longer than its workflow allows.
    Stalled,
    /// A representative or delivery agent was set or taken away.
    Assigned,
    /// Somebody wrote a note.
    Note,
    /// Money was received.
    Payment,
    /// Money was given back.
    Refund,
    /// The order was deleted.
    Deleted,
    /// A deleted order came back.
    Restored,
    /// The order was removed for good.
    Purged,
    /// Somebody wants an action taken later.
    Scheduled,
    /// A scheduled action was called off.
    Unscheduled,
    /// The time of a scheduled action came, and it was not possible (any more).
    Lapsed,
}

/// Who, at the widest, reads an event or note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "event::Audience", name = "NoteAudience")]
pub enum Audience {
    /// Everybody on the order, the customer too.
    Public,
    /// The provider and the operator.
    Provider,
    /// The operator alone.
    Staff,
}

/// Whether somebody with this standing reads what is for this audience.
pub(super) fn readable(audience: event::Audience, standing: RoleSet) -> bool {
    permission::covers(permission::reads(audience), standing)
}

/// One entry of an order's timeline.
#[derive(Clone, Debug)]
pub struct OrderEvent {
    logged: Logged,
    order: Order,
    people: Arc<Siblings<people::User>>,
}

impl OrderEvent {
    /// An event of this order, among others done by these people.
    pub fn new(logged: Logged, order: Order, people: Arc<Siblings<people::User>>) -> OrderEvent {
        OrderEvent { logged, order, people }
    }

    /// An event alone.
    pub fn single(logged: Logged, order: Order) -> OrderEvent {
        let people = Arc::new(Siblings::new(logged.event.actor));
        OrderEvent { logged, order, people }
    }

    /// A status named by the event, as the viewer sees it.
    async fn status(&self, ctx: &Context<'_>, code: Option<&String>) -> Option<Result<OrderStatus>> {
        let code = code?;
        let workflow = self.told_in(ctx, code).await;
        Some(workflow.map(|workflow| OrderStatus::of(&workflow, code, self.order.internal())))
    }

    /// The version of the order's workflow that has a status which the event names. Since then the order may have
    /// gone to a version that has not.
    async fn told_in(&self, ctx: &Context<'_>, code: &str) -> Result<Arc<Definition>> {
        let workflow = self.order.workflow(ctx).await?;
        if workflow.status(code).is_some() {
            return Ok(workflow);
        }
        let book = ctx.data_unchecked::<App>().book.now();
        let older = book.status_seen_as(&workflow.code, code, true).map(|(older, _)| older.version as i32);
        let older = older.and_then(|version| book.version(&workflow.code, version).cloned());
        Ok(older.unwrap_or(workflow))
    }

    async fn assignee(&self, ctx: &Context<'_>, id: Option<UserId>) -> Option<Result<User>> {
        let id = id?;
        let found = people::users(store(ctx), &[id]).await.map_err(Failure::from);
        found.map(|mut users| users.remove(&id).map(User::from)).transpose()
    }
}

/// One entry of an order's timeline.
#[Object]
impl OrderEvent {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.logged.event.id.to_string().into()
    }

    /// What kind of thing happened.
    async fn kind(&self) -> OrderEventKind {
        self.logged.event.kind.into()
    }

    /// The order's version since then.
    async fn version(&self) -> i32 {
        i32::try_from(self.logged.event.version).unwrap_or(i32::MAX)
    }

    /// The workflow's action, for a change of status; to buyers the one that the public statuses tell of.
    async fn action(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        let event = &self.logged.event;
        let action = event.action.as_deref()?;
        let (Some(from), Some(to), false) = (&event.from, &event.to, self.order.internal()) else {
            return Some(Ok(action.to_owned()));
        };
        let workflow = self.told_in(ctx, to).await;
        workflow.map(|workflow| workflow.public_action(action, from, to).map(str::to_owned)).transpose()
    }

    /// The status before, for a change of status.
    async fn from(&self, ctx: &Context<'_>) -> Option<Result<OrderStatus>> {
        self.status(ctx, self.logged.event.from.as_ref()).await
    }

    /// The status after.
    async fn to(&self, ctx: &Context<'_>) -> Option<Result<OrderStatus>> {
        self.status(ctx, self.logged.event.to.as_ref()).await
    }

    /// Who did it; null when the product itself did.
    async fn actor(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let id = self.logged.event.actor?;
        let found = self.people.get(store(ctx), id).await.map_err(Failure::from);
        found.map(|user| user.map(User::from)).transpose()
    }

    /// Why; customers read it where it is meant for them.
    async fn reason(&self) -> Option<&str> {
        let event = &self.logged.event;
        event.reason.as_deref().filter(|_| event.reason_public || self.order.internal())
    }

    /// When.
    async fn at(&self) -> DateTime {
        DateTime(self.logged.event.at)
    }

    /// How much, for a payment or refund; not for those who deliver.
    async fn amount(&self) -> Option<Money> {
        if !self.order.shows(Field::Commerce) {
            return None;
        }
        match self.logged.event.detail {
            Some(Detail::Payment { amount, .. } | Detail::Refund { amount, .. }) => {
                Some(Money::new(amount.minor, amount.currency))
            }
            _ => None,
        }
    }

    /// Who the order was given to, for an assignment.
    async fn assigned_to(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        match self.logged.event.detail {
            Some(Detail::Csr { to, .. } | Detail::Agent { to, .. }) => self.assignee(ctx, to).await,
            _ => None,
        }
    }

    /// What changed, for an edit: of that what this viewer sees of the order.
    async fn changes(&self, ctx: &Context<'_>) -> Option<Result<Vec<OrderFieldChange>>> {
        let Some(Detail::Edited) = self.logged.event.detail else { return None };
        let edits = match self.order.batch.edits.get(store(ctx), self.order.head.id).await {
            Ok(edits) => edits?,
            Err(error) => return Some(Err(error.into())),
        };
        let changes = edits.get(&self.logged.event.id)?;
        Some(Ok(OrderFieldChange::shown(changes, self.order.standing)))
    }

    /// The schedule that it is about: made, called off, carried out or lapsed. Null for whoever may not know of it.
    async fn schedule(&self) -> Option<OrderEventSchedule> {
        OrderEventSchedule::of(self.logged.event.detail.as_ref()?, self.order.standing)
    }

    /// The note that was written.
    async fn note(&self, ctx: &Context<'_>) -> Option<Result<OrderNote>> {
        let Some(Detail::Note { id }) = self.logged.event.detail else { return None };
        let notes = match self.order.batch.notes.get(store(ctx), self.order.head.id).await {
            Ok(notes) => notes?,
            Err(error) => return Some(Err(error.into())),
        };
        let note = notes.iter().find(|note| note.id == id)?;
        readable(note.audience, self.order.standing)
            .then(|| Ok(OrderNote::new(note.clone(), self.order.clone())))
    }

    /// Where the live feed goes on after this event; null until the log has given it its place.
    async fn cursor(&self, ctx: &Context<'_>) -> Option<String> {
        let position = Position { seq: self.logged.seq?, event: self.logged.event.id };
        Some(ctx.data_unchecked::<Cursors>().seal(position))
    }
}

/// What somebody wrote about an order.
#[derive(Clone, Debug)]
pub struct OrderNote {
    note: Note,
    order: Order,
}

impl OrderNote {
    /// A note on this order.
    pub fn new(note: Note, order: Order) -> OrderNote {
        OrderNote { note, order }
    }
}

/// What somebody wrote about an order.
#[Object]
impl OrderNote {
    /// Its id.
    async fn id(&self) -> ID {
        self.note.id.to_string().into()
    }

    /// The text.
    async fn body(&self) -> &str {
        &self.note.body
    }

    /// Who reads it.
    async fn audience(&self) -> Audience {
        self.note.audience.into()
    }

    /// Who wrote it.
    async fn author(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        author(ctx, &self.order, self.note.author).await
    }

    /// When.
    async fn created_at(&self) -> DateTime {
        DateTime(self.note.created_at)
    }
}
