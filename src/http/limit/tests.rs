//! Who may ask for how much, told by a clock that stands still until it is moved.

use governor::clock::FakeRelativeClock;

use super::*;

const ANNA: Who = Who::Person([1; 16]);
const BELA: Who = Who::Person([2; 16]);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(text: &str) -> Who {
    Who::Address(ip(text))
}

fn limits() -> Limits {
    Limits {
        requests: Rate::new(60, 3),
        cost: Rate::new(60_000, 10_000),
        sockets: 2,
        sockets_of_address: 3,
        subscriptions: 2,
        ..Limits::default()
    }
}

fn limiter() -> (Limiter<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    (Limiter::new(limits(), clock.clone()), clock)
}

#[test]
fn requests_are_a_burst_and_then_so_many_a_minute() {
    let (limiter, clock) = limiter();
    for _ in 0..3 {
        assert_eq!(limiter.request(ANNA), Ok(()));
    }
    let refused = limiter.request(ANNA).unwrap_err();
    assert_eq!((refused.what, refused.retry_after), ("requests", Duration::from_secs(1)));
    clock.advance(Duration::from_millis(999));
    assert!(limiter.request(ANNA).is_err());
    clock.advance(Duration::from_millis(1));
    assert_eq!(limiter.request(ANNA), Ok(()));
    assert!(limiter.request(ANNA).is_err());
}

#[test]
fn one_person_does_not_use_up_anothers_share_nor_the_address_a_persons() {
    let (limiter, _) = limiter();
    while limiter.request(ANNA).is_ok() {}
    while limiter.request(at("198.51.100.7")).is_ok() {}
    assert_eq!(limiter.request(BELA), Ok(()));
    assert_eq!(limiter.request(at("198.51.100.8")), Ok(()));
}

#[test]
fn an_ipv6_network_is_one_and_so_is_ipv4_however_it_is_written() {
    let (limiter, _) = limiter();
    for last in 1..=3 {
        assert_eq!(limiter.request(at(&format!("2001:db8::{last}"))), Ok(()));
    }
    assert!(limiter.request(at("2001:db8::ffff")).is_err());
    assert_eq!(limiter.request(at("2001:db8:0:1::1")), Ok(()));
    while limiter.request(at("198.51.100.7")).is_ok() {}
    assert!(limiter.request(at("::ffff:198.51.100.7")).is_err());
}

#[test]
fn cost_is_taken_whole_or_not_at_all() {
    let (limiter, clock) = limiter();
    assert_eq!(limiter.cost(ANNA, 8_000), Ok(()));
    let refused = limiter.cost(ANNA, 5_000).unwrap_err();
    assert_eq!(refused.retry_after, Duration::from_secs(3));
    assert_eq!(limiter.cost(ANNA, 2_000), Ok(()), "the refusal took nothing");
    assert_eq!(limiter.cost(ANNA, 0), Ok(()));
    assert!(limiter.cost(ANNA, 1).is_err());
    clock.advance(Duration::from_secs(5));
    assert_eq!(limiter.cost(ANNA, 5_000), Ok(()));
}

#[test]
fn an_operation_dearer_than_the_bucket_runs_when_the_bucket_is_full() {
    let (limiter, clock) = limiter();
    assert_eq!(limiter.cost(ANNA, 200_000), Ok(()));
    let refused = limiter.cost(ANNA, 200_000).unwrap_err();
    assert_eq!(refused.retry_after, Duration::from_secs(10));
    clock.advance(refused.retry_after);
    assert_eq!(limiter.cost(ANNA, 200_000), Ok(()));
}

#[test]
fn log_in_attempts_are_limited_by_address() {
    let (limiter, clock) = limiter();
    for number in 0..10 {
        assert_eq!(limiter.login(ip("198.51.100.7"), &format!("{number}@ordo.test")), Ok(()));
    }
    let refused = limiter.login(ip("198.51.100.7"), "10@ordo.test").unwrap_err();
    assert_eq!(refused.what, "log-in attempts from this address");
    assert_eq!(limiter.login(ip("198.51.100.8"), "10@ordo.test"), Ok(()));
    clock.advance(refused.retry_after);
    assert_eq!(limiter.login(ip("198.51.100.7"), "10@ordo.test"), Ok(()));
}

#[test]
fn log_in_attempts_are_limited_by_email_in_whatever_letters_and_from_wherever() {
    let (limiter, _) = limiter();
    let spellings =
        ["anna@ordo.test", "Anna@Ordo.test", " ANNA@ORDO.TEST ", "anna@ordo.TEST", "aNNa@ordo.test"];
    for (number, email) in spellings.iter().enumerate() {
        assert_eq!(limiter.login(ip(&format!("198.51.100.{number}")), email), Ok(()));
    }
    let refused = limiter.login(ip("203.0.113.1"), "anna@ordo.test").unwrap_err();
    assert_eq!((refused.what, refused.seconds()), ("log-in attempts for this account", 12));
    assert_eq!(limiter.login(ip("203.0.113.1"), "bela@ordo.test"), Ok(()));
}

#[test]
fn places_are_free_again_once_they_are_left() {
    let (limiter, _) = limiter();
    let first = limiter.socket(ANNA).unwrap();
    let _second = limiter.socket(ANNA).unwrap();
    assert_eq!(limiter.socket(ANNA).unwrap_err().what, "sockets");
    let _other = limiter.socket(BELA).unwrap();
    drop(first);
    let _third = limiter.socket(ANNA).unwrap();
    assert!(limiter.socket(ANNA).is_err());
}

#[test]
fn sockets_and_subscriptions_are_counted_apart() {
    let (limiter, _) = limiter();
    let _sockets = [limiter.socket(ANNA).unwrap(), limiter.socket(ANNA).unwrap()];
    let _subscriptions = [limiter.subscription(ANNA).unwrap(), limiter.subscription(ANNA).unwrap()];
    assert_eq!(limiter.subscription(ANNA).unwrap_err().what, "subscriptions");
    let held: Vec<Held> = (0..3).map(|_| limiter.socket(at("198.51.100.7")).unwrap()).collect();
    assert!(limiter.socket(at("198.51.100.7")).is_err());
    drop(held);
    assert_eq!((limiter.sockets.keys(), limiter.subscriptions.keys()), (1, 1));
}

#[test]
fn no_places_means_none() {
    let limiter = Limiter::new(Limits { sockets: 0, ..limits() }, FakeRelativeClock::default());
    assert!(limiter.socket(ANNA).is_err());
    assert_eq!(limiter.sockets.keys(), 0);
}

#[test]
fn places_are_counted_right_by_many_threads() {
    let limiter = Limiter::new(Limits { sockets: 50, ..limits() }, FakeRelativeClock::default());
    let churn = || {
        for _ in 0..500 {
            drop(limiter.socket(ANNA).unwrap());
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(churn))));
    assert_eq!(limiter.sockets.keys(), 0);
}

#[test]
fn a_refusal_says_what_was_asked_what_is_allowed_and_when_to_come_back() {
    let (limiter, _) = limiter();
    limiter.cost(ANNA, 10_000).unwrap();
    let said = limiter.cost(ANNA, 1_500).unwrap_err().to_string();
    assert_eq!(said, "cost: 1500 asked for, 60000 a minute and 10000 at once allowed; try again in 2 s");
    let _held = [limiter.subscription(ANNA).unwrap(), limiter.subscription(ANNA).unwrap()];
    let said = limiter.subscription(ANNA).unwrap_err().to_string();
    assert_eq!(said, "subscriptions: 1 asked for, 2 open at once allowed; try again in 5 s");
}

#[test]
fn the_defaults_let_the_dearest_operation_through_more_than_once() {
    let limiter = Limiter::new(Limits::default(), FakeRelativeClock::default());
    for _ in 0..5 {
        assert_eq!(limiter.cost(ANNA, 200_000), Ok(()));
    }
    assert!(limiter.cost(ANNA, 200_000).is_err());
}
