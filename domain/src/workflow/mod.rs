//! Workflows as data: what statuses an order can have, who moves it between them, what follows.
//!
//! May use: roles and the permission table. Nothing here decides about an order; see `order`.
//! Never happens here: a definition that [`check`] has faults with is neither stored nor followed.

mod builtin;
mod check;
mod definition;
mod diagram;
mod vocabulary;

pub use builtin::{SOURCES, builtin};
pub use check::{Fault, MAX_BYTES, MAX_STATUSES, MAX_TRANSITIONS, check, parse};
pub use definition::{Definition, Origin, Status, Target, Transition};
pub use diagram::mermaid;
pub use vocabulary::{Bulk, Category, Effect, Guard, Moves, Need};

impl Definition {
    /// The status with this code.
    pub fn status(&self, code: &str) -> Option<&Status> {
        self.statuses.iter().find(|status| status.code == code)
    }

    /// The status in which orders start.
    pub fn initial(&self) -> Option<&Status> {
        self.statuses.iter().find(|status| status.initial)
    }

    /// Whether a row leaves a status.
    fn leaves(&self, row: &Transition, from: &str) -> bool {
        match &row.from {
            Origin::Any => self.status(from).is_some_and(|status| !status.is_final),
            Origin::Statuses(codes) => codes.iter().any(|code| code == from),
        }
    }

    /// The rows of an action from a status, in file order: the first that fits wins.
    pub fn rows<'a>(&'a self, action: &str, from: &str) -> impl Iterator<Item = &'a Transition> {
        self.transitions.iter().filter(move |row| row.action == action && self.leaves(row, from))
    }

    /// The rows that fire by themselves from a status, in file order.
    pub fn auto_rows<'a>(&'a self, from: &str) -> impl Iterator<Item = &'a Transition> {
        self.transitions.iter().filter(move |row| row.auto.is_some() && self.leaves(row, from))
    }

    /// The names of the actions that lead out of a status, in file order. What is for many orders at
    /// once alone is not offered on a single one.
    pub fn actions_from(&self, status: &str) -> Vec<&str> {
        distinct(self.transitions.iter().filter(|row| !row.bulk_only && self.leaves(row, status)))
    }

    /// The names of all actions, in file order.
    pub fn actions(&self) -> Vec<&str> {
        distinct(self.transitions.iter())
    }

    /// The row whose needs and condition also bind those who enter the status by free choice: the
    /// first that leads there by name.
    pub fn demands(&self, to: &str) -> Option<&Transition> {
        self.transitions.iter().find(|row| matches!(&row.to, Target::Status(code) if code == to))
    }
}

fn distinct<'a>(rows: impl Iterator<Item = &'a Transition>) -> Vec<&'a str> {
    let mut names = Vec::new();
    for row in rows {
        if !names.contains(&row.action.as_str()) {
            names.push(row.action.as_str());
        }
    }
    names
}
