//! `ordo keys rotate`: what is stored under earlier secrets, sealed under the present one.

use anyhow::{Result, bail};
use clap::Subcommand;
use ordo::{config::Config, usecase};

use super::{open_existing, plain, print, start};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Seal what is stored under previous_secrets under the present secret
    Rotate,
}

/// Runs the command. It may be stopped and run again, and servers may go on meanwhile.
pub(super) async fn run(config: &Config, command: KeysCommand) -> Result<()> {
    let KeysCommand::Rotate = command;
    let app = start(open_existing(config).await?, config).await?;
    let rotated = usecase::keys::rotate(&app).await.map_err(plain)?;
    app.store.close().await.map_err(plain)?;
    let usecase::keys::Rotated { anew, unknown } = rotated;
    print(&format!("{anew} stored secrets were sealed anew under the present secret\n"))?;
    match unknown {
        0 => Ok(()),
        _ => bail!(
            "{unknown} stored secrets are sealed under a secret that is not known: name it in previous_secrets"
        ),
    }
}
