//! `ordo backup`: the whole database in one file, taken while the server runs and writes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ordo::{config::Config, store::backup};

use super::{open, plain, print};

/// What `ordo backup FILE` does. The file appears when it is whole, or not at all.
pub(super) async fn run(config: &Config, file: &Path) -> Result<()> {
    let shown = file.display();
    if file.symlink_metadata().is_ok() {
        bail!("{shown} is there already; name a new file, a backup never replaces another");
    }
    if config.sqlite_file().is_some_and(|database| !database.exists()) {
        bail!("there is no database to save; --database-url names another one");
    }
    let partial = Partial::beside(file)?;
    let saved = match config.sqlite_file() {
        Some(_) => sqlite(config, &partial.0).await?,
        None => postgres(config, &partial.0).await?,
    };
    partial.become_whole(file)?;
    let bytes = file.metadata().with_context(|| format!("{shown} cannot be read back"))?.len();
    print(&format!("{shown}: {saved}, {bytes} bytes\n{}\n", secret(config)))
}

async fn sqlite(config: &Config, partial: &Path) -> Result<String> {
    let store = open(config).await?;
    let tables =
        backup::sqlite(&store, partial).await.map_err(plain).context("the database was not saved")?;
    store.close().await.map_err(plain)?;
    let rows: i64 = tables.iter().map(|(_, rows)| rows).sum();
    let of = |name: &str| tables.iter().find(|(table, _)| table == name).map_or(0, |(_, rows)| *rows);
    let (orders, events, tables) = (of("orders"), of("events"), tables.len());
    Ok(format!("{orders} orders, {events} events, {rows} rows in {tables} tables, verified"))
}

async fn postgres(config: &Config, partial: &Path) -> Result<String> {
    let environment = backup::postgres_environment(&config.database_url);
    let mut dump = program("pg_dump")?;
    dump.args(["--format=custom", "--lock-wait-timeout=10s", "--no-password", "--file"]).arg(partial);
    finish("pg_dump", dump.envs(environment)).await?;
    let mut list = program("pg_restore")?;
    let contents = finish("pg_restore", list.arg("--list").arg(partial)).await?;
    let tables = contents.lines().filter(|line| line.contains(" TABLE DATA ")).count();
    if tables == 0 {
        bail!("the database has no table; was it migrated?");
    }
    Ok(format!("{tables} tables, for pg_restore"))
}

/// One of PostgreSQL's programs: from the PATH, else the newest that Debian's packages have brought.
fn program(name: &str) -> Result<tokio::process::Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(installed());
    let Some(program) = folders.map(|folder| folder.join(name)).find(|program| program.is_file()) else {
        bail!(
            "`{name}` is neither on the PATH nor under /usr/lib/postgresql/*/bin; install PostgreSQL's client \
             programs, on Debian `apt-get install postgresql-client`"
        );
    };
    let mut command = tokio::process::Command::new(program);
    command.stdin(std::process::Stdio::null()).kill_on_drop(true);
    Ok(command)
}

/// Newest first.
fn installed() -> impl Iterator<Item = PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let numbered = versions.filter_map(|entry| {
        Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
    });
    let mut numbered: Vec<_> = numbered.collect();
    numbered.sort();
    numbered.into_iter().rev().map(|(_, folder)| folder)
}

/// What a program says, given that it is content.
async fn finish(name: &str, command: &mut tokio::process::Command) -> Result<String> {
    let done = command.output().await.with_context(|| format!("`{name}` could not be started"))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        let words: Vec<&str> = said.split_whitespace().collect();
        bail!("`{name}` failed: {}", words.join(" "));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// What is not in the backup, and needed with it.
fn secret(config: &Config) -> String {
    let keep = match config.jwt_secret {
        Some(_) => "the configured secret".to_owned(),
        None => config.secret_file.display().to_string(),
    };
    format!("keep {keep}, too: without it, tokens and cursors are void")
}

/// A file that is being written; it goes away unless it becomes whole.
struct Partial(PathBuf);

impl Partial {
    /// An empty file, for its owner's eyes only, in the folder of the one that it shall become.
    fn beside(file: &Path) -> Result<Partial> {
        let shown = file.display();
        let Some(name) = file.file_name() else { bail!("{shown} is not the name of a file") };
        let mut partial = std::ffi::OsString::from(".");
        partial.push(name);
        partial.push(format!(".{}.partial", std::process::id()));
        let partial = file.with_file_name(partial);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&partial).with_context(|| format!("{shown} cannot be written"))?;
        Ok(Partial(partial))
    }

    /// On the disk, then under its name.
    fn become_whole(self, file: &Path) -> Result<()> {
        let written = || {
            std::fs::File::open(&self.0)?.sync_all()?;
            std::fs::rename(&self.0, file)?;
            // A folder can be written to the disk like a file; elsewhere than on Unix it cannot be opened.
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            if cfg!(unix) {
                std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            }
            std::io::Result::Ok(())
        };
        written().with_context(|| format!("{} cannot be written", file.display()))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone already where all went well.
        let _ = std::fs::remove_file(&self.0);
    }
}
