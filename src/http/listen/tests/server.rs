//! A server with a few routes, and clients of every kind.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, State, WebSocketUpgrade, ws},
    http::StatusCode,
    response::Response,
    routing::{any, get},
};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http2::{Connection, SendRequest, handshake},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::WebSocketStream;

use super::super::{Bounds, Tls, serve};

pub(super) const SHORT: Duration = Duration::from_millis(200);

/// More than the system keeps for somebody who does not read.
pub(super) const LARGE: usize = 64 << 20;

/// A running server. `/` greets, `/peer` tells the peer, `/large` sends much, `/slow` answers once it may,
/// `/echo` is a socket.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) stop: oneshot::Sender<()>,
    pub(super) done: JoinHandle<io::Result<()>>,
    pub(super) slow: Arc<Slow>,
}

#[derive(Default)]
pub(super) struct Slow {
    pub(super) began: Notify,
    pub(super) may_end: Notify,
}

impl Server {
    pub(super) async fn start(bounds: Bounds) -> Server {
        Server::start_with(bounds, None).await
    }

    pub(super) async fn start_with(bounds: Bounds, tls: Option<Tls>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let slow = Arc::new(Slow::default());
        let routes = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/peer", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }))
            .route("/large", get(|| async { vec![b'x'; LARGE] }))
            .route("/slow", get(wait))
            .route("/echo", any(echo))
            .with_state(Arc::clone(&slow));
        let done = tokio::spawn(serve(listener, tls, routes, bounds, async move {
            let _ = stopped.await;
        }));
        Server { address, stop, done, slow }
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// What comes back until the server closes.
    pub(super) async fn exchange(&self, sent: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }
}

async fn wait(State(slow): State<Arc<Slow>>) -> &'static str {
    slow.began.notify_one();
    slow.may_end.notified().await;
    "at last"
}

async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket| async move {
        while let Some(Ok(ws::Message::Text(text))) = socket.recv().await {
            let _ = socket.send(ws::Message::Text(text)).await;
        }
    })
}

/// What must happen, and does soon.
pub(super) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), what).await.expect("this should have happened by now")
}

/// All that comes until the end of the stream.
pub(super) async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut read = Vec::new();
    // A reset is an end too: the server closed while we were still sending.
    let _ = soon(stream.read_to_end(&mut read)).await;
    String::from_utf8(read).unwrap()
}

/// One answer on a connection that stays open.
pub(super) async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"hello") && !read.ends_with(b"at last") {
        assert!(soon(stream.read_buf(&mut read)).await.unwrap() > 0, "closed after {read:?}");
    }
    String::from_utf8(read).unwrap()
}

pub(super) fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")
}

pub(super) type Http2<S> = (SendRequest<Empty<Bytes>>, Connection<TokioIo<S>, Empty<Bytes>, TokioExecutor>);

pub(super) async fn http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Http2<S> {
    handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap()
}

pub(super) fn get_2(path: &str) -> axum::http::Request<Empty<Bytes>> {
    axum::http::Request::get(format!("http://test{path}")).body(Empty::new()).unwrap()
}

pub(super) async fn text(response: axum::http::Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// A certificate for `test`, signed by itself, and its key.
pub(super) static PEM: LazyLock<(String, String)> = LazyLock::new(|| {
    let signed = rcgen::generate_simple_self_signed(["test".to_owned()]).unwrap();
    (signed.cert.pem(), signed.signing_key.serialize_pem())
});

pub(super) fn tls() -> Tls {
    Tls::load(PEM.0.as_bytes(), PEM.1.as_bytes()).unwrap()
}

pub(super) async fn connect_tls(server: &Server, protocols: &[&[u8]]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(PEM.0.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from("test").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, server.connect().await).await.unwrap()
}

pub(super) async fn socket(server: &Server) -> WebSocketStream<TcpStream> {
    let url = format!("ws://{}/echo", server.address);
    let (socket, response) =
        soon(tokio_tungstenite::client_async(url, server.connect().await)).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    socket
}
