//! Well-formed HTTP with operations in it that no honest client sends.

use serde_json::{Value, json};

use super::{QUERY, as_well_as_before};
use crate::harness::App;

/// What is sent as a body, and what comes back in short: the status, then `data` or a code.
type Row = (&'static str, Vec<u8>, &'static str);

/// Sends each row as staff, as those do who tell refusals by the status, and compares.
async fn each(app: &App, rows: Vec<Row>) {
    let (http, token) = (reqwest::Client::new(), app.staff().token().unwrap().to_owned());
    let mut wrong = Vec::new();
    for (what, body, expected) in rows {
        let request = http.post(format!("{}/graphql", app.url)).bearer_auth(&token).body(body);
        let request = request.header("content-type", "application/json");
        let request = request.header("accept", "application/graphql-response+json");
        let response = request.send().await.expect(what);
        let status = response.status().as_u16();
        let text = response.text().await.expect(what);
        let said: Value = serde_json::from_str(&text).expect(what);
        let told = match said["errors"][0]["extensions"]["code"].as_str() {
            Some(code) => format!("{status} {code}"),
            None if said.get("errors").is_none() => format!("{status} data"),
            None => format!("{status}, no code"),
        };
        // What is refused is not sent back whole, and not each of a thousand faults is told.
        if told != expected || text.len() > 4_000 {
            let begin: String = text.chars().take(300).collect();
            wrong.push(format!("{what}: {told} in {} bytes, not {expected}: {begin}", text.len()));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    as_well_as_before(app).await;
}

fn query(text: impl Into<String>) -> Vec<u8> {
    json!({ "query": text.into() }).to_string().into_bytes()
}

/// The plain query with more members, as text: not all of them are JSON.
fn beside(members: &str) -> Vec<u8> {
    format!(r#"{{"query":"{QUERY}",{members}}}"#).into_bytes()
}

fn deep(open: &str, levels: usize, close: &str) -> String {
    format!("{}1{}", open.repeat(levels), close.repeat(levels))
}

#[tokio::test(flavor = "multi_thread")]
async fn envelopes_that_are_too_deep_too_long_or_told_twice_are_refused() {
    let app = App::start().await;
    let objects = |levels| deep(r#"{"a":"#, levels, "}");
    let lists = |levels| deep("[", levels, "]");
    let inside = |member: &str, value: String| beside(&format!(r#""{member}":{{"a":{value}}}"#));
    let named =
        |name: &str| format!(r#"{{"query":"query A{{__typename}}","operationName":"{name}"}}"#).into_bytes();
    let code = "query($code: String!) { workflow(code: $code) { code } }";
    let valued =
        |value: Value| json!({ "query": code, "variables": { "code": value } }).to_string().into_bytes();
    let number = |value: &str| {
        let page = "query($n: Int) { orders(first: $n) { nodes { id } } }";
        format!(r#"{{"query":"{page}","variables":{{"n":{value}}}}}"#).into_bytes()
    };
    let raw = |before: &str, byte: &[u8], after: &str| [before.as_bytes(), byte, after.as_bytes()].concat();
    let hash = r#""version":1,"sha256Hash":"00""#;
    #[rustfmt::skip]
    let rows: Vec<Row> = vec![
        ("200 levels of objects", inside("variables", objects(200)), "400 BAD_USER_INPUT"),
        ("200 levels of lists", inside("extensions", lists(200)), "400 BAD_USER_INPUT"),
        ("200 levels of what nobody reads", beside(&format!(r#""more":{}"#, objects(200))), "200 data"),
        ("100,000 levels of objects", inside("variables", objects(100_000)), "400 BAD_USER_INPUT"),
        ("100,000 levels of lists", inside("variables", lists(100_000)), "400 BAD_USER_INPUT"),
        ("100,000 levels of a body", lists(100_000).into_bytes(), "400 BAD_USER_INPUT"),
        ("100,000 levels of a query", format!(r#"{{"query":{}}}"#, objects(100_000)).into_bytes(), "400 BAD_USER_INPUT"),
        ("120 levels that fit", inside("extensions", lists(120)), "200 data"),
        ("no UTF-8 in a name", raw(r#"{"query":"{a}","operationName":""#, &[0xff], r#""}"#), "400 BAD_USER_INPUT"),
        ("no UTF-8 in a value", raw(r#"{"query":"{a}","variables":{"a":""#, &[0xc0, 0x80], r#""}}"#), "400 BAD_USER_INPUT"),
        ("no UTF-8 behind the end", raw(r#"{"query":"{__typename}"}"#, &[0xfe], ""), "400 BAD_USER_INPUT"),
        ("UTF-16", QUERY.encode_utf16().flat_map(u16::to_le_bytes).collect(), "400 BAD_USER_INPUT"),
        ("a null byte in the body", raw(r#"{"query":"#, &[0], r#""{__typename}"}"#), "400 BAD_USER_INPUT"),
        ("a null byte in a text", raw(r#"{"query":"{__typename}"#, &[0], r#""}"#), "400 BAD_USER_INPUT"),
        ("a null byte behind the end", raw(r#"{"query":"{__typename}"}"#, &[0], ""), "400 BAD_USER_INPUT"),
        ("a null letter in a query", query("{ __typename \0 }"), "400 BAD_USER_INPUT"),
        ("a null letter in a name", named("A\\u0000"), "400 BAD_USER_INPUT"),
        ("a null letter in a value", valued(json!("\0")), "200 data"),
        ("a name of 1 MB", named(&"A".repeat(1_000_000)), "400 BAD_USER_INPUT"),
        ("a value of 1 MB", valued(json!("x".repeat(1_000_000))), "200 data"),
        ("a list of 300,000 values", valued(json!(vec![1; 300_000])), "400 TOO_COMPLEX"),
        ("an object of 50,000 members", inside("extensions", json!((0..50_000).map(|n| (n.to_string(), n)).collect::<std::collections::BTreeMap<_, _>>()).to_string()), "200 data"),
        ("60,000 variables that nobody uses", beside(&format!(r#""variables":{{{}}}"#, (0..60_000).map(|n| format!(r#""v{n}":1"#)).collect::<Vec<_>>().join(","))), "200 data"),
        ("a number beyond all numbers", number("-1e999"), "400 BAD_USER_INPUT"),
        ("a number of no size", number("1e-999"), "400 BAD_USER_INPUT"),
        ("a number of 1,000 digits", number(&"9".repeat(1_000)), "400 BAD_USER_INPUT"),
        ("a number of 1,000 places", number(&format!("1.{}1", "0".repeat(1_000))), "400 BAD_USER_INPUT"),
        ("nothing below nothing", number("-0"), "400 BAD_USER_INPUT"),
        ("not a number", number("NaN"), "400 BAD_USER_INPUT"),
        ("the query twice", beside(r#""query":"{a}""#), "400 BAD_USER_INPUT"),
        ("the query twice, once in other letters", beside(r#""qu\u0065ry":"{a}""#), "400 BAD_USER_INPUT"),
        ("the name twice", beside(r#""operationName":null,"operationName":null"#), "400 BAD_USER_INPUT"),
        ("the variables twice", beside(r#""variables":{},"variables":{}"#), "400 BAD_USER_INPUT"),
        ("a variable twice", beside(r#""variables":{"a":1,"a":2}"#), "400 BAD_USER_INPUT"),
        ("the extensions twice", beside(r#""extensions":{},"extensions":{}"#), "400 BAD_USER_INPUT"),
        ("an extension twice", beside(r#""extensions":{"a":1,"a":2}"#), "400 BAD_USER_INPUT"),
        ("a hash's member twice", beside(&format!(r#""extensions":{{"persistedQuery":{{{hash},{hash}}}}}"#)), "400 BAD_USER_INPUT"),
    ];
    each(&app, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_long_or_deep_or_many_are_refused_before_they_are_run() {
    let app = App::start().await;
    let many = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    let aliases = many(1_000, &|n| format!("a{n}:__typename "));
    let directives = "@skip(if:false)".repeat(1_000);
    let variables = many(1_000, &|n| format!("$v{n}:Int,"));
    let operations = many(1_000, &|n| format!("query Q{n}{{__typename}}"));
    let fragments = many(1_000, &|n| format!("fragment F{n} on Query{{__typename}}"));
    let nested = format!("{}__typename{}", "...{".repeat(1_000), "}".repeat(1_000));
    let typed = format!("query($a:{}Int{}){{__typename}}", "[".repeat(1_000), "]".repeat(1_000));
    let value = |value: &str| query(format!("{{ nodes(ids: {value}) {{ id }} }}"));
    let ids = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let listed =
        |levels: usize| format!(r#"{{"query":"{ids}","variables":{{"ids":{}}}}}"#, deep("[", levels, "]"));
    let long = "x".repeat(900_000);
    #[rustfmt::skip]
    let rows: Vec<Row> = vec![
        ("100 kB of comments", query(format!("{}\n{QUERY}", "# a comment\n".repeat(9_000))), "200 data"),
        ("100 kB of one comment", query(format!("#{}\n{QUERY}", "x".repeat(100_000))), "200 data"),
        ("900 kB of one comment", query(format!("#{long}\n{QUERY}")), "400 TOO_COMPLEX"),
        ("100 kB of commas", query(format!("{}{QUERY}", ",".repeat(100_000))), "200 data"),
        ("900 kB of blanks", query(format!("{}{QUERY}", " ".repeat(900_000))), "400 TOO_COMPLEX"),
        ("100 kB of byte order marks", query(format!("{}{QUERY}", "\u{feff}".repeat(30_000))), "400 TOO_COMPLEX"),
        ("1,000 aliases", query(format!("{{ {aliases} }}")), "400 TOO_COMPLEX"),
        ("1,000 directives on a field", query(format!("{{ __typename {directives} }}")), "400 TOO_COMPLEX"),
        ("1,000 directives on an operation", query(format!("query {directives} {{ __typename }}")), "400 TOO_COMPLEX"),
        ("1,000 directives on a spread", query(format!("{{ ... {directives} {{ __typename }} }}")), "400 TOO_COMPLEX"),
        ("1,000 variables", query(format!("query({variables}) {{ __typename }}")), "400 BAD_USER_INPUT"),
        ("1,000 fields that are not there", query(format!("{{ orders {{ nodes {{ {} }} }} }}", many(1_000, &|n| format!("nothing{n} ")))), "400 BAD_USER_INPUT"),
        ("1,000 operations", query(operations), "400 BAD_USER_INPUT"),
        ("1,000 fragments that nobody spreads", query(format!("{{ __typename }} {fragments}")), "400 TOO_COMPLEX"),
        ("1,000 fragments within each other", query(format!("{{ {nested} }}")), "400 TOO_COMPLEX"),
        ("a list of lists of lists, as a type", query(typed), "400 TOO_COMPLEX"),
        ("1,000 levels of lists", value(&deep("[", 1_000, "]")), "400 TOO_COMPLEX"),
        ("1,000 levels of objects", value(&deep("{a:", 1_000, "}")), "400 TOO_COMPLEX"),
        ("90 levels of lists in a variable", listed(90).into_bytes(), "400 BAD_USER_INPUT"),
        ("a field of 900 kB", query(format!("{{ {long} }}")), "400 TOO_COMPLEX"),
        ("an alias of 900 kB", query(format!("{{ {long}: __typename }}")), "400 TOO_COMPLEX"),
        ("an operation's name of 900 kB", query(format!("query {long} {{ __typename }}")), "400 TOO_COMPLEX"),
        ("a variable's name of 900 kB", query(format!("query(${long}: Int) {{ __typename }}")), "400 TOO_COMPLEX"),
        ("a type of 900 kB", query(format!("query($a: {long}) {{ __typename }}")), "400 TOO_COMPLEX"),
        ("a text of 100 kB", query(format!("{{ workflow(code: \"{}\") {{ code }} }}", "x".repeat(100_000))), "200 data"),
        ("a block of 100 kB", query(format!("{{ workflow(code: \"\"\"{}\"\"\") {{ code }} }}", "\n x".repeat(30_000))), "200 data"),
        ("a text of 900 kB", query(format!("{{ workflow(code: \"{long}\") {{ code }} }}")), "400 TOO_COMPLEX"),
        ("a text without end", query(format!("{{ workflow(code: \"{}", "x".repeat(100_000))), "400 BAD_USER_INPUT"),
        ("a value of an enumeration of 100 kB", json!({ "query": "query($o: OrderOrder) { orders(orderBy: $o) { nodes { id } } }", "variables": { "o": { "field": "X".repeat(100_000), "direction": "ASC" } } }).to_string().into_bytes(), "400 BAD_USER_INPUT"),
        ("a number of 100,000 digits", query(format!("{{ orders(first: {}) {{ nodes {{ id }} }} }}", "9".repeat(100_000))), "400 BAD_USER_INPUT"),
        ("a number with an exponent beyond all", query("{ orders(first: 1e99999) { nodes { id } } }"), "400 BAD_USER_INPUT"),
        ("a name in other letters", query("{ ореn }"), "400 BAD_USER_INPUT"),
        ("an escape that is none", query(r#"{ workflow(code: "\u{110000}") { code } }"#), "400 BAD_USER_INPUT"),
        ("half a surrogate in a text", query(r#"{ workflow(code: "\ud800") { code } }"#), "400 BAD_USER_INPUT"),
        ("quotes alone", query("\"".repeat(100_000)), "400 TOO_COMPLEX"),
        ("backslashes alone", query("\\".repeat(100_000)), "400 TOO_COMPLEX"),
        ("100,000 braces", query("{".repeat(100_000)), "400 TOO_COMPLEX"),
        ("spreads of nothing", query(format!("{{ {} }}", "... ".repeat(5_000))), "400 TOO_COMPLEX"),
    ];
    each(&app, rows).await;
}
