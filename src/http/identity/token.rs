//! A token in its compact form (RFC 7515): what its header asks for, before anything is believed.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::http::auth::{Denied, LONGEST};

/// The only algorithms there are here: public keys, one for each kind of key.
pub(super) const ALGORITHMS: [(&str, Algorithm); 3] =
    [("RS256", Algorithm::RS256), ("ES256", Algorithm::ES256), ("EdDSA", Algorithm::EdDSA)];

/// The algorithm with this name, letter for letter.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    ALGORITHMS.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
}

/// A token whose header asks for nothing that we do not know. Nothing in it is verified.
pub(super) struct Token<'a> {
    /// How it says that it is signed.
    pub algorithm: Algorithm,
    /// The key that it says it is signed with.
    pub key_id: Option<String>,
    /// What is signed.
    pub message: &'a str,
    /// The signature, in base64.
    pub signature: &'a str,
    payload: &'a str,
}

impl Token<'_> {
    /// Reads a token. Keys and addresses of keys in its header (`jwk`, `jku`, `x5u`, `x5c`) are not looked
    /// at: trusting them would let a token vouch for itself.
    ///
    /// # Errors
    /// When it is not a token, or its header asks for something else than we do: an algorithm that does
    /// not exist here, an extension that must be understood (`crit`), another kind of token (`typ`).
    pub fn read(text: &str) -> Result<Token<'_>, Denied> {
        let Parts { message, header, payload, signature } = Parts::of(text)?;
        let header: Map<String, Value> = decoded(header)?;
        if header.contains_key("crit") || !header.get("typ").is_none_or(opens_an_api) {
            return Err(Denied::Forged);
        }
        let name = header.get("alg").and_then(Value::as_str).ok_or(Denied::Forged)?;
        let algorithm = algorithm(name).ok_or(Denied::Forged)?;
        let key_id = match header.get("kid") {
            None => None,
            Some(id) => Some(id.as_str().ok_or(Denied::Forged)?.to_owned()),
        };
        Ok(Token { algorithm, key_id, message, signature, payload })
    }

    /// What it says.
    ///
    /// # Errors
    /// When that is not an object in JSON.
    pub fn claims(&self) -> Result<Map<String, Value>, Denied> {
        decoded(self.payload)
    }
}

/// Who has issued a token, as it says itself: a peek that only chooses whom to ask.
///
/// # Errors
/// When it cannot be read, or does not say.
pub(super) fn issuer(text: &str) -> Result<String, Denied> {
    #[derive(Deserialize)]
    struct Peek {
        #[serde(default)]
        iss: Value,
    }
    match decoded(Parts::of(text)?.payload)? {
        Peek { iss: Value::String(issuer) } => Ok(issuer),
        Peek { .. } => Err(Denied::Forged),
    }
}

/// `header.payload.signature`, the first two of which are signed. A fourth part is in the payload, where
/// its dot is not base64.
struct Parts<'a> {
    message: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl Parts<'_> {
    fn of(text: &str) -> Result<Parts<'_>, Denied> {
        if text.len() > LONGEST {
            return Err(Denied::Malformed);
        }
        let (message, signature) = text.rsplit_once('.').ok_or(Denied::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Denied::Malformed)?;
        Ok(Parts { message, header, payload, signature })
    }
}

fn decoded<T: DeserializeOwned>(part: &str) -> Result<T, Denied> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Denied::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| Denied::Malformed)
}

/// Whether a token is of the kind that opens an API. One that tells of a log-out or another event may carry
/// the same issuer and audience, and opens nothing.
fn opens_an_api(typ: &Value) -> bool {
    let typ = typ.as_str().unwrap_or_default().to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
}
