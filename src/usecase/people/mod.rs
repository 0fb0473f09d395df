//! Organisations, accounts and who is what where: founded, changed, and ended. Each function asks for the duty it
//! takes, locks the account first and then its organisations, and notes every change of rights in the log.

mod account;
mod erase;
mod invitation;
mod membership;
mod organization;

use domain::{
    actor::Actor,
    id::{OrganizationId, ProductId},
    order::{FreeText, limits},
    people::step_down,
    permission::{Duty, OrganizationScope, duty_scope},
    refusal::Refusal,
};

pub use account::{AccountWanted, save_account};
pub use erase::erase;
pub use invitation::{
    INVITATION, InvitationWanted, Newcomer, accept_invitation, create_invitation, revoke_invitation,
};
pub use membership::{MembershipWanted, remove_membership, set_membership};
pub use organization::{OrganizationWanted, save_organization};

use crate::{
    error::{Error, Result},
    store::{
        Reads, Tx, catalogue,
        people::{self, Organization, account::Account, membership::Seated},
    },
};

/// The organisations in which the actor has a duty.
///
/// # Errors
/// FORBIDDEN when it has it nowhere.
pub fn scope(actor: &Actor, duty: Duty) -> Result<OrganizationScope> {
    duty_scope(actor, duty).ok_or(Error::Forbidden)
}

/// An organisation in scope.
async fn organization(
    from: &impl Reads,
    scope: &OrganizationScope,
    id: OrganizationId,
) -> Result<Organization> {
    let found = people::organizations(from, &[id]).await?.remove(&id);
    found
        .filter(|found| scope.holds(found.id))
        .ok_or_else(|| Refusal::NotFound { what: "organization" }.into())
}

/// Whether the offerings are all of this organisation.
async fn check_offerings(from: &impl Reads, of: OrganizationId, offerings: &[ProductId]) -> Result<()> {
    if offerings.is_empty() {
        return Ok(());
    }
    let products = catalogue::products(from, offerings).await?;
    match offerings.iter().all(|id| products.get(id).is_some_and(|product| product.provider == of)) {
        true => Ok(()),
        false => Err(Refusal::invalid("offerings", "name offerings of this provider").into()),
    }
}

/// Whether an account may stop being an owner of an organisation, which is locked from here on.
async fn check_step_down(tx: &Tx, account: &Account, seats: &[&Seated]) -> Result<()> {
    let ids: Vec<OrganizationId> = seats.iter().map(|seated| seated.organization).collect();
    for organization in tx.lock_organizations(&ids).await? {
        let owner = organization.kind.owner();
        let owns = |seated: &&&Seated| seated.organization == organization.id && seated.seat.role == owner;
        // One who cannot log in looks after nothing.
        if account.disabled_at.is_none() && seats.iter().any(|seated| owns(&seated)) {
            let others = tx.other_owners(&organization, account.user.id).await?;
            step_down(organization.kind, organization.id, others)?;
        }
    }
    Ok(())
}

/// A name as it is stored.
fn name(path: &'static str, text: &str) -> Result<String> {
    Ok(FreeText { path, most: limits::NAME }.required(text)?)
}
