//! One socket, read in place: a read fills a room that all sockets of a thread share, and frames are looked
//! at where they lie. Only a frame that is cut off is kept, by the socket it belongs to.

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context as Task, Poll, ready},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

use super::frame::{self, CLOSE, PING, PONG, TEXT};

/// A head is never longer.
const LONGEST_HEAD: usize = 16 << 10;

/// What a thread reads into, and what it does with what it reads.
#[derive(Debug)]
pub struct Room<T> {
    bytes: Box<[u8]>,
    pub desk: T,
}

impl<T> Room<T> {
    /// An empty one.
    pub fn new(desk: T) -> Mutex<Room<T>> {
        Mutex::new(Room { bytes: vec![0; 64 << 10].into(), desk })
    }
}

/// An open socket.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// The beginning of a frame whose end has not come yet.
    rest: Vec<u8>,
    /// Answers to pings that are to be sent.
    pongs: Vec<u8>,
}

impl Client {
    /// Opens one.
    pub async fn open(address: SocketAddr) -> Result<Client> {
        let stream = TcpStream::connect(address).await.context("no connection")?;
        stream.set_nodelay(true)?;
        let mut client = Client { stream, rest: Vec::new(), pongs: Vec::new() };
        client.upgrade().await?;
        Ok(client)
    }

    async fn upgrade(&mut self) -> Result<()> {
        let head = "GET /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
            sec-websocket-version: 13\r\nsec-websocket-protocol: graphql-transport-ws\r\n\
            sec-websocket-key: bG9hZCBnZW5lcmF0b3IhIQ==\r\n\r\n";
        self.stream.write_all(head.as_bytes()).await?;
        loop {
            if self.stream.read_buf(&mut self.rest).await? == 0 || self.rest.len() > LONGEST_HEAD {
                bail!("no socket was opened: {}", String::from_utf8_lossy(&self.rest));
            }
            if let Some(end) = self.rest.windows(4).position(|four| four == b"\r\n\r\n") {
                if !self.rest.starts_with(b"HTTP/1.1 101 ") {
                    bail!("no socket was opened: {}", String::from_utf8_lossy(&self.rest));
                }
                self.rest = self.rest[end + 4..].to_vec();
                return Ok(());
            }
        }
    }

    /// Sends frames.
    pub async fn send(&mut self, frames: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(frames).await?)
    }

    /// Waits for bytes and hands over every message that is whole, with the moment of the read. Pings are
    /// answered.
    ///
    /// # Errors
    /// When the server has ended the socket, with its code and reason; and what `each` says.
    pub async fn read<T>(
        &mut self,
        room: &Mutex<Room<T>>,
        mut each: impl FnMut(&mut T, &[u8], Instant) -> Result<()>,
    ) -> Result<()> {
        poll_fn(|task| self.poll_read(task, room, &mut each)).await?;
        if !self.pongs.is_empty() {
            let pongs = std::mem::take(&mut self.pongs);
            self.send(&pongs).await?;
        }
        Ok(())
    }

    /// The room is held for as long as one read is looked at, and never while waiting.
    fn poll_read<T>(
        &mut self,
        task: &mut Task<'_>,
        room: &Mutex<Room<T>>,
        each: &mut impl FnMut(&mut T, &[u8], Instant) -> Result<()>,
    ) -> Poll<Result<()>> {
        let mut room = room.lock().unwrap_or_else(PoisonError::into_inner);
        let Room { bytes, desk } = &mut *room;
        let mut read = ReadBuf::new(bytes);
        ready!(Pin::new(&mut self.stream).poll_read(task, &mut read))?;
        let (now, new) = (Instant::now(), read.filled());
        if new.is_empty() {
            return Poll::Ready(Err(anyhow::anyhow!("a socket was cut off")));
        }
        let mut message = |text: &[u8]| each(desk, text, now);
        if self.rest.is_empty() {
            let taken = frames(new, &mut self.pongs, &mut message)?;
            self.rest.extend_from_slice(&new[taken..]);
        } else {
            self.rest.extend_from_slice(new);
            let taken = frames(&self.rest, &mut self.pongs, &mut message)?;
            // Most of the time there is nothing to hold.
            self.rest = self.rest[taken..].to_vec();
        }
        Poll::Ready(Ok(()))
    }
}

/// Takes all whole frames; how many bytes they were.
fn frames(bytes: &[u8], pongs: &mut Vec<u8>, message: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
    let mut taken = 0;
    while let Some((frame, length)) = frame::first(&bytes[taken..])? {
        taken += length;
        match frame.opcode {
            TEXT => message(frame.payload)?,
            PING => pongs.extend(frame::masked(PONG, frame.payload)),
            CLOSE => {
                let code = frame.payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                let reason = String::from_utf8_lossy(frame.payload.get(2..).unwrap_or_default()).into_owned();
                bail!("the server closed a socket: {code} {reason}");
            }
            _ => {}
        }
    }
    Ok(taken)
}
