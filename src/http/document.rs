//! From text to a parsed document, once: most clients send the same few texts again and again.

use std::sync::Arc;

use async_graphql::{
    Name, Positioned, Request, ServerError, Value,
    parser::{
        parse_query,
        types::{BaseType, DocumentOperations, ExecutableDocument, OperationType, VariableDefinition},
    },
};
use moka::sync::Cache;

/// Bytes of query text that are remembered, all documents together.
const REMEMBERED: u64 = 2 << 20;
/// A longer text is parsed each time.
const LONGEST: usize = 16 << 10;
/// What a document weighs besides its text; keeps the cache at 512 entries or so.
const OVERHEAD: u32 = 4 << 10;
/// How deep brackets may be nested. The parser recurses once per bracket, without a limit of its own,
/// before any other limit is looked at; a deep text would end the process.
const DEEPEST: usize = 96;

/// Parsed documents.
#[derive(Clone, Debug)]
pub(super) struct Documents(Cache<String, Arc<ExecutableDocument>>);

impl Documents {
    pub(super) fn new() -> Documents {
        let weight = |text: &String, _: &Arc<ExecutableDocument>| {
            u32::try_from(text.len()).unwrap_or(u32::MAX).saturating_add(OVERHEAD)
        };
        Documents(Cache::builder().max_capacity(REMEMBERED).weigher(weight).build())
    }

    /// Puts the parsed document into the request, and says what kind of operation it is; nothing where
    /// the request names no operation of the document, which execution then refuses.
    ///
    /// # Errors
    /// What the parser says.
    pub(super) fn prepare(&self, request: &mut Request) -> Result<Option<OperationType>, ServerError> {
        let document = match self.0.get(request.query.as_str()) {
            Some(document) => document,
            None => self.parse(&request.query)?,
        };
        let kind = kind(&document, request.operation_name.as_deref());
        request.set_parsed_query(ExecutableDocument::clone(&document));
        Ok(kind)
    }

    fn parse(&self, text: &str) -> Result<Arc<ExecutableDocument>, ServerError> {
        if is_too_deep(text) {
            let what =
                format!("The query is nested too deep: at most {DEEPEST} brackets may be open at once.");
            return Err(ServerError::new(what, None));
        }
        let mut document = parse_query(text)?;
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
            self.0.insert(text.to_owned(), document.clone());
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

fn kind(document: &ExecutableDocument, name: Option<&str>) -> Option<OperationType> {
    let mut operations = document.operations.iter();
    let (_, operation) = match name {
        Some(wanted) => operations.find(|(name, _)| name.is_some_and(|name| name.as_str() == wanted))?,
        None => operations.next().filter(|_| operations.next().is_none())?,
    };
    Some(operation.node.ty)
}

/// Whether more than [`DEEPEST`] brackets are open somewhere, outside of strings and comments.
fn is_too_deep(text: &str) -> bool {
    let mut rest = text.as_bytes();
    let mut depth = 0_usize;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'{' | b'[' | b'(' => {
                depth += 1;
                if depth > DEEPEST {
                    return true;
                }
                after
            }
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                after
            }
            b'#' => skip(after, |rest| rest.starts_with(b"\n") || rest.starts_with(b"\r")),
            b'"' if after.starts_with(b"\"\"") => block(&after[2..]),
            b'"' => string(after),
            _ => after,
        };
    }
    false
}

/// What is left from where `ends` says so.
fn skip(mut rest: &[u8], ends: impl Fn(&[u8]) -> bool) -> &[u8] {
    while !rest.is_empty() && !ends(rest) {
        rest = &rest[1..];
    }
    rest
}

/// What follows a string. One that does not end on its line is a fault; what follows is then counted.
fn string(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [] | [b'\n' | b'\r', ..] => return rest,
            [b'"', after @ ..] => return after,
            [b'\\', _, after @ ..] => after,
            [_, after @ ..] => after,
        };
    }
}

/// What follows a block string.
fn block(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [] => return rest,
            [b'"', b'"', b'"', after @ ..] => return after,
            [b'\\', b'"', b'"', b'"', after @ ..] => after,
            [_, after @ ..] => after,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Result<Option<OperationType>, ServerError> {
        Documents::new().prepare(&mut Request::new(text))
    }

    #[test]
    fn a_deep_text_is_refused_before_it_is_parsed() {
        for bracket in ["{a", "{a(b:[", "[", "query($a:["] {
            let text = bracket.repeat(200_000);
            assert!(request(&text).unwrap_err().message.contains("nested too deep"), "{bracket}");
        }
        let (open, close) = ("[".repeat(90), "]".repeat(90));
        assert!(request(&format!("{{a(b:{open}{close})}}")).is_ok());
        assert!(request(&format!("{}{}", "{a".repeat(60), "}".repeat(60))).is_ok());
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let many = "{[(".repeat(100);
        assert!(!is_too_deep(&format!("# {many}\n{{ a(b: \"{many} \\\" {many}\") }}")));
        assert!(!is_too_deep(&format!("{{ a(b: \"\"\"{many} \\\"\"\" \n {many}\"\"\") }}")));
        assert!(is_too_deep(&format!("# c\r{many}")));
        assert!(is_too_deep(&format!("{{a(b:\"\") {many}")));
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
}
