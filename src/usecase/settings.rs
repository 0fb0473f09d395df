//! The operator's settings, as an administrator changes them.

use domain::{actor::Actor, permission, refusal::Refusal};

use crate::{
    app::App,
    error::{Error, Result},
    store::settings::Settings,
};

/// What an administrator wants changed; what is not named stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Whether orders expire by themselves.
    pub expiry_enabled: Option<bool>,
}

/// Changes settings, and says how they stand. Every process hears of it through the log; nothing that is the same
/// already is noted.
///
/// # Errors
/// FORBIDDEN for all but administrators; VALIDATION when nothing is named.
pub async fn save(app: &App, actor: &Actor, wanted: Wanted) -> Result<Settings> {
    let by = actor.user().filter(|_| permission::may_set(actor)).ok_or(Error::Forbidden)?;
    let Wanted { expiry_enabled: Some(expiry_enabled) } = wanted else {
        let message = "name a setting to change".to_owned();
        return Err(Refusal::Validation { path: Vec::new(), message }.into());
    };
    let mut mint = app.world.mint();
    let saved = app.store.write(async move |tx| {
        let (before, after) = (tx.settings().await?, Settings { expiry_enabled });
        if before != after {
            tx.save_settings((mint.id(), by), (before, after), mint.now()).await?;
        }
        Ok(after)
    });
    let saved = saved.await?;
    app.feed.ring();
    Ok(saved)
}
