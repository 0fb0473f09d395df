//! What cannot be read.

use super::{SOUND, answered, changed, faults};

refused! {
    an_unknown_role_is_refused: SOUND, "by = [\"worker\"]" => "by = [\"boss\"]",
        "line 55, column 7: unknown variant `boss`";
    an_unknown_guard_is_refused: SOUND, "no_provider_approval" => "full_moon",
        "line 39, column 8: unknown variant `full_moon`";
    an_unknown_effect_is_refused: SOUND, "\"close_attempt_ok\"" => "\"explode\"",
        "line 56, column 12: unknown variant `explode`";
    an_unknown_need_is_refused: SOUND, "needs = [\"error\"]" => "needs = [\"money\"]",
        "line 64, column 10: unknown variant `money`";
    an_unknown_category_is_refused: SOUND, "\"FAILED\"" => "\"BROKEN\"",
        "line 23, column 12: unknown variant `BROKEN`";
    an_unknown_target_word_is_refused: SOUND, "@failed_stage" => "@nowhere",
        "line 71, column 6: `@nowhere` is no target";
    an_unknown_word_for_from_is_refused: SOUND, "from = [\"broken\"]" => "from = \"any\"",
        "line 70, column 8: invalid value: string \"any\", expected a list of status codes, or \"*\"";
    an_unknown_key_is_refused: SOUND, "stalls_after_min" => "stalls_after",
        "line 18, column 1: unknown field `stalls_after`";
    an_unknown_key_of_the_workflow_is_refused: SOUND, "label = \"Job\"" => "lable = \"Job\"",
        "line 3, column 1: unknown field `lable`";
    a_missing_key_is_refused: SOUND, "action = \"finish\"\n" => "",
        "line 50, column 1: missing field `action`";
    a_negative_version_is_refused: SOUND, "label = \"Job\"" => "label = \"Job\"\nversion = -1",
        "line 4, column 11: invalid value: integer `-1`";
    what_is_no_toml_is_refused: SOUND, "code = \"job\"" => "code = job\"",
        "line 2, column 8: ";
}

#[test]
fn every_unreadable_entry_is_told_at_once_in_the_order_of_the_file() {
    let text = changed(SOUND, "label = \"Job\"", "lable = \"Job\"");
    let text = changed(&text, "\"FAILED\"", "\"BROKEN\"");
    let text = changed(&text, "by = [\"worker\"]", "by = [\"boss\"]");
    let lines: Vec<_> =
        faults(&text).iter().filter_map(|fault| fault.split(':').next()).map(str::to_owned).collect();
    assert_eq!(lines, ["line 3, column 1", "line 23, column 12", "line 55, column 7"]);
}

#[test]
fn statuses_that_are_no_list_are_refused() {
    answered("status = 3\ncode = \"a\"\nlabel = \"A\"", "line 1, column 10: invalid type: integer `3`");
    answered("", "line 1, column 1: missing field `code`");
}

#[test]
fn a_column_counts_characters_and_lines_end_where_they_end() {
    answered("label = \"Ünï\"\r\nlabel = \"ü\" \"", "line 2, column 13: ");
}
