//! Products and offerings.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{
    id::{OrganizationId, ProductId},
    money::UnitPrice,
    order::{Product, ProductKind},
};
use entity::product;
use sea_orm::{EntityTrait, IntoActiveModel};
use uuid::Uuid;

use super::{
    Reads, Store, Tx,
    order::read_currency,
    people::Stretch,
    sql::{Row, Sql},
};
use crate::error::Result;

const PRODUCT: &str = "SELECT id, provider_id, workflow, kind, sku, name, description, currency, \
    unit_price, tax_rate, needs_consumer_approval, needs_provider_approval, active FROM products WHERE ";

fn read_product(row: &mut Row<'_>) -> Result<Product> {
    Ok(Product {
        id: row.id()?,
        provider: row.id()?,
        workflow: row.get()?,
        kind: row.named(ProductKind::parse)?,
        sku: row.get()?,
        name: row.get()?,
        description: row.get()?,
        currency: read_currency(row)?,
        unit_price: UnitPrice(row.get()?),
        tax_rate: row.get()?,
        needs_consumer_approval: row.get()?,
        needs_provider_approval: row.get()?,
        active: row.get()?,
    })
}

/// Products by id.
///
/// # Errors
/// The database's.
pub async fn products(from: &impl Reads, ids: &[ProductId]) -> Result<HashMap<ProductId, Product>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(from.db(), PRODUCT);
    sql.among("id", &ids);
    let rows = sql.all(from.db(), read_product).await?;
    Ok(rows.into_iter().map(|product| (product.id, product)).collect())
}

/// Which products a list shows.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    /// Also those that cannot be ordered any more: all of them, or those of these providers.
    pub retired: Retired,
    /// Of one provider.
    pub provider: Option<OrganizationId>,
    /// Of one workflow.
    pub workflow: Option<String>,
}

/// Whose retired products a viewer sees.
#[derive(Clone, Debug, Default)]
pub enum Retired {
    /// Everybody's.
    All,
    /// Those of the viewer's own organisations.
    Of(Vec<OrganizationId>),
    /// Nobody's.
    #[default]
    None,
}

/// Products by age, in the list's own direction.
///
/// # Errors
/// The database's.
pub async fn product_page(store: &Store, shelf: &Shelf, stretch: Stretch) -> Result<Vec<Product>> {
    let mut sql = Sql::new(store.db(), PRODUCT);
    match &shelf.retired {
        Retired::All => {
            sql.push("TRUE");
        }
        Retired::Of(own) if !own.is_empty() => {
            let own: Vec<Uuid> = own.iter().map(|id| id.0).collect();
            sql.push("(active OR ").among("provider_id", &own).push(")");
        }
        Retired::Of(_) | Retired::None => {
            sql.push("active");
        }
    }
    if let Some(provider) = shelf.provider {
        sql.push(" AND provider_id = ").bind(provider.0);
    }
    if let Some(workflow) = &shelf.workflow {
        sql.push(" AND workflow = ").bind(workflow.as_str());
    }
    stretch.push(&mut sql);
    let mut rows = sql.all(store.db(), read_product).await?;
    if stretch.from_end {
        rows.reverse();
    }
    Ok(rows)
}

impl Tx {
    /// Inserts a product.
    ///
    /// # Errors
    /// The database's.
    pub async fn insert_product(&self, new: &Product, created_at: DateTime<Utc>) -> Result<()> {
        let row = product::Model {
            id: new.id.0,
            provider_id: new.provider.0,
            workflow: new.workflow.clone(),
            kind: new.kind.name().to_owned(),
            sku: new.sku.clone(),
            name: new.name.clone(),
            description: new.description.clone(),
            currency: new.currency.code().to_owned(),
            unit_price: new.unit_price.0,
            tax_rate: new.tax_rate,
            needs_consumer_approval: new.needs_consumer_approval,
            needs_provider_approval: new.needs_provider_approval,
            active: new.active,
            created_at,
        };
        product::Entity::insert(row.into_active_model()).exec_without_returning(self.db()).await?;
        Ok(())
    }
}
