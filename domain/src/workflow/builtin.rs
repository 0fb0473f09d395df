//! The five workflows that ship with the product, embedded so that a change is a reviewed diff.

use std::sync::LazyLock;

use super::{Definition, Fault, parse};

/// Code and text of each.
pub const SOURCES: [(&str, &str); 5] = [
    ("cloud", include_str!("builtin/cloud.toml")),
    ("hosting", include_str!("builtin/hosting.toml")),
    ("marketplace", include_str!("builtin/marketplace.toml")),
    ("delivery", include_str!("builtin/delivery.toml")),
    ("commerce", include_str!("builtin/commerce.toml")),
];

/// A released binary never changes its mind about them: once is enough.
static READ: LazyLock<Result<Vec<Definition>, Vec<Fault>>> = LazyLock::new(read);

/// All five, read and checked.
///
/// # Errors
/// Every fault of every file, the place prefixed with the workflow's code.
pub fn builtin() -> Result<Vec<Definition>, Vec<Fault>> {
    READ.clone()
}

fn read() -> Result<Vec<Definition>, Vec<Fault>> {
    let mut definitions = Vec::with_capacity(SOURCES.len());
    let mut faults = Vec::new();
    for (code, text) in SOURCES {
        match parse(text) {
            Ok(definition) => definitions.push(definition),
            Err(found) => faults.extend(found.into_iter().map(|fault| fault.within(code))),
        }
    }
    if faults.is_empty() { Ok(definitions) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_workflow_checks_clean_and_is_filed_under_its_code() {
        let codes: Vec<_> = builtin().unwrap().into_iter().map(|definition| definition.code).collect();
        assert_eq!(codes, SOURCES.map(|(code, _)| code));
    }
}
