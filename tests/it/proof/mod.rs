//! Isolation, proven: documents generated from the schema visit every field, argument and connection as
//! everybody, over two tenants and two providers whose every text says whose it is.

mod account;
mod alike;
mod coverage;
mod expectation;
mod job;
mod judge;
mod listen;
mod machine;
mod mutate;
mod names;
mod paging;
mod people;
mod provoke;
mod script;
pub mod sdl;

mod tree;
mod value;
mod walk;
mod workflow;
mod world;

pub use judge::is_id;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use ordo::{bus::hub, http};
use serde_json::Value;

use self::{
    coverage::Coverage,
    judge::{Judge, Onlooker, When},
    sdl::Sdl,
    tree::Branch,
    world::World,
};
use crate::harness::{App, Client};

/// What the proof holds on to.
struct Proof {
    app: App,
    sdl: Sdl,
    world: World,
    judge: Judge,
    coverage: Coverage,
    /// What was wrong besides markers.
    faults: Vec<String>,
}

/// An operation that somebody sends.
struct Operation {
    /// What is selected of which root field.
    branch: Branch,
    /// The operation's type and variables.
    head: String,
    variables: Value,
    /// The coordinates that the arguments fill.
    fills: BTreeSet<String>,
}

impl Operation {
    fn document(&self) -> String {
        self.branch.document(&self.head)
    }

    async fn send(&self, client: &Client) -> Value {
        client.send(&self.document(), self.variables.clone()).await.body
    }
}

/// How many requests are under way at once where nothing depends on their order.
const AT_ONCE: usize = 6;

impl Proof {
    /// Everybody, and nobody.
    fn seats(&self) -> Vec<(&'static str, Client)> {
        let anonymous = [("anonymous", self.app.anonymous())];
        let people = self.world.viewers.iter().map(|viewer| (viewer.name, viewer.client.clone()));
        people.chain(anonymous).collect()
    }

    /// Sends an operation, and reads what is answered.
    async fn ask(&mut self, (name, client): (&'static str, &Client), operation: &Operation) -> Value {
        let body = operation.send(client).await;
        self.take(name, operation, &body);
        body
    }

    /// Sends operations that do not depend on each other, several at once, and reads what is answered.
    async fn ask_all(&mut self, name: &'static str, asked: &[(Client, Operation)]) -> Vec<Value> {
        let sent = asked.iter().map(|(client, operation)| operation.send(client));
        let bodies: Vec<Value> = stream::iter(sent).buffered(AT_ONCE).collect().await;
        asked.iter().zip(&bodies).for_each(|((_, operation), body)| self.take(name, operation, body));
        bodies
    }

    /// Reads an answer.
    fn take(&mut self, name: &'static str, operation: &Operation, body: &Value) {
        let Operation { branch, variables, fills, .. } = operation;
        let document = operation.document();
        self.expect_sound(name, &document, variables, body);
        self.hear(name, (&document, variables), branch, body, When::Asked);
        self.coverage.sent(fills);
    }

    /// A generated document is valid and within the budget, and what goes wrong is never our fault.
    fn expect_sound(&mut self, name: &str, document: &str, variables: &Value, body: &Value) {
        for error in body["errors"].as_array().into_iter().flatten() {
            let code = error["extensions"]["code"].as_str().unwrap_or("without a code");
            let sound = match code {
                "BAD_USER_INPUT" => error["extensions"]["argument"].is_string(),
                "UNAUTHENTICATED" => name == "anonymous",
                "FORBIDDEN" | "LIVE_FILTER_UNSUPPORTED" => true,
                _ => false,
            };
            if !sound {
                self.faults.push(format!("{name}: {error}\n  by {document}\n  with {variables}"));
            }
        }
    }

    /// Fails with everything that was wrong so far.
    fn settle(&mut self) {
        let told = std::mem::take(&mut self.judge.faults);
        let told = told.into_iter().map(|(what, example)| format!("{what}\n  {example}"));
        let faults: Vec<String> = told.chain(self.faults.drain(..)).collect();
        let shown: Vec<&str> = faults.iter().take(40).map(String::as_str).collect();
        assert!(faults.is_empty(), "{} faults, among them:\n{}", faults.len(), shown.join("\n"));
    }

    /// Reads an answer to a document that selects one root field.
    fn hear(&mut self, name: &'static str, sent: (&str, &Value), branch: &Branch, body: &Value, when: When) {
        let viewer = self.world.somebody(name);
        self.judge.read(&self.world, Onlooker { name, viewer }, sent, body, when);
        self.coverage.answered(&self.sdl, branch, &body["data"][&branch.key]);
    }
}

/// A front door that takes nobody for dead or slow: listeners are opened one after the other, and those that came
/// first are read last.
fn unhurried() -> http::Settings {
    let long = Duration::from_secs(1_800);
    let sockets = http::SocketLimits { ping: long, sending: long, ..http::SocketLimits::default() };
    let live = hub::Limits { patience: long, ..hub::Limits::default() };
    http::Settings { limits: http::Limits::roomy(), sockets, live, ..http::Settings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_marker_is_found_by_its_owner_and_by_nobody_else() {
    let begun = Instant::now();
    let app = App::start_with(unhurried()).await;
    let mut world = World::found(&app).await;
    world.write_quiet(&app).await;
    let (sdl, judge, coverage) = (Sdl::of_the_program(), Judge::new(&world), Coverage::default());
    let mut proof = Proof { app, sdl, world, judge, coverage, faults: Vec::new() };
    let phase = |what: &str| println!("{:6.1} s: {what}", begun.elapsed().as_secs_f32());
    phase("orders stand");
    proof.listen().await;
    phase("streams are read");
    proof.walk().await;
    proof.settle();
    phase("queries are walked");
    proof.turn_pages().await;
    phase("pages are turned");
    proof.compare_reads().await;
    phase("foreign and missing read alike");
    proof.provoke().await;
    proof.mutate().await;
    phase("mutations are refused and carried out");
    proof.compare_writes().await;
    phase("foreign and missing are refused alike");
    proof.settle();
    proof.coverage.expect_complete(&proof.sdl);
}
