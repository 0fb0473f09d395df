//! Outside identity providers: whose tokens are taken besides our own, and what they say.
//!
//! A provider signs with keys that it publishes (a JSON Web Key Set, RFC 7517) and exchanges when it
//! likes. Which algorithms count is in the settings and in the kind of key; a token's header only picks
//! among keys that are already trusted.

mod claims;
mod entry;
mod key_set;
mod keys;
mod provider;
mod settings;
mod source;
mod token;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use jsonwebtoken::crypto::rust_crypto;
use moka::sync::Cache;

use self::{provider::Provider, settings::Settings};
use super::auth::{Denied, REMEMBERED};
use crate::usecase::session::{Account, Granted};

/// What a verified token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Whose it is.
    pub account: Account,
    /// The roles that count in place of the account's own memberships, each once and at least one; none
    /// where the provider gives no roles and the account's own memberships count.
    pub roles: Option<Vec<Granted>>,
    /// Until when it counts.
    pub expires_at: DateTime<Utc>,
}

/// Verifies the tokens of every provider that is configured. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Identities(Arc<[Provider]>);

impl Identities {
    /// The providers that this settings file describes. Their keys are fetched on first use, so a provider
    /// that is away does not keep the server from starting.
    ///
    /// # Errors
    /// Every fault of the text, each a sentence with its place: `provider[0].issuer: …`, counted from 0.
    pub fn parse(text: &str) -> Result<Identities, Vec<String>> {
        Identities::new(settings::parse(text)?, source::TIMEOUT).map_err(|fault| vec![fault])
    }

    fn new(described: Vec<Settings>, timeout: Duration) -> Result<Identities, String> {
        // As in `Auth`: with a second backend in the tree, jsonwebtoken would panic on first use.
        let _ = rust_crypto::DEFAULT_PROVIDER.install_default();
        let remembered = Cache::new(REMEMBERED);
        let providers: Result<_, _> = described
            .into_iter()
            .map(|settings| Provider::new(settings, timeout, remembered.clone()))
            .collect();
        let providers = providers.map_err(|error| format!("provider: no TLS on this machine: {error}"))?;
        Ok(Identities(providers))
    }

    /// Whether no provider is configured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The issuers whose tokens are taken.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Provider::issuer)
    }

    /// The configured issuer that a token names; none where it names another, or cannot be read. Nothing
    /// is verified by this: it says only who has to look at the token.
    pub fn issuer_of(&self, token: &str) -> Option<&str> {
        self.provider_of(token).ok().map(Provider::issuer)
    }

    /// Verifies a token of one of the providers. Where keys have to be fetched it waits for them, some
    /// seconds at most.
    ///
    /// # Errors
    /// When it opens nothing.
    pub async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claimed, Denied> {
        self.provider_of(token)?.verify(token, now).await
    }

    fn provider_of(&self, token: &str) -> Result<&Provider, Denied> {
        let issuer = token::issuer(token)?;
        self.0.iter().find(|provider| provider.issuer() == issuer).ok_or(Denied::Forged)
    }
}

#[cfg(test)]
mod tests;
