//! Setting passwords.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use domain::id::UserId;

use super::{AccountError, Hidden, attempts, signer};
use crate::{
    app::App,
    graphql::{failure::Result, paging::parse_id, scalar::DateTime, viewer::session},
    usecase::session::{change_password, give_reset_token, reset_password},
};

/// Changes one's own password.
#[derive(Clone, Debug, InputObject)]
pub struct PasswordChangeInput {
    /// The password as it is.
    pub current: Hidden,
    /// The password as it shall be: 12 to 128 characters.
    pub new: Hidden,
}

/// Sets the password of the account that a token is for.
#[derive(Clone, Debug, InputObject)]
pub struct PasswordResetInput {
    /// The token.
    pub token: Hidden,
    /// The password as it shall be: 12 to 128 characters.
    pub new: Hidden,
}

/// Asks for a token that sets somebody's password.
#[derive(Clone, Debug, InputObject)]
pub struct PasswordResetTokenInput {
    /// Whose.
    pub user: ID,
}

/// Changes one's own password.
#[derive(Clone, Debug, SimpleObject)]
pub struct PasswordChangePayload {
    /// Why it was refused; empty on success.
    errors: Vec<AccountError>,
}

/// Sets the password of the account that a token is for.
#[derive(Clone, Debug, SimpleObject)]
pub struct PasswordResetPayload {
    /// Why it was refused; empty on success.
    errors: Vec<AccountError>,
}

/// A token that sets somebody's password.
#[derive(Clone, Debug, SimpleObject)]
pub struct PasswordResetTokenPayload {
    /// The token, a secret; null when it was refused.
    token: Option<Hidden>,
    /// Until when it counts; null when it was refused.
    expires_at: Option<DateTime>,
    /// Why it was refused; empty on success.
    errors: Vec<AccountError>,
}

/// Setting passwords.
#[derive(Debug, Default)]
pub struct PasswordMutation;

#[Object]
impl PasswordMutation {
    /// Changes one's own password. All other sessions of the account end.
    async fn password_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Both passwords.")] input: PasswordChangeInput,
    ) -> Result<PasswordChangePayload> {
        let session = session(ctx)?;
        let who = (session.actor(), session.id());
        let passwords = (input.current.into(), input.new.into());
        let app = ctx.data_unchecked::<App>();
        let done = change_password(app, signer(ctx), attempts(ctx), who, passwords).await;
        Ok(PasswordChangePayload { errors: AccountError::split(done)?.1 })
    }

    /// Sets the password of the account that a token is for, and ends all its sessions. Send it without a
    /// bearer token.
    async fn password_reset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token, and the password.")] input: PasswordResetInput,
    ) -> Result<PasswordResetPayload> {
        let PasswordResetInput { token, new } = input;
        let app = ctx.data_unchecked::<App>();
        let done = reset_password(app, signer(ctx), &token.0, new.into()).await;
        Ok(PasswordResetPayload { errors: AccountError::split(done)?.1 })
    }

    /// A token that sets somebody's password, for administrators to hand over: valid for an hour, and spent
    /// by any change of the password.
    async fn password_reset_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "For whom.")] input: PasswordResetTokenInput,
    ) -> Result<PasswordResetTokenPayload> {
        let actor = session(ctx)?.actor();
        let user: UserId = parse_id(&input.user, "input.user")?;
        let given = give_reset_token(ctx.data_unchecked::<App>(), signer(ctx), actor, user).await;
        let (given, errors) = AccountError::split(given)?;
        let (token, expires_at) = given.unzip();
        Ok(PasswordResetTokenPayload {
            token: token.map(Hidden),
            expires_at: expires_at.map(DateTime),
            errors,
        })
    }
}
