//! A provider's public keys, out of the JSON Web Key Set (RFC 7517) that it publishes.

use std::ops::RangeInclusive;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use super::token::Token;

/// The most keys of a set; the ones after that do not count.
const MOST: usize = 64;
/// Bits of an RSA key: shorter ones can be broken, longer ones are not supported by the library and slow.
const RSA_BITS: RangeInclusive<usize> = 2048..=4096;
/// Bytes of a coordinate on P-256, and of a key on Ed25519.
const COORDINATE: usize = 32;

/// A key that signatures are verified with.
pub(super) struct Key {
    jwk: Jwk,
    algorithm: Algorithm,
    verifying: DecodingKey,
}

/// The keys of one provider.
#[derive(Default)]
pub(super) struct Keys(Vec<Key>);

/// Two sets are equal when the same was published.
impl PartialEq for Keys {
    fn eq(&self, other: &Keys) -> bool {
        self.0.iter().map(|key| &key.jwk).eq(other.0.iter().map(|key| &key.jwk))
    }
}

impl Keys {
    /// The keys in a document. Those that are not for signatures, or of a kind that we do not know, are
    /// left out: a provider may publish keys for others beside ours.
    pub fn read(document: &[u8]) -> Option<Keys> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let Document { keys } = serde_json::from_slice(document).ok()?;
        Some(Keys(keys.into_iter().filter_map(Key::read).take(MOST).collect()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The one key that a token can be signed with: by its id, where the token names one, and by its
    /// kind. None when several would do: we do not try them in turn.
    pub fn find(&self, token: &Token<'_>) -> Option<&Key> {
        let named = |key: &Key| token.key_id.is_none() || key.jwk.common.key_id == token.key_id;
        let mut fitting = self.0.iter().filter(|key| key.algorithm == token.algorithm && named(key));
        let key = fitting.next()?;
        fitting.next().is_none().then_some(key)
    }
}

impl Key {
    fn read(value: Value) -> Option<Key> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let common = &jwk.common;
        let signs = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature))
            && common
                .key_operations
                .as_ref()
                .is_none_or(|for_what| for_what.contains(&KeyOperations::Verify));
        let algorithm = algorithm(&jwk.algorithm)?;
        let agrees = common.key_algorithm.is_none_or(|named| named == algorithm.into());
        let verifying = DecodingKey::from_jwk(&jwk).ok()?;
        (signs && agrees).then_some(Key { jwk, algorithm, verifying })
    }

    /// Whether this key has signed the token. The algorithm is the key's, whatever the token says.
    pub fn has_signed(&self, token: &Token<'_>) -> bool {
        let message = token.message.as_bytes();
        jsonwebtoken::crypto::verify(token.signature, message, &self.verifying, self.algorithm)
            .unwrap_or(false)
    }
}

/// The algorithm for a kind of key: one each, so that a token cannot choose.
fn algorithm(parameters: &AlgorithmParameters) -> Option<Algorithm> {
    let (fits, algorithm) = match parameters {
        AlgorithmParameters::RSA(key) => (RSA_BITS.contains(&bits(&key.n)), Algorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) => (
            key.curve == EllipticCurve::P256
                && [&key.x, &key.y].map(|part| bytes(part).len()) == [COORDINATE; 2],
            Algorithm::ES256,
        ),
        AlgorithmParameters::OctetKeyPair(key) => {
            (key.curve == EllipticCurve::Ed25519 && bytes(&key.x).len() == COORDINATE, Algorithm::EdDSA)
        }
        _ => return None,
    };
    fits.then_some(algorithm)
}

/// The length of a number, without zeros in front.
fn bits(number: &str) -> usize {
    let bytes = bytes(number);
    let number: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// Nothing where it is not base64.
fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
