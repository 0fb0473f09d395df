//! Sockets byte by byte: frames that no library would send, floods, and messages that are too much.

use std::fmt::Write;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{address, as_well_as_before, get, soon};
use crate::harness::App;

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// A socket without a library.
pub struct Wire(TcpStream);

impl Wire {
    /// Opens one, says who it is, and is acknowledged.
    pub async fn greeted(app: &App) -> Wire {
        let mut stream = TcpStream::connect(address(app)).await.expect("a connection");
        let token = app.staff().token().expect("a token").to_owned();
        let mut lines =
            String::from("connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n");
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        write!(lines, "sec-websocket-key: {key}\r\nsec-websocket-protocol: graphql-transport-ws\r\n")
            .unwrap();
        write!(lines, "authorization: Bearer {token}\r\n").unwrap();
        stream.write_all(&get("/graphql", &lines)).await.expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(stream.read_u8()).await.expect("a head"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        let mut wire = Wire(stream);
        wire.send(&text(r#"{"type":"connection_init"}"#)).await;
        let (_, ack) = wire.frame().await.expect("an answer");
        assert_eq!(ack, br#"{"type":"connection_ack"}"#);
        wire
    }

    /// Sends bytes as they are. A socket that is closed already cannot be written to; reading tells.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// The next frame: its first byte and what it holds; nothing where the connection has ended.
    pub async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        frame_of(&mut self.0).await
    }

    /// What comes of these bytes: the code of the close, `0` for an end without one, or the type of the
    /// message that is answered. Pongs of the protocol below are passed over.
    async fn told(mut self, bytes: Vec<u8>) -> String {
        let Wire(stream) = &mut self;
        let (mut reader, mut writer) = stream.split();
        let reading = async {
            loop {
                match frame_of(&mut reader).await {
                    None => return "0".to_owned(),
                    Some((first, payload)) if first == FIN | CLOSE => {
                        return payload
                            .get(..2)
                            .map_or(0, |code| u16::from_be_bytes([code[0], code[1]]))
                            .to_string();
                    }
                    Some((first, payload)) if first == FIN | TEXT => {
                        let message: Value = serde_json::from_slice(&payload).expect("JSON");
                        return message["type"].as_str().expect("a type").to_owned();
                    }
                    Some(_) => {}
                }
            }
        };
        let writing = async {
            let _ = writer.write_all(&bytes).await;
            std::future::pending::<()>().await
        };
        soon(async {
            tokio::select! {
                told = reading => told,
                () = writing => String::new(),
            }
        })
        .await
    }
}

async fn frame_of(stream: &mut (impl AsyncRead + Unpin)) -> Option<(u8, Vec<u8>)> {
    let first = stream.read_u8().await.ok()?;
    let length = match stream.read_u8().await.ok()? {
        126 => stream.read_u16().await.ok()?.into(),
        127 => stream.read_u64().await.ok()?,
        short => short.into(),
    };
    let mut payload = vec![0; usize::try_from(length).expect("a length")];
    stream.read_exact(&mut payload).await.ok()?;
    Some((first, payload))
}

/// A frame as a client sends it, with a mask that changes nothing.
fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let head = announced(first, payload.len() as u64);
    [&head[..], payload].concat()
}

/// The head of a frame that says it is so long.
fn announced(first: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..126 => head.push(0x80 | length as u8),
        126..0x1_0000 => head.extend([&[0x80 | 126][..], &(length as u16).to_be_bytes()].concat()),
        _ => head.extend([&[0x80 | 127][..], &length.to_be_bytes()].concat()),
    }
    head.extend([0; 4]);
    head
}

pub fn text(message: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | TEXT, message)
}

/// An operation with this payload, as text: not all that is sent is JSON.
pub fn subscribe(payload: impl AsRef<str>) -> Vec<u8> {
    text(format!(r#"{{"type":"subscribe","id":"1","payload":{}}}"#, payload.as_ref()))
}

/// A message in so many pieces of a byte, without its end where it is longer.
fn in_pieces(message: &str) -> Vec<u8> {
    let bytes = message.as_bytes();
    let pieces = bytes.iter().enumerate().map(|(at, byte)| {
        let last = if at + 1 == bytes.len() { FIN } else { 0 };
        frame(last | if at == 0 { TEXT } else { CONTINUATION }, [*byte])
    });
    pieces.collect::<Vec<_>>().concat()
}

type Row = (&'static str, Vec<u8>, &'static str);

async fn each(app: &App, rows: Vec<Row>) {
    let mut wrong = Vec::new();
    for (what, bytes, expected) in rows {
        let told = Wire::greeted(app).await.told(bytes).await;
        if told != expected {
            wrong.push(format!("{what}: {told}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    as_well_as_before(app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_break_the_rules_close_the_socket() {
    let app = App::start().await;
    #[rustfmt::skip]
    let rows: Vec<Row> = vec![
        ("a frame without a mask", vec![FIN | TEXT, 2, b'{', b'}'], "1002"),
        ("a reserved bit", frame(FIN | 0x40 | TEXT, "{}"), "1002"),
        ("all reserved bits", frame(0xf0 | TEXT, "{}"), "1002"),
        ("a kind that is not there", frame(FIN | 3, "{}"), "1002"),
        ("a control frame that is not there", frame(FIN | 11, "{}"), "1002"),
        ("the continuation of nothing", frame(FIN | CONTINUATION, "{}"), "1002"),
        ("a message within a message", [frame(TEXT, "{"), text("{}")].concat(), "1002"),
        ("a ping of 126 bytes", frame(FIN | PING, [0; 126]), "1002"),
        ("a ping in pieces", frame(PING, ""), "1002"),
        ("a close of one byte", frame(FIN | CLOSE, [3]), "1002"),
        ("a close with a code that is none", frame(FIN | CLOSE, [0, 1]), "1002"),
        ("bytes that are no text", text([b'{', 0xff, 0xfe]), "1007"),
        ("bytes that are no text, in pieces", [frame(TEXT, [0xe5]), frame(FIN | CONTINUATION, [0x41])].concat(), "1007"),
        ("a binary message", frame(FIN | BINARY, "{}"), "4400"),
        ("a length of 256 KiB and a byte", announced(FIN | TEXT, (256 << 10) + 1), "1009"),
        ("a length of an exabyte", announced(FIN | TEXT, 1 << 60), "1009"),
        ("a length below nothing", announced(FIN | TEXT, u64::MAX), "1009"),
        ("two pieces that are too much together", [frame(TEXT, vec![b' '; 200 << 10]), frame(FIN | CONTINUATION, vec![b' '; 200 << 10])].concat(), "1009"),
        ("noise", (0..4096_u32).map(|n| (n * 197 % 251 + 4) as u8).collect(), "1002"),
        ("HTTP", b"GET /graphql HTTP/1.1\r\n\r\n".to_vec(), "1002"),
        ("a polite close", frame(FIN | CLOSE, [3, 0xe8]), "1000"),
    ];
    each(&app, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_too_much_or_nothing_close_the_socket() {
    let app = App::start().await;
    let deep = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    let query = r#""query":"{__typename}""#;
    let variables = |value: &str| subscribe(format!(r#"{{{query},"variables":{{"a":{value}}}}}"#));
    let named = |length: usize| {
        subscribe(json!({ "query": "{__typename}", "operationName": "x".repeat(length) }).to_string())
    };
    let id = |id: &str| {
        text(json!({ "type": "subscribe", "id": id, "payload": { "query": "{__typename}" } }).to_string())
    };
    #[rustfmt::skip]
    let rows: Vec<Row> = vec![
        ("nothing", text(""), "4400"),
        ("a null byte", text([0]), "4400"),
        ("a null byte in a text", text(b"{\"type\":\"pi\0ng\"}"), "4400"),
        ("200 levels", text(deep(200)), "4400"),
        ("200 levels of variables", variables(&deep(200)), "4400"),
        ("100,000 levels", text("[".repeat(100_000)), "4400"),
        ("100,000 levels of variables", variables(&"[".repeat(100_000)), "4400"),
        ("a number beyond all numbers", variables("1e999"), "4400"),
        ("half a surrogate", variables(r#""\ud800""#), "4400"),
        ("an operation's name of 200 kB", named(200_000), "4400"),
        ("an operation's name of 1 MB", named(1_000_000), "1009"),
        ("an id of 129 letters", id(&"x".repeat(129)), "4400"),
        ("no id", id(""), "4400"),
        ("a variable of 200 kB", variables(&format!("\"{}\"", "x".repeat(200_000))), "next"),
        ("variables twice", subscribe(format!(r#"{{{query},"variables":{{}},"variables":7}}"#)), "4400"),
        ("a megabyte", text(vec![b' '; 1 << 20]), "1009"),
        ("a message in pieces of a byte", in_pieces(r#"{"type":"ping","payload":{"a":"b"}}"#), "pong"),
        ("a message with empty pieces between", [frame(TEXT, r#"{"type":"#), frame(CONTINUATION, "").repeat(10_000), frame(FIN | CONTINUATION, r#""ping"}"#)].concat(), "pong"),
        ("300,000 pieces of a byte", in_pieces(&" ".repeat(300_000)), "1009"),
    ];
    each(&app, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_close_the_socket_and_disturb_no_other() {
    let app = App::start().await;
    let staff = app.staff();
    let mut patient = staff.subscribe("subscription { orderEvents { kind orderId } }", json!({})).await;
    assert_eq!(patient.change().await["kind"], "STARTED");
    let ping = text(r#"{"type":"ping"}"#);
    let begin = subscribe(r#"{"query":"subscription{orderEvents{kind}}"}"#);
    let end = text(r#"{"type":"complete","id":"1"}"#);
    for (what, flood) in [
        ("pings of the socket", frame(FIN | PING, "1234").repeat(20_000)),
        ("pongs of the socket", frame(FIN | 10, "").repeat(20_000)),
        ("pings of the protocol", ping.repeat(20_000)),
        ("subscriptions that begin and end", [begin, end].concat().repeat(5_000)),
    ] {
        let mut wire = Wire::greeted(&app).await;
        let (flooding, order) = tokio::join!(wire.send(&flood), app.place(&staff, &app.company.webspace, 1));
        let () = flooding;
        assert_eq!(patient.change().await, json!({ "kind": "CREATED", "orderId": order }), "{what}");
        // Replies to the first of them; then the end.
        let code = loop {
            let (first, payload) = soon(wire.frame()).await.expect("a close");
            if first == FIN | CLOSE {
                break payload[..2].to_vec();
            }
        };
        assert_eq!(code, 4429_u16.to_be_bytes(), "{what}");
    }
    as_well_as_before(&app).await;
}
