//! Logging in, staying in, and logging out.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use super::{AccountError, Hidden, attempts, signer};
use crate::{
    app::App,
    graphql::{
        failure::Result,
        scalar::DateTime,
        viewer::{Session, Viewer, session},
    },
    usecase::session::{self, Opened},
};

/// A session as its owner gets it. Both tokens are secrets.
#[derive(Clone, Debug, SimpleObject)]
pub struct AuthSession {
    /// What requests carry as `Authorization: Bearer`.
    access_token: Hidden,
    /// Until when they may; renew the session before.
    expires_at: DateTime,
    /// What renews the session, once: the answer has the next one.
    refresh_token: Hidden,
    /// When the session ends, however often it is renewed.
    refresh_expires_at: DateTime,
    /// Who has logged in. An organisation's e-mail address is told to those who send a token.
    viewer: Viewer,
}

impl From<Opened> for AuthSession {
    fn from(opened: Opened) -> AuthSession {
        AuthSession {
            viewer: Viewer(Session::new(opened.actor, opened.credentials, opened.expires_at)),
            access_token: Hidden(opened.access_token),
            expires_at: DateTime(opened.expires_at),
            refresh_token: Hidden(opened.refresh_token),
            refresh_expires_at: DateTime(opened.refresh_expires_at),
        }
    }
}

/// Begins a session.
#[derive(Clone, Debug, InputObject)]
pub struct LoginInput {
    /// The account's e-mail address.
    pub email: String,
    /// Its password.
    pub password: Hidden,
}

/// Renews a session.
#[derive(Clone, Debug, InputObject)]
pub struct RefreshInput {
    /// The newest refresh token of the session.
    pub refresh_token: Hidden,
}

/// Ends a session.
#[derive(Clone, Debug, InputObject)]
pub struct LogoutInput {
    /// A refresh token of the session; the session of the access token that calls if not given.
    pub refresh_token: Option<Hidden>,
}

/// A payload with a session.
macro_rules! session_payload {
    ($doc:literal, $payload:ident) => {
        #[doc = $doc]
        #[derive(Clone, Debug, SimpleObject)]
        pub struct $payload {
            /// The session; null when the mutation was refused.
            session: Option<AuthSession>,
            /// Why it was refused; empty on success.
            errors: Vec<AccountError>,
        }

        impl $payload {
            fn of(done: crate::error::Result<Opened>) -> Result<$payload> {
                let (opened, errors) = AccountError::split(done)?;
                Ok($payload { session: opened.map(AuthSession::from), errors })
            }
        }
    };
}

session_payload!("Begins a session.", LoginPayload);
session_payload!("Renews a session.", RefreshPayload);

/// Ends a session.
#[derive(Clone, Debug, SimpleObject)]
pub struct LogoutPayload {
    /// Why it was refused; empty on success.
    errors: Vec<AccountError>,
}

/// Getting in and out.
#[derive(Debug, Default)]
pub struct SessionMutation;

#[Object]
impl SessionMutation {
    /// Begins a session with an e-mail address and a password. Send it without a token. The answer does not
    /// tell an unknown address from a wrong password.
    async fn login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and how it shows.")] input: LoginInput,
    ) -> Result<LoginPayload> {
        let LoginInput { email, password } = input;
        let app = ctx.data_unchecked::<App>();
        LoginPayload::of(session::login(app, signer(ctx), attempts(ctx), &email, password.into()).await)
    }

    /// Renews a session: a new access token and the next refresh token. Send it without a token. The one
    /// before the newest gets the same answer for ten seconds; any older use ends the session.
    async fn refresh(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session.")] input: RefreshInput,
    ) -> Result<RefreshPayload> {
        let app = ctx.data_unchecked::<App>();
        RefreshPayload::of(session::refresh(app, signer(ctx), &input.refresh_token.0).await)
    }

    /// Ends a session: its tokens open nothing from the next request on. A token that was never given out is
    /// answered as any other.
    async fn logout(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session.")] input: LogoutInput,
    ) -> Result<LogoutPayload> {
        let token = input.refresh_token.as_ref().map(|token| token.0.as_str());
        let own = if token.is_none() { session(ctx)?.id() } else { None };
        let done = session::logout(ctx.data_unchecked::<App>(), token, own).await;
        Ok(LogoutPayload { errors: AccountError::split(done)?.1 })
    }
}
