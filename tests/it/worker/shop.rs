//! What the tests of `ordo worker` stand on: a server, hooks, and pipes through which hooks are heard and held.

use std::{os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio};

use chrono::TimeDelta;
use ordo::usecase::order::lose_expired;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::unix::pipe,
    process::{Child, Command},
    time::timeout,
};

use crate::{
    cli::{PATIENCE, ordo},
    harness::{App, Wanted},
    service_token::machine,
};

/// A server, a folder with hooks, and the token that a worker comes with.
pub struct Shop {
    pub app: App,
    pub folder: TempDir,
    pub token: String,
}

impl Shop {
    pub async fn open() -> Shop {
        let app = App::start().await;
        let actions = json!(["validate", "provision", "fulfill", "complete", "fail"]);
        let (robot, _) = machine(&app, json!({ "actions": actions })).await;
        let token = robot.token().expect("a token").to_owned();
        Shop { app, folder: tempfile::tempdir().expect("a folder"), token }
    }

    /// Orders that wait for a worker.
    pub async fn orders(&self, count: usize) -> Vec<String> {
        self.app.stand(&vec![Wanted::new(&self.app.company.server, "payment_confirmed"); count]).await
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A shell script. Another process writes it: one that is open for writing in this one, or in a child of it,
    /// could not be run.
    pub async fn hook(&self, script: &str) {
        std::fs::write(self.path("hook.sh"), format!("#!/bin/sh\n{script}\n")).expect("a script");
        let mut install = Command::new("install");
        install.args(["-m", "755", "hook.sh", "hook"]).current_dir(self.folder.path());
        assert!(install.status().await.expect("it runs").success());
        assert_eq!(std::fs::metadata(self.path("hook")).expect("a hook").permissions().mode() & 0o777, 0o755);
    }

    /// A pipe with a name, which the hook opens too.
    pub async fn pipe(&self, name: &str) {
        let made = Command::new("mkfifo").arg(self.path(name)).status().await;
        assert!(made.expect("it runs").success());
    }

    /// A worker for a server.
    pub fn worker(&self, url: &str, more: &[&str]) -> Command {
        let mut command = ordo(self.folder.path(), &["worker", "--url", url, "--exec", "./hook"]);
        let log = std::fs::OpenOptions::new().append(true).create(true).open(self.path("worker.log"));
        command.args(more).env("ORDO_WORKER_TOKEN", &self.token).stdin(Stdio::null());
        command.stderr(log.expect("a log")).stdout(Stdio::null());
        command
    }

    pub fn start(&self, more: &[&str]) -> Child {
        self.worker(&self.app.url, more).spawn().expect("a worker")
    }

    /// Waits until an order has a status.
    pub async fn until(&self, order: &str, status: &str) {
        let staff = self.app.staff();
        let mut feed = staff.subscribe("subscription { orderEvents { orderId } }", json!({})).await;
        let arrived = async {
            loop {
                if staff.status(order).await.as_deref() == Some(status) {
                    return;
                }
                feed.change().await;
            }
        };
        if timeout(PATIENCE, arrived).await.is_err() {
            let log = std::fs::read_to_string(self.path("worker.log")).unwrap_or_default();
            panic!("{order} is {:?} and not {status}\n{log}", staff.status(order).await);
        }
    }

    /// The newest attempt at an order.
    pub async fn attempt(&self, order: &str) -> Value {
        let query = "query($id: ID!) { order(by: { id: $id }) { attempts(last: 1) { nodes { id number outcome \
            isClaimed error { category message traceback } } } } }";
        let found = self.app.staff().data(query, json!({ "id": order })).await;
        found["order"]["attempts"]["nodes"][0].clone()
    }

    /// Fails the attempts of lost workers, after so many seconds.
    pub async fn later(&self, seconds: i64) {
        self.app.world.advance(TimeDelta::seconds(seconds));
        assert_eq!(lose_expired(&self.app.inner).await.expect("a sweep"), 1);
    }
}

/// What hooks say through a pipe: lines, and the end once none of their processes lives.
pub struct Voice {
    path: PathBuf,
    open: Option<BufReader<pipe::Receiver>>,
}

impl Voice {
    pub fn of(shop: &Shop, name: &str) -> Voice {
        Voice { path: shop.path(name), open: None }
    }

    /// The next line, of whichever hook.
    pub async fn line(&mut self) -> String {
        let said = timeout(PATIENCE, async {
            loop {
                if self.open.is_none() {
                    // Waits for a hook that opens the other end.
                    let file = opened(self.path.clone(), false).await;
                    self.open = Some(BufReader::new(pipe::Receiver::from_file(file).expect("a pipe")));
                }
                let mut line = String::new();
                let open = self.open.as_mut().expect("a pipe");
                if open.read_line(&mut line).await.expect("a line") > 0 {
                    return line.trim().to_owned();
                }
                self.open = None;
            }
        });
        said.await.expect("a line in time")
    }

    /// Until nobody holds the other end.
    pub async fn silence(&mut self) {
        let mut open = self.open.take().expect("somebody who spoke");
        let mut rest = String::new();
        timeout(PATIENCE, open.read_to_string(&mut rest)).await.expect("an end in time").expect("text");
    }
}

/// A pipe once its other end is open, too. In a thread that nobody waits for: it may wait for ever.
async fn opened(path: PathBuf, writing: bool) -> std::fs::File {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let file = std::fs::OpenOptions::new().read(!writing).write(writing).open(path);
        let _ = tell.send(file);
    });
    told.await.expect("a file").expect("a pipe")
}

/// Lets hooks go on that read this pipe.
pub async fn release(shop: &Shop, name: &str) {
    drop(timeout(PATIENCE, opened(shop.path(name), true)).await.expect("a reader in time"));
}

pub async fn signal(signal: &str, process: &str) {
    let kill = Command::new("sh").args(["-c", &format!("kill -{signal} {process}")]).status().await;
    assert!(kill.expect("a signal").success());
}

pub async fn kill(mut worker: Child) {
    worker.kill().await.expect("it is killed");
}
