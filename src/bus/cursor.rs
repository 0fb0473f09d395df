//! Cursors of the live feed: positions, sealed. A bare number would tell every tenant how busy all
//! the others are.

use std::sync::Arc;

use aes_gcm_siv::{Aes256GcmSiv, Nonce, aead::Aead};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::id::EventId;

use crate::{
    error::{Error, Result},
    store::{
        Store,
        event::{self, Position},
    },
};

/// Seals positions and opens cursors. Shared, for every stream holds one: a cipher is a kilobyte or two.
#[derive(Clone)]
pub struct Cursors(Arc<Aes256GcmSiv>);

impl std::fmt::Debug for Cursors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cursors(..)")
    }
}

/// The layout of what is sealed: one byte for the version, eight for the position, eight for the
/// random half of the event's id.
const VERSION: u8 = 1;

const INVALID: Error = Error::Cursor {
    code: "CURSOR_INVALID",
    message: "this cursor is not of this feed; read the list again and take its eventsCursor",
};

const EXPIRED: Error = Error::Cursor {
    code: "CURSOR_EXPIRED",
    message: "this cursor is too old; read the list again and take its eventsCursor",
};

impl Cursors {
    /// Cursors sealed with this cipher.
    pub(crate) fn new(cipher: Aes256GcmSiv) -> Cursors {
        Cursors(Arc::new(cipher))
    }

    /// The cursor of a position. The same position gives the same cursor: the cipher is safe without
    /// a fresh nonce, it only shows that two cursors are equal, which they may.
    pub fn seal(&self, position: Position) -> String {
        let mut plain = [0; 17];
        plain[0] = VERSION;
        plain[1..9].copy_from_slice(&position.seq.to_be_bytes());
        plain[9..].copy_from_slice(&random_half(position.event));
        self.0
            .encrypt(&Nonce::default(), plain.as_slice())
            .map(|sealed| URL_SAFE_NO_PAD.encode(sealed))
            .unwrap_or_default()
    }

    /// The position of a cursor that this log can serve.
    ///
    /// # Errors
    /// CURSOR_INVALID for what was never given out by this log, CURSOR_EXPIRED for what is below its trim mark.
    pub async fn open(&self, store: &Store, head: Position, cursor: &str) -> Result<Position> {
        let sealed = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| INVALID)?;
        let plain = self.0.decrypt(&Nonce::default(), sealed.as_slice()).map_err(|_| INVALID)?;
        let (seq, half) = match plain.as_slice() {
            [VERSION, rest @ ..] if rest.len() == 16 => {
                let mut seq = [0; 8];
                seq.copy_from_slice(&rest[..8]);
                (i64::from_be_bytes(seq), &rest[8..])
            }
            _ => return Err(INVALID),
        };
        match event::at(store, seq).await? {
            (_, mark) if seq < mark => Err(EXPIRED),
            _ if seq == 0 => Ok(Position::START),
            (Some(position), _) if random_half(position.event) == half => Ok(position),
            (None, _) if seq <= head.seq => Err(EXPIRED),
            (Some(_) | None, _) => Err(INVALID),
        }
    }
}

/// The half of a UUIDv7 that is not time.
fn random_half(id: EventId) -> [u8; 8] {
    (id.0.as_u128() as u64).to_be_bytes()
}
