//! Money: prices of an order, invoices, payments, refunds.

use async_graphql::{Context, Enum, ID, InputObject, Object, ScalarType, SimpleObject, Value};
use domain::{
    money::Currency,
    order::{self, Head},
};

use super::{Order, store};
use crate::{
    error::{Error, Result as Checked},
    graphql::{
        at_hand::{Asked, Plain, within},
        failure::{Failure, Result},
        people::User,
        scalar::{CurrencyCode, DateTime, Decimal},
        siblings::One,
    },
};
use domain::refusal::Refusal;

/// An amount of money.
#[derive(Clone, Debug, SimpleObject)]
pub struct Money {
    /// The exact amount, as a decimal string with the currency's decimals.
    pub amount: Decimal,
    /// Its currency.
    pub currency: CurrencyCode,
}

impl Money {
    /// From minor units.
    pub fn new(minor: i64, currency: Currency) -> Money {
        let money = domain::money::Money::new(minor, currency);
        Money { amount: Decimal(money.decimal()), currency: CurrencyCode(currency) }
    }
}

impl Plain for Money {
    fn plain(&self, field: &Asked) -> Option<Value> {
        match field.name.node.as_str() {
            "amount" => Some(self.amount.to_value()),
            "currency" => Some(self.currency.to_value()),
            _ => None,
        }
    }
}

/// An amount of money.
#[derive(Clone, Debug, InputObject)]
pub struct MoneyInput {
    /// The exact amount, as a decimal string.
    pub amount: Decimal,
    /// Its currency.
    pub currency: CurrencyCode,
}

impl MoneyInput {
    /// The amount in minor units; more decimals than the currency has are refused.
    ///
    /// # Errors
    /// VALIDATION at `path.amount`.
    pub fn read(&self, path: &str) -> Checked<domain::money::Money> {
        domain::money::Money::from_decimal(self.amount.0, self.currency.0)
            .map_err(|message| Error::from(Refusal::invalid(&format!("{path}.amount"), message)))
    }
}

/// What an order costs. Tax is rounded per line, so that lines add up.
#[derive(Clone, Debug, SimpleObject)]
pub struct OrderPricing {
    /// Sum of quantity times unit price.
    pub subtotal: Money,
    /// Taken off.
    pub discount: Money,
    /// Tax.
    pub tax: Money,
    /// Delivery fee.
    pub delivery_fee: Money,
    /// Subtotal less discount, plus tax and delivery fee.
    pub total: Money,
    /// Payments less refunds.
    pub paid: Money,
    /// What is still to be paid; negative is a credit.
    pub due: Money,
}

impl OrderPricing {
    /// The prices of an order.
    pub fn of(head: &Head) -> OrderPricing {
        let money = |minor| Money::new(minor, head.currency);
        OrderPricing {
            subtotal: money(head.subtotal),
            discount: money(head.discount),
            tax: money(head.tax),
            delivery_fee: money(head.delivery_fee),
            total: money(head.total),
            paid: money(head.paid),
            due: money(head.due()),
        }
    }
}

impl Plain for OrderPricing {
    fn plain(&self, field: &Asked) -> Option<Value> {
        let money = match field.name.node.as_str() {
            "subtotal" => &self.subtotal,
            "discount" => &self.discount,
            "tax" => &self.tax,
            "deliveryFee" => &self.delivery_fee,
            "total" => &self.total,
            "paid" => &self.paid,
            "due" => &self.due,
            _ => return None,
        };
        within(money, field)
    }
}

/// The state of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "order::InvoiceState")]
pub enum InvoiceState {
    /// Opened, may still change.
    Open,
    /// Issued and to be paid.
    Issued,
    /// Covered by payments.
    Paid,
    /// Cancelled.
    Cancelled,
    /// Paid once, and given back.
    Refunded,
}

/// What is to be paid for an order.
#[derive(Clone, Debug, SimpleObject)]
pub struct Invoice {
    /// Its id.
    id: ID,
    /// Its number, unique.
    number: String,
    /// Its state.
    state: InvoiceState,
    /// Its total.
    total: Money,
    /// When it was opened.
    opened_at: DateTime,
    /// When it was issued.
    issued_at: Option<DateTime>,
    /// When payments covered it.
    paid_at: Option<DateTime>,
    /// When it was cancelled.
    cancelled_at: Option<DateTime>,
}

impl Invoice {
    /// An invoice of an order in this currency.
    pub fn new(invoice: &order::Invoice, currency: Currency) -> Invoice {
        Invoice {
            id: invoice.id.to_string().into(),
            number: invoice.number.clone(),
            state: invoice.state.into(),
            total: Money::new(invoice.total, currency),
            opened_at: DateTime(invoice.opened_at),
            issued_at: invoice.issued_at.map(DateTime),
            paid_at: invoice.paid_at.map(DateTime),
            cancelled_at: invoice.cancelled_at.map(DateTime),
        }
    }
}

/// How money comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "order::PaymentMethod")]
pub enum PaymentMethod {
    /// Cash.
    Cash,
    /// Card.
    Card,
    /// Bank transfer.
    Transfer,
    /// Card terminal at the counter or door.
    Pos,
}

/// Money received.
#[derive(Clone, Debug)]
pub struct Payment {
    payment: One<order::Payment>,
    order: Order,
}

impl Payment {
    /// A payment of this order.
    pub fn new(payment: One<order::Payment>, order: Order) -> Payment {
        Payment { payment, order }
    }
}

/// Money received.
#[Object]
impl Payment {
    /// Its id.
    async fn id(&self) -> ID {
        self.payment.id.to_string().into()
    }

    /// How much.
    async fn amount(&self) -> Money {
        Money::new(self.payment.amount, self.order.head.currency)
    }

    /// How.
    async fn method(&self) -> PaymentMethod {
        self.payment.method.into()
    }

    /// Through which gateway; `manual` is by hand.
    async fn gateway(&self) -> &str {
        &self.payment.gateway
    }

    /// The bank's or terminal's reference.
    async fn reference(&self) -> Option<&str> {
        self.payment.reference.as_deref()
    }

    /// Who recorded it.
    async fn recorded_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        author(ctx, &self.order, self.payment.recorded_by).await
    }

    /// When.
    async fn recorded_at(&self) -> DateTime {
        DateTime(self.payment.recorded_at)
    }
}

/// Money given back.
#[derive(Clone, Debug)]
pub struct Refund {
    refund: One<order::Refund>,
    order: Order,
}

impl Refund {
    /// A refund of this order.
    pub fn new(refund: One<order::Refund>, order: Order) -> Refund {
        Refund { refund, order }
    }
}

/// Money given back.
#[Object]
impl Refund {
    /// Its id.
    async fn id(&self) -> ID {
        self.refund.id.to_string().into()
    }

    /// The id of the payment it gives back.
    async fn payment_id(&self) -> ID {
        self.refund.payment.to_string().into()
    }

    /// How much.
    async fn amount(&self) -> Money {
        Money::new(self.refund.amount, self.order.head.currency)
    }

    /// Why; not for the customer.
    async fn reason(&self) -> Option<&str> {
        self.refund.reason.as_deref().filter(|_| self.order.internal())
    }

    /// Who recorded it.
    async fn recorded_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        author(ctx, &self.order, self.refund.recorded_by).await
    }

    /// When.
    async fn recorded_at(&self) -> DateTime {
        DateTime(self.refund.recorded_at)
    }
}

/// Somebody who wrote or recorded something on an order of this answer.
pub(super) async fn author(
    ctx: &Context<'_>,
    order: &Order,
    id: Option<domain::id::UserId>,
) -> Option<Result<User>> {
    let id = id?;
    let found = async {
        let authors = order.batch.authors(store(ctx)).await?;
        Ok::<_, Failure>(authors.get(store(ctx), id).await?.map(User::from))
    };
    found.await.transpose()
}
