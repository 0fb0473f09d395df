//! Long work in pieces: what a job is called, how often a piece of it is tried, how long it is remembered.
//! What a job does is decided by the rules that each of its rows passes, never here.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// How often a task is begun at most.
pub const MOST_ATTEMPTS: i32 = 8;
/// For how long a job is kept once it has ended.
pub const KEPT: TimeDelta = TimeDelta::days(30);
/// How many refused rows a job lists; all of them are counted.
pub const MOST_REFUSALS: usize = 100;
/// How many jobs of one account may wait or run at a time.
pub const MOST_OPEN: i64 = 100;

/// What a job does. The set is closed: each kind is a rule in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// Moves orders to another version of their workflow.
    MigrateOrders,
}

impl JobKind {
    /// All of them.
    pub const ALL: [JobKind; 1] = [JobKind::MigrateOrders];

    /// The name in the database and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            JobKind::MigrateOrders => "MIGRATE_ORDERS",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<JobKind> {
        JobKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Nobody has begun it.
    Queued,
    /// It is being worked on.
    Running,
    /// All of it is done; rows that the rules refused are counted.
    Succeeded,
    /// A piece of it could not be done; what was done before stays done.
    Failed,
    /// Somebody stopped it; what was done before stays done.
    Cancelled,
}

impl JobState {
    /// All of them.
    pub const ALL: [JobState; 5] =
        [JobState::Queued, JobState::Running, JobState::Succeeded, JobState::Failed, JobState::Cancelled];

    /// The name in the database and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            JobState::Queued => "QUEUED",
            JobState::Running => "RUNNING",
            JobState::Succeeded => "SUCCEEDED",
            JobState::Failed => "FAILED",
            JobState::Cancelled => "CANCELLED",
        }
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<JobState> {
        JobState::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more comes of the job.
    pub const fn has_ended(self) -> bool {
        match self {
            JobState::Queued | JobState::Running => false,
            JobState::Succeeded | JobState::Failed | JobState::Cancelled => true,
        }
    }
}

/// How many rows there are, and what has become of them. The total is an estimate made at the start: rows that
/// come later are done too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows to do.
    pub total: i64,
    /// Rows done.
    pub done: i64,
    /// Rows that the rules refused.
    pub failed: i64,
}

/// A row that the rules refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The row's id.
    pub subject: String,
    /// The refusal's stable code.
    pub code: String,
    /// Why, and the way out.
    pub message: String,
}

/// For how long whoever takes a task has it for itself. Work on rows is locked once it has begun, so this covers
/// the moment before; planning locks nothing, and reads much.
pub fn lease(is_planning: bool) -> TimeDelta {
    if is_planning { TimeDelta::minutes(2) } else { TimeDelta::seconds(10) }
}

/// How long to wait before a task that failed is tried again: a second, then twice as long each time. None once
/// it has been tried often enough.
pub fn wait(attempts: i32) -> Option<TimeDelta> {
    (1..MOST_ATTEMPTS).contains(&attempts).then(|| TimeDelta::seconds(1 << (attempts - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_come_to_an_end() {
        let waits: Vec<_> = (1..=MOST_ATTEMPTS).map_while(wait).map(|wait| wait.num_seconds()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!((wait(0), wait(MOST_ATTEMPTS + 1), wait(i32::MAX)), (None, None, None));
    }

    #[test]
    fn names_are_read_back() {
        assert!(JobKind::ALL.into_iter().all(|kind| JobKind::parse(kind.name()) == Some(kind)));
        assert!(JobState::ALL.into_iter().all(|state| JobState::parse(state.name()) == Some(state)));
    }
}
