//! Media types: what clients really send, and what nobody should.

use axum::http::{HeaderName, HeaderValue};

use super::*;

fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
    let values = values.iter().map(|value| HeaderValue::from_bytes(value.as_bytes()).unwrap());
    values.map(|value| (name.clone(), value)).collect()
}

fn negotiated(accept: &[&str]) -> Option<Media> {
    negotiate(&headers(ACCEPT, accept)).ok()
}

fn read(kinds: &[&str]) -> Result<(), Unsupported> {
    readable(&headers(CONTENT_TYPE, kinds))
}

#[test]
fn a_client_gets_what_it_names() {
    for (accept, wanted) in [
        ("application/graphql-response+json", Media::Graphql),
        ("application/json", Media::Json),
        ("text/event-stream", Media::Events),
        ("APPLICATION/GraphQL-Response+JSON", Media::Graphql),
        ("application/json;charset=utf-8", Media::Json),
        ("application/json ; Charset=\"UTF-8\" ; Q=1", Media::Json),
        ("application/graphql-response+json, application/json;q=0.9", Media::Graphql),
        ("application/graphql-response+json; charset=utf-8, application/json; charset=utf-8", Media::Graphql),
        ("multipart/mixed;deferSpec=20220824, application/graphql-response+json, */*", Media::Graphql),
        ("multipart/mixed;subscriptionSpec=\"1.0\", application/json", Media::Json),
    ] {
        assert_eq!(negotiated(&[accept]), Some(wanted), "{accept}");
    }
}

#[test]
fn a_client_that_does_not_say_gets_the_older_type() {
    for accept in [&[][..], &[""], &["  "], &["", " "]] {
        assert_eq!(negotiated(accept), Some(Media::Json), "{accept:?}");
    }
}

#[test]
fn a_wildcard_means_the_older_type() {
    for accept in [
        "*/*",
        "*/*;q=0.1",
        "application/*",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/json, text/plain, */*",
        "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    ] {
        assert_eq!(negotiated(&[accept]), Some(Media::Json), "{accept}");
    }
    assert_eq!(negotiated(&["text/*"]), Some(Media::Events));
}

#[test]
fn the_higher_weight_wins_then_the_exact_name_then_the_earlier_one() {
    for (accept, wanted) in [
        ("application/json;q=0.8, application/graphql-response+json;q=0.9", Media::Graphql),
        ("application/graphql-response+json;q=0.899, application/json;q=0.9", Media::Json),
        ("application/json;q=0.3333, application/graphql-response+json;q=0.334", Media::Graphql),
        ("*/*;q=0.1, text/event-stream;q=0.2", Media::Events),
        ("*/*, application/graphql-response+json", Media::Graphql),
        ("application/*, application/graphql-response+json;q=0.5", Media::Json),
        ("application/json, application/graphql-response+json", Media::Json),
        ("application/graphql-response+json, application/json", Media::Graphql),
        ("text/event-stream, application/json;q=0.5, text/event-stream;q=0.1", Media::Events),
        ("application/json;q=0.1, application/json;q=0.9, text/event-stream;q=0.5", Media::Json),
    ] {
        assert_eq!(negotiated(&[accept]), Some(wanted), "{accept}");
    }
}

#[test]
fn the_most_exact_range_decides_about_a_type() {
    for (accept, wanted) in [
        ("*/*, application/json;q=0", Some(Media::Graphql)),
        ("application/*, application/json;q=0.0", Some(Media::Graphql)),
        ("application/*;q=0, */*", Some(Media::Events)),
        ("application/*;q=0, application/json;q=0.001", Some(Media::Json)),
        ("*/*;q=0, application/graphql-response+json", Some(Media::Graphql)),
        ("*/*, application/*;q=0, text/*;q=0.000", None),
        ("application/json;q=0", None),
        ("*/*;q=0", None),
    ] {
        assert_eq!(negotiated(&[accept]), wanted, "{accept}");
    }
}

#[test]
fn repeated_headers_are_one_list() {
    let accept = ["text/html", "application/json;q=0.5", "application/graphql-response+json"];
    assert_eq!(negotiated(&accept), Some(Media::Graphql));
    assert_eq!(negotiated(&["application/json;q=0", "*/*"]), Some(Media::Graphql));
}

#[test]
fn what_cannot_be_written_is_not_acceptable() {
    for accept in [
        "text/html",
        "image/*",
        "application/xml, text/plain;q=0.5",
        "application/graphql+json",
        "application/json;charset=iso-8859-1",
        "*/*;charset=utf-16",
        "multipart/mixed",
    ] {
        assert_eq!(negotiated(&[accept]), None, "{accept}");
    }
}

#[test]
fn a_malformed_range_allows_nothing_and_harms_no_other() {
    let malformed = [
        "garbage",
        "/",
        ";;;",
        ",,,",
        "*",
        "*/json",
        "application",
        "application/json/more",
        "application/json;q",
        "application/json;q=",
        "application/json;q=2",
        "application/json;q=1.5",
        "application/json;q=-1",
        "application/json;q=.",
        "application/json;q=nan",
        "application/json;q=0.5x",
        "application/json;q=½",
        "\"application/json",
        "application/json\u{e9}",
    ];
    for accept in malformed {
        assert_eq!(negotiated(&[accept]), None, "{accept}");
        assert_eq!(negotiated(&[accept, "text/event-stream"]), Some(Media::Events), "{accept}");
    }
    assert_eq!(negotiated(&["garbage,, ,application/json"]), Some(Media::Json));
}

#[test]
fn separators_between_quotes_separate_nothing() {
    let accept = r#"text/html;a=",application/graphql-response+json;\",b", application/json;x=";q=0""#;
    assert_eq!(negotiated(&[accept]), Some(Media::Json));
    assert_eq!(negotiated(&[r#"text/html;a="never closed, application/json"#]), None);
}

#[test]
fn no_header_makes_it_stumble() {
    let pieces = [
        "application/json",
        "*/*",
        "text",
        "/",
        ";",
        ",",
        "=",
        "q=",
        "0.5",
        ".",
        "\"",
        "\\",
        " ",
        "\t",
        "é",
        "charset=utf-8",
        "1",
        "*",
    ];
    let mut seed = 7_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..12 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text += pieces[(seed >> 33) as usize % pieces.len()];
        }
        let _ = negotiated(&[&text]);
        let _ = read(&[&text]);
        // Whatever it was, one good range more is found.
        let wanted = negotiated(&[&text, "application/graphql-response+json"]);
        assert!(wanted.is_some(), "{text}");
    }
}

#[test]
fn json_in_utf8_is_read_however_it_is_written() {
    for kind in [
        "application/json",
        "Application/JSON",
        " application/json ",
        "application/json;",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "application/json; charset=\"utf-8\"",
        "application/json; Charset = \"Utf-8\" ; profile=\"a;b\"",
    ] {
        assert_eq!(read(&[kind]), Ok(()), "{kind}");
    }
}

#[test]
fn other_bodies_are_not_read() {
    assert_eq!(read(&[]), Err(Unsupported::Untold));
    for kind in [
        "",
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/graphql-response+json",
        "application/jsonp",
        "application/json, text/plain",
        "application/json; charset",
        "*/*",
        "application/json\u{e9}",
    ] {
        assert_eq!(read(&[kind]), Err(Unsupported::Type), "{kind}");
    }
    for charset in ["utf-16", "iso-8859-1", "utf8", "\"utf-8", "", "utf-8; charset=utf-16"] {
        let kind = format!("application/json; charset={charset}");
        assert_eq!(read(&[&kind]), Err(Unsupported::Charset), "{kind}");
    }
    assert_eq!(read(&["application/json", "application/json"]), Err(Unsupported::Type));
}

#[test]
fn compressed_bodies_are_not_read() {
    let with = |encodings: &[&str]| {
        let mut all = headers(CONTENT_TYPE, &["application/json"]);
        all.extend(headers(CONTENT_ENCODING, encodings));
        readable(&all)
    };
    for encodings in [&[][..], &["identity"], &["Identity"], &[""], &["identity, identity", "identity"]] {
        assert_eq!(with(encodings), Ok(()), "{encodings:?}");
    }
    for encodings in [&["gzip"][..], &["br"], &["identity, gzip"], &["identity", "deflate"], &["é"]] {
        assert_eq!(with(encodings), Err(Unsupported::Encoding), "{encodings:?}");
    }
}
