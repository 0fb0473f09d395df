//! Every workflow that the installation knows, each version that orders still follow.

use std::{collections::HashMap, sync::Arc};

use crate::{
    order::Filter,
    workflow::{Category, Definition, Status},
};

/// All workflow definitions, by code and version.
#[derive(Clone, Debug, Default)]
pub struct Book {
    versions: HashMap<String, Vec<Arc<Definition>>>,
    codes: Vec<String>,
}

impl Book {
    /// A book of these definitions, in the order in which they are listed to people.
    pub fn new(definitions: impl IntoIterator<Item = impl Into<Arc<Definition>>>) -> Book {
        let mut book = Book::default();
        for definition in definitions.into_iter().map(Into::into) {
            if !book.versions.contains_key(&definition.code) {
                book.codes.push(definition.code.clone());
            }
            let versions = book.versions.entry(definition.code.clone()).or_default();
            versions.push(definition);
            versions.sort_by_key(|definition| definition.version);
        }
        book
    }

    /// The newest version of a workflow, which new orders follow.
    pub fn newest(&self, code: &str) -> Option<&Arc<Definition>> {
        self.versions.get(code)?.last()
    }

    /// The version that an order follows.
    pub fn version(&self, code: &str, version: i32) -> Option<&Arc<Definition>> {
        self.versions.get(code)?.iter().find(|definition| definition.version as i32 == version)
    }

    /// The version that an order follows, if it has the order's status: a revision that this book has not heard of
    /// may have added it.
    pub fn followed(&self, code: &str, version: i32, status: &str) -> Option<&Arc<Definition>> {
        self.version(code, version).filter(|definition| definition.status(status).is_some())
    }

    /// How many workflows there are.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is no workflow at all.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// A status that looks like this to those who see internal statuses or to those who do not, and the newest
    /// version of its workflow that has it.
    pub fn status_seen_as(
        &self,
        workflow: &str,
        code: &str,
        internal: bool,
    ) -> Option<(&Definition, &Status)> {
        self.versions.get(workflow)?.iter().rev().find_map(|definition| {
            let seen =
                |status: &&Status| if internal { status.code == code } else { status.public_code() == code };
            Some((&**definition, definition.statuses.iter().find(seen)?))
        })
    }

    /// The newest version of every workflow.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.codes.iter().filter_map(|code| self.newest(code))
    }

    /// The statuses, as (workflow, code), that a filter reaches for a viewer who sees internal
    /// statuses or not. A status identity is (workflow, code), whatever the version.
    pub fn statuses(&self, filter: &Filter, internal: bool) -> Vec<(&str, &str)> {
        let mut reached = Vec::new();
        for definition in self.codes.iter().filter_map(|code| self.versions.get(code)).flatten() {
            let workflow = definition.code.as_str();
            if filter.workflow.as_ref().is_some_and(|wanted| !wanted.iter().any(|code| code == workflow)) {
                continue;
            }
            for status in &definition.statuses {
                let (seen, category) = match internal {
                    true => (status.code.as_str(), status.category),
                    false => (status.public_code(), definition.face(status).category),
                };
                let wanted =
                    filter.status.as_ref().is_none_or(|wanted| wanted.iter().any(|code| code == seen))
                        && filter.category.as_ref().is_none_or(|wanted| wanted.contains(&category))
                        && (status.category != Category::Archived || filter.names_archived(internal));
                let identity = (workflow, status.code.as_str());
                if wanted && !reached.contains(&identity) {
                    reached.push(identity);
                }
            }
        }
        reached
    }
}
