//! Whether one definition keeps the rules of another: what an order that follows it could do, it still can, and
//! nothing else comes of it. What people read is no rule, nor is what was added behind.

use std::collections::BTreeMap;

use super::{Definition, Effect, Fault, Guard, Need, Status, Target, Transition};

/// The most changes that are told; nobody reads more.
const MAX_TOLD: usize = 200;

/// Every rule of `old` that `new` removes or changes, each at its place; nothing where `new` only adds. Retiring
/// a status, or taking it back, changes no rule: its point is that it reaches the orders under way.
pub fn changed_rules(old: &Definition, new: &Definition) -> Vec<Fault> {
    let mut changed = Vec::new();
    if old.moves != new.moves {
        changed.push(told("moves", format!("was {:?}", old.moves.name())));
    }
    if old.on_create != new.on_create {
        changed.push(told("on_create", "is changed"));
    }
    for before in &old.statuses {
        match new.status(&before.code) {
            Some(now) => changed.extend(of_status(old, new, (before, now))),
            None => changed.push(told(&format!("status[{}]", before.code), "is removed")),
        }
    }
    changed.extend(of_rows(old, new));
    changed.truncate(MAX_TOLD);
    changed
}

fn told(place: &str, message: impl Into<String>) -> Fault {
    Fault { place: place.to_owned(), message: message.into() }
}

fn of_status(old: &Definition, new: &Definition, (before, now): (&Status, &Status)) -> Vec<Fault> {
    // Destructured without `..`: a new field does not compile until it is a rule or none.
    let Status {
        code,
        label: _,
        category,
        color: _,
        initial,
        is_final,
        editable,
        stalls_after_min,
        public_code,
        public_label: _,
        retired: _,
        expires,
    } = before;
    let fields = [
        ("category", *category != now.category),
        ("initial", *initial != now.initial),
        ("is_final", *is_final != now.is_final),
        ("editable", *editable != now.editable),
        ("stalls_after_min", *stalls_after_min != now.stalls_after_min),
        ("public_code", *public_code != now.public_code),
        ("expires", *expires != now.expires),
    ];
    let changed = fields.iter().filter(|(_, changed)| *changed);
    let mut all: Vec<Fault> =
        changed.map(|(field, _)| told(&format!("status[{code}].{field}"), "is changed")).collect();
    if demanded(old, code) != demanded(new, code) {
        all.push(told(&format!("status[{code}]"), "what a free move here demands and does is changed"));
    }
    all
}

/// What a free move into a status demands and does.
fn demanded<'d>(definition: &'d Definition, code: &str) -> (Option<Guard>, &'d [Need], &'d [Effect]) {
    let free = || definition.transitions.iter().find(|row| row.to == Target::Chosen);
    match definition.demands(code) {
        Some(row) => (row.when, &row.needs, &row.effects),
        None => (None, &[], free().map_or(&[], |row| &row.effects)),
    }
}

/// What is tried in one status, in this order: the rows of an action, or those that fire by themselves.
type Tried<'d> = BTreeMap<(&'d str, Option<&'d str>), Vec<&'d Transition>>;

fn tried(definition: &Definition) -> Tried<'_> {
    let mut tried = Tried::new();
    for row in &definition.transitions {
        for from in definition.origins(row) {
            tried.entry((from, Some(&row.action))).or_default().push(row);
            if row.auto.is_some() {
                tried.entry((from, None)).or_default().push(row);
            }
        }
    }
    tried
}

/// The rows that are not tried any more where they were, or not before what has come.
fn of_rows(old: &Definition, new: &Definition) -> Vec<Fault> {
    let now = tried(new);
    let mut changed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for ((from, action), rows) in tried(old) {
        if new.status(from).is_none() {
            continue;
        }
        let kept = now.get(&(from, action)).map(Vec::as_slice).unwrap_or_default();
        for (at, row) in rows.iter().enumerate() {
            if kept.get(at).is_some_and(|other| is_same_rule(row, other)) {
                continue;
            }
            let froms = changed.entry(&row.action).or_default();
            if !froms.contains(&from) {
                froms.push(from);
            }
        }
    }
    let tell = |(action, from): (&str, Vec<&str>)| {
        let message =
            format!("is removed or changed, or something comes before it, from {}", from.join(", "));
        told(&format!("transition `{action}`"), message)
    };
    changed.into_iter().map(tell).collect()
}

/// Whether two rows do the same for the same people, wherever they start.
fn is_same_rule(one: &Transition, other: &Transition) -> bool {
    // Destructured without `..`: a new field does not compile until it is a rule or none.
    let Transition {
        action,
        label: _,
        from: _,
        to,
        by,
        when,
        auto,
        needs,
        effects,
        bulk,
        bulk_only,
        confirm: _,
        per_item,
        retryable,
        max_attempts,
    } = one;
    *action == other.action
        && *to == other.to
        && *by == other.by
        && (*when, *auto) == (other.when, other.auto)
        && *needs == other.needs
        && *effects == other.effects
        && (*bulk, *bulk_only) == (other.bulk, other.bulk_only)
        && *per_item == other.per_item
        && (retryable, max_attempts) == (&other.retryable, &other.max_attempts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::{Bulk, Category, Origin, builtin};

    fn shipped(code: &str) -> Definition {
        builtin().unwrap().into_iter().find(|definition| definition.code == code).unwrap()
    }

    /// What a change of a shipped workflow changes of its rules.
    fn after(code: &str, change: impl FnOnce(&mut Definition)) -> Vec<String> {
        let old = shipped(code);
        let mut new = old.clone();
        change(&mut new);
        changed_rules(&old, &new).iter().map(Fault::to_string).collect()
    }

    fn row(action: &str, from: &[&str], to: &str) -> Transition {
        let from = Origin::Statuses(from.iter().map(|code| (*code).to_owned()).collect());
        let (action, to) = (action.to_owned(), Target::Status(to.to_owned()));
        let like = shipped("commerce").transitions.remove(2);
        let like = Transition { needs: Vec::new(), effects: Vec::new(), when: None, auto: None, ..like };
        Transition { label: "A row".to_owned(), bulk: Bulk::No, action, from, to, ..like }
    }

    #[test]
    fn what_people_read_and_what_is_added_behind_are_no_rules() {
        let nothing = Vec::<String>::new();
        assert_eq!(after("cloud", |_| ()), nothing);
        assert_eq!(after("cloud", |new| new.label = "Machines".to_owned()), nothing);
        assert_eq!(after("cloud", |new| new.statuses[1].color = "#000000".to_owned()), nothing);
        assert_eq!(after("cloud", |new| new.statuses.reverse()), nothing);
        assert_eq!(after("cloud", |new| new.transitions[0].label = "Send".to_owned()), nothing);
        assert_eq!(after("cloud", |new| new.statuses[3].retired = true), nothing);
        let status = Status { initial: false, ..shipped("cloud").statuses.remove(0) };
        let held = Status { code: "held".to_owned(), ..status };
        let hold = |new: &mut Definition| {
            new.statuses.insert(1, held);
            new.transitions.insert(0, row("hold", &["pending_payment"], "held"));
            new.transitions.push(row("submit", &["held"], "pending_payment"));
        };
        assert_eq!(after("cloud", hold), nothing);
    }

    #[test]
    fn a_row_may_start_from_more_and_never_from_less() {
        let from = |codes: &'static [&str]| {
            move |new: &mut Definition| {
                let ship = new.transitions.iter_mut().find(|row| row.action == "ship").unwrap();
                ship.from = Origin::Statuses(codes.iter().map(|code| (*code).to_owned()).collect());
            }
        };
        assert!(after("commerce", from(&["open", "cancelled"])).is_empty());
        let less = after("commerce", from(&["cancelled"]));
        assert_eq!(
            less,
            ["transition `ship`: is removed or changed, or something comes before it, from open"]
        );
    }

    #[test]
    fn every_rule_of_a_status_counts() {
        type Edit = fn(&mut Status);
        let edits: [(&str, Edit); 5] = [
            ("category", |status| status.category = Category::Failed),
            ("is_final", |status| status.is_final = true),
            ("editable", |status| status.editable = true),
            ("stalls_after_min", |status| status.stalls_after_min = Some(5)),
            ("public_code", |status| status.public_code = Some("other".to_owned())),
        ];
        for (field, edit) in edits {
            let changed = after("delivery", |new| edit(&mut new.statuses[3]));
            assert_eq!(changed[0], format!("status[delivered].{field}: is changed"));
        }
        let removed = after("delivery", |new| drop(new.statuses.remove(3)));
        assert_eq!(removed[0], "status[delivered]: is removed");
    }

    #[test]
    fn what_comes_before_a_row_changes_it() {
        let before = |new: &mut Definition| new.transitions.insert(0, row("ship", &["open"], "closed"));
        assert_eq!(after("commerce", before).len(), 1);
        let behind = |new: &mut Definition| new.transitions.push(row("ship", &["open"], "closed"));
        assert!(after("commerce", behind).is_empty());
        let auto = |new: &mut Definition| {
            let fires =
                Transition { auto: Some(Guard::NothingActive), ..row("x", &["pending_payment"], "failed") };
            new.transitions.insert(0, fires);
        };
        assert_eq!(after("cloud", auto).len(), 1, "it would fire first");
    }

    #[test]
    fn a_row_that_asks_more_of_a_free_move_changes_it() {
        let asks = Transition { needs: vec![Need::Reason], ..row("reopen", &["failed"], "pending") };
        let changed = after("delivery", |new| new.transitions.push(asks));
        assert_eq!(changed, ["status[pending]: what a free move here demands and does is changed"]);
        assert!(
            after("delivery", |new| new.transitions.push(row("reopen", &["failed"], "pending"))).is_empty()
        );
    }
}
