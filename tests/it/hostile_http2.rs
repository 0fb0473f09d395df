//! HTTP/2 frame by frame: floods that look like requests, and frames that break the rules.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{address, as_well_as_before, soon};
use crate::harness::App;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short one").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET / http`, from the table that every peer has.
const GET: [u8; 3] = [0x82, 0x84, 0x86];

/// The stream of the nth request.
fn stream(nth: u32) -> u32 {
    2 * nth + 1
}

fn flood(count: u32, one: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    (0..count).flat_map(one).collect()
}

/// What comes of these frames on a connection of their own: `goodbye` and the code of the error, `closed`, or
/// `lives` when a ping behind them is answered.
async fn told(app: &App, frames: &[u8]) -> String {
    let mut connection = TcpStream::connect(address(app)).await.expect("a connection");
    let (mut reader, mut writer) = connection.split();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let sent = [&preface[..], &frame(SETTINGS, 0, 0, &[]), frames, &frame(PING, 0, 0, b"alive?!?")].concat();
    let reading = async {
        loop {
            let mut head = [0; 9];
            if reader.read_exact(&mut head).await.is_err() {
                return "closed".to_owned();
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            if reader.read_exact(&mut payload).await.is_err() {
                return "closed".to_owned();
            }
            match (head[3], head[4]) {
                (GOAWAY, _) => return format!("goodbye {}", payload[7]),
                (PING, ACK) if payload == b"alive?!?" => return "lives".to_owned(),
                _ => {}
            }
        }
    };
    let writing = async {
        // The server may have had enough before all is sent.
        let _ = writer.write_all(&sent).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn floods_and_broken_frames_end_a_connection_and_nothing_else() {
    let app = App::start().await;
    let (open, whole) = (END_HEADERS, END_HEADERS | END_STREAM);
    let request = |nth: u32| frame(HEADERS, whole, stream(nth), &GET);
    let cancel = |nth: u32| frame(RESET, 0, stream(nth), &8_u32.to_be_bytes());
    let setting = |id: u16, value: u32| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
    #[rustfmt::skip]
    let rows: Vec<(&str, Vec<u8>, &str)> = vec![
        ("200 requests that are taken back at once", flood(200, |nth| [request(nth), cancel(nth)].concat()), "goodbye 11 | closed"),
        ("10,000 requests that are taken back at once", flood(10_000, |nth| [request(nth), cancel(nth)].concat()), "goodbye 11 | closed"),
        ("1,000 requests at once", flood(1_000, request), "lives | goodbye 11 | closed"),
        ("1,000 streams that stay open", flood(1_000, |nth| frame(HEADERS, open, stream(nth), &GET)), "lives | goodbye 11 | closed"),
        ("a head without end", [frame(HEADERS, 0, 1, &GET), flood(10_000, |_| frame(CONTINUATION, 0, 1, &[0x82; 1_000]))].concat(), "goodbye 11 | goodbye 1 | closed"),
        ("a head of empty pieces without end", [frame(HEADERS, 0, 1, &GET), flood(10_000, |_| frame(CONTINUATION, 0, 1, &[]))].concat(), "goodbye 11 | goodbye 1 | closed"),
        ("10,000 settings", flood(10_000, |_| frame(SETTINGS, 0, 0, &setting(4, 70_000))), "lives | goodbye 11 | closed"),
        ("10,000 pings", flood(10_000, |_| frame(PING, 0, 0, &[0; 8])), "lives | goodbye 11 | closed"),
        ("10,000 empty pieces of a body", [frame(HEADERS, open, 1, &[0x83, 0x84, 0x86]), flood(10_000, |_| frame(DATA, 0, 1, &[]))].concat(), "lives | goodbye 11 | closed"),
        ("a body for a stream that is not there", frame(DATA, 0, 1, b"x"), "goodbye 1 | goodbye 5"),
        ("a request on an even stream", frame(HEADERS, whole, 2, &GET), "goodbye 1"),
        ("a request on no stream", frame(HEADERS, whole, 0, &GET), "goodbye 1"),
        ("a stream that goes back", [request(5), request(1)].concat(), "goodbye 1 | goodbye 5"),
        ("something else within a head", [frame(HEADERS, 0, 1, &GET), frame(PING, 0, 0, &[0; 8])].concat(), "goodbye 1"),
        ("a head that cannot be unpacked", frame(HEADERS, whole, 1, &[0xff; 30]), "goodbye 9 | goodbye 1"),
        ("a window of nothing", frame(WINDOW_UPDATE, 0, 0, &[0; 4]), "goodbye 1"),
        ("a window beyond all bounds", frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), "goodbye 3"),
        ("a frame of 16 MiB", vec![0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1], "goodbye 6"),
        ("a setting of the wrong size", frame(SETTINGS, 0, 0, &[0; 5]), "goodbye 6 | goodbye 1"),
        ("a ping of the wrong size", frame(PING, 0, 0, &[0; 7]), "goodbye 6 | goodbye 1"),
        ("frames that nobody knows", flood(1_000, |nth| frame(0xbe, 0xff, nth, &[1; 100])), "lives"),
    ];
    let mut wrong = Vec::new();
    for (what, frames, expected) in rows {
        let told = told(&app, &frames).await;
        if !expected.split(" | ").any(|one| one == told) {
            wrong.push(format!("{what}: {told}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    as_well_as_before(&app).await;
}
