//! Faults of single statuses, and of statuses beside each other.

use std::collections::BTreeMap;

use super::{Faults, MAX_LABEL, of_status, quoted};
use crate::workflow::{Definition, Status};

/// A year. An order that may rest longer than that does not stall.
const MAX_STALL_MIN: u32 = 525_600;

pub(super) fn check(definition: &Definition, faults: &mut Faults) {
    faults.distinct("status", definition.statuses.iter().map(|status| status.code.as_str()));
    initials(definition, faults);
    for status in &definition.statuses {
        looks(status, faults);
        ending(status, faults);
        if status.retired && status.initial {
            faults.add(place(status, "retired"), "orders begin here: make another status initial first");
        }
    }
    faces(definition, faults);
}

fn place(status: &Status, field: &str) -> String {
    format!("{}.{field}", of_status(&status.code))
}

fn initials(definition: &Definition, faults: &mut Faults) {
    let initials: Vec<_> = definition.statuses.iter().filter(|status| status.initial).collect();
    match initials.as_slice() {
        [] => faults.add("status", "no status is initial; exactly one must be"),
        [_] => {}
        [first, rest @ ..] => {
            for status in rest {
                let message = format!("{} is initial already; exactly one may be", quoted(&first.code));
                faults.add(place(status, "initial"), message);
            }
        }
    }
}

fn looks(status: &Status, faults: &mut Faults) {
    faults.code(place(status, "code"), &status.code);
    faults.text(place(status, "label"), &status.label, MAX_LABEL);
    let digits = status.color.strip_prefix('#').unwrap_or_default();
    if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let message = format!("{} is no colour: write it as #rrggbb", quoted(&status.color));
        faults.add(place(status, "color"), message);
    }
    if let Some(code) = &status.public_code {
        faults.code(place(status, "public_code"), code);
    }
    if let Some(label) = &status.public_label {
        faults.text(place(status, "public_label"), label, MAX_LABEL);
    }
    if status.stalls_after_min.is_some_and(|minutes| !(1..=MAX_STALL_MIN).contains(&minutes)) {
        let message = format!("from 1 to {MAX_STALL_MIN} minutes are allowed");
        faults.add(place(status, "stalls_after_min"), message);
    }
}

fn ending(status: &Status, faults: &mut Faults) {
    if !status.is_final {
        return;
    }
    if status.initial {
        faults.add(place(status, "is_final"), "orders would end where they begin");
    }
    if status.category.is_open() {
        let message =
            format!("a final status cannot be {}: it would be open for ever", status.category.name());
        faults.add(place(status, "category"), message);
    }
    if status.editable {
        faults.add(place(status, "editable"), "what has ended cannot be edited");
    }
    if status.stalls_after_min.is_some() {
        faults.add(place(status, "stalls_after_min"), "what has ended cannot stall");
    }
}

/// What buyers see must not tell apart what shares a public code, nor show an internal label.
fn faces(definition: &Definition, faults: &mut Faults) {
    let mut labels: BTreeMap<&str, &Status> = BTreeMap::new();
    for status in &definition.statuses {
        match (&status.public_code, &status.public_label) {
            (None, Some(_)) => {
                faults.add(place(status, "public_label"), "it needs a public_code beside it");
            }
            (Some(_), None) => {
                let message = "it needs a public_label beside it, else buyers read the internal label";
                faults.add(place(status, "public_code"), message);
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
        let first = *labels.entry(status.public_code()).or_insert(status);
        if first.public_label() != status.public_label() {
            let message = format!(
                "buyers see the code {} with two labels: {} here, {} for {}",
                quoted(status.public_code()),
                quoted(status.public_label()),
                quoted(first.public_label()),
                quoted(&first.code),
            );
            faults.add(place(status, "public_label"), message);
        }
    }
}
