//! Statuses that run out.

use super::{SOUND, answered, changed, faults, sound_and};

const EXPIRES: &str = "\n[status.expires]\nafter_min = 60\naction = \"start\"\n";

fn expiring(old: &str, new: &str) -> String {
    let draft = "initial = true\neditable = true\n";
    changed(&changed(SOUND, draft, &format!("{draft}{EXPIRES}")), old, new)
}

#[test]
fn a_status_may_run_out_by_an_action_that_the_system_can_take() {
    assert_eq!(faults(&expiring("after_min = 60", "after_min = 525600")), Vec::<String>::new());
}

#[test]
fn what_time_cannot_do_is_refused_with_its_place() {
    for (old, new, expected) in [
        ("after_min = 60", "after_min = 0", "status[draft].expires.after_min: from 1 to"),
        ("after_min = 60", "after_min = 525601", "status[draft].expires.after_min: from 1 to"),
        (
            "action = \"start\"",
            "action = \"vanish\"",
            "status[draft].expires.action: there is no action `vanish`",
        ),
        (
            "action = \"start\"",
            "action = \"finish\"",
            "status[draft].expires.action: there is no action `finish`",
        ),
        (
            "by = [\"staff\", \"system\"]",
            "by = [\"staff\"]",
            "status[draft].expires.action: time cannot take `start`",
        ),
    ] {
        answered(&expiring(old, new), expected);
    }
}

#[test]
fn a_final_status_cannot_run_out() {
    let text = changed(SOUND, "is_final = true\n", &format!("is_final = true\n{EXPIRES}"));
    answered(&text, "status[done].expires: what has ended cannot expire");
}

#[test]
fn a_day_that_is_over_leads_nowhere_in_a_circle() {
    let row = |from: &str, to: &str| {
        format!(
            "\n[[transition]]\naction = \"expire\"\nlabel = \"Expire\"\nfrom = [\"{from}\"]\nto = \"{to}\"\n\
             by = [\"system\"]\nwhen = \"expired\"\n"
        )
    };
    assert_eq!(faults(&sound_and(&row("doing", "draft"))), Vec::<String>::new());
    let circle = faults(&sound_and(&(row("doing", "draft") + &row("draft", "doing"))));
    let expected = "the calendar would move an order from here in a circle";
    assert_eq!(circle, [format!("status[draft]: {expected}"), format!("status[doing]: {expected}")]);
}
