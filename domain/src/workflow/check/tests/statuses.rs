//! The workflow itself and its statuses.

use super::{SOUND, answered, changed, sound_and};

refused! {
    a_code_with_capitals_is_refused: SOUND, "code = \"job\"" => "code = \"Job\"",
        "code: `Job` is no code";
    a_code_that_begins_with_a_digit_is_refused: SOUND, "action = \"finish\"" => "action = \"1st\"",
        "transition[2].action: `1st` is no code";
    a_code_of_41_characters_is_refused: SOUND, "code = \"job\"" => "code = \"a1234567890123456789012345678901234567890\"",
        "code: `a1234567890123456789012345678901234567890` is no code";
    an_empty_label_is_refused: SOUND, "label = \"Job\"" => "label = \"\"",
        "label: from 1 to 80 characters";
    a_label_of_blanks_is_refused: SOUND, "label = \"Doing\"" => "label = \"  \"",
        "status[doing].label: control characters, and blanks";
    a_label_with_a_line_break_is_refused: SOUND, "label = \"Retry\"" => "label = \"Re\\ntry\"",
        "transition[4].label: control characters";
    a_version_of_zero_is_refused: SOUND, "label = \"Job\"" => "label = \"Job\"\nversion = 0",
        "version: a whole number from 1";
    a_revision_beyond_the_column_is_refused: SOUND, "label = \"Job\"" => "label = \"Job\"\nrevision = 4000000000",
        "revision: a whole number from 1";
    a_colour_by_name_is_refused: SOUND, "#dc2626" => "red",
        "status[broken].color: `red` is no colour";
    a_colour_of_five_digits_is_refused: SOUND, "#dc2626" => "#dc262",
        "status[broken].color: `#dc262` is no colour";
    two_statuses_of_one_code_are_refused: sound_and("[[status]]\ncode = \"doing\"\nlabel = \"Doing\"\ncategory = \"PENDING\"\ncolor = \"#000000\""),
        "code = \"job\"" => "code = \"job\"", "status: `doing` stands there twice";
    a_second_initial_status_is_refused: SOUND, "stalls_after_min = 30" => "initial = true",
        "status[doing].initial: `draft` is initial already";
    a_workflow_without_initial_status_is_refused: SOUND, "initial = true" => "initial = false",
        "status: no status is initial";
    stalling_at_once_is_refused: SOUND, "stalls_after_min = 30" => "stalls_after_min = 0",
        "status[doing].stalls_after_min: from 1 to";
    a_final_status_that_stalls_is_refused: SOUND, "is_final = true" => "is_final = true\nstalls_after_min = 5",
        "status[done].stalls_after_min: what has ended";
    a_final_status_that_can_be_edited_is_refused: SOUND, "is_final = true" => "is_final = true\neditable = true",
        "status[done].editable: what has ended";
    a_final_status_that_counts_as_open_is_refused: SOUND, "\"SUCCEEDED\"" => "\"IN_PROGRESS\"",
        "status[done].category: a final status cannot be IN_PROGRESS";
    a_public_label_alone_is_refused: SOUND, "stalls_after_min = 30" => "public_label = \"Work\"",
        "status[doing].public_label: it needs a public_code";
    a_public_code_alone_would_show_the_internal_label: SOUND, "stalls_after_min = 30" => "public_code = \"work\"",
        "status[doing].public_code: it needs a public_label";
    a_bad_public_code_is_refused: SOUND, "stalls_after_min = 30" => "public_code = \"at work\"\npublic_label = \"Work\"",
        "status[doing].public_code: `at work` is no code";
    one_public_code_with_two_labels_is_refused: SOUND, "stalls_after_min = 30" => "public_code = \"draft\"\npublic_label = \"Work\"",
        "status[doing].public_label: buyers see the code `draft` with two labels: `Work` here, `Draft` for `draft`";
    an_effect_on_placing_that_buyers_may_not_cause_is_refused: SOUND, "label = \"Job\"" => "label = \"Job\"\non_create = [\"refund_payments\"]",
        "on_create: `refund_payments` is beyond those who place orders";
}
