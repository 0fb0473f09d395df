//! Products and offerings: what can be ordered.

use std::sync::Arc;

use async_graphql::{
    Context, Enum, ID, Object,
    connection::{Connection, EmptyFields},
};
use domain::{actor::Actor, order, permission};
use rust_decimal::Decimal as Exact;

use super::{
    failure::Result,
    paging::{Args, cost, cursor, parse_id, uuid},
    people::{Organization, Organizations, own},
    scalar::{CurrencyCode, Decimal},
    siblings::Siblings,
    viewer::session,
};
use crate::{
    app::App,
    error::Error,
    store::catalogue::{self, Retired, Shelf},
};

/// The kind of a product, which decides how its orders are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "order::ProductKind")]
pub enum ProductKind {
    /// Carried out by people.
    Basic,
    /// An allocation on a cluster, carried out by people or a site agent.
    Slurm,
    /// A virtual machine.
    Vps,
    /// A hosting account.
    Hosting,
    /// A domain name.
    Domain,
    /// Goods that are delivered.
    Physical,
}

/// A price of one unit, with up to six decimals.
#[derive(Clone, Debug, async_graphql::SimpleObject)]
pub struct UnitPrice {
    /// The exact price, as a decimal string.
    pub amount: Decimal,
    /// Its currency.
    pub currency: CurrencyCode,
}

impl UnitPrice {
    /// From millionths of the major unit.
    pub fn new(price: domain::money::UnitPrice, currency: domain::money::Currency) -> UnitPrice {
        UnitPrice { amount: Decimal(price.decimal()), currency: CurrencyCode(currency) }
    }
}

/// A rate in millionths as a fraction: 190000 is 0.19.
pub fn rate(millionths: i64) -> Decimal {
    Decimal(Exact::new(millionths, 6).normalize())
}

/// A product or offering that a provider puts up for order.
#[derive(Clone, Debug)]
pub struct Product {
    product: order::Product,
    providers: Organizations,
}

impl Product {
    /// A product among others of one answer.
    pub fn new(product: order::Product, providers: Organizations) -> Product {
        Product { product, providers }
    }

    /// A product alone.
    pub fn single(product: order::Product) -> Product {
        Product { providers: Arc::new(Siblings::new([product.provider])), product }
    }
}

/// A product or offering that a provider puts up for order.
#[Object]
impl Product {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.product.id.to_string().into()
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.product.name
    }

    /// Stock keeping unit, unique per provider.
    async fn sku(&self) -> &str {
        &self.product.sku
    }

    /// What it is.
    async fn description(&self) -> Option<&str> {
        self.product.description.as_deref()
    }

    /// Its kind.
    async fn kind(&self) -> ProductKind {
        self.product.kind.into()
    }

    /// Who provides it.
    async fn provider(&self, ctx: &Context<'_>) -> Result<Organization> {
        let app = ctx.data_unchecked::<App>();
        let provider = self.providers.get(&app.store, self.product.provider).await?;
        Ok(Organization(provider.cloned().ok_or_else(|| Error::internal("a product without provider"))?))
    }

    /// The code of the workflow that its orders follow.
    async fn workflow(&self) -> &str {
        &self.product.workflow
    }

    /// The price of one.
    async fn unit_price(&self) -> UnitPrice {
        UnitPrice::new(self.product.unit_price, self.product.currency)
    }

    /// Tax as a fraction of the net amount: 0.19 is 19 %.
    async fn tax_rate(&self) -> Decimal {
        rate(self.product.tax_rate)
    }

    /// Whether somebody at the customer has to approve an order.
    async fn needs_consumer_approval(&self) -> bool {
        self.product.needs_consumer_approval
    }

    /// Whether the provider has to approve an order.
    async fn needs_provider_approval(&self) -> bool {
        self.product.needs_provider_approval
    }

    /// Whether it can be ordered now.
    async fn active(&self) -> bool {
        self.product.active
    }
}

/// Which retired products a viewer sees: the operator all, providers their own.
pub fn retired(actor: &Actor) -> Retired {
    if permission::sees_everybody(actor) { Retired::All } else { Retired::Of(own(actor)) }
}

/// Whether the viewer may look a product up.
pub fn visible(actor: &Actor, product: &order::Product) -> bool {
    product.active || permission::sees_everybody(actor) || own(actor).contains(&product.provider)
}

/// Reading the catalogue.
#[derive(Debug, Default)]
pub struct ProductQuery;

#[Object]
impl ProductQuery {
    /// The catalogue, oldest first. Products that cannot be ordered any more are shown to the operator
    /// and their provider alone.
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "one argument of the field each")]
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of this provider.")] provider: Option<ID>,
        #[graphql(desc = "Whose orders follow this workflow.")] workflow: Option<String>,
        #[graphql(desc = "The first so many, up to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<Connection<String, Product, EmptyFields, EmptyFields>> {
        let actor = session(ctx)?.actor();
        let provider = provider.map(|id| parse_id(&id, "provider")).transpose()?;
        let shelf = Shelf { retired: retired(actor), provider, workflow };
        let window = Args { first, after, last, before }.window(uuid)?;
        let app = ctx.data_unchecked::<App>();
        let rows = catalogue::product_page(&app.store, &shelf, window.stretch()).await?;
        let providers: Organizations = Arc::new(Siblings::new(rows.iter().map(|row| row.provider)));
        Ok(window.connection(rows, EmptyFields, |row| {
            (cursor(&row.id.0.to_string()), Product::new(row, providers.clone()))
        }))
    }
}
