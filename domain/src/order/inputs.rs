//! What workers need for a line: server, user name, overrides. The rules bound it and hand it on sealed;
//! nothing here can read it.

use std::fmt;

use super::content::check_json;
use crate::{
    id::{InputsId, ItemId},
    refusal::Refusal,
};

/// Provisioning inputs that the server alone can read.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Their row; they open under no other.
    pub id: InputsId,
    /// The sealed text.
    pub text: String,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({:?})", self.id)
    }
}

/// The inputs of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineInputs {
    /// The line.
    pub item: ItemId,
    /// What its worker needs.
    pub sealed: Sealed,
}

/// Whether inputs may be handed on: a JSON object, as large and as deep as a line's configuration may be.
///
/// # Errors
/// VALIDATION at `path`; the sentence says nothing of what the inputs hold.
pub fn check_inputs(value: &serde_json::Value, path: &str) -> Result<(), Refusal> {
    check_json(value, path)
}

/// Refuses inputs for lines on which no work begins, and two for one line: they would be lost in silence.
pub(super) fn check_lines(given: &[LineInputs], begun: &[ItemId]) -> Result<(), Refusal> {
    for (i, line) in given.iter().enumerate() {
        let place = format!("inputs.{i}.item");
        if !begun.contains(&line.item) {
            return Err(Refusal::invalid(&place, "no work begins on this line: leave its inputs out"));
        }
        if given[..i].iter().any(|other| other.item == line.item) {
            return Err(Refusal::invalid(&place, "a line has inputs once"));
        }
    }
    Ok(())
}
