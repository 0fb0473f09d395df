//! A throwaway nats-server for a test that needs one. It listens on this machine alone, writes nothing, and ends
//! when the test process does, however that ends. Never skips: where it cannot be had, the test fails and says
//! what to install.

use std::{
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use tokio::{net::TcpStream, task::yield_now, time::timeout};

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);
/// Below the ports that the system gives to whoever asks for any: while a server is stopped, nobody takes its.
const PORTS: std::ops::Range<u16> = 14_000..30_000;

/// Runs a server until standard input ends, which the kernel closes however this process ends.
const KEEPER: &str = r#"
trap '' HUP INT PIPE TERM
nats-server -a 127.0.0.1 -p "$1" >/dev/null 2>&1 &
cat >/dev/null
kill -9 $!
wait
"#;

/// A server that can be killed and started again at the same address.
#[derive(Debug)]
pub struct Nats {
    port: u16,
    keeper: Option<Child>,
}

impl Nats {
    /// One that listens.
    pub async fn start() -> Nats {
        let mut nats = Nats { port: free_port(), keeper: None };
        nats.restart().await;
        nats
    }

    /// `nats://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            keeper.wait().expect("the keeper ends");
        }
    }

    /// Starts it again, and waits until it listens.
    pub async fn restart(&mut self) {
        self.kill();
        self.keeper = Some(keep(self.port));
        let listening = async {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_err() {
                yield_now().await;
            }
        };
        timeout(PATIENCE, listening).await.expect("nats-server listens in time");
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

fn keep(port: u16) -> Child {
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    assert!(
        path.split(':').any(|folder| std::path::Path::new(folder).join("nats-server").is_file()),
        "nats-server is missing. Install it with `apt-get install nats-server`, or run ./test, which does."
    );
    Command::new("sh")
        .args(["-c", KEEPER, "sh", &port.to_string()])
        .env("PATH", path)
        .current_dir("/tmp")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell")
}

/// A port that nobody has; other test processes begin to look elsewhere.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let wide = PORTS.end - PORTS.start;
    let first = (std::process::id() % u32::from(wide)) as u16;
    let ports = std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed)).take(usize::from(wide));
    let mut ports = ports.map(|tried| PORTS.start + (first + tried) % wide);
    ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).expect("a free port")
}
