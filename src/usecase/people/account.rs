//! A person's account made, renamed, disabled and enabled.

use domain::{
    actor::Actor,
    id::UserId,
    mint::Mint,
    people::{RightsChange, address},
    permission::Duty,
    refusal::Refusal,
};

use super::{check_step_down, name, scope};
use crate::{
    app::App,
    error::Result,
    store::{
        Tx,
        people::{
            User,
            account::{Account, by_address},
            membership::Seated,
        },
        session::Because,
    },
};

/// What an account is to be. What is not said stays as it is.
#[derive(Clone, Debug, Default)]
pub struct AccountWanted {
    /// Whose; a new one if not said.
    pub user: Option<UserId>,
    /// Its e-mail address; for new ones.
    pub email: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// Whether it opens nothing.
    pub disabled: Option<bool>,
}

/// Makes an account without a password, or changes one. Once disabled it opens nothing from the next request on:
/// its sessions have ended, and its streams end.
///
/// # Errors
/// FORBIDDEN for all but administrators, NOT_FOUND, VALIDATION, LAST_OWNER, LAST_ADMIN.
pub async fn save_account(app: &App, actor: &Actor, wanted: AccountWanted) -> Result<Account> {
    scope(actor, Duty::KeepAccounts)?;
    let (by, mut mint) = (actor.user(), app.world.mint());
    let saved = app.store.write(async move |tx| match wanted.user {
        Some(user) => change(&tx, &mut mint, by, user, wanted).await,
        None => found(&tx, &mut mint, wanted).await,
    });
    let saved = saved.await?;
    app.feed.ring();
    Ok(saved)
}

async fn found(tx: &Tx, mint: &mut Mint, wanted: AccountWanted) -> Result<Account> {
    if wanted.disabled == Some(true) {
        return Err(Refusal::invalid("disabled", "a new account is not disabled").into());
    }
    let user = User {
        id: mint.id(),
        email: address("email", &wanted.email.unwrap_or_default())?,
        name: name("name", &wanted.name.unwrap_or_default())?,
    };
    if by_address(tx, &user.email).await?.is_some() || !tx.add_user(&user, mint.now()).await? {
        return Err(Refusal::invalid("email", "another account has this address").into());
    }
    Ok(Account { user, created_at: mint.now(), disabled_at: None, erased_at: None })
}

async fn change(
    tx: &Tx,
    mint: &mut Mint,
    by: Option<UserId>,
    user: UserId,
    wanted: AccountWanted,
) -> Result<Account> {
    if wanted.email.is_some() {
        return Err(Refusal::invalid("email", "the address of an account does not change").into());
    }
    let mut account = tx.lock_account(user).await?.ok_or(Refusal::NotFound { what: "user" })?;
    if account.erased_at.is_some() {
        return Err(Refusal::invalid("user", "this person was erased, for good").into());
    }
    if let Some(text) = wanted.name {
        account.user.name = name("name", &text)?;
    }
    match wanted.disabled {
        Some(true) if account.disabled_at.is_none() => disable(tx, mint, by, &mut account).await?,
        Some(false) if account.disabled_at.is_some() => {
            account.disabled_at = None;
            tx.note_rights(mint, by, user, &RightsChange::Enabled).await?;
        }
        _ => {}
    }
    tx.update_account(&account).await?;
    Ok(account)
}

async fn disable(tx: &Tx, mint: &mut Mint, by: Option<UserId>, account: &mut Account) -> Result<()> {
    let (user, now) = (account.user.id, mint.now());
    let seats = tx.memberships(user).await?;
    check_step_down(tx, account, &seats.iter().collect::<Vec<&Seated>>()).await?;
    account.disabled_at = Some(now);
    tx.withdraw_invitations(user, now).await?;
    tx.end_sessions(mint.id(), (user, None), Because::Disabled, now).await?;
    tx.note_rights(mint, by, user, &RightsChange::Disabled).await
}
