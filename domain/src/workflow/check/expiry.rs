//! Faults of statuses that run out.

use super::{Faults, of_status, quoted};
use crate::{
    role::Role,
    workflow::{Definition, Expires, Guard, Status, Target, Transition},
};

/// A year, as for stalling.
const MAX_MIN: u32 = 525_600;

pub(super) fn check(definition: &Definition, faults: &mut Faults) {
    for status in &definition.statuses {
        if let Some(expires) = &status.expires {
            one(definition, status, expires, faults);
        }
        if circles(definition, &status.code) {
            faults.add(of_status(&status.code), "the calendar would move an order from here in a circle");
        }
    }
}

/// Whether rows that the calendar takes lead from a status back to it: a day that is over stays over.
fn circles(definition: &Definition, start: &str) -> bool {
    let (mut seen, mut next) = (Vec::new(), vec![start]);
    while let Some(from) = next.pop() {
        let leaving = definition.transitions.iter().filter(|row| definition.leaves(row, from));
        for row in leaving.filter(|row| row.when == Some(Guard::Expired) && row.by.has(Role::System)) {
            match &row.to {
                Target::Status(to) if to == start => return true,
                Target::Status(to) if !seen.contains(&to.as_str()) => {
                    seen.push(to);
                    next.push(to);
                }
                Target::Status(_) | Target::FailedStage | Target::Chosen | Target::Gone => {}
            }
        }
    }
    false
}

fn one(definition: &Definition, status: &Status, expires: &Expires, faults: &mut Faults) {
    let place = |field: &str| format!("{}.expires{field}", of_status(&status.code));
    if status.is_final {
        faults.add(place(""), "what has ended cannot expire");
        return;
    }
    if !(1..=MAX_MIN).contains(&expires.after_min) {
        faults.add(place(".after_min"), format!("from 1 to {MAX_MIN} minutes are allowed"));
    }
    let rows: Vec<_> = definition.rows(&expires.action, &status.code).collect();
    if rows.is_empty() {
        let message = format!("there is no action {} from this status", quoted(&expires.action));
        faults.add(place(".action"), message);
    } else if !rows.iter().any(|row| is_taken_by_time(row, status)) {
        let message = format!(
            "time cannot take {}: a row of it must name `system` in `by`, need nothing, not be for bulk alone, \
             and lead to another status",
            quoted(&expires.action)
        );
        faults.add(place(".action"), message);
    }
}

/// Whether the system can take the row with nobody there to supply anything.
fn is_taken_by_time(row: &Transition, status: &Status) -> bool {
    let leads_on = matches!(&row.to, Target::Status(to) if *to != status.code);
    leads_on && row.by.has(Role::System) && row.needs.is_empty() && !row.bulk_only
}
