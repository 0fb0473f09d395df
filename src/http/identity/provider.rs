//! One outside identity provider: its settings, its keys, and the tokens of it that were verified.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::{Claimed, claims, key_set::KeySet, settings::Settings, source::Source, token::Token};
use crate::http::auth::{Denied, LEEWAY};

/// Tokens that were verified, by [`print()`].
pub(super) type Remembered = Cache<[u8; 32], Claimed>;

/// An outside identity provider.
pub(super) struct Provider {
    settings: Settings,
    keys: KeySet,
    pub(super) remembered: Remembered,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.settings.issuer).finish_non_exhaustive()
    }
}

impl Provider {
    /// A provider whose keys are not fetched yet.
    ///
    /// # Errors
    /// When TLS cannot be set up on this machine.
    pub fn new(
        settings: Settings,
        timeout: Duration,
        remembered: Remembered,
    ) -> Result<Provider, reqwest::Error> {
        let source = Source::new(settings.jwks_url.clone(), timeout)?;
        Ok(Provider { keys: KeySet::new(settings.issuer.clone(), source), settings, remembered })
    }

    /// What its tokens say as `iss`.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Verifies a token.
    ///
    /// # Errors
    /// When it opens nothing.
    pub async fn verify(&self, text: &str, now: DateTime<Utc>) -> Result<Claimed, Denied> {
        let held = self.keys.current(now).await;
        let remembered = held.as_ref().and_then(|held| self.remembered.get(&print(text, held.generation)));
        if let Some(claimed) = remembered {
            return in_time(claimed, now);
        }
        let token = Token::read(text)?;
        if !self.settings.algorithms.contains(&token.algorithm) {
            return Err(Denied::Forged);
        }
        let held = match held.filter(|held| held.keys.find(&token).is_some()) {
            Some(held) => held,
            None => self.keys.renewed(now).await.ok_or(Denied::NoKeys)?,
        };
        let key = held.keys.find(&token).ok_or(Denied::Forged)?;
        if !key.has_signed(&token) {
            return Err(Denied::Forged);
        }
        let claimed = in_time(claims::claimed(&token.claims()?, &self.settings, now)?, now)?;
        self.remembered.insert(print(text, held.generation), claimed.clone());
        Ok(claimed)
    }
}

/// What a verified token is remembered by. The keys are part of it: once one of them is taken back, nothing
/// that was verified with them counts without being verified again.
fn print(text: &str, generation: u64) -> [u8; 32] {
    Sha256::new().chain_update(generation.to_be_bytes()).chain_update(text).finalize().into()
}

fn in_time(claimed: Claimed, now: DateTime<Utc>) -> Result<Claimed, Denied> {
    if now >= claimed.expires_at + LEEWAY { Err(Denied::Expired) } else { Ok(claimed) }
}
