use std::fmt::Write;

use async_graphql::{Name, parser::parse_query, value};
use async_graphql_value::ConstValue;

use super::*;

/// As GraphiQL sends it.
const INTROSPECTION: &str = "query IntrospectionQuery {
  __schema {
    queryType { name kind } mutationType { name kind } subscriptionType { name kind }
    types { ...FullType }
    directives { name description locations args(includeDeprecated: true) { ...InputValue } }
  }
}
fragment FullType on __Type {
  kind name description specifiedByURL isOneOf
  fields(includeDeprecated: true) {
    name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef }
    isDeprecated deprecationReason
  }
  inputFields(includeDeprecated: true) { ...InputValue }
  interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
  possibleTypes { ...TypeRef }
}
fragment InputValue on __InputValue {
  name description type { ...TypeRef } defaultValue isDeprecated deprecationReason
}
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name } } } } } } } } } }";

fn budget() -> Budget {
    Budget::new(Limits::default(), ["orders", "items", "timeline"])
}

/// All checks, in the order in which a request meets them.
fn check(text: &str, name: Option<&str>, variables: ConstValue) -> Result<Measured, Excess> {
    let budget = budget();
    budget.text(text)?;
    let document = parse_query(text).unwrap();
    budget.document(&document)?;
    budget.measure(&document, name, &Variables::from_value(variables))
}

fn measured(text: &str) -> Measured {
    check(text, None, value!({})).unwrap()
}

fn refusal(text: &str) -> String {
    check(text, None, value!({})).map_or_else(|excess| excess.to_string(), |_| String::new())
}

/// The cost of pages of this size, with `a` and `b` in each node: three fields per element.
fn paged(arguments: &str, variables: ConstValue) -> usize {
    let text = format!("query Q($n: Int = 7, $m: Int) {{ orders{arguments} {{ nodes {{ a b }} }} }}");
    check(&text, None, variables).unwrap().cost
}

/// So many fragments, each of which spreads the next so many times.
fn bomb(fragments: usize, times: usize) -> String {
    let mut text = "{ ...F0 }".to_owned();
    for n in 0..fragments {
        let next = format!(" ...F{}", n + 1).repeat(times);
        write!(text, " fragment F{n} on Query {{{next} }}").unwrap();
    }
    write!(text, " fragment F{fragments} on Query {{ a }}").unwrap();
    text
}

#[test]
fn the_figures_are_those_of_the_spread_out_operation() {
    let rows = [
        ("{ a }", (1, 0, 1, 0, 0, 0, 1, 1)),
        ("{ a b: c { d } }", (2, 1, 3, 0, 1, 0, 2, 3)),
        ("{ a @x @y b @x(c: [1]) }", (1, 0, 2, 0, 0, 3, 2, 2)),
        ("query($a: Int @y) @x { a ... @z { b } }", (1, 1, 2, 1, 0, 3, 2, 2)),
        ("{ ... on Query { a { b } } c }", (2, 2, 3, 1, 0, 0, 2, 3)),
        ("{ a { ...F } b { ...F } } fragment F on T { c { d: e } }", (3, 3, 6, 2, 2, 0, 2, 6)),
        (
            "{ ...F ...F } fragment F on Query @x { a ...G } fragment G on Query { b }",
            (1, 2, 4, 4, 0, 2, 4, 4),
        ),
        ("{ a ...Unknown }", (1, 1, 1, 1, 0, 0, 1, 1)),
        ("mutation { a { b } }", (2, 1, 2, 0, 0, 0, 1, 2)),
        ("subscription { a { b } }", (2, 1, 2, 0, 0, 0, 1, 2)),
    ];
    for (text, figures) in rows {
        let Measured { depth, nesting, fields, spreads, aliases, directives, roots, cost, .. } =
            measured(text);
        assert_eq!((depth, nesting, fields, spreads, aliases, directives, roots, cost), figures, "{text}");
    }
}

#[test]
fn the_standard_introspection_query_passes() {
    let figures = measured(INTROSPECTION);
    assert_eq!(figures.depth, 15);
    assert_eq!((figures.aliases, figures.directives, figures.roots), (0, 0, 1));
}

#[test]
fn chains_of_types_are_as_deep_as_they_read() {
    let types = |levels: usize| {
        let inner = format!("{}name{}", "ofType { ".repeat(levels), " }".repeat(levels));
        format!("{{ __type(name: \"Order\") {{ fields {{ type {{ {inner} }} }} }} }}")
    };
    assert_eq!(refusal(&types(16)), "");
    let message = "The request asks for 21 levels of depth, at most 20 are allowed; ask for fewer at once.";
    assert_eq!(refusal(&types(17)), message);
    assert!(refusal(&types(40)).contains("levels of depth"));
}

#[test]
fn fragments_that_spread_each_other_many_times_are_refused() {
    assert!(refusal(&bomb(18, 6)).contains("fields"));
    for text in [bomb(18, 2), bomb(31, 4), bomb(2, 40)] {
        assert!(refusal(&text).contains("more than") || refusal(&text).contains("at most"), "{text}");
    }
    assert_eq!(refusal(&bomb(2, 6)), "");
    // Not used, and spreading what is not there.
    let unused = bomb(18, 6).replace("{ ...F0 }", "{ a }");
    assert!(refusal(&unused).contains("ask for fewer"));
    assert!(refusal(&unused.replace("fragment F18 on Query { a }", "")).contains("fragments spread"));
}

#[test]
fn operations_of_which_each_is_within_the_limits_are_counted_together() {
    let fragment = format!("fragment F on Q {{ a {{ {} }} }}", "a ".repeat(1_000));
    let text = |operations: usize| {
        let operations = (0..operations).map(|n| format!("query Q{n} {{ ...F ...F }} "));
        operations.collect::<String>() + &fragment
    };
    let budget = budget();
    assert_eq!(budget.document(&parse_query(text(4)).unwrap()), Ok(()));
    let excess = budget.document(&parse_query(text(5)).unwrap()).unwrap_err();
    assert!(excess.to_string().contains("10010 fields in all operations"), "{excess}");
}

#[test]
fn long_chains_and_cycles_of_fragments_end() {
    let chain = |length: usize, end: &str| {
        let links = (0..length).map(|n| format!(" fragment F{n} on Q {{ ...F{} }}", n + 1));
        format!("{{ ...F0 }} {} fragment F{length} on Q {{ {end} }}", links.collect::<String>())
    };
    let budget = Budget::new(Limits { tokens: usize::MAX, ..Limits::default() }, []);
    for (text, place) in [
        (chain(5_000, "a"), "depth"),
        (chain(5_000, "a").replace("{ ...F0 }", "{ a }"), "depth"),
        (chain(5_000, "...F0"), "depth"),
        (chain(20, "...F3"), "spreads itself"),
        ("{ ...F } fragment F on Q { ...F }".to_owned(), "`F` spreads itself"),
        ("{ a } fragment F on Q { a { ...F } }".to_owned(), "`F` spreads itself"),
        ("{ ...F } fragment F on Q { ...G } fragment G on Q { ... { a { ...F } } }".to_owned(), "itself"),
    ] {
        let document = parse_query(&text).unwrap();
        let excess = budget.document(&document).unwrap_err();
        assert!(excess.to_string().contains(place), "{excess}");
        assert_eq!(excess.code(), "TOO_COMPLEX");
    }
    assert_eq!(refusal(&chain(31, "a")), "");
}

#[test]
fn floods_are_refused_by_what_they_are() {
    let flood = |piece: fn(usize) -> String, n: usize| (0..n).map(piece).collect::<String>();
    let aliases = flood(|n| format!("a{n}: b "), 1_900);
    let limits = Limits { tokens: usize::MAX, ..Limits::default() };
    let rows = [
        (format!("{{ {aliases} }}"), "asks for 1900 aliases"),
        (format!("{{ {} }}", "a ".repeat(51)), "51 fields of the operation itself"),
        (format!("{{ a {} }}", "@x ".repeat(11)), "11 directives at one place"),
        (format!("{{ ...F {} }} fragment F on Q {{ a }}", "@x ".repeat(11)), "directives at one place"),
        (format!("query {} {{ a }}", "@x ".repeat(11)), "directives at one place"),
        (format!("{{ b {{ {} }} }}", "a @x ".repeat(101)), "101 directives"),
        (format!("{{ b {{ {} }} }}", "a ".repeat(10_001)), "10002 fields"),
        (format!("{{ {} }}", "... { a } ".repeat(2_001)), "2001 fragments spread"),
        (format!("{}{{ a }}{}", "{ ... ".repeat(33), " }".repeat(33)), "fragments counted"),
    ];
    let budget = Budget::new(limits, []);
    for (text, place) in rows {
        let document = parse_query(&text).unwrap();
        assert!(budget.document(&document).unwrap_err().to_string().contains(place), "{place}");
    }
}

#[test]
fn a_page_costs_what_it_may_hold() {
    let one = 3;
    let rows = [
        ("", value!({}), 25),
        ("(first: 100)", value!({}), 100),
        ("(first: 101)", value!({}), 100),
        ("(last: 3)", value!({}), 3),
        ("(first: 4, last: 3)", value!({}), 4),
        ("(first: null, last: 3)", value!({}), 3),
        ("(first: null)", value!({}), 25),
        ("(first: 0)", value!({}), 0),
        ("(first: -1)", value!({}), 0),
        ("(first: -99999999999)", value!({}), 0),
        ("(first: 99999999999)", value!({}), 100),
        ("(first: 999999999999999999999999)", value!({}), 100),
        ("(first: 1.5)", value!({}), 100),
        ("(first: \"1\")", value!({}), 100),
        ("(first: [1])", value!({}), 100),
        ("(first: $n)", value!({}), 7),
        ("(first: $n)", value!({ "n": 9 }), 9),
        ("(first: $n)", value!({ "n": null }), 25),
        ("(first: $n)", value!({ "n": "x" }), 100),
        ("(first: $m)", value!({}), 25),
        ("(first: $m, last: $n)", value!({}), 7),
        ("(first: $m)", value!({ "m": (-1) }), 0),
        ("(first: $unknown)", value!({ "unknown": 9 }), 25),
    ];
    for (arguments, variables, elements) in rows {
        assert_eq!(paged(arguments, variables.clone()), elements * one, "{arguments} {variables}");
    }
}

#[test]
fn pages_within_pages_multiply() {
    let nested = |size: &str| {
        let names = ["timeline", "items", "orders"];
        let inner = "id".to_owned();
        let list =
            names.iter().fold(inner, |inner, name| format!("{name}({size}) {{ nodes {{ {inner} }} }}"));
        format!("{{ {list} }}")
    };
    // Two fields per event, those and one for `nodes` per line, those and one for `nodes` per order.
    assert_eq!(measured(&nested("first: 10")).cost, 10 * (10 * (10 * 2 + 1) + 1));
    let asked = "The request asks for 2010100 units of complexity, at most 200000 are allowed;";
    assert_eq!(refusal(&nested("first: 100")), format!("{asked} ask for fewer at once."));
    let fragment = "query($n: Int) { orders(first: $n) { nodes { ...F } } }
        fragment F on Order { items(first: $n) { nodes { id } } }";
    assert_eq!(check(fragment, None, value!({ "n": 3 })).unwrap().cost, 3 * (3 * 2 + 1));
    assert_eq!(check(fragment, None, value!({})).unwrap().cost, 25 * (25 * 2 + 1));
    let deep = (0..9).fold("id".to_owned(), |inner, _| format!("orders(first: 100) {{ {inner} }}"));
    assert!(refusal(&format!("{{ {deep} }}")).contains("more than 200000 units"));
}

#[test]
fn lists_in_arguments_are_counted_as_often_as_they_are_used() {
    let list = |n: usize| ConstValue::List(vec![value!("x"); n]);
    let wide = value!([[1, 2], { "a": [3, { "b": [4] }] }]);
    let rows = [
        ("query($v: [ID!]!) { nodes(ids: $v) { id } }", list(100), Some(100)),
        ("query($v: [ID!]!) { a(b: $v) }", list(1_001), None),
        ("query($v: [ID!]!) { a(b: $v) c(b: $v) }", list(600), None),
        ("query($v: [ID!]!) { ...F ...F } fragment F on Q { a(b: $v) }", list(600), None),
        ("query($v: X) { a(b: { c: [$v] }) }", wide, Some(8)),
        ("query($v: [Int] = [1, 2]) { a(b: $v, c: [1, [2]]) }", value!([1, 2]), Some(5)),
        ("query($v: X) { a(b: $other) }", list(5_000), Some(0)),
        ("{ a @x(b: [1, 2]) }", value!(null), Some(2)),
    ];
    for (text, v, values) in rows {
        let variables = ConstValue::Object([(Name::new("v"), v)].into_iter().collect());
        match (check(text, None, variables), values) {
            (Ok(measured), Some(values)) => assert_eq!(measured.values, values, "{text}"),
            (Err(excess), None) => assert!(excess.to_string().contains("values in lists"), "{excess}"),
            (other, _) => panic!("{text}: {other:?}"),
        }
    }
    let ids = "query($v: [ID!]) { nodes(ids: $v) { id } nodes(ids: [1, 2]) { id } nodes(ids: 1) { id } }";
    assert_eq!(check(ids, None, value!({ "v": [1, 2, 3] })).unwrap().cost, 6);
}

#[test]
fn the_operation_that_is_named_is_the_one_that_is_measured() {
    let text = "query A { a } query B($n: Int = 100) { orders(first: $n) { id } } subscription C { c { d } }";
    for (name, cost) in [(Some("A"), 1), (Some("B"), 100), (Some("C"), 2), (Some("D"), 0), (None, 0)] {
        assert_eq!(check(text, name, value!({})).unwrap().cost, cost, "{name:?}");
    }
    assert_eq!(check("query A { a }", None, value!({})).unwrap().cost, 1);
    assert_eq!(check("{ a }", Some("A"), value!({})).unwrap(), Measured::default());
    let long = "x".repeat(129);
    let excess = check("{ a }", Some(&long), value!({})).unwrap_err();
    assert!(excess.to_string().contains("129 bytes in the operation's name"));
}

#[test]
fn variables_do_not_refuse_the_document_for_others() {
    let text =
        "query($n: Int = 100) { orders(first: $n) { items(first: $n) { timeline(first: $n) { id } } } }";
    assert!(check(text, None, value!({})).is_err());
    assert!(check(text, None, value!({ "n": 2 })).is_ok());
}

#[test]
fn figures_saturate() {
    let limits = Limits {
        tokens: usize::MAX,
        nesting: usize::MAX,
        fields: usize::MAX,
        spreads: usize::MAX,
        roots: usize::MAX,
        cost: usize::MAX,
        ..Limits::default()
    };
    let document = parse_query(bomb(100, 6)).unwrap();
    let measured = Budget::new(limits, []).measure(&document, None, &Variables::default()).unwrap();
    assert_eq!((measured.fields, measured.spreads, measured.cost), (usize::MAX, usize::MAX, usize::MAX));
}
