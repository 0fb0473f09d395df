//! A workflow: its statuses, the transitions between them, and how they are looked up.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    transition::{Origin, Target, Transition},
    vocabulary::{Category, Effect, Moves},
};

/// One version of a workflow, as its file has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// What products name it by.
    pub code: String,
    /// Grows when a rule is removed or changed; orders keep the version they were placed under.
    #[serde(default = "one")]
    pub version: u32,
    /// Grows when something is added; all orders of the version see it at once.
    #[serde(default = "one")]
    pub revision: u32,
    /// Its name for people.
    pub label: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether orders move along named actions alone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub moves: Moves,
    /// What happens when an order is placed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_create: Vec<Effect>,
    /// The statuses, in the order in which lists show them.
    #[serde(rename = "status", default)]
    pub statuses: Vec<Status>,
    /// The transitions; of several that fit, the first wins.
    #[serde(rename = "transition", default)]
    pub transitions: Vec<Transition>,
}

/// A status that an order can have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// Its name in the workflow; (workflow, code) is its identity.
    pub code: String,
    /// Its name for people.
    pub label: String,
    /// What it means.
    pub category: Category,
    /// Its colour, `#rrggbb`.
    pub color: String,
    /// Whether orders begin here; exactly one does.
    #[serde(default, skip_serializing_if = "is_default")]
    pub initial: bool,
    /// Whether nothing leads on from here. Data, not a property of the category: a failed order may
    /// well be retried.
    #[serde(default, skip_serializing_if = "is_default")]
    pub is_final: bool,
    /// Whether lines, addresses and notes of the order can still be changed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub editable: bool,
    /// After how many minutes an order in this status counts as stalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalls_after_min: Option<u32>,
    /// What buyers see instead of the code. Statuses with one public code look the same to them, and
    /// moves between them are invisible to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_code: Option<String>,
    /// What buyers see instead of the label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_label: Option<String>,
    /// Whether no order gets here any more. Those that are here keep their label and their ways out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retired: bool,
    /// What the system does with an order that has been in this status for long enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Expires>,
}

/// How a status runs out: as any expiry, only while the operator's settings let orders expire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expires {
    /// After how many minutes in the status.
    pub after_min: u32,
    /// The action that the system then takes.
    pub action: String,
}

impl Definition {
    /// The status with this code.
    pub fn status(&self, code: &str) -> Option<&Status> {
        self.statuses.iter().find(|status| status.code == code)
    }

    /// The status that orders begin in; a definition without faults has one.
    pub fn initial(&self) -> Option<&Status> {
        self.statuses.iter().find(|status| status.initial)
    }

    /// The status that buyers take this one for. They see its colour, category and finality, lest
    /// those tell apart what the public code makes look the same.
    pub fn face<'d>(&'d self, status: &'d Status) -> &'d Status {
        let public = status.public_code();
        let alike = || self.statuses.iter().filter(|other| other.public_code() == public);
        alike().find(|other| other.code == public).or_else(|| alike().next()).unwrap_or(status)
    }

    /// The action that buyers take a move for: its own, or, where the status it leads to has another
    /// one's face, the first that leads there, lest the name tell what the public code keeps quiet.
    pub fn public_action<'d>(&'d self, action: &'d str, from: &str, to: &str) -> Option<&'d str> {
        let face = self.status(to).map(|status| self.face(status)).filter(|face| face.code != to);
        let Some(face) = face else { return Some(action) };
        let leads_there = |row: &&Transition| match &row.to {
            Target::Status(code) => *code == face.code,
            Target::FailedStage | Target::Chosen => row.action == action,
            Target::Gone => false,
        };
        let mut rows = self.transitions.iter().filter(|row| self.starts(row, from));
        rows.find(leads_there).map(|row| row.action.as_str())
    }

    /// Whether the row can be taken from this status: it starts there, and is not closed.
    pub fn leaves(&self, row: &Transition, from: &str) -> bool {
        self.starts(row, from) && !self.is_closed(row)
    }

    /// Whether the row leads to a retired status: it stays in the file, and nobody takes it any more.
    pub fn is_closed(&self, row: &Transition) -> bool {
        matches!(&row.to, Target::Status(code) if self.status(code).is_some_and(|status| status.retired))
    }

    /// Whether the row starts from this status, by its `from` alone.
    fn starts(&self, row: &Transition, from: &str) -> bool {
        match &row.from {
            Origin::Any => self.status(from).is_some_and(|status| !status.is_final),
            Origin::Statuses(codes) => codes.iter().any(|code| code == from),
        }
    }

    /// The rows of an action from a status, in the order in which they are tried.
    pub fn rows<'d>(&'d self, action: &str, from: &str) -> impl Iterator<Item = &'d Transition> {
        self.transitions.iter().filter(move |row| row.action == action && self.leaves(row, from))
    }

    /// The rows from a status that fire by themselves, in the order in which they are tried.
    pub fn auto_rows<'d>(&'d self, from: &str) -> impl Iterator<Item = &'d Transition> {
        self.transitions.iter().filter(move |row| row.auto.is_some() && self.leaves(row, from))
    }

    /// The actions that some row offers from a status, in file order.
    pub fn actions_from<'d>(&'d self, from: &str) -> Vec<&'d str> {
        distinct(self.transitions.iter().filter(|row| self.leaves(row, from)))
    }

    /// Every action, in file order.
    pub fn actions(&self) -> Vec<&str> {
        distinct(self.transitions.iter())
    }

    /// What a free move into a status has to satisfy: the first named row that leads there. Nothing
    /// where moves are strict: what leads to a chosen status there is an exception on purpose.
    pub fn demands(&self, to: &str) -> Option<&Transition> {
        let leads_there = |row: &&Transition| matches!(&row.to, Target::Status(code) if code == to);
        self.transitions.iter().find(leads_there).filter(|_| self.moves == Moves::Free)
    }

    /// The definition as text, from which [`super::parse`] reads the same.
    ///
    /// # Errors
    /// None for a definition without faults: TOML can write all that it can hold.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// The codes of the statuses that a row starts from.
    pub fn origins<'d>(&'d self, row: &'d Transition) -> Vec<&'d str> {
        match &row.from {
            Origin::Any => {
                let open = self.statuses.iter().filter(|status| !status.is_final);
                open.map(|status| status.code.as_str()).collect()
            }
            Origin::Statuses(codes) => codes.iter().map(String::as_str).collect(),
        }
    }

    /// The codes of the statuses in which an attempt can fail: where `@failed_stage` leads.
    pub fn stages(&self) -> Vec<&str> {
        let failing = self.transitions.iter().filter(|row| row.effects.contains(&Effect::CloseAttemptFailed));
        let origins: BTreeSet<&str> = failing.flat_map(|row| self.origins(row)).collect();
        let codes = self.statuses.iter().map(|status| status.code.as_str());
        codes.filter(|code| origins.contains(code)).collect()
    }
}

impl Status {
    /// The code as buyers see it.
    pub fn public_code(&self) -> &str {
        self.public_code.as_deref().unwrap_or(&self.code)
    }

    /// The label as buyers see it.
    pub fn public_label(&self) -> &str {
        self.public_label.as_deref().unwrap_or(&self.label)
    }
}

fn one() -> u32 {
    1
}

/// Whether a value need not be written out.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn distinct<'d>(rows: impl Iterator<Item = &'d Transition>) -> Vec<&'d str> {
    let mut actions = Vec::new();
    for row in rows {
        if !actions.contains(&row.action.as_str()) {
            actions.push(row.action.as_str());
        }
    }
    actions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::{Guard, Need, builtin};

    fn shipped(code: &str) -> Definition {
        builtin().unwrap().into_iter().find(|definition| definition.code == code).unwrap()
    }

    #[test]
    fn a_definition_survives_being_written_and_read_again() {
        for definition in builtin().unwrap() {
            let text = definition.to_toml().unwrap();
            assert_eq!(crate::workflow::parse(&text).unwrap(), definition, "{text}");
        }
    }

    #[test]
    fn rows_of_one_action_come_in_file_order() {
        let marketplace = shipped("marketplace");
        let to: Vec<_> = marketplace.rows("approve", "pending_consumer").map(|row| row.to.name()).collect();
        assert_eq!(to, ["executing", "pending_provider"]);
        assert_eq!(marketplace.rows("approve", "pending_provider").count(), 1);
        assert_eq!(marketplace.rows("approve", "done").count(), 0);
        assert_eq!(marketplace.auto_rows("pending_consumer").count(), 2);
        assert_eq!(marketplace.actions_from("pending_consumer"), ["approve", "reject", "cancel"]);
        assert_eq!(marketplace.initial().unwrap().code, "pending_consumer");
    }

    #[test]
    fn any_leaves_every_status_that_is_not_final() {
        let mut delivery = shipped("delivery");
        assert_eq!(delivery.rows("set_status", "delivered").count(), 1);
        assert_eq!(delivery.rows("set_status", "unheard_of").count(), 0);
        for status in delivery.statuses.iter_mut().filter(|status| status.code == "delivered") {
            status.is_final = true;
        }
        assert_eq!(delivery.rows("set_status", "delivered").count(), 0);
    }

    #[test]
    fn a_free_move_demands_what_the_named_action_demands() {
        let delivery = shipped("delivery");
        assert_eq!(delivery.demands("cancelled").unwrap().needs, [Need::Reason]);
        assert_eq!(delivery.demands("in_transit").unwrap().when, Some(Guard::AgentAssigned));
        assert_eq!(delivery.demands("pending"), None);
        assert_eq!(shipped("hosting").demands("fraud"), None);
    }

    #[test]
    fn buyers_see_one_face_for_statuses_that_look_the_same() {
        let hosting = shipped("hosting");
        let face = hosting.face(hosting.status("fraud").unwrap());
        assert_eq!((face.code.as_str(), face.color.as_str()), ("cancelled", "#9ca3af"));
        let cloud = shipped("cloud");
        assert_eq!(cloud.face(cloud.status("provisioning").unwrap()).code, "validating");
        assert_eq!(cloud.face(cloud.status("draft").unwrap()).code, "draft");
    }

    #[test]
    fn nobody_takes_a_row_that_leads_to_a_retired_status() {
        let mut delivery = shipped("delivery");
        for status in delivery.statuses.iter_mut().filter(|status| status.code == "failed") {
            status.retired = true;
        }
        assert_eq!(delivery.rows("fail", "in_transit").count(), 0);
        assert!(!delivery.actions_from("in_transit").contains(&"fail"));
        assert_eq!(delivery.rows("cancel", "failed").count(), 1, "what is there has its ways out");
        assert_eq!(delivery.public_action("fail", "in_transit", "failed"), Some("fail"), "history stays");
    }

    #[test]
    fn attempts_fail_in_the_statuses_that_a_failing_row_leaves() {
        assert_eq!(shipped("cloud").stages(), ["validating", "provisioning"]);
        assert!(shipped("commerce").stages().is_empty());
    }
}
