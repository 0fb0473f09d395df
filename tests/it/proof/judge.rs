//! Reads answers for markers: nobody may be told one that is not for them, and everybody must have been
//! told theirs in the end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::{
    expectation::FROM_THE_START,
    world::{Marker, Viewer, World},
};
use domain::role::Role;

/// Who found what.
#[derive(Debug, Default)]
pub struct Judge {
    /// Markers by their text, as places in [`World::markers`].
    known: HashMap<String, usize>,
    /// Places of markers, by viewer.
    found: BTreeMap<&'static str, BTreeSet<usize>>,
    /// Ids, by viewer.
    ids: BTreeMap<&'static str, BTreeSet<String>>,
    /// What was told to somebody whom it does not concern: once for each place, with the first example.
    pub faults: BTreeMap<String, String>,
}

/// Somebody, or nobody.
#[derive(Clone, Copy, Debug)]
pub struct Onlooker<'a> {
    pub name: &'static str,
    pub viewer: Option<&'a Viewer>,
}

/// What was said before an answer.
struct Said<'a> {
    document: &'a str,
    variables: String,
    when: When,
}

/// Under which circumstances something was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// When everything stood still.
    Asked,
    /// While orders were written: nobody had them yet when they began.
    Live,
}

impl Judge {
    /// Begins anew: who has found what is forgotten.
    pub fn new(world: &World) -> Judge {
        let known = world.markers.iter().enumerate().map(|(at, marker)| (marker.text.clone(), at)).collect();
        Judge { known, ..Judge::default() }
    }

    /// Learns the markers that have been added.
    pub fn learn(&mut self, world: &World) {
        self.known = Judge::new(world).known;
    }

    /// Reads what somebody was answered. What was sent as a value may be said back.
    pub fn read(
        &mut self,
        world: &World,
        who: Onlooker<'_>,
        sent: (&str, &Value),
        answer: &Value,
        when: When,
    ) {
        let (document, variables) = sent;
        let said = Said { document, variables: variables.to_string(), when };
        self.search(world, who, &said, answer, &mut Vec::new());
    }

    fn search(
        &mut self,
        world: &World,
        who: Onlooker<'_>,
        said: &Said<'_>,
        value: &Value,
        path: &mut Vec<String>,
    ) {
        match value {
            Value::String(text) => self.judge(world, who, said, text, path),
            Value::Array(values) => {
                for (at, value) in values.iter().enumerate() {
                    path.push(at.to_string());
                    self.search(world, who, said, value, path);
                    path.pop();
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    path.push(name.clone());
                    self.search(world, who, said, value, path);
                    path.pop();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn judge(&mut self, world: &World, who: Onlooker<'_>, said: &Said<'_>, text: &str, path: &[String]) {
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        for word in text.split(|c| !inside(c)).filter(|word| !word.is_empty()) {
            let known = self.known.get(word).copied();
            if (known.is_none() && !is_id(word)) || said.variables.contains(word) {
                continue;
            }
            if is_id(word) {
                self.ids.entry(who.name).or_default().insert(word.to_owned());
            }
            let Some(at) = known else { continue };
            let marker = &world.markers[at];
            let fine = who.viewer.is_some_and(|viewer| {
                let unclaimed = said.when == When::Live && viewer.role == Role::Csr;
                let early = unclaimed && FROM_THE_START.contains(&marker.kind);
                early || world.finds(viewer, marker)
            });
            if !fine {
                let steps = path.iter().filter(|step| step.parse::<usize>().is_err());
                let place = steps.map(String::as_str).collect::<Vec<_>>().join(".");
                let (name, Marker { kind, owner, .. }) = (who.name, marker);
                let what = format!("{name} was told {kind:?} at {place}");
                let Said { document, variables, .. } = said;
                let example = format!("{word} of {owner:?}, by {document} with {variables}");
                self.faults.entry(what).or_insert(example);
            }
            if fine {
                self.found.entry(who.name).or_default().insert(at);
            }
        }
    }

    /// The ids that somebody has come across.
    pub fn ids(&self, name: &str) -> BTreeSet<String> {
        self.ids.get(name).cloned().unwrap_or_default()
    }

    /// Every id that anybody has come across.
    pub fn all_ids(&self) -> BTreeSet<String> {
        self.ids.values().flatten().cloned().collect()
    }

    /// Fails where somebody has not found what is for them, of the markers that `asked` accepts.
    pub fn expect_found(&self, world: &World, what: &str, asked: impl Fn(&Viewer, usize) -> bool) -> usize {
        let mut lost = Vec::new();
        let mut count = 0;
        for viewer in &world.viewers {
            let found = self.found.get(viewer.name);
            for (at, marker) in world.markers.iter().enumerate() {
                if !asked(viewer, at) || !world.finds(viewer, marker) {
                    continue;
                }
                count += 1;
                if !found.is_some_and(|found| found.contains(&at)) {
                    lost.push(format!("{} did not find {} ({:?})", viewer.name, marker.text, marker.owner));
                }
            }
        }
        let shown: Vec<&String> = lost.iter().take(40).collect();
        assert!(lost.is_empty(), "{what}: {} of {count} are lost, among them {shown:#?}", lost.len());
        count
    }
}

/// Whether a word looks like one of our ids.
pub fn is_id(word: &str) -> bool {
    let Some((prefix, rest)) = word.rsplit_once('_') else { return false };
    rest.len() == 26
        && !prefix.is_empty()
        && prefix.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        && rest.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
}
