//! Faults of the whole: statuses that cannot be reached or left, and automatic rows that run in
//! circles.

use std::collections::{BTreeMap, BTreeSet};

use super::{Faults, Row, of_status, quoted};
use crate::workflow::{Definition, Origin, Target, Transition};

pub(super) fn check(definition: &Definition, faults: &mut Faults) {
    let stages = definition.stages();
    unreachable(definition, &stages, faults);
    ends(definition, &stages, faults);
    circle(definition, faults);
}

fn targets<'d>(definition: &'d Definition, row: &'d Transition, stages: &[&'d str]) -> Vec<&'d str> {
    match &row.to {
        Target::Status(code) => vec![code],
        Target::FailedStage => stages.to_vec(),
        Target::Chosen => definition.statuses.iter().map(|status| status.code.as_str()).collect(),
        Target::Gone => Vec::new(),
    }
}

/// Walks from the initial status along every row, conditions left aside. Orders may stand in a retired status, so
/// the walk begins there, too.
fn unreachable(definition: &Definition, stages: &[&str], faults: &mut Faults) {
    let Some(initial) = definition.initial() else {
        return;
    };
    let mut leaving: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, row) in definition.transitions.iter().enumerate() {
        for from in definition.origins(row) {
            leaving.entry(from).or_default().push(index);
        }
    }
    let open = definition.transitions.iter().map(|row| Some(row).filter(|row| !definition.is_closed(row)));
    let mut rows: Vec<Option<&Transition>> = open.collect();
    let retired = definition.statuses.iter().filter(|status| status.retired);
    let mut next: Vec<&str> = retired.chain([initial]).map(|status| status.code.as_str()).collect();
    let mut reached: BTreeSet<&str> = next.iter().copied().collect();
    while let Some(code) = next.pop() {
        // Where a row leads does not depend on where it leaves from: once is enough.
        for row in leaving.remove(code).unwrap_or_default().into_iter().filter_map(|index| rows[index].take())
        {
            next.extend(targets(definition, row, stages).into_iter().filter(|to| reached.insert(to)));
        }
    }
    for status in definition.statuses.iter().filter(|status| !reached.contains(status.code.as_str())) {
        faults
            .add(of_status(&status.code), "nothing leads here from the initial status: give it a transition");
    }
}

/// What is final has no way out, what is not has one. Being removed for good is none.
fn ends(definition: &Definition, stages: &[&str], faults: &mut Faults) {
    for status in &definition.statuses {
        let code = status.code.as_str();
        let leads_on = |row: &Transition| match &row.to {
            Target::Status(to) => to != code,
            Target::FailedStage => stages.iter().any(|stage| *stage != code),
            Target::Chosen => definition.statuses.len() > 1,
            Target::Gone => false,
        };
        let mut rows = definition.transitions.iter().filter(|row| definition.leaves(row, code));
        if !status.is_final && !rows.any(leads_on) {
            let message = "nothing leads on from here: make it final, or give it a way out";
            faults.add(of_status(code), message);
        }
    }
    for (index, row) in definition.transitions.iter().enumerate() {
        let Origin::Statuses(codes) = &row.from else {
            continue;
        };
        let is_final = |code: &&String| definition.status(code).is_some_and(|status| status.is_final);
        for code in codes.iter().filter(is_final) {
            let message = format!("{} leaves {}, which is final", quoted(&row.action), quoted(code));
            faults.add(Row(index).field("from"), message);
        }
    }
}

/// Which statuses automatic rows lead to, and by which row; conditions left aside, because one
/// order may well meet all of them.
type Edges<'d> = BTreeMap<&'d str, BTreeMap<&'d str, Row>>;

fn circle(definition: &Definition, faults: &mut Faults) {
    let mut edges = Edges::new();
    let fires = |row: &Transition| row.auto.is_some() && !definition.is_closed(row);
    for (index, row) in definition.transitions.iter().enumerate().filter(|(_, row)| fires(row)) {
        let Target::Status(to) = &row.to else { continue };
        for from in definition.origins(row) {
            edges.entry(from).or_default().entry(to).or_insert(Row(index));
        }
    }
    // Statuses from which no automatic row leads on end every run that gets there. Taken away again
    // and again, they leave nothing but circles and what leads into them.
    loop {
        let before = edges.values().map(BTreeMap::len).sum::<usize>();
        let sources: BTreeSet<&str> = edges.keys().copied().collect();
        edges.values_mut().for_each(|targets| targets.retain(|to, _| sources.contains(to)));
        edges.retain(|_, targets| !targets.is_empty());
        if edges.values().map(BTreeMap::len).sum::<usize>() == before {
            break;
        }
    }
    if let Some((row, path)) = walk(&edges) {
        let message = format!("automatic rows run in a circle: {}", path.join(" -> "));
        faults.add(row.field("auto"), message);
    }
}

/// One circle, by following any edge until a status comes again.
fn walk<'d>(edges: &Edges<'d>) -> Option<(Row, Vec<&'d str>)> {
    let mut path: Vec<&str> = vec![*edges.keys().next()?];
    loop {
        let (to, _) = edges.get(path.last()?)?.first_key_value()?;
        if let Some(start) = path.iter().position(|code| code == to) {
            path.push(*to);
            let path = path.split_off(start);
            let row = edges.get(path.first()?)?.get(path.get(1)?)?;
            return Some((*row, path));
        }
        path.push(*to);
    }
}
