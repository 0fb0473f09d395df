//! A client with one socket (`graphql-transport-ws`) that costs next to nothing: frames by hand, room for one
//! message, and nothing to do but to answer pings.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
/// A message is never larger.
const LARGEST: usize = 4_096;

/// An open socket.
pub struct Watcher {
    stream: TcpStream,
    read: Vec<u8>,
}

/// A frame from the server.
struct Frame {
    opcode: u8,
    payload: Vec<u8>,
}

impl Watcher {
    /// Opens a socket and says who it is; with a subscription, waits for the event that says it has begun.
    pub async fn open(address: SocketAddr, token: &str, subscription: Option<&str>) -> Result<Watcher> {
        let stream = TcpStream::connect(address).await.context("no connection")?;
        stream.set_nodelay(true)?;
        let mut watcher = Watcher { stream, read: Vec::new() };
        watcher.upgrade().await?;
        let payload = json!({ "Authorization": format!("Bearer {token}") });
        watcher.say(&json!({ "type": "connection_init", "payload": payload })).await?;
        watcher.hear("connection_ack").await?;
        if let Some(query) = subscription {
            let payload = json!({ "query": query });
            watcher.say(&json!({ "type": "subscribe", "id": "1", "payload": payload })).await?;
            watcher.hear("STARTED").await?;
        }
        Ok(watcher)
    }

    /// Answers pings until the server ends the socket, which is an error.
    pub async fn stay(mut self) -> Result<()> {
        // Most of the time there is nothing to hold.
        self.read.shrink_to_fit();
        let frame = self.message().await?;
        bail!("a socket that was to stay idle got {}", String::from_utf8_lossy(&frame));
    }

    async fn upgrade(&mut self) -> Result<()> {
        let head = "GET /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
            sec-websocket-version: 13\r\nsec-websocket-protocol: graphql-transport-ws\r\n\
            sec-websocket-key: bG9hZCBnZW5lcmF0b3IhIQ==\r\n\r\n";
        self.stream.write_all(head.as_bytes()).await?;
        loop {
            self.more().await?;
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.read.drain(..end + 4).collect();
                if !head.starts_with(b"HTTP/1.1 101 ") {
                    let (head, rest) = (String::from_utf8_lossy(&head), String::from_utf8_lossy(&self.read));
                    bail!("no socket was opened: {head}{rest}");
                }
                return Ok(());
            }
        }
    }

    async fn say(&mut self, message: &serde_json::Value) -> Result<()> {
        self.send(TEXT, message.to_string().as_bytes()).await
    }

    /// The next message, which must contain this.
    async fn hear(&mut self, expected: &str) -> Result<()> {
        let message = self.message().await?;
        let message = String::from_utf8_lossy(&message);
        if message.contains(expected) { Ok(()) } else { bail!("not {expected}, but {message}") }
    }

    async fn message(&mut self) -> Result<Vec<u8>> {
        loop {
            let Frame { opcode, payload } = self.frame().await?;
            match opcode {
                TEXT => return Ok(payload),
                PING => self.send(PONG, &payload).await?,
                CLOSE => {
                    let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                    let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned();
                    bail!("the server closed a socket: {code} {reason}");
                }
                _ => {}
            }
        }
    }

    /// A whole frame. The server sends messages in one frame each.
    async fn frame(&mut self) -> Result<Frame> {
        loop {
            if let [first, second, rest @ ..] = &self.read[..] {
                let (start, length) = match (second, rest) {
                    (126, [high, low, ..]) => (4, usize::from(u16::from_be_bytes([*high, *low]))),
                    (126, _) => (4, usize::MAX),
                    (short, _) => (2, usize::from(*short)),
                };
                let end = length.saturating_add(start);
                if self.read.len() >= end {
                    let opcode = first & 0x0F;
                    let payload = self.read.drain(..end).skip(start).collect();
                    return Ok(Frame { opcode, payload });
                }
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<()> {
        let read = self.stream.read_buf(&mut self.read).await?;
        if read == 0 || self.read.len() > LARGEST {
            bail!("a socket was cut off, or a message is too long");
        }
        Ok(())
    }

    /// A frame of a client is masked; with zeros, which change nothing.
    async fn send(&mut self, opcode: u8, payload: &[u8]) -> Result<()> {
        let mut frame = vec![0x80 | opcode];
        match u8::try_from(payload.len()) {
            Ok(length @ 0..=125) => frame.push(0x80 | length),
            _ => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(payload.len())?.to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        Ok(self.stream.write_all(&frame).await?)
    }
}
