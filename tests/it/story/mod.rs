//! A story per workflow: an order walked over HTTP from first to last status while people listen over
//! WebSocket, the wrong roles refused at each step, and everything that anybody is told compared whole
//! with a snapshot. A new field or message in a story's snapshot is a new thing that somebody sees.

mod cloud;
mod commerce;
mod delivery;
mod hosting;
mod marketplace;

use std::fmt::Write;

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use crate::harness::{App, Client, Goods, Subscriber};

const EVENTS: &str = "subscription($after: String) { orderEvents(after: $after) { kind cursor orderId \
    order { version status { code category label isFinal } } \
    event { id kind version action from { code } to { code } reason at actor { name } amount { amount } \
      assignedTo { name } note { body audience author { name } } } } }";
const MOVES: &str =
    "subscription { orderStatusChanged { kind cursor orderId order { version } event { id } } }";
const VIEW: &str = "query($id: ID!) { order(by: { id: $id }) { version completedAt \
    status { code category isFinal } error { category message traceback stage at } \
    attempts { nodes { number stage outcome startedAt endedAt error { category message traceback stage } } } \
    items { nodes { name status paymentStatus resource { state } } } \
    invoice { state total { amount } openedAt issuedAt paidAt cancelledAt } \
    payments { amount { amount } method recordedBy { name } } refunds { amount { amount } reason } \
    pricing { total { amount } paid { amount } due { amount } } notes { body audience } \
    csr { name } deliveryAgent { name } \
    availableActions { action to { code } needs confirm blockedBy { guard } } } }";
const TIMELINE: &str = "query($id: ID!) { order(by: { id: $id }) { timeline { nodes { \
    kind version action from { code } to { code } reason at actor { name } amount { amount } \
    assignedTo { name } note { body audience author { name } } } } } }";
const PAYLOAD: &str = "{ replayed order { version status { code } } \
    event { kind version action from { code } to { code } reason actor { name } amount { amount } } \
    errors { __typename code path ... on IllegalTransition { from action allowedActions } \
      ... on NotPermitted { action allowedActions } ... on GuardFailed { guard } } }";

/// Somebody who listens: to everything, and to moves alone.
struct Listener {
    role: &'static str,
    events: Subscriber,
    moves: Subscriber,
    begin: Value,
    heard: Vec<Value>,
    view: Map<String, Value>,
}

/// An order, who listens, and what has been told so far.
pub struct Story {
    pub app: App,
    pub order: String,
    /// Another order, whose moves everybody hears: it marks the end of a step in every stream.
    bell: String,
    listeners: Vec<Listener>,
    text: String,
}

impl Story {
    /// An application with these roles listening.
    pub async fn begin(roles: &[&'static str]) -> Story {
        let app = App::start().await;
        let bell = app.place(&app.consumer(), &app.company.webspace, 1).await;
        let input = json!({ "order": bell, "agent": app.company.agent.id.to_string() });
        call(&app.staff(), "orderAssignAgent", &input).await;
        let mut story = Story { app, order: String::new(), bell, listeners: Vec::new(), text: String::new() };
        for role in roles {
            let client = story.client(role);
            let mut events = client.subscribe(EVENTS, json!({})).await;
            let mut moves = client.subscribe(MOVES, json!({})).await;
            let begin = events.change().await;
            assert_eq!(begin["kind"], "STARTED");
            assert_eq!(moves.change().await["kind"], "STARTED");
            let (heard, view) = (Vec::new(), Map::new());
            story.listeners.push(Listener {
                role,
                events,
                moves,
                begin: begin["cursor"].clone(),
                heard,
                view,
            });
        }
        // A stream begins where the feed is, which may still be on its way to the bell's first events.
        let version = story.ring().await;
        for listener in &mut story.listeners {
            until(&mut listener.events, &story.bell, &version, &mut listener.heard).await;
            until(&mut listener.moves, &story.bell, &version, &mut Vec::new()).await;
        }
        story
    }

    /// The client of a role.
    pub fn client(&self, role: &str) -> Client {
        let app = &self.app;
        match role {
            "admin" => app.admin(),
            "staff" => app.staff(),
            "support" => app.support(),
            "csr" => app.csr(),
            "agent" => app.agent(),
            "provider" => app.provider(),
            "manager" => app.manager(),
            "worker" => app.worker(),
            "approver" => app.approver(),
            "consumer" => app.consumer(),
            "stranger" => app.stranger(),
            "rival" => app.rival(),
            other => panic!("nobody is {other}"),
        }
    }

    /// Places the order: lines of these products; first tried by those who may not.
    pub async fn place(&mut self, by: &str, lines: &[(&Goods, i32)], not: &[&str]) {
        let lines: Vec<Value> = lines
            .iter()
            .map(|(product, quantity)| json!({ "product": product.id.to_string(), "quantity": quantity }))
            .collect();
        let customer = self.app.company.customer.to_string();
        let input = json!({ "customer": { "id": customer }, "lines": lines });
        self.say(&format!("\n# {by}: orderCreate"));
        for role in not {
            let payload = call(&self.client(role), "orderCreate", &input).await;
            assert_eq!(payload["errors"][0]["code"], "NOT_FOUND", "{role}: {payload}");
            self.say(&format!("not {role}: {}", flat(&payload["errors"][0])));
        }
        self.order = self.app.place_input(&self.client(by), input).await;
        self.hear().await;
        self.look().await;
    }

    /// Takes a step: a minute later, by somebody, after each of those who may not has been refused with
    /// the type given. Returns the order as staff sees it then.
    pub async fn step(&mut self, by: &str, mutation: &str, input: Value, not: &[(&str, &str)]) -> Value {
        self.app.world.advance(TimeDelta::minutes(1));
        self.say(&format!("\n# {by}: {mutation} {}", self.named(&input)));
        for (role, expected) in not {
            self.refused(role, mutation, input.clone(), expected).await;
        }
        let payload = self.call(by, mutation, input).await;
        assert_eq!(payload["errors"], json!([]), "{by} {mutation}: {payload:#}");
        self.say(&format!("answer: {}", flat(&payload)));
        self.hear().await;
        self.look().await
    }

    /// Is refused with an error of this type, and nothing at all is written.
    pub async fn refused(&mut self, by: &str, mutation: &str, input: Value, expected: &str) {
        let before = self.app.rows(&self.order).await;
        let attempt = self.named(&input);
        let payload = self.call(by, mutation, input).await;
        let errors = payload["errors"].as_array().expect("errors");
        assert_eq!(errors.len(), 1, "{by} {mutation}: {payload:#}");
        assert_eq!(errors[0]["__typename"], expected, "{by} {mutation}: {payload:#}");
        assert!(payload["order"].is_null() && payload["event"].is_null(), "{payload:#}");
        let after = self.app.rows(&self.order).await;
        assert_eq!(before.to_string(), after.to_string(), "{by} {mutation} changed something");
        self.say(&format!("not {by}: {mutation} {attempt} {}", flat(&errors[0])));
    }

    /// Nothing that this listener has heard, sees now, or reads in the timeline says this word.
    pub async fn never_told(&self, role: &str, word: &str) {
        let listener = self.listeners.iter().find(|listener| listener.role == role).expect("a listener");
        let timeline = self.client(role).data(TIMELINE, json!({ "id": self.order })).await;
        let told = json!([listener.heard, listener.view, timeline]);
        assert!(!told.to_string().contains(word), "{role} is told {word:?}: {told:#}");
    }

    /// Ends the story: whoever lost the stream at its very start hears all of it again, the timelines
    /// are told, and all is compared with the snapshot of this name.
    pub async fn end(mut self, snapshot: &str) {
        let listeners = std::mem::take(&mut self.listeners);
        for listener in &listeners {
            if !["staff", "consumer"].contains(&listener.role) {
                continue;
            }
            let client = self.client(listener.role);
            let mut again = client.subscribe(EVENTS, json!({ "after": listener.begin })).await;
            assert_eq!(again.change().await["cursor"], listener.begin);
            for heard in &listener.heard {
                let message = again.change().await;
                for part in ["kind", "cursor", "orderId", "event"] {
                    assert_eq!(message[part], heard[part], "{} resumes: {part}", listener.role);
                }
            }
        }
        for listener in &listeners {
            let data = self.client(listener.role).data(TIMELINE, json!({ "id": self.order })).await;
            self.say(&format!("\n# the timeline, as {} reads it", listener.role));
            for event in data["order"]["timeline"]["nodes"].as_array().into_iter().flatten() {
                self.say(&flat(event));
            }
        }
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(snapshot, self.text.trim());
        });
    }

    async fn call(&self, by: &str, mutation: &str, input: Value) -> Value {
        let mut whole = Map::from_iter([("order".to_owned(), json!(self.order))]);
        whole.extend(input.as_object().cloned().unwrap_or_default());
        call(&self.client(by), mutation, &Value::Object(whole)).await
    }

    /// Moves the bell's order there or back, and returns the version that it has since.
    async fn ring(&self) -> Value {
        let bell = json!({ "order": self.bell });
        let mut rung = call(&self.app.staff(), "orderAccept", &bell).await;
        if rung["order"].is_null() {
            rung = call(&self.app.staff(), "orderResetToPending", &bell).await;
        }
        let version = rung["event"]["version"].clone();
        assert!(version.is_i64(), "the bell rings: {rung:#}");
        version
    }

    /// Rings the bell, and tells what every listener heard before it rang. Whoever listens to moves
    /// alone must have heard the moves among it, and nothing else.
    async fn hear(&mut self) {
        let version = self.ring().await;
        let mut listeners = std::mem::take(&mut self.listeners);
        for listener in &mut listeners {
            let role = listener.role;
            let heard = until(&mut listener.events, &self.bell, &version, &mut listener.heard).await;
            let mut moves = Vec::new();
            until(&mut listener.moves, &self.bell, &version, &mut moves).await;
            let told = |message: &Value| {
                let message = message.clone();
                json!([message["kind"], message["cursor"], message["orderId"], message["event"]["id"]])
            };
            let still = ["NOTE", "PAYMENT", "ASSIGNED"].map(Value::from);
            let expected: Vec<Value> =
                heard.iter().filter(|m| !still.contains(&m["kind"])).map(told).collect();
            moves.pop();
            assert_eq!(moves.iter().map(told).collect::<Vec<_>>(), expected, "{role} hears of moves");
            if heard.is_empty() {
                self.say(&format!("{role} hears nothing"));
            }
            for mut message in heard {
                assert_eq!(message["orderId"], json!(self.order), "{role} hears of a stranger's order");
                let fields = message.as_object_mut().expect("a message");
                assert!(fields.remove("cursor").is_some_and(|cursor| cursor.is_string()));
                fields.remove("orderId");
                if let Some(event) = fields["event"].as_object_mut() {
                    event.remove("id");
                }
                self.say(&format!("{role} hears {}", flat(&message)));
            }
        }
        self.listeners = listeners;
    }

    /// Tells what has changed of the order for each listener, and returns staff's view of it.
    async fn look(&mut self) -> Value {
        let mut listeners = std::mem::take(&mut self.listeners);
        let mut staff = Value::Null;
        for listener in &mut listeners {
            let mut data = self.client(listener.role).data(VIEW, json!({ "id": self.order })).await;
            let order = &mut data["order"];
            if let Some(attempts) = order.pointer_mut("/attempts/nodes").and_then(Value::as_array_mut) {
                // Those that began at one moment are in no order.
                attempts.sort_by_key(|attempt| (attempt["startedAt"].to_string(), flat(attempt)));
            }
            let view = order.as_object().cloned().unwrap_or_default();
            if listener.role == "staff" {
                staff = order.clone();
            }
            let gone = listener.view.keys().filter(|key| !view.contains_key(*key));
            let gone: Vec<(String, Value)> = gone.map(|key| (key.clone(), "?".into())).collect();
            let changed: Map<String, Value> = view
                .clone()
                .into_iter()
                .filter(|(key, value)| listener.view.get(key).unwrap_or(&Value::Null) != value)
                .map(|(key, value)| (key, if value.is_null() { "none".into() } else { value }))
                .collect();
            let role = listener.role;
            match (view.is_empty(), gone.is_empty()) {
                (true, true) => self.say(&format!("{role} sees no order")),
                (true, false) => self.say(&format!("{role} sees no order any more")),
                (false, _) => self.say(&format!("{role} sees {}", flat(&Value::Object(changed)))),
            }
            listener.view = view;
        }
        self.listeners = listeners;
        staff
    }

    /// An input with ids as names.
    fn named(&self, input: &Value) -> Value {
        let mut text = input.to_string();
        for account in self.app.company.accounts() {
            text = text.replace(&account.id.to_string(), account.role.name());
        }
        let mut named: Value = serde_json::from_str(&text).expect("JSON");
        if let Some(items) = named.get_mut("items").and_then(Value::as_array_mut) {
            items.iter_mut().for_each(|item| *item = "an item".into());
        }
        named
    }

    fn say(&mut self, line: &str) {
        writeln!(self.text, "{line}").expect("a text");
    }
}

/// Reads a stream until the bell rings; keeps everything, and returns what came before the bell.
async fn until(stream: &mut Subscriber, bell: &str, version: &Value, heard: &mut Vec<Value>) -> Vec<Value> {
    let mut since = Vec::new();
    loop {
        let message = stream.change().await;
        heard.push(message.clone());
        let moved = message["kind"] == "STATUS_CHANGED" && message["orderId"] == bell;
        if moved && message["order"]["version"] == *version {
            return since;
        }
        since.push(message);
    }
}

/// Sends a mutation by name.
async fn call(client: &Client, mutation: &str, input: &Value) -> Value {
    let (first, rest) = mutation.split_at(1);
    let type_name = format!("{}{rest}Input", first.to_uppercase());
    let query = format!("mutation($input: {type_name}!) {{ {mutation}(input: $input) {PAYLOAD} }}");
    client.data(&query, json!({ "input": input })).await[mutation].clone()
}

/// A value in one line: what is null is left out, an object of one field is that field's value, and a
/// moment is its time of day.
fn flat(value: &Value) -> String {
    match value {
        Value::Object(fields) if fields.len() == 1 && !fields.contains_key("order") => {
            fields.values().map(flat).collect()
        }
        Value::Object(fields) => {
            let mut shown: Vec<_> = fields.iter().filter(|(_, value)| !value.is_null()).collect();
            shown.sort_by_key(|(name, _)| (name.as_str() != "kind", name.as_str()));
            let shown = shown.into_iter().map(|(name, value)| format!("{name}: {}", flat(value)));
            format!("{{{}}}", shown.collect::<Vec<_>>().join(", "))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(flat).collect::<Vec<_>>().join(", ")),
        Value::String(text) => match chrono::DateTime::parse_from_rfc3339(text) {
            Ok(moment) => moment.format("%H:%M").to_string(),
            Err(_) if text.contains([' ', ',']) || text.is_empty() => format!("{text:?}"),
            Err(_) => text.clone(),
        },
        other => other.to_string(),
    }
}
