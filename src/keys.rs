//! Keys derived from the server's secret, one per purpose, and texts that carry their own proof.

use aes_gcm_siv::{Aes256GcmSiv, KeyInit, aead::generic_array::GenericArray};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

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
        }
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
}
