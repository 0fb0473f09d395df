//! Who is who in the demo, and what is for sale.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Membership, Person},
    id::{MembershipId, OrganizationId, ProductId},
    order::Product,
    role::Role,
};

use super::{Chance, catalogue::CATALOGUE};
use crate::{
    error::{Error, Result},
    store::{
        Tx,
        people::{Organization, OrganizationKind, User},
    },
};

/// Key, kind, name, time zone.
const ORGANIZATIONS: &[(&str, OrganizationKind, &str, &str)] = &[
    ("operator", OrganizationKind::Operator, "Ordo Demo Operations", "Europe/Berlin"),
    ("nimbus", OrganizationKind::Provider, "Nimbus Compute", "Europe/Berlin"),
    ("crate", OrganizationKind::Provider, "Crate & Kettle", "Europe/Lisbon"),
    ("acme", OrganizationKind::Company, "Acme Robotics", "Europe/Berlin"),
    ("meridian", OrganizationKind::Company, "Meridian Labs", "America/New_York"),
    ("ada", OrganizationKind::Person, "Ada Lindqvist", "Europe/Stockholm"),
];

/// E-mail address before `@demo.test`, name, organisation, role, offerings. The first of a role is the
/// one that `ordo token --as <role>` speaks for.
const ACCOUNTS: &[(&str, &str, &str, Role, &[&str])] = &[
    ("admin", "Anna Admin", "operator", Role::Admin, &[]),
    ("staff", "Stefan Staff", "operator", Role::Staff, &[]),
    ("support", "Sara Support", "operator", Role::Support, &[]),
    ("csr", "Carla Service", "operator", Role::Csr, &[]),
    ("agent", "Dario Delivery", "operator", Role::Agent, &[]),
    ("provider", "Petra Provider", "nimbus", Role::Provider, &[]),
    ("manager", "Marek Manager", "nimbus", Role::Manager, &["VPS-S", "VPS-L", "HPC-CORE", "CONSULT"]),
    ("worker", "Nimbus site agent", "nimbus", Role::Worker, &[]),
    ("shop-provider", "Pedro Kettle", "crate", Role::Provider, &[]),
    ("shop-manager", "Marta Kettle", "crate", Role::Manager, &["CHAIR"]),
    ("shop-worker", "Crate warehouse robot", "crate", Role::Worker, &[]),
    ("approver", "Alma Acme", "acme", Role::Approver, &[]),
    ("consumer", "Carl Acme", "acme", Role::Consumer, &[]),
    ("meridian-approver", "Mina Meridian", "meridian", Role::Approver, &[]),
    ("meridian-consumer", "Milo Meridian", "meridian", Role::Consumer, &[]),
    ("ada", "Ada Lindqvist", "ada", Role::Approver, &[]),
];

/// An account and its one membership.
#[derive(Debug)]
pub(super) struct Account {
    pub user: User,
    pub actor: Actor,
    membership: Membership,
    membership_id: MembershipId,
    since: DateTime<Utc>,
}

impl Account {
    /// Whether a manager or worker is narrowed to offerings that include this one.
    pub fn has_offering(&self, offering: Option<ProductId>) -> bool {
        offering.is_some_and(|offering| self.membership.offerings.contains(&offering))
    }
}

/// The demo company before it is stored.
#[derive(Debug)]
pub(super) struct Company {
    pub operator: OrganizationId,
    pub customers: Vec<Organization>,
    pub products: HashMap<ProductId, Product>,
    skus: HashMap<&'static str, ProductId>,
    others: Vec<Organization>,
    accounts: Vec<Account>,
    since: DateTime<Utc>,
}

/// Founds the company 90 days before this moment. Everything is some minutes younger than what was
/// before it, so that lists by age and "the first account of a role" are what the tables above say.
pub(super) fn found(now: DateTime<Utc>, chance: &mut Chance) -> Result<Company> {
    let since = now - TimeDelta::days(90);
    let mut minutes = 0;
    let mut mint = || {
        minutes += 5;
        chance.mint(since + TimeDelta::minutes(minutes))
    };
    let mut organizations = HashMap::new();
    let (mut customers, mut others) = (Vec::new(), Vec::new());
    for (key, kind, name, time_zone) in ORGANIZATIONS {
        let mut mint = mint();
        let organization = Organization {
            id: mint.id(),
            kind: *kind,
            name: (*name).to_owned(),
            email: Some(format!("office-{key}@demo.test")),
            time_zone: (*time_zone).to_owned(),
            created_at: mint.now(),
        };
        organizations.insert(*key, organization.id);
        match kind {
            OrganizationKind::Company | OrganizationKind::Person => customers.push(organization),
            OrganizationKind::Operator | OrganizationKind::Provider => others.push(organization),
        }
    }
    let organization = |key: &str| organizations.get(key).copied().ok_or_else(|| missing(key));
    let (mut products, mut skus) = (HashMap::new(), HashMap::new());
    for offer in CATALOGUE {
        let product = offer.product(mint().id(), organization(offer.provider)?)?;
        skus.insert(offer.sku, product.id);
        products.insert(product.id, product);
    }
    let mut accounts = Vec::new();
    for (email, name, at, role, offerings) in ACCOUNTS {
        let mut mint = mint();
        let offerings = offerings.iter().map(|sku| skus.get(sku).copied().ok_or_else(|| missing(sku)));
        let membership = Membership {
            organization: organization(at)?,
            role: *role,
            offerings: offerings.collect::<Result<_>>()?,
        };
        let user = User { id: mint.id(), email: format!("{email}@demo.test"), name: (*name).to_owned() };
        let person = Person { id: user.id, memberships: vec![membership.clone()], only: None };
        let (actor, membership_id, since) = (Actor::User(person), mint.id(), mint.now());
        accounts.push(Account { user, actor, membership, membership_id, since });
    }
    let operator = organization("operator")?;
    Ok(Company { operator, customers, products, skus, others, accounts, since })
}

/// A name in the demo's tables that leads nowhere.
pub(super) fn missing(what: &str) -> Error {
    Error::internal(format!("the demo company has no `{what}`"))
}

impl Company {
    /// The first account with this role in this organisation.
    pub fn member(&self, organization: OrganizationId, role: Role) -> Result<&Account> {
        let holds = |m: &Membership| m.organization == organization && m.role == role;
        let found = self.accounts.iter().find(|account| holds(&account.membership));
        found.ok_or_else(|| missing(role.name()))
    }

    /// The product with this SKU.
    pub fn product(&self, sku: &str) -> Result<&Product> {
        let product = self.skus.get(sku).and_then(|id| self.products.get(id));
        product.ok_or_else(|| missing(sku))
    }

    /// Stores organisations, products, accounts and memberships.
    ///
    /// # Errors
    /// The database's.
    pub async fn save(&self, tx: &Tx) -> Result<()> {
        for organization in self.others.iter().chain(&self.customers) {
            tx.insert_organization(organization).await?;
        }
        for offer in CATALOGUE {
            tx.insert_product(self.product(offer.sku)?, self.since).await?;
        }
        for Account { user, membership, membership_id, since, .. } in &self.accounts {
            tx.insert_user(user, *since).await?;
            tx.insert_membership(*membership_id, user.id, membership, *since).await?;
        }
        Ok(())
    }
}
