//! What belongs to an order: its lines, what they provide, the attempts at it, the money, the notes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Claim, ErrorCategory, Failure, InputsState, InvoiceState, ItemStatus, Outcome, PaymentMethod,
    ResourceState,
};
use crate::{
    event::Audience,
    id::{
        AttemptId, InvoiceId, ItemId, NoteId, OrderId, OrganizationId, PaymentId, ProductId, RefundId,
        ResourceId, UserId,
    },
    money::UnitPrice,
};

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

/// What only the order's page shows.
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
    /// The order that has not finished with it, if there is one; see [`Item::holds`].
    pub held_by: Option<OrderId>,
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
    /// From 1; lines that were taken away leave gaps.
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
    /// Whether work on its resource is under way or still to come: no two lines hold one resource.
    pub holds: bool,
    /// How many attempts at it there were.
    pub attempts: i32,
    /// What the last attempt failed of; only while the line is FAILED.
    pub failed_of: Option<ErrorCategory>,
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
    /// Which worker holds it; only while it runs.
    pub claim: Option<Claim>,
    /// Grows by one with each claim on an attempt at the item, through all retries: what is done in the name
    /// of a smaller one comes too late.
    pub fence: i64,
    /// What became of the inputs it was begun with; none when it was begun without.
    pub inputs: Option<InputsState>,
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
