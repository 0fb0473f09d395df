//! Real servers as processes of their own: Ordo, PostgreSQL, NATS. Each ends with its value.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};

use super::{super::keeper, client::http};

/// Signs the tokens of the servers here, which listen on the loopback address alone, over made-up data.
pub const SECRET: &str = "a secret of the fault suite and of nothing else";
/// How long a server may take to listen.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// A few people send everything: their limits are another suite's subject.
const ROOM: [(&str, &str); 5] = [
    ("ORDO_REQUESTS_PER_MINUTE", "1000000000"),
    ("ORDO_COST_PER_MINUTE", "1000000000"),
    ("ORDO_SOCKETS", "1000000"),
    ("ORDO_SUBSCRIPTIONS", "1000000"),
    ("ORDO_CONNECTIONS", "1000000"),
];

/// A serving Ordo.
pub struct Instance {
    pub address: SocketAddr,
    child: Child,
    /// Kept open: a server that cannot print is another fault.
    _printed: BufReader<ChildStdout>,
}

/// The program with these arguments on this database, its log appended to `ordo.log` in the folder.
pub fn ordo(binary: &Path, arguments: &[&str], url: &str, folder: &Path) -> Result<Command> {
    let log = File::options().create(true).append(true).open(folder.join("ordo.log"))?;
    let mut command = Command::new(binary);
    command.args(arguments).env_clear().current_dir(folder).stdin(Stdio::null()).stderr(log);
    command.env("DATABASE_URL", url).env("ORDO_JWT_SECRET", SECRET).env("ORDO_DEMO", "off");
    // `ordo backup` looks for PostgreSQL's programs.
    command.env("PATH", search_path()).env("ORDO_LOG", "warn").envs(ROOM);
    Ok(command)
}

impl Instance {
    /// Starts one on a free port.
    pub async fn start(mut command: Command) -> Result<Instance> {
        command.env("ORDO_LISTEN", "127.0.0.1:0").stdout(Stdio::piped());
        let mut child = command.spawn().context("ordo does not start")?;
        let printed = BufReader::new(child.stdout.take().context("no standard output")?);
        let greeting = tokio::task::spawn_blocking(move || greeted(printed));
        let greeting = tokio::time::timeout(PATIENCE, greeting).await;
        let (address, _printed) = greeting.context("ordo does not listen in time")???;
        Ok(Instance { address, child, _printed })
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// Reads the line that says where the server listens.
fn greeted(mut printed: BufReader<ChildStdout>) -> Result<(SocketAddr, BufReader<ChildStdout>)> {
    let mut line = String::new();
    printed.read_line(&mut line)?;
    let address = line.trim().strip_prefix("Ordo listens on http://");
    let address = address.with_context(|| format!("ordo ended, or said {line:?}; see ordo.log"))?;
    Ok((address.parse()?, printed))
}

impl Drop for Instance {
    /// SIGKILL: nothing is said or written any more.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by name, such as STOP.
pub fn signal(pid: u32, name: &str) -> Result<()> {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status()?;
    if sent.success() { Ok(()) } else { bail!("no SIG{name} for {pid}") }
}

/// A throwaway, durable PostgreSQL cluster on a Unix socket.
pub struct Cluster {
    folder: PathBuf,
    keeper: Child,
}

impl Cluster {
    /// Starts one.
    pub fn start() -> Result<Cluster> {
        let (folder, keeper) = keeper::keep(
            "ordo-fault",
            keeper::Files::OnDisk,
            &format!("{} -c max_connections=200", keeper::DURABLE),
        )
        .map_err(|reason| anyhow!(reason))?;
        Ok(Cluster { folder, keeper })
    }

    /// The URL of a database, over the socket.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder.display())
    }

    /// The socket's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    /// Stops it as a crash would, and starts it again: it recovers from its log.
    pub async fn restart(&self) -> Result<()> {
        let mut command = keeper::command().map_err(|reason| anyhow!(reason))?;
        let data = self.folder.join("data");
        command.env("PATH", search_path()).current_dir("/tmp").arg("pg_ctl").arg("-D").arg(data);
        command.args(["-w", "-m", "immediate", "-l", "/dev/null", "restart"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = tokio::task::spawn_blocking(move || command.status()).await??;
        if status.success() { Ok(()) } else { bail!("PostgreSQL does not start again: {status}") }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Where programs are, PostgreSQL's newest first.
pub fn search_path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    // A server's program is often outside an ordinary user's path.
    let path = format!("{path}:/usr/sbin:/sbin");
    keeper::newest_installed().map_or(path.clone(), |bin| format!("{}:{path}", bin.display()))
}

/// A NATS server that can be stopped and started again on its port.
pub struct Nats {
    /// For clients, and for whoever asks how it goes.
    ports: [u16; 2],
    child: Child,
}

impl Nats {
    /// Starts one on free ports, at least a moment ago.
    pub async fn start() -> Result<Nats> {
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let (clients, questions) = (free()?, free()?);
        let ports = [clients.local_addr()?.port(), questions.local_addr()?.port()];
        drop((clients, questions));
        Nats::on(ports).await
    }

    /// Stops it, and starts it again after some work.
    pub async fn restart(self, meanwhile: impl Future<Output = Result<()>>) -> Result<Nats> {
        let ports = self.ports;
        drop(self);
        meanwhile.await?;
        Nats::on(ports).await
    }

    async fn on(ports: [u16; 2]) -> Result<Nats> {
        let [clients, questions] = ports.map(|port| port.to_string());
        let mut command = Command::new("nats-server");
        command.env("PATH", search_path()).args(["-a", "127.0.0.1", "-p", &clients, "-m", &questions]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().context(
            "NATS' server is missing: install it with `apt-get install nats-server`, or run ./test, which does",
        )?;
        let nats = Nats { ports, child };
        let begun = Instant::now();
        while nats.connections().await.is_err() {
            if begun.elapsed() > PATIENCE {
                bail!("nats-server does not listen on {ports:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(nats)
    }

    /// How many clients are connected.
    pub async fn connections(&self) -> Result<u64> {
        let url = format!("http://127.0.0.1:{}/varz", self.ports[1]);
        let told: serde_json::Value = http()?.get(url).send().await?.json().await?;
        told["connections"].as_u64().context("NATS does not say how many are connected")
    }

    /// What `NATS_URL` is to be.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.ports[0])
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
