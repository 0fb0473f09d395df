//! What saving a definition does to a workflow: nothing, another revision of its version, or another version.
//! Nobody chooses: the two definitions are compared.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Definition, Fault, changed_rules};
use crate::refusal::Refusal;

/// The most versions of one workflow; each is kept for the orders that follow it.
pub const MAX_VERSIONS: u32 = 1_000;

/// A version and a revision, as far as somebody told them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Numbers {
    /// The version.
    pub version: Option<u32>,
    /// The revision.
    pub revision: Option<u32>,
}

/// A definition that somebody wants saved. It has no faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The definition.
    pub definition: Definition,
    /// The numbers that its text tells.
    pub stated: Numbers,
}

/// What a save comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is so already.
    Nothing,
    /// Something was added, or reads otherwise: all orders of the version see it at once.
    Revision,
    /// A rule was removed or changed, or the workflow is new: orders keep the version they have.
    Version,
}

/// A definition as it is to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revised {
    /// With the version and revision that it now has.
    pub definition: Definition,
    /// What became of the workflow.
    pub change: Change,
    /// Which rules were removed or changed, each at its place.
    pub changed: Vec<Fault>,
}

/// Decides what a save does to the newest version of a workflow; none is there for a new one. `in_use` says how
/// many orders of that version stand in each status that the draft lacks.
///
/// # Errors
/// WORKFLOW_CONFLICT when the workflow has moved on from what was `expected` or stated; INVALID_DEFINITION when
/// the text claims a version that it cannot have; NOT_FOUND when something is expected of a new workflow.
pub fn revise(
    current: Option<&Definition>,
    draft: Draft,
    expected: Numbers,
    in_use: &BTreeMap<String, i64>,
) -> Result<Revised, Refusal> {
    let Draft { mut definition, stated } = draft;
    let Some(current) = current else {
        if expected != Numbers::default() {
            return Err(Refusal::NotFound { what: "workflow" });
        }
        within_bounds(&definition)?;
        return Ok(Revised { definition, change: Change::Version, changed: Vec::new() });
    };
    let moved_on = Refusal::WorkflowConflict { version: current.version, revision: current.revision };
    if !expected.fit(current) {
        return Err(moved_on);
    }
    let changed = changed_rules(current, &definition);
    (definition.version, definition.revision) = (current.version, current.revision);
    let change = match (changed.is_empty(), definition == *current) {
        (true, true) => Change::Nothing,
        (true, false) => Change::Revision,
        (false, _) => Change::Version,
    };
    match change {
        Change::Nothing => {}
        Change::Revision => definition.revision = definition.revision.saturating_add(1),
        Change::Version => (definition.version, definition.revision) = (current.version + 1, 1),
    }
    within_bounds(&definition)?;
    if change == Change::Version && stated.version == Some(current.version) && stated.fit(current) {
        return Err(Refusal::InvalidDefinition { faults: same_version(current, changed, in_use) });
    }
    match stated.fit(current) || stated.fit(&definition) {
        true => Ok(Revised { definition, change, changed }),
        false if stated.version > Some(current.version) => Err(not_so_new(&definition)),
        false => Err(moved_on),
    }
}

impl Numbers {
    /// Whether they are a definition's, as far as they were told.
    fn fit(self, definition: &Definition) -> bool {
        self.version.is_none_or(|version| version == definition.version)
            && self.revision.is_none_or(|revision| revision == definition.revision)
    }
}

fn invalid(place: &str, message: String) -> Refusal {
    Refusal::InvalidDefinition { faults: vec![Fault { place: place.to_owned(), message }] }
}

/// Numbers that the database can hold, and versions that a process can.
fn within_bounds(definition: &Definition) -> Result<(), Refusal> {
    if definition.version > MAX_VERSIONS {
        return Err(invalid("version", format!("at most {MAX_VERSIONS} versions are kept")));
    }
    if definition.revision > i32::MAX as u32 {
        return Err(invalid("revision", "there are no further revisions: change a rule".to_owned()));
    }
    Ok(())
}

/// What keeps a text that names the present version from being saved in it.
fn same_version(current: &Definition, changed: Vec<Fault>, in_use: &BTreeMap<String, i64>) -> Vec<Fault> {
    let (version, next) = (current.version, current.version + 1);
    let used = |fault: Fault| {
        let orders = in_use.iter().find(|(code, _)| fault.place == format!("status[{code}]"));
        let Some((_, orders)) = orders.filter(|(_, orders)| **orders > 0) else { return fault };
        let message = format!(
            "is removed, but {orders} orders of version {version} stand in it: leave it in with `retired = true`, \
             or save version {next} and move them with workflowMigrateOrders"
        );
        Fault { message, ..fault }
    };
    let message = format!(
        "rules are removed or changed, so this is version {next}: write so, or leave version and revision out; \
         orders of version {version} keep their rules"
    );
    let mut faults = vec![Fault { place: "version".to_owned(), message }];
    faults.extend(changed.into_iter().map(used));
    faults
}

fn not_so_new(definition: &Definition) -> Refusal {
    let Definition { version, revision, .. } = definition;
    let message = format!(
        "no rule is removed or changed, so this is version {version}, revision {revision}: write so, or leave both out"
    );
    invalid("version", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::builtin;

    /// The delivery workflow at version 2, revision 3.
    fn current() -> Definition {
        let delivery =
            builtin().unwrap().into_iter().find(|definition| definition.code == "delivery").unwrap();
        Definition { version: 2, revision: 3, ..delivery }
    }

    fn save(
        change: impl FnOnce(&mut Definition),
        stated: (Option<u32>, Option<u32>),
    ) -> Result<Revised, Refusal> {
        let current = current();
        let mut definition = current.clone();
        (definition.version, definition.revision) = (stated.0.unwrap_or(1), stated.1.unwrap_or(1));
        change(&mut definition);
        let (version, revision) = stated;
        let draft = Draft { definition, stated: Numbers { version, revision } };
        let in_use = BTreeMap::from([("failed".to_owned(), 12)]);
        revise(Some(&current), draft, Numbers::default(), &in_use)
    }

    fn came_to(saved: Result<Revised, Refusal>) -> (Change, u32, u32) {
        let saved = saved.unwrap();
        (saved.change, saved.definition.version, saved.definition.revision)
    }

    fn renamed(definition: &mut Definition) {
        definition.label = "Parcels".to_owned();
    }

    fn without_failed(definition: &mut Definition) {
        definition.statuses.retain(|status| status.code != "failed");
    }

    #[test]
    fn the_two_definitions_say_what_a_save_is() {
        assert_eq!(came_to(save(|_| (), (None, None))), (Change::Nothing, 2, 3));
        assert_eq!(came_to(save(renamed, (None, None))), (Change::Revision, 2, 4));
        let saved = save(without_failed, (None, None)).unwrap();
        assert_eq!(saved.changed[0].to_string(), "status[failed]: is removed");
        assert_eq!(came_to(Ok(saved)), (Change::Version, 3, 1));
    }

    #[test]
    fn numbers_in_the_text_are_those_it_was_made_from_or_comes_to() {
        assert_eq!(came_to(save(|_| (), (Some(2), Some(3)))), (Change::Nothing, 2, 3));
        assert_eq!(came_to(save(renamed, (Some(2), Some(3)))), (Change::Revision, 2, 4));
        assert_eq!(came_to(save(renamed, (Some(2), Some(4)))), (Change::Revision, 2, 4));
        assert_eq!(came_to(save(without_failed, (Some(3), None))), (Change::Version, 3, 1));
        assert_eq!(came_to(save(without_failed, (Some(3), Some(1)))), (Change::Version, 3, 1));
        for stale in [(Some(2), Some(2)), (Some(1), None), (None, Some(9))] {
            let conflict = Refusal::WorkflowConflict { version: 2, revision: 3 };
            assert_eq!(save(renamed, stale), Err(conflict), "{stale:?}");
        }
    }

    #[test]
    fn a_change_of_rules_never_passes_for_the_version_it_changes() {
        let Err(Refusal::InvalidDefinition { faults }) = save(without_failed, (Some(2), Some(3))) else {
            panic!("it is refused")
        };
        assert_eq!(faults[0].place, "version");
        assert!(faults[0].message.contains("so this is version 3"), "{faults:?}");
        assert_eq!(faults[1].place, "status[failed]");
        assert!(faults[1].message.contains("12 orders of version 2"), "{faults:?}");
        assert!(faults[1].message.contains("workflowMigrateOrders"), "{faults:?}");
        let Err(Refusal::InvalidDefinition { faults }) = save(renamed, (Some(3), Some(1))) else {
            panic!("it is refused")
        };
        assert!(faults[0].message.contains("version 2, revision 4"), "{faults:?}");
    }

    #[test]
    fn a_new_workflow_keeps_its_numbers_and_nothing_can_be_expected_of_it() {
        let draft = || Draft { definition: current(), stated: Numbers::default() };
        let none = BTreeMap::new();
        assert_eq!(came_to(revise(None, draft(), Numbers::default(), &none)), (Change::Version, 2, 3));
        let expected = Numbers { version: Some(1), revision: None };
        assert_eq!(revise(None, draft(), expected, &none), Err(Refusal::NotFound { what: "workflow" }));
        let many =
            Draft { definition: Definition { version: 1_001, ..current() }, stated: Numbers::default() };
        assert_eq!(revise(None, many, Numbers::default(), &none).unwrap_err().code(), "INVALID_DEFINITION");
    }
}
