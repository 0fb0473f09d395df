//! Servers as processes of their own, and what the kernel says they used.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::SECRET;

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);
/// The kernel counts a process's time in hundredths of a second, on every Linux there is.
const TICK_MILLIS: f64 = 10.0;

/// A full server waits for connections to its database, and would say so for each.
const LOG: &str = "warn,sqlx=error";

/// Few people send everything that is measured: their limits must not be what is measured.
const ROOM: [(&str, &str); 5] = [
    ("ORDO_REQUESTS_PER_MINUTE", "1000000000"),
    ("ORDO_COST_PER_MINUTE", "1000000000"),
    ("ORDO_SOCKETS", "1000000"),
    ("ORDO_SUBSCRIPTIONS", "1000000"),
    ("ORDO_CONNECTIONS", "1000000"),
];

/// A server under measurement; ends with this value.
pub struct Server {
    pub address: SocketAddr,
    pid: u32,
    _child: Child,
}

/// Ordo and what it is compared with.
pub struct Pair {
    pub ordo: Server,
    pub other: Server,
}

impl Server {
    /// Starts Ordo, with these settings besides.
    pub async fn ordo(binary: &Path, url: &str, folder: &Path, settings: &[(&str, &str)]) -> Result<Server> {
        let address = free_address()?;
        let mut command = Command::new(binary);
        command.arg("serve").env_clear().current_dir(folder);
        command.env("ORDO_LISTEN", address.to_string()).env("DATABASE_URL", url);
        command.env("ORDO_JWT_SECRET", SECRET).env("ORDO_LOG", LOG).env("ORDO_DEMO", "off");
        command.envs(ROOM).envs(settings.iter().copied());
        Server::start(command, address).await
    }

    /// Starts what Ordo is compared with, by its command of this binary.
    pub async fn other(name: &str, url: &str) -> Result<Server> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(name).arg(url).env("LOAD_LISTEN", address.to_string());
        Server::start(command, address).await.with_context(|| format!("`{name}` does not start"))
    }

    async fn start(mut command: Command, address: SocketAddr) -> Result<Server> {
        let child = command.stdout(std::process::Stdio::null()).kill_on_drop(true).spawn()?;
        let pid = child.id().context("it has ended already")?;
        let server = Server { address, pid, _child: child };
        let begun = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            if begun.elapsed() > PATIENCE {
                bail!("nothing listens on {address}");
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }

    /// Milliseconds of CPU since it started.
    pub fn cpu(&self) -> Result<f64> {
        Ok(Stat::of(self.pid)?.own)
    }

    /// Its resident memory, in MB.
    pub fn resident(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
        Ok(kilobytes / 1024.0)
    }
}

/// Milliseconds of CPU of this process.
pub fn own_cpu() -> Result<f64> {
    Ok(Stat::of(std::process::id())?.own)
}

/// Milliseconds of CPU of a PostgreSQL server: of its first process, all that it has seen end, and all that
/// are alive.
pub fn cluster_cpu(postmaster: u32) -> Result<f64> {
    let first = Stat::of(postmaster)?;
    let mut sum = first.own + first.ended;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end while it is looked at; its parent then has its time.
        if let Ok(stat) = Stat::of(pid)
            && stat.parent == postmaster
        {
            sum += stat.own;
        }
    }
    Ok(sum)
}

struct Stat {
    parent: u32,
    own: f64,
    ended: f64,
}

impl Stat {
    fn of(pid: u32) -> Result<Stat> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name, in brackets, may hold spaces.
        let rest = text.rsplit_once(')').context("no name in stat")?.1;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field =
            |n: usize| fields.get(n).and_then(|field| field.parse::<f64>().ok()).context("a short stat");
        Ok(Stat {
            parent: field(1)? as u32,
            own: (field(11)? + field(12)?) * TICK_MILLIS,
            ended: (field(13)? + field(14)?) * TICK_MILLIS,
        })
    }
}

/// An address that nobody listens on.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
