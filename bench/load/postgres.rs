//! A throwaway PostgreSQL cluster as it would run in earnest: durable, on disk, on a Unix socket alone.

use std::{path::PathBuf, process::Child};

use anyhow::{Context, Error, Result};
use sea_orm::{ConnectOptions, ConnectionTrait, Database};

#[path = "../../tests/it/postgres/keeper.rs"]
mod keeper;

/// As in earnest, with room for a million orders.
const SETTINGS: &str = "-c max_connections=100 -c shared_buffers=1GB -c max_wal_size=4GB";
/// A running cluster.
pub struct Cluster {
    folder: PathBuf,
    keeper: Child,
}

impl Cluster {
    /// Starts one.
    pub fn start() -> Result<Cluster> {
        let (folder, keeper) =
            keeper::keep("ordo-load", keeper::Files::OnDisk, &format!("{} {SETTINGS}", keeper::DURABLE))
                .map_err(Error::msg)?;
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
