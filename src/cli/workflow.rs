//! `ordo workflow`: definitions checked, and carried between files and the database.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use domain::{
    refusal::Refusal,
    workflow::{Change, Definition, Fault, MAX_BYTES, builtin, parse},
};
use ordo::{
    app::{Machine, World},
    config::Config,
    error::Error,
    store::workflow,
    usecase::workflow::{Edit, Terms, store as save},
};

use super::{open_existing, plain, print};

/// What can be done with workflows.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say every fault of a workflow definition
    Check {
        /// A TOML file
        file: PathBuf,
    },
    /// Print a workflow of the database as TOML
    Export {
        /// The workflow's code
        code: String,
        /// A version of it; the newest if not given
        #[arg(long, value_name = "NUMBER")]
        version: Option<i32>,
        /// The one that comes with this program, whatever the database has
        #[arg(long, conflicts_with = "version")]
        shipped: bool,
    },
    /// Save a workflow definition in the database; servers that run learn of it
    Import {
        /// A TOML file
        file: PathBuf,
        /// Only say what would come of it
        #[arg(long)]
        dry_run: bool,
    },
}

/// What `ordo workflow` does with the settings.
pub(super) async fn run(config: &Config, command: Command) -> Result<ExitCode> {
    match command {
        Command::Check { file } => return check(&file),
        Command::Export { code, version, shipped } => export(config, &code, version, shipped).await?,
        Command::Import { file, dry_run } => return import(config, &file, dry_run).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// `ordo workflow check`.
pub(super) fn check(file: &Path) -> Result<ExitCode> {
    match parse(&read(file)?) {
        Ok(_) => {
            print(&format!("{}: ok\n", file.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => tell(file, &faults),
    }
}

/// `ordo workflow export`.
async fn export(config: &Config, code: &str, version: Option<i32>, shipped: bool) -> Result<()> {
    let found = match shipped {
        true => {
            let all =
                builtin().map_err(|faults| anyhow::anyhow!("a shipped workflow has faults: {faults:?}"))?;
            all.into_iter().find(|definition| definition.code == code)
        }
        false => stored(config, code, version).await?,
    };
    let Some(definition) = found else {
        let version = version.map_or_else(String::new, |version| format!(", version {version}"));
        bail!("there is no workflow `{code}`{version}");
    };
    print(&definition.to_toml()?)
}

async fn stored(config: &Config, code: &str, version: Option<i32>) -> Result<Option<Definition>> {
    let store = open_existing(config).await?;
    let found = workflow::find(&store, code, version).await.map_err(plain);
    let found = found.context("the workflow could not be read; was the database migrated?")?;
    store.close().await.map_err(plain)?;
    let Some(found) = found else { return Ok(None) };
    match parse(&found.definition) {
        Ok(definition) => Ok(Some(definition)),
        Err(faults) => bail!("the stored workflow has faults: {}", lines("", &faults)),
    }
}

/// `ordo workflow import`.
async fn import(config: &Config, file: &Path, dry_run: bool) -> Result<ExitCode> {
    let text = read(file)?;
    let store = open_existing(config).await?;
    let world: Arc<dyn World> = Arc::new(Machine);
    let terms = Terms { dry_run, ..Terms::default() };
    let saved = save(&store, &world, Edit::Definition(text), terms).await;
    store.close().await.map_err(plain)?;
    let saved = match saved {
        Ok(saved) => saved,
        Err(Error::Refusal(Refusal::InvalidDefinition { faults })) => return tell(file, &faults),
        Err(error) => return Err(plain(error)).with_context(|| format!("{} was not saved", file.display())),
    };
    let Definition { code, version, revision, .. } = &saved.definition;
    let came_to = match (saved.change, dry_run) {
        (Change::Nothing, _) => "is so already",
        (_, true) => "would be saved",
        (_, false) => "is saved",
    };
    let rules = lines("  ", &saved.changed);
    print(&format!("{code} {came_to}: version {version}, revision {revision}\n{rules}"))?;
    Ok(ExitCode::SUCCESS)
}

/// The text of a file, unless it is longer than any definition.
fn read(file: &Path) -> Result<String> {
    let shown = file.display();
    let bytes = file.metadata().with_context(|| format!("{shown} cannot be read"))?.len();
    if bytes > MAX_BYTES as u64 {
        bail!("{shown} has {bytes} bytes; a definition has at most {MAX_BYTES}");
    }
    std::fs::read_to_string(file).with_context(|| format!("{shown} cannot be read"))
}

fn tell(file: &Path, faults: &[Fault]) -> Result<ExitCode> {
    print(&lines(&format!("{}: ", file.display()), faults))?;
    Ok(ExitCode::FAILURE)
}

fn lines(before: &str, faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("{before}{fault}\n")).collect()
}
