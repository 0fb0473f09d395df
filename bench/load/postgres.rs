//! A throwaway PostgreSQL cluster as it would run in earnest: durable, on disk, on a Unix socket alone.

use std::{path::PathBuf, process::Child};

use anyhow::{Context, Error, Result};
use sea_orm::{ConnectOptions, ConnectionTrait, Database};

#[path = "../../tests/it/postgres/keeper.rs"]
mod keeper;

/// Lives as long as this process, then stops the server and removes the folder: the kernel closes its
/// standard input however this process ends. The tests have a faster one, which is not durable.
const KEEPER: &str = r#"
trap '' HUP INT PIPE TERM
dir=$(mktemp -d /tmp/ordo-load-XXXXXX) && chmod 0755 "$dir" || exit 1
if initdb -D "$dir/data" -U postgres -A trust --no-sync -E UTF8 --locale=C.UTF-8 >"$dir/log" 2>&1 &&
  pg_ctl -D "$dir/data" -w -l "$dir/log" -o "-c listen_addresses='' -k $dir -c max_connections=100 \
    -c fsync=on -c synchronous_commit=on -c full_page_writes=on -c shared_buffers=1GB -c max_wal_size=4GB" start >>"$dir/log" 2>&1
then echo "$dir"; else echo failed; cat "$dir/log"; fi
exec >/dev/null 2>&1
cat >/dev/null
pg_ctl -D "$dir/data" -m immediate stop
rm -rf "$dir"
"#;

/// A running cluster.
pub struct Cluster {
    folder: PathBuf,
    keeper: Child,
}

impl Cluster {
    /// Starts one.
    pub fn start() -> Result<Cluster> {
        let (folder, keeper) = keeper::keep(KEEPER).map_err(Error::msg)?;
        Ok(Cluster { folder, keeper })
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder.display())
    }

    /// Makes a database, empty or a copy.
    pub async fn create(&self, name: &str, copied: Option<&str>) -> Result<String> {
        let mut options = ConnectOptions::new(self.url("postgres"));
        options.max_connections(1).sqlx_logging(false);
        let administrator = Database::connect(options).await?;
        let template = copied.map_or_else(String::new, |from| format!(" TEMPLATE {from} STRATEGY FILE_COPY"));
        administrator.execute_unprepared(&format!("CREATE DATABASE {name}{template}")).await?;
        administrator.execute_unprepared("CHECKPOINT").await?;
        administrator.close().await?;
        Ok(self.url(name))
    }

    /// The process that all of the server's others are children of.
    pub fn pid(&self) -> Result<u32> {
        let file = std::fs::read_to_string(self.folder.join("data/postmaster.pid"))
            .or_else(|_| self.pid_as_owner())?;
        file.lines()
            .next()
            .and_then(|line| line.trim().parse().ok())
            .context("postmaster.pid holds no number")
    }

    /// The data folder is closed to everybody but its owner.
    fn pid_as_owner(&self) -> Result<String> {
        let file = self.folder.join("data/postmaster.pid");
        let read = keeper::command().map_err(Error::msg)?.arg("cat").arg(&file).output()?;
        Ok(String::from_utf8_lossy(&read.stdout).into_owned())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
