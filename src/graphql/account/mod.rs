//! Getting in and out: sessions, passwords, and the tokens of machines.

mod password;
mod refused;
mod service_token;
mod session;
mod ticket;

use std::sync::Arc;

use async_graphql::{Context, NewType};

pub use password::PasswordMutation;
pub use refused::AccountError;
pub use service_token::{ServiceToken, ServiceTokenMutation, ServiceTokenQuery};
pub use session::SessionMutation;
pub use ticket::TicketMutation;

use crate::{
    secret::Secret,
    usecase::session::{Attempts, Signer},
};

/// Text of a caller that no log may show: a password, a token. A plain string in the schema.
#[derive(Clone, NewType)]
pub struct Hidden(pub(in crate::graphql) String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden(…)")
    }
}

impl From<Hidden> for Secret {
    fn from(hidden: Hidden) -> Secret {
        Secret::new(hidden.0)
    }
}

/// Who signs tokens here.
pub(super) fn signer<'a>(ctx: &Context<'a>) -> &'a dyn Signer {
    &**ctx.data_unchecked::<Arc<dyn Signer>>()
}

/// Who counts attempts, if anybody does.
pub(super) fn attempts<'a>(ctx: &Context<'a>) -> Option<&'a dyn Attempts> {
    ctx.data_opt::<Arc<dyn Attempts>>().map(|attempts| &**attempts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_not_shown_by_whoever_prints_it() {
        let hidden = Hidden("correct horse battery".to_owned());
        let input = session::LoginInput { email: "ada".to_owned(), password: hidden.clone() };
        let secret: Secret = hidden.into();
        assert!(!format!("{input:?} {secret:?}").contains("horse"));
    }
}
