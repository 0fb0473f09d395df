//! The answers' types: the very JSON that Ordo gives to the same question.

use serde::Serialize;

/// `{"data": …}`.
#[derive(Serialize)]
pub struct Data<T> {
    pub data: T,
}

/// A page.
#[derive(Serialize)]
pub struct Page {
    pub orders: Nodes<Row>,
}

/// A list.
#[derive(Serialize)]
pub struct Nodes<T> {
    pub nodes: Vec<T>,
}

/// An order of a page.
#[derive(Serialize)]
pub struct Row {
    pub number: String,
    pub status: Code,
    pub customer: Named,
    pub pricing: Pricing,
    pub items: Nodes<Line>,
}

/// A line of a page.
#[derive(Serialize)]
pub struct Line {
    pub quantity: i64,
    pub product: Option<Named>,
}

/// A status.
#[derive(Serialize)]
pub struct Code {
    pub code: String,
}

/// Whatever has a name.
#[derive(Serialize)]
pub struct Named {
    pub name: String,
}

/// What it costs.
#[derive(Serialize)]
pub struct Pricing {
    pub total: Money,
}

/// An amount.
#[derive(Serialize)]
pub struct Money {
    pub amount: String,
    pub currency: String,
}

impl Money {
    /// Of a currency with two decimals, as all are here.
    pub fn new(minor: i64, currency: String) -> Money {
        Money { amount: format!("{}.{:02}", minor / 100, minor % 100), currency }
    }
}

/// One order.
#[derive(Serialize)]
pub struct One {
    pub order: Order,
}

/// An order with its lines and timeline.
#[derive(Serialize)]
pub struct Order {
    pub number: String,
    pub version: i64,
    pub status: Code,
    pub customer: Named,
    pub provider: Named,
    pub pricing: Pricing,
    pub items: Nodes<PricedLine>,
    pub timeline: Nodes<Event>,
}

/// A line of an order.
#[derive(Serialize)]
pub struct PricedLine {
    pub quantity: i64,
    #[serde(rename = "lineTotal")]
    pub line_total: Money,
    pub product: Option<Named>,
}

/// An entry of a timeline.
#[derive(Serialize)]
pub struct Event {
    pub kind: String,
    pub version: i64,
    pub at: String,
    pub from: Option<Code>,
    pub to: Option<Code>,
    pub actor: Option<Named>,
}

/// What a transition comes to.
#[derive(Serialize)]
pub struct Transition {
    #[serde(rename = "orderTransition")]
    pub transition: Moved,
}

/// An order that was moved.
#[derive(Serialize)]
pub struct Moved {
    pub order: Version,
    pub errors: [(); 0],
}

/// Where it is now.
#[derive(Serialize)]
pub struct Version {
    pub version: i64,
    pub status: Code,
}
