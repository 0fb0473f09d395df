//! Small edits of a workflow, for those who write no definitions.

use super::{Definition, Status, check};
use crate::refusal::Refusal;

/// The definition with one more status, listed behind `after`, or last.
///
/// # Errors
/// VALIDATION for an unknown `after`; INVALID_DEFINITION with everything that is wrong about the status.
pub fn add_status(
    definition: &Definition,
    status: Status,
    after: Option<&str>,
) -> Result<Definition, Refusal> {
    let statuses = &definition.statuses;
    let at = match after {
        None => statuses.len(),
        Some(code) => {
            let behind = statuses.iter().position(|status| status.code == code);
            behind.ok_or_else(|| unknown("after", definition))? + 1
        }
    };
    let mut edited = definition.clone();
    edited.statuses.insert(at, status);
    sound(edited)
}

/// The definition with a status that no order gets into any more.
///
/// # Errors
/// VALIDATION for an unknown status; INVALID_DEFINITION when the workflow cannot do without it.
pub fn retire_status(definition: &Definition, code: &str) -> Result<Definition, Refusal> {
    let mut edited = definition.clone();
    let status = edited.statuses.iter_mut().find(|status| status.code == code);
    status.ok_or_else(|| unknown("code", definition))?.retired = true;
    sound(edited)
}

fn unknown(path: &str, definition: &Definition) -> Refusal {
    let codes: Vec<_> = definition.statuses.iter().map(|status| status.code.as_str()).take(20).collect();
    Refusal::invalid(path, format!("the workflow has no such status; it has: {}", codes.join(", ")))
}

fn sound(definition: Definition) -> Result<Definition, Refusal> {
    let faults = check(&definition);
    if faults.is_empty() { Ok(definition) } else { Err(Refusal::InvalidDefinition { faults }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::{Category, builtin};

    fn shipped(code: &str) -> Definition {
        builtin().unwrap().into_iter().find(|definition| definition.code == code).unwrap()
    }

    fn on_hold() -> Status {
        Status {
            code: "on_hold".to_owned(),
            label: "On hold".to_owned(),
            category: Category::Pending,
            color: "#7c3aed".to_owned(),
            initial: false,
            is_final: false,
            editable: true,
            stalls_after_min: None,
            public_code: None,
            public_label: None,
            retired: false,
            expires: None,
        }
    }

    fn places(edited: Result<Definition, Refusal>) -> Vec<String> {
        match edited {
            Err(Refusal::InvalidDefinition { faults }) => {
                faults.into_iter().map(|fault| fault.place).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_status_is_listed_behind_the_one_that_is_named() {
        let codes = |after| {
            let edited = add_status(&shipped("delivery"), on_hold(), after).unwrap();
            edited.statuses.into_iter().map(|status| status.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(Some("pending"))[1], "on_hold");
        assert_eq!(codes(None).last().unwrap(), "on_hold");
        let unknown = add_status(&shipped("delivery"), on_hold(), Some("nowhere")).unwrap_err();
        assert_eq!(unknown.code(), "VALIDATION");
    }

    #[test]
    fn everything_wrong_about_a_status_is_told_at_once() {
        let wrong = Status { color: "red".to_owned(), label: " ".to_owned(), ..on_hold() };
        assert_eq!(
            places(add_status(&shipped("delivery"), wrong, None)),
            ["status[on_hold].label", "status[on_hold].color"]
        );
        let strict = add_status(&shipped("cloud"), on_hold(), None);
        assert_eq!(places(strict), ["status[on_hold]", "status[on_hold]"], "no way in, and none out");
        let twice = Status { code: "pending".to_owned(), label: "Pending".to_owned(), ..on_hold() };
        assert_eq!(places(add_status(&shipped("delivery"), twice, None)), ["status"]);
    }

    #[test]
    fn a_workflow_keeps_what_it_cannot_do_without() {
        assert_eq!(places(retire_status(&shipped("delivery"), "pending")), ["status[pending].retired"]);
        assert_eq!(places(retire_status(&shipped("commerce"), "archived")), ["status[closed]"]);
        let retired = retire_status(&shipped("delivery"), "failed").unwrap();
        assert!(retired.status("failed").unwrap().retired);
        assert_eq!(retire_status(&retired, "failed"), Ok(retired));
        assert_eq!(retire_status(&shipped("delivery"), "nowhere").unwrap_err().code(), "VALIDATION");
    }
}
