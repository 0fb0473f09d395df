//! Faults of rows that share an action and a status to leave. They are tried in file order, so each
//! needs a case in which it is taken, and somebody must always be left with one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Faults, Row, admitted, names, quoted};
use crate::{
    role::RoleSet,
    workflow::{Definition, Transition},
};

/// Rows by action and status to leave, in file order.
type Groups<'d> = BTreeMap<(&'d str, &'d str), Vec<(Row, &'d Transition)>>;

pub(super) fn check(definition: &Definition, faults: &mut Faults) {
    // A row is told of once, not once per status that it leaves.
    let mut told = BTreeSet::new();
    for ((_, from), rows) in groups(definition) {
        twins(from, &rows, &mut told, faults);
        ends_open(from, &rows, &mut told, faults);
        shadows(from, &rows, &mut told, faults);
    }
}

fn groups(definition: &Definition) -> Groups<'_> {
    let mut groups = Groups::new();
    for (index, row) in definition.transitions.iter().enumerate() {
        let origins: BTreeSet<_> = definition.origins(row).into_iter().collect();
        for from in origins {
            groups.entry((&row.action, from)).or_default().push((Row(index), row));
        }
    }
    groups.retain(|_, rows| rows.len() > 1);
    groups
}

/// Two rows with one condition: the second is never taken by whoever may take the first.
fn twins(from: &str, rows: &[(Row, &Transition)], told: &mut BTreeSet<usize>, faults: &mut Faults) {
    let mut kept: Vec<(Row, &Transition)> = Vec::new();
    for (at, row) in rows {
        let by = admitted(row.by);
        match kept.iter().find(|(_, other)| other.when == row.when && admitted(other.by).meets(by)) {
            Some((other, _)) if told.insert(at.0) => faults.add(
                at,
                format!("{} from {} has the same `when` as {other}, and people in common", quoted(&row.action), quoted(from)),
            ),
            Some(_) => {}
            None => kept.push((*at, row)),
        }
    }
}

/// The last of several rows has no condition, unless nobody is let through by another one too.
fn ends_open(from: &str, rows: &[(Row, &Transition)], told: &mut BTreeSet<usize>, faults: &mut Faults) {
    let Some(((at, last), earlier)) = rows.split_last() else { return };
    let others = earlier.iter().fold(RoleSet::EMPTY, |all, (_, row)| all.union(admitted(row.by)));
    if last.when.is_some() && others.meets(admitted(last.by)) && told.insert(at.0) {
        let message = format!("the last row of {} from {} must be without `when`", quoted(&last.action), quoted(from));
        faults.add(at.field("when"), message);
    }
}

/// A row whose people are all served by earlier rows without condition is never taken.
fn shadows(from: &str, rows: &[(Row, &Transition)], told: &mut BTreeSet<usize>, faults: &mut Faults) {
    let mut served = RoleSet::EMPTY;
    for (at, row) in rows {
        let by = admitted(row.by);
        if !by.is_empty() && by.within(served) && told.insert(at.0) {
            let message = format!(
                "never taken from {}: earlier rows of {} without `when` serve {} already",
                quoted(from),
                quoted(&row.action),
                names(row.by),
            );
            faults.add(at, message);
        }
        if row.when.is_none() {
            served = served.union(by);
        }
    }
}
