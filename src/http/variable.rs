//! Variables that an operation must have. The library looks for them only when it meets the field, and
//! then calls it the field's error; the specification wants the request refused before anything runs.

use async_graphql::{
    Positioned, ServerError, Value, Variables,
    parser::types::{OperationDefinition, VariableDefinition},
};

/// Whether every variable of an operation that may not be null has a value. All else about values is for
/// the library's own validation.
///
/// # Errors
/// The first that has none.
pub(super) fn check(operation: &OperationDefinition, given: &Variables) -> Result<(), ServerError> {
    operation.variable_definitions.iter().try_for_each(|variable| check_one(variable, given))
}

fn check_one(variable: &Positioned<VariableDefinition>, given: &Variables) -> Result<(), ServerError> {
    let Positioned { pos, node } = variable;
    let what = match given.get(&node.name.node) {
        _ if node.var_type.node.nullable => return Ok(()),
        None if node.default_value.is_none() => "was not provided",
        Some(Value::Null) => "must not be null",
        _ => return Ok(()),
    };
    let message = format!("Variable \"${}\" of required type \"{}\" {what}.", node.name, node.var_type);
    Err(ServerError::new(message, Some(*pos)))
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use serde_json::json;

    use super::*;

    fn said(operation: &str, given: serde_json::Value) -> String {
        let document = parse_query(operation).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let error = check(&operation.node, &Variables::from_json(given)).err();
        error.map(|error| format!("{} {:?}", error.message, error.locations)).unwrap_or_default()
    }

    #[test]
    fn a_variable_that_may_not_be_null_needs_a_value() {
        let missing = said("query($a: Int, $ids: [ID!]!) { a }", json!({ "a": 1, "other": 2 }));
        assert!(
            missing.starts_with("Variable \"$ids\" of required type \"[ID!]!\" was not provided. [Pos(1:"),
            "{missing}"
        );
        for operation in ["query($n: Int!) { a }", "query($n: Int! = 7) { a }"] {
            let null = said(operation, json!({ "n": null }));
            assert!(
                null.starts_with("Variable \"$n\" of required type \"Int!\" must not be null."),
                "{null}"
            );
        }
    }

    #[test]
    fn everything_else_passes() {
        for (operation, given) in [
            ("{ a }", json!({ "n": null })),
            ("query($n: Int) { a }", json!({})),
            ("query($n: Int) { a }", json!({ "n": null })),
            ("query($n: Int! = 7) { a }", json!({})),
            ("query($n: Int!) { a }", json!({ "n": "of another type" })),
            ("query($n: [Int!]!) { a }", json!({ "n": [] })),
            ("subscription($n: Int!) { a }", json!({ "n": 0 })),
        ] {
            assert_eq!(said(operation, given.clone()), "", "{operation} {given}");
        }
    }
}
