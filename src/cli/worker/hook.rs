//! The provider's program: started in a process group of its own, fed, watched, and ended with all it started.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::tail::Tail;

/// How long a program that is asked to end has for it.
pub(super) const GRACE: Duration = Duration::from_secs(5);
/// How long what a program has printed is still read once it has ended: something that it started, and that
/// left its group, may hold its output open for ever.
const REST: Duration = Duration::from_secs(1);

/// Why a program was ended before it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancelled {
    /// The attempt is not ours any more.
    Lost,
    /// The worker stops.
    Stopping,
    /// It took too long.
    TimedOut,
}

/// How a run came to its end.
#[derive(Debug)]
pub(super) enum End {
    /// By itself.
    Exited(ExitStatus),
    /// By us.
    Cancelled(Cancelled),
    /// It could not be started or watched.
    Failed(String),
}

/// A run that has ended, and the last of what was printed.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) end: End,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// The program, and how long it may take.
#[derive(Clone, Debug)]
pub(super) struct Hook {
    program: PathBuf,
    pub(super) timeout: Duration,
}

impl Hook {
    /// A path with folders in it is looked up from here; a bare name where there is no such file, on the PATH.
    pub(super) fn new(program: &Path, timeout: Duration) -> Result<Hook> {
        let shown = program.display();
        let program = match program.is_file() || program.components().count() > 1 {
            true => program.canonicalize().with_context(|| format!("--exec {shown} cannot be used"))?,
            false => program.to_owned(),
        };
        Ok(Hook { program, timeout })
    }

    /// Runs the program to its end, or until it is cancelled or has taken too long. Whatever it leaves behind in
    /// its process group is ended with it.
    pub(super) async fn run(
        &self,
        input: String,
        variables: &[(&str, String)],
        mut cancelled: watch::Receiver<Option<Cancelled>>,
    ) -> Ended {
        let mut command = Command::new(&self.program);
        command.env_remove(super::TOKEN).envs(variables.iter().map(|(name, value)| (*name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.process_group(0).kill_on_drop(true).spawn() {
            Ok(child) => child,
            Err(error) => {
                let why = format!("{} cannot be started: {error}", self.program.display());
                return Ended { end: End::Failed(why), stdout: String::new(), stderr: String::new() };
            }
        };
        let group = Group::of(&child);
        feed(&mut child, input);
        let (stdout, stderr) = (Output::of(child.stdout.take()), Output::of(child.stderr.take()));
        let why = tokio::select! {
            status = child.wait() => Err(status),
            () = sleep(self.timeout) => Ok(Cancelled::TimedOut),
            why = told(&mut cancelled) => Ok(why),
        };
        let end = match why {
            Err(Ok(status)) => End::Exited(status),
            Err(Err(error)) => End::Failed(format!("the program cannot be watched: {error}")),
            Ok(why) => {
                group.signal(Signal::TERM);
                // An error says only that it is still there, or cannot be watched: it is killed either way.
                let _ = timeout(GRACE, child.wait()).await;
                End::Cancelled(why)
            }
        };
        group.signal(Signal::KILL);
        let _ = child.wait().await;
        Ended { end, stdout: stdout.text().await, stderr: stderr.text().await }
    }
}

/// Why the run is cancelled, once it is.
async fn told(cancelled: &mut watch::Receiver<Option<Cancelled>>) -> Cancelled {
    let why = cancelled.wait_for(Option::is_some).await.ok().and_then(|why| *why);
    match why {
        Some(why) => why,
        // Nobody is there who could.
        None => std::future::pending().await,
    }
}

/// Writes what the program reads. One that does not read it, or not all, need not.
fn feed(child: &mut Child, input: String) {
    if let Some(mut stdin) = child.stdin.take() {
        tokio::spawn(async move {
            let _ = stdin.write_all(input.as_bytes()).await;
        });
    }
}

/// The processes that a program and what it started form. Its number is not given to another one as long as
/// one of them lives; the signals follow the program's end at once.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Group {
        Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // An error says only that all of them have ended.
            let _ = kill_process_group(group, signal);
        }
    }
}

/// What a program prints, read as it comes so that it never waits for us.
struct Output {
    tail: Arc<Mutex<Tail>>,
    reader: JoinHandle<()>,
}

impl Output {
    fn of(pipe: Option<impl AsyncRead + Unpin + Send + 'static>) -> Output {
        let tail = Arc::new(Mutex::new(Tail::default()));
        let kept = tail.clone();
        let reader = tokio::spawn(async move {
            let Some(mut pipe) = pipe else { return };
            let mut buffer = vec![0; 64 << 10];
            while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..read]);
            }
        });
        Output { tail, reader }
    }

    async fn text(mut self) -> String {
        if timeout(REST, &mut self.reader).await.is_err() {
            self.reader.abort();
        }
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).text()
    }
}
