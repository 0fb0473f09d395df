//! What no honest client sends: each row ends in a bounded answer with a code, or in a closed connection
//! where HTTP itself is broken; and the server is as well as before.

#[path = "hostile_http2.rs"]
mod http2;
#[path = "hostile_operation.rs"]
mod operation;
#[path = "hostile_slow.rs"]
mod slow;
#[path = "hostile_socket.rs"]
mod socket;

use std::{future::pending, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{hangup::no_transaction_is_open, harness::App};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Set in a process that runs nothing but attacks.
const ALONE: &str = "ORDO_TEST_ALONE";

/// What the process may take, in bytes: 512 MB, and as much again for the servers of the other tests where it
/// runs them too.
pub fn memory() -> u64 {
    if std::env::var_os(ALONE).is_some() { 512 << 20 } else { 1 << 30 }
}

/// In the process of all tests a server's memory cannot be told from that of the others.
#[tokio::test(flavor = "multi_thread")]
async fn servers_under_attack_take_less_than_512_mb() {
    let this = std::env::current_exe().expect("a program");
    let mut attacks = tokio::process::Command::new(this);
    attacks.args([
        "hostile::",
        "fuzz::five_thousand",
        "--skip",
        "servers_under_attack",
        "--test-threads",
        "2",
    ]);
    let done = attacks.env(ALONE, "1").output().await.expect("an end");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}");
    assert!(said.contains("five_thousand_strange_requests"), "nothing ran: {said}");
}

const QUERY: &str = "{ settings { expiryEnabled } }";

fn address(app: &App) -> &str {
    app.url.trim_start_matches("http://")
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("this should have happened by now")
}

/// The server works, holds no transaction open, and has not grown.
async fn as_well_as_before(app: &App) {
    let staff = app.staff();
    app.place(&staff, &app.company.instant, 1).await;
    staff.data("{ orders { nodes { id } } }", json!({})).await;
    no_transaction_is_open(app).await;
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(kilobytes << 10 < memory(), "{} MiB", kilobytes >> 10);
}

/// An answer in short, once it is complete: the status, then `data` or the code of its first error.
fn in_short(answer: &[u8]) -> Option<String> {
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = str::from_utf8(&answer[..at]).expect("a head is text").to_lowercase();
    let body = &answer[at + 4..];
    let status = head.split(' ').nth(1).expect("a status");
    if status == "100" {
        return in_short(body);
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().expect("a length"));
    let body = body.get(..length)?;
    if body.is_empty() {
        return Some(status.to_owned());
    }
    let said: Value = serde_json::from_slice(body).expect("JSON");
    Some(match said["errors"][0]["extensions"]["code"].as_str() {
        Some(code) => format!("{status} {code}"),
        None if said.get("errors").is_none() => format!("{status} data"),
        None => format!("{status}, no code: {said}"),
    })
}

/// What comes back for these bytes, in short; `closed` if nothing does.
async fn told(app: &App, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address(app)).await.expect("a connection");
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    let reading = async {
        loop {
            if let Some(told) = in_short(&answer) {
                return told;
            }
            match reader.read_buf(&mut answer).await {
                Ok(0) | Err(_) if answer.is_empty() => return "closed".to_owned(),
                Ok(0) | Err(_) => return format!("cut off: {:?}", String::from_utf8_lossy(&answer)),
                Ok(_) => {}
            }
        }
    };
    let writing = async {
        // The server may have had enough before all is sent.
        let _ = writer.write_all(bytes).await;
        pending::<()>().await
    };
    soon(async {
        tokio::select! {
            told = reading => told,
            () = writing => String::new(),
        }
    })
    .await
}

/// What is sent, and what may come back, as alternatives.
type Row = (&'static str, Vec<u8>, &'static str);

/// Sends each row on a connection of its own and compares; the server must stay well.
async fn each(app: &App, rows: Vec<Row>) {
    let mut wrong = Vec::new();
    for (what, bytes, expected) in rows {
        let told = told(app, &bytes).await;
        if !expected.split(" | ").any(|one| one == told) {
            wrong.push(format!("{what}: {told}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    as_well_as_before(app).await;
}

/// A POST of this body with these lines in its head.
fn post(lines: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let head = format!("POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{lines}\r\n");
    [head.as_bytes(), body.as_ref()].concat()
}

fn get(target: &str, lines: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: a\r\n{lines}\r\n").into_bytes()
}

const PLAIN: &str = r#"{"query":"{__typename}"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_closed_and_strange_http_is_answered() {
    let app = App::start().await;
    let long = |length: usize| "x".repeat(length);
    let lines = |count: usize| (0..count).map(|n| format!("x-{n}: 1\r\n")).collect::<String>();
    let link = "/graphql?query={__typename}";
    #[rustfmt::skip]
    let rows: Vec<Row> = vec![
        ("HTTP/0.9", b"GET /graphql\r\n\r\n".to_vec(), "400"),
        ("HTTP/1.0", b"GET /graphql?query={__typename} HTTP/1.0\r\n\r\n".to_vec(), "200 data"),
        ("HTTP/3", b"GET / HTTP/3.0\r\n\r\n".to_vec(), "400"),
        ("noise", (0..4096_u32).map(|n| (n * 197 % 251) as u8).collect(), "400 | closed"),
        ("null bytes", vec![0; 4096], "400"),
        ("a greeting of TLS", [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 500]].concat(), "400"),
        ("a greeting of SSH", b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec(), "400"),
        ("blank lines and then a request", [b"\r\n\r\n".to_vec(), get(link, "")].concat(), "200 data"),
        ("an unknown method", b"BREW /graphql HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), "405 BAD_USER_INPUT"),
        ("a method of 30 kB", format!("{} /graphql HTTP/1.1\r\n\r\n", long(30_000)).into_bytes(), "405 BAD_USER_INPUT"),
        ("TRACE", b"TRACE /graphql HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), "405 BAD_USER_INPUT"),
        ("CONNECT", b"CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), "404 NOT_FOUND"),
        ("OPTIONS of everything", b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), "404 NOT_FOUND"),
        ("a whole URL of somebody else", get("http://elsewhere/graphql?query={__typename}", ""), "200 data"),
        ("a target that is no path", get("graphql", ""), "404 NOT_FOUND"),
        ("a path that leads out", get("/../../etc/passwd", ""), "404 NOT_FOUND"),
        ("a URL of 20 kB", get(&format!("/{}", long(20_000)), ""), "404 NOT_FOUND"),
        ("a URL of 100 kB", get(&format!("/{}", long(100_000)), ""), "414 | 431 | closed"),
        ("a null byte in the URL", get("/graphql?query=\0", ""), "400"),
        ("a null byte in the URL, encoded", get("/graphql?query=%7B%00%7D", ""), "200 BAD_USER_INPUT"),
        ("no UTF-8 in the URL", b"GET /graphql?query=\xff\xfe HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), "400 | 200 BAD_USER_INPUT"),
        ("no UTF-8 in the URL, encoded", get("/graphql?query=%FF%FE%C0%80", ""), "200 BAD_USER_INPUT"),
        ("no UTF-8 in the path", get("/%FF%00", ""), "404 NOT_FOUND"),
        ("half an encoding", get("/graphql?query=%7&variables=%", ""), "400 BAD_USER_INPUT"),
        ("a null byte in a header", get(link, "x: a\0b\r\n"), "400"),
        ("no UTF-8 in a header", [b"GET /graphql?query={__typename} HTTP/1.1\r\nx: \xff\xfe\r\naccept: \xff\r\n\r\n".to_vec()].concat(), "406 BAD_USER_INPUT"),
        ("no UTF-8 in a token", b"GET /graphql?query={__typename} HTTP/1.1\r\nauthorization: Bearer \xff\r\n\r\n".to_vec(), "401 UNAUTHENTICATED"),
        ("a token of 30 kB", get(link, &format!("authorization: Bearer {}\r\n", long(30_000))), "401 UNAUTHENTICATED"),
        ("two tokens", get(link, "authorization: Bearer a\r\nauthorization: Bearer b\r\n"), "401 UNAUTHENTICATED"),
        ("10,000 headers", get(link, &lines(10_000)), "431 | closed"),
        ("101 headers", get(link, &lines(101)), "431"),
        ("a header of 1 MB", get(link, &format!("x: {}\r\n", long(1 << 20))), "431 | closed"),
        ("a header without a name", get(link, ": a\r\n"), "400"),
        ("a space before the colon", get(link, "content-length : 5\r\n"), "400"),
        ("a folded header", get(link, "x: a\r\n b\r\n"), "400"),
        ("2,000 media types", get(link, &format!("accept: {}\r\n", "a/b;q=0.1,".repeat(2_000))), "406 BAD_USER_INPUT"),
        ("2,000 addresses", get(link, &format!("x-forwarded-for: {}\r\n", "10.0.0.1,".repeat(3_000))), "200 data"),
        ("an upgrade without a key", get("/graphql", "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"), "400 BAD_USER_INPUT"),
        ("an upgrade of another version", get("/graphql", "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 8\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), "400 BAD_USER_INPUT"),
        ("an upgrade by POST", post("connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 0\r\n", ""), "405 BAD_USER_INPUT | 400 BAD_USER_INPUT"),
        ("an expectation that nobody knows", post("expect: a-miracle\r\ncontent-length: 24\r\n", PLAIN), "200 data"),
    ];
    each(&app, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_as_long_as_it_says_is_refused() {
    let app = App::start().await;
    let chunks = |chunks: &str| post("transfer-encoding: chunked\r\n", chunks);
    let length = |length: &str| post(&format!("content-length: {length}\r\n"), PLAIN);
    let endless = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000)).repeat(40);
    let both = format!("{:x}\r\n{PLAIN}\r\n0\r\n\r\n", PLAIN.len());
    #[rustfmt::skip]
    let rows: Vec<Row> = vec![
        ("too short a length", length("10"), "400 BAD_USER_INPUT"),
        ("no length at all", post("", PLAIN), "400 BAD_USER_INPUT"),
        ("two lengths", length("24\r\ncontent-length: 10"), "400"),
        ("a list of two lengths", length("24, 10"), "400"),
        ("a length with a sign", length("+24"), "400"),
        ("a length below nothing", length("-1"), "400"),
        ("a length in words", length("many"), "400"),
        ("a length beyond all numbers", length("99999999999999999999999"), "400"),
        ("a length of an exabyte", length("1152921504606846976"), "413 BAD_USER_INPUT"),
        ("a length and chunks", post("content-length: 3\r\ntransfer-encoding: chunked\r\n", &both), "400 | 200 data"),
        ("chunks and compression", post("transfer-encoding: gzip, chunked\r\n", &both), "400 | 200 data"),
        ("another encoding than chunks", post("transfer-encoding: gzip\r\n", PLAIN), "400"),
        ("chunks, but not last", post("transfer-encoding: chunked, gzip\r\n", PLAIN), "400"),
        ("a size that is no number", chunks("zz\r\nab\r\n0\r\n\r\n"), "400 BAD_USER_INPUT"),
        ("a size below nothing", chunks("-1\r\nab\r\n0\r\n\r\n"), "400 BAD_USER_INPUT"),
        ("a size beyond all numbers", chunks("fffffffffffffffffff\r\nab\r\n"), "400 BAD_USER_INPUT"),
        ("a chunk that is longer than it says", chunks("2\r\nabcdef\r\n0\r\n\r\n"), "400 BAD_USER_INPUT"),
        ("a megabyte of a chunk's extension", chunks(&format!("1;{}\r\n{{\r\n0\r\n\r\n", "x".repeat(1 << 20))), "400 BAD_USER_INPUT"),
        ("a megabyte of trailers", chunks(&format!("0\r\n{}\r\n", "x: y\r\n".repeat(200_000))), "400 BAD_USER_INPUT"),
        ("a hundred thousand chunks of a byte", chunks(&format!("{}0\r\n\r\n", "1\r\n \r\n".repeat(100_000))), "400 BAD_USER_INPUT"),
        ("chunks without end", chunks(&endless), "413 BAD_USER_INPUT | closed"),
    ];
    each(&app, rows).await;
}

/// A request hidden in another's body must never be answered as one of its own.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_behind_a_request_of_two_lengths_is_not_carried_out() {
    let app = App::start().await;
    let hidden = "GET /graphql?query={__typename} HTTP/1.1\r\nhost: a\r\n\r\n";
    for lines in
        ["content-length: 0\r\ncontent-length: 60\r\n", "content-length: 4\r\ntransfer-encoding: gzip\r\n"]
    {
        let mut stream = TcpStream::connect(address(&app)).await.expect("a connection");
        stream.write_all(&post(lines, hidden)).await.expect("sent");
        let mut answer = Vec::new();
        // A reset is an end too.
        let _ = soon(stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8(answer).expect("text");
        assert!(!answer.contains("__typename"), "{lines}: {answer}");
        assert!(answer.matches("HTTP/1.1").count() <= 1, "{lines}: {answer}");
    }
}
