//! Tickets of streams: an operation and a person in one text, for clients that can send nothing but a URL.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{
    actor::Membership,
    id::{OrganizationId, SessionId, UserId},
    role::Role,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Credentials;
use crate::{
    error::{Error, Result},
    keys::Keys,
};

/// Bytes of an operation and its variables. Together with the rest it stays within what proxies let pass as
/// a URL.
const LARGEST: usize = 4_096;
/// A longer text is not looked at.
const LONGEST: usize = 12 << 10;

/// One operation, for one person, until their token expires. It may be used again and again: that is how
/// browsers reconnect.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// Whose.
    pub credentials: Credentials,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// Which operation.
    pub operation: Operation,
}

/// The operation that a ticket is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// The text.
    pub query: String,
    /// The name, where the text holds several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_name: Option<String>,
    /// Its variables.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Value>,
}

/// A ticket as it is written. Short names, for all of it travels in a URL.
#[derive(Serialize, Deserialize)]
struct Written {
    u: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s: Option<Uuid>,
    /// Memberships that an identity provider gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    g: Option<Vec<(Role, Uuid)>>,
    e: i64,
    #[serde(flatten)]
    operation: Operation,
}

impl Ticket {
    /// The text. Nobody but this server can read it, or write another.
    ///
    /// # Errors
    /// BAD_USER_INPUT where the operation is too large for a URL.
    pub fn seal(&self, keys: &Keys) -> Result<String> {
        let Credentials { user, session, granted } = &self.credentials;
        let granted = granted.as_deref().map(|granted| {
            granted.iter().map(|membership| (membership.role, membership.organization.0)).collect()
        });
        let written = Written {
            u: user.0,
            s: session.map(|session| session.0),
            g: granted,
            e: self.expires_at.timestamp_millis(),
            operation: self.operation.clone(),
        };
        let bytes = serde_json::to_vec(&written).map_err(|error| Error::Internal(error.into()))?;
        if bytes.len() > LARGEST {
            let what = format!("an operation and its variables may have {LARGEST} bytes in a ticket");
            return Err(Error::bad_input("input.query", what));
        }
        Ok(keys.hide(&bytes))
    }

    /// What a text says, if this server wrote it.
    pub fn open(keys: &Keys, text: &str) -> Option<Ticket> {
        if text.len() > LONGEST {
            return None;
        }
        let Written { u, s, g, e, operation } = serde_json::from_slice(&keys.reveal(text)?).ok()?;
        let membership = |(role, organization)| Membership {
            organization: OrganizationId(organization),
            role,
            offerings: Vec::new(),
        };
        let granted: Option<Arc<[Membership]>> =
            g.map(|granted| granted.into_iter().map(membership).collect());
        let credentials = Credentials { user: UserId(u), session: s.map(SessionId), granted };
        Some(Ticket { credentials, expires_at: DateTime::from_timestamp_millis(e)?, operation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(query: &str) -> Ticket {
        let granted = Membership {
            organization: OrganizationId(Uuid::from_u128(3)),
            role: Role::Support,
            offerings: Vec::new(),
        };
        let credentials = Credentials {
            user: UserId(Uuid::from_u128(1)),
            session: Some(SessionId(Uuid::from_u128(2))),
            granted: Some(Arc::new([granted])),
        };
        let variables = Map::from_iter([("after".to_owned(), Value::from("x"))]);
        let operation =
            Operation { query: query.to_owned(), operation_name: Some("A".to_owned()), variables };
        Ticket { credentials, expires_at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(), operation }
    }

    #[test]
    fn a_ticket_opens_for_the_server_that_wrote_it_and_tells_nobody_else_what_it_says() {
        let keys = Keys::derive(b"a secret of more than thirty-two bytes");
        let written = ticket("subscription A { orderEvents { kind } }");
        let text = written.seal(&keys).unwrap();
        let opened = Ticket::open(&keys, &text).unwrap();
        assert_eq!((&opened.operation, opened.expires_at), (&written.operation, written.expires_at));
        assert_eq!(opened.credentials.user, written.credentials.user);
        assert_eq!(opened.credentials.session, written.credentials.session);
        assert_eq!(opened.credentials.granted, written.credentials.granted);
        assert!(Ticket::open(&Keys::derive(b"another secret, just as long as it is"), &text).is_none());
        for (at, _) in text.char_indices() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            assert!(Ticket::open(&keys, std::str::from_utf8(&other).unwrap()).is_none(), "{at}");
        }
        for other in ["", "x", &"A".repeat(20_000)] {
            assert!(Ticket::open(&keys, other).is_none());
        }
    }

    #[test]
    fn an_operation_that_no_url_can_hold_has_no_ticket() {
        let keys = Keys::derive(b"a secret of more than thirty-two bytes");
        let error = ticket(&"x".repeat(LARGEST)).seal(&keys).unwrap_err();
        assert_eq!(error.code(), "BAD_USER_INPUT");
    }
}
