//! When a session may be renewed, and how a stolen token shows.
//!
//! A log-in begins a family of refresh tokens, one generation after the other. Whoever shows the newest
//! gets its successor. Two tabs that renew at once show the same one: for a moment the second gets the
//! same successor. A token that is older than that was copied, and nobody can tell by whom: the whole
//! family ends.

use chrono::{DateTime, TimeDelta, Utc};

/// For how long the predecessor of the newest token is answered as the first time.
pub const GRACE: TimeDelta = TimeDelta::seconds(10);

/// What is stored of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// The generation of the newest refresh token, from 1.
    pub generation: i32,
    /// When the newest one was first given out.
    pub rotated_at: DateTime<Utc>,
    /// When the session ends, however often it is renewed.
    pub expires_at: DateTime<Utc>,
    /// Whether it was ended before.
    pub revoked: bool,
}

/// What a refresh token comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The next generation begins.
    Rotate(i32),
    /// The newest generation is given out once more.
    Repeat(i32),
    /// The token was used before: the family ends.
    Reused,
    /// The session has ended, or never gave this token out.
    Ended,
}

/// What the refresh token of this generation comes to now.
pub fn renew(family: &Family, generation: i32, now: DateTime<Utc>) -> Renewal {
    if family.revoked || now >= family.expires_at || generation > family.generation {
        return Renewal::Ended;
    }
    if generation == family.generation {
        return generation.checked_add(1).map_or(Renewal::Ended, Renewal::Rotate);
    }
    if generation + 1 == family.generation && now - family.rotated_at <= GRACE {
        return Renewal::Repeat(family.generation);
    }
    Renewal::Reused
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap_or_default()
    }

    fn family() -> Family {
        Family { generation: 3, rotated_at: at(0), expires_at: at(1_000), revoked: false }
    }

    #[test]
    fn the_newest_token_begins_the_next_generation() {
        assert_eq!(renew(&family(), 3, at(0)), Renewal::Rotate(4));
        assert_eq!(renew(&family(), 3, at(999)), Renewal::Rotate(4));
    }

    #[test]
    fn its_predecessor_gets_the_same_successor_for_ten_seconds() {
        assert_eq!(renew(&family(), 2, at(0)), Renewal::Repeat(3));
        assert_eq!(renew(&family(), 2, at(10)), Renewal::Repeat(3));
        assert_eq!(renew(&family(), 2, at(10) + TimeDelta::milliseconds(1)), Renewal::Reused);
    }

    #[test]
    fn an_older_token_was_copied_even_within_the_moment() {
        assert_eq!(renew(&family(), 1, at(0)), Renewal::Reused);
        assert_eq!(renew(&family(), i32::MIN, at(0)), Renewal::Reused);
    }

    #[test]
    fn a_session_that_has_ended_renews_nothing_and_tells_nothing_of_reuse() {
        let revoked = Family { revoked: true, ..family() };
        for generation in 1..=4 {
            assert_eq!(renew(&revoked, generation, at(0)), Renewal::Ended);
            assert_eq!(renew(&family(), generation, at(1_000)), Renewal::Ended);
        }
    }

    #[test]
    fn a_generation_that_was_never_given_out_renews_nothing() {
        assert_eq!(renew(&family(), 4, at(0)), Renewal::Ended);
        let last = Family { generation: i32::MAX, ..family() };
        assert_eq!(renew(&last, i32::MAX, at(0)), Renewal::Ended);
    }
}
