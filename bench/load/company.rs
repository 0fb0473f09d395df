//! Who is there and what is for sale: the rows that the orders refer to.

use anyhow::{Result, anyhow};
use domain::{
    actor::Membership,
    id::{OrganizationId, UserId},
    mint::Mint,
    money::{Currency, UnitPrice},
    order::{Product, ProductKind},
    role::Role,
};
use ordo::{
    app::App,
    error::Error,
    store::{
        Tx,
        people::{Organization, OrganizationKind, User},
    },
};

const PROVIDERS: usize = 5;
const CUSTOMERS: usize = 50;
/// Products of each provider for each workflow.
const PRODUCTS: usize = 5;

/// Who has an account: one of each role, named after it.
pub const ROLES: [Role; 4] = [Role::Staff, Role::Csr, Role::Provider, Role::Approver];

/// Those whom the measurement speaks for.
#[derive(Clone, Debug, Default)]
pub struct Company {
    pub providers: Vec<OrganizationId>,
    pub customers: Vec<OrganizationId>,
    /// Sees every order.
    pub staff: Option<UserId>,
    /// Sees what is assigned to nobody.
    pub csr: Option<UserId>,
    /// Owns the first provider.
    pub provider: Option<UserId>,
    /// Owns the first customer.
    pub approver: Option<UserId>,
}

/// Writes the company.
pub async fn found(app: &App) -> Result<Company> {
    let mint = app.world.mint();
    let founded = app.store.write(async move |tx| found_in(&tx, mint).await).await;
    founded.map_err(|error| anyhow!("the company cannot be written: {error:?}"))
}

async fn found_in(tx: &Tx, mut mint: Mint) -> Result<Company, Error> {
    let currency = "EUR".parse().map_err(|fault: String| Error::internal(fault))?;
    let mut company = Company::default();
    let operator = organization(tx, &mut mint, OrganizationKind::Operator, "Operator".to_owned()).await?;
    company.staff = Some(account(tx, &mut mint, operator, Role::Staff).await?);
    company.csr = Some(account(tx, &mut mint, operator, Role::Csr).await?);
    for n in 0..PROVIDERS {
        let provider =
            organization(tx, &mut mint, OrganizationKind::Provider, format!("Provider {n}")).await?;
        for (workflow, kind) in [("cloud", ProductKind::Vps), ("delivery", ProductKind::Physical)] {
            for n in 0..PRODUCTS {
                tx.insert_product(&product(&mut mint, provider, (workflow, kind, n), currency), mint.now())
                    .await?;
            }
        }
        company.providers.push(provider);
    }
    for n in 0..CUSTOMERS {
        let name = format!("Customer {n} Limited");
        company.customers.push(organization(tx, &mut mint, OrganizationKind::Company, name).await?);
    }
    company.provider = Some(account(tx, &mut mint, company.providers[0], Role::Provider).await?);
    company.approver = Some(account(tx, &mut mint, company.customers[0], Role::Approver).await?);
    Ok(company)
}

async fn organization(
    tx: &Tx,
    mint: &mut Mint,
    kind: OrganizationKind,
    name: String,
) -> Result<OrganizationId, Error> {
    let id = mint.id();
    let (time_zone, created_at) = ("Europe/Berlin".to_owned(), mint.now());
    tx.insert_organization(&Organization { id, kind, name, email: None, time_zone, created_at }).await?;
    Ok(id)
}

async fn account(tx: &Tx, mint: &mut Mint, of: OrganizationId, role: Role) -> Result<UserId, Error> {
    let name = role.name().to_owned();
    let user = User { id: mint.id(), email: format!("{name}@load.test"), name };
    tx.insert_user(&user, mint.now()).await?;
    let membership = Membership { organization: of, role, offerings: Vec::new() };
    tx.insert_membership(mint.id(), user.id, &membership, mint.now()).await?;
    Ok(user.id)
}

fn product(
    mint: &mut Mint,
    provider: OrganizationId,
    (workflow, kind, n): (&str, ProductKind, usize),
    currency: Currency,
) -> Product {
    Product {
        id: mint.id(),
        provider,
        workflow: workflow.to_owned(),
        kind,
        sku: format!("{workflow}-{n}"),
        name: format!("Product {n} for {workflow}"),
        description: None,
        currency,
        unit_price: UnitPrice(20_000_000),
        tax_rate: 190_000,
        needs_consumer_approval: false,
        needs_provider_approval: false,
        active: true,
    }
}
