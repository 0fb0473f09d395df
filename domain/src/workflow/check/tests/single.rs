//! Single transitions.

use super::{CHOOSE, DROP, PAUSED, REMOVE, SOUND, answered, changed, faults, sound_and};

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
    let text = changed(SOUND, "needs = [\"error\"]\neffects = [\"close_attempt_failed\"]", "");
    assert!(faults(&text).iter().any(|fault| fault.contains("so no stage ever failed")));
}

#[test]
fn a_row_by_itself_has_a_status_of_its_own_to_lead_to() {
    let text = changed(&sound_and(CHOOSE), "bulk_only = true", "auto = \"nothing_active\"");
    let text = changed(&text, "code = \"job\"", "code = \"job\"\nmoves = \"free\"");
    answered(
        &changed(&text, "by = [\"staff\"]\nbulk", "by = [\"system\"]\nbulk"),
        "transition[5].to: a row with `auto`",
    );
}
