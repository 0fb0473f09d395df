//! Requests: what is understood, and a sentence for everything else.

use async_graphql::value;

use super::*;

const HASH: &str = "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38";

fn body(text: &str) -> Result<Envelope, Malformed> {
    from_body(text.as_bytes())
}

/// What is said of a body, with the kind of the fault.
fn said(text: &str) -> String {
    match body(text) {
        Ok(envelope) => format!("understood: {envelope:?}"),
        Err(Malformed::Text(what)) => format!("text: {what}"),
        Err(Malformed::Shape(what)) => format!("shape: {what}"),
    }
}

fn said_of_url(query: &str) -> String {
    from_url(Some(query)).err().map(|malformed| malformed.to_string()).unwrap_or_default()
}

#[test]
fn a_full_body_is_understood() {
    let envelope = body(
        r#" {"query": "query A($n: Int) { a(n: $n) }", "operationName": "A", "variables": {"n": 1},
            "extensions": {"some": {"value": [null]}}} "#,
    );
    let Envelope { request, persisted, document } = envelope.unwrap();
    assert_eq!(request.query, "query A($n: Int) { a(n: $n) }");
    assert_eq!(request.operation_name.as_deref(), Some("A"));
    assert_eq!(request.variables.clone().into_value(), value!({ "n": 1 }));
    assert_eq!(request.extensions.get("some"), Some(&value!({ "value": [null] })));
    assert_eq!((persisted, document), (None, None));
}

#[test]
fn null_is_as_good_as_nothing() {
    for member in ["operationName", "variables", "extensions", "documentId"] {
        let Envelope { request, persisted, document } =
            body(&format!(r#"{{"query": "{{a}}", "{member}": null}}"#)).unwrap();
        assert_eq!((request.operation_name, persisted, document), (None, None, None), "{member}");
        assert!(request.variables.is_empty() && request.extensions.is_empty(), "{member}");
    }
    assert_eq!(said(r#"{"query": null}"#), "shape: `query` is missing or empty");
    assert_eq!(body(r#"{"query": "{a}", "extensions": {"persistedQuery": null}}"#).unwrap().persisted, None);
}

#[test]
fn members_that_are_not_known_are_passed_over() {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let text = format!(r#"{{"id": 1, "query": "{{a}}", "id": 2, "more": {deep}, "operationname": 7}}"#);
    assert_eq!(body(&text).unwrap().request.query, "{a}");
}

#[test]
fn a_member_of_another_type_is_refused_by_name() {
    for (member, wanted) in [
        ("query", "a string"),
        ("operationName", "a string"),
        ("documentId", "a string"),
        ("variables", "an object"),
        ("extensions", "an object"),
    ] {
        let mut wrong = vec!["0", "-1", "1.5", "false", "[\"array\"]"];
        wrong.push(if wanted == "a string" { "{\"obj\": \"ect\"}" } else { "\"string\"" });
        for wrong in wrong {
            let others = if member == "query" { "" } else { "\"query\": \"{a}\", " };
            let said = said(&format!("{{{others}\"{member}\": {wrong}}}"));
            assert!(said.starts_with("shape: the body is not as it should be: invalid type"), "{said}");
            assert!(said.contains(&format!("expected `{member}` to be {wanted} at line 1 column")), "{said}");
        }
    }
}

#[test]
fn a_body_without_an_operation_is_refused() {
    for text in [
        "{}",
        r#"{"qeury": "{__typename}"}"#,
        r#"{"notquery": "{__typename}"}"#,
        r#"{"query": ""}"#,
        r#"{"query": " \n"}"#,
        r#"{"Query": "{a}"}"#,
    ] {
        assert_eq!(said(text), "shape: `query` is missing or empty", "{text}");
    }
}

#[test]
fn a_body_that_is_no_json_object_is_refused() {
    for (text, what) in [
        ("", "text: the body is empty"),
        (" \r\n\t", "text: the body is empty"),
        ("NONSENSE", "text: the body must be a JSON object"),
        ("7", "text: the body must be a JSON object"),
        ("null", "text: the body must be a JSON object"),
        ("\"{a}\"", "text: the body must be a JSON object"),
        ("query={a}", "text: the body must be a JSON object"),
        ("[]", "shape: batches are not supported"),
        (r#" [{"query": "{a}"}]"#, "shape: batches are not supported"),
        (r#"["{a}"]"#, "shape: batches are not supported"),
        ("{ \"not a JSON", "text: the body cannot be read as JSON: EOF"),
        (r#"{"query":"#, "text: the body cannot be read as JSON: EOF"),
        (r#"{"query": "{a}",}"#, "text: the body cannot be read as JSON: trailing comma"),
        (r#"{"query": "{a}"} more"#, "text: the body cannot be read as JSON: trailing characters"),
        (r#"{"query": "{a}"}{}"#, "text: the body cannot be read as JSON: trailing characters"),
        (r#"{'query': '{a}'}"#, "text: the body cannot be read as JSON: key must be a string"),
        (r#"{"query": "\ud800"}"#, "text: the body cannot be read as JSON"),
    ] {
        let said = said(text);
        assert!(said.starts_with(what), "{text}: {said}");
    }
}

#[test]
fn only_utf8_is_read() {
    let utf16: Vec<u8> = "{\"query\": \"{a}\"}".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert!(matches!(from_body(&utf16), Err(Malformed::Text(_))));
    let malformed = from_body(b"{\"query\": \"{a(b: \\\"\xff\\\")}\"}").unwrap_err();
    assert_eq!(malformed.to_string(), "the body is not UTF-8: see the byte after the first 19");
    assert_eq!(body("\u{feff}{\"query\": \"{a}\"}").unwrap().request.query, "{a}");
    let text = r#"{"query": "{ __type(name: \"Run🏃Swim🏊\") { name } }"}"#;
    assert_eq!(body(text).unwrap().request.query, "{ __type(name: \"Run🏃Swim🏊\") { name } }");
}

#[test]
fn names_that_stand_twice_are_refused() {
    for (text, what) in [
        (r#"{"query": "{a}", "query": "{b}"}"#, "duplicate field `query`"),
        (r#"{"query": null, "\u0071uery": "{b}"}"#, "duplicate field `query`"),
        (r#"{"query": "{a}", "variables": {}, "variables": null}"#, "duplicate field `variables`"),
        (r#"{"query": "{a}", "variables": {"n": 1, "n": 2}}"#, "`variables` has the same name twice"),
        (r#"{"query": "{a}", "extensions": {"n": 1, "n": 1}}"#, "`extensions` has the same name twice"),
    ] {
        let said = said(text);
        assert!(said.starts_with("shape: ") && said.contains(what), "{said}");
    }
}

#[test]
fn deep_json_is_refused_and_harms_nobody() {
    for open in ["{\"variables\":", "{\"query\":\"{a}\",\"variables\":{\"a\":", "{\"extensions\":{\"a\":["] {
        let said = said(&open.repeat(50_000));
        assert!(said.contains("recursion limit exceeded") || said.contains("EOF"), "{said}");
    }
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let with = |depth| format!(r#"{{"query": "{{a}}", "variables": {{"n": {}}}}}"#, nested(depth));
    assert!(body(&with(100)).is_ok());
    assert!(said(&with(200)).starts_with("text: the body cannot be read as JSON: recursion limit exceeded"));
}

#[test]
fn a_refusal_does_not_repeat_what_was_sent() {
    let long = "x".repeat(100_000);
    for member in ["variables", "extensions"] {
        assert!(said(&format!(r#"{{"query": "{{a}}", "{member}": "{long}"}}"#)).len() < 200);
    }
    assert!(said(&format!(r#"{{"query": "{{a}}", "documentId": "{long}"}}"#)).len() < 200);
    assert!(said(&format!(r#"{{"query": "{{a}}", "variables": {{"{long}": 1, "{long}": 2}}}}"#)).len() < 200);
    assert!(said_of_url(&format!("query={{a}}&variables={long}")).len() < 200);
}

#[test]
fn a_name_of_an_operation_is_of_bearable_length() {
    let named = |length| said(&format!(r#"{{"query": "{{a}}", "operationName": "{}"}}"#, "é".repeat(length)));
    assert!(named(256).starts_with("understood"));
    assert_eq!(named(257), "shape: `operationName` is longer than 256 characters");
}

#[test]
fn a_hash_may_stand_for_the_text() {
    let with = |entry: &str| format!(r#"{{"extensions": {{"persistedQuery": {entry}}}}}"#);
    let hash = |text: &str| with(&format!(r#"{{"version": 1, "sha256Hash": "{text}"}}"#));
    let envelope = body(&hash(HASH)).unwrap();
    assert_eq!(envelope.request.query, "");
    let PersistedQuery(found) = envelope.persisted.unwrap();
    assert_eq!(found.map(|byte| format!("{byte:02x}")).concat(), HASH);
    assert_eq!(body(&hash(&HASH.to_uppercase())).unwrap().persisted, envelope.persisted);

    let sha256 = "shape: `extensions.persistedQuery.sha256Hash` must be a SHA-256 in 64 hexadecimal digits";
    for text in
        ["", "ecf4", &HASH[1..], &format!("{HASH}0"), &"g".repeat(64), &"é".repeat(32), &"+".repeat(64)]
    {
        assert_eq!(said(&hash(text)), sha256, "{text}");
    }
    assert_eq!(said(&with(r#"{"version": 1}"#)), sha256);
    assert_eq!(said(&with(r#"{"version": 1, "sha256Hash": 7}"#)), sha256);
    for version in ["2", "0", "1.5", "-1", "\"1\"", "null", "[1]"] {
        let said = said(&with(&format!(r#"{{"version": {version}, "sha256Hash": "{HASH}"}}"#)));
        assert_eq!(said, "shape: `extensions.persistedQuery.version` must be 1", "{version}");
    }
    for entry in ["7", "\"x\"", "[]", "true"] {
        assert_eq!(said(&with(entry)), "shape: `extensions.persistedQuery` must be an object", "{entry}");
    }
}

#[test]
fn an_id_may_stand_for_the_text() {
    for id in [&format!("sha256:{HASH}"), "x-ours:a.b~c", "7_a-b"] {
        let envelope = body(&format!(r#"{{"documentId": "{id}"}}"#)).unwrap();
        assert_eq!(envelope.document, Some(DocumentId(id.to_owned())));
        assert_eq!(from_url(Some(&format!("documentId={id}"))).unwrap().document, envelope.document);
    }
    for id in ["", " ", "a b", "é", "a/b", &"x".repeat(257)] {
        let said = said(&format!(r#"{{"documentId": "{id}"}}"#));
        assert_eq!(said, "shape: `documentId` must be 1 to 256 letters, digits or `-._~:`", "{id}");
    }
}

#[test]
fn a_text_may_come_with_its_hash_and_its_id() {
    let text = format!(
        r#"{{"query": "{{a}}", "documentId": "d", "extensions": {{"persistedQuery": {{"version": 1,
            "sha256Hash": "{HASH}"}}}}}}"#
    );
    let envelope = body(&text).unwrap();
    assert_eq!(envelope.request.query, "{a}");
    assert!(envelope.persisted.is_some() && envelope.document.is_some());
}

#[test]
fn a_query_string_is_understood() {
    let query = "query=query(%24id%3A%20ID!)%7Buser(id%3A%24id)%7Bname%7D%7D&variables=%7B%22id%22%3A%22Q%22%7D\
                 &api_token=1&api_token=2&extensions=%7B%22a%22:[1]%7D&operationName=null";
    let Envelope { request, persisted, document } = from_url(Some(query)).unwrap();
    assert_eq!(request.query, "query($id: ID!){user(id:$id){name}}");
    assert_eq!(request.operation_name.as_deref(), Some("null"));
    assert_eq!(request.variables.clone().into_value(), value!({ "id": "Q" }));
    assert_eq!(request.extensions.get("a"), Some(&value!([1])));
    assert_eq!((persisted, document), (None, None));
    assert_eq!(from_url(Some("query=%7B+a%0A%7D")).unwrap().request.query, "{ a\n}");
    assert_eq!(from_url(Some("query={é}")).unwrap().request.query, "{é}");
}

#[test]
fn an_empty_parameter_is_not_there() {
    let empty = "query={a}&operationName=&variables=&extensions=&documentId";
    let Envelope { request, persisted, document } = from_url(Some(empty)).unwrap();
    assert_eq!((request.operation_name, persisted, document), (None, None, None));
    assert!(request.variables.is_empty() && request.extensions.is_empty());
    let null = from_url(Some("query={a}&variables=null&extensions=null")).unwrap().request;
    assert!(null.variables.is_empty() && null.extensions.is_empty());
    for nothing in ["", "query", "query=", "query=+", "&&=&", "qeury={a}"] {
        assert_eq!(said_of_url(nothing), "`query` is missing or empty", "{nothing}");
    }
    assert!(from_url(None).is_err());
}

#[test]
fn a_parameter_that_makes_no_sense_is_refused_by_name() {
    for (query, what) in [
        ("query={a}&query={a}", "the query string has `query` twice"),
        ("query={a}&query=", "the query string has `query` twice"),
        ("query={a}&variables=1&%76ariables=2", "the query string has `variables` twice"),
        ("query={a}&variables={", "`variables` cannot be read as JSON: EOF"),
        ("query={a}&variables={}{}", "`variables` cannot be read as JSON: trailing characters"),
        ("query={a}&variables=+", "`variables` cannot be read as JSON: EOF"),
        ("query={a}&variables=[1]", "`variables` is not as it should be: invalid type: sequence"),
        ("query={a}&variables=%22x%22", "`variables` is not as it should be: invalid type: string"),
        ("query={a}&variables={%22a%22:1,%22a%22:1}", "`variables` is not as it should be: `variables` has"),
        ("query={a}&extensions=nonsense", "`extensions` cannot be read as JSON"),
        ("query={a}&extensions=7", "`extensions` is not as it should be: invalid type: integer `7`"),
        ("extensions={%22persistedQuery%22:{}}", "`extensions.persistedQuery.version` must be 1"),
        ("documentId=a%20b", "`documentId` must be"),
    ] {
        let said = said_of_url(query);
        assert!(said.starts_with(what), "{query}: {said}");
    }
    let deep = format!("query={{a}}&variables={}", "{\"a\":".repeat(50_000));
    assert!(said_of_url(&deep).starts_with("`variables` cannot be read as JSON: recursion limit exceeded"));
}

#[test]
fn no_text_makes_it_stumble() {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "query",
        "\"query\":",
        "\"{a}\"",
        "\"variables\":",
        "null",
        "1e999",
        "\"extensions\":",
        "\"persistedQuery\":",
        " ",
        "é",
        "\\u00",
        "%",
        "%ff",
        "&",
        "=",
        "+",
        "documentId",
        "\"n\":",
        "-",
    ];
    let mut seed = 11_u64;
    for _ in 0..20_000 {
        let mut text = "{".to_owned();
        for _ in 0..10 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text += pieces[(seed >> 33) as usize % pieces.len()];
        }
        for result in [body(&text), from_url(Some(&text)), from_body(&text.as_bytes()[1..])] {
            if let Err(malformed) = result {
                assert!(malformed.status().is_client_error() && !malformed.to_string().is_empty());
            }
        }
    }
}
