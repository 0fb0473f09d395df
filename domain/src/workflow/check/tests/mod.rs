//! One sound definition, and what each way of breaking it is answered with.

use super::{Fault, MAX_BYTES, MAX_FAULTS, MAX_STATUSES, MAX_TRANSITIONS, check, parse};
use crate::workflow::{Definition, Origin};

const SOUND: &str = include_str!("sound.toml");

/// A row or status appended to [`SOUND`].
const DROP: &str = r##"
[[transition]]
action = "drop"
label = "Drop"
from = ["doing"]
to = "done"
by = ["staff"]
"##;
const REMOVE: &str = r##"
[[transition]]
action = "remove"
label = "Remove"
from = ["broken"]
to = "@gone"
by = ["admin"]
needs = ["number"]
"##;
const CHOOSE: &str = r##"
[[transition]]
action = "set"
label = "Set"
from = "*"
to = "@chosen"
by = ["staff"]
bulk = "yes"
bulk_only = true
"##;
const PAUSED: &str = r##"
[[status]]
code = "paused"
label = "Paused"
category = "PENDING"
color = "#d97706"
[[transition]]
action = "pause"
label = "Pause"
from = ["doing"]
to = "paused"
by = ["staff", "system"]
auto = "nothing_active"
[[transition]]
action = "resume"
label = "Resume"
from = ["paused"]
to = "doing"
by = ["staff", "system"]
"##;

fn sound() -> Definition {
    parse(SOUND).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn faults(text: &str) -> Vec<String> {
    parse(text).err().unwrap_or_default().iter().map(Fault::to_string).collect()
}

fn changed(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "the sound definition has no {old}");
    text.replacen(old, new, 1)
}

/// The change is answered with this fault, and with no other.
fn answered(text: &str, expected: &str) {
    let found = faults(text);
    assert!(found.len() == 1 && found[0].starts_with(expected), "expected {expected}\nfound {found:#?}");
}

macro_rules! refused {
    ($($sentence:ident: $base:expr, $old:literal => $new:literal, $expected:literal;)*) => {
        $(#[test] fn $sentence() { answered(&changed(&$base, $old, $new), $expected); })*
    };
}

mod expiry;
mod reading;
mod single;
mod statuses;
mod whole;

/// Appended to, so that a case changes what it is about alone.
fn sound_and(more: &str) -> String {
    SOUND.to_owned() + more
}

#[test]
fn sound_definitions_have_no_faults() {
    for more in ["", DROP, REMOVE, CHOOSE, PAUSED] {
        assert_eq!(faults(&sound_and(more)), Vec::<String>::new(), "{more}");
    }
}

#[test]
fn a_definition_of_more_than_256_kib_is_refused_unread() {
    answered(&"#".repeat(MAX_BYTES + 1), "definition: 262145 bytes");
}

#[test]
fn more_statuses_or_transitions_than_allowed_are_refused() {
    let mut definition = sound();
    let (status, row) = (definition.statuses[1].clone(), definition.transitions[4].clone());
    definition.statuses = vec![status; MAX_STATUSES + 1];
    definition.transitions = vec![row; MAX_TRANSITIONS + 1];
    let places: Vec<_> = check(&definition).into_iter().map(|fault| fault.to_string()).collect();
    assert_eq!(
        places,
        [
            "status: 201 statuses; at most 200 are allowed",
            "transition: 1001 transitions; at most 1000 are allowed",
        ]
    );
}

#[test]
fn faults_without_number_are_told_up_to_a_limit() {
    let mut definition = sound();
    definition.transitions[0].from = Origin::Statuses((0..5_000).map(|n| format!("s{n}")).collect());
    let found = check(&definition);
    assert_eq!(found.len(), MAX_FAULTS + 1);
    assert!(found[MAX_FAULTS].message.ends_with("more faults are not listed"));
}
