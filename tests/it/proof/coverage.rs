//! What of the schema was visited: fields that were answered with something, arguments, input fields and
//! enum values that were sent.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    sdl::{Kind, Sdl},
    tree::Branch,
};

/// Coordinates of the schema: `Type.field`, `Type.field(argument:)`, `Input.field`, `Enum.VALUE`.
#[derive(Debug, Default)]
pub struct Coverage {
    visited: BTreeSet<String>,
}

/// What cannot be reached by design, and why. An entry that is reached after all fails the test.
const UNREACHABLE: [(&str, &str); 12] = [
    ("AttemptClaimed.path", "about the whole order"),
    ("GuardFailed.path", "a condition is about the whole order, and the path empty"),
    ("IllegalTransition.path", "about the whole order"),
    ("InvalidCredentials.path", "which of the two is wrong is not told"),
    ("LeaseLost.path", "about the whole attempt"),
    ("LoginElsewhere.code", "of servers that verify somebody else's tokens; `session.rs` has one"),
    ("LoginElsewhere.message", "of servers that verify somebody else's tokens"),
    ("LoginElsewhere.path", "about the whole server"),
    ("NotPermitted.path", "about the whole order"),
    ("SessionEnded.path", "there is one place only"),
    ("VersionConflict.path", "about the whole order"),
    ("WorkflowConflict.path", "about the whole workflow"),
];

impl Coverage {
    /// Notes something that was sent.
    pub fn sent(&mut self, coordinates: &BTreeSet<String>) {
        self.visited.extend(coordinates.iter().cloned());
    }

    /// Notes what was answered of a field's value.
    pub fn answered(&mut self, sdl: &Sdl, branch: &Branch, value: &Value) {
        if value.is_null() || value.as_array().is_some_and(Vec::is_empty) {
            return;
        }
        self.visited.insert(branch.coordinate());
        self.enum_values(sdl, branch, value);
        for element in elements(value) {
            let kind = element["__typename"].as_str();
            for child in &branch.children {
                if !child.fragment || kind == Some(child.parent.as_str()) {
                    self.answered(sdl, child, &element[&child.key]);
                }
            }
        }
    }

    fn enum_values(&mut self, sdl: &Sdl, branch: &Branch, value: &Value) {
        let name = &branch.field.ty.name;
        if sdl.get(name).kind == Kind::Enum {
            let values = elements(value).into_iter().filter_map(Value::as_str);
            self.visited.extend(values.map(|value| format!("{name}.{value}")));
        }
    }

    /// Prints how much was visited, and fails where something was not.
    pub fn expect_complete(&self, sdl: &Sdl) {
        let mut missing = Vec::new();
        let mut lines = Vec::new();
        for (what, all) in every_coordinate(sdl) {
            let excused = |it: &String| UNREACHABLE.iter().any(|(coordinate, _)| it == coordinate);
            let (visited, rest): (Vec<&String>, Vec<&String>) =
                all.iter().partition(|it| self.visited.contains(*it));
            let stale: Vec<_> = visited.iter().filter(|it| excused(it)).collect();
            assert!(stale.is_empty(), "reached after all; take it off the list: {stale:?}");
            let excuses = rest.iter().filter(|it| excused(it)).count();
            lines.push(format!("{what} {}/{}", visited.len(), all.len() - excuses));
            missing.extend(rest.into_iter().filter(|it| !excused(it)).cloned());
        }
        println!("{}", lines.join(", "));
        assert!(missing.is_empty(), "not visited: {missing:#?}");
    }
}

fn elements(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().flat_map(elements).collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// Every coordinate that the schema has, by what it is. Enum values that are only answered are not asked
/// for: which of them are in use is the workflows' matter.
fn every_coordinate(sdl: &Sdl) -> [(&'static str, BTreeSet<String>); 4] {
    let [mut fields, mut arguments, mut inputs, mut values] = [const { BTreeSet::new() }; 4];
    let mut sent = BTreeSet::new();
    for (name, ty) in &sdl.types {
        for field in &ty.fields {
            fields.insert(format!("{name}.{}", field.name));
            for argument in &field.arguments {
                arguments.insert(format!("{name}.{}({}:)", field.name, argument.name));
                sent.insert(argument.ty.name.as_str());
            }
        }
        for input in &ty.inputs {
            inputs.insert(format!("{name}.{}", input.name));
            sent.insert(input.ty.name.as_str());
        }
    }
    for (name, ty) in sdl.types.iter().filter(|(name, _)| sent.contains(name.as_str())) {
        values.extend(ty.values.iter().map(|value| format!("{name}.{value}")));
    }
    [("fields", fields), ("arguments", arguments), ("input fields", inputs), ("enum values", values)]
}
