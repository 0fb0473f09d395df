//! Every subscription as everybody, over WebSocket, while others write: nothing foreign arrives, and what
//! is for the listener does.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    Proof,
    expectation::relation,
    judge::{Judge, When},
    sdl::{Input, Kind, Sdl},
    tree::Branch,
    value::{Maker, Names, Sample, Whose},
    walk::{arguments, head},
    world::{Owner, Viewer},
};
use crate::harness::{Client, Subscriber};

/// How deep what is streamed is read.
const DEEP: usize = 12;

/// One subscription on a socket.
struct Stream {
    id: String,
    branch: Branch,
    document: String,
    variables: Value,
    fills: BTreeSet<String>,
    /// Whether everything that the viewer may see is told.
    unfiltered: bool,
    refused: bool,
}

/// Somebody's socket for one field.
struct Listener {
    name: &'static str,
    socket: Subscriber,
    streams: Vec<Stream>,
}

impl Proof {
    /// Opens all streams, writes the loud orders, and reads what was told.
    pub async fn listen(&mut self) {
        let orders = self.learn_names().await;
        self.judge.learn(&self.world);
        let query = "{ orders(first: 1) { eventsCursor } }";
        let cursor = self.app.staff().data(query, json!({})).await["orders"]["eventsCursor"].clone();
        let mut listeners = Vec::new();
        for (name, client) in self.seats() {
            let names = self.names(name, &orders);
            for root in self.sdl.roots("Subscription").to_vec() {
                let streams = streams(&self.sdl, &root, &names, &cursor);
                listeners.push(self.open(name, &client, streams).await);
            }
        }
        self.write_loud().await;
        self.judge = Judge::new(&self.world);
        for listener in listeners {
            self.drain(listener).await;
        }
        let loud: Vec<usize> = (0..self.world.orders.len()).filter(|at| self.is_loud(*at)).collect();
        let world = &self.world;
        let count = self.judge.expect_found(world, "heard", |_: &Viewer, at| {
            matches!(world.markers[at].owner, Owner::Order(order) if loud.contains(&order))
        });
        println!("markers were heard {count} times");
    }

    async fn write_loud(&mut self) {
        self.world.write_loud(&self.app).await;
        for barrier in self.world.barriers() {
            self.world.touch(&self.app, barrier).await;
        }
    }

    fn is_loud(&self, order: usize) -> bool {
        ["A1", "A2", "B1", "B2"].contains(&self.world.orders[order].name)
    }

    /// Starts every stream and waits until each has begun or was refused.
    async fn open(&mut self, name: &'static str, client: &Client, mut streams: Vec<Stream>) -> Listener {
        let mut socket = Subscriber::connect(&self.app.url, client.token()).await;
        for stream in &mut streams {
            socket.start(&stream.id, &stream.document, stream.variables.clone()).await;
            self.coverage.sent(&stream.fills);
            let first = loop {
                let message = socket.message().await;
                // A refused stream is complete at once.
                if message["type"] != "complete" {
                    break message;
                }
            };
            assert_eq!(first["id"], json!(stream.id), "{name} is told of nothing before all has begun: {first}");
            let body = body(&first);
            self.expect_sound(name, &stream.document, &stream.variables, &body);
            stream.refused = body["errors"].is_array();
            let kind = &body["data"][&stream.branch.key]["kind"];
            assert!(stream.refused || kind == "STARTED" || kind.is_null(), "{name}: {body}");
        }
        let anonymous = name == "anonymous";
        assert!(streams.iter().all(|stream| stream.refused || !anonymous), "nobody was let in");
        Listener { name, socket, streams }
    }

    /// Reads a socket until the last order in the viewer's sight was told of by each unfiltered stream.
    async fn drain(&mut self, listener: Listener) {
        let Listener { name, mut socket, streams } = listener;
        let Some(viewer) = self.world.viewers.iter().find(|viewer| viewer.name == name) else { return };
        let seen = |at: &usize| relation(viewer, &self.world.orders[*at]).is_some();
        let barrier = self.world.barriers().into_iter().filter(seen).next_back();
        let barrier = json!(self.world.orders[barrier.expect("everybody sees a barrier")].id);
        let mut waiting: BTreeSet<&str> =
            streams.iter().filter(|it| it.unfiltered && !it.refused).map(|it| it.id.as_str()).collect();
        let mut pinged = false;
        loop {
            if waiting.is_empty() && !pinged {
                // Filtered streams may tell nothing at all.
                pinged = true;
                socket.send(json!({ "type": "ping" })).await;
            }
            let message = socket.message().await;
            if message["type"] == "pong" && pinged {
                return;
            }
            if message["type"] == "complete" {
                continue;
            }
            let Some(stream) = streams.iter().find(|stream| message["id"] == json!(stream.id)) else { continue };
            let body = body(&message);
            self.expect_sound(name, &stream.document, &stream.variables, &body);
            let sent = format!("{} {}", stream.document, stream.variables);
            self.hear(name, &sent, &stream.branch, &body, When::Live);
            if body["data"][&stream.branch.key]["orderId"] == barrier {
                waiting.remove(stream.id.as_str());
            }
        }
    }
}

/// What a message carries, in the shape of an answer.
fn body(message: &Value) -> Value {
    match message["type"].as_str() {
        Some("error") => json!({ "errors": message["payload"] }),
        _ => message["payload"].clone(),
    }
}

/// The streams of one field: everything in full, and every argument narrowly.
fn streams(sdl: &Sdl, root: &super::sdl::Field, names: &Names, cursor: &Value) -> Vec<Stream> {
    let stream = |id: String, branch: Branch, given: &[(Input, Sample)]| {
        let (head, variables) = head("subscription", given);
        let fills = given.iter().flat_map(|(_, sample)| sample.fills.clone()).collect();
        let document = branch.document(&head);
        Stream { id, branch, document, variables, fills, unfiltered: given.is_empty(), refused: false }
    };
    let mut streams = Vec::new();
    for (at, mut part) in Branch::full(sdl, "Subscription", root, DEEP).parts().into_iter().enumerate() {
        part.also(sdl, "kind");
        part.also(sdl, "orderId");
        streams.push(stream(format!("all{at}"), part, &[]));
    }
    let maker = Maker { sdl, names, tried: &[Whose::Own, Whose::Foreign, Whose::Missing] };
    for argument in &root.arguments {
        let coordinate = format!("Subscription.{}({}:)", root.name, argument.name);
        let samples = match argument.name.as_str() {
            "after" => vec![Sample { value: cursor.clone(), fills: BTreeSet::from([coordinate]) }],
            _ => maker.samples(&coordinate, argument, &argument.name),
        };
        // All conditions at once name some that a live filter cannot follow.
        let whole = sdl.get(&argument.ty.name).kind == Kind::Input;
        for (at, sample) in samples.into_iter().enumerate().skip(usize::from(whole)) {
            let given = [(argument.clone(), sample)];
            let branch = Branch::full(sdl, "Subscription", root, 1).asking(arguments(&given), None);
            streams.push(stream(format!("{}{at}", argument.name), branch, &given));
        }
    }
    streams
}
