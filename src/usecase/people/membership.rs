//! What somebody is in an organisation: set, and ended.

use domain::{
    actor::Actor,
    id::{OrganizationId, ProductId, UserId},
    people::{MOST_MEMBERSHIPS, Seat, seat},
    permission::{Duty, OrganizationScope},
    refusal::Refusal,
    role::Role,
};

use super::{check_offerings, check_step_down, organization, scope};
use crate::{
    app::App,
    error::Result,
    store::{
        Tx,
        people::{Organization, account::Account, membership::Seated},
    },
};

/// What somebody is to be in an organisation.
#[derive(Clone, Debug)]
pub struct MembershipWanted {
    /// Who.
    pub user: UserId,
    /// Where.
    pub organization: OrganizationId,
    /// As what.
    pub role: Role,
    /// The offerings that a manager is narrowed to.
    pub offerings: Vec<ProductId>,
}

/// Makes this all that somebody is in an organisation. Administrators take in anybody; an owner changes who is
/// there already, and invites everybody else, for nobody is to be taken in without having agreed.
///
/// # Errors
/// FORBIDDEN; NOT_FOUND for an organisation out of reach, or somebody who is not there; VALIDATION; LAST_OWNER,
/// LAST_ADMIN.
pub async fn set_membership(app: &App, actor: &Actor, wanted: MembershipWanted) -> Result<Account> {
    let scope = scope(actor, Duty::GiveMemberships)?;
    let (by, mut mint) = (actor.user(), app.world.mint());
    let MembershipWanted { user, organization: id, role, offerings } = wanted;
    let done = app.store.write(async move |tx| {
        let organization = organization(&*tx, &scope, id).await?;
        let seat = seat(organization.kind, role, offerings)?;
        check_offerings(&*tx, id, &seat.offerings).await?;
        let (account, seats) = member(&tx, &scope, user, id).await?;
        take(&tx, &account, &seats, (&organization, &seat)).await?;
        tx.set_seat(&mut mint, by, (user, id), Some(seat)).await?;
        Ok(account)
    });
    let account = done.await?;
    app.feed.ring();
    Ok(account)
}

/// Ends all that somebody is in an organisation. Their streams lose its orders at once; orders that are assigned
/// to them stay so.
///
/// # Errors
/// FORBIDDEN; NOT_FOUND for an organisation out of reach, or somebody who is not there; LAST_OWNER, LAST_ADMIN.
pub async fn remove_membership(
    app: &App,
    actor: &Actor,
    (user, id): (UserId, OrganizationId),
) -> Result<Account> {
    let scope = scope(actor, Duty::GiveMemberships)?;
    let (by, mut mint) = (actor.user(), app.world.mint());
    let done = app.store.write(async move |tx| {
        organization(&*tx, &scope, id).await?;
        let (account, seats) = member(&tx, &scope, user, id).await?;
        let there: Vec<&Seated> = seats.iter().filter(|seated| seated.organization == id).collect();
        if there.is_empty() {
            return Err(Refusal::NotFound { what: "user" }.into());
        }
        check_step_down(&tx, &account, &there).await?;
        tx.set_seat(&mut mint, by, (user, id), None).await?;
        Ok(account)
    });
    let account = done.await?;
    app.feed.ring();
    Ok(account)
}

/// An account, locked, and its memberships; to an owner it is there as a member alone.
async fn member(
    tx: &Tx,
    scope: &OrganizationScope,
    user: UserId,
    organization: OrganizationId,
) -> Result<(Account, Vec<Seated>)> {
    let account = tx.lock_account(user).await?.filter(|account| account.erased_at.is_none());
    let seats = tx.memberships(user).await?;
    let there = seats.iter().any(|seated| seated.organization == organization);
    let reached = there || *scope == OrganizationScope::Every;
    match account.filter(|_| reached) {
        Some(account) => Ok((account, seats)),
        None => Err(Refusal::NotFound { what: "user" }.into()),
    }
}

/// Whether an account may take this seat, with those that it has.
pub(super) async fn take(
    tx: &Tx,
    account: &Account,
    seats: &[Seated],
    (organization, seat): (&Organization, &Seat),
) -> Result<()> {
    let there: Vec<&Seated> = seats.iter().filter(|seated| seated.organization == organization.id).collect();
    if there.is_empty() && seats.len() >= MOST_MEMBERSHIPS {
        let message = format!("an account is a member of at most {MOST_MEMBERSHIPS} organisations");
        return Err(Refusal::invalid("user", message).into());
    }
    if seat.role == organization.kind.owner() {
        return Ok(());
    }
    check_step_down(tx, account, &there).await
}
