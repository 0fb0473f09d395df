//! Faults in their short form, each injected into real servers for some seconds; `docs/faults.md` has the long
//! form. Those that need PostgreSQL run when the suite does, and the others when it runs on SQLite.

#[path = "../../../bench/fault/engine/mod.rs"]
mod engine;

use tokio::sync::Mutex;

use self::engine::{Fault, Ground, On, Scale};
use crate::{harness::Database, postgres::keeper};

/// One fault at a time: they are about servers under load, and each brings its own.
static GROUND: Mutex<Option<Ground>> = Mutex::const_new(None);

/// Injects a fault, on the run of its database.
async fn survive(fault: Fault) {
    let its_run = match fault.on() {
        On::Postgres => Database::Postgres,
        On::Sqlite => Database::Sqlite,
    };
    if Database::of_this_run() != its_run {
        return;
    }
    let mut ground = GROUND.lock().await;
    if ground.is_none() {
        *ground = Some(Ground::new(env!("CARGO_BIN_EXE_ordo").into()).expect("a ground"));
    }
    let ground = ground.as_mut().expect("a ground");
    let report = fault.inject(ground, &Scale::short()).await.unwrap_or_else(|error| panic!("{error:#}"));
    println!("{report}");
    assert!(report.verdict.is_good(), "{report}");
}

/// A test for each fault, and a list to prove that there is one for each.
macro_rules! faults {
    ($($fault:ident: $sentence:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $sentence() {
                survive(Fault::$fault).await;
            }
        )*

        const TESTED: &[Fault] = &[$(Fault::$fault),*];
    };
}

faults! {
    BrokenReader: the_check_finds_out_a_reader_that_reads_by_id,
    Kill: instances_that_are_killed_in_mid_write_lose_nothing,
    KillStamper: an_instance_that_is_killed_between_stamp_and_commit_loses_nothing,
    Timers: instances_that_are_killed_while_timers_fire_fire_each_exactly_once,
    LateCommit: a_transaction_that_commits_late_is_told_once_and_delays_nobody,
    RestartPostgres: a_crash_of_postgresql_loses_nothing,
    Terminate: connections_that_postgresql_ends_lose_nothing,
    SilentListener: a_bell_that_falls_silent_loses_nothing,
    SilentDatabase: connections_to_postgresql_that_fall_silent_stop_no_stream_for_good,
    Nats: nats_may_stop_and_come_back,
    LostAnswers: lost_answers_are_asked_for_again_and_nothing_is_done_twice,
    Crowd: a_crowd_that_is_cut_off_at_once_is_back_soon,
    Stall: a_reader_that_stops_reading_harms_nobody_and_gets_everything,
    Contention: many_writers_on_few_orders_are_told_of_in_one_order,
    Expiry: tokens_that_expire_in_mid_stream_lose_nothing,
    RoleRemoved: a_role_that_is_taken_away_ends_the_flow_and_nothing_before_it,
    HandOver: orders_that_go_from_hand_to_hand_are_told_to_whom_they_are_given,
    Restore: a_backup_that_is_brought_back_refuses_cursors_from_beyond_it,
    SqliteKill: a_server_on_sqlite_that_is_killed_loses_nothing,
    SqliteCopies: copies_of_sqlites_files_taken_at_any_moment_are_whole,
}

#[test]
fn every_fault_has_its_test() {
    assert_eq!(TESTED, Fault::ALL);
}
