use std::collections::HashSet;

use domain::id::EventId;
use uuid::Uuid;

use super::*;
use crate::store::event::Position;

const LIMITS: Limits = Limits {
    told: 20,
    kept: Duration::from_secs(30),
    pending: 10,
    bytes: 1_000,
    patience: Duration::from_secs(60),
    checkpoint: Duration::from_secs(30),
};

type Notes = Desk<&'static str, u8>;

fn at(seq: i64) -> Tidings {
    Tidings::Checkpoint(Position { seq, event: EventId(Uuid::nil()) })
}

fn told(seqs: &[i64], bytes: usize, kept: &Kept) -> Vec<Told<&'static str>> {
    seqs.iter().map(|seq| Told::new(at(*seq), "words", bytes, kept)).collect()
}

/// What somebody hears who stands at a position: that of the next words, or why there are none.
fn heard(desk: &Notes, seat: usize, position: i64) -> Result<i64, &'static str> {
    match desk.look(seat, position) {
        Found::Next(told) => Ok(told.seq()),
        Found::Nothing => Err("nothing"),
        Found::Behind => Err("behind"),
        Found::Moved => Err("moved"),
    }
}

#[test]
fn everybody_finds_what_comes_after_its_own_position() {
    let (mut desk, kept) = (Notes::new(10, LIMITS), Kept::default());
    let seat = desk.sit(1);
    desk.tell(told(&[12, 15], 1, &kept));
    let expected =
        [(9, Err("behind")), (10, Ok(12)), (11, Ok(12)), (12, Ok(15)), (14, Ok(15)), (15, Err("nothing"))];
    for (position, next) in expected {
        assert_eq!(heard(&desk, seat, position), next, "{position}");
    }
}

#[test]
fn one_begins_to_tell_and_goes_on_until_all_is_told() {
    let mut desk = Notes::new(0, LIMITS);
    desk.sit(1);
    assert!(desk.offer(at(1)), "somebody has to begin");
    assert!(!desk.offer(at(2)), "who has begun goes on");
    assert!(!desk.offer(at(2)), "what was offered before");
    assert_eq!(desk.batch().iter().map(|tidings| tidings.position().seq).collect::<Vec<_>>(), [1, 2]);
    assert!(!desk.offer(at(3)));
    assert_eq!(desk.batch().len(), 1);
    assert!(desk.batch().is_empty());
    assert!(desk.offer(at(4)), "somebody has to begin again");
}

#[test]
fn only_a_large_group_rests() {
    let mut desk = Notes::new(0, LIMITS);
    for _ in 0..10 {
        desk.sit(1);
    }
    assert_eq!(desk.rest(), None);
    for _ in 0..990 {
        desk.sit(1);
    }
    assert_eq!(desk.rest(), Some(Duration::from_millis(20)));
    for _ in 0..9_000 {
        desk.sit(1);
    }
    assert_eq!(desk.rest(), Some(REST));
}

#[test]
fn nothing_is_told_where_nobody_is() {
    let mut desk = Notes::new(0, LIMITS);
    let seat = desk.sit(1);
    desk.offer(at(1));
    desk.leave(seat);
    assert!(desk.is_empty());
    assert!(desk.batch().is_empty());
}

#[test]
fn too_much_to_tell_is_read_from_the_log_by_each_from_where_it_stands() {
    let (mut desk, kept) = (Notes::new(0, LIMITS), Kept::default());
    let seat = desk.sit(1);
    let most = i64::try_from(LIMITS.pending).unwrap();
    for seq in 1..=most {
        desk.offer(at(seq));
    }
    let under_way = told(&[1], 1, &kept);
    desk.offer(at(most + 1));
    desk.tell(under_way);
    assert_eq!(heard(&desk, seat, 0), Err("behind"), "what is missing after 1 must be noticed");
    assert_eq!(heard(&desk, seat, most + 1), Err("nothing"));
}

#[test]
fn what_is_kept_is_bounded_in_number_and_in_bytes() {
    let (mut desk, kept) = (Notes::new(0, LIMITS), Kept::default());
    let seat = desk.sit(1);
    let most = i64::try_from(LIMITS.told).unwrap();
    desk.tell(told(&(1..=most + 5).collect::<Vec<_>>(), 1, &kept));
    assert_eq!((heard(&desk, seat, 4), heard(&desk, seat, 5)), (Err("behind"), Ok(6)));

    let large = told(&[most + 6, most + 7], LIMITS.bytes, &kept);
    desk.tell(large);
    assert_eq!(heard(&desk, seat, most + 4), Err("behind"), "only what was just told is kept");
    assert_eq!(heard(&desk, seat, most + 5), Ok(most + 6));
    drop(desk);
    assert_eq!(kept.0.load(Ordering::Relaxed), 0, "what is forgotten is not counted");
}

#[test]
fn a_group_that_reaches_back_fits_what_it_has() {
    let (mut desk, kept) = (Notes::new(10, LIMITS), Kept::default());
    let seat = desk.sit(1);
    desk.tell(told(&[11], 1, &kept));
    desk.reach_back(3, 9, told(&[4], 1, &kept));
    assert_eq!(heard(&desk, seat, 3), Err("behind"), "between 9 and 10 there is a gap");
    desk.reach_back(3, 10, told(&[4, 8], 1, &kept));
    assert_eq!([3, 4, 8].map(|position| heard(&desk, seat, position)), [Ok(4), Ok(8), Ok(11)]);
}

#[test]
fn whoever_has_other_rights_now_hears_no_more_words_of_the_group() {
    let (mut desk, kept) = (Notes::new(0, LIMITS), Kept::default());
    let (one, other) = (desk.sit(1), desk.sit(2));
    let now = Instant::now() + RIGHTS;
    assert_eq!(HashSet::from_iter(desk.stale(now)), HashSet::from([1, 2]));
    desk.checked(&[1, 2], &HashSet::from([2]), now);
    assert!(desk.stale(now).is_empty());
    desk.tell(told(&[1], 1, &kept));
    assert_eq!((heard(&desk, one, 0), heard(&desk, other, 0)), (Ok(1), Err("moved")));
}

#[test]
fn rights_in_doubt_are_read_though_none_is_old() {
    let mut desk = Notes::new(0, LIMITS);
    desk.sit(1);
    desk.sit(2);
    let now = Instant::now();
    assert!(desk.stale(now).is_empty() && desk.stale(now).is_empty());
    assert!(desk.doubt(|who| *who == 2) && !desk.doubt(|who| *who == 3));
    assert_eq!(desk.stale(now), [2]);
    desk.checked(&[2], &HashSet::new(), now);
    assert!(desk.stale(now).is_empty());
    assert_eq!(desk.stale(now + RIGHTS).len(), 2, "both are old by then");
}

#[test]
fn where_the_log_stands_is_told_when_there_is_nothing_else() {
    let mut desk = Notes::new(0, LIMITS);
    desk.sit(1);
    let now = Instant::now();
    assert!(!desk.is_due(now));
    assert!(desk.is_due(now + LIMITS.checkpoint * 2));
    assert!(!desk.is_due(now + LIMITS.checkpoint * 2), "not twice");
    desk.offer(at(1));
    assert!(!desk.is_due(now + LIMITS.checkpoint * 4));
}
