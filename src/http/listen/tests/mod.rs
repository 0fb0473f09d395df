//! Real sockets: what is served, what is refused, what is waited for. Times are bounds given small; a test
//! waits for what happens, never for a while.

mod server;

use axum::http::{Method, StatusCode, Version};
use futures_util::{SinkExt, StreamExt};
use http_body_util::Empty;
use hyper::ext::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use self::server::*;
use super::*;

#[tokio::test]
async fn http_1_and_http_2_are_served_on_the_same_port() {
    let server = Server::start(Bounds::default()).await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        stream.write_all(request("/").as_bytes()).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    let (mut sender, connection) = http2(server.connect().await).await;
    tokio::spawn(connection);
    let response = soon(sender.send_request(get_2("/"))).await.unwrap();
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
    assert_eq!(text(response).await, "hello");
}

#[tokio::test]
async fn handlers_know_the_peer() {
    let server = Server::start(Bounds::default()).await;
    let mut stream = server.connect().await;
    let own = stream.local_addr().unwrap().to_string();
    stream.write_all(b"GET /peer HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut stream).await.ends_with(&own));
}

#[tokio::test]
async fn tls_chooses_http_2_where_the_client_knows_it() {
    let server = Server::start_with(Bounds::default(), Some(tls())).await;
    let stream = connect_tls(&server, &[b"http/1.1", b"h2"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let (mut sender, connection) = http2(stream).await;
    tokio::spawn(connection);
    assert_eq!(text(soon(sender.send_request(get_2("/"))).await.unwrap()).await, "hello");

    for protocols in [&[b"http/1.1".as_slice()] as &[&[u8]], &[]] {
        let mut stream = connect_tls(&server, protocols).await;
        stream.write_all(request("/").as_bytes()).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let bounds = Bounds { handshake: SHORT, first_head: Duration::from_secs(3_600), ..Bounds::default() };
    let server = Server::start_with(bounds, Some(tls())).await;
    assert_eq!(server.exchange("").await, "");
    assert_eq!(server.exchange("\x16\x03\x01").await, "");
    // Somebody without TLS is told by an alert, or by the end.
    server.exchange(&request("/")).await;
}

#[test]
fn a_certificate_or_key_that_cannot_be_used_is_told_apart() {
    let (certificate, key) = (&PEM.0, &PEM.1);
    let said = |certificate: &str, key: &str| Tls::load(certificate.as_bytes(), key.as_bytes()).unwrap_err();
    assert!(said("", key).starts_with("there is no certificate"));
    assert!(said(key, key).starts_with("there is no certificate"));
    assert!(said(certificate, certificate).starts_with("there is no private key"));
    let broken = key.replace("-----END", "!-----END");
    assert_eq!(said(certificate, &broken), "the private key is no proper PEM");
    let broken = certificate.replace("-----END", "!-----END");
    assert!(said(&broken, key).starts_with("the certificate is no proper PEM"));
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    assert!(said(certificate, &other).starts_with("the certificate and the key cannot be used"));
}

#[tokio::test]
async fn a_first_head_that_does_not_come_is_not_waited_for() {
    let server = Server::start(Bounds { first_head: SHORT, ..Bounds::default() }).await;
    for sent in ["", "G", "GET / HTTP/1.1\r\nhost: te", "PRI * HTTP/2.0\r\n\r\n"] {
        assert_eq!(server.exchange(sent).await, "", "{sent}");
    }
    let (_sender, connection) = http2(server.connect().await).await;
    let _ = soon(connection).await;
}

#[tokio::test]
async fn a_connection_without_a_next_request_is_closed() {
    let server = Server::start(Bounds { first_head: SHORT, idle: SHORT, ..Bounds::default() }).await;
    for begun in ["", "GET / HTTP/1.1\r\nhost: te"] {
        let answered = server.exchange(&(request("/") + begun)).await;
        assert!(answered.ends_with("hello"), "{answered}");
    }
    let (mut sender, connection) = http2(server.connect().await).await;
    let connection = tokio::spawn(connection);
    assert_eq!(text(soon(sender.send_request(get_2("/"))).await.unwrap()).await, "hello");
    soon(connection).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_answer_may_take_longer_than_any_of_these_times() {
    let server = Server::start(Bounds { first_head: SHORT, idle: SHORT, ..Bounds::default() }).await;
    let mut stream = server.connect().await;
    stream.write_all(request("/slow").as_bytes()).await.unwrap();
    soon(server.slow.began.notified()).await;
    let (mut sender, connection) = http2(server.connect().await).await;
    tokio::spawn(connection);
    let response = tokio::spawn(sender.send_request(get_2("/slow")));
    soon(server.slow.began.notified()).await;
    // As long as two other connections took to be closed for being idle.
    server.exchange(&request("/")).await;
    server.exchange(&request("/")).await;
    server.slow.may_end.notify_waiters();
    assert!(answer(&mut stream).await.ends_with("at last"));
    assert_eq!(text(soon(response).await.unwrap().unwrap()).await, "at last");
}

#[tokio::test]
async fn a_peer_that_does_not_read_its_answer_is_given_up() {
    let server = Server::start(Bounds { connections: 1, stall: SHORT, ..Bounds::default() }).await;
    let mut lazy = server.connect().await;
    lazy.write_all(request("/large").as_bytes()).await.unwrap();
    let mut next = server.connect().await;
    next.write_all(request("/").as_bytes()).await.unwrap();
    assert!(answer(&mut next).await.ends_with("hello"), "the place is free again");
    assert!(rest(&mut lazy).await.len() < LARGE);
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let server = Server::start(Bounds::default()).await;
    let head = |lines: &str| format!("GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{lines}\r\n");
    let many = |count: usize| (0..count).map(|number| format!("x-{number}: 1\r\n")).collect::<String>();
    assert!(server.exchange(&head(&many(98))).await.starts_with("HTTP/1.1 200 "));
    assert!(server.exchange(&head(&many(99))).await.starts_with("HTTP/1.1 431 "));
    let long = |length: usize| format!("x: {}\r\n", "a".repeat(length));
    assert!(server.exchange(&head(&long(30_000))).await.starts_with("HTTP/1.1 200 "));
    // It says so, and closes, perhaps before all is sent; then the answer may be lost on the way.
    let refused = server.exchange(&head(&long(40_000))).await;
    assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 431 "), "{refused}");

    let (mut sender, connection) = http2(server.connect().await).await;
    tokio::spawn(connection);
    let mut large = get_2("/");
    large.headers_mut().insert("x", "a".repeat(40_000).parse().unwrap());
    assert_eq!(soon(sender.send_request(large)).await.unwrap().status(), StatusCode::from_u16(431).unwrap());
    assert_eq!(soon(sender.send_request(get_2("/"))).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn further_connections_wait_until_one_ends_and_an_upgraded_one_counts() {
    let server = Server::start(Bounds { connections: 1, ..Bounds::default() }).await;
    let mut socket = socket(&server).await;
    let mut waiting = server.connect().await;
    waiting.write_all(request("/").as_bytes()).await.unwrap();
    let mut byte = [0];
    assert!(timeout(SHORT, waiting.read(&mut byte)).await.is_err(), "there was no place");
    socket.send(Message::text("still here")).await.unwrap();
    assert_eq!(soon(socket.next()).await.unwrap().unwrap(), Message::text("still here"));
    drop(socket);
    assert!(answer(&mut waiting).await.ends_with("hello"));
}

#[tokio::test]
async fn an_address_may_have_so_many_connections_and_more_are_closed() {
    let server = Server::start(Bounds { per_address: Some(1), ..Bounds::default() }).await;
    let mut first = server.connect().await;
    first.write_all(request("/").as_bytes()).await.unwrap();
    answer(&mut first).await;
    assert_eq!(server.exchange(&request("/")).await, "");
    first.write_all(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut first).await.ends_with("hello"));
    // The place is free as soon as the server has closed its side too.
    let again = async {
        while server.exchange("GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await.is_empty() {}
    };
    soon(again).await;
}

#[tokio::test]
async fn a_websocket_works_on_http_1() {
    let server = Server::start(Bounds { first_head: SHORT, idle: SHORT, ..Bounds::default() }).await;
    let mut socket = socket(&server).await;
    // As long as another connection takes to be closed for being idle.
    server.exchange(&request("/")).await;
    socket.send(Message::text("echo")).await.unwrap();
    assert_eq!(soon(socket.next()).await.unwrap().unwrap(), Message::text("echo"));
}

#[tokio::test]
async fn a_websocket_works_on_http_2() {
    let server = Server::start(Bounds { first_head: SHORT, idle: SHORT, ..Bounds::default() }).await;
    let (mut sender, connection) = http2(server.connect().await).await;
    tokio::spawn(connection);
    // Until the server's settings are here, extended CONNECT may not be used.
    soon(sender.send_request(get_2("/"))).await.unwrap();
    let upgrade = axum::http::Request::builder()
        .method(Method::CONNECT)
        .uri("http://test/echo")
        .header("sec-websocket-version", "13")
        .extension(Protocol::from_static("websocket"))
        .body(Empty::new())
        .unwrap();
    let mut response = soon(sender.send_request(upgrade)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let upgraded = soon(hyper::upgrade::on(&mut response)).await.unwrap();
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await;
    // The connection is told to open no more streams; those that are open stay.
    server.exchange(&request("/")).await;
    server.exchange(&request("/")).await;
    socket.send(Message::text("echo")).await.unwrap();
    assert_eq!(soon(socket.next()).await.unwrap().unwrap(), Message::text("echo"));
}

#[tokio::test]
async fn a_stop_closes_what_is_idle_and_lets_requests_end() {
    let server = Server::start(Bounds::default()).await;
    let (mut idle, mut busy, mut silent) =
        (server.connect().await, server.connect().await, server.connect().await);
    idle.write_all(request("/").as_bytes()).await.unwrap();
    answer(&mut idle).await;
    busy.write_all(request("/slow").as_bytes()).await.unwrap();
    soon(server.slow.began.notified()).await;
    let (mut sender, connection) = http2(server.connect().await).await;
    let connection = tokio::spawn(connection);
    let response = tokio::spawn(sender.send_request(get_2("/slow")));
    soon(server.slow.began.notified()).await;

    server.stop.send(()).unwrap();
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(rest(&mut silent).await, "");
    assert!(TcpStream::connect(server.address).await.is_err());
    assert!(!server.done.is_finished());
    server.slow.may_end.notify_waiters();
    let last = rest(&mut busy).await;
    assert!(last.contains("connection: close\r\n") && last.ends_with("at last"), "{last}");
    assert_eq!(text(soon(response).await.unwrap().unwrap()).await, "at last");
    soon(connection).await.unwrap().unwrap();
    soon(server.done).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stop_waits_for_sockets_which_the_application_ends() {
    let server = Server::start(Bounds::default()).await;
    let mut socket = socket(&server).await;
    server.stop.send(()).unwrap();
    socket.send(Message::text("echo")).await.unwrap();
    assert_eq!(soon(socket.next()).await.unwrap().unwrap(), Message::text("echo"));
    assert!(!server.done.is_finished());
    drop(socket);
    soon(server.done).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_handshake() {
    let bounds = Bounds { handshake: Duration::from_secs(3_600), ..Bounds::default() };
    let server = Server::start_with(bounds, Some(tls())).await;
    let mut silent = server.connect().await;
    // Accepted in turn: once this one has spoken, the silent one is in.
    let mut other = connect_tls(&server, &[]).await;
    other.write_all(request("/").as_bytes()).await.unwrap();
    answer(&mut other).await;
    server.stop.send(()).unwrap();
    assert_eq!(rest(&mut silent).await, "");
    soon(server.done).await.unwrap().unwrap();
}
