//! Thousands of clients that cost next to nothing: one thread reads them all, each with a socket of its own
//! (`graphql-transport-ws`), and notes what they hear and when.

mod client;
mod desk;
mod frame;
mod greeting;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use tokio::{runtime::Handle, sync::Semaphore, sync::oneshot, time::sleep};

use self::client::{Client, Room};

pub use self::{
    desk::{Change, Desk, Said},
    greeting::Greeting,
};

/// Clients that are being opened at a time.
const AT_ONCE: usize = 64;
/// How long opening a crowd may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often it is looked whether something has come about.
const LOOK: Duration = Duration::from_millis(5);

/// Clients that listen; dropping it hangs up.
#[derive(Debug)]
pub struct Crowd {
    count: usize,
    shared: Arc<Shared>,
    thread: Option<Reader>,
}

/// The thread that reads, and how it is ended.
#[derive(Debug)]
struct Reader {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    room: Mutex<Room<Desk>>,
    opening: Semaphore,
    begun: AtomicUsize,
    ended: AtomicUsize,
    /// Changes, by all together.
    received: AtomicU64,
}

impl Crowd {
    /// Opens a client for each greeting, and waits until all are listening.
    pub async fn open(address: SocketAddr, greetings: Vec<Greeting>) -> Result<Crowd> {
        Crowd::open_at(address, greetings, AT_ONCE).await
    }

    /// The same, with so many of them on their way at once.
    pub async fn open_at(address: SocketAddr, greetings: Vec<Greeting>, at_once: usize) -> Result<Crowd> {
        let crowd = Crowd::start(address, greetings, at_once)?;
        let begun = Instant::now();
        while crowd.shared.begun.load(Ordering::Relaxed) < crowd.count {
            crowd.whole()?;
            if begun.elapsed() > PATIENCE {
                bail!("only {} of {} are listening", crowd.shared.begun.load(Ordering::Relaxed), crowd.count);
            }
            sleep(LOOK).await;
        }
        Ok(crowd)
    }

    fn start(address: SocketAddr, greetings: Vec<Greeting>, at_once: usize) -> Result<Crowd> {
        let subscriptions = greetings.iter().map(|greeting| greeting.subscriptions).max().unwrap_or_default();
        let shared = Arc::new(Shared {
            room: Room::new(Desk::new(greetings.len(), subscriptions)),
            opening: Semaphore::new(at_once),
            begun: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            received: AtomicU64::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let (handle, reader) = reader(stopped)?;
        let crowd = Crowd { count: greetings.len(), shared, thread: Some(Reader { stop, thread: reader }) };
        for (number, greeting) in greetings.into_iter().enumerate() {
            let (shared, number) = (crowd.shared.clone(), u32::try_from(number)?);
            handle.spawn(async move {
                if let Err(error) = attend(number, address, &greeting, &shared).await {
                    let mut room = shared.room.lock().unwrap_or_else(PoisonError::into_inner);
                    room.desk.ended.push((number, format!("{error:#}")));
                    shared.ended.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Ok(crowd)
    }

    /// An error if somebody's socket has ended.
    pub fn whole(&self) -> Result<()> {
        if self.shared.ended.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let room = self.shared.room.lock().unwrap_or_else(PoisonError::into_inner);
        let (client, why) = room.desk.ended.first().context("nobody says why")?;
        bail!("client {client} of {} ended before its time: {why}", self.count)
    }

    /// Waits until so many changes have been received by all together, or until none has come for so long.
    pub async fn hears(&self, changes: u64, silence: Duration) {
        let (mut received, mut since) = (0, Instant::now());
        while received < changes && since.elapsed() < silence {
            sleep(LOOK).await;
            let now = self.shared.received.load(Ordering::Relaxed);
            if now != received {
                (received, since) = (now, Instant::now());
            }
        }
    }

    /// Hangs up; what was heard.
    pub fn close(mut self) -> Desk {
        self.hang_up();
        let mut room = self.shared.room.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut room.desk)
    }

    fn hang_up(&mut self) {
        if let Some(Reader { stop, thread }) = self.thread.take() {
            let _ = stop.send(());
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.hang_up();
    }
}

/// A thread that runs what it is given, and drops it all when it is told to stop.
fn reader(stopped: oneshot::Receiver<()>) -> Result<(Handle, JoinHandle<()>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let thread = std::thread::Builder::new().name("crowd".to_owned()).spawn(move || {
        let _ = runtime.block_on(stopped);
    });
    Ok((handle, thread.map_err(|error| anyhow!("no thread: {error}"))?))
}

/// The life of one client: it ends by an error alone.
async fn attend(number: u32, address: SocketAddr, greeting: &Greeting, shared: &Shared) -> Result<()> {
    let mut opening = Some(shared.opening.acquire().await?);
    let mut client = Client::open(address).await?;
    greeting.introduce(&mut client, &shared.room).await?;
    let mut missing = greeting.subscriptions;
    let mut last = u32::MAX;
    loop {
        if missing == 0 && opening.take().is_some() {
            shared.begun.fetch_add(1, Ordering::Relaxed);
            // Whoever does not listen is not measured; what it missed waits for it.
            sleep(greeting.deaf).await;
        }
        let mut changes = 0;
        let note = |desk: &mut Desk, text: &[u8], at| {
            match desk.note(number, text, &mut last, at)? {
                Said::Started => missing = missing.saturating_sub(1),
                Said::Changed(_) => changes += 1,
                Said::Other => {}
            }
            Ok(())
        };
        client.read(&shared.room, note).await?;
        shared.received.fetch_add(changes, Ordering::Relaxed);
    }
}
