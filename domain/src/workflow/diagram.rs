//! A workflow as a picture: Mermaid text, which code hosts, wikis and the console draw.

use std::{collections::BTreeSet, fmt::Write};

use super::{Definition, Target};

/// Words that Mermaid's grammar keeps for itself where an identifier stands.
const KEYWORDS: [&str; 17] = [
    "accdescr",
    "acctitle",
    "as",
    "choice",
    "class",
    "classdef",
    "click",
    "default",
    "direction",
    "end",
    "fork",
    "hide",
    "join",
    "note",
    "scale",
    "state",
    "style",
];

/// The most edges that are drawn. Rows from anywhere multiply, and nobody can read such a picture.
const MAX_EDGES: usize = 2_000;

/// The workflow as a Mermaid state diagram. Rows that differ only in who may take them, or on what
/// condition, are one edge. `@chosen` rows are told in a comment: drawn, they would join everything
/// with everything.
pub fn mermaid(definition: &Definition) -> String {
    let mut lines = vec!["stateDiagram-v2".to_owned()];
    for status in &definition.statuses {
        lines.push(format!("{} : {}", node(&status.code), escaped(&status.label)));
    }
    if let Some(initial) = definition.initial() {
        lines.push(format!("[*] --> {}", node(&initial.code)));
    }
    lines.extend(edges(definition));
    for status in definition.statuses.iter().filter(|status| status.is_final) {
        lines.push(format!("{} --> [*]", node(&status.code)));
    }
    lines.join("\n    ") + "\n"
}

fn edges(definition: &Definition) -> Vec<String> {
    let stages = definition.stages();
    let (mut drawn, mut lines) = (BTreeSet::new(), Vec::new());
    for row in definition.transitions.iter().filter(|row| !definition.is_closed(row)) {
        let to = match &row.to {
            Target::Status(code) => vec![node(code)],
            Target::FailedStage => stages.iter().map(|stage| node(stage)).collect(),
            Target::Gone => vec!["[*]".to_owned()],
            Target::Chosen => {
                lines.push(format!("%% {}: to any status", row.action));
                continue;
            }
        };
        for (from, to) in
            definition.origins(row).iter().flat_map(|from| to.iter().map(move |to| (node(from), to)))
        {
            if drawn.len() == MAX_EDGES {
                lines.push(format!("%% only the first {MAX_EDGES} edges are drawn"));
                return lines;
            }
            let edge = format!("{from} --> {to} : {}", row.action);
            if drawn.insert(edge.clone()) {
                lines.push(edge);
            }
        }
    }
    lines
}

fn node(code: &str) -> String {
    if KEYWORDS.contains(&code) { format!("{code}_") } else { code.to_owned() }
}

/// A label with everything that Mermaid or a page could take for markup written as a number.
fn escaped(label: &str) -> String {
    let mut text = String::with_capacity(label.len());
    for c in label.chars() {
        if c.is_alphanumeric()
            || matches!(c, ' ' | '-' | '_' | '.' | ',' | '\'' | '(' | ')' | '/' | '!' | '?')
        {
            text.push(c);
        } else {
            // Writing to a String does not fail.
            let _ = write!(text, "#{};", u32::from(c));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::builtin;

    fn drawing(code: &str) -> String {
        let definition = builtin().unwrap().into_iter().find(|definition| definition.code == code).unwrap();
        mermaid(&definition)
    }

    #[test]
    fn a_workflow_is_drawn_with_its_labels_beginning_and_end() {
        assert_eq!(
            drawing("commerce"),
            "stateDiagram-v2
    open : Open
    shipped : Shipped
    cancelled : Cancelled
    closed : Closed
    archived : Archived
    [*] --> open
    open --> cancelled : cancel
    open --> cancelled : expire
    open --> shipped : ship
    open --> closed : close
    cancelled --> closed : close
    shipped --> closed : close
    closed --> archived : archive
    archived --> [*]
"
        );
    }

    #[test]
    fn a_retry_is_drawn_to_every_stage_that_can_fail() {
        let drawing = drawing("cloud");
        for edge in ["failed --> validating : retry", "failed --> provisioning : retry"] {
            assert!(drawing.contains(edge), "{drawing}");
        }
    }

    #[test]
    fn rows_told_apart_by_people_or_condition_are_one_edge() {
        assert_eq!(drawing("marketplace").matches("executing --> done : complete").count(), 1);
    }

    #[test]
    fn being_removed_ends_the_picture_and_a_free_choice_is_told_beside_it() {
        let hosting = drawing("hosting");
        assert!(hosting.contains("fraud --> [*] : purge"), "{hosting}");
        assert!(hosting.contains("%% set_status: to any status"));
    }

    #[test]
    fn labels_and_codes_cannot_break_out_of_the_picture() {
        let mut definition = builtin().unwrap().remove(0);
        definition.statuses[0].code = "note".to_owned();
        definition.statuses[0].label = "<b>: \"x\"; #1 é".to_owned();
        let drawing = mermaid(&definition);
        assert!(drawing.contains("note_ : #60;b#62;#58; #34;x#34;#59; #35;1 é\n"), "{drawing}");
        assert!(drawing.contains("[*] --> note_\n"), "{drawing}");
    }
}
