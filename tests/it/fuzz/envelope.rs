//! What carries a document: bodies that are almost JSON, addresses, and messages on a socket.

use rand::Rng;
use serde_json::{Value, json};

use super::document::Fuzz;

/// How a case is sent.
#[derive(Debug)]
pub enum Sent {
    /// A body, and what it claims to be.
    Post(Vec<u8>, &'static str),
    /// Parameters of an address.
    Get(Vec<(&'static str, String)>),
    /// Texts on a socket.
    Socket(Vec<String>),
}

impl Sent {
    /// Enough of it to know it again.
    pub fn shown(&self) -> String {
        let short = |text: &str| text.chars().take(3_000).collect::<String>();
        match self {
            Sent::Post(body, kind) => format!("POST {kind}: {}", short(&String::from_utf8_lossy(body))),
            Sent::Get(pairs) => format!("GET {}", short(&format!("{pairs:?}"))),
            Sent::Socket(texts) => texts.iter().map(|text| short(text)).collect::<Vec<_>>().join("\n"),
        }
    }
}

const JSON: &str = "application/json";

impl Fuzz<'_> {
    /// The next case.
    pub fn case(&mut self) -> Sent {
        self.sober = self.one_in(2);
        match self.random.random_range(0..20) {
            0..=10 => self.generated(),
            11..=14 => {
                let (document, variables) = self.document();
                let document = self.damaged(&document);
                Sent::Post(json!({ "query": document, "variables": variables }).to_string().into(), JSON)
            }
            15..=17 => self.strange_body(),
            18 => self.in_an_address(),
            _ => self.on_a_socket(),
        }
    }

    fn document(&mut self) -> (String, Value) {
        let kind = self.pick(&["query", "query", "mutation", "mutation", "subscription"]);
        let document = self.operation(kind);
        let variables = self.values();
        (document, variables)
    }

    fn generated(&mut self) -> Sent {
        let (document, variables) = self.document();
        Sent::Post(json!({ "query": document, "variables": variables }).to_string().into(), JSON)
    }

    fn in_an_address(&mut self) -> Sent {
        let (document, variables) = self.document();
        let mut pairs = vec![("query", document), ("variables", variables.to_string())];
        if self.one_in(4) {
            pairs.push(("operationName", "\u{0}".repeat(self.random.random_range(0..5_000))));
        }
        if self.one_in(4) {
            pairs.push(("query", "{".to_owned()));
        }
        // An address has 64 KiB at most, and a byte takes up to three letters.
        let short = |(name, text): (_, String)| (name, text.chars().take(4_000).collect());
        Sent::Get(pairs.into_iter().map(short).collect())
    }

    fn on_a_socket(&mut self) -> Sent {
        let texts = (0..self.random.random_range(1..6)).map(|at| {
            let (document, variables) = self.document();
            let id = if self.one_in(5) { "same".to_owned() } else { at.to_string() };
            let payload = json!({ "query": document, "variables": variables });
            match self.random.random_range(if self.sober { 3 } else { 0 }..8) {
                0 => self.junk(3).to_string(),
                1 => json!({ "type": self.junk(1), "id": self.junk(1), "payload": self.junk(3) }).to_string(),
                2 => "{".repeat(self.random.random_range(1..2_000)),
                3 => json!({ "type": "complete", "id": id }).to_string(),
                _ => json!({ "type": "subscribe", "id": id, "payload": payload }).to_string(),
            }
        });
        Sent::Socket(texts.collect())
    }

    fn strange_body(&mut self) -> Sent {
        let (document, variables) = self.document();
        let quoted = json!(document).to_string();
        let body: Vec<u8> = match self.random.random_range(0..13) {
            0 => format!(
                r#"{{"query":{quoted},"query":"{{__typename}}","variables":{{}},"variables":{variables}}}"#
            )
            .into(),
            1 => json!({ "query": self.junk(3), "variables": self.junk(3), "operationName": self.junk(1) })
                .to_string()
                .into(),
            2 => nested(r#"{"query":"{__typename}","variables":{"a":"#, "[", "]", "}}").into(),
            3 => nested(r#"{"query":"{__typename}","variables":"#, r#"{"a":"#, "}", "}").into(),
            4 => {
                let name = "N".repeat(1 << 20);
                json!({ "query": document, "operationName": name }).to_string().into()
            }
            5 => {
                let name = "N".repeat(self.random.random_range(100..900_000));
                json!({ "query": document, "operationName": name, "variables": variables }).to_string().into()
            }
            6 => {
                let many: Vec<u32> = (0..self.random.random_range(1_000..60_000)).collect();
                json!({ "query": document, "variables": { "v0": many, "v1": "x".repeat(100_000) } })
                    .to_string()
                    .into()
            }
            7 => json!([{ "query": document, "variables": variables }]).to_string().into(),
            8 => {
                let mut body = json!({ "query": document }).to_string().into_bytes();
                let at = self.random.random_range(0..body.len());
                body[at] = 0xff;
                body
            }
            9 => json!({ "query": document, "extensions": self.junk(4) }).to_string().into(),
            10 => {
                let text = json!({ "query": document, "variables": variables }).to_string();
                text.as_bytes()[..self.random.random_range(0..text.len())].to_vec()
            }
            11 => {
                let alias = |n: u32| format!("a{n}: __typename ");
                let many: String = (0..self.random.random_range(10..5_000)).map(alias).collect();
                json!({ "query": format!("{{ {many} }}") }).to_string().into()
            }
            _ => {
                let levels = self.random.random_range(2..60);
                let chain =
                    (0..levels).map(|n| format!("fragment F{n} on Query {{ ...F{0} ...F{0} }} ", n + 1));
                let end = format!("fragment F{levels} on Query {{ __typename }}");
                json!({ "query": format!("{{ ...F0 }} {}{end}", chain.collect::<String>()) })
                    .to_string()
                    .into()
            }
        };
        let kind = match self.random.random_range(0..12) {
            0 => "text/plain",
            1 => "application/x-www-form-urlencoded",
            2 => "multipart/form-data; boundary=x",
            _ => JSON,
        };
        Sent::Post(body, kind)
    }
}

/// Two hundred levels of JSON.
fn nested(before: &str, open: &str, close: &str, after: &str) -> String {
    format!("{before}{}1{}{after}", open.repeat(200), close.repeat(200))
}
