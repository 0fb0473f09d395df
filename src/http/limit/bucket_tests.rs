//! Memory is bounded, and what is forgotten is what matters least.

use std::time::Duration;

use governor::clock::FakeRelativeClock;

use super::*;

const MOST: usize = 1_600;

/// One key for each number, well spread.
fn key(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}

fn gate(per_minute: u32, burst: u32) -> (Gate<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    (Gate::new("requests", Rate::new(per_minute, burst), MOST, clock.clone()), clock)
}

fn remembered(gate: Gate<FakeRelativeClock>) -> usize {
    let buckets = gate.limiter.into_state_store();
    buckets.shards.iter().map(|shard| shard.lock().unwrap().full_at.len()).sum()
}

#[test]
fn no_crowd_makes_the_tables_larger_than_they_may_be() {
    let (gate, clock) = gate(1, 1);
    for number in 0..20_000 {
        clock.advance(Duration::from_nanos(1));
        gate.take(key(number), 1).unwrap();
    }
    let left = remembered(gate);
    assert!((MOST / 2..=MOST + SHARDS).contains(&left), "{left}");
}

#[test]
fn a_crowd_does_not_refill_a_bucket_that_is_exhausted() {
    let (gate, clock) = gate(10, 10);
    gate.take(key(u64::MAX), 10).unwrap();
    for number in 0..20_000 {
        clock.advance(Duration::from_nanos(1));
        gate.take(key(number), 1).unwrap();
    }
    assert!(gate.take(key(u64::MAX), 1).is_err());
}

#[test]
fn buckets_that_are_full_again_are_swept_out_before_a_table_grows() {
    let (gate, clock) = gate(60, 1);
    for number in 0..20_000 {
        clock.advance(Duration::from_millis(50));
        gate.take(key(number), 1).unwrap();
    }
    // Twenty at a time are not full.
    let left = remembered(gate);
    assert!(left <= 20 + LEAST * SHARDS, "{left}");
}

#[test]
fn a_bucket_that_is_not_full_is_never_swept_out_while_there_is_room() {
    let (gate, clock) = gate(10, 10);
    for number in 0..400 {
        clock.advance(Duration::from_millis(1));
        gate.take(key(number), 10).unwrap();
    }
    for number in 0..400 {
        assert!(gate.take(key(number), 10).is_err(), "{number}");
    }
}

#[test]
fn refusals_take_no_memory() {
    let (gate, _) = gate(1, 1);
    gate.take(key(1), 1).unwrap();
    for _ in 0..100 {
        assert!(gate.take(key(1), 1).is_err());
    }
    assert_eq!(remembered(gate), 1);
}

#[test]
fn the_largest_figures_do_no_harm() {
    for (per_minute, burst) in [(1, u32::MAX), (u32::MAX, u32::MAX), (u32::MAX, 1), (1, 1)] {
        let (gate, clock) = gate(per_minute, burst);
        assert_eq!(gate.take(key(1), u32::MAX), Ok(()));
        assert_eq!(gate.take(key(1), 0), Ok(()));
        let refused = gate.take(key(1), u32::MAX).unwrap_err();
        assert!(refused.retry_after <= Duration::from_secs(24 * 3_600), "{refused}");
        clock.advance(refused.retry_after);
        assert_eq!(gate.take(key(1), u32::MAX), Ok(()));
    }
}
