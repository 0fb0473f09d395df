//! A proxy between two parties that can fall silent, cut, and lose answers.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Result;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
};

/// Where the proxy leads.
#[derive(Clone, Debug)]
pub enum Upstream {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// What it does with what it hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Passes everything on.
    Forward,
    /// Keeps connections that have said LISTEN open and passes nothing on: their peers never learn of it.
    MuteListeners,
    /// The same with all connections that there are; later ones are served.
    MutePresent,
    /// Cuts a connection once the server has begun every so many-th answer, and passes nothing of it on.
    LoseAnswers(usize),
}

/// A running proxy; it ends with this value, and so do its connections.
pub struct Proxy {
    pub address: SocketAddr,
    mode: watch::Sender<Mode>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    answers: AtomicUsize,
    lost: AtomicUsize,
    muted: AtomicUsize,
}

impl Proxy {
    /// Starts one.
    pub async fn to(upstream: Upstream) -> Result<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mode = watch::Sender::new(Mode::Forward);
        let counts = Arc::new(Counts::default());
        let task = tokio::spawn(serve(listener, upstream, mode.subscribe(), counts.clone()));
        Ok(Proxy { address, mode, counts, task })
    }

    /// From now on.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// How often a connection has fallen silent.
    pub fn muted(&self) -> usize {
        self.counts.muted.load(Ordering::SeqCst)
    }

    /// How many answers never arrived.
    pub fn lost(&self) -> usize {
        self.counts.lost.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, upstream: Upstream, mode: watch::Receiver<Mode>, counts: Arc<Counts>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let (upstream, mode, counts) = (upstream.clone(), mode.clone(), counts.clone());
        connections.spawn(async move {
            // What is refused behind the proxy is cut before it.
            match upstream {
                Upstream::Tcp(address) => match TcpStream::connect(address).await {
                    Ok(server) => Connection::new(mode, counts).run(client, server).await,
                    Err(_) => drop(client),
                },
                Upstream::Unix(path) => match UnixStream::connect(path).await {
                    Ok(server) => Connection::new(mode, counts).run(client, server).await,
                    Err(_) => drop(client),
                },
            }
        });
    }
}

struct Connection {
    mode: watch::Receiver<Mode>,
    counts: Arc<Counts>,
    /// It has said LISTEN.
    listens: bool,
    /// It came when others had to be silent.
    late: bool,
}

impl Connection {
    fn new(mode: watch::Receiver<Mode>, counts: Arc<Counts>) -> Connection {
        let late = *mode.borrow() == Mode::MutePresent;
        Connection { mode, counts, listens: false, late }
    }

    /// Whether nothing is passed on for now.
    fn is_mute(&mut self) -> bool {
        match *self.mode.borrow_and_update() {
            Mode::MuteListeners => self.listens,
            Mode::MutePresent => !self.late,
            Mode::Forward | Mode::LoseAnswers(_) => false,
        }
    }

    /// Passes on until either side has ended.
    async fn run(mut self, client: TcpStream, server: impl AsyncRead + AsyncWrite + Unpin) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = tokio::io::split(server);
        let (mut asked, mut answered) = (vec![0; 16 << 10], vec![0; 16 << 10]);
        loop {
            while self.is_mute() {
                self.counts.muted.fetch_add(1, Ordering::SeqCst);
                if self.mode.changed().await.is_err() {
                    return;
                }
            }
            let passed = tokio::select! {
                read = from_client.read(&mut asked) => match read {
                    Ok(length @ 1..) => {
                        self.listens |= has(&asked[..length], b"LISTEN ");
                        to_server.write_all(&asked[..length]).await
                    }
                    _ => return,
                },
                read = from_server.read(&mut answered) => match read {
                    Ok(1..) if self.loses() => return,
                    Ok(length @ 1..) => to_client.write_all(&answered[..length]).await,
                    _ => return,
                },
                _ = self.mode.changed() => Ok(()),
            };
            if passed.is_err() {
                return;
            }
        }
    }

    /// Whether this answer never arrives.
    fn loses(&self) -> bool {
        let Mode::LoseAnswers(every) = *self.mode.borrow() else { return false };
        let lost = self.counts.answers.fetch_add(1, Ordering::SeqCst).is_multiple_of(every);
        self.counts.lost.fetch_add(usize::from(lost), Ordering::SeqCst);
        lost
    }
}

fn has(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|part| part == word)
}
