//! Products and offerings: what can be ordered.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Context, Enum, ID, Object, Value,
    connection::{Connection, EmptyFields},
};
use domain::{actor::Actor, id::ProductId, order, permission};
use rust_decimal::Decimal as Exact;
use uuid::Uuid;

use super::{
    at_hand::{Asked, AtHand, Plain},
    failure::Result,
    paging::{Args, Cursor, cost, parse_id, uuid},
    people::{Organization, Organizations, own},
    scalar::{CurrencyCode, Decimal},
    siblings::{Member, Named},
    viewer::session,
};
use crate::{
    app::App,
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
    member: Member<order::Product>,
    providers: Organizations,
}

/// The products of one answer.
pub type Products = Arc<Named<order::Product>>;

impl Product {
    /// One of the products of an answer, whose organisations their providers are among.
    pub fn among(products: &Products, id: ProductId, providers: &Organizations) -> Product {
        Product { member: Member::new(id, products), providers: providers.clone() }
    }

    async fn whole(&self, ctx: &Context<'_>) -> Result<Arc<order::Product>> {
        Ok(self.member.whole(&ctx.data_unchecked::<App>().store).await?)
    }
}

impl From<order::Product> for Product {
    fn from(product: order::Product) -> Product {
        let providers = Named::new([product.provider], HashMap::new());
        Product { member: Member::single(product.id, product), providers }
    }
}

/// A product or offering that a provider puts up for order.
#[Object]
impl Product {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.member.key.to_string().into()
    }

    /// Its name.
    async fn name(&self, ctx: &Context<'_>) -> Result<String> {
        match self.member.name() {
            Some(name) => Ok(name.to_owned()),
            None => Ok(self.whole(ctx).await?.name.clone()),
        }
    }

    /// Stock keeping unit, unique per provider.
    async fn sku(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.whole(ctx).await?.sku.clone())
    }

    /// What it is.
    async fn description(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.whole(ctx).await.map(|whole| whole.description.clone()).transpose()
    }

    /// Its kind.
    async fn kind(&self, ctx: &Context<'_>) -> Result<ProductKind> {
        Ok(self.whole(ctx).await?.kind.into())
    }

    /// Who provides it.
    async fn provider(&self, ctx: &Context<'_>) -> Result<AtHand<Organization>> {
        Ok(AtHand(Organization::among(&self.providers, self.whole(ctx).await?.provider)))
    }

    /// The code of the workflow that its orders follow.
    async fn workflow(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.whole(ctx).await?.workflow.clone())
    }

    /// The price of one.
    async fn unit_price(&self, ctx: &Context<'_>) -> Result<UnitPrice> {
        let whole = self.whole(ctx).await?;
        Ok(UnitPrice::new(whole.unit_price, whole.currency))
    }

    /// Tax as a fraction of the net amount: 0.19 is 19 %.
    async fn tax_rate(&self, ctx: &Context<'_>) -> Result<Decimal> {
        Ok(rate(self.whole(ctx).await?.tax_rate))
    }

    /// Whether somebody at the customer has to approve an order.
    async fn needs_consumer_approval(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.whole(ctx).await?.needs_consumer_approval)
    }

    /// Whether the provider has to approve an order.
    async fn needs_provider_approval(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.whole(ctx).await?.needs_provider_approval)
    }

    /// Whether it can be ordered now.
    async fn active(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.whole(ctx).await?.active)
    }
}

impl Plain for Product {
    fn plain(&self, field: &Asked) -> Option<Value> {
        match field.name.node.as_str() {
            "id" => Some(self.member.key.to_string().into()),
            "name" => self.member.name().map(Value::from),
            _ => None,
        }
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
    ) -> Result<Connection<Cursor<Uuid>, AtHand<Product>, EmptyFields, EmptyFields>> {
        let actor = session(ctx)?.actor();
        let provider = provider.map(|id| parse_id(&id, "provider")).transpose()?;
        let shelf = Shelf { retired: retired(actor), provider, workflow };
        let window = Args { first, after, last, before }.window(uuid)?;
        let app = ctx.data_unchecked::<App>();
        let rows = catalogue::product_page(&app.store, &shelf, window.stretch()).await?;
        let providers = Named::new(rows.iter().map(|row| row.provider), HashMap::new());
        let ids: Vec<ProductId> = rows.iter().map(|row| row.id).collect();
        let products = Named::whole(rows.into_iter().map(|row| (row.id, row)).collect());
        Ok(window
            .connection(ids, EmptyFields, |id| (id.0, AtHand(Product::among(&products, id, &providers)))))
    }
}
