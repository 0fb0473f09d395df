//! Faults of rows that share an action and a status to leave. They are tried in file order, so each
//! needs a case in which it is taken, and somebody must always be left with one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Faults, Row, admitted, quoted};
use crate::{
    role::RoleSet,
    workflow::{Definition, Transition},
};

/// Rows by action and status to leave, in file order.
type Groups<'d> = BTreeMap<(&'d str, &'d str), Vec<(Row, &'d Transition)>>;

pub(super) fn check(definition: &Definition, faults: &mut Faults) {
    let groups = groups(definition);
    for find in [twins, ends_closed, shadows] {
        // A row is told of once, not once per status that it leaves.
        let mut told = BTreeSet::new();
        for ((_, from), rows) in &groups {
            for (at, message) in find(from, rows) {
                if told.insert(at.0) {
                    faults.add(at, message);
                }
            }
        }
    }
}

fn groups(definition: &Definition) -> Groups<'_> {
    let mut groups = Groups::new();
    let open = |row: &Transition| !definition.is_closed(row);
    for (index, row) in definition.transitions.iter().enumerate().filter(|(_, row)| open(row)) {
        let origins: BTreeSet<_> = definition.origins(row).into_iter().collect();
        for from in origins {
            groups.entry((&row.action, from)).or_default().push((Row(index), row));
        }
    }
    groups.retain(|_, rows| rows.len() > 1);
    groups
}

/// Two rows with one condition: the second is never taken by whoever may take the first.
fn twins(from: &str, rows: &[(Row, &Transition)]) -> Vec<(Row, String)> {
    let mut kept: Vec<(Row, &Transition)> = Vec::new();
    let mut found = Vec::new();
    for (at, row) in rows {
        let by = admitted(row.by);
        match kept.iter().find(|(_, other)| other.when == row.when && admitted(other.by).meets(by)) {
            Some((other, _)) => {
                let common = "has people in common and the same `when` as";
                found.push((*at, format!("{} {common} {other}", named(row, from))));
            }
            None => kept.push((*at, row)),
        }
    }
    found
}

/// The last of several rows has no condition, unless it shares nobody with the others: else whoever
/// meets none of the conditions is told of the wrong one.
fn ends_closed(from: &str, rows: &[(Row, &Transition)]) -> Vec<(Row, String)> {
    let Some(((at, last), earlier)) = rows.split_last() else {
        return Vec::new();
    };
    let others = earlier.iter().fold(RoleSet::EMPTY, |all, (_, row)| all.union(admitted(row.by)));
    if last.when.is_none() || !others.meets(admitted(last.by)) {
        return Vec::new();
    }
    vec![(*at, format!("{} is the last of several rows: it must be without `when`", named(last, from)))]
}

/// A row with a condition whose people are all served by earlier rows without one. The last row is
/// left to [`ends_closed`], rows without condition to [`twins`].
fn shadows(from: &str, rows: &[(Row, &Transition)]) -> Vec<(Row, String)> {
    let mut served = RoleSet::EMPTY;
    let mut found = Vec::new();
    for (at, row) in rows.iter().take(rows.len().saturating_sub(1)) {
        let by = admitted(row.by);
        if row.when.is_none() {
            served = served.union(by);
        } else if by.within(served) {
            found
                .push((*at, format!("{} is never taken: earlier rows without `when` are", named(row, from))));
        }
    }
    found
}

fn named(row: &Transition, from: &str) -> String {
    format!("{} from {}", quoted(&row.action), quoted(from))
}
