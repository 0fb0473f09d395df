//! What sealed texts say: fixed layouts, read back only if this server wrote them.

use chrono::{DateTime, Utc};
use domain::id::{SessionId, UserId};
use uuid::Uuid;

use crate::keys::{Keys, Purpose};

/// A refresh token: a session, and which of its tokens this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refresh {
    pub session: SessionId,
    pub generation: i32,
}

impl Refresh {
    pub fn seal(self, keys: &Keys) -> String {
        let said = [self.session.0.as_bytes().as_slice(), &self.generation.to_be_bytes()];
        keys.seal(Purpose::Refresh, &said.concat())
    }

    pub fn open(keys: &Keys, text: &str) -> Option<Refresh> {
        let said = keys.open::<20>(Purpose::Refresh, text)?;
        let (session, generation) = said.split_first_chunk()?;
        let generation = i32::from_be_bytes(generation.try_into().ok()?);
        Some(Refresh { session: SessionId(Uuid::from_bytes(*session)), generation })
    }
}

/// A token that sets a password: spent by any change of it, for the version is another then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reset {
    pub user: UserId,
    pub expires_at: DateTime<Utc>,
    pub version: i32,
}

impl Reset {
    pub fn seal(self, keys: &Keys) -> String {
        let expires_at = self.expires_at.timestamp_millis().to_be_bytes();
        let said = [self.user.0.as_bytes().as_slice(), &expires_at, &self.version.to_be_bytes()];
        keys.seal(Purpose::Reset, &said.concat())
    }

    pub fn open(keys: &Keys, text: &str) -> Option<Reset> {
        let said = keys.open::<28>(Purpose::Reset, text)?;
        let (user, rest) = said.split_first_chunk()?;
        let (expires_at, version) = rest.split_first_chunk()?;
        Some(Reset {
            user: UserId(Uuid::from_bytes(*user)),
            expires_at: DateTime::from_timestamp_millis(i64::from_be_bytes(*expires_at))?,
            version: i32::from_be_bytes(version.try_into().ok()?),
        })
    }
}

/// A service token: an account, and until when. Whether it was revoked is read with the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// The account.
    pub user: UserId,
    /// When it ends; none for never.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Service {
    /// What the text begins with, so that people and scanners know what they have found.
    pub const PREFIX: &'static str = "ordo_";

    /// The text.
    pub fn seal(self, keys: &Keys) -> String {
        let expires_at = self.expires_at.map_or(i64::MAX, |at| at.timestamp_millis());
        let said = [self.user.0.as_bytes().as_slice(), &expires_at.to_be_bytes()];
        format!("{}{}", Service::PREFIX, keys.seal(Purpose::Service, &said.concat()))
    }

    /// What a text says, if this server wrote it.
    pub fn open(keys: &Keys, text: &str) -> Option<Service> {
        let said = keys.open::<24>(Purpose::Service, text.strip_prefix(Service::PREFIX)?)?;
        let (user, expires_at) = said.split_first_chunk()?;
        let expires_at = match i64::from_be_bytes(expires_at.try_into().ok()?) {
            i64::MAX => None,
            millis => Some(DateTime::from_timestamp_millis(millis)?),
        };
        Some(Service { user: UserId(Uuid::from_bytes(*user)), expires_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_says_what_was_sealed() {
        let keys = Keys::derive(b"a secret of more than thirty-two bytes");
        let (user, at) = (UserId(Uuid::from_u128(7)), DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let refresh = Refresh { session: SessionId(Uuid::from_u128(8)), generation: 9 };
        assert_eq!(Refresh::open(&keys, &refresh.seal(&keys)), Some(refresh));
        let reset = Reset { user, expires_at: at, version: 3 };
        assert_eq!(Reset::open(&keys, &reset.seal(&keys)), Some(reset));
        for expires_at in [None, Some(at)] {
            let service = Service { user, expires_at };
            assert_eq!(Service::open(&keys, &service.seal(&keys)), Some(service));
        }
        assert_eq!(Service::open(&keys, &reset.seal(&keys)), None);
    }
}
