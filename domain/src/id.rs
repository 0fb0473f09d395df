//! Typed ids: a UUIDv7 that prints as TypeID, `order_01h455vb4pex5vsknk084sn02q`.
//!
//! An order's id carries its creation time to the millisecond, so sorting by id *is* sorting by
//! creation; lists rely on it.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Why a text is not an id of the wanted type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id: expected `{expected}_` followed by 26 characters, got {found:?}")]
pub struct IdError {
    /// The prefix that was expected.
    pub expected: &'static str,
    /// What was given, cut to 60 characters.
    pub found: String,
}

/// What all typed ids have in common.
pub trait TypedId: Copy + From<Uuid> + Into<Uuid> {
    /// The text before the underscore; fixed for ever, clients store ids.
    const PREFIX: &'static str;
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl TypedId for $name {
            const PREFIX: &'static str = $prefix;
        }
        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                $name(uuid)
            }
        }
        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_type_id(f, $prefix, self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_type_id(f, $prefix, self.0)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_type_id($prefix, text).map($name)
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

typed_ids! {
    /// An order.
    OrderId = "order";
    /// A line of an order.
    ItemId = "item";
    /// A company, a person who buys, or a provider.
    OrganizationId = "org";
    /// Somebody who can log in.
    UserId = "user";
    /// A product or offering of the catalogue.
    ProductId = "product";
    /// What an item provides: a server, an account, a parcel.
    ResourceId = "resource";
    /// One run at provisioning an item.
    AttemptId = "attempt";
    /// Provisioning inputs, sealed.
    InputsId = "inputs";
    /// An entry of the timeline.
    EventId = "event";
    /// An invoice.
    InvoiceId = "invoice";
    /// Money received.
    PaymentId = "payment";
    /// Money given back.
    RefundId = "refund";
    /// A note on an order.
    NoteId = "note";
    /// An action that somebody wants taken later.
    ScheduleId = "schedule";
    /// A person's role in an organisation.
    MembershipId = "membership";
    /// An invitation into an organisation.
    InvitationId = "invitation";
    /// A log-in and all that was renewed from it.
    SessionId = "session";
    /// A piece of long work.
    JobId = "job";
    /// A service token; the same UUID as its account's.
    ServiceTokenId = "token";
}

/// Crockford's base 32, lower case, as TypeID demands.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn write_type_id(f: &mut fmt::Formatter<'_>, prefix: &str, uuid: Uuid) -> fmt::Result {
    let value = uuid.as_u128();
    let mut text = [0_u8; 26];
    for (i, slot) in text.iter_mut().enumerate() {
        *slot = ALPHABET[(value >> (125 - 5 * i)) as usize & 31];
    }
    write!(f, "{prefix}_{}", std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

fn parse_type_id(prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    let error = || IdError { expected: prefix, found: text.chars().take(60).collect() };
    let suffix = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or_else(error)?;
    if suffix.len() != 26 || suffix.as_bytes()[0] > b'7' {
        return Err(error());
    }
    suffix
        .bytes()
        .try_fold(0_u128, |value, byte| {
            let digit = ALPHABET.iter().position(|c| *c == byte)?;
            Some(value << 5 | digit as u128)
        })
        .map(Uuid::from_u128)
        .ok_or_else(error)
}

impl OrderId {
    /// The smallest id that an order created at or after this moment can have: turns a filter on the
    /// creation time into one on the id, which every list is sorted by.
    pub fn floor(at: DateTime<Utc>) -> OrderId {
        let millis = at.timestamp_millis().clamp(0, (1 << 48) - 1) as u128;
        OrderId(Uuid::from_u128(millis << 80))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_prints_as_the_type_id_specification_says() {
        let id = OrderId(Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881));
        assert_eq!(id.to_string(), "order_01h2xcejqtf2nbrexx3vqjhp41");
        assert_eq!("order_01h2xcejqtf2nbrexx3vqjhp41".parse(), Ok(id));
    }

    #[test]
    fn what_is_not_an_id_of_this_type_is_refused() {
        for text in [
            "",
            "order",
            "order_",
            "user_01h2xcejqtf2nbrexx3vqjhp41",
            "order_81h2xcejqtf2nbrexx3vqjhp41",
            "order_01H2XCEJQTF2NBREXX3VQJHP41",
            "order_01h2xcejqtf2nbrexx3vqjhp4",
            "order_01h2xcejqtf2nbrexx3vqjhp4\u{e9}",
        ] {
            assert!(text.parse::<OrderId>().is_err(), "{text}");
        }
    }
}
