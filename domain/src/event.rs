//! What happened to an order: timeline, audit trail and live feed are this one row.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    actor::Parties,
    id::{AttemptId, EventId, NoteId, OrderId, PaymentId, RefundId, ScheduleId, UserId},
    money::{Currency, Money},
    workflow::Category,
};

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventKind {
    /// The order was placed.
    Created,
    /// The order came from outside: an import, the demo, another system.
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
    /// The order was removed for good; this is its last event.
    Purged,
    /// Somebody wants an action taken later.
    Scheduled,
    /// A scheduled action was called off.
    Unscheduled,
    /// The time of a scheduled action came, and it was not possible (any more).
    Lapsed,
}

impl EventKind {
    /// All of them.
    pub const ALL: [EventKind; 15] = [
        EventKind::Created,
        EventKind::Imported,
        EventKind::StatusChanged,
        EventKind::Updated,
        EventKind::Stalled,
        EventKind::Assigned,
        EventKind::Note,
        EventKind::Payment,
        EventKind::Refund,
        EventKind::Deleted,
        EventKind::Restored,
        EventKind::Purged,
        EventKind::Scheduled,
        EventKind::Unscheduled,
        EventKind::Lapsed,
    ];

    /// The name in the database and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            EventKind::Created => "CREATED",
            EventKind::Imported => "IMPORTED",
            EventKind::StatusChanged => "STATUS_CHANGED",
            EventKind::Updated => "UPDATED",
            EventKind::Stalled => "STALLED",
            EventKind::Assigned => "ASSIGNED",
            EventKind::Note => "NOTE",
            EventKind::Payment => "PAYMENT",
            EventKind::Refund => "REFUND",
            EventKind::Deleted => "DELETED",
            EventKind::Restored => "RESTORED",
            EventKind::Purged => "PURGED",
            EventKind::Scheduled => "SCHEDULED",
            EventKind::Unscheduled => "UNSCHEDULED",
            EventKind::Lapsed => "LAPSED",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Who, at the widest, may read an event or note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Audience {
    /// Everybody on the order, the customer too.
    Public,
    /// The provider and the operator.
    Provider,
    /// The operator alone.
    Staff,
}

impl Audience {
    /// All of them.
    pub const ALL: [Audience; 3] = [Audience::Public, Audience::Provider, Audience::Staff];

    /// The name in the database and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Audience::Public => "PUBLIC",
            Audience::Provider => "PROVIDER",
            Audience::Staff => "STAFF",
        }
    }

    /// The audience of this name.
    pub fn parse(name: &str) -> Option<Audience> {
        Audience::ALL.into_iter().find(|audience| audience.name() == name)
    }
}

/// What an event says besides its kind. Ids and amounts only: names, addresses and free text stay in
/// rows that can be erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Detail {
    /// The representative changed.
    Csr {
        /// Who it was.
        from: Option<UserId>,
        /// Who it is.
        to: Option<UserId>,
    },
    /// The delivery agent changed.
    Agent {
        /// Who it was.
        from: Option<UserId>,
        /// Who it is.
        to: Option<UserId>,
    },
    /// A note was written.
    Note {
        /// Which.
        id: NoteId,
    },
    /// Money was received.
    Payment {
        /// Which payment.
        id: PaymentId,
        /// How much.
        amount: Money,
    },
    /// Money was given back.
    Refund {
        /// Which refund.
        id: RefundId,
        /// How much.
        amount: Money,
    },
    /// What the order says was changed; how is kept where it can be erased.
    Edited,
    /// An attempt at a line was claimed, or ended by itself.
    Attempt {
        /// Which.
        id: AttemptId,
    },
    /// An action was scheduled, called off, taken at its time, or not possible then.
    Schedule {
        /// Which schedule.
        id: ScheduleId,
        /// The workflow's action.
        action: String,
        /// When it was to be taken.
        scheduled_at: DateTime<Utc>,
        /// Who, at the widest, knows of the schedule.
        audience: Audience,
        /// Why it was not taken: the code of the refusal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
    },
}

/// Every column of an order that scope or a live filter reads. An event carries it before and after,
/// so that entering and leaving a list is decided without any memory of the subscriber.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facet {
    /// Who is who.
    #[serde(flatten)]
    pub parties: Parties,
    /// The workflow's code.
    pub workflow: String,
    /// The status.
    pub status: String,
    /// The status as buyers see it.
    pub public_status: String,
    /// The status's category.
    pub category: Category,
    /// The category as buyers see it.
    pub public_category: Category,
    /// The order's currency.
    pub currency: Currency,
    /// The order's total, minor units.
    pub total: i64,
    /// What is paid, minor units.
    pub paid: i64,
    /// Tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whether it is deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

/// One entry of an order's timeline. `before` of an event equals `after` of the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id outside; the low half of it is part of a cursor.
    pub id: EventId,
    /// The order.
    pub order: OrderId,
    /// The order's version once this event has happened: one more than before it.
    pub version: i64,
    /// What happened.
    pub kind: EventKind,
    /// The workflow's action, for a change of status.
    pub action: Option<String>,
    /// The status before, for a change of status.
    pub from: Option<String>,
    /// The status after.
    pub to: Option<String>,
    /// Who; none is the product itself.
    pub actor: Option<UserId>,
    /// Why, in the actor's words.
    pub reason: Option<String>,
    /// Whether the customer reads the reason.
    pub reason_public: bool,
    /// Who reads the event.
    pub audience: Audience,
    /// The rest.
    pub detail: Option<Detail>,
    /// The order before; none when it did not exist.
    pub before: Option<Facet>,
    /// The order after.
    pub after: Option<Facet>,
    /// When.
    pub at: DateTime<Utc>,
}
