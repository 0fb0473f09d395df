//! Where a measurement takes place: a database made for it and removed afterwards, and the servers on it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;
use ordo::{
    app::{App, Machine},
    store::Store,
};
use tempfile::TempDir;

use crate::{SECRET, company::Company, fill, postgres::Cluster, process::Server};

/// The kinds of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum On {
    Postgres,
    Sqlite,
}

/// A filled database.
pub struct Site {
    pub on: On,
    pub company: Company,
    /// Of the database.
    pub url: String,
    /// Ordo's binary.
    ordo: PathBuf,
    cluster: Option<Cluster>,
    folder: TempDir,
}

impl Site {
    /// Makes a database with so many orders.
    pub async fn prepare(on: On, orders: i64, ordo: &Path) -> Result<Site> {
        let folder = tempfile::tempdir().context("there is no folder for temporary files")?;
        let (cluster, url) = match on {
            On::Postgres => {
                let cluster = Cluster::start()?;
                let url = cluster.create("ordo", None).await?;
                (Some(cluster), url)
            }
            On::Sqlite => (None, file(&folder.path().join("ordo.db"))),
        };
        eprintln!("filling {on:?} with {orders} orders …");
        let company = fill::fill(&url, orders).await?;
        Ok(Site { on, company, url, ordo: ordo.to_owned(), cluster, folder })
    }

    /// The same data once more, for another server, so that neither pays for what the other wrote. No server
    /// may run yet.
    pub async fn copy(&self) -> Result<String> {
        match &self.cluster {
            Some(cluster) => cluster.create("other", Some("ordo")).await,
            None => {
                let copy = self.folder.path().join("other.db");
                std::fs::copy(self.folder.path().join("ordo.db"), &copy)?;
                Ok(file(&copy))
            }
        }
    }

    /// Starts Ordo on it, with room for a crowd that is one person, and with these settings besides.
    pub async fn serve(&self, settings: &[(&str, &str)]) -> Result<Server> {
        let server = Server::ordo(&self.ordo, &self.url, self.folder.path(), settings).await;
        server.context("ordo does not start")
    }

    /// PostgreSQL's first process; none for SQLite, which runs inside the server.
    pub fn database_pid(&self) -> Result<Option<u32>> {
        self.cluster.as_ref().map(Cluster::pid).transpose()
    }
}

fn file(path: &Path) -> String {
    format!("sqlite://{}?mode=rwc", path.display())
}

/// The application in this very process; its feed does not run.
pub async fn boot(url: &str, connections: u32) -> Result<App> {
    let store = Store::open(url, connections).await.map_err(|error| anyhow!("{error:?}"))?;
    let app = App::start(store, SECRET.as_bytes(), Arc::new(Machine)).await;
    app.map_err(|error| anyhow!("{error:?}"))
}
