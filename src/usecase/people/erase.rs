//! A person made unreadable, for good.

use domain::{
    actor::Actor,
    id::UserId,
    people::{OrganizationKind, RightsChange},
    permission::Duty,
    refusal::Refusal,
};

use super::{check_step_down, scope};
use crate::{
    app::App,
    error::Result,
    store::{
        Tx,
        people::{
            self,
            account::{Account, by_id},
            membership::Seated,
        },
    },
};

/// Erases a person: name, e-mail address, whatever they could get in with, and what the orders that they placed
/// as a buyer say of them. The ledger stays: orders, amounts, events. Typing the address again is the
/// confirmation.
///
/// # Errors
/// FORBIDDEN for all but administrators, NOT_FOUND, VALIDATION, LAST_OWNER, LAST_ADMIN.
pub async fn erase(app: &App, actor: &Actor, user: UserId, confirm: &str) -> Result<Account> {
    scope(actor, Duty::KeepAccounts)?;
    let (by, mut mint, confirm) = (actor.user(), app.world.mint(), confirm.trim().to_lowercase());
    let erased = app.store.write(async move |tx| {
        let not_found = || Refusal::NotFound { what: "user" };
        let account = tx.lock_account(user).await?.filter(|account| account.erased_at.is_none());
        let account = account.ok_or_else(not_found)?;
        if account.user.email.to_lowercase() != confirm {
            return Err(Refusal::invalid("confirm", "type the account's e-mail address again").into());
        }
        let seats = leave_behind(&tx, &account).await?;
        let customers = tx.bought_for(user).await?;
        for seated in &seats {
            tx.set_seat(&mut mint, by, (user, seated.organization), None).await?;
        }
        let now = mint.now();
        tx.withdraw_invitations(user, now).await?;
        for token in tx.tokens_made_by(user).await? {
            tx.revoke_service_token(mint.id(), token, now).await?;
        }
        tx.erase_orders(user, &customers).await?;
        tx.erase_account(&account, now).await?;
        tx.note_rights(&mut mint, by, user, &RightsChange::Erased).await?;
        Ok(by_id(&*tx, user).await?.ok_or_else(not_found)?)
    });
    let erased = erased.await?;
    app.feed.ring();
    Ok(erased)
}

/// The memberships that end with the person. A customer who is this person alone is erased along; any other
/// organisation keeps an owner.
async fn leave_behind(tx: &Tx, account: &Account) -> Result<Vec<Seated>> {
    let user = account.user.id;
    let seats = tx.memberships(user).await?;
    let ids: Vec<_> = seats.iter().map(|seated| seated.organization).collect();
    let organizations = people::organizations(tx, &ids).await?;
    let mut shared = Vec::new();
    for seated in &seats {
        let kind = organizations.get(&seated.organization).map(|organization| organization.kind);
        let own = kind == Some(OrganizationKind::Person);
        match own && tx.is_alone(user, seated.organization).await? {
            true => tx.erase_customer(seated.organization).await?,
            false => shared.push(seated),
        }
    }
    check_step_down(tx, account, &shared).await?;
    Ok(seats)
}
