//! A new order.

use std::collections::HashMap;

use chrono::NaiveDate;
use domain::{
    actor::Actor,
    id::{OrganizationId, ProductId, ResourceId, UserId},
    mint::Mint,
    money::Money,
    order::{self, Draft, DraftLine, Facts, FreeText, OrderKind, Particulars, Setting, limits},
    permission,
    refusal::Refusal,
};
use serde::Serialize;

use super::{Done, Terms, Written, answer, assignee, claim, commit, distinct, replay};
use crate::{
    app::App,
    error::{Error, Result},
    store::{
        Tx, catalogue,
        idempotency::Claim,
        parts,
        people::{self, Organization, OrganizationKind},
    },
};

/// Who buys: somebody known, or somebody new.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Customer {
    /// A known organisation.
    Existing(OrganizationId),
    /// A company or person seen for the first time.
    New {
        /// A company, or a person.
        company: bool,
        /// The name.
        name: String,
        /// The e-mail address.
        email: Option<String>,
        /// The time zone, a name of the IANA database.
        time_zone: Option<String>,
    },
}

/// A line to be ordered.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The product.
    pub product: ProductId,
    /// How many.
    pub quantity: i64,
    /// What is configured.
    pub configuration: Option<serde_json::Value>,
    /// Taken off the line.
    pub discount: Option<Money>,
    /// The resource that an UPDATE or TERMINATE works on.
    pub resource: Option<ResourceId>,
}

/// An order to be placed.
#[derive(Clone, Debug, Serialize)]
pub struct Basket {
    /// Who buys.
    pub customer: Customer,
    /// What the order does.
    pub kind: Option<OrderKind>,
    /// Its lines.
    pub lines: Vec<Line>,
    /// The delivery fee.
    pub delivery_fee: Option<Money>,
    /// The delivery agent.
    pub agent: Option<UserId>,
    /// The customer's reference.
    pub external_reference: Option<String>,
    /// The day until which it is wanted.
    pub expires_on: Option<NaiveDate>,
    /// Tags.
    pub tags: Vec<String>,
    /// Contact, addresses, notes.
    pub particulars: Particulars,
}

/// Places an order.
///
/// # Errors
/// A refusal of the rules.
pub async fn place(app: &App, actor: &Actor, basket: Basket, terms: Terms) -> Result<Written> {
    let claim = claim(app, actor, "orderCreate", &basket, &terms)?;
    // Order numbers are random. With a million orders one in nine thousand is taken already.
    for _ in 0..3 {
        match place_once(app, actor, basket.clone(), claim.clone()).await {
            Err(Error::NumberTaken) => {}
            done => return answer(app, actor, done?).await,
        }
    }
    Err(Error::internal("three random order numbers in a row were taken"))
}

async fn place_once(app: &App, actor: &Actor, basket: Basket, claim: Option<Claim>) -> Result<Done> {
    let (context, actor) = (app.clone(), actor.clone());
    app.store
        .write(async move |tx| {
            let mut mint = context.world.mint();
            if let Some(outcome) = replay(&tx, claim.as_ref(), mint.now()).await? {
                return Ok(Done::Before(outcome));
            }
            let customer = customer(&tx, &actor, &basket.customer, &mut mint).await?;
            let draft = draft(&tx, &actor, customer, basket).await?;
            let ids = distinct(draft.lines.iter().map(|line| line.product));
            let products = catalogue::products(&*tx, &ids).await?;
            let first = draft.lines.first().and_then(|line| products.get(&line.product));
            let workflow = match first {
                Some(product) => context.book.newest_of(&*tx, &product.workflow).await?,
                // Without a first product any workflow will do: the rules refuse the line, not the workflow.
                None => context.book.now().all().next().cloned(),
            };
            let workflow = workflow.ok_or_else(|| Error::internal("no workflow is installed"))?;
            let facts = Facts { products, today: mint.now().date_naive(), expiry_enabled: false };
            let setting = Setting { workflow: &workflow, actor: &actor, facts: &facts };
            let decision = order::place(setting, &draft, &mut mint)?;
            commit(&tx, claim.as_ref(), decision).await
        })
        .await
}

/// The customer's organisation, made in this transaction when it is new.
async fn customer(tx: &Tx, actor: &Actor, customer: &Customer, mint: &mut Mint) -> Result<OrganizationId> {
    let not_found = || Error::from(Refusal::NotFound { what: "customer" });
    match customer {
        Customer::Existing(id) => {
            if !permission::may_place_for(actor, *id) {
                return Err(not_found());
            }
            let known = people::organizations(tx, &[*id]).await?;
            let buys = |kind| matches!(kind, OrganizationKind::Company | OrganizationKind::Person);
            known.get(id).filter(|known| buys(known.kind)).map(|known| known.id).ok_or_else(not_found)
        }
        Customer::New { company, name, email, time_zone } => {
            if !permission::places_for_anyone(actor) {
                let action = "create_customer".to_owned();
                return Err(Refusal::NotPermitted { action, allowed: Vec::new() }.into());
            }
            let text = |path| FreeText { path, most: limits::NAME };
            let zone = time_zone.as_deref().unwrap_or("UTC");
            if zone.parse::<chrono_tz::Tz>().is_err() {
                let message = "a time zone is a name such as Europe/Berlin";
                return Err(Refusal::invalid("customer.new.timeZone", message).into());
            }
            let kind = if *company { OrganizationKind::Company } else { OrganizationKind::Person };
            let new = Organization {
                id: mint.id(),
                kind,
                name: text("customer.new.name").required(name)?,
                email: text("customer.new.email").optional(email.as_deref())?,
                time_zone: zone.to_owned(),
                created_at: mint.now(),
            };
            tx.insert_organization(&new).await?;
            Ok(new.id)
        }
    }
}

async fn draft(tx: &Tx, actor: &Actor, customer: OrganizationId, basket: Basket) -> Result<Draft> {
    let ids: Vec<ResourceId> = basket.lines.iter().filter_map(|line| line.resource).collect();
    let mut resources = match permission::may_place_for(actor, customer) {
        true => {
            tx.lock_resources(&ids).await?;
            parts::resources(tx, &ids).await?
        }
        false => HashMap::new(),
    };
    resources.retain(|_, resource| resource.customer == customer);
    let mut lines = Vec::with_capacity(basket.lines.len());
    for (i, line) in basket.lines.into_iter().enumerate() {
        let resource = match line.resource {
            None => None,
            Some(id) => Some(resources.get(&id).cloned().ok_or_else(|| {
                Refusal::invalid(&format!("lines.{i}.resource"), "the customer has no such resource")
            })?),
        };
        let Line { product, quantity, configuration, discount, resource: _ } = line;
        lines.push(DraftLine { product, quantity, configuration, discount, resource });
    }
    Ok(Draft {
        customer,
        kind: basket.kind,
        lines,
        delivery_fee: basket.delivery_fee,
        agent: assignee(tx, basket.agent).await?,
        external_reference: basket.external_reference,
        expires_on: basket.expires_on,
        tags: basket.tags,
        particulars: basket.particulars,
    })
}
