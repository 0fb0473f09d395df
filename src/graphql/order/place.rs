//! `orderCreate`: an order placed for a customer, known or new.

use async_graphql::{Context, ID, InputObject, Json, Object, OneofObject, SimpleObject};
use domain::order;

use super::{
    Order, OrderError, OrderType,
    change::{Answer, payload},
    event::OrderEvent,
    money::{MoneyInput, PaymentMethod},
    viewer,
};
use crate::{
    app::App,
    error::Result as Checked,
    graphql::{failure::Result, paging::parse_id, scalar::Date},
    usecase::order::{Basket, Customer, Line, Terms, place},
};

/// A customer seen for the first time.
#[derive(Clone, Debug, InputObject)]
pub struct NewCustomerInput {
    /// A company rather than a person.
    #[graphql(default)]
    pub company: bool,
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// The time zone, a name such as Europe/Berlin; UTC if not given.
    pub time_zone: Option<String>,
}

/// Who buys.
#[derive(Clone, Debug, OneofObject)]
pub enum CustomerInput {
    /// A known customer, by id.
    Id(ID),
    /// A new one; for those who take orders for the operator.
    New(NewCustomerInput),
}

/// A line to be ordered.
#[derive(Clone, Debug, InputObject)]
pub struct OrderLineInput {
    /// The product's id.
    pub product: ID,
    /// How many; 1 if not given.
    pub quantity: Option<i32>,
    /// What is configured: an object such as `{"vCPU": 4}`.
    pub configuration: Option<Json<serde_json::Value>>,
    /// Taken off this line; for those who take orders for the operator.
    pub discount: Option<MoneyInput>,
    /// The resource that an UPDATE or TERMINATE works on.
    pub resource: Option<ID>,
}

/// Whom to reach about an order.
#[derive(Clone, Debug, Default, InputObject)]
pub struct OrderContactInput {
    /// Name.
    #[graphql(default)]
    pub name: String,
    /// E-mail address.
    #[graphql(default)]
    pub email: String,
    /// Telephone number.
    #[graphql(default)]
    pub phone: String,
}

/// A postal address.
#[derive(Clone, Debug, InputObject)]
pub struct OrderAddressInput {
    /// Addressee.
    #[graphql(default)]
    pub name: String,
    /// Street, house number, floor: up to four lines.
    #[graphql(default)]
    pub lines: Vec<String>,
    /// Town.
    #[graphql(default)]
    pub city: String,
    /// Postal code.
    #[graphql(default)]
    pub postal_code: String,
    /// State, province or region.
    #[graphql(default)]
    pub region: String,
    /// Country, ISO 3166-1 alpha-2.
    #[graphql(default)]
    pub country: String,
}

impl From<OrderAddressInput> for order::Address {
    fn from(input: OrderAddressInput) -> order::Address {
        let OrderAddressInput { name, lines, city, postal_code, region, country } = input;
        order::Address { name, lines, city, postal_code, region, country }
    }
}

/// An order to be placed. All lines share provider, workflow and currency.
#[derive(Clone, Debug, InputObject)]
pub struct OrderCreateInput {
    /// Who buys.
    pub customer: CustomerInput,
    /// The lines, at least one.
    pub lines: Vec<OrderLineInput>,
    /// What the order does; goods are a SALE and everything else a CREATE if not given.
    #[graphql(name = "type")]
    pub kind: Option<OrderType>,
    /// Whom to reach.
    pub contact: Option<OrderContactInput>,
    /// Where to deliver.
    pub shipping_address: Option<OrderAddressInput>,
    /// Whom to bill.
    pub billing_address: Option<OrderAddressInput>,
    /// What the customer has to say.
    pub customer_note: Option<String>,
    /// How the customer means to pay.
    pub payment_method: Option<PaymentMethod>,
    /// Delivery fee; for those who take orders for the operator.
    pub delivery_fee: Option<MoneyInput>,
    /// The delivery agent's account; for those who take orders for the operator.
    pub delivery_agent: Option<ID>,
    /// The customer's own reference, unique per customer.
    pub external_reference: Option<String>,
    /// The last day on which it is wanted, in the customer's time zone.
    pub expires_on: Option<Date>,
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// Anything else: an object.
    pub metadata: Option<Json<serde_json::Value>>,
    /// A key of the caller's choice: the same request under the same key is done once.
    pub idempotency_key: Option<String>,
}

payload!("Places an order.", OrderCreatePayload);

/// Placing orders.
#[derive(Debug, Default)]
pub struct PlaceMutation;

#[Object]
impl PlaceMutation {
    /// Places an order, in the first status of its products' workflow.
    async fn order_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to order, for whom.")] input: OrderCreateInput,
    ) -> Result<OrderCreatePayload> {
        let session = viewer(ctx)?;
        let terms = Terms { idempotency_key: input.idempotency_key.clone(), expected_version: None };
        let app = ctx.data_unchecked::<App>();
        let client_ip = ctx.data_opt::<ClientIp>().map(|ip| ip.0.clone());
        let written = match basket(input, client_ip) {
            Ok(basket) => place(app, session.actor(), basket, terms).await,
            Err(error) => Err(error),
        };
        Ok(Answer::of(ctx, session, None, written).await?.into())
    }
}

/// The address that a request came from; put into the data of every request.
#[derive(Clone, Debug)]
pub struct ClientIp(pub String);

fn basket(input: OrderCreateInput, client_ip: Option<String>) -> Checked<Basket> {
    let customer = match input.customer {
        CustomerInput::Id(id) => Customer::Existing(parse_id(&id, "input.customer.id")?),
        CustomerInput::New(NewCustomerInput { company, name, email, time_zone }) => {
            Customer::New { company, name, email, time_zone }
        }
    };
    let lines: Checked<Vec<Line>> =
        input.lines.into_iter().enumerate().map(|(i, line)| read_line(i, line)).collect();
    let contact = input.contact.unwrap_or_default();
    let money = |input: Option<MoneyInput>| input.map(|fee| fee.read("deliveryFee")).transpose();
    Ok(Basket {
        customer,
        kind: input.kind.map(Into::into),
        lines: lines?,
        delivery_fee: money(input.delivery_fee)?,
        agent: input.delivery_agent.map(|id| parse_id(&id, "input.deliveryAgent")).transpose()?,
        external_reference: input.external_reference,
        expires_on: input.expires_on.map(|day| day.0),
        tags: input.tags.unwrap_or_default(),
        particulars: order::Particulars {
            contact: order::Contact { name: contact.name, email: contact.email, phone: contact.phone },
            shipping_address: input.shipping_address.map(Into::into),
            billing_address: input.billing_address.map(Into::into),
            customer_note: input.customer_note,
            payment_method: input.payment_method.map(Into::into),
            client_ip,
            metadata: input.metadata.map(|metadata| metadata.0),
        },
    })
}

fn read_line(i: usize, line: OrderLineInput) -> Checked<Line> {
    let discount = line.discount.map(|discount| discount.read(&format!("lines.{i}.discount")));
    Ok(Line {
        product: parse_id(&line.product, format!("input.lines.{i}.product"))?,
        quantity: line.quantity.map_or(1, i64::from),
        configuration: line.configuration.map(|configuration| configuration.0),
        discount: discount.transpose()?,
        resource: line.resource.map(|id| parse_id(&id, format!("input.lines.{i}.resource"))).transpose()?,
    })
}
