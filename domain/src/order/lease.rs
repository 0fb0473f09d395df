//! Leases: who holds an attempt, for how long, and the fencing number that tells a worker that still holds it
//! from one that comes too late.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Attempt, Outcome};
use crate::{
    id::{AttemptId, UserId},
    refusal::Refusal,
    role::{Role, RoleSet},
};

/// Who holds a running attempt, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The worker's account.
    pub holder: UserId,
    /// When the attempt is lost, unless the lease is renewed.
    pub until: DateTime<Utc>,
}

/// What a worker goes by when it reports: which attempt, and the number that its claim was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Hold {
    /// The attempt.
    pub attempt: AttemptId,
    /// The fencing number.
    pub fence: i64,
}

/// The length of a lease in seconds, 60 if not told.
///
/// # Errors
/// VALIDATION outside 10 to 3,600.
pub fn lease(seconds: Option<i64>) -> Result<TimeDelta, Refusal> {
    let seconds = seconds.unwrap_or(60);
    match seconds {
        10..=3_600 => Ok(TimeDelta::seconds(seconds)),
        _ => Err(Refusal::invalid("leaseSeconds", "a lease lasts between 10 and 3600 seconds")),
    }
}

/// A lease made longer. Only [`renew`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    attempt: AttemptId,
    until: DateTime<Utc>,
}

impl Renewal {
    /// Whose.
    pub fn attempt(&self) -> AttemptId {
        self.attempt
    }

    /// When it ends now.
    pub fn until(&self) -> DateTime<Utc> {
        self.until
    }
}

/// Makes a lease longer: no news, hence no event.
///
/// # Errors
/// NOT_PERMITTED; NOT_FOUND; LEASE_LOST when it has run out, or the caller does not hold the attempt.
pub fn renew(
    attempts: &[Attempt],
    (user, standing): (Option<UserId>, RoleSet),
    (hold, lease): (Hold, TimeDelta),
    now: DateTime<Utc>,
) -> Result<Renewal, Refusal> {
    if !standing.has(Role::Worker) {
        return Err(Refusal::NotPermitted { action: "renew".to_owned(), allowed: Vec::new() });
    }
    held(attempts, user, hold, now)?;
    Ok(Renewal { attempt: hold.attempt, until: now + lease })
}

/// Whether the caller holds what it says, now.
pub(super) fn held(
    attempts: &[Attempt],
    user: Option<UserId>,
    hold: Hold,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let attempt = attempts.iter().find(|attempt| attempt.id == hold.attempt);
    let attempt = attempt.ok_or(Refusal::NotFound { what: "attempt" })?;
    let claim = attempt.claim.filter(|claim| Some(claim.holder) == user && now < claim.until);
    match claim {
        Some(_) if attempt.outcome == Outcome::Running && attempt.fence == hold.fence => Ok(()),
        _ => Err(Refusal::LeaseLost),
    }
}
