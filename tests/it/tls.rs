//! With a certificate, and what HTTP/2 is for: many streams over one connection.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use ordo::http::{Bounds, Limits, Settings, Tls};
use reqwest::{Certificate, Response, Version};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::{
    cli::{ANY_PORT, PATIENCE, Server, ordo, printed, run, text},
    harness::{App, Events},
};

const QUERY: &str = "{ settings { expiryEnabled } }";

/// A certificate for this machine, signed by itself, and its key.
struct Pem {
    certificate: String,
    key: String,
}

impl Pem {
    fn new() -> Pem {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        Pem { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    /// A server with it, whose address says so.
    async fn serve(&self, tls_only: bool, bounds: Bounds) -> App {
        let tls = Some(Tls::load(self.certificate.as_bytes(), self.key.as_bytes()).unwrap());
        let settings = Settings { tls, tls_only, bounds, limits: Limits::roomy(), ..Settings::default() };
        let mut app = App::start_with(settings).await;
        app.url = app.url.replacen("http", "https", 1);
        app
    }

    /// A client that trusts nothing else.
    fn client(&self) -> reqwest::Client {
        crate::harness::speak_tls();
        let certificate = Certificate::from_pem(self.certificate.as_bytes()).unwrap();
        reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap()
    }
}

async fn ask(http: &reqwest::Client, url: &str, token: &str, body: &Value) -> Response {
    http.post(format!("{url}/graphql")).bearer_auth(token).json(body).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_get_http_2_over_tls_and_are_told_to_stay_there_only_where_it_is_set() {
    let pem = Pem::new();
    for tls_only in [true, false] {
        let app = pem.serve(tls_only, Bounds::default()).await;
        let token = app.staff().token().unwrap().to_owned();
        let response = ask(&pem.client(), &app.url, &token, &json!({ "query": QUERY })).await;
        assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
        let strict = response.headers().get("strict-transport-security").cloned();
        assert_eq!(strict.is_some_and(|value| value == "max-age=31536000"), tls_only);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body, json!({ "data": { "settings": { "expiryEnabled": false } } }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_speaks_no_tls_at_the_tls_port_is_sent_away_and_nobody_notices() {
    let pem = Pem::new();
    let app = pem.serve(true, Bounds::default()).await;
    let address = app.url.trim_start_matches("https://");
    for sent in ["GET / HTTP/1.1\r\nhost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "SSH-2.0-x\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        // An alert, or nothing; a reset is an end as well.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut said)).await.expect("an end in time");
        assert!(said.is_empty() || said[0] == 21, "{said:?}");
    }
    let response = pem.client().get(format!("{}/readyz", app.url)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let strange = Pem::new().client().get(format!("{}/readyz", app.url)).send().await;
    assert!(strange.is_err(), "another certificate is not taken for this one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_works_over_tls() {
    let pem = Pem::new();
    let app = pem.serve(false, Bounds::default()).await;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.certificate.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(app.url.trim_start_matches("https://")).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let mut request =
        format!("{}/graphql", app.url.replacen("https", "wss", 1)).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    let (mut socket, _) = client_async(request, stream).await.unwrap();
    for said in [
        json!({ "type": "connection_init", "payload": { "token": app.staff().token().unwrap() } }),
        json!({ "type": "subscribe", "id": "1", "payload": { "query": QUERY } }),
    ] {
        socket.send(Message::text(said.to_string())).await.unwrap();
    }
    for (key, value) in [
        ("type", json!("connection_ack")),
        ("payload", json!({ "data": { "settings": { "expiryEnabled": false } } })),
    ] {
        let message = timeout(PATIENCE, socket.next()).await.expect("in time").unwrap().unwrap();
        let message: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        assert_eq!(message[key], value, "{message}");
    }
}

/// Twenty streams, and a mutation beside them, on the only connection that there may be.
async fn many_streams(app: &App, http: &reqwest::Client) {
    let token = app.staff().token().unwrap().to_owned();
    let watch = json!({ "query": "subscription { orderEvents { kind orderId } }" });
    let mut streams = Vec::new();
    for _ in 0..20 {
        let request = http.post(format!("{}/graphql", app.url)).bearer_auth(&token).json(&watch);
        let mut stream = Events::open(request).await;
        assert_eq!(stream.change().await.1["kind"], "STARTED");
        streams.push(stream);
    }
    let create = json!({
        "query": "mutation($input: OrderCreateInput!) { orderCreate(input: $input) { order { id } } }",
        "variables": { "input": {
            "customer": { "id": app.company.customer.to_string() },
            "lines": [{ "product": app.company.instant.id.to_string(), "quantity": 1 }],
        } },
    });
    let response = ask(http, &app.url, &token, &create).await;
    assert_eq!(response.version(), Version::HTTP_2);
    let body: Value = response.json().await.unwrap();
    let order = &body["data"]["orderCreate"]["order"]["id"];
    for stream in &mut streams {
        assert_eq!(stream.change().await.1, json!({ "kind": "CREATED", "orderId": order }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_streams_share_one_connection_of_http_2() {
    let bounds = Bounds { connections: 1, ..Bounds::default() };
    let pem = Pem::new();
    many_streams(&pem.serve(false, bounds).await, &pem.client()).await;
    // Without TLS too, for a proxy that begins with it.
    let app = App::start_with(Settings { bounds, limits: Limits::roomy(), ..Settings::default() }).await;
    let http = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    many_streams(&app, &http).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_speaks_tls_with_the_files_that_its_settings_name() {
    let folder = TempDir::new().unwrap();
    let pem = Pem::new();
    let file = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
    file("chain.pem", &pem.certificate);
    file("key.pem", &pem.key);
    file("ordo.toml", "tls_certificate_file = \"chain.pem\"\ntls_key_file = \"key.pem\"\n");
    let server = Server::start(ordo(folder.path(), &ANY_PORT), "curl ").await;
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let token = printed(ordo(folder.path(), &["token", "--as", "staff"])).await;
    let http = pem.client();
    let response = ask(&http, &server.url, token.trim(), &json!({ "query": ordo::http::QUERY })).await;
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
    assert_eq!(response.headers()["strict-transport-security"], "max-age=31536000");
    let page = http.get(&server.url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains(&server.url) && !page.contains("http://"), "{page}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_or_key_of_no_use_is_one_sentence_and_exit_code_2() {
    let folder = TempDir::new().unwrap();
    let (pem, other) = (Pem::new(), Pem::new());
    let certificate = "`tls_certificate_file` (file ordo.toml)";
    let key = "`tls_key_file`";
    #[rustfmt::skip]
    let rows = [
        (Some(pem.certificate.as_str()), Some(other.key.as_str()), certificate, "cannot be used"),
        (Some(&pem.certificate), Some("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"), certificate, "cannot be used"),
        (Some(&pem.certificate), Some(&pem.certificate), certificate, "there is no private key in the file"),
        (Some(&pem.key), Some(&pem.key), certificate, "there is no certificate in the file"),
        (Some(""), Some(&pem.key), certificate, "there is no certificate in the file"),
        (Some(&pem.certificate), None, key, "is missing"),
        (None, Some(&pem.key), "`tls_certificate_file`", "is missing"),
    ];
    for (certificate, key, names, says) in rows {
        let mut settings = String::new();
        for (setting, content) in [("tls_certificate_file", certificate), ("tls_key_file", key)] {
            if let Some(content) = content {
                std::fs::write(folder.path().join(setting), content).unwrap();
                settings += &format!("{setting} = \"{setting}\"\n");
            }
        }
        std::fs::write(folder.path().join("ordo.toml"), &settings).unwrap();
        let output = run(ordo(folder.path(), &ANY_PORT)).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with(&format!("ordo: {names}")) && said.contains(says), "{says}: {said}");
        assert_eq!(said.lines().count(), 1, "one sentence: {said}");
        for secret in key.unwrap_or_default().lines().filter(|line| !line.starts_with("-----")) {
            assert!(!said.contains(secret), "the key is told: {said}");
        }
        assert!(!folder.path().join("ordo.db").exists(), "nothing is left behind");
    }
}
