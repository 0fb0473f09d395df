//! Keys derived from the server's secret, one per purpose, and texts that carry their own proof.

use aes_gcm_siv::{
    Aes256GcmSiv, KeyInit, Nonce,
    aead::{Aead, Payload, generic_array::GenericArray},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::bus::Cursors;

/// What a sealed text is for. One sealed for another purpose opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Renewing a session.
    Refresh,
    /// Setting a password.
    Reset,
    /// Speaking for the account of a machine.
    Service,
}

/// Keys derived from the server's secret, one per purpose.
#[derive(Clone)]
pub struct Keys {
    cursor: [u8; 32],
    idempotency: [u8; 32],
    refresh: [u8; 32],
    reset: [u8; 32],
    service: [u8; 32],
    ticket: [u8; 32],
    rest: RestKey,
    earlier: Vec<RestKey>,
}

/// A key for what lies in the database.
#[derive(Clone)]
struct RestKey {
    /// Tells which key a text was sealed with, and nothing of the key.
    id: String,
    key: [u8; 32],
}

impl RestKey {
    fn derive(secret: &[u8]) -> RestKey {
        let name = tag(secret, b"ordo rest key id v1");
        let id = name[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        RestKey { id, key: tag(secret, b"ordo rest v1") }
    }

    fn cipher(&self) -> Aes256GcmSiv {
        Aes256GcmSiv::new(GenericArray::from_slice(&self.key))
    }
}

/// The part of a row's id that is random: no two rows share a nonce, and this cipher forgives it if they did.
fn nonce(row: Uuid) -> Nonce {
    let bytes = row.as_bytes();
    Nonce::from(std::array::from_fn(|i| bytes[i + 4]))
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// The bytes of the proof.
const PROOF: usize = 32;

impl Keys {
    /// Derives the keys.
    pub fn derive(secret: &[u8]) -> Keys {
        Keys {
            cursor: tag(secret, b"ordo cursor v1"),
            idempotency: tag(secret, b"ordo idempotency v1"),
            refresh: tag(secret, b"ordo refresh v1"),
            reset: tag(secret, b"ordo reset v1"),
            service: tag(secret, b"ordo service v1"),
            ticket: tag(secret, b"ordo ticket v1"),
            rest: RestKey::derive(secret),
            earlier: Vec::new(),
        }
    }

    /// The same, opening what was stored under earlier secrets of the server too. Tokens and cursors of those
    /// stay worthless.
    pub fn remembering<'s>(mut self, secrets: impl IntoIterator<Item = &'s [u8]>) -> Keys {
        self.earlier = secrets.into_iter().map(RestKey::derive).collect();
        self
    }

    /// The id of the key that texts are stored under now.
    pub fn rest_id(&self) -> &str {
        &self.rest.id
    }

    /// What is said, so that this server alone can read it, in this row alone: the key's id, a full stop, and
    /// the rest.
    pub fn store(&self, row: Uuid, said: &[u8]) -> String {
        let payload = Payload { msg: said, aad: row.as_bytes() };
        // The cipher fails on nothing that fits into memory.
        let hidden = self.rest.cipher().encrypt(&nonce(row), payload).unwrap_or_default();
        format!("{}.{}", self.rest.id, URL_SAFE_NO_PAD.encode(hidden))
    }

    /// What was stored in this row; none if it was sealed in another, or under a secret that is not known here.
    pub fn stored(&self, row: Uuid, text: &str) -> Option<Vec<u8>> {
        let (id, hidden) = text.split_once('.')?;
        let key = std::iter::once(&self.rest).chain(&self.earlier).find(|key| key.id == id)?;
        let hidden = URL_SAFE_NO_PAD.decode(hidden).ok()?;
        key.cipher().decrypt(&nonce(row), Payload { msg: &hidden, aad: row.as_bytes() }).ok()
    }

    /// What is stored of an input instead of the input.
    pub fn fingerprint(&self, input: &[u8]) -> Vec<u8> {
        tag(&self.idempotency, input).to_vec()
    }

    /// The sealer of cursors.
    pub fn cursors(&self) -> Cursors {
        Cursors::new(Aes256GcmSiv::new(GenericArray::from_slice(&self.cursor)))
    }

    /// What is said, with the proof that this server says it. Whoever holds the text can read it, and
    /// cannot make another.
    pub fn seal(&self, purpose: Purpose, said: &[u8]) -> String {
        let proof = tag(self.of(purpose), said);
        URL_SAFE_NO_PAD.encode([said, &proof].concat())
    }

    /// What a sealed text says; none if this server did not seal it, for this purpose, letter by letter.
    pub fn open<const N: usize>(&self, purpose: Purpose, text: &str) -> Option<[u8; N]> {
        if text.len() != (4 * (N + PROOF)).div_ceil(3) {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (said, proof) = bytes.split_at_checked(N)?;
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(self.of(purpose)).ok()?;
        mac.update(said);
        // Compares in constant time.
        mac.verify_slice(proof).ok()?;
        said.try_into().ok()
    }

    /// What is said, so that this server alone can read it. The same is always hidden as the same.
    pub fn hide(&self, said: &[u8]) -> String {
        // The cipher needs no fresh nonce, and fails on nothing that fits into memory.
        let hidden = self.hiding().encrypt(&Nonce::default(), said).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(hidden)
    }

    /// What was hidden; none if this server did not hide it.
    pub fn reveal(&self, text: &str) -> Option<Vec<u8>> {
        let hidden = URL_SAFE_NO_PAD.decode(text).ok()?;
        self.hiding().decrypt(&Nonce::default(), hidden.as_slice()).ok()
    }

    fn hiding(&self) -> Aes256GcmSiv {
        Aes256GcmSiv::new(GenericArray::from_slice(&self.ticket))
    }

    fn of(&self, purpose: Purpose) -> &[u8; 32] {
        match purpose {
            Purpose::Refresh => &self.refresh,
            Purpose::Reset => &self.reset,
            Purpose::Service => &self.service,
        }
    }
}

fn tag(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length, so there is no error to handle.
    let Ok(mut mac) = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key) else { return [0; 32] };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"a secret of more than thirty-two bytes";

    #[test]
    fn what_was_sealed_opens_for_its_purpose_alone() {
        let keys = Keys::derive(SECRET);
        let sealed = keys.seal(Purpose::Refresh, b"20 bytes of somebody");
        assert_eq!(keys.open::<20>(Purpose::Refresh, &sealed).as_ref(), Some(b"20 bytes of somebody"));
        assert_eq!(keys.open::<20>(Purpose::Reset, &sealed), None);
        assert_eq!(keys.open::<20>(Purpose::Service, &sealed), None);
        assert_eq!(keys.open::<19>(Purpose::Refresh, &sealed), None);
        assert_eq!(Keys::derive(b"another secret").open::<20>(Purpose::Refresh, &sealed), None);
    }

    #[test]
    fn no_other_text_opens_not_even_one_with_the_same_bytes() {
        let keys = Keys::derive(SECRET);
        let sealed = keys.seal(Purpose::Refresh, b"20 bytes of somebody");
        for at in 0..sealed.len() {
            for letter in ['A', 'B', '_', '=', 'é'] {
                let mut other: Vec<char> = sealed.chars().collect();
                if std::mem::replace(&mut other[at], letter) == letter {
                    continue;
                }
                let other: String = other.into_iter().collect();
                assert_eq!(keys.open::<20>(Purpose::Refresh, &other), None, "{other}");
            }
        }
        for other in ["", "=", &sealed[1..], &format!("{sealed}A"), &format!("{sealed}="), &"A".repeat(9_000)]
        {
            assert_eq!(keys.open::<20>(Purpose::Refresh, other), None, "{other}");
        }
    }

    #[test]
    fn what_is_stored_opens_in_its_row_alone_and_under_an_earlier_secret_where_that_is_known() {
        let (row, other) = (Uuid::from_u128(7 << 64 | 9), Uuid::from_u128(7 << 64 | 10));
        let old = Keys::derive(SECRET);
        let text = old.store(row, b"{}");
        assert!(text.starts_with(&format!("{}.", old.rest_id())), "{text}");
        assert_eq!(old.stored(row, &text).as_deref(), Some(&b"{}"[..]));
        assert_eq!(old.stored(other, &text), None);
        assert_eq!(old.stored(row, &text.replacen('.', "", 1)), None);
        let new = Keys::derive(b"another secret, just as long as it is");
        assert_ne!(new.rest_id(), old.rest_id());
        assert_eq!(new.stored(row, &text), None);
        let new = new.remembering([SECRET]);
        assert_eq!(new.stored(row, &text).as_deref(), Some(&b"{}"[..]));
        assert!(new.store(row, b"{}").starts_with(new.rest_id()));
    }
}
