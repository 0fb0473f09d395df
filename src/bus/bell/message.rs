//! What the bell says: of which database, and how far its log is stamped. Never what happened: whoever can
//! ring can wake us, and no more.

use uuid::Uuid;

/// A ring of the bell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// The database that was written to.
    pub database: Uuid,
    /// Its newest position.
    pub head: i64,
}

/// No ring is longer; what is longer is not looked at.
const LONGEST: usize = 64;

impl Ring {
    /// As it travels.
    pub fn text(self) -> String {
        format!("{} {}", self.database, self.head)
    }

    /// Reads one; none where it is something else.
    pub fn read(text: &[u8]) -> Option<Ring> {
        if text.len() > LONGEST {
            return None;
        }
        let (database, head) = std::str::from_utf8(text).ok()?.split_once(' ')?;
        let (database, head) = (database.parse().ok()?, head.parse().ok()?);
        (head >= 0).then_some(Ring { database, head })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_read_as_it_was_written() {
        for head in [0, 1, i64::MAX] {
            let ring = Ring { database: Uuid::from_u128(7), head };
            assert_eq!(Ring::read(ring.text().as_bytes()), Some(ring));
        }
    }

    #[test]
    fn what_is_no_ring_is_not_read() {
        let id = Uuid::from_u128(7).to_string();
        let long = format!("{id} {}1", "0".repeat(100));
        for text in
            ["", " ", "7", "x 7", &id, &format!("{id} "), &format!("{id} -1"), &format!("{id} 7 8"), &long]
        {
            assert_eq!(Ring::read(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Ring::read(format!("{id} 99999999999999999999").as_bytes()), None);
        assert_eq!(Ring::read(&[0xff; 20]), None);
    }
}
