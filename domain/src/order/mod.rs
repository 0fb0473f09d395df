//! An order and what belongs to it: plain data that the store loads and saves.
//!
//! Only [`decide`] and [`admit`] can make a [`Decision`], and the store saves nothing else.
//! Nothing here reads a clock, a database or a random number.

mod action;
mod admit;
mod command;
mod decide;
mod decision;
mod effect;
mod filter;
mod guard;
mod place;
mod pricing;

use std::{collections::HashMap, fmt, str::FromStr};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

pub use action::{AvailableAction, available_actions, cancel_action};
pub use admit::{Admission, admit};
pub use command::{Assignee, Command, Failure, FreeText, Transition, limits};
pub use decide::{Setting, decide};
pub use decision::Decision;
pub use filter::{Filter, Sight, Watch, sight};
pub use guard::Subject;
pub use place::{Draft, DraftLine, place};

use crate::{
    actor::Parties,
    event::{Audience, Facet},
    id::{
        AttemptId, InvoiceId, ItemId, NoteId, OrderId, OrganizationId, PaymentId, ProductId, RefundId,
        ResourceId, UserId,
    },
    money::{Currency, UnitPrice},
    workflow::{Category, Definition},
};

macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)*
        }
        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];
            /// The name in the database and in the API.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }
            /// The value of this name.
            pub fn parse(name: &str) -> Option<$name> {
                match name { $($text => Some($name::$variant),)* _ => None }
            }
        }
    };
}

named_enum! {
    /// What an order does to its resources.
    OrderKind {
        /// Brings a resource into being.
        Create = "CREATE",
        /// Changes an existing one.
        Update = "UPDATE",
        /// Ends an existing one.
        Terminate = "TERMINATE",
        /// Sells goods; there is no resource.
        Sale = "SALE",
    }
}

named_enum! {
    /// The kind of a product, which decides how its orders are carried out.
    ProductKind {
        /// Carried out by people.
        Basic = "BASIC",
        /// An allocation on a cluster, carried out by people or a site agent.
        Slurm = "SLURM",
        /// A virtual machine.
        Vps = "VPS",
        /// A hosting account.
        Hosting = "HOSTING",
        /// A domain name.
        Domain = "DOMAIN",
        /// Goods that are delivered.
        Physical = "PHYSICAL",
    }
}

named_enum! {
    /// Where one line stands; apart from the order's status.
    ItemStatus {
        /// Nothing has begun.
        Pending = "PENDING",
        /// An attempt is running.
        Provisioning = "PROVISIONING",
        /// Delivered and in use.
        Active = "ACTIVE",
        /// The last attempt failed.
        Failed = "FAILED",
        /// Cancelled before it was active.
        Cancelled = "CANCELLED",
        /// Was active, and has been ended.
        Terminated = "TERMINATED",
    }
}

named_enum! {
    /// The state of a resource.
    ResourceState {
        /// Coming into being.
        Creating = "CREATING",
        /// In use.
        Ok = "OK",
        /// Changing.
        Updating = "UPDATING",
        /// Coming to its end.
        Terminating = "TERMINATING",
        /// The last attempt on it failed.
        Erred = "ERRED",
        /// Gone.
        Terminated = "TERMINATED",
    }
}

named_enum! {
    /// How an attempt ended.
    Outcome {
        /// It has not ended.
        Running = "RUNNING",
        /// It delivered.
        Succeeded = "SUCCEEDED",
        /// It failed.
        Failed = "FAILED",
        /// The order was cancelled or reset under it.
        Abandoned = "ABANDONED",
    }
}

named_enum! {
    /// What a failure was due to, as told by whoever reports it.
    ErrorCategory {
        /// Not enough of a resource.
        Capacity = "CAPACITY",
        /// The order or offering is configured wrongly.
        Configuration = "CONFIGURATION",
        /// The provisioning machinery failed.
        Infrastructure = "INFRASTRUCTURE",
        /// Anything else, and what is not told.
        Other = "OTHER",
    }
}

named_enum! {
    /// The state of an invoice.
    InvoiceState {
        /// Opened, may still change.
        Open = "OPEN",
        /// Issued and to be paid.
        Issued = "ISSUED",
        /// Covered by payments.
        Paid = "PAID",
        /// Cancelled.
        Cancelled = "CANCELLED",
        /// Paid once, and given back.
        Refunded = "REFUNDED",
    }
}

named_enum! {
    /// How money came in.
    PaymentMethod {
        /// Cash.
        Cash = "CASH",
        /// Card.
        Card = "CARD",
        /// Bank transfer.
        Transfer = "TRANSFER",
        /// Card terminal at the counter or door.
        Pos = "POS",
    }
}

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
        workflow
            .status(&self.status)
            .and_then(|status| status.stalls_after_min)
            .is_some_and(|minutes| now - self.status_changed_at > TimeDelta::minutes(minutes.into()))
    }

    /// The columns that scope and live filters read.
    pub fn facet(&self, workflow: &Definition) -> Facet {
        let public_status = workflow.status(&self.status).map_or(self.status.as_str(), |s| s.public_code());
        Facet {
            parties: self.parties,
            workflow: self.workflow.clone(),
            status: self.status.clone(),
            public_status: public_status.to_owned(),
            category: self.category,
            currency: self.currency,
            total: self.total,
            paid: self.paid,
            tags: self.tags.clone(),
            deleted: self.deleted_at.is_some(),
        }
    }
}

/// A postal address, as it was when the order was placed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// Addressee.
    pub name: String,
    /// Street, house number, floor: up to four lines.
    pub lines: Vec<String>,
    /// Town.
    pub city: String,
    /// Postal code.
    pub postal_code: String,
    /// State, province or region.
    pub region: String,
    /// Country, ISO 3166-1 alpha-2.
    pub country: String,
}

/// Whom to reach about the order, as it was when the order was placed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contact {
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// Telephone number.
    pub phone: String,
}

/// What only the order's page shows: written once, when it is placed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Particulars {
    /// Whom to reach.
    pub contact: Contact,
    /// Where to deliver.
    pub shipping_address: Option<Address>,
    /// Whom to bill.
    pub billing_address: Option<Address>,
    /// What the customer wrote.
    pub customer_note: Option<String>,
    /// How the customer means to pay.
    pub payment_method: Option<PaymentMethod>,
    /// Where the order came from.
    pub client_ip: Option<String>,
    /// Anything else, typed by nobody.
    pub metadata: Option<serde_json::Value>,
}

/// What an item provides.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its id.
    pub id: ResourceId,
    /// The product it is an instance of.
    pub product: ProductId,
    /// Who runs it.
    pub provider: OrganizationId,
    /// Who uses it.
    pub customer: OrganizationId,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: ResourceState,
    /// Its state before the order that is working on it.
    pub previous_state: Option<ResourceState>,
    /// Its id at the provider's backend.
    pub backend_id: Option<String>,
    /// When it came to be.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// One line. Name, SKU, configuration and price are snapshots and outlive the product.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its id.
    pub id: ItemId,
    /// From 1, without gaps.
    pub position: i32,
    /// The product, while the catalogue knows it.
    pub product: Option<ProductId>,
    /// The product's name.
    pub name: String,
    /// The product's SKU.
    pub sku: String,
    /// What was configured: vCPU, memory, storage.
    pub configuration: serde_json::Value,
    /// How many, at least 1.
    pub quantity: i64,
    /// Price of one.
    pub unit_price: UnitPrice,
    /// Tax in millionths of the net amount.
    pub tax_rate: i64,
    /// Taken off this line, minor units.
    pub discount: i64,
    /// Tax on this line, minor units.
    pub tax: i64,
    /// Quantity times unit price less discount, before tax, minor units.
    pub line_total: i64,
    /// Where the line stands.
    pub status: ItemStatus,
    /// What it provides, once work on it has begun.
    pub resource: Option<ResourceId>,
}

/// One run at provisioning an item. A retry opens the next one and leaves this untouched.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// The item.
    pub item: ItemId,
    /// From 1, per item.
    pub number: i32,
    /// The status the order was in when the attempt last moved.
    pub stage: String,
    /// How it ended.
    pub outcome: Outcome,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// What went wrong.
    pub failure: Option<Failure>,
}

/// What is to be paid for an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Invoice {
    /// Its id.
    pub id: InvoiceId,
    /// Its number, unique.
    pub number: String,
    /// Its state.
    pub state: InvoiceState,
    /// Its total in minor units of the order's currency.
    pub total: i64,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When it was issued.
    pub issued_at: Option<DateTime<Utc>>,
    /// When payments covered it.
    pub paid_at: Option<DateTime<Utc>>,
    /// When it was cancelled.
    pub cancelled_at: Option<DateTime<Utc>>,
}

/// Money received.
#[derive(Clone, Debug, PartialEq)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// Minor units of the order's currency, above zero.
    pub amount: i64,
    /// How.
    pub method: PaymentMethod,
    /// Through which gateway; `manual` is by hand.
    pub gateway: String,
    /// The bank's or gateway's reference.
    pub reference: Option<String>,
    /// Who recorded it.
    pub recorded_by: Option<UserId>,
    /// When.
    pub recorded_at: DateTime<Utc>,
}

/// Money given back.
#[derive(Clone, Debug, PartialEq)]
pub struct Refund {
    /// Its id.
    pub id: RefundId,
    /// The payment it gives back.
    pub payment: PaymentId,
    /// Minor units of the order's currency, above zero.
    pub amount: i64,
    /// Why.
    pub reason: Option<String>,
    /// Who recorded it.
    pub recorded_by: Option<UserId>,
    /// When.
    pub recorded_at: DateTime<Utc>,
}

/// What somebody wrote about an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Its id.
    pub id: NoteId,
    /// The text.
    pub body: String,
    /// Who reads it.
    pub audience: Audience,
    /// Who wrote it.
    pub author: Option<UserId>,
    /// When.
    pub created_at: DateTime<Utc>,
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
