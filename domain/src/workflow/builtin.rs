//! The five workflows that ship with the product, embedded so that a change is a reviewed diff.

use super::{Definition, Fault, parse};

/// Code and text of each.
pub const SOURCES: [(&str, &str); 5] = [
    ("cloud", include_str!("builtin/cloud.toml")),
    ("hosting", include_str!("builtin/hosting.toml")),
    ("marketplace", include_str!("builtin/marketplace.toml")),
    ("delivery", include_str!("builtin/delivery.toml")),
    ("commerce", include_str!("builtin/commerce.toml")),
];

/// All five, read and checked.
///
/// # Errors
/// Every fault of every file, the place prefixed with the workflow's code.
pub fn builtin() -> Result<Vec<Definition>, Vec<Fault>> {
    let mut definitions = Vec::with_capacity(SOURCES.len());
    let mut faults = Vec::new();
    for (code, text) in SOURCES {
        match parse(text) {
            Ok(definition) => definitions.push(definition),
            Err(found) => faults.extend(
                found.into_iter().map(|fault| Fault { place: format!("{code}: {}", fault.place), ..fault }),
            ),
        }
    }
    if faults.is_empty() { Ok(definitions) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::{Guard, Moves, Need, Target};

    fn shipped(code: &str) -> Definition {
        let all = builtin().unwrap();
        all.into_iter().find(|definition| definition.code == code).unwrap()
    }

    #[test]
    fn every_shipped_workflow_checks_clean_and_is_filed_under_its_code() {
        let codes: Vec<_> = builtin().unwrap().into_iter().map(|definition| definition.code).collect();
        assert_eq!(codes, SOURCES.map(|(code, _)| code));
    }

    #[test]
    fn every_shipped_workflow_survives_being_written_and_read_again() {
        for definition in builtin().unwrap() {
            let text = toml::to_string(&definition).unwrap();
            assert_eq!(parse(&text), Ok(definition.clone()));
            let json = serde_json::to_value(&definition).unwrap();
            assert_eq!(serde_json::from_value::<Definition>(json).unwrap(), definition);
        }
    }

    #[test]
    fn the_first_row_of_an_action_comes_first_and_other_statuses_rows_stay_out() {
        let marketplace = shipped("marketplace");
        let rows: Vec<_> = marketplace.rows("approve", "pending_consumer").collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].when, Some(Guard::NoProviderApproval));
        assert_eq!(rows[1].to, Target::Status("pending_provider".to_owned()));
        assert_eq!(marketplace.auto_rows("pending_consumer").count(), 2);
        assert_eq!(marketplace.auto_rows("pending_provider").count(), 0);
    }

    #[test]
    fn what_is_for_many_orders_alone_is_not_offered_on_one() {
        let hosting = shipped("hosting");
        assert_eq!(hosting.actions_from("cancelled"), ["reset_to_pending", "purge"]);
        assert!(hosting.actions().contains(&"set_status"));
        assert_eq!(hosting.rows("set_status", "fraud").count(), 1);
    }

    #[test]
    fn entering_a_status_by_choice_demands_what_the_named_action_demands() {
        let delivery = shipped("delivery");
        assert_eq!(delivery.moves, Moves::Free);
        let demands = |to| delivery.demands(to).map(|row| (row.action.as_str(), row.needs.clone(), row.when));
        assert_eq!(demands("in_transit"), Some(("dispatch", vec![], Some(Guard::AgentAssigned))));
        assert_eq!(demands("failed"), Some(("fail", vec![Need::Reason], None)));
        assert_eq!(demands("pending"), None);
    }

    #[test]
    fn buyers_see_one_status_where_staff_see_several() {
        let (cloud, hosting) = (shipped("cloud"), shipped("hosting"));
        let seen = |definition: &Definition, code: &str| {
            let status = definition.status(code).unwrap();
            (status.public_code().to_owned(), status.public_label().to_owned())
        };
        assert_eq!(seen(&cloud, "validating"), seen(&cloud, "provisioning"));
        assert_eq!(seen(&hosting, "fraud"), seen(&hosting, "cancelled"));
        assert_eq!(cloud.initial().unwrap().code, "draft");
    }
}
