//! One sound definition, and what each way of breaking it is answered with.

use super::*;

const SOUND: &str = r##"
code = "job"
label = "Job"

[[status]]
code = "draft"
label = "Draft"
category = "DRAFT"
color = "#6b7280"
initial = true
editable = true

[[status]]
code = "doing"
label = "Doing"
category = "IN_PROGRESS"
color = "#2563EB"
stalls_after_min = 30

[[status]]
code = "broken"
label = "Broken"
category = "FAILED"
color = "#dc2626"

[[status]]
code = "done"
label = "Done"
category = "SUCCEEDED"
color = "#16a34a"
is_final = true

[[transition]]
action = "start"
label = "Start"
from = ["draft"]
to = "doing"
by = ["staff", "system"]
when = "no_provider_approval"
effects = ["open_attempt"]

[[transition]]
action = "start"
label = "Start"
from = ["draft"]
to = "doing"
by = ["staff"]
effects = ["freeze_prices", "open_invoice", "open_attempt"]

[[transition]]
action = "finish"
label = "Finish"
from = ["doing"]
to = "done"
by = ["worker"]
effects = ["close_attempt_ok"]

[[transition]]
action = "fail"
label = "Fail"
from = ["doing"]
to = "broken"
by = ["worker"]
needs = ["error"]
effects = ["close_attempt_failed"]

[[transition]]
action = "retry"
label = "Retry"
from = ["broken"]
to = "@failed_stage"
by = ["staff"]
effects = ["open_attempt"]
"##;

/// A row or status appended to [`SOUND`].
const DROP: &str = r##"
[[transition]]
action = "drop"
label = "Drop"
from = ["doing"]
to = "done"
by = ["staff"]
"##;
const REMOVE: &str = r##"
[[transition]]
action = "remove"
label = "Remove"
from = ["broken"]
to = "@gone"
by = ["admin"]
needs = ["number"]
"##;
const CHOOSE: &str = r##"
[[transition]]
action = "set"
label = "Set"
from = "*"
to = "@chosen"
by = ["staff"]
bulk = "yes"
bulk_only = true
"##;
const PAUSED: &str = r##"
[[status]]
code = "paused"
label = "Paused"
category = "PENDING"
color = "#d97706"
[[transition]]
action = "pause"
label = "Pause"
from = ["doing"]
to = "paused"
by = ["staff", "system"]
auto = "nothing_active"
[[transition]]
action = "resume"
label = "Resume"
from = ["paused"]
to = "doing"
by = ["staff", "system"]
"##;

fn faults(text: &str) -> Vec<String> {
    parse(text)
        .err()
        .unwrap_or_default()
        .iter()
        .map(Fault::to_string)
        .collect()
}

fn changed(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "the sound definition has no {old}");
    text.replacen(old, new, 1)
}

/// The change is answered with this fault, and with no other.
fn answered(text: &str, expected: &str) {
    let found = faults(text);
    assert!(
        found.len() == 1 && found[0].starts_with(expected),
        "expected {expected}\nfound {found:#?}"
    );
}

macro_rules! refused {
    ($($sentence:ident: $base:expr, $old:literal => $new:literal, $expected:literal;)*) => {
        $(#[test] fn $sentence() { answered(&changed(&$base, $old, $new), $expected); })*
    };
}

/// Appended to, so that a case changes what it is about alone.
fn sound_and(more: &str) -> String {
    SOUND.to_owned() + more
}

#[test]
fn sound_definitions_have_no_faults() {
    for more in ["", DROP, REMOVE, CHOOSE, PAUSED] {
        assert_eq!(faults(&sound_and(more)), Vec::<String>::new(), "{more}");
    }
}

// What cannot be read.
refused! {
    an_unknown_role_is_refused: SOUND, "by = [\"worker\"]" => "by = [\"boss\"]",
        "line 53: unknown variant `boss`";
    an_unknown_guard_is_refused: SOUND, "no_provider_approval" => "full_moon",
        "line 39: unknown variant `full_moon`";
    an_unknown_effect_is_refused: SOUND, "\"close_attempt_ok\"" => "\"explode\"",
        "line 54: unknown variant `explode`";
    an_unknown_need_is_refused: SOUND, "needs = [\"error\"]" => "needs = [\"money\"]",
        "line 62: unknown variant `money`";
    an_unknown_category_is_refused: SOUND, "\"FAILED\"" => "\"BROKEN\"",
        "line 22: unknown variant `BROKEN`";
    an_unknown_target_word_is_refused: SOUND, "@failed_stage" => "@nowhere",
        "line 69: `@nowhere` is no target";
    an_unknown_word_for_from_is_refused: SOUND, "from = [\"broken\"]" => "from = \"any\"",
        "line 68: invalid value: string \"any\", expected a list of status codes, or \"*\"";
    an_unknown_key_is_refused: SOUND, "stalls_after_min" => "stalls_after",
        "line 17: unknown field `stalls_after`";
    an_unknown_key_of_the_workflow_is_refused: SOUND, "label = \"Job\"" => "lable = \"Job\"",
        "line 3: unknown field `lable`";
    a_missing_key_is_refused: SOUND, "action = \"finish\"\n" => "",
        "line 48: missing field `action`";
    a_negative_version_is_refused: SOUND, "label = \"Job\"" => "label = \"Job\"\nversion = -1",
        "line 4: invalid value: integer `-1`";
    what_is_no_toml_is_refused: SOUND, "code = \"job\"" => "code = job\"",
        "line 2: ";
}

#[test]
fn every_unreadable_entry_is_told_at_once_in_the_order_of_the_file() {
    let text = changed(SOUND, "label = \"Job\"", "lable = \"Job\"");
    let text = changed(&text, "\"FAILED\"", "\"BROKEN\"");
    let text = changed(&text, "by = [\"worker\"]", "by = [\"boss\"]");
    let lines: Vec<_> = faults(&text)
        .iter()
        .filter_map(|fault| fault.split(':').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(lines, ["line 3", "line 22", "line 53"]);
}

#[test]
fn statuses_that_are_no_list_are_refused() {
    answered(
        "status = 3\ncode = \"a\"\nlabel = \"A\"",
        "line 1: invalid type: integer `3`",
    );
    answered("", "line 1: missing field `code`");
}

// The workflow and its statuses.
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

// Single transitions.
refused! {
    an_unknown_status_in_from_is_refused: SOUND, "from = [\"broken\"]" => "from = [\"broken\", \"lost\"]",
        "transition[4].from: there is no status `lost`; there are: draft, doing, broken, done";
    an_unknown_status_in_to_is_refused: sound_and(DROP), "to = \"done\"\nby = [\"staff\"]" => "to = \"lost\"\nby = [\"staff\"]",
        "transition[5].to: there is no status `lost`";
    a_row_from_nowhere_is_refused: sound_and(DROP), "from = [\"doing\"]\nto = \"done\"\nby = [\"staff\"]" => "from = []\nto = \"done\"\nby = [\"staff\"]",
        "transition[5].from: `drop` leaves no status";
    a_status_twice_in_from_is_refused: SOUND, "from = [\"broken\"]" => "from = [\"broken\", \"broken\"]",
        "transition[4].from: `broken` stands there twice";
    an_effect_twice_is_refused: SOUND, "[\"close_attempt_ok\"]" => "[\"close_attempt_ok\", \"close_attempt_ok\"]",
        "transition[2].effects: `close_attempt_ok` stands there twice";
    a_need_twice_is_refused: SOUND, "[\"error\"]" => "[\"error\", \"error\"]",
        "transition[3].needs: `error` stands there twice";
    an_invoice_before_the_prices_it_carries_is_refused: SOUND, "\"freeze_prices\", \"open_invoice\"" => "\"open_invoice\", \"freeze_prices\"",
        "transition[1].effects: `freeze_prices` must stand before `open_invoice`";
    an_effect_beyond_the_ceiling_is_refused: SOUND, "effects = [\"close_attempt_ok\"]" => "effects = [\"close_attempt_ok\", \"refund_payments\"]",
        "transition[2].by: `refund_payments` is beyond worker; it is for admin, staff, system";
    removal_by_staff_is_beyond_the_ceiling: sound_and(REMOVE), "by = [\"admin\"]" => "by = [\"admin\", \"staff\"]",
        "transition[5].by: `@gone` is beyond staff; it is for admin";
    removal_without_the_number_is_refused: sound_and(REMOVE), "needs = [\"number\"]" => "",
        "transition[5].needs: what cannot be undone needs `number`";
    removal_with_an_effect_is_refused: sound_and(REMOVE), "[\"number\"]" => "[\"number\"]\neffects = [\"refund_payments\"]",
        "transition[5].effects: an order that goes";
    a_free_choice_by_consumers_is_beyond_the_ceiling: sound_and(CHOOSE), "by = [\"staff\"]\nbulk" => "by = [\"staff\", \"consumer\"]\nbulk",
        "transition[5].by: `@chosen` is beyond consumer";
    a_free_choice_where_moves_are_strict_is_refused: sound_and(CHOOSE), "bulk_only = true" => "",
        "transition[5].to: `@chosen` needs moves = \"free\"";
    free_moves_without_a_free_choice_are_refused: SOUND, "label = \"Job\"" => "label = \"Job\"\nmoves = \"free\"",
        "moves: moves are free, but no row leads to `@chosen`";
    a_row_for_nobody_is_refused: sound_and(DROP), "to = \"done\"\nby = [\"staff\"]" => "to = \"done\"\nby = []",
        "transition[5].by: nobody may `drop`";
    support_moves_nothing: sound_and(DROP), "to = \"done\"\nby = [\"staff\"]" => "to = \"done\"\nby = [\"staff\", \"support\"]",
        "transition[5].by: support reads and writes notes";
    an_error_that_nobody_keeps_is_refused: sound_and(DROP), "action = \"drop\"" => "action = \"drop\"\nneeds = [\"error\"]",
        "transition[5].needs: an `error` needs the effect `close_attempt_failed`";
    a_failure_without_an_error_is_refused: SOUND, "needs = [\"error\"]" => "needs = [\"reason\"]",
        "transition[3].effects: `close_attempt_failed` needs an `error`";
    an_attempt_that_ends_well_and_badly_is_refused: SOUND, "[\"close_attempt_failed\"]" => "[\"close_attempt_failed\", \"close_attempt_ok\"]",
        "transition[3].effects: an attempt ends well or badly";
    a_failed_stage_without_a_new_attempt_is_refused: SOUND, "by = [\"staff\"]\neffects = [\"open_attempt\"]" => "by = [\"staff\"]",
        "transition[4].to: `@failed_stage` begins again";
    bulk_alone_without_bulk_is_refused: sound_and(DROP), "action = \"drop\"" => "action = \"drop\"\nbulk_only = true",
        "transition[5].bulk: `bulk_only` without `bulk`";
    a_number_in_bulk_is_refused: sound_and(DROP), "action = \"drop\"" => "action = \"drop\"\nneeds = [\"number\"]\nbulk = \"yes\"",
        "transition[5].bulk: one number cannot be typed again";
    a_failed_stage_by_status_alone_is_refused: SOUND, "label = \"Retry\"" => "label = \"Retry\"\nbulk = \"status_only\"",
        "transition[4].bulk: an order back in its stage";
    a_row_by_itself_that_is_not_the_system_s_is_refused: sound_and(PAUSED), "\"staff\", \"system\"]\nauto" => "\"staff\"]\nauto",
        "transition[5].by: a row with `auto` is taken by `system`";
    a_row_by_itself_that_needs_something_is_refused: sound_and(PAUSED), "auto = " => "needs = [\"reason\"]\nauto = ",
        "transition[5].needs: a row with `auto` fires by itself";
    a_row_by_itself_for_bulk_alone_is_refused: sound_and(PAUSED), "auto = " => "bulk = \"yes\"\nbulk_only = true\nauto = ",
        "transition[5].bulk_only: a row with `auto`";
    removal_in_bulk_is_refused: sound_and(REMOVE), "needs = [\"number\"]" => "needs = [\"number\"]\nbulk = \"yes\"",
        "transition[5].bulk: orders are removed for good one by one";
}

#[test]
fn a_failed_stage_where_nothing_fails_is_refused() {
    let text = changed(
        SOUND,
        "needs = [\"error\"]\neffects = [\"close_attempt_failed\"]",
        "",
    );
    assert!(
        faults(&text)
            .iter()
            .any(|fault| fault.contains("so no stage ever failed"))
    );
}

#[test]
fn a_row_by_itself_has_a_status_of_its_own_to_lead_to() {
    let text = changed(
        &sound_and(CHOOSE),
        "bulk_only = true",
        "auto = \"nothing_active\"",
    );
    let text = changed(&text, "code = \"job\"", "code = \"job\"\nmoves = \"free\"");
    answered(
        &changed(&text, "by = [\"staff\"]\nbulk", "by = [\"system\"]\nbulk"),
        "transition[5].to: a row with `auto`",
    );
}

// Rows that share an action and a status.
refused! {
    two_rows_with_the_same_condition_and_people_in_common_are_refused: SOUND, "when = \"no_provider_approval\"\n" => "",
        "transition[1]: `start` from `draft` has people in common and the same `when` as transition[0]";
    an_administrator_counts_wherever_staff_may: sound_and(REMOVE), "action = \"remove\"" => "action = \"retry\"",
        "transition[5]: `retry` from `broken` has people in common and the same `when` as transition[4]";
    a_last_row_with_a_condition_is_refused: SOUND, "by = [\"staff\"]\neffects = [\"freeze_prices\"" => "by = [\"staff\"]\nwhen = \"nothing_active\"\neffects = [\"freeze_prices\"",
        "transition[1].when: `start` from `draft` is the last of several rows";
}

#[test]
fn rows_overlap_where_one_leaves_any_status() {
    let text = changed(
        &sound_and(DROP),
        "from = [\"doing\"]\nto = \"done\"\nby = [\"worker\"]",
        "from = \"*\"\nto = \"done\"\nby = [\"staff\"]",
    );
    let text = changed(
        &text,
        "\n[[transition]]\naction = \"finish\"",
        "\n[[transition]]\naction = \"drop\"",
    );
    assert!(
        faults(&text)
            .iter()
            .any(|fault| fault.starts_with("transition[5]: `drop` from `doing` has people"))
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
    let text = changed(
        &sound_and(DROP),
        "action = \"drop\"",
        "auto = \"paid_in_full\"\naction = \"drop\"",
    );
    let text = changed(
        &text,
        "to = \"done\"\nby = [\"staff\"]",
        "to = \"doing\"\nby = [\"staff\", \"system\"]",
    );
    answered(
        &text,
        "transition[5].auto: automatic rows run in a circle: doing -> doing",
    );
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
    assert_eq!(
        faults(&sound_and(&(lonely.to_owned() + CHOOSE))),
        Vec::<String>::new()
    );
}

// Sizes.
#[test]
fn a_definition_of_more_than_256_kib_is_refused_unread() {
    answered(&"#".repeat(MAX_BYTES + 1), "definition: 262145 bytes");
}

#[test]
fn more_statuses_or_transitions_than_allowed_are_refused() {
    let mut definition = parse(SOUND).unwrap();
    let (status, row) = (definition.statuses[1].clone(), definition.transitions[4].clone());
    definition.statuses = vec![status; MAX_STATUSES + 1];
    definition.transitions = vec![row; MAX_TRANSITIONS + 1];
    let places: Vec<_> = check(&definition)
        .into_iter()
        .map(|fault| fault.to_string())
        .collect();
    assert_eq!(
        places,
        [
            "status: 201 statuses; at most 200 are allowed",
            "transition: 1001 transitions; at most 1000 are allowed",
        ]
    );
}

#[test]
fn faults_without_number_are_told_up_to_a_limit() {
    let mut definition = parse(SOUND).unwrap();
    definition.transitions[0].from =
        crate::workflow::Origin::Statuses((0..5_000).map(|n| format!("s{n}")).collect());
    let found = check(&definition);
    assert_eq!(found.len(), MAX_FAULTS + 1);
    assert!(found[MAX_FAULTS].message.ends_with("more faults are not listed"));
}
