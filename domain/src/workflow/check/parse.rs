//! From text to a definition. Words that the product does not know are found here, by the types.

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, Error, ValueDeserializer},
};

use super::{Fault, Faults, MAX_BYTES, MAX_FAULTS, check};
use crate::workflow::{Definition, Draft, Status, Transition};

/// Reads a definition and checks it.
///
/// # Errors
/// Every fault: what is not readable, one fault per entry, with its line as place; if all is
/// readable, what [`check`] finds.
pub fn parse(text: &str) -> Result<Definition, Vec<Fault>> {
    if text.len() > MAX_BYTES {
        let message = format!("{} bytes; at most {MAX_BYTES} are allowed", text.len());
        return Err(vec![Fault { place: "definition".to_owned(), message }]);
    }
    let definition: Definition = toml::from_str(text).map_err(|error| unreadable(text, error))?;
    let faults = check(&definition);
    if faults.is_empty() { Ok(definition) } else { Err(faults) }
}

/// Reads a definition that is to be saved, with the version and revision that its text tells.
///
/// # Errors
/// As [`parse`].
pub fn parse_draft(text: &str) -> Result<Draft, Vec<Fault>> {
    let definition = parse(text)?;
    let stated = toml::from_str(text).map_err(|error| vec![fault(text, &error)])?;
    Ok(Draft { definition, stated })
}

/// What cannot be read, one fault per status and transition: serde stops at the first, and people
/// want to mend a file in one go.
fn unreadable(text: &str, first: Error) -> Vec<Fault> {
    let Ok(document) = DeTable::parse(text) else {
        return vec![fault(text, &first)];
    };
    let span = document.span();
    let mut table = document.into_inner();
    let mut errors = entries::<Status>(&mut table, "status");
    errors.extend(entries::<Transition>(&mut table, "transition"));
    errors.extend(attempt::<Definition>(Spanned::new(span, DeValue::Table(table))));
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    let mut faults = Faults { found: Vec::new(), untold: errors.len().saturating_sub(MAX_FAULTS) };
    // The line of each is counted from the top, so no more are looked up than are told.
    faults.found.extend(errors.iter().take(MAX_FAULTS).map(|error| fault(text, error)));
    if errors.is_empty() {
        faults.found.push(fault(text, &first));
    }
    faults.told()
}

/// The unreadable entries of an array of tables, which is taken out of its document.
fn entries<T: DeserializeOwned>(table: &mut DeTable<'_>, key: &str) -> Vec<Error> {
    let is_array = table.get(key).is_some_and(|value| value.get_ref().is_array());
    let value = if is_array { table.remove(key) } else { None };
    match value.map(Spanned::into_inner) {
        Some(DeValue::Array(values)) => values.into_iter().filter_map(attempt::<T>).collect(),
        _ => Vec::new(),
    }
}

fn attempt<T: DeserializeOwned>(value: Spanned<DeValue<'_>>) -> Option<Error> {
    T::deserialize(ValueDeserializer::from(value)).err()
}

fn fault(text: &str, error: &Error) -> Fault {
    let start = error.span().map_or(0, |span| text.floor_char_boundary(span.start));
    let before = &text[..start];
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    Fault { place: format!("line {line}, column {column}"), message: error.message().to_owned() }
}
