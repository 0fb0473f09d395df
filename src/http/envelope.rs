//! From the text of a request to what it asks for: the members of GraphQL over HTTP, checked one by one,
//! so that a refusal names the place.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use async_graphql::{Name, Request, Value};
use axum::http::StatusCode;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Unexpected, Visitor},
};
use serde_json::{Map, error::Category};

use crate::usecase::session::Operation;

/// The longest name of an operation, and the longest id of a document.
const LONGEST: usize = 256;
/// The parameters that are understood. Others are passed over: they may be a proxy's, or a later version's.
const PARAMETERS: [&str; 5] = ["query", "operationName", "variables", "extensions", "documentId"];

/// What a request asks for.
#[derive(Debug)]
pub(super) struct Envelope {
    /// The operation; without a text where only a hash or an id says which.
    pub(super) request: Request,
    /// The hash of a text: one that was sent before, or the one beside it, which is to be kept.
    pub(super) persisted: Option<PersistedQuery>,
    /// The id of a text that the server knows.
    pub(super) document: Option<DocumentId>,
}

/// The SHA-256 of a text, as `extensions.persistedQuery` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PersistedQuery(pub(super) [u8; 32]);

/// The id of a text: letters, digits and `-._~:`, 256 at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct DocumentId(pub(super) String);

/// Why a request is not understood, in a sentence that may be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// It is no JSON object in UTF-8.
    #[error("{0}")]
    Text(String),
    /// It is JSON, but no GraphQL request.
    #[error("{0}")]
    Shape(String),
}

impl Malformed {
    /// The status of the refusal.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Malformed::Text(_) => StatusCode::BAD_REQUEST,
            // The edition of September 2026 proposes 422; the audits and every draft before it, 400.
            Malformed::Shape(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// Reads the body of a POST.
///
/// # Errors
/// What is wrong with it.
pub(super) fn from_body(body: &[u8]) -> Result<Envelope, Malformed> {
    let text = str::from_utf8(body).map_err(|error| {
        Malformed::Text(format!(
            "the body is not UTF-8: see the byte after the first {}",
            error.valid_up_to()
        ))
    })?;
    // A byte order mark says nothing in UTF-8, but some clients cannot help sending it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.trim_ascii_start().bytes().next() {
        // The depth of the JSON is bounded by the reader, which gives up at 128.
        Some(b'{') => serde_json::from_str(text).map_err(|error| explain("the body", &error)).and_then(seal),
        Some(b'[') => Err(shape("batches are not supported; send one operation per request")),
        Some(_) => Err(Malformed::Text("the body must be a JSON object with `query`".to_owned())),
        None => Err(Malformed::Text("the body is empty; send a JSON object with `query`".to_owned())),
    }
}

/// Reads the payload of a socket's message.
///
/// # Errors
/// What is wrong with it.
pub(super) fn from_payload(payload: Map<String, serde_json::Value>) -> Result<Envelope, Malformed> {
    let members = serde_json::from_value(serde_json::Value::Object(payload));
    members.map_err(|error| explain("`payload`", &error)).and_then(seal)
}

/// Reads the query string of a GET. An empty parameter is one that is not there; bytes that are not UTF-8
/// become U+FFFD, both as the URL standard has it.
///
/// # Errors
/// What is wrong with it.
pub(super) fn from_url(query: Option<&str>) -> Result<Envelope, Malformed> {
    let mut found: [Option<Cow<str>>; PARAMETERS.len()] = Default::default();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        for (known, place) in PARAMETERS.iter().zip(&mut found) {
            if name == *known && place.replace(value.clone()).is_some() {
                return Err(shape(format!("the query string has `{known}` twice")));
            }
        }
    }
    let [query, operation_name, variables, extensions, document_id] =
        found.map(|value| value.filter(|text| !text.is_empty()).map(Cow::into_owned));
    seal(Members {
        query,
        operation_name,
        variables: variables.map_or(Ok(None), |text| object("variables", &text))?,
        extensions: extensions.map_or(Ok(None), |text| object("extensions", &text))?,
        document_id,
    })
}

/// The ticket in the query string of a GET, which then is all of the request.
pub(super) fn ticket(query: Option<&str>) -> Option<String> {
    let mut parameters = form_urlencoded::parse(query?.as_bytes());
    parameters.find(|(name, _)| name == "ticket").map(|(_, ticket)| ticket.into_owned())
}

/// The operation that a ticket is for.
///
/// # Errors
/// What is wrong with it: whoever asked for the ticket may have asked for anything.
pub(super) fn from_ticket(operation: Operation) -> Result<Envelope, Malformed> {
    let Operation { query, operation_name, variables } = operation;
    let mut payload =
        Map::from_iter([("query".to_owned(), query.into()), ("variables".to_owned(), variables.into())]);
    payload.extend(operation_name.map(|name| ("operationName".to_owned(), name.into())));
    from_payload(payload)
}

/// Checks what the shape alone does not tell.
fn seal(members: Members) -> Result<Envelope, Malformed> {
    let Members { query, operation_name, variables, extensions, document_id } = members;
    if operation_name.as_ref().is_some_and(|name| name.chars().count() > LONGEST) {
        return Err(shape(format!("`operationName` is longer than {LONGEST} characters")));
    }
    let extensions = extensions.unwrap_or_default();
    let persisted = persisted(extensions.get("persistedQuery"))?;
    let document = document_id.map(document).transpose()?;
    // A blank text is a well-formed one, but this sentence helps more than the parser's.
    let query = query.filter(|text| !text.trim().is_empty());
    if query.is_none() && persisted.is_none() && document.is_none() {
        return Err(shape("`query` is missing or empty"));
    }
    let mut request = Request::new(query.unwrap_or_default());
    request.operation_name = operation_name;
    *request.variables = variables.unwrap_or_default();
    *request.extensions = extensions.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    Ok(Envelope { request, persisted, document })
}

fn persisted(entry: Option<&Value>) -> Result<Option<PersistedQuery>, Malformed> {
    let entry = match entry {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(entry)) => entry,
        Some(_) => return Err(shape("`extensions.persistedQuery` must be an object")),
    };
    if !matches!(entry.get("version"), Some(Value::Number(number)) if number.as_u64() == Some(1)) {
        return Err(shape("`extensions.persistedQuery.version` must be 1"));
    }
    match entry.get("sha256Hash") {
        Some(Value::String(text)) => sha256(text),
        _ => None,
    }
    .map(|hash| Some(PersistedQuery(hash)))
    .ok_or_else(|| shape("`extensions.persistedQuery.sha256Hash` must be a SHA-256 in 64 hexadecimal digits"))
}

fn sha256(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if text.len() != 2 * hash.len() {
        return None;
    }
    for (at, digit) in text.bytes().enumerate() {
        let digit = u8::try_from(char::from(digit).to_digit(16)?).ok()?;
        let byte = hash.get_mut(at / 2)?;
        *byte = *byte << 4 | digit;
    }
    Some(hash)
}

fn document(id: String) -> Result<DocumentId, Malformed> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
    if (1..=LONGEST).contains(&id.len()) && id.bytes().all(plain) {
        return Ok(DocumentId(id));
    }
    Err(shape(format!("`documentId` must be 1 to {LONGEST} letters, digits or `-._~:`")))
}

fn shape(what: impl Into<String>) -> Malformed {
    Malformed::Shape(what.into())
}

fn explain(place: &str, error: &serde_json::Error) -> Malformed {
    match error.classify() {
        Category::Data => Malformed::Shape(format!("{place} is not as it should be: {error}")),
        Category::Syntax | Category::Eof | Category::Io => {
            Malformed::Text(format!("{place} cannot be read as JSON: {error}"))
        }
    }
}

/// The members of a request. A name that stands twice is refused: two readers could believe a different one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    #[serde(default, deserialize_with = "query")]
    query: Option<String>,
    #[serde(default, deserialize_with = "operation_name")]
    operation_name: Option<String>,
    #[serde(default, deserialize_with = "variables")]
    variables: Option<Entries>,
    #[serde(default, deserialize_with = "extensions")]
    extensions: Option<Entries>,
    #[serde(default, deserialize_with = "document_id")]
    document_id: Option<String>,
}

type Entries = BTreeMap<Name, Value>;

fn query<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    from.deserialize_any(Text("query"))
}

fn operation_name<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    from.deserialize_any(Text("operationName"))
}

fn document_id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    from.deserialize_any(Text("documentId"))
}

fn variables<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Entries>, D::Error> {
    from.deserialize_any(Object("variables"))
}

fn extensions<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Entries>, D::Error> {
    from.deserialize_any(Object("extensions"))
}

/// Reads a parameter that holds JSON.
fn object(name: &'static str, text: &str) -> Result<Option<Entries>, Malformed> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let entries = reader.deserialize_any(Object(name)).and_then(|entries| reader.end().map(|()| entries));
    entries.map_err(|error| explain(&format!("`{name}`"), &error))
}

/// Reads a string or null, and says its name otherwise.
struct Text(&'static str);

impl Visitor<'_> for Text {
    type Value = Option<String>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "`{}` to be a string", self.0)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.to_owned()))
    }
}

/// Reads an object or null, and says its name otherwise.
struct Object(&'static str);

impl<'de> Visitor<'de> for Object {
    type Value = Option<Entries>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "`{}` to be an object", self.0)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    /// The usual answer would repeat the whole string.
    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Err(E::invalid_type(Unexpected::Other("string"), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Entries::new();
        while let Some((name, value)) = map.next_entry()? {
            if entries.insert(name, value).is_some() {
                return Err(A::Error::custom(format_args!("`{}` has the same name twice", self.0)));
            }
        }
        Ok(Some(entries))
    }
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
