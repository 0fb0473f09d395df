//! The faults: each waits until work is under way, injects, waits until it has healed, and hands over to the
//! check.

mod clients;
mod database;
mod instances;
mod rights;
mod sqlite;
mod timers;

pub use clients::{broken_reader, contention, crowd, lost_answers, stall};
pub use database::{
    late_commit, nats, restart_postgres, restore, silent_database, silent_listener, terminate,
};
pub use instances::{kill, kill_stamper};
pub use rights::{expiry, hand_over, role_removed};
pub use sqlite::{sqlite_copies, sqlite_kill};
pub use timers::timers;

use super::check::Verdict;

/// What every fault comes to: the check's sum, and what else was seen.
type Outcome = anyhow::Result<(Verdict, String)>;
