//! Reads one TOML table key by key, and keeps every fault with its place. Serde alone would stop at the
//! first.

use std::fmt::Display;

use serde::{Deserialize, de::DeserializeOwned};
use toml::Table;

/// The longest text of a setting, in bytes.
const LONGEST: usize = 1_024;

/// A table that is being read. Keys that nobody takes are faults.
pub(super) struct Entry {
    place: String,
    table: Table,
    faults: Vec<String>,
}

/// `"a"` or `["a", "b"]`.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    /// A text.
    One(String),
    /// A list of texts.
    Many(Vec<String>),
}

impl Entry {
    /// A table; its place goes before every key: `provider[0].`.
    pub fn new(place: &str, table: Table) -> Entry {
        Entry { place: place.to_owned(), table, faults: Vec::new() }
    }

    /// Notes what is wrong with a key.
    pub fn fault(&mut self, key: &str, what: impl Display) {
        self.faults.push(format!("{}{key}: {what}", self.place));
    }

    /// The value of a key that may be missing; a fault when it is not of this kind.
    pub fn take<T: DeserializeOwned>(&mut self, key: &str, kind: &str) -> Option<T> {
        let value = self.table.remove(key)?.try_into();
        if value.is_err() {
            self.fault(key, format_args!("must be {kind}"));
        }
        value.ok()
    }

    /// A text that may be missing; a fault when it is empty or too long.
    pub fn text(&mut self, key: &str) -> Option<String> {
        let text: String = self.take(key, "a text")?;
        let faulty = text.trim().is_empty() || text.len() > LONGEST;
        if faulty {
            self.fault(key, format_args!("must have 1 to {LONGEST} bytes"));
        }
        (!faulty).then_some(text)
    }

    /// Notes a fault when a key is missing.
    pub fn require(&mut self, key: &str) {
        if !self.table.contains_key(key) {
            self.fault(key, "is missing");
        }
    }

    /// A text or a list of them; a fault when there is none, or one is empty or too long.
    pub fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let texts = match self.take(key, "a text or a list of texts")? {
            OneOrMany::One(text) => vec![text],
            OneOrMany::Many(texts) => texts,
        };
        let faulty = |text: &String| text.trim().is_empty() || text.len() > LONGEST;
        if texts.is_empty() {
            self.fault(key, "must name at least one");
        } else if texts.iter().any(faulty) {
            self.fault(key, format_args!("must have 1 to {LONGEST} bytes each"));
        } else {
            return Some(texts);
        }
        None
    }

    /// Every fault, those of keys that do not exist last.
    pub fn finish(mut self) -> Vec<String> {
        for key in std::mem::take(&mut self.table).keys() {
            self.fault(key, "there is no such setting");
        }
        self.faults
    }
}
