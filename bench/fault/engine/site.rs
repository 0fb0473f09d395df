//! Where a fault is injected: a fresh database with the demo company, and instances on it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use domain::id::ProductId;
use tempfile::TempDir;

use super::{
    client::Doors,
    process::{Cluster, Instance, ordo},
    table::{Person, Table},
};

/// The kinds of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Sqlite,
    Postgres,
}

/// What all sites share: the program, and PostgreSQL with a filled database to copy.
pub struct Ground {
    binary: PathBuf,
    cluster: Option<Arc<Cluster>>,
    made: u32,
}

impl Ground {
    /// For this program.
    pub fn new(binary: PathBuf) -> Result<Ground> {
        if !binary.is_file() {
            bail!("there is no server at {}: build it, or name one with --ordo", binary.display());
        }
        Ok(Ground { binary, cluster: None, made: 0 })
    }

    /// A site; no instance runs yet.
    pub async fn site(&mut self, on: On) -> Result<Site> {
        self.made += 1;
        let folder = tempfile::tempdir()?;
        let (database, url) = match on {
            On::Postgres => self.postgres(folder.path()).await?,
            On::Sqlite => (None, self.sqlite(folder.path())?),
        };
        let table = Table::open(&url).await?;
        let cast = Cast::read(&table).await?;
        let (binary, doors) = (self.binary.clone(), Doors::default());
        Ok(Site { binary, folder, database, url, table, cast, doors, instances: Vec::new() })
    }

    async fn postgres(&mut self, folder: &Path) -> Result<(Option<Database>, String)> {
        let cluster = match &self.cluster {
            Some(cluster) => cluster.clone(),
            None => {
                let cluster = Arc::new(Cluster::start()?);
                Database { cluster: cluster.clone(), name: "seed".to_owned() }.create("").await?;
                fill(&self.binary, &cluster.url("seed"), folder)?;
                self.cluster.insert(cluster).clone()
            }
        };
        let database = Database { cluster, name: format!("site{}", self.made) };
        let url = database.create(" TEMPLATE seed").await?;
        Ok((Some(database), url))
    }

    fn sqlite(&self, folder: &Path) -> Result<String> {
        let url = sqlite(&folder.join("ordo.db"));
        fill(&self.binary, &url, folder)?;
        Ok(url)
    }
}

/// The URL of an SQLite file.
pub fn sqlite(file: &Path) -> String {
    format!("sqlite://{}?mode=rwc", file.display())
}

/// Loads the demo company.
fn fill(binary: &Path, url: &str, folder: &Path) -> Result<()> {
    succeed(ordo(binary, &["demo"], url, folder)?).context("the demo company cannot be loaded")
}

/// Runs a program to its good end.
pub fn succeed(mut command: Command) -> Result<()> {
    let status = command.stdout(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { bail!("{command:?}: {status}") }
}

/// A database of the cluster.
pub struct Database {
    pub cluster: Arc<Cluster>,
    pub name: String,
}

impl Database {
    /// Makes it; its URL.
    pub async fn create(&self, how: &str) -> Result<String> {
        self.administer(&format!("CREATE DATABASE {}{how}", self.name)).await?;
        Ok(self.cluster.url(&self.name))
    }

    /// Removes it, whoever is connected.
    pub async fn remove(&self) -> Result<()> {
        self.administer(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await
    }

    async fn administer(&self, statement: &str) -> Result<()> {
        let administrator = Table::open(&self.cluster.url("postgres")).await?;
        administrator.run(statement).await?;
        administrator.close().await
    }
}

/// Who is there, and what is ordered.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    pub staff: Person,
    pub csr: Person,
    pub agent: Person,
    pub provider: Person,
    pub customer: Person,
    /// Follows the workflow `delivery`, of this provider.
    pub product: ProductId,
}

impl Cast {
    async fn read(table: &Table) -> Result<Cast> {
        Ok(Cast {
            staff: table.person("staff@demo.test").await?,
            csr: table.person("csr@demo.test").await?,
            agent: table.person("agent@demo.test").await?,
            provider: table.person("shop-provider@demo.test").await?,
            customer: table.person("approver@demo.test").await?,
            product: table.product("COFFEE").await?,
        })
    }
}

/// A database with instances on it; all end with this value.
pub struct Site {
    binary: PathBuf,
    pub folder: TempDir,
    /// None on SQLite.
    database: Option<Database>,
    /// Of the database.
    pub url: String,
    pub table: Table,
    pub cast: Cast,
    pub doors: Doors,
    instances: Vec<Place>,
}

/// Where an instance runs or ran.
struct Place {
    url: String,
    settings: Vec<(String, String)>,
    door: Option<std::net::SocketAddr>,
    instance: Option<Instance>,
}

impl Site {
    /// Starts so many more instances, with these settings besides.
    pub async fn serve(&mut self, count: usize, settings: &[(&str, &str)]) -> Result<()> {
        for _ in 0..count {
            self.serve_on(self.url.clone(), settings).await?;
        }
        Ok(())
    }

    /// Starts one more instance that reaches its database by this URL.
    pub async fn serve_on(&mut self, url: String, settings: &[(&str, &str)]) -> Result<()> {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        // Its connections bear its number.
        let url = match self.database {
            Some(_) => format!("{url}&application_name=instance{}", self.instances.len()),
            None => url,
        };
        self.instances.push(Place { url, settings: settings.collect(), door: None, instance: None });
        self.start(self.instances.len() - 1).await
    }

    /// Starts an instance again, at another door.
    pub async fn start(&mut self, at: usize) -> Result<()> {
        let place = self.instances.get_mut(at).context("no such instance")?;
        let mut command = ordo(&self.binary, &["serve"], &place.url, self.folder.path())?;
        command.envs(place.settings.iter().cloned());
        let instance = Instance::start(command).await?;
        place.door = Some(instance.address);
        place.instance = Some(instance);
        self.doors.set(self.instances.iter().filter_map(|place| place.door).collect());
        Ok(())
    }

    /// Kills an instance with SIGKILL. Its door stays known, and closed.
    pub fn kill(&mut self, at: usize) -> Result<()> {
        let place = self.instances.get_mut(at).context("no such instance")?;
        place.instance.take().context("it does not run")?;
        Ok(())
    }

    /// The process's number.
    pub fn pid(&self, at: usize) -> Result<u32> {
        let place = self.instances.get(at).and_then(|place| place.instance.as_ref());
        Ok(place.context("no such instance")?.pid())
    }

    /// Where an instance listens.
    pub fn door(&self, at: usize) -> Result<std::net::SocketAddr> {
        self.instances.get(at).and_then(|place| place.door).context("no such instance")
    }

    /// The program with these arguments on this site's database.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        ordo(&self.binary, arguments, &self.url, self.folder.path())
    }

    /// The database of PostgreSQL.
    pub fn postgres(&self) -> Result<&Database> {
        self.database.as_ref().context("this site is on SQLite")
    }

    /// Moves to another database; no instance runs there yet.
    pub async fn move_to(&mut self, database: Database, url: String) -> Result<()> {
        self.instances.clear();
        self.table.clone().close().await?;
        if let Some(left) = self.database.replace(database) {
            left.remove().await?;
        }
        self.table = Table::open(&url).await?;
        self.url = url;
        Ok(())
    }

    /// Ends everything and removes the database.
    pub async fn clear(mut self) -> Result<()> {
        self.instances.clear();
        self.table.close().await?;
        match self.database {
            Some(database) => database.remove().await,
            None => Ok(()),
        }
    }
}
