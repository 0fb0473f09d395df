//! Bearer tokens: verified with one key and one algorithm, both ours; never what a token names.

use std::{fmt, sync::Arc, time::Duration};

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use domain::id::{SessionId, UserId};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, crypto::rust_crypto, decode, encode,
};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::identity::{Claimed, Identities};
use crate::{
    error::Error,
    keys::Keys,
    usecase::session::{Account, Granted, Service, Signer},
};

/// How far clocks may differ.
pub(super) const LEEWAY: TimeDelta = TimeDelta::seconds(30);
/// Verified tokens that are remembered, and for how long at most.
pub(super) const REMEMBERED: u64 = 10_000;
const REMEMBERED_FOR: Duration = Duration::from_secs(3_600);
/// The last second that every clock and client can write, since 1970.
const YEAR_9999: i64 = 253_402_300_799;
/// Longer tokens are not looked at.
pub(super) const LONGEST: usize = 8_192;

/// Why a token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Not `Bearer TOKEN`, or not a token.
    #[error("the token cannot be read; send `Authorization: Bearer TOKEN`")]
    Malformed,
    /// Signed by somebody else or in another way, for somebody else, or without a claim that is required.
    #[error("the token is not valid here")]
    Forged,
    /// Its time is over.
    #[error("the token has expired; get a new one")]
    Expired,
    /// Its time has not begun.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Its account is gone or disabled, its session has been ended, or it was revoked.
    #[error("the token's account does not exist or is disabled, or the token was revoked")]
    NoAccount,
    /// Its provider does not vouch for the e-mail address.
    #[error("the token's e-mail address is not verified; verify it with the identity provider")]
    Unverified,
    /// Roles are the provider's to give, and it gave none that counts here.
    #[error("the token gives no role here; ask for one at the identity provider")]
    UnknownRole,
    /// Its provider's keys cannot be fetched, and there are none from the last 24 hours.
    #[error("the token cannot be checked, its identity provider does not answer; try again later")]
    NoKeys,
}

/// Why a key cannot verify tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A private key does not belong on a server that verifies.
    #[error("names a file with a private key; export the public one")]
    Private,
    /// No PEM, or a key of another kind.
    #[error("names a file without a public key that can be used: PEM of RSA, EC P-256 or Ed25519 is wanted")]
    Unknown,
    /// An RSA key that can be broken.
    #[error("names an RSA key that is too short; 2048 bits are the least")]
    Weak,
}

/// A token could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tokens are issued elsewhere: this server has a public key only (`jwt_public_key_file`)")]
pub struct NotAnIssuer;

/// What a verified token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whose it is.
    pub account: Account,
    /// The session that it belongs to, if it does.
    pub session: Option<SessionId>,
    /// The roles that count in place of the account's own memberships, where its issuer gives them.
    pub roles: Option<Arc<[Granted]>>,
    /// Until when it counts.
    pub expires_at: DateTime<Utc>,
}

/// What a token says, of whatever type; missing ones are refused by [`Validation`].
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Claims {
    sub: Value,
    iss: Value,
    aud: Value,
    exp: Value,
    nbf: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    sid: Value,
}

/// Verifies tokens, and issues them where the key allows. With the server's keys it knows service tokens,
/// and it takes those of the identity providers that it is told of.
#[derive(Clone)]
pub struct Auth {
    inner: Arc<Inner>,
    keys: Option<Keys>,
    identities: Identities,
}

struct Inner {
    verifying: DecodingKey,
    signing: Option<EncodingKey>,
    validation: Validation,
    issuer: String,
    audience: String,
    verified: Cache<[u8; 32], Verified>,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("validation", &self.inner.validation).finish_non_exhaustive()
    }
}

impl Auth {
    /// Tokens signed with a secret of this server (HS256).
    pub fn with_secret(secret: &[u8], issuer: &str, audience: &str) -> Auth {
        let signing = EncodingKey::from_secret(secret);
        let key = (DecodingKey::from_secret(secret), Algorithm::HS256);
        Auth::new(key, Some(signing), issuer, audience)
    }

    /// Tokens signed by somebody else, whose public key this is. Its kind decides the algorithm.
    ///
    /// # Errors
    /// When it is not a public key of a kind that is supported.
    pub fn with_public_key(pem: &str, issuer: &str, audience: &str) -> Result<Auth, KeyError> {
        Ok(Auth::new(public_key(pem)?, None, issuer, audience))
    }

    fn new(
        (verifying, algorithm): (DecodingKey, Algorithm),
        signing: Option<EncodingKey>,
        issuer: &str,
        audience: &str,
    ) -> Auth {
        // Were a dependency to switch on a second backend, jsonwebtoken would panic on first use. An
        // error says only that this was done before.
        let _ = rust_crypto::DEFAULT_PROVIDER.install_default();
        let mut validation = Validation::new(algorithm);
        validation.set_required_spec_claims(&["sub", "exp", "nbf", "iss", "aud"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        // The times are compared in `verify`, with the clock that is passed in.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let verified = Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBERED_FOR).build();
        let (issuer, audience) = (issuer.to_owned(), audience.to_owned());
        let inner = Inner { verifying, signing, validation, issuer, audience, verified };
        Auth { inner: Arc::new(inner), keys: None, identities: Identities::default() }
    }

    /// The same, knowing the service tokens that were sealed with these keys.
    pub fn knowing(self, keys: Keys) -> Auth {
        Auth { keys: Some(keys), ..self }
    }

    /// The same, taking the tokens of these identity providers too.
    pub fn trusting(self, identities: Identities) -> Auth {
        Auth { identities, ..self }
    }

    /// A token for this account, from now on. Roles are not in it: they are read on every request.
    ///
    /// # Errors
    /// When this server does not issue tokens.
    pub fn issue(
        &self,
        user: UserId,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<String, NotAnIssuer> {
        self.issue_within(user, None, now, expires_at)
    }

    fn issue_within(
        &self,
        user: UserId,
        session: Option<SessionId>,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<String, NotAnIssuer> {
        let signing = self.inner.signing.as_ref().ok_or(NotAnIssuer)?;
        let claims = Claims {
            sub: user.to_string().into(),
            iss: self.inner.issuer.clone().into(),
            aud: self.inner.audience.clone().into(),
            exp: expires_at.timestamp().into(),
            nbf: now.timestamp().into(),
            sid: session.map_or(Value::Null, |session| session.to_string().into()),
        };
        encode(&Header::new(Algorithm::HS256), &claims, signing).map_err(|_| NotAnIssuer)
    }

    /// Who sends these headers; nobody when they carry no token.
    ///
    /// # Errors
    /// When they carry one that opens nothing.
    pub async fn bearer(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Result<Option<Verified>, Denied> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(Denied::Malformed);
        }
        self.credentials(value.to_str().map_err(|_| Denied::Malformed)?, now).await.map(Some)
    }

    /// Verifies `Bearer TOKEN`.
    ///
    /// # Errors
    /// When it opens nothing.
    pub async fn credentials(&self, value: &str, now: DateTime<Utc>) -> Result<Verified, Denied> {
        let (scheme, token) = value.trim().split_once(' ').ok_or(Denied::Malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Denied::Malformed);
        }
        self.verify(token.trim(), now).await
    }

    /// Verifies a token. Where the keys of an identity provider have to be fetched it waits for them, some
    /// seconds at most.
    ///
    /// # Errors
    /// When it opens nothing.
    pub async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Verified, Denied> {
        if token.len() > LONGEST {
            return Err(Denied::Malformed);
        }
        if token.starts_with(Service::PREFIX) {
            return self.service(token, now);
        }
        if self.identities.issuer_of(token).is_some() {
            let Claimed { account, roles, expires_at } = self.identities.verify(token, now).await?;
            return Ok(Verified { account, session: None, roles: roles.map(Arc::from), expires_at });
        }
        self.own(token, now)
    }

    /// A token of this server, or of the one whose public key is configured.
    fn own(&self, token: &str, now: DateTime<Utc>) -> Result<Verified, Denied> {
        let key: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(verified) = self.inner.verified.get(&key) {
            return in_time(verified, now);
        }
        let token = decode::<Claims>(token, &self.inner.verifying, &self.inner.validation);
        let claims = token.map_err(|error| refused(error.kind()))?.claims;
        let starts_at = moment(&claims.nbf).ok_or(Denied::Forged)?;
        let expires_at = moment(&claims.exp).ok_or(Denied::Forged)?;
        let user = claims.sub.as_str().and_then(|id| id.parse().ok()).ok_or(Denied::Forged)?;
        if starts_at > now + LEEWAY {
            return Err(Denied::NotYetValid);
        }
        let session = self.session(&claims.sid)?;
        let verified =
            in_time(Verified { account: Account::Id(user), session, roles: None, expires_at }, now)?;
        self.inner.verified.insert(key, verified.clone());
        Ok(verified)
    }

    /// The session that a token names. In somebody else's tokens `sid` is somebody else's.
    fn session(&self, sid: &Value) -> Result<Option<SessionId>, Denied> {
        if self.inner.signing.is_none() || sid.is_null() {
            return Ok(None);
        }
        sid.as_str().and_then(|id| id.parse().ok()).map(Some).ok_or(Denied::Forged)
    }

    /// A service token: no signature to check but the server's own seal.
    fn service(&self, token: &str, now: DateTime<Utc>) -> Result<Verified, Denied> {
        let keys = self.keys.as_ref().ok_or(Denied::Forged)?;
        let Service { user, expires_at } = Service::open(keys, token).ok_or(Denied::Forged)?;
        let expires_at = expires_at.or(DateTime::from_timestamp(YEAR_9999, 0)).ok_or(Denied::Forged)?;
        in_time(Verified { account: Account::Id(user), session: None, roles: None, expires_at }, now)
    }
}

impl Signer for Auth {
    fn issues(&self) -> bool {
        self.inner.signing.is_some()
    }

    fn sign(
        &self,
        user: UserId,
        session: SessionId,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> crate::error::Result<String> {
        self.issue_within(user, Some(session), now, expires_at).map_err(|NotAnIssuer| Error::LoginElsewhere)
    }
}

fn in_time(verified: Verified, now: DateTime<Utc>) -> Result<Verified, Denied> {
    if now >= verified.expires_at + LEEWAY { Err(Denied::Expired) } else { Ok(verified) }
}

/// Seconds since 1970, a fraction cut off. Not in the last years that a date can name, so that adding
/// the leeway cannot overflow.
pub(super) fn moment(number: &Value) -> Option<DateTime<Utc>> {
    let whole = number.as_i64().or_else(|| number.as_f64().map(|fraction| fraction as i64))?;
    DateTime::from_timestamp(whole.clamp(0, YEAR_9999), 0)
}

fn refused(kind: &jsonwebtoken::errors::ErrorKind) -> Denied {
    use jsonwebtoken::errors::ErrorKind;
    match kind {
        ErrorKind::InvalidToken | ErrorKind::Base64(_) | ErrorKind::Json(_) | ErrorKind::Utf8(_) => {
            Denied::Malformed
        }
        _ => Denied::Forged,
    }
}

/// What a key says it is, as object identifiers in DER.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
/// An RSA key of 2048 bits is longer than this.
const RSA_LEAST: usize = 260;

fn public_key(pem: &str) -> Result<(DecodingKey, Algorithm), KeyError> {
    if pem.contains("PRIVATE KEY") {
        return Err(KeyError::Private);
    }
    let body: String = pem.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(body).map_err(|_| KeyError::Unknown)?;
    // The algorithm stands in the first bytes; further on there is only the key itself.
    let head = &der[..der.len().min(40)];
    let says = |id: &[u8]| head.windows(id.len()).any(|window| window == id);
    let pem_bytes = pem.as_bytes();
    let (key, algorithm) = if says(RSA) || pem.contains("BEGIN RSA PUBLIC KEY") {
        if der.len() < RSA_LEAST {
            return Err(KeyError::Weak);
        }
        (DecodingKey::from_rsa_pem(pem_bytes), Algorithm::RS256)
    } else if says(P256) {
        (DecodingKey::from_ec_pem(pem_bytes), Algorithm::ES256)
    } else if says(ED25519) {
        (DecodingKey::from_ed_pem(pem_bytes), Algorithm::EdDSA)
    } else {
        return Err(KeyError::Unknown);
    };
    Ok((key.map_err(|_| KeyError::Unknown)?, algorithm))
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
