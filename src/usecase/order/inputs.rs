//! Provisioning inputs: sealed when somebody hands them in, opened once, for the worker that claims the attempt.

use std::fmt;

use domain::{
    id::ItemId,
    mint::Mint,
    order::{Decision, InputsState, LineInputs, Sealed, check_inputs},
};
use serde::Serialize;

use crate::{
    error::{Error, Result},
    keys::Keys,
    store::Tx,
};

/// What workers need for a line: a JSON object that may hold secrets.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Inputs(pub serde_json::Value);

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inputs(..)")
    }
}

/// Who seals: with these keys, into rows of these ids.
pub(super) struct Sealer<'a> {
    pub keys: &'a Keys,
    pub mint: &'a mut Mint,
}

impl Sealer<'_> {
    /// Inputs as they are kept.
    pub fn seal(&mut self, inputs: &Inputs, path: &str) -> Result<Sealed> {
        check_inputs(&inputs.0, path)?;
        let id = self.mint.id::<domain::id::InputsId>();
        Ok(Sealed { id, text: self.keys.store(id.0, inputs.0.to_string().as_bytes()) })
    }

    /// The inputs of lines as they are kept.
    pub fn seal_lines(&mut self, lines: &[(ItemId, Inputs)]) -> Result<Vec<LineInputs>> {
        let each = lines.iter().enumerate().map(|(i, (item, inputs))| {
            let sealed = self.seal(inputs, &format!("inputs.{i}.inputs"))?;
            Ok(LineInputs { item: *item, sealed })
        });
        each.collect()
    }
}

/// What the attempt that a decision hands over was begun with. Its row goes with the decision, in the same
/// transaction: nobody reads it again.
pub(super) async fn handed_over(tx: &Tx, keys: &Keys, decision: &Decision) -> Result<Option<Inputs>> {
    let before = decision.before().map(|order| order.attempts.as_slice()).unwrap_or_default();
    let was_sealed =
        |id| before.iter().any(|attempt| attempt.id == id && attempt.inputs == Some(InputsState::Sealed));
    let mut read = decision.after().attempts.iter().filter(|it| it.inputs == Some(InputsState::Read));
    let Some(attempt) = read.find(|attempt| was_sealed(attempt.id)) else { return Ok(None) };
    let sealed = tx.inputs(attempt.id).await?.ok_or_else(|| Error::internal("inputs that are gone"))?;
    let said = keys.stored(sealed.id.0, &sealed.text).ok_or_else(|| {
        Error::internal("provisioning inputs are sealed under a secret that this server does not know: name it in previous_secrets")
    })?;
    let value = serde_json::from_slice(&said).map_err(|error| Error::Internal(error.into()))?;
    Ok(Some(Inputs(value)))
}
