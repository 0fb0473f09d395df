//! Rows beside each other, and the whole.

use super::{CHOOSE, DROP, PAUSED, REMOVE, SOUND, answered, changed, faults, sound_and};

// Rows that share an action and a status.
refused! {
    two_rows_with_the_same_condition_and_people_in_common_are_refused: SOUND, "when = \"no_provider_approval\"\n" => "",
        "transition[1]: `start` from `draft` has people in common and the same `when` as transition[0]";
    an_administrator_counts_wherever_staff_may: sound_and(REMOVE), "action = \"remove\"" => "action = \"retry\"",
        "transition[5]: `retry` from `broken` has people in common and the same `when` as transition[4]";
    a_last_row_with_a_condition_is_refused: SOUND, "by = [\"staff\"]\neffects = [\"freeze_prices\"" => "by = [\"staff\"]\nwhen = \"nothing_active\"\neffects = [\"freeze_prices\"",
        "transition[1]: `start` from `draft` is the last of several rows";
}

#[test]
fn rows_overlap_where_one_leaves_any_status() {
    let text = changed(
        &sound_and(DROP),
        "from = [\"doing\"]\nto = \"done\"\nby = [\"worker\"]",
        "from = \"*\"\nto = \"done\"\nby = [\"staff\"]",
    );
    let text = changed(&text, "\n[[transition]]\naction = \"finish\"", "\n[[transition]]\naction = \"drop\"");
    assert!(
        faults(&text).iter().any(|fault| fault.starts_with("transition[5]: `drop` from `doing` has people"))
    );
}

#[test]
fn a_row_behind_one_that_always_fits_is_refused() {
    let behind = DROP.replace("by = [\"staff\"]", "by = [\"staff\"]\nwhen = \"nothing_active\"");
    let last = DROP.replace("by = [\"staff\"]", "by = [\"worker\"]");
    answered(
        &sound_and(&(DROP.to_owned() + &behind + &last)),
        "transition[6]: `drop` from `doing` is never taken",
    );
}

#[test]
fn an_automatic_row_that_leads_back_at_once_is_a_circle() {
    let text = changed(&sound_and(DROP), "action = \"drop\"", "auto = \"paid_in_full\"\naction = \"drop\"");
    let text =
        changed(&text, "to = \"done\"\nby = [\"staff\"]", "to = \"doing\"\nby = [\"staff\", \"system\"]");
    answered(&text, "transition[5].auto: automatic rows run in a circle: doing -> doing");
}

#[test]
fn rows_of_one_action_for_different_people_may_both_be_without_condition() {
    let text = changed(&sound_and(DROP), "action = \"drop\"", "action = \"finish\"");
    assert_eq!(faults(&text), Vec::<String>::new());
}

// The whole.
refused! {
    a_status_that_nothing_leads_to_is_refused: sound_and(PAUSED), "to = \"paused\"" => "to = \"done\"",
        "status[paused]: nothing leads here from the initial status";
    a_status_that_nothing_leads_on_from_is_refused: sound_and(PAUSED), "from = [\"paused\"]" => "from = [\"broken\"]",
        "status[paused]: nothing leads on from here";
    a_row_back_to_where_it_starts_is_no_way_out: sound_and(PAUSED), "from = [\"paused\"]\nto = \"doing\"" => "from = [\"paused\"]\nto = \"paused\"",
        "status[paused]: nothing leads on from here";
    removal_is_no_way_out: sound_and(REMOVE), "to = \"@failed_stage\"" => "to = \"broken\"",
        "status[broken]: nothing leads on from here";
    a_final_status_with_a_way_out_is_refused: sound_and(DROP), "from = [\"doing\"]\nto = \"done\"\nby = [\"staff\"]" => "from = [\"done\"]\nto = \"broken\"\nby = [\"staff\"]",
        "transition[5].from: `drop` leaves `done`, which is final";
    automatic_rows_in_a_circle_are_refused: sound_and(PAUSED), "action = \"resume\"" => "auto = \"paid_in_full\"\naction = \"resume\"",
        "transition[5].auto: automatic rows run in a circle: doing -> paused -> doing";
}

#[test]
fn a_free_choice_reaches_every_status() {
    let lonely = "[[status]]\ncode = \"lonely\"\nlabel = \"Lonely\"\ncategory = \"CLOSED\"\ncolor = \"#000000\"\nis_final = true\n";
    answered(&sound_and(lonely), "status[lonely]: nothing leads here");
    assert_eq!(faults(&sound_and(&(lonely.to_owned() + CHOOSE))), Vec::<String>::new());
}
