//! Statuses, each for itself and side by side.

use super::Faults;
use crate::workflow::{Definition, Status};
use std::collections::{HashMap, HashSet};

pub(super) fn check(definition: &Definition, faults: &mut Faults) {
    let mut codes = HashSet::new();
    for status in &definition.statuses {
        let place = |field: &str| format!("status[{}].{field}", status.code);
        faults.code(place("code"), &status.code);
        if !codes.insert(status.code.as_str()) {
            faults.add(place("code"), "another status has this code");
        }
        faults.label(place("label"), &status.label);
        if !is_colour(&status.color) {
            faults.add(place("color"), "a colour is written #rrggbb");
        }
        if let Some(code) = &status.public_code {
            faults.code(place("public_code"), code);
        }
        if let Some(label) = &status.public_label {
            faults.label(place("public_label"), label);
            if status.public_code.is_none() {
                faults.add(place("public_label"), "a public label goes with a public_code; name one");
            }
        }
    }
    initials(definition, faults);
    public_labels(definition, faults);
}

fn initials(definition: &Definition, faults: &mut Faults) {
    let mut initials = definition.statuses.iter().filter(|status| status.initial);
    let Some(first) = initials.next() else {
        faults.add("status", "no status is initial; orders have to start somewhere");
        return;
    };
    for other in initials {
        let message = format!("`{}` is initial already; orders start in one status", first.code);
        faults.add(format!("status[{}].initial", other.code), message);
    }
}

/// What looks the same to buyers must read the same.
fn public_labels(definition: &Definition, faults: &mut Faults) {
    let mut seen: HashMap<&str, &Status> = HashMap::new();
    for status in &definition.statuses {
        let first = seen.entry(status.public_code()).or_insert(status);
        if first.code != status.code && first.public_label() != status.public_label() {
            let message = format!(
                "buyers see `{}` as \"{}\" for `{}`; one public code has one label",
                status.public_code(),
                first.public_label(),
                first.code
            );
            faults.add(format!("status[{}].public_label", status.code), message);
        }
    }
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}
