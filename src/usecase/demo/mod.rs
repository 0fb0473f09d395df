//! The demo company: an operator, two providers, three customers, a catalogue over all five workflows,
//! and some 200 orders in every status, each with a timeline that the rules themselves have made.
//! The same moment gives the same company, down to the order numbers.

mod basket;
mod catalogue;
mod company;
mod history;
mod step;
mod stories;

use chrono::{DateTime, Utc};
use domain::mint::Mint;

use crate::{
    app::App,
    error::{Error, Result},
    store::{self, people},
};

/// Loads the demo company, whole or not at all, with times that lead up to the present moment.
///
/// # Errors
/// BAD_USER_INPUT when the database holds organisations already; the database's.
pub async fn load(app: &App) -> Result<()> {
    if !is_empty(app).await? {
        let message = "the database holds organisations already; the demo company wants a new one";
        return Err(Error::bad_input("demo", message));
    }
    let now = app.world.now();
    let mut chance = Chance::default();
    let company = company::found(now, &mut chance)?;
    let levels = history::tell(&app.book.now(), &company, now, &mut chance)?;
    app.store
        .write(async move |tx| {
            company.save(&tx).await?;
            for decisions in levels {
                store::save(&tx, &decisions).await?;
            }
            Ok(())
        })
        .await?;
    app.feed.ring();
    Ok(())
}

/// Whether no organisation is known yet.
///
/// # Errors
/// The database's.
pub async fn is_empty(app: &App) -> Result<bool> {
    let first = people::Stretch { after: None, before: None, from_end: false, limit: 1 };
    Ok(people::organization_page(&app.store, None, first).await?.is_empty())
}

/// Chance without surprise: the same mints and the same throws in the same order, every time.
#[derive(Debug, Default)]
struct Chance {
    mints: u64,
    throws: u64,
}

impl Chance {
    /// The next mint, for this moment.
    fn mint(&mut self, at: DateTime<Utc>) -> Mint {
        self.mints += 1;
        let mut seed = *b"the demo company of ordo\0\0\0\0\0\0\0\0";
        seed[24..].copy_from_slice(&self.mints.to_be_bytes());
        Mint::new(at, seed)
    }

    /// A number below `sides`: SplitMix64, which fits in three lines and never changes.
    fn roll(&mut self, sides: u64) -> u64 {
        self.throws = self.throws.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.throws ^ (self.throws >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides.max(1)
    }
}

#[cfg(test)]
mod tests;
