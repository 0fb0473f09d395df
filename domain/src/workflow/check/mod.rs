//! Whether a definition may be stored and followed: everything that is wrong with it at once, each
//! fault with its place. Orders cannot leave a broken workflow by themselves, so it never gets in.

mod expiry;
mod graph;
mod parse;
mod rivals;
mod status;
mod transition;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fmt::{self, Display},
};

use serde::Serialize;

pub use parse::{parse, parse_draft};

use super::{Definition, Effect};
use crate::{
    permission::{self, effect_ceiling},
    role::{Role, RoleSet},
};

/// The longest definition, in bytes of its text.
pub const MAX_BYTES: usize = 256 * 1024;
/// The most statuses of one workflow.
pub const MAX_STATUSES: usize = 200;
/// The most transitions of one workflow.
pub const MAX_TRANSITIONS: usize = 1_000;
/// The most faults that are told; nobody reads more, and each quotes from the definition.
const MAX_FAULTS: usize = 200;

const MAX_LABEL: usize = 80;
const MAX_DESCRIPTION: usize = 2_000;

/// Effects that must stand in this order where one row has both, and what goes wrong otherwise.
const ORDERED: [(Effect, Effect, &str); 4] = [
    (Effect::FreezePrices, Effect::OpenInvoice, "the invoice would carry the old prices"),
    (Effect::FreezePrices, Effect::IssueInvoice, "the invoice would carry the old prices"),
    (Effect::TerminateItems, Effect::CancelItems, "active items would count as cancelled"),
    (Effect::RefundPayments, Effect::CancelInvoice, "a paid invoice would not count as refunded"),
];

/// Something wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Fault {
    /// Where: `line 12, column 5`, `status[draft].color`, `transition[3].to` (counted from 0).
    pub place: String,
    /// What is wrong, and what would be right where that is not plain.
    pub message: String,
}

impl Fault {
    /// The same fault as seen from outside a definition that is one of several.
    pub fn within(self, code: &str) -> Fault {
        Fault { place: format!("{code}: {}", self.place), ..self }
    }
}

/// Everything that is wrong with a definition; nothing if it is sound.
pub fn check(definition: &Definition) -> Vec<Fault> {
    let mut faults = Faults::default();
    sizes(definition, &mut faults);
    if faults.found.is_empty() {
        head(definition, &mut faults);
        status::check(definition, &mut faults);
        transition::check(definition, &mut faults);
        expiry::check(definition, &mut faults);
        rivals::check(definition, &mut faults);
        graph::check(definition, &mut faults);
    }
    faults.told()
}

/// Before anything else, for the other checks take time that grows with the size.
fn sizes(definition: &Definition, faults: &mut Faults) {
    let (statuses, transitions) = (definition.statuses.len(), definition.transitions.len());
    if statuses > MAX_STATUSES {
        faults.add("status", format!("{statuses} statuses; at most {MAX_STATUSES} are allowed"));
    }
    if transitions > MAX_TRANSITIONS {
        faults.add("transition", format!("{transitions} transitions; at most {MAX_TRANSITIONS} are allowed"));
    }
}

fn head(definition: &Definition, faults: &mut Faults) {
    faults.code("code", &definition.code);
    faults.text("label", &definition.label, MAX_LABEL);
    if !definition.description.is_empty() {
        faults.text("description", &definition.description, MAX_DESCRIPTION);
    }
    for (place, number) in [("version", definition.version), ("revision", definition.revision)] {
        if !(1..=i32::MAX as u32).contains(&number) {
            faults.add(place, "a whole number from 1 to 2147483647 is needed");
        }
    }
    faults.effects("on_create", &definition.on_create);
    // Placing an order is no row with a `by`: whoever buys does it, so whoever buys must be allowed.
    for effect in &definition.on_create {
        if !permission::BUYING.within(effect_ceiling(*effect)) {
            let message = format!("`{}` is beyond those who place orders", effect.name());
            faults.add("on_create", message);
        }
    }
}

/// The faults found so far.
#[derive(Default)]
struct Faults {
    found: Vec<Fault>,
    untold: usize,
}

impl Faults {
    fn add(&mut self, place: impl Display, message: impl Into<String>) {
        if self.found.len() < MAX_FAULTS {
            self.found.push(Fault { place: place.to_string(), message: message.into() });
        } else {
            self.untold += 1;
        }
    }

    /// A code: what URLs, columns and diagrams can carry unquoted.
    fn code(&mut self, place: impl Display, code: &str) {
        let first = code.starts_with(|c: char| c.is_ascii_lowercase());
        let rest = code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !first || !rest || code.len() > 40 {
            let rule = "begins with a-z, goes on with a-z, 0-9 and _, and has at most 40 characters";
            self.add(place, format!("{} is no code: one {rule}", quoted(code)));
        }
    }

    /// A text for people.
    fn text(&mut self, place: impl Display, text: &str, most: usize) {
        let length = text.chars().count();
        if length == 0 || length > most {
            self.add(place, format!("from 1 to {most} characters are needed, these are {length}"));
        } else if text.trim() != text || text.chars().any(char::is_control) {
            self.add(place, "control characters, and blanks at either end, are not allowed");
        }
    }

    /// A list that names nothing twice.
    fn distinct<'a>(&mut self, place: impl Display, names: impl IntoIterator<Item = &'a str>) {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name) {
                self.add(&place, format!("{} stands there twice", quoted(name)));
            }
        }
    }

    /// Effects of one row: none twice, and each where it does what it says.
    fn effects(&mut self, place: impl Display, effects: &[Effect]) {
        self.distinct(&place, effects.iter().map(|effect| effect.name()));
        let position = |effect| effects.iter().position(|other| *other == effect);
        for (first, then, why) in ORDERED {
            if let (Some(a), Some(b)) = (position(first), position(then))
                && a > b
            {
                let message = format!("`{}` must stand before `{}`, else {why}", first.name(), then.name());
                self.add(&place, message);
            }
        }
    }

    fn told(mut self) -> Vec<Fault> {
        if self.untold > 0 {
            let message = format!("{} more faults are not listed", self.untold);
            self.found.push(Fault { place: "definition".to_owned(), message });
        }
        self.found
    }
}

/// Where a row stands in the file, counted from 0.
#[derive(Clone, Copy)]
struct Row(usize);

impl Row {
    fn field(self, name: &str) -> String {
        format!("{self}.{name}")
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transition[{}]", self.0)
    }
}

/// Everybody whom a row lets through: an administrator may whatever staff may.
fn admitted(by: RoleSet) -> RoleSet {
    if by.has(Role::Staff) { by.union(RoleSet::of(&[Role::Admin])) } else { by }
}

fn names(roles: RoleSet) -> String {
    roles.iter().map(Role::name).collect::<Vec<_>>().join(", ")
}

/// The place of a status.
fn of_status(code: &str) -> String {
    format!("status[{}]", short(code))
}

/// A piece of the definition inside a message.
fn quoted(text: &str) -> String {
    format!("`{}`", short(text))
}

/// A text, cut where it gets long.
fn short(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
