//! Whom to believe about a client's address, and how far.

use axum::http::HeaderValue;

use super::*;

const PROXIES: &str = "10.0.0.0/8, 127.0.0.1, ::1, fd00::/8";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&str, &str)| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.iter().map(line) {
        headers.append(name, value);
    }
    headers
}

fn client(peer: &str, lines: &[(&str, &str)]) -> IpAddr {
    Proxies::parse(PROXIES).unwrap().client(ip(peer), &headers(lines))
}

/// Who it is for a proxy at 10.0.0.1 with this `X-Forwarded-For`.
fn via(value: &str) -> String {
    client("10.0.0.1", &[("x-forwarded-for", value)]).to_string()
}

/// Who it is for a proxy at 10.0.0.1 with this `Forwarded`.
fn forwarded_as(value: &str) -> String {
    client("10.0.0.1", &[("forwarded", value)]).to_string()
}

#[test]
fn a_stranger_is_who_it_is_whatever_it_claims() {
    let lines = [("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=1.2.3.4")];
    assert_eq!(client("203.0.113.9", &lines), ip("203.0.113.9"));
    assert_eq!(Proxies::default().client(ip("10.0.0.1"), &headers(&lines)), ip("10.0.0.1"));
}

#[test]
fn a_proxy_that_says_nothing_is_the_client() {
    assert_eq!(client("10.0.0.1", &[]), ip("10.0.0.1"));
    assert_eq!(via(""), "10.0.0.1");
}

#[test]
fn the_first_address_from_the_right_that_is_no_proxy_counts() {
    assert_eq!(via("198.51.100.7"), "198.51.100.7");
    assert_eq!(via("1.1.1.1, 198.51.100.7, 10.9.9.9,127.0.0.1"), "198.51.100.7");
    assert_eq!(via("198.51.100.7, , 10.9.9.9,"), "198.51.100.7");
    let lines = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.7, 10.2.2.2")];
    assert_eq!(client("::1", &lines), ip("198.51.100.7"));
}

#[test]
fn a_chain_of_proxies_alone_ends_with_the_outermost() {
    assert_eq!(via("10.3.3.3, 10.2.2.2"), "10.3.3.3");
}

#[test]
fn what_cannot_be_read_ends_the_walk_at_the_last_address_believed() {
    for garbage in
        ["unknown", "_hidden", "localhost", "1.2.3", "1.2.3.4.5", "1.2.3.4:x", "[::1", "fe80::1%eth0"]
    {
        assert_eq!(via(&format!("6.6.6.6, {garbage}, 10.2.2.2")), "10.2.2.2", "{garbage}");
        assert_eq!(via(&format!("6.6.6.6, {garbage}")), "10.0.0.1", "{garbage}");
    }
    for garbage in
        ["for=unknown", "for=_x", "for=\"_gazonk\"", "by=1.1.1.1", "for", "for=", "for=1.1.1.1;for=2.2.2.2"]
    {
        assert_eq!(forwarded_as(&format!("for=6.6.6.6, {garbage}, for=10.2.2.2")), "10.2.2.2", "{garbage}");
    }
}

#[test]
fn ports_and_brackets_are_left_off() {
    assert_eq!(via("198.51.100.7:4711"), "198.51.100.7");
    assert_eq!(via("2001:db8::7"), "2001:db8::7");
    assert_eq!(via("[2001:db8::7]"), "2001:db8::7");
    assert_eq!(via("[2001:db8::7]:4711"), "2001:db8::7");
    assert_eq!(via("[2001:db8::7]4711"), "10.0.0.1");
    assert_eq!(via("198.51.100.7:70000"), "10.0.0.1");
}

#[test]
fn forwarded_is_read_as_rfc_7239_writes_it() {
    assert_eq!(forwarded_as("for=192.0.2.43"), "192.0.2.43");
    assert_eq!(forwarded_as("For=\"[2001:db8:cafe::17]:4711\""), "2001:db8:cafe::17");
    assert_eq!(forwarded_as("for=192.0.2.60;proto=http;by=203.0.113.43"), "192.0.2.60");
    assert_eq!(forwarded_as("proto=https; FOR=\"192.0.2.43:47011\"; host=\"a,b;for=6.6.6.6\""), "192.0.2.43");
    assert_eq!(forwarded_as("for=192.0.2.43:_port"), "192.0.2.43");
    assert_eq!(forwarded_as("for=6.6.6.6, for=192.0.2.43, for=\"[fd00::1]\", for=10.1.1.1"), "192.0.2.43");
}

#[test]
fn quotes_that_a_client_opens_do_not_swallow_what_a_proxy_adds() {
    assert_eq!(forwarded_as("for=\"6.6.6.6, for=192.0.2.43"), "192.0.2.43");
    assert_eq!(forwarded_as("host=\"x\\\", for=6.6.6.6, y=\\\"\";for=10.4.4.4"), "10.0.0.1");
    assert_eq!(forwarded_as("for=6.6.6.6, for=10.4.4.4;host=\"\\\"\""), "10.0.0.1");
}

#[test]
fn two_headers_that_contradict_each_other_are_not_believed() {
    let both = |one, other| client("10.0.0.1", &[("forwarded", one), ("x-forwarded-for", other)]).to_string();
    assert_eq!(both("for=6.6.6.6", "198.51.100.7"), "10.0.0.1");
    assert_eq!(both("for=198.51.100.7", "6.6.6.6, 198.51.100.7"), "198.51.100.7");
}

#[test]
fn an_address_within_ipv6_is_taken_as_ipv4() {
    assert_eq!(client("::ffff:203.0.113.9", &[]), ip("203.0.113.9"));
    assert_eq!(client("::ffff:10.0.0.1", &[("x-forwarded-for", "::ffff:198.51.100.7")]), ip("198.51.100.7"));
    assert_eq!(forwarded_as("for=\"[::ffff:198.51.100.7]:80\""), "198.51.100.7");
    let proxies = Proxies::parse("::ffff:10.0.0.0/104").unwrap();
    assert_eq!(proxies, Proxies::parse("10.0.0.0/8").unwrap());
}

#[test]
fn the_work_is_bounded() {
    let hops = |count: usize| via(&["198.51.100.7", &vec!["10.1.1.1"; count].join(",")].join(","));
    assert_eq!(hops(63), "198.51.100.7");
    assert_eq!(hops(64), "10.1.1.1");
    assert_eq!(via(&format!("198.51.100.7{}", ",".repeat(100))), "10.0.0.1");
    assert_eq!(via(&format!("{},198.51.100.7", "x".repeat(30_000))), "198.51.100.7");
    // An address that the bound cuts in two is not believed.
    assert_eq!(via(&format!("198.51.100.7{},10.1.1.1", " ".repeat(8_192 - 11))), "10.1.1.1");
    assert_eq!(via(&format!("{}198.51.100.7", " ".repeat(9_000))), "10.0.0.1");
    assert_eq!(via(&format!("{}198.51.100.7", " ".repeat(8_000))), "198.51.100.7");
}

#[test]
fn bytes_that_are_no_text_spoil_only_what_is_left_of_them() {
    let mut headers = HeaderMap::new();
    headers.insert(FORWARDED_FOR, HeaderValue::from_bytes(b"6.6.6.6, \xff\xfe, 10.2.2.2").unwrap());
    assert_eq!(Proxies::parse(PROXIES).unwrap().client(ip("10.0.0.1"), &headers), ip("10.2.2.2"));
}

#[test]
fn limits_count_ipv4_whole_and_ipv6_by_its_network() {
    assert_eq!(key(ip("198.51.100.7")), ip("198.51.100.7"));
    assert_eq!(key(ip("::ffff:198.51.100.7")), ip("198.51.100.7"));
    assert_eq!(key(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
    assert_ne!(key(ip("2001:db8:1:2::1")), key(ip("2001:db8:1:3::1")));
}

#[test]
fn a_setting_that_names_no_network_is_refused_with_the_entry() {
    assert_eq!(Proxies::parse("  "), Ok(Proxies::default()));
    for wrong in ["localhost", "10.0.0.0/33", "10.0.0", "::1/129", "10.0.0.0/8 ::1"] {
        let said = Proxies::parse(&format!("127.0.0.1, {wrong}")).unwrap_err();
        assert!(said.starts_with(&format!("`{wrong}` is neither an address nor a network")), "{said}");
    }
}

#[test]
fn every_forwarding_header_shows_a_proxy() {
    for name in SIGNS {
        assert!(forwarded(&headers(&[(name.as_str(), "x")])), "{name}");
    }
    assert!(!forwarded(&headers(&[("accept", "*/*")])));
}
