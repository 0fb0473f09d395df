//! Accounts of machines: made with their token, and revoked.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Membership},
    book::Book,
    id::{OrganizationId, ProductId, ServiceTokenId},
    order::{FreeText, limits},
    permission::{OrganizationScope, token_scope},
    refusal::Refusal,
    role::Role,
};

use super::session::Service;
use crate::{
    app::App,
    error::{Error, Result},
    store::{
        Tx, catalogue,
        people::{self, OrganizationKind, User},
        service_token::{self, ServiceToken},
    },
};

/// The most offerings or actions that one token names.
const MOST: usize = 100;
/// The last year that every clock and client can write.
const LAST_YEAR: i64 = 253_402_300_799;

/// What a new service token is to be.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What it is for.
    pub name: String,
    /// The provider it works for.
    pub organization: OrganizationId,
    /// The offerings it is narrowed to; none for all of the provider's.
    pub offerings: Vec<ProductId>,
    /// The actions it may take; none to read only.
    pub actions: Vec<String>,
    /// When it ends; none for never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The providers whose tokens the actor looks after.
///
/// # Errors
/// FORBIDDEN when there are none.
pub fn scope(actor: &Actor) -> Result<OrganizationScope> {
    token_scope(actor).ok_or(Error::Forbidden)
}

/// Makes an account for a machine, with one membership, and the text of its token, which is told this once.
///
/// # Errors
/// FORBIDDEN, NOT_FOUND for a provider out of reach, VALIDATION.
pub async fn create(app: &App, actor: &Actor, wanted: Wanted) -> Result<(ServiceToken, String)> {
    let scope = scope(actor)?;
    let created_by = actor.user().ok_or(Error::Forbidden)?;
    let mut mint = app.world.mint();
    let (id, membership, now): (ServiceTokenId, _, _) = (mint.id(), mint.id(), mint.now());
    let token = ServiceToken {
        id,
        name: FreeText { path: "name", most: limits::NAME }.required(&wanted.name)?,
        organization: wanted.organization,
        offerings: distinct("offerings", wanted.offerings)?.into_iter().collect(),
        actions: known(&app.book.now(), wanted.actions)?,
        created_by,
        created_at: now,
        expires_at: wanted.expires_at.map(|at| in_future(at, now)).transpose()?,
        revoked_at: None,
    };
    let written = app.store.write(async move |tx| {
        check_parties(&tx, &scope, &token).await?;
        let user = User {
            id: token.account(),
            // Nobody has an address there: RFC 2606.
            email: format!("service-{}@service.invalid", token.id.0),
            name: token.name.clone(),
        };
        tx.insert_user(&user, now).await?;
        let (organization, offerings) = (token.organization, token.offerings.clone());
        let worker = Membership { organization, role: Role::Worker, offerings };
        tx.insert_membership(membership, user.id, &worker, now).await?;
        tx.insert_service_token(&token).await?;
        Ok(token)
    });
    let token = written.await?;
    app.feed.ring();
    let text = Service { user: token.account(), expires_at: token.expires_at }.seal(&app.keys);
    Ok((token, text))
}

/// Revokes a service token: it opens nothing from the next request on, and its streams end.
///
/// # Errors
/// FORBIDDEN; NOT_FOUND for what is missing or out of reach.
pub async fn revoke(app: &App, actor: &Actor, id: ServiceTokenId) -> Result<ServiceToken> {
    let scope = scope(actor)?;
    let mut mint = app.world.mint();
    let (noted, now) = (mint.id(), mint.now());
    let revoked = app.store.write(async move |tx| {
        let not_found = || Error::from(Refusal::NotFound { what: "service token" });
        service_token::by_ids(&*tx, &scope, &[id]).await?.remove(&id).ok_or_else(not_found)?;
        tx.revoke_service_token(noted, id, now).await?;
        // As it is now: somebody else may have been first.
        service_token::by_ids(&*tx, &scope, &[id]).await?.remove(&id).ok_or_else(not_found)
    });
    let revoked = revoked.await?;
    app.feed.ring();
    Ok(revoked)
}

/// Each once, and not too many.
fn distinct<T: Ord>(path: &str, given: Vec<T>) -> Result<BTreeSet<T>> {
    if given.len() > MOST {
        return Err(Refusal::invalid(path, format!("at most {MOST} are allowed")).into());
    }
    Ok(given.into_iter().collect())
}

/// The actions, if each is one of some workflow.
fn known(book: &Book, actions: Vec<String>) -> Result<BTreeSet<String>> {
    for (i, action) in actions.iter().enumerate().take(MOST) {
        if !book.all().any(|workflow| workflow.actions().contains(&action.as_str())) {
            let message = "no workflow has this action; see `workflows { transitions { action } }`";
            return Err(Refusal::invalid(&format!("actions.{i}"), message).into());
        }
    }
    distinct("actions", actions)
}

fn in_future(at: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let at = DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap_or(at);
    if at <= now || at.timestamp() > LAST_YEAR {
        let message = "a token ends in the future and before the year 10000";
        return Err(Refusal::invalid("expiresAt", message).into());
    }
    Ok(at)
}

/// Whether the provider is within reach and provides all of the offerings.
async fn check_parties(tx: &Tx, scope: &OrganizationScope, token: &ServiceToken) -> Result<()> {
    let organization = token.organization;
    let found = people::organizations(tx, &[organization]).await?.remove(&organization);
    let provides = found.is_some_and(|found| found.kind == OrganizationKind::Provider);
    if !provides || !scope.holds(organization) {
        return Err(Refusal::NotFound { what: "organization" }.into());
    }
    let products = catalogue::products(tx, &token.offerings).await?;
    let own = |id| products.get(id).is_some_and(|product| product.provider == organization);
    if !token.offerings.iter().all(own) {
        let message = "name offerings of this provider";
        return Err(Refusal::invalid("offerings", message).into());
    }
    Ok(())
}
