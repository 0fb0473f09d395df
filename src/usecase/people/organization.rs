//! An organisation made, or given another name, e-mail address or time zone.

use domain::{
    actor::Actor,
    id::OrganizationId,
    mint::Mint,
    people::{OrganizationKind, address},
    permission::{Duty, OrganizationScope},
    refusal::Refusal,
};

use super::{name, organization, scope};
use crate::{
    app::App,
    error::Result,
    store::{
        Tx,
        people::{self, Organization},
    },
};

/// What an organisation is to be. What is not said stays as it is.
#[derive(Clone, Debug, Default)]
pub struct OrganizationWanted {
    /// Which; a new one if not said.
    pub organization: Option<OrganizationId>,
    /// What it is; for new ones.
    pub kind: Option<OrganizationKind>,
    /// Its name.
    pub name: Option<String>,
    /// Its e-mail address; an empty one for none.
    pub email: Option<String>,
    /// Its time zone, a name of the IANA database.
    pub time_zone: Option<String>,
}

/// Makes an organisation, for administrators, or changes one, for its owners too.
///
/// # Errors
/// FORBIDDEN, NOT_FOUND, VALIDATION.
pub async fn save_organization(app: &App, actor: &Actor, wanted: OrganizationWanted) -> Result<Organization> {
    let duty = match wanted.organization {
        Some(_) => Duty::EditOrganizations,
        None => Duty::FoundOrganizations,
    };
    let (scope, mut mint) = (scope(actor, duty)?, app.world.mint());
    app.store
        .write(async move |tx| match wanted.organization {
            Some(id) => change(&tx, &scope, id, wanted).await,
            None => found(&tx, &mut mint, wanted).await,
        })
        .await
}

async fn found(tx: &Tx, mint: &mut Mint, wanted: OrganizationWanted) -> Result<Organization> {
    let kind = wanted.kind.ok_or_else(|| Refusal::invalid("kind", "say what the organisation is"))?;
    if kind == OrganizationKind::Operator && people::operator(tx).await?.is_some() {
        return Err(Refusal::invalid("kind", "an installation has one operator, and this one has it").into());
    }
    let new = Organization {
        id: mint.id(),
        kind,
        name: String::new(),
        email: None,
        time_zone: "UTC".to_owned(),
        created_at: mint.now(),
    };
    let wanted = OrganizationWanted { name: Some(wanted.name.unwrap_or_default()), ..wanted };
    let new = filled(new, wanted)?;
    tx.insert_organization(&new).await?;
    Ok(new)
}

async fn change(
    tx: &Tx,
    scope: &OrganizationScope,
    id: OrganizationId,
    wanted: OrganizationWanted,
) -> Result<Organization> {
    organization(tx, scope, id).await?;
    if wanted.kind.is_some() {
        return Err(Refusal::invalid("kind", "what an organisation is never changes; make another").into());
    }
    let known = tx.lock_organizations(&[id]).await?.pop();
    let changed = filled(known.ok_or(Refusal::NotFound { what: "organization" })?, wanted)?;
    tx.update_organization(&changed).await?;
    Ok(changed)
}

fn filled(mut known: Organization, wanted: OrganizationWanted) -> Result<Organization> {
    if let Some(text) = wanted.name {
        known.name = name("name", &text)?;
    }
    if let Some(text) = wanted.email {
        known.email = if text.trim().is_empty() { None } else { Some(address("email", &text)?) };
    }
    if let Some(zone) = wanted.time_zone {
        if zone.parse::<chrono_tz::Tz>().is_err() {
            return Err(Refusal::invalid("timeZone", "a time zone is a name such as Europe/Berlin").into());
        }
        known.time_zone = zone;
    }
    Ok(known)
}
