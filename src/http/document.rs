//! From text to a parsed document that asks for no more than is allowed, once: most clients send the same
//! few texts again and again.

use std::{collections::BTreeSet, sync::Arc};

use async_graphql::{
    Name, Positioned, Request, ServerError, Value,
    parser::{
        parse_query,
        types::{
            BaseType, DocumentOperations, ExecutableDocument, OperationType, Selection, SelectionSet,
            VariableDefinition,
        },
    },
};
use moka::sync::Cache;

use super::{
    budget::{Budget, Excess, Limits, chosen},
    envelope::Envelope,
    fault,
    texts::Texts,
    variable,
};

/// Bytes of query text that are remembered, all documents together.
const REMEMBERED: u64 = 2 << 20;
/// A longer text is parsed each time.
const LONGEST: usize = 16 << 10;
/// What a document weighs besides its text; keeps the cache at 512 entries or so.
const OVERHEAD: u32 = 4 << 10;
/// The fields that are pages: one that does not say its size costs as much as a page of the default size.
const PAGED: [&str; 13] = [
    "attempts",
    "history",
    "invitations",
    "items",
    "jobs",
    "orders",
    "organizations",
    "products",
    "resources",
    "rightsChanges",
    "serviceTokens",
    "timeline",
    "users",
];

/// An operation that may run as far as its text and its size are concerned.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The request, with its document parsed.
    pub(super) request: Request,
    /// The document by itself: a subscription is executed more than once.
    pub(super) document: Arc<ExecutableDocument>,
    /// What it is; nothing where the request names no operation of the document, which execution then
    /// refuses.
    pub(super) kind: Option<OperationType>,
    /// What it is called, as the request says, or as the text names its only one.
    pub(super) name: Option<String>,
    /// Whether it reads the schema itself.
    pub(super) introspects: bool,
    /// What it costs, in the budget's units.
    pub(super) cost: u32,
}

/// Parsed documents, each of which is within the budget as far as that does not depend on variables.
#[derive(Clone, Debug)]
pub(super) struct Documents {
    texts: Texts,
    parsed: Cache<String, Arc<Document>>,
    budget: Arc<Budget>,
}

#[derive(Debug)]
struct Document {
    parsed: Arc<ExecutableDocument>,
    introspects: bool,
}

impl Documents {
    /// None yet, but the trusted ones.
    pub(super) fn new(texts: Texts) -> Documents {
        let weight = |text: &String, _: &Arc<Document>| {
            u32::try_from(text.len()).unwrap_or(u32::MAX).saturating_add(OVERHEAD)
        };
        let parsed = Cache::builder().max_capacity(REMEMBERED).weigher(weight).build();
        Documents { texts, parsed, budget: Arc::new(Budget::new(Limits::default(), PAGED)) }
    }

    /// Finds the text, parses it, and measures what it asks for.
    ///
    /// # Errors
    /// What the parser says; what is asked for too much, a variable that is missing, a text that is not
    /// known: each with its code.
    pub(super) fn prepare(&self, mut envelope: Envelope) -> Result<Prepared, ServerError> {
        self.texts.resolve(&mut envelope)?;
        let Envelope { mut request, persisted, .. } = envelope;
        let document = match self.parsed.get(request.query.as_str()) {
            Some(document) => document,
            None => self.parse(&request.query)?,
        };
        self.texts.keep(persisted, &request.query);
        let name = request.operation_name.as_deref();
        let measured = self.budget.measure(&document.parsed, name, &request.variables).map_err(refusal)?;
        let operation = chosen(&document.parsed, name);
        if let Some(operation) = operation {
            variable::check(operation, &request.variables)?;
        }
        let kind = operation.map(|operation| operation.ty);
        let only = || document.parsed.operations.iter().next()?.0.map(ToString::to_string);
        let name = request.operation_name.clone().or_else(|| operation.and_then(|_| only()));
        let introspects = document.introspects;
        request.set_parsed_query(ExecutableDocument::clone(&document.parsed));
        let cost = u32::try_from(measured.cost).unwrap_or(u32::MAX);
        let document = document.parsed.clone();
        Ok(Prepared { request, document, kind, name, introspects, cost })
    }

    fn parse(&self, text: &str) -> Result<Arc<Document>, ServerError> {
        let document = Arc::new(parse(&self.budget, text)?);
        if text.len() <= LONGEST {
            self.parsed.insert(text.to_owned(), document.clone());
        }
        Ok(document)
    }
}

/// Whether a text is a document that may run, whatever its variables.
///
/// # Errors
/// As told by [`Documents::prepare`].
pub(super) fn check(text: &str) -> Result<(), ServerError> {
    parse(&Budget::new(Limits::default(), PAGED), text).map(|_| ())
}

fn parse(budget: &Budget, text: &str) -> Result<Document, ServerError> {
    budget.text(text).map_err(refusal)?;
    let mut parsed = parse_query(text)?;
    budget.document(&parsed).map_err(refusal)?;
    match &mut parsed.operations {
        DocumentOperations::Single(only) => {
            only.node.variable_definitions.iter_mut().for_each(omittable);
        }
        DocumentOperations::Multiple(named) => {
            let operations = named.values_mut();
            operations.flat_map(|each| &mut each.node.variable_definitions).for_each(omittable);
        }
    }
    has_one_root_field(&parsed)?;
    let introspects = introspects(&parsed);
    Ok(Document { parsed: Arc::new(parsed), introspects })
}

/// Whether a document reads the schema itself, anywhere. The budget has bounded how deep this goes.
fn introspects(document: &ExecutableDocument) -> bool {
    fn reads(set: &SelectionSet) -> bool {
        set.items.iter().any(|item| match &item.node {
            Selection::Field(field) => {
                matches!(field.node.name.node.as_str(), "__schema" | "__type")
                    || reads(&field.node.selection_set.node)
            }
            Selection::InlineFragment(fragment) => reads(&fragment.node.selection_set.node),
            Selection::FragmentSpread(_) => false,
        })
    }
    let operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    operations.chain(fragments).any(reads)
}

/// A subscription is one stream: it has one field at its root, as the specification says and the library does
/// not check.
fn has_one_root_field(document: &ExecutableDocument) -> Result<(), ServerError> {
    fn keys<'a>(set: &'a SelectionSet, document: &'a ExecutableDocument, found: &mut BTreeSet<&'a str>) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => drop(found.insert(&field.node.response_key().node)),
                Selection::InlineFragment(fragment) => {
                    keys(&fragment.node.selection_set.node, document, found);
                }
                // The budget has refused fragments that go in circles.
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        keys(&fragment.node.selection_set.node, document, found);
                    }
                }
            }
        }
    }
    for (_, operation) in document.operations.iter() {
        let mut found = BTreeSet::new();
        keys(&operation.node.selection_set.node, document, &mut found);
        if operation.node.ty == OperationType::Subscription && found.len() != 1 {
            let what = "a subscription has exactly one field at its root; send one subscription for each";
            return Err(fault::error("BAD_USER_INPUT", what.to_owned()));
        }
    }
    Ok(())
}

/// Gives a number that a client may leave out the null that its absence means. The library computes the
/// complexity of `first: $n` before execution and takes a variable that was left out for an undefined one.
fn omittable(variable: &mut Positioned<VariableDefinition>) {
    let Positioned { pos, node } = variable;
    let kind = &node.var_type.node;
    if kind.nullable && node.default_value.is_none() && kind.base == BaseType::Named(Name::new("Int")) {
        node.default_value = Some(Positioned::new(Value::Null, *pos));
    }
}

fn refusal(excess: Excess) -> ServerError {
    fault::error(excess.code(), excess.to_string())
}

#[cfg(test)]
mod tests {
    use async_graphql::{
        Variables,
        parser::{
            parse_schema,
            types::{TypeKind, TypeSystemDefinition},
        },
        value,
    };

    use super::{super::texts::Trusted, *};

    fn documents() -> Documents {
        Documents::new(Texts::new(Trusted::default(), false))
    }

    fn prepare(documents: &Documents, request: Request) -> Result<Prepared, ServerError> {
        documents.prepare(Envelope { request, persisted: None, document: None })
    }

    fn request(text: &str) -> Result<Option<OperationType>, ServerError> {
        prepare(&documents(), Request::new(text)).map(|prepared| prepared.kind)
    }

    fn is_too_complex(error: &ServerError) -> bool {
        let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
        code == Some(&value!("TOO_COMPLEX"))
    }

    #[test]
    fn a_deep_text_is_refused_before_it_is_parsed() {
        for bracket in ["{a", "{a(b:[", "[", "query($a:["] {
            let error = request(&bracket.repeat(10_000)).unwrap_err();
            assert!(error.message.contains("open brackets"), "{bracket}");
            assert!(is_too_complex(&error), "{bracket}");
        }
        let (open, close) = ("[".repeat(90), "]".repeat(90));
        assert!(request(&format!("{{a(b:{open}{close})}}")).is_ok());
        assert!(request(&format!("{}{}", "{a".repeat(20), "}".repeat(20))).is_ok());
    }

    #[test]
    fn a_text_that_the_parser_reads_as_other_strings_does_not_reach_it() {
        let text = format!("{{ a(b: [\"\"\" \" {}", "{a:".repeat(10_000));
        assert!(request(&text).unwrap_err().message.contains("block string"));
    }

    #[test]
    fn variables_are_measured_anew_for_a_document_that_is_remembered() {
        let documents = documents();
        let text = "query($n: Int) { orders(first: $n) { nodes { items(first: $n) { nodes {
            attempts(first: $n) { nodes { id } } } } } } }";
        for (n, allowed) in [(1, true), (100, false), (10, true)] {
            let variables = Variables::from_value(value!({ "n": n }));
            let answer = prepare(&documents, Request::new(text).variables(variables));
            assert_eq!(answer.is_ok(), allowed, "{n}");
            assert!(answer.is_ok() || answer.is_err_and(|error| is_too_complex(&error)), "{n}");
        }
    }

    #[test]
    fn the_kind_is_that_of_the_named_operation() {
        let documents = documents();
        let text = "query A { a } mutation B { b }";
        for (name, kind) in
            [("A", Some(OperationType::Query)), ("B", Some(OperationType::Mutation)), ("C", None)]
        {
            let request = Request::new(text).operation_name(name);
            assert_eq!(prepare(&documents, request).unwrap().kind, kind);
        }
        assert_eq!(request(text).unwrap(), None);
        assert_eq!(request("subscription { a }").unwrap(), Some(OperationType::Subscription));
    }

    #[test]
    fn a_subscription_has_one_field_at_its_root() {
        for text in [
            "subscription { a b }",
            "subscription { a: a b: a }",
            "subscription { ...f } fragment f on S { a ... on S { b } }",
            "query Q { a } subscription S { a ...f } fragment f on S { b }",
        ] {
            assert!(request(text).unwrap_err().message.contains("one field at its root"), "{text}");
        }
        for text in ["subscription { a { b c } }", "subscription { ...f a } fragment f on S { a }", "{ a b }"]
        {
            assert!(request(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn reading_the_schema_is_noticed_wherever_it_stands() {
        for (text, reads) in [
            ("{ __schema { queryType { name } } }", true),
            ("{ a ... on Query { s: __type(name: \"A\") { name } } }", true),
            ("{ a ...f } fragment f on Query { __schema { queryType { name } } }", true),
            ("{ __typename a { __typename } }", false),
        ] {
            assert_eq!(prepare(&documents(), Request::new(text)).unwrap().introspects, reads, "{text}");
        }
    }

    #[test]
    fn every_page_of_the_schema_is_known() {
        let schema = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql"));
        let mut pages = Vec::new();
        for definition in parse_schema(schema).unwrap().definitions {
            if let TypeSystemDefinition::Type(kind) = definition
                && let TypeKind::Object(object) = kind.node.kind
            {
                let fields = object.fields.into_iter().map(|field| field.node);
                let paged =
                    fields.filter(|field| field.arguments.iter().any(|each| each.node.name.node == "first"));
                pages.extend(paged.map(|field| field.name.node.to_string()));
            }
        }
        pages.sort();
        pages.dedup();
        assert_eq!(pages, PAGED);
    }
}
