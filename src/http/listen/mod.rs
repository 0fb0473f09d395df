//! The accept loop: connections become requests, on HTTP/1.1 and HTTP/2, with TLS or without. In place of
//! `axum::serve`, which lets a client take as long, as much and as many as it likes.
//! What never happens here: a look at what a request says, or at who sends it.

mod stream;
mod tls;

use std::{
    future::Future,
    hash::{BuildHasher, RandomState},
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
};
use hyper::{
    body::Incoming,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{Instant, sleep, timeout},
};

use self::stream::{Place, Stream};
use super::{address, limit::Open};

pub use tls::Tls;

/// The most connections that [`Bounds::connections`] can allow.
const MOST: u32 = 1_000_000;
/// The least buffer that hyper works with.
const LEAST_HEAD: usize = 8_192;
/// How long to wait when the system has no more file descriptors or memory for a connection.
const PAUSE: Duration = Duration::from_millis(200);

/// What a connection may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at once, upgraded ones too; further ones wait in the system's queue.
    pub connections: u32,
    /// Connections at once from one address (of IPv6, one network of 64 bits); further ones are closed.
    /// Not for a server behind a proxy: there it is all of them.
    pub per_address: Option<u32>,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From the connection, or the end of its handshake, to the whole head of its first request.
    pub first_head: Duration,
    /// For a request's body, which whoever wants it reads; it is answered with 408.
    pub body: Duration,
    /// After so long without a new request, twice that at most, an idle connection is closed, and a busy one
    /// after what it is busy with: HTTP/2 clients are told to open no more streams. Dribbling a head takes
    /// no more from the server than sending nothing does.
    pub idle: Duration,
    /// How long a peer may take nothing of what it is sent; upgraded connections too.
    pub stall: Duration,
    /// Bytes of a request's head; larger ones are answered with 431. HTTP/1.1 also refuses more than 100
    /// headers so. At least 8 KiB.
    pub head: u32,
    /// Streams of an HTTP/2 connection at once.
    pub streams: u32,
    /// How often an HTTP/2 peer is asked for a sign of life.
    pub ping: Duration,
    /// How long it may take to give one.
    pub pong: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        let seconds = Duration::from_secs;
        Bounds {
            connections: 20_000,
            per_address: None,
            handshake: seconds(10),
            first_head: seconds(10),
            body: seconds(20),
            idle: seconds(75),
            stall: seconds(60),
            head: 32 << 10,
            streams: 250,
            ping: seconds(15),
            pong: seconds(20),
        }
    }
}

/// Serves `routes` on HTTP/1.1 and HTTP/2 (with TLS as ALPN chooses, without as the client begins) until
/// `stop`. Handlers find the peer in [`ConnectInfo`]`<SocketAddr>`.
///
/// After `stop`, nothing more is accepted, idle connections are closed and requests that run end. Returns
/// when all connections are closed, upgraded ones too: the application tells those to end, and the caller
/// bounds the time.
///
/// # Errors
/// When the listener does not listen. That single connections fail is no error.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    routes: Router,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.local_addr()?;
    let (stopping, stopped) = watch::channel(());
    let most = bounds.connections.clamp(1, MOST);
    let places = Arc::new(Semaphore::new(most as usize));
    let door = Arc::new(Door {
        tls,
        http: http(&bounds),
        // Once, not for each request.
        routes: TowerToHyperService::new(routes.with_state(())),
        bounds,
        stopped,
    });
    tokio::select! {
        () = accept(&listener, &door, &places) => {}
        () = stop => {}
    }
    drop((listener, stopping));
    // Every connection holds a place until its end.
    let _ = places.acquire_many(most).await;
    Ok(())
}

/// Accepts as long as there are places; never returns.
async fn accept(listener: &TcpListener, door: &Arc<Door>, places: &Arc<Semaphore>) {
    let (by_address, hash) = (Arc::new(Open::default()), RandomState::new());
    // Never closed, so there is always a place some day.
    while let Ok(permit) = Arc::clone(places).acquire_owned().await {
        let (stream, peer) = next(listener).await;
        let share = match door.bounds.per_address {
            Some(most) => match by_address.hold(hash.hash_one(address::key(peer.ip())), most) {
                Some(share) => Some(share),
                None => continue,
            },
            None => None,
        };
        // Answers are small and written whole: waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let stream = Stream::new(stream, door.bounds.stall, Place { permit, share });
        let door = Arc::clone(door);
        // Two tasks rather than one that branches: what TLS needs is three times what a plain one does.
        match door.tls {
            Some(_) => drop(tokio::spawn(door.secure(stream, peer))),
            None => drop(tokio::spawn(door.attend(stream, peer))),
        }
    }
}

/// The next connection. One that failed before it was accepted is its own fault; without file descriptors
/// or memory, time may help.
async fn next(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => match error.kind() {
                ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted => {}
                _ => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(PAUSE).await;
                }
            },
        }
    }
}

/// What all connections share.
struct Door {
    tls: Option<Tls>,
    http: Builder<TokioExecutor>,
    routes: TowerToHyperService<Router>,
    bounds: Bounds,
    /// Its sender is gone once the server stops.
    stopped: watch::Receiver<()>,
}

impl Door {
    /// From the accepted connection to its end, within TLS.
    async fn secure(self: Arc<Self>, stream: Stream, peer: SocketAddr) {
        let Some(tls) = &self.tls else { return };
        let mut stopped = self.stopped.clone();
        let accepted = tokio::select! {
            accepted = timeout(self.bounds.handshake, tls.accept(stream)) => accepted,
            _ = stopped.changed() => return,
        };
        match accepted {
            Ok(Ok(stream)) => self.attend(stream, peer).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    /// From the first byte of HTTP to the connection's end, or its upgrade.
    async fn attend(
        self: Arc<Self>,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
    ) {
        let asked = AtomicBool::new(false);
        let service = service_fn(|mut request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(ConnectInfo(peer));
            self.routes.call(request)
        });
        let mut connection = pin!(self.http.serve_connection_with_upgrades(TokioIo::new(io), service));
        let mut stopped = self.stopped.clone();
        let mut overdue = pin!(sleep(self.bounds.first_head));
        let (mut leaving, mut first) = (false, true);
        loop {
            tokio::select! {
                // In this order: a request that is there already is not late.
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection failed");
                    }
                    return;
                }
                _ = stopped.changed(), if !leaving => leaving = true,
                () = overdue.as_mut(), if first || !leaving => {
                    match asked.swap(false, Ordering::Relaxed) {
                        true => overdue.as_mut().reset(Instant::now() + self.bounds.idle),
                        false if first => return,
                        false => leaving = true,
                    }
                    first = false;
                }
            }
            if leaving {
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// HTTP as it is spoken here.
fn http(bounds: &Bounds) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    // No timer: `Door::attend` keeps the times, the same ones for both protocols.
    http.http1().max_buf_size(LEAST_HEAD.max(bounds.head as usize));
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(bounds.ping)
        .keep_alive_timeout(bounds.pong)
        .max_concurrent_streams(bounds.streams)
        .max_header_list_size(bounds.head)
        // What a client may send before anybody reads it: 64 KiB a stream, 128 KiB in all.
        .initial_stream_window_size(64 << 10)
        .initial_connection_window_size(128 << 10)
        .max_send_buf_size(64 << 10)
        // Streams that a client opens only to reset them, and those that it makes us reset.
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(128)
        // WebSockets over HTTP/2 (RFC 8441).
        .enable_connect_protocol();
    http
}

#[cfg(test)]
mod tests;
