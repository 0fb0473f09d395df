//! Texts that clients name instead of sending them: trusted documents, which the operator knows before
//! anybody asks, and texts that were sent before (automatic persisted queries).

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

use async_graphql::ServerError;
use moka::sync::Cache;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    document,
    envelope::{DocumentId, Envelope, PersistedQuery},
    fault,
};

/// Bytes of texts that are kept because they were sent once.
const KEPT: u64 = 4 << 20;
/// A longer text is not kept.
const LONGEST: usize = 16 << 10;
/// What a text weighs besides its bytes.
const OVERHEAD: u32 = 128;

type Hash = [u8; 32];

/// Documents that the operator trusts, by id and by hash.
#[derive(Clone, Default)]
pub struct Trusted {
    by_id: HashMap<String, Arc<str>>,
    by_hash: HashMap<Hash, Arc<str>>,
}

impl fmt::Debug for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trusted").field(&self.by_id.len()).finish()
    }
}

/// The two forms of a manifest: `{"id": "text"}`, or Apollo's list of operations.
#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    Listed { operations: Vec<Listed> },
    Plain(BTreeMap<String, String>),
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    body: String,
}

impl Trusted {
    /// Reads a manifest.
    ///
    /// # Errors
    /// What is wrong with it, as a clause about the file.
    pub fn parse(manifest: &str) -> Result<Trusted, String> {
        let manifest = serde_json::from_str(manifest).map_err(|_| {
            "must hold a JSON object of texts by id, or a manifest with `operations`, each with `id` and `body`"
        })?;
        let texts: Vec<(String, String)> = match manifest {
            Manifest::Plain(texts) => texts.into_iter().collect(),
            Manifest::Listed { operations } => operations.into_iter().map(|one| (one.id, one.body)).collect(),
        };
        let mut trusted = Trusted::default();
        for (id, text) in texts {
            let wrong = |error: ServerError| {
                format!("holds the document {id:?}, which cannot run: {}", error.message)
            };
            document::check(&text).map_err(wrong)?;
            let text: Arc<str> = text.into();
            trusted.by_hash.insert(hash(&text), text.clone());
            if trusted.by_id.insert(id.clone(), text).is_some() {
                return Err(format!("names the document {id:?} twice"));
            }
        }
        Ok(trusted)
    }
}

/// Where texts are looked up.
#[derive(Clone, Debug)]
pub(super) struct Texts {
    trusted: Arc<Trusted>,
    only_trusted: bool,
    kept: Cache<Hash, Arc<str>>,
}

impl Texts {
    /// With these trusted documents, and whether nothing else may run.
    pub(super) fn new(trusted: Trusted, only_trusted: bool) -> Texts {
        let weight = |_: &Hash, text: &Arc<str>| {
            u32::try_from(text.len()).unwrap_or(u32::MAX).saturating_add(OVERHEAD)
        };
        let kept = Cache::builder().max_capacity(KEPT).weigher(weight).build();
        Texts { trusted: Arc::new(trusted), only_trusted, kept }
    }

    /// Gives the request its text, where it only names one.
    ///
    /// # Errors
    /// DOCUMENT_NOT_FOUND, PERSISTED_QUERY_NOT_FOUND, BAD_USER_INPUT where text and name do not fit
    /// together, DOCUMENT_NOT_TRUSTED.
    pub(super) fn resolve(&self, envelope: &mut Envelope) -> Result<(), ServerError> {
        let found = match (&envelope.document, envelope.persisted) {
            (Some(DocumentId(id)), _) => Some(self.trusted.by_id.get(id).ok_or_else(|| unknown(id))?.clone()),
            (None, Some(PersistedQuery(hash))) if envelope.request.query.is_empty() => {
                Some(self.persisted(&hash).ok_or_else(not_persisted)?)
            }
            (None, _) => None,
        };
        let text = &mut envelope.request.query;
        match found {
            Some(found) if text.is_empty() => *text = found.as_ref().to_owned(),
            Some(found) if **text != *found => return Err(another("`documentId`")),
            _ => {}
        }
        if envelope.persisted.is_some_and(|PersistedQuery(named)| named != hash(text)) {
            return Err(another("`extensions.persistedQuery.sha256Hash`"));
        }
        if self.only_trusted && !self.trusted.by_hash.contains_key(&hash(text)) {
            return Err(not_trusted());
        }
        Ok(())
    }

    fn persisted(&self, hash: &Hash) -> Option<Arc<str>> {
        self.trusted.by_hash.get(hash).cloned().or_else(|| self.kept.get(hash))
    }

    /// Keeps a text that was sent with its hash. Only for texts that can be parsed: others would take the
    /// room of those.
    pub(super) fn keep(&self, persisted: Option<PersistedQuery>, text: &str) {
        if let Some(PersistedQuery(hash)) = persisted
            && text.len() <= LONGEST
            && !self.kept.contains_key(&hash)
        {
            self.kept.insert(hash, text.into());
        }
    }
}

fn hash(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

fn unknown(id: &str) -> ServerError {
    fault::error("DOCUMENT_NOT_FOUND", format!("no trusted document has the id {id:?}"))
}

/// The sentence is what clients of the de facto protocol look for; then they send the text along.
fn not_persisted() -> ServerError {
    fault::error("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound".to_owned())
}

fn another(what: &str) -> ServerError {
    fault::error(
        "BAD_USER_INPUT",
        format!("`query` is another text than {what} names; send only one of them"),
    )
}

fn not_trusted() -> ServerError {
    let what = "this server runs trusted documents only; send the `documentId` of one";
    fault::error("DOCUMENT_NOT_TRUSTED", what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::envelope::from_body;
    use super::*;

    const TEXT: &str = "{ a }";

    fn hex(text: &str) -> String {
        hash(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn persisted(query: &str, hashed: &str) -> serde_json::Value {
        let entry = serde_json::json!({ "version": 1, "sha256Hash": hex(hashed) });
        serde_json::json!({ "query": query, "extensions": { "persistedQuery": entry } })
    }

    fn resolve(texts: &Texts, body: serde_json::Value) -> Result<String, String> {
        let mut envelope = from_body(body.to_string().as_bytes()).unwrap();
        texts.resolve(&mut envelope).map_err(|error| error.message)?;
        texts.keep(envelope.persisted, &envelope.request.query);
        Ok(envelope.request.query)
    }

    #[test]
    fn a_text_that_was_sent_with_its_hash_can_be_named_by_it() {
        let texts = Texts::new(Trusted::default(), false);
        let unknown = Err("PersistedQueryNotFound".to_owned());
        assert_eq!(resolve(&texts, persisted("", TEXT)), unknown);
        assert!(resolve(&texts, persisted("{ b }", TEXT)).unwrap_err().contains("another text"));
        assert_eq!(resolve(&texts, persisted("", TEXT)), unknown);
        assert_eq!(resolve(&texts, persisted(TEXT, TEXT)), Ok(TEXT.to_owned()));
        assert_eq!(resolve(&texts, persisted("", TEXT)), Ok(TEXT.to_owned()));
        let long = format!("{{ {} }}", "a ".repeat(LONGEST));
        assert!(resolve(&texts, persisted(&long, &long)).is_ok());
        assert_eq!(resolve(&texts, persisted("", &long)), unknown);
    }

    #[test]
    fn a_trusted_document_is_named_by_its_id_or_its_hash_and_can_be_the_only_kind() {
        let manifests = [
            r#"{"one": "{ a }", "two": "{ b }"}"#,
            r#"{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [
                {"id": "one", "name": "A", "type": "query", "body": "{ a }"}, {"id": "two", "body": "{ b }"}]}"#,
        ];
        for manifest in manifests {
            let texts = Texts::new(Trusted::parse(manifest).unwrap(), true);
            let by_id = |id: &str, query: &str| {
                resolve(&texts, serde_json::json!({ "documentId": id, "query": query }))
            };
            assert_eq!(by_id("one", ""), Ok(TEXT.to_owned()));
            assert_eq!(by_id("one", TEXT), Ok(TEXT.to_owned()));
            assert!(by_id("one", "{ b }").unwrap_err().contains("`documentId`"));
            assert!(by_id("three", "").unwrap_err().contains("\"three\""));
            assert_eq!(resolve(&texts, persisted("", "{ b }")), Ok("{ b }".to_owned()));
            let plain = |query: &str| resolve(&texts, serde_json::json!({ "query": query }));
            assert_eq!(plain(TEXT), Ok(TEXT.to_owned()));
            for other in ["{ c }", "{ a } "] {
                assert!(plain(other).unwrap_err().contains("trusted documents only"), "{other}");
            }
            assert!(resolve(&texts, persisted("{ c }", "{ c }")).is_err());
            assert_eq!(resolve(&texts, persisted("", "{ c }")), Err("PersistedQueryNotFound".to_owned()));
        }
    }

    #[test]
    fn a_manifest_with_faults_says_so() {
        for (manifest, says) in [
            ("", "must hold a JSON object"),
            ("[]", "must hold a JSON object"),
            (r#"{"a": 1}"#, "must hold a JSON object"),
            (r#"{"a": "{ a"}"#, "the document \"a\", which cannot run"),
            (r#"{"operations": [{"id": "a", "body": "{a}"}, {"id": "a", "body": "{b}"}]}"#, "\"a\" twice"),
        ] {
            assert!(Trusted::parse(manifest).unwrap_err().contains(says), "{manifest}");
        }
    }
}
