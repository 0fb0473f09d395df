//! Faults of single transitions.

use super::{Faults, MAX_LABEL, Row, admitted, names, quoted, short};
use crate::{
    permission::{effect_ceiling, gone_ceiling},
    role::{Role, RoleSet},
    workflow::{Bulk, Definition, Effect, Moves, Need, Origin, Target, Transition},
};

/// Who may at most set a status of their choice: it passes by what the named actions guard.
const CHOOSING: RoleSet =
    RoleSet::of(&[Role::Admin, Role::Staff, Role::Csr, Role::AssignedCsr, Role::System]);

pub(super) fn check(definition: &Definition, faults: &mut Faults) {
    for (index, row) in definition.transitions.iter().enumerate() {
        let at = Row(index);
        faults.code(at.field("action"), &row.action);
        faults.text(at.field("label"), &row.label, MAX_LABEL);
        faults.effects(at.field("effects"), &row.effects);
        faults.distinct(at.field("needs"), row.needs.iter().map(|need| need.name()));
        origin(definition, at, row, faults);
        target(definition, at, row, faults);
        people(at, row, faults);
        attempts(at, row, faults);
        retries(at, row, faults);
        bulk(at, row, faults);
        automatic(at, row, faults);
    }
    let chosen = definition.transitions.iter().any(|row| row.to == Target::Chosen);
    if definition.moves == Moves::Free && !chosen {
        faults.add("moves", "moves are free, but no row leads to `@chosen`");
    }
}

fn origin(definition: &Definition, at: Row, row: &Transition, faults: &mut Faults) {
    let Origin::Statuses(codes) = &row.from else {
        return;
    };
    if codes.is_empty() {
        faults.add(at.field("from"), format!("{} leaves no status", quoted(&row.action)));
    }
    faults.distinct(at.field("from"), codes.iter().map(String::as_str));
    for code in codes.iter().filter(|code| definition.status(code).is_none()) {
        faults.add(at.field("from"), unknown(definition, code));
    }
}

fn unknown(definition: &Definition, code: &str) -> String {
    let codes: Vec<_> = definition.statuses.iter().map(|status| short(&status.code)).take(20).collect();
    format!("there is no status {}; there are: {}", quoted(code), codes.join(", "))
}

fn target(definition: &Definition, at: Row, row: &Transition, faults: &mut Faults) {
    let place = at.field("to");
    match &row.to {
        Target::Status(code) => {
            if definition.status(code).is_none() {
                faults.add(place, unknown(definition, code));
            }
        }
        Target::FailedStage => {
            if !row.effects.contains(&Effect::OpenAttempt) {
                faults.add(&place, "`@failed_stage` begins again: it needs the effect `open_attempt`");
            }
            if definition.transitions.iter().all(|row| !row.effects.contains(&Effect::CloseAttemptFailed)) {
                faults.add(&place, "no row has the effect `close_attempt_failed`, so no stage ever failed");
            }
        }
        Target::Chosen => {
            if definition.moves != Moves::Free && !row.bulk_only {
                faults.add(place, "`@chosen` needs moves = \"free\", or bulk_only = true on its row");
            }
        }
        Target::Gone => gone(at, row, faults),
    }
}

fn gone(at: Row, row: &Transition, faults: &mut Faults) {
    if !row.effects.is_empty() {
        faults.add(at.field("effects"), "an order that goes takes its items and money with it");
    }
    if !row.needs.contains(&Need::Number) {
        faults.add(at.field("needs"), "what cannot be undone needs `number`");
    }
}

/// Nobody may be let through whom the permission table keeps out.
fn people(at: Row, row: &Transition, faults: &mut Faults) {
    let place = at.field("by");
    if row.by.is_empty() {
        faults.add(&place, format!("nobody may {}", quoted(&row.action)));
    }
    if row.by.has(Role::Support) {
        faults.add(&place, "support reads and writes notes; it moves no order");
    }
    let mut within = |what: &str, ceiling: RoleSet| {
        let beyond = row.by.minus(admitted(ceiling));
        if !beyond.is_empty() {
            faults.add(&place, format!("`{what}` is beyond {}; it is for {}", names(beyond), names(ceiling)));
        }
    };
    for effect in &row.effects {
        within(effect.name(), effect_ceiling(*effect));
    }
    match row.to {
        Target::Gone => within(row.to.name(), gone_ceiling()),
        Target::Chosen => within(row.to.name(), CHOOSING),
        Target::Status(_) | Target::FailedStage => {}
    }
}

fn attempts(at: Row, row: &Transition, faults: &mut Faults) {
    let (ok, failed) = (Effect::CloseAttemptOk, Effect::CloseAttemptFailed);
    match (row.needs.contains(&Need::Error), row.effects.contains(&failed)) {
        (true, false) => {
            faults.add(at.field("needs"), "an `error` needs the effect `close_attempt_failed` to keep it");
        }
        (false, true) => {
            faults.add(at.field("effects"), "`close_attempt_failed` needs an `error` to keep");
        }
        (true, true) | (false, false) => {}
    }
    if row.effects.contains(&ok) && row.effects.contains(&failed) {
        faults.add(at.field("effects"), "an attempt ends well or badly, not both");
    }
}

/// Limits on beginning again belong to what begins.
fn retries(at: Row, row: &Transition, faults: &mut Faults) {
    faults.distinct(at.field("retryable"), row.retryable.iter().map(|category| category.name()));
    if row.max_attempts == Some(0) {
        faults.add(at.field("max_attempts"), "there is at least one attempt");
    }
    if row.effects.contains(&Effect::OpenAttempt) {
        return;
    }
    for (key, told) in
        [("retryable", !row.retryable.is_empty()), ("max_attempts", row.max_attempts.is_some())]
    {
        if told {
            faults.add(at.field(key), "it limits how work begins again: its row needs `open_attempt`");
        }
    }
}

fn bulk(at: Row, row: &Transition, faults: &mut Faults) {
    let place = at.field("bulk");
    if row.bulk_only && row.bulk == Bulk::No {
        faults.add(&place, "`bulk_only` without `bulk`: nobody could ever take it");
    }
    if row.bulk == Bulk::No {
        return;
    }
    if row.to == Target::Gone {
        faults.add(&place, "orders are removed for good one by one");
    } else if row.needs.contains(&Need::Number) {
        faults.add(&place, "one number cannot be typed again for many orders");
    }
    if row.to == Target::FailedStage && row.bulk == Bulk::StatusOnly {
        faults.add(&place, "an order back in its stage without an attempt would stay there");
    }
}

/// A row that fires by itself is taken by the system, which brings nothing along.
fn automatic(at: Row, row: &Transition, faults: &mut Faults) {
    if row.auto.is_none() {
        return;
    }
    if !row.by.has(Role::System) {
        faults.add(at.field("by"), "a row with `auto` is taken by `system`: name it");
    }
    if !row.needs.is_empty() {
        faults
            .add(at.field("needs"), "a row with `auto` fires by itself: nobody is there to supply anything");
    }
    if !matches!(row.to, Target::Status(_)) {
        faults.add(at.field("to"), "a row with `auto` leads to a status of its own");
    }
    if row.bulk_only {
        faults.add(at.field("bulk_only"), "a row with `auto` cannot be for bulk alone");
    }
}
