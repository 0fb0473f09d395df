//! Keys changed: what is stored under earlier secrets is sealed anew under the present one.

use domain::{id::InputsId, order::Sealed};

use crate::{app::App, error::Result};

/// How many texts one transaction seals anew.
const CHUNK: usize = 100;

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    /// How many are sealed under the present secret now, and were not before.
    pub anew: usize,
    /// How many are sealed under a secret that is not known here, and were left as they are.
    pub unknown: usize,
}

/// Seals every stored secret anew that is not sealed under the present secret. Chunk by chunk: whoever stops it
/// loses nothing, and may begin again.
///
/// # Errors
/// The database's.
pub async fn rotate(app: &App) -> Result<Rotated> {
    let (mut rotated, mut after) = (Rotated::default(), None);
    loop {
        let (chunk, last) = rotate_chunk(app, after).await?;
        rotated.anew += chunk.anew;
        rotated.unknown += chunk.unknown;
        match last {
            Some(last) => after = Some(last),
            None => return Ok(rotated),
        }
    }
}

/// The next chunk; and its last row, if there was any.
async fn rotate_chunk(app: &App, after: Option<InputsId>) -> Result<(Rotated, Option<InputsId>)> {
    let keys = app.keys.clone();
    let work = app.store.write(async move |tx| {
        let found = tx.inputs_under_others(keys.rest_id(), after, CHUNK).await?;
        let (mut rotated, last) = (Rotated::default(), found.last().map(|inputs| inputs.id));
        for Sealed { id, text } in found {
            let Some(said) = keys.stored(id.0, &text) else {
                rotated.unknown += 1;
                continue;
            };
            tx.seal_anew(&Sealed { id, text: keys.store(id.0, &said) }).await?;
            rotated.anew += 1;
        }
        Ok((rotated, last))
    });
    work.await
}
