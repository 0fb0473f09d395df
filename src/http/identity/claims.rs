//! What a token says, once its signature is verified: for whom it is, until when, whose, and as what.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{
    Account, Claimed, Granted,
    settings::{Roles, Settings},
};
use crate::http::auth::{Denied, LEEWAY, moment};

/// The longest e-mail address (RFC 5321), in bytes.
const LONGEST_NAME: usize = 254;

/// Reads the claims of a token. It may still have expired: that is asked on every use.
///
/// # Errors
/// When a claim that is required is missing, of another type or for somebody else; when its time has not
/// begun; when the e-mail address is not vouched for; when no role follows from it.
pub(super) fn claimed(
    claims: &Map<String, Value>,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<Claimed, Denied> {
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    let issuer = claims.get("iss").and_then(Value::as_str);
    if subject.is_empty()
        || issuer != Some(&settings.issuer)
        || !is_for(claims.get("aud"), &settings.audience)
    {
        return Err(Denied::Forged);
    }
    let expires_at = claims.get("exp").and_then(moment).ok_or(Denied::Forged)?;
    // Many providers send no `nbf`; a token from the future is as early by `iat`.
    for name in ["nbf", "iat"] {
        let Some(time) = claims.get(name) else { continue };
        if moment(time).ok_or(Denied::Forged)? > now + LEEWAY {
            return Err(Denied::NotYetValid);
        }
    }
    let account = account(claims, settings)?;
    let roles = settings.roles.as_ref().map(|roles| granted(claims, roles)).transpose()?;
    Ok(Claimed { account, roles, expires_at })
}

/// Whether one of our names is among those a token is for: a text, or a list of them.
fn is_for(audience: Option<&Value>, ours: &[String]) -> bool {
    texts(audience).iter().any(|name| ours.iter().any(|our| our == name))
}

fn account(claims: &Map<String, Value>, settings: &Settings) -> Result<Account, Denied> {
    let name = at(claims, &settings.user_claim).and_then(Value::as_str).ok_or(Denied::Forged)?;
    if settings.require_verified_email && claims.get("email_verified") != Some(&Value::Bool(true)) {
        return Err(Denied::Unverified);
    }
    if name.len() > LONGEST_NAME || name.contains(char::is_control) {
        return Err(Denied::Forged);
    }
    // No id has an @ in it, and no e-mail address is without one.
    if name.contains('@') {
        return Ok(Account::Email(name.to_owned()));
    }
    name.parse().map(Account::Id).map_err(|_| Denied::Forged)
}

/// The roles that a token's values stand for. Values without a meaning here are passed over: a provider's
/// groups serve other programs, too.
fn granted(claims: &Map<String, Value>, roles: &Roles) -> Result<Vec<Granted>, Denied> {
    let mut granted: Vec<Granted> = Vec::new();
    for role in texts(at(claims, &roles.claim)).iter().filter_map(|value| roles.of.get(*value)) {
        if !granted.contains(role) {
            granted.push(*role);
        }
    }
    if granted.is_empty() { Err(Denied::UnknownRole) } else { Ok(granted) }
}

/// The claim with this name, or, where there is none, at this path: `realm_access.roles`. The name goes
/// first because names may be addresses with dots in them.
fn at<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let step = |place: &'a Map<String, Value>| {
        let (first, rest) = path.split_once('.')?;
        at(place.get(first)?.as_object()?, rest)
    };
    claims.get(path).or_else(|| step(claims))
}

/// A text, or the texts of a list.
fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
