//! An order and what belongs to it: plain data that the store loads and saves.
//!
//! Only [`decide`] and [`admit`] can make a [`Decision`], and the store saves nothing else.
//! Nothing here reads a clock, a database or a random number.

mod action;
mod admit;
mod attempt;
mod claim;
mod command;
mod content;
mod decide;
mod decision;
mod edit;
mod effect;
mod filter;
mod guard;
mod inputs;
mod item;
mod lease;
mod migrate;
mod part;
mod place;
mod pricing;
mod removal;
mod retry;
mod schedule;
mod stall;
mod tally;
mod timer;
mod vocabulary;

use std::{collections::HashMap, fmt, str::FromStr};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

pub use action::{AvailableAction, available_actions, cancel_action};
pub use admit::{Admission, admit};
pub use claim::{Work, awaits_worker};
pub use command::{Assignee, Command, Failure, FreeText, Transition, limits};
pub use decide::{Setting, decide};
pub use decision::Decision;
pub use edit::{Change, Edit, LineEdit, Patch};
pub use filter::{Filter, Sight, Watch, sight};
pub use guard::Subject;
pub use inputs::{LineInputs, Sealed, check_inputs};
pub use item::Line;
pub use lease::{Claim, Hold, Renewal, lease, renew};
pub use migrate::{Passage, Step, migrate};
pub use part::{Address, Attempt, Contact, Invoice, Item, Note, Particulars, Payment, Refund, Resource};
pub use place::{Draft, DraftLine, place};
pub use schedule::{Plan, Schedule};
pub use stall::{Rest, rest};
pub use tally::{Seen, Tally};
pub use timer::{Around, Fired, Timers, fire};
pub use vocabulary::{
    ErrorCategory, InputsState, InvoiceState, ItemStatus, OrderKind, Outcome, PaymentMethod, ProductKind,
    ResourceState,
};

use crate::{
    actor::Parties,
    event::Facet,
    id::{OrderId, OrganizationId, ProductId},
    money::{Currency, UnitPrice},
    workflow::{Category, Definition},
};

/// The number people read out on the phone: ten digits, random, unique, never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderNumber(pub i64);

impl OrderNumber {
    /// The smallest.
    pub const MIN: OrderNumber = OrderNumber(1_000_000_000);
    /// How many there are.
    const SPAN: u64 = 9_000_000_000;

    /// The nth number, counted round.
    pub fn nth(self, n: u64) -> OrderNumber {
        OrderNumber(OrderNumber::MIN.0 + (n % OrderNumber::SPAN) as i64)
    }
}

impl fmt::Display for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}", self.0)
    }
}

impl fmt::Debug for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for OrderNumber {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Some(text)
            .filter(|text| text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|text| text.parse().ok())
            .map(OrderNumber)
            .ok_or_else(|| "an order number has ten digits".to_owned())
    }
}

/// What lists, scope and rules read of an order: one row, narrow.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Its id; carries the creation time.
    pub id: OrderId,
    /// Its number.
    pub number: OrderNumber,
    /// What it does to its resources.
    pub kind: OrderKind,
    /// The customer's or another system's reference; unique per customer.
    pub external_reference: Option<String>,
    /// Grows by one per event.
    pub version: i64,
    /// The workflow's code.
    pub workflow: String,
    /// The workflow's version that the order was placed under.
    pub workflow_version: i32,
    /// Status code.
    pub status: String,
    /// The status's category.
    pub category: Category,
    /// When the status last changed.
    pub status_changed_at: DateTime<Utc>,
    /// When it will have rested in its status for too long; none where it may rest for ever, and once that has
    /// been told.
    pub stalls_at: Option<DateTime<Utc>>,
    /// When it is to be looked at whether it has expired; none where nothing lets it.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When anything last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was submitted; prices are frozen from then on.
    pub placed_at: Option<DateTime<Utc>>,
    /// When it last ended, well or badly; empty while work goes on.
    pub completed_at: Option<DateTime<Utc>>,
    /// The day until which it is wanted.
    pub expires_on: Option<NaiveDate>,
    /// When it was deleted.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Who is who.
    pub parties: Parties,
    /// The one currency of all amounts.
    pub currency: Currency,
    /// Sum of quantity times unit price, minor units.
    pub subtotal: i64,
    /// Taken off, minor units.
    pub discount: i64,
    /// Tax, rounded per line, minor units.
    pub tax: i64,
    /// Delivery fee, minor units.
    pub delivery_fee: i64,
    /// `subtotal - discount + tax + delivery_fee`.
    pub total: i64,
    /// Payments less refunds.
    pub paid: i64,
    /// Tags.
    pub tags: Vec<String>,
}

impl Head {
    /// What is still to be paid; negative is a credit.
    pub fn due(&self) -> i64 {
        self.total - self.paid
    }

    /// Whether lists show it unless told otherwise.
    pub fn listed(&self) -> bool {
        self.deleted_at.is_none() && self.category != Category::Archived
    }

    /// Whether it has been in its status for longer than the workflow expects.
    pub fn is_stalled(&self, workflow: &Definition, now: DateTime<Utc>) -> bool {
        self.rests_until(workflow).is_some_and(|until| now > until)
    }

    /// Until when it may rest in its status; for ever where the workflow does not say.
    fn rests_until(&self, workflow: &Definition) -> Option<DateTime<Utc>> {
        let minutes = workflow.status(&self.status)?.stalls_after_min?;
        self.status_changed_at.checked_add_signed(TimeDelta::minutes(minutes.into()))
    }

    /// The columns that scope and live filters read.
    pub fn facet(&self, workflow: &Definition) -> Facet {
        let status = workflow.status(&self.status);
        let public_status = status.map_or(self.status.as_str(), |status| status.public_code());
        let public_category = status.map_or(self.category, |status| workflow.face(status).category);
        Facet {
            parties: self.parties,
            workflow: self.workflow.clone(),
            status: self.status.clone(),
            public_status: public_status.to_owned(),
            category: self.category,
            public_category,
            currency: self.currency,
            total: self.total,
            paid: self.paid,
            tags: self.tags.clone(),
            deleted: self.deleted_at.is_some(),
        }
    }
}

/// An order with all that a decision may read or change.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The order itself.
    pub head: Head,
    /// Its lines, by position.
    pub items: Vec<Item>,
    /// What the lines provide.
    pub resources: Vec<Resource>,
    /// Every attempt, oldest first.
    pub attempts: Vec<Attempt>,
    /// The newest invoice.
    pub invoice: Option<Invoice>,
    /// Money received, oldest first.
    pub payments: Vec<Payment>,
    /// Money given back, oldest first.
    pub refunds: Vec<Refund>,
    /// Notes that this decision writes; earlier ones are not loaded.
    pub notes: Vec<Note>,
    /// Actions wanted later, the next one first; loaded only for what concerns them.
    pub schedules: Vec<Schedule>,
}

/// A product as the catalogue has it now.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// Who provides it.
    pub provider: OrganizationId,
    /// The workflow that its orders follow.
    pub workflow: String,
    /// Its kind.
    pub kind: ProductKind,
    /// Stock keeping unit, unique per provider.
    pub sku: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Currency of its price.
    pub currency: Currency,
    /// Price of one.
    pub unit_price: UnitPrice,
    /// Tax in millionths of the net amount.
    pub tax_rate: i64,
    /// Whether somebody at the customer has to approve an order.
    pub needs_consumer_approval: bool,
    /// Whether the provider has to approve an order.
    pub needs_provider_approval: bool,
    /// Whether it can be ordered.
    pub active: bool,
}

/// What a decision reads besides the order.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The products of the order's lines, by id.
    pub products: HashMap<ProductId, Product>,
    /// Today, in the customer's time zone.
    pub today: NaiveDate,
    /// Whether orders expire by themselves.
    pub expiry_enabled: bool,
}
