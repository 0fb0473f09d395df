//! From text to a parsed document that asks for no more than is allowed, once: most clients send the same
//! few texts again and again.

use std::sync::Arc;

use async_graphql::{
    ErrorExtensionValues, Name, Positioned, Request, ServerError, Value,
    parser::{
        parse_query,
        types::{BaseType, DocumentOperations, ExecutableDocument, OperationType, VariableDefinition},
    },
};
use moka::sync::Cache;

use super::budget::{Budget, Excess, Limits, chosen};

/// Bytes of query text that are remembered, all documents together.
const REMEMBERED: u64 = 2 << 20;
/// A longer text is parsed each time.
const LONGEST: usize = 16 << 10;
/// What a document weighs besides its text; keeps the cache at 512 entries or so.
const OVERHEAD: u32 = 4 << 10;
/// The fields that are pages: one that does not say its size costs as much as a page of the default size.
const PAGED: [&str; 7] =
    ["attempts", "items", "orders", "organizations", "products", "serviceTokens", "timeline"];

/// Parsed documents, each of which is within the budget as far as that does not depend on variables.
#[derive(Clone, Debug)]
pub(super) struct Documents {
    parsed: Cache<String, Arc<ExecutableDocument>>,
    budget: Arc<Budget>,
}

impl Documents {
    /// None yet.
    pub(super) fn new() -> Documents {
        let weight = |text: &String, _: &Arc<ExecutableDocument>| {
            u32::try_from(text.len()).unwrap_or(u32::MAX).saturating_add(OVERHEAD)
        };
        let parsed = Cache::builder().max_capacity(REMEMBERED).weigher(weight).build();
        Documents { parsed, budget: Arc::new(Budget::new(Limits::default(), PAGED)) }
    }

    /// Puts the parsed document into the request, and says what kind of operation it is; nothing where
    /// the request names no operation of the document, which execution then refuses.
    ///
    /// # Errors
    /// What the parser says; what is asked for too much, with its code.
    pub(super) fn prepare(&self, request: &mut Request) -> Result<Option<OperationType>, ServerError> {
        let document = match self.parsed.get(request.query.as_str()) {
            Some(document) => document,
            None => self.parse(&request.query)?,
        };
        let name = request.operation_name.as_deref();
        self.budget.measure(&document, name, &request.variables).map_err(refusal)?;
        let kind = chosen(&document, name).map(|operation| operation.ty);
        request.set_parsed_query(ExecutableDocument::clone(&document));
        Ok(kind)
    }

    fn parse(&self, text: &str) -> Result<Arc<ExecutableDocument>, ServerError> {
        self.budget.text(text).map_err(refusal)?;
        let mut document = parse_query(text)?;
        self.budget.document(&document).map_err(refusal)?;
        match &mut document.operations {
            DocumentOperations::Single(only) => {
                only.node.variable_definitions.iter_mut().for_each(omittable);
            }
            DocumentOperations::Multiple(named) => {
                let operations = named.values_mut();
                operations.flat_map(|each| &mut each.node.variable_definitions).for_each(omittable);
            }
        }
        let document = Arc::new(document);
        if text.len() <= LONGEST {
            self.parsed.insert(text.to_owned(), document.clone());
        }
        Ok(document)
    }
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
    let mut error = ServerError::new(excess.to_string(), None);
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", excess.code());
    error.extensions = Some(extensions);
    error
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

    use super::*;

    fn request(text: &str) -> Result<Option<OperationType>, ServerError> {
        Documents::new().prepare(&mut Request::new(text))
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
        let documents = Documents::new();
        let text = "query($n: Int) { orders(first: $n) { nodes { items(first: $n) { nodes {
            attempts(first: $n) { nodes { id } } } } } } }";
        for (n, allowed) in [(1, true), (100, false), (10, true)] {
            let variables = Variables::from_value(value!({ "n": n }));
            let answer = documents.prepare(&mut Request::new(text).variables(variables));
            assert_eq!(answer.is_ok(), allowed, "{n}");
            assert!(answer.is_ok() || answer.is_err_and(|error| is_too_complex(&error)), "{n}");
        }
    }

    #[test]
    fn the_kind_is_that_of_the_named_operation() {
        let documents = Documents::new();
        let text = "query A { a } mutation B { b }";
        for (name, kind) in
            [("A", Some(OperationType::Query)), ("B", Some(OperationType::Mutation)), ("C", None)]
        {
            let mut request = Request::new(text).operation_name(name);
            assert_eq!(documents.prepare(&mut request).unwrap(), kind);
        }
        assert_eq!(documents.prepare(&mut Request::new(text)).unwrap(), None);
        assert_eq!(request("subscription { a }").unwrap(), Some(OperationType::Subscription));
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
