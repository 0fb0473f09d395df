//! The journal of acknowledged writes: a file of its own, outside the database, on disk before a write counts.

use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Instant,
};

use anyhow::{Context, Result};
use tokio::sync::{oneshot, watch};

use super::check::Acknowledged;

/// A line of the journal, and when its write was acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub write: Acknowledged,
    pub at: Instant,
}

/// Hands lines to the thread that owns the file.
#[derive(Clone)]
pub struct Journal {
    lines: Sender<(Entry, oneshot::Sender<std::io::Result<()>>)>,
    entries: Arc<Mutex<Vec<Entry>>>,
    count: watch::Receiver<usize>,
}

impl Journal {
    /// A new, empty journal in this folder.
    pub fn begin(folder: &Path) -> Result<Journal> {
        let file = File::create(folder.join("journal")).context("the journal cannot be written")?;
        let (lines, received) = channel();
        let (counted, count) = watch::channel(0);
        let entries = Arc::new(Mutex::new(Vec::new()));
        let kept = entries.clone();
        thread::spawn(move || keep(file, &received, &kept, &counted));
        Ok(Journal { lines, entries, count })
    }

    /// Notes a write; it counts once this has returned.
    pub async fn note(&self, write: Acknowledged) -> Result<()> {
        let (done, noted) = oneshot::channel();
        let entry = Entry { write, at: Instant::now() };
        self.lines.send((entry, done)).context("the journal has ended")?;
        noted.await.context("the journal has ended")?.context("the journal cannot be written")
    }

    /// All lines so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many lines there are; changes as they are written.
    pub fn count(&self) -> watch::Receiver<usize> {
        self.count.clone()
    }
}

/// Writes what has come together, and brings it to disk once.
fn keep(
    mut file: File,
    lines: &Receiver<(Entry, oneshot::Sender<std::io::Result<()>>)>,
    entries: &Mutex<Vec<Entry>>,
    counted: &watch::Sender<usize>,
) {
    while let Ok(first) = lines.recv() {
        let batch: Vec<_> = std::iter::once(first).chain(lines.try_iter()).collect();
        let text: String = batch.iter().map(|(Entry { write, .. }, _)| line(write)).collect();
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
        if written.is_ok() {
            let mut entries = entries.lock().unwrap_or_else(PoisonError::into_inner);
            entries.extend(batch.iter().map(|(entry, _)| entry));
            counted.send_replace(entries.len());
        }
        for (_, done) in batch {
            let told = written.as_ref().copied().map_err(|error| error.kind().into());
            // Nobody waits for a write that was given up.
            let _ = done.send(told);
        }
    }
}

fn line(Acknowledged { order, event, version }: &Acknowledged) -> String {
    format!("{order} {event} {version}\n")
}
