//! A workflow as a picture, in Mermaid's language.

use super::{Definition, Effect, Origin, Status, Target, Transition};

/// The workflow as a `stateDiagram-v2`. Rows to `@chosen` are a note: as edges, they would hide all
/// others.
pub fn mermaid(definition: &Definition) -> String {
    let mut lines = vec!["stateDiagram-v2".to_owned()];
    let mut add = |line: String| {
        let line = format!("    {line}");
        // Two rows may differ in who and when alone.
        if !lines.contains(&line) {
            lines.push(line);
        }
    };
    for status in &definition.statuses {
        add(format!("{} : {}", status.code, plain(&status.label)));
    }
    for status in definition.statuses.iter().filter(|status| status.initial) {
        add(format!("[*] --> {}", status.code));
    }
    for row in definition.transitions.iter().filter(|row| row.to != Target::Chosen) {
        for from in origins(definition, row) {
            for to in targets(definition, row) {
                add(format!("{from} --> {to} : {}", row.action));
            }
        }
    }
    for status in definition.statuses.iter().filter(|status| status.is_final) {
        add(format!("{} --> [*]", status.code));
    }
    for row in definition.transitions.iter().filter(|row| row.to == Target::Chosen) {
        let beside = match (&row.from, definition.initial()) {
            (Origin::Statuses(codes), _) => codes.first().map(String::as_str),
            (Origin::Any, initial) => initial.map(|status| status.code.as_str()),
        };
        let Some(beside) = beside else { continue };
        let from = match &row.from {
            Origin::Any => "any status that is not final".to_owned(),
            Origin::Statuses(codes) => codes.join(", "),
        };
        let bulk = if row.bulk_only { ", many orders at once only" } else { "" };
        add(format!("note right of {beside} : {} leads from {from} to any other{bulk}", row.action));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn origins<'a>(definition: &'a Definition, row: &'a Transition) -> Vec<&'a str> {
    match &row.from {
        Origin::Statuses(codes) => codes.iter().map(String::as_str).collect(),
        Origin::Any => {
            let open = |status: &&Status| !status.is_final;
            definition.statuses.iter().filter(open).map(|status| status.code.as_str()).collect()
        }
    }
}

fn targets<'a>(definition: &'a Definition, row: &'a Transition) -> Vec<&'a str> {
    match &row.to {
        Target::Status(code) => vec![code.as_str()],
        Target::Gone => vec!["[*]"],
        Target::Chosen => Vec::new(),
        Target::FailedStage => {
            let fails = |row: &&Transition| row.effects.contains(&Effect::CloseAttemptFailed);
            let failing = definition.transitions.iter().filter(fails);
            failing.flat_map(|row| origins(definition, row)).collect()
        }
    }
}

/// A label without the characters that mean something to Mermaid.
fn plain(label: &str) -> String {
    let special = |c: char| c.is_control() || ":;#<>{}[]\"`%".contains(c);
    label.chars().map(|c| if special(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::builtin;

    fn drawn(code: &str) -> String {
        let all = builtin().unwrap();
        mermaid(all.iter().find(|definition| definition.code == code).unwrap())
    }

    #[test]
    fn the_marketplace_is_drawn_with_one_edge_for_each_way() {
        insta::assert_snapshot!(drawn("marketplace"), @"");
    }

    #[test]
    fn a_retry_is_drawn_to_each_stage_that_an_attempt_can_fail_in() {
        let cloud = drawn("cloud");
        assert!(cloud.contains("failed --> validating : retry\n"));
        assert!(cloud.contains("failed --> provisioning : retry\n"));
    }

    #[test]
    fn a_purge_is_drawn_to_the_end_and_a_free_choice_as_a_note() {
        let hosting = drawn("hosting");
        assert!(hosting.contains("fraud --> [*] : purge\n"));
        assert!(hosting.contains("note right of pending : set_status leads from any status"));
        assert!(!hosting.contains("--> fraud : set_status"));
    }

    #[test]
    fn a_label_cannot_break_the_drawing() {
        let mut all = builtin().unwrap();
        all[0].statuses[0].label = "a:b\n[*] --> c".to_owned();
        assert!(mermaid(&all[0]).contains("draft : a b  *  --  c\n"));
    }
}
