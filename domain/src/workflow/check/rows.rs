//! Rows, each for itself and side by side.

use super::Faults;
use crate::{
    permission::{effect_ceiling, gone_ceiling},
    role::{Role, RoleSet},
    workflow::{Definition, Effect, Guard, Moves, Need, Origin, Target, Transition},
};
use std::collections::{HashMap, HashSet};

pub(super) fn check(definition: &Definition, faults: &mut Faults) {
    for (i, row) in definition.transitions.iter().enumerate() {
        let mut row = Row { row, i, definition, faults };
        row.names();
        row.ceilings();
        row.targets();
        row.attempts();
        row.automatic();
    }
    rivals(definition, faults);
}

struct Row<'a> {
    row: &'a Transition,
    i: usize,
    definition: &'a Definition,
    faults: &'a mut Faults,
}

impl Row<'_> {
    fn add(&mut self, field: &str, message: impl Into<String>) {
        self.faults.add(format!("transition[{}].{field}", self.i), message);
    }

    fn names(&mut self) {
        let row = self.row;
        self.faults.code(format!("transition[{}].action", self.i), &row.action);
        self.faults.label(format!("transition[{}].label", self.i), &row.label);
        if let Origin::Statuses(codes) = &row.from {
            if codes.is_empty() {
                self.add("from", "name at least one status, or \"*\"");
            }
            let mut seen = HashSet::new();
            for code in codes {
                if self.definition.status(code).is_none() {
                    self.add("from", format!("there is no status `{code}`"));
                } else if !seen.insert(code) {
                    self.add("from", format!("`{code}` is named twice"));
                }
            }
        }
    }

    fn ceilings(&mut self) {
        let row = self.row;
        if row.by.is_empty() {
            self.add("by", "name at least one role");
        }
        for effect in &row.effects {
            let beyond = row.by.minus(with_admin(effect_ceiling(*effect)));
            if !beyond.is_empty() {
                let message = format!("{} may not cause {}", names(beyond), effect.name());
                self.add("by", message);
            }
        }
        let beyond = row.by.minus(gone_ceiling());
        if row.to == Target::Gone && !beyond.is_empty() {
            self.add("by", format!("{} may not remove an order for good", names(beyond)));
        }
    }

    fn targets(&mut self) {
        let row = self.row;
        match &row.to {
            Target::Status(code) if self.definition.status(code).is_none() => {
                self.add("to", format!("there is no status `{code}`"));
            }
            Target::FailedStage if !row.effects.contains(&Effect::OpenAttempt) => {
                self.add("to", "@failed_stage is where an attempt goes on; add the effect open_attempt");
            }
            Target::FailedStage if !self.definition.transitions.iter().any(fails) => {
                self.add("to", "@failed_stage leads nowhere: no row has the effect close_attempt_failed");
            }
            Target::Chosen if self.definition.moves != Moves::Free && !row.bulk_only => {
                self.add("to", "@chosen needs moves = \"free\", or a row that is bulk_only");
            }
            _ => {}
        }
    }

    fn attempts(&mut self) {
        match (self.row.needs.contains(&Need::Error), fails(self.row)) {
            (true, false) => self.add("needs", "an error is kept by the effect close_attempt_failed; add it"),
            (false, true) => self.add("needs", "close_attempt_failed keeps an error; it must be needed"),
            _ => {}
        }
    }

    /// Nobody is there to be asked when a row fires by itself.
    fn automatic(&mut self) {
        let row = self.row;
        if row.auto.is_none() {
            return;
        }
        if !row.by.has(Role::System) {
            self.add("by", "a row that fires by itself does so as system; name it");
        }
        if !matches!(row.to, Target::Status(_)) {
            self.add("auto", "a row that fires by itself leads to a status named in `to`");
        }
        if !row.needs.is_empty() {
            self.add("auto", "a row that fires by itself can need nothing from a caller");
        }
        if row.bulk_only {
            self.add("auto", "a row for many orders at once alone cannot fire by itself");
        }
    }
}

pub(super) fn fails(row: &Transition) -> bool {
    row.effects.contains(&Effect::CloseAttemptFailed)
}

/// An administrator may all that staff may.
fn with_admin(roles: RoleSet) -> RoleSet {
    if roles.has(Role::Staff) { roles.union(RoleSet::of(&[Role::Admin])) } else { roles }
}

fn names(roles: RoleSet) -> String {
    roles.iter().map(Role::name).collect::<Vec<_>>().join(", ")
}

/// Rows that somebody could take both of, so that the second could never be reached by them.
fn rivals(definition: &Definition, faults: &mut Faults) {
    type Key<'a> = (&'a str, Option<Guard>, &'a str, Role);
    let mut first: HashMap<Key<'_>, usize> = HashMap::new();
    for (i, row) in definition.transitions.iter().enumerate() {
        let from = definition.statuses.iter().map(|status| status.code.as_str());
        let mut rival = None;
        for from in from.filter(|from| definition.leaves(row, from)) {
            for role in with_admin(row.by).iter() {
                let earlier = *first.entry((&row.action, row.when, from, role)).or_insert(i);
                if earlier != i && rival.is_none() {
                    rival = Some((earlier, from, role));
                }
            }
        }
        if let Some((earlier, from, role)) = rival {
            let message = format!(
                "transition[{earlier}] is the same action from `{from}` for {}; tell them apart by `when`",
                role.name()
            );
            faults.add(format!("transition[{i}]"), message);
        }
    }
}
