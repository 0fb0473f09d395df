//! Every subscription as everybody, over WebSocket, while others write: nothing foreign arrives, and what
//! is for the listener does.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    Proof,
    expectation::relation,
    judge::{Judge, When},
    sdl::{Field, Input, Kind, Sdl},
    tree::Branch,
    value::{Maker, Names, Sample, Whose},
    walk::{arguments, head},
    world::{Owner, Viewer},
};
use crate::harness::{Client, Subscriber};

/// How deep what is streamed is read.
const DEEP: usize = 12;

/// How long a listener waits for what must be told.
const PATIENCE: Duration = Duration::from_secs(18);

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
    /// The first message, where it tells of more than that the stream has begun.
    first: Option<Value>,
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
        let mut listeners: Vec<Listener> = Vec::new();
        for (name, client) in self.seats() {
            let names = self.names(name, &orders);
            for (at, root) in roots(&self.sdl).into_iter().enumerate() {
                // What they tell is made alike: one is read to the ground, the others nearly so.
                let depth = if at == 0 { DEEP } else { 3 };
                // Whoever has to open more than this before it reads is taken for dead by the server.
                let tried = if at < 2 {
                    &[Whose::Own, Whose::Foreign, Whose::Missing][..]
                } else if root.arguments.iter().any(|argument| argument.required) {
                    // Nothing is foreign to an administrator.
                    &[Whose::Foreign, Whose::Missing][..]
                } else {
                    &[Whose::Foreign][..]
                };
                let streams: Vec<Stream> = streams(&self.sdl, (&root, depth), (&names, tried), &cursor);
                listeners.push(self.open(name, &client, streams).await);
            }
        }
        self.write_loud().await;
        self.judge = Judge::new(&self.world);
        let lasts: Vec<Option<Value>> = listeners.iter().map(|it| self.last_heard(it.name)).collect();
        let told = join_all(listeners.iter_mut().zip(lasts).map(|(it, last)| it.read(last))).await;
        for (listener, told) in listeners.iter().zip(told) {
            self.judge_streams(listener.name, &listener.streams, &told);
        }
        self.settle();
        let loud: Vec<usize> = (0..self.world.orders.len()).filter(|at| self.is_loud(*at)).collect();
        let world = &self.world;
        let count = self.judge.expect_found(
            world,
            "heard",
            |_: &Viewer, at| matches!(world.markers[at].owner, Owner::Order(order) if loud.contains(&order)),
        );
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
            assert_eq!(
                first["id"],
                json!(stream.id),
                "{name} is told of nothing before all has begun: {first}"
            );
            let body = body(&first);
            self.expect_sound(name, &stream.document, &stream.variables, &body);
            stream.refused = body["errors"].is_array();
            let kind = &body["data"][&stream.branch.key]["kind"];
            let begun = kind == "STARTED" || !stream.branch.selects("orderId");
            assert!(stream.refused || begun, "{name}: {body}");
            let tells = !stream.refused && kind != "STARTED";
            stream.first = tells.then_some(body);
        }
        let anonymous = name == "anonymous";
        assert!(streams.iter().all(|stream| stream.refused || !anonymous), "nobody was let in");
        Listener { name, socket, streams }
    }

    /// The last order in a viewer's sight that was touched.
    fn last_heard(&self, name: &str) -> Option<Value> {
        let viewer = self.world.viewers.iter().find(|viewer| viewer.name == name)?;
        let seen = |at: &usize| relation(viewer, &self.world.orders[*at]).is_some();
        let last = self.world.barriers().into_iter().rfind(seen);
        Some(json!(self.world.orders[last.expect("everybody sees a barrier")].id))
    }

    fn judge_streams(&mut self, name: &'static str, streams: &[Stream], told: &[(usize, Value)]) {
        for (at, body) in told {
            let Stream { branch, document, variables, .. } = &streams[*at];
            self.expect_sound(name, document, variables, body);
            self.hear(name, (document, variables), branch, body, When::Live);
        }
    }
}

impl Listener {
    /// Reads until each unfiltered stream has told of this order, and nothing is on its way any more; what
    /// was told, by stream.
    async fn read(&mut self, last: Option<Value>) -> Vec<(usize, Value)> {
        let firsts = self.streams.iter_mut().enumerate();
        let mut told: Vec<(usize, Value)> =
            firsts.filter_map(|(at, stream)| Some((at, stream.first.take()?))).collect();
        let mut waiting: BTreeSet<String> = self
            .streams
            .iter()
            .filter(|stream| stream.unfiltered && !stream.refused && last.is_some())
            .map(|stream| stream.id.clone())
            .collect();
        let mut pinged = false;
        loop {
            if waiting.is_empty() && !pinged {
                // Filtered streams may tell nothing at all.
                pinged = true;
                self.socket.send(json!({ "type": "ping" })).await;
            }
            let heard = timeout(PATIENCE, self.socket.message()).await;
            let message = heard.unwrap_or_else(|_| panic!("{} waits for {last:?} on {waiting:?}", self.name));
            if message["type"] == "pong" && pinged {
                return told;
            }
            let stream = self.streams.iter().position(|stream| message["id"] == json!(stream.id));
            let Some(at) = stream.filter(|_| message["type"] != "complete") else { continue };
            let body = body(&message);
            if last.as_ref() == Some(&body["data"][&self.streams[at].branch.key]["orderId"]) {
                waiting.remove(&self.streams[at].id);
            }
            told.push((at, body));
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

/// The fields that are watched; those that are about one thing, which has to be named, come last.
fn roots(sdl: &Sdl) -> Vec<Field> {
    let mut roots = sdl.roots("Subscription").to_vec();
    roots.sort_by_key(|root| root.arguments.iter().any(|argument| argument.required));
    roots
}

/// The streams of one field: everything in full, and every argument narrowly.
fn streams(
    sdl: &Sdl,
    (root, depth): (&Field, usize),
    (names, tried): (&Names, &[Whose]),
    cursor: &Value,
) -> Vec<Stream> {
    let stream = |id: String, branch: Branch, given: &[(Input, Sample)]| {
        let (head, variables) = head("subscription", given);
        let fills = given.iter().flat_map(|(_, sample)| sample.fills.clone()).collect();
        let document = branch.document(&head);
        let unfiltered = given.is_empty() && branch.selects("orderId");
        Stream { id, branch, document, variables, fills, unfiltered, refused: false, first: None }
    };
    let mut streams = Vec::new();
    let maker = Maker { sdl, names, tried };
    let coordinate = |argument: &Input| format!("Subscription.{}({}:)", root.name, argument.name);
    let own = Maker { tried: &[Whose::Own], ..maker };
    let needed = root.arguments.iter().filter(|argument| argument.required).map(|argument| {
        (argument.clone(), own.samples(&coordinate(argument), argument, &argument.name).remove(0))
    });
    let needed: Vec<(Input, Sample)> = needed.collect();
    for (at, part) in Branch::full(sdl, "Subscription", root, depth).parts().into_iter().enumerate() {
        let mut part = if needed.is_empty() { part } else { part.asking(arguments(&needed), None) };
        part.also(sdl, "kind");
        part.also(sdl, "orderId");
        streams.push(stream(format!("all{at}"), part, &needed));
    }
    for argument in &root.arguments {
        let coordinate = coordinate(argument);
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
