//! Who is let in: tokens that open nothing, over every way in, and roles that are read on each request.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::{SinkExt, StreamExt};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use ordo::app::World;
use sea_orm::Value as Bound;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use crate::harness::{App, Client, SECRET};

const ORDERS: &str = "{ orders { nodes { id } } }";
const EVENTS: &str = "subscription { orderEvents { kind } }";

/// Claims that open the door, with some in place of its own.
fn claims(app: &App, other: Value) -> Value {
    let now = app.world.now().timestamp();
    let user = app.company.staff.id.to_string();
    let mut claims = json!({ "sub": user, "iss": "ordo", "aud": "ordo", "nbf": now, "exp": now + 60 });
    claims.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    claims
}

fn signed(claims: &Value, algorithm: Algorithm, secret: &[u8]) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret)).expect("a token")
}

fn good(claims: &Value) -> String {
    signed(claims, Algorithm::HS256, SECRET)
}

/// Tokens that open nothing, each with what is wrong with it.
fn forged(app: &App) -> Vec<(String, String)> {
    let now = app.world.now().timestamp();
    let with = |other: Value| good(&claims(app, other));
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = format!("{}.{}.", part(json!({ "alg": "none", "typ": "JWT" })), part(claims(app, json!({}))));
    let right = with(json!({}));
    let (head, tail) = right.rsplit_once('.').unwrap();
    let (first, _) = head.split_once('.').unwrap();
    let raised =
        format!("{first}.{}.{tail}", part(claims(app, json!({ "sub": app.company.admin.id.to_string() }))));
    #[rustfmt::skip]
    let mut tokens = vec![
        ("expired", with(json!({ "exp": now - 31 }))),
        ("to come", with(json!({ "nbf": now + 31 }))),
        ("of another secret", signed(&claims(app, json!({})), Algorithm::HS256, b"another secret, just as long as ours is")),
        ("of an empty secret", signed(&claims(app, json!({})), Algorithm::HS256, b"")),
        ("of another algorithm", signed(&claims(app, json!({})), Algorithm::HS512, SECRET)),
        ("of no algorithm", none),
        ("with claims that were changed", raised),
        ("without its signature", format!("{head}.")),
        ("from somebody else", with(json!({ "iss": "other" }))),
        ("for somebody else", with(json!({ "aud": ["other"] }))),
        ("of no account", with(json!({ "sub": "staff" }))),
        ("of an order", with(json!({ "sub": "order_01h455vb4pex5vsknk084sn02q" }))),
        ("of a deleted account", with(json!({ "sub": "user_01h455vb4pex5vsknk084sn02q" }))),
        ("that is no token", "garbage".to_owned()),
        ("of three dots", "...".to_owned()),
        ("longer than a header may be read", "a".repeat(9_000)),
    ]
    .into_iter()
    .map(|(what, token)| (what.to_owned(), token))
    .collect::<Vec<_>>();
    for claim in ["sub", "exp", "nbf", "iss", "aud"] {
        let mut fewer = claims(app, json!({}));
        fewer.as_object_mut().unwrap().remove(claim);
        tokens.push((format!("without {claim}"), good(&fewer)));
        tokens.push((format!("with {claim} null"), with(json!({ claim: null }))));
    }
    tokens
}

/// What a socket comes to: `ack`, the code of an error, or how it was closed.
pub async fn socket(app: &App, header: Option<&str>, payload: Option<Value>) -> String {
    let address = format!("{}/graphql", app.url.replacen("http", "ws", 1));
    let mut request = address.into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    if let Some(token) = header {
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    let mut socket = match connect_async(request).await {
        Ok((socket, _)) => socket,
        Err(Error::Http(response)) => return response.status().as_u16().to_string(),
        Err(error) => panic!("{error}"),
    };
    let messages = [
        json!({ "type": "connection_init", "payload": payload }),
        json!({ "id": "1", "type": "subscribe", "payload": { "query": EVENTS } }),
    ];
    for message in messages {
        // A socket that is closed already cannot be written to; what it said is read below.
        let _ = socket.send(Message::text(message.to_string())).await;
    }
    loop {
        let message = timeout(Duration::from_secs(20), socket.next()).await.expect("an answer in time");
        match message {
            Some(Ok(Message::Text(text))) => {
                let message: Value = serde_json::from_str(&text).unwrap();
                match message["type"].as_str().unwrap() {
                    "connection_ack" => {}
                    "next" if message["payload"].get("errors").is_none() => return "open".to_owned(),
                    _ => return message.to_string(),
                }
            }
            Some(Ok(Message::Close(frame))) => {
                return frame.map_or_else(String::new, |frame| u16::from(frame.code).to_string());
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return "broken off".to_owned(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_opens_nothing_is_refused_over_post_get_and_socket() {
    let app = App::start().await;
    for (what, token) in forged(&app) {
        let answer = Client::new(&app.url, Some(token.clone())).send(ORDERS, json!({})).await;
        assert_eq!(
            (answer.status, answer.codes().as_slice()),
            (401, ["UNAUTHENTICATED"].as_slice()),
            "{what}"
        );
        assert_eq!(answer.headers["www-authenticate"], "Bearer", "{what}");
        assert!(answer.body.get("data").is_none(), "{what}");
        let get =
            reqwest::Client::new().get(format!("{}/graphql?query=%7Bviewer%7BexpiresAt%7D%7D", app.url));
        assert_eq!(get.bearer_auth(&token).send().await.unwrap().status(), 401, "{what}");
        // An account that is gone shows only when the database is asked: with the first operation.
        let gone = what == "of a deleted account";
        let upgraded = socket(&app, Some(&token), None).await;
        let greeted = socket(&app, None, Some(json!({ "token": token }))).await;
        let greeted_in_full = json!({ "Authorization": format!("Bearer {token}") });
        let greeted_in_full = socket(&app, None, Some(greeted_in_full)).await;
        if gone {
            for said in [upgraded, greeted, greeted_in_full] {
                assert!(said.contains("UNAUTHENTICATED"), "{what}: {said}");
            }
        } else {
            assert_eq!((upgraded.as_str(), greeted.as_str()), ("401", "4403"), "{what}");
            assert_eq!(greeted_in_full, "4403", "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_token_opens_each_way_in_and_a_wrong_one_beside_it_closes_it() {
    let app = App::start().await;
    let now = app.world.now().timestamp();
    for claims in
        [json!({}), json!({ "aud": ["other", "ordo"] }), json!({ "nbf": now + 30, "exp": now - 29 })]
    {
        let token = good(&self::claims(&app, claims.clone()));
        let answer = Client::new(&app.url, Some(token.clone())).send(ORDERS, json!({})).await;
        assert_eq!(answer.body, json!({ "data": { "orders": { "nodes": [] } } }), "{claims}");
        if claims == json!({}) {
            assert_eq!(socket(&app, Some(&token), None).await, "open");
            assert_eq!(socket(&app, None, Some(json!({ "token": token }))).await, "open");
            assert_eq!(socket(&app, Some(&token), Some(json!({ "token": "garbage" }))).await, "4403");
        }
    }
    let request =
        reqwest::Client::new().post(format!("{}/graphql", app.url)).json(&json!({ "query": ORDERS }));
    let token = good(&claims(&app, json!({})));
    let headers = |values: &[&str]| {
        let request = request.try_clone().unwrap();
        values.iter().fold(request, |request, value| request.header("authorization", *value)).send()
    };
    let (bearer, basic) = (format!("Bearer {token}"), format!("Basic {token}"));
    assert_eq!(headers(&[&bearer]).await.unwrap().status(), 200);
    for wrong in
        [vec![basic.as_str()], vec![token.as_str()], vec![""], vec!["Bearer"], vec![&bearer, &bearer]]
    {
        assert_eq!(headers(&wrong).await.unwrap().status(), 401, "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_writes_or_listens_without_a_token() {
    let app = App::start().await;
    let order = app.place(&app.consumer(), &app.company.webspace, 1).await;
    let before = (app.rows(&order).await, app.counts().await);
    let nobody = app.anonymous();
    let accept = "mutation($order: ID!) { orderAccept(input: { order: $order }) { replayed } }";
    let create = "mutation($input: OrderCreateInput!) { orderCreate(input: $input) { replayed } }";
    let customer = json!({ "id": app.company.customer.to_string() });
    let line = json!({ "product": app.company.webspace.id.to_string() });
    for (query, variables) in [
        (ORDERS, json!({})),
        ("query($order: ID!) { order(by: { id: $order }) { id } }", json!({ "order": order })),
        ("query($order: ID!) { node(id: $order) { id } }", json!({ "order": order })),
        (accept, json!({ "order": order })),
        (accept, json!({ "order": "nonsense" })),
        (create, json!({ "input": { "customer": customer, "lines": [line] } })),
    ] {
        let answer = nobody.send(query, variables).await;
        assert_eq!(
            (answer.status, answer.codes().as_slice()),
            (200, ["UNAUTHENTICATED"].as_slice()),
            "{query}"
        );
    }
    assert!(socket(&app, None, None).await.contains("UNAUTHENTICATED"));
    assert!(socket(&app, None, Some(json!({}))).await.contains("UNAUTHENTICATED"));
    assert_eq!((app.rows(&order).await, app.counts().await), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_account_is_out_at_once_with_the_token_it_has() {
    let app = App::start().await;
    let staff = app.staff();
    staff.data(ORDERS, json!({})).await;
    let user = app.company.staff.id.0;
    let disable = "UPDATE users SET disabled_at = $1 WHERE id = $2";
    assert_eq!(app.execute(disable, [Bound::from(app.world.now()), Bound::Uuid(Some(user))]).await, 1);
    let answer = staff.send(ORDERS, json!({})).await;
    assert_eq!((answer.status, answer.codes().as_slice()), (401, ["UNAUTHENTICATED"].as_slice()));
    assert!(socket(&app, staff.token(), None).await.contains("UNAUTHENTICATED"));
    app.execute("UPDATE users SET disabled_at = NULL WHERE id = $1", [Bound::Uuid(Some(user))]).await;
    staff.data(ORDERS, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_read_from_the_database_on_each_request() {
    let app = App::start().await;
    let (staff, order) = (app.staff(), app.place(&app.consumer(), &app.company.webspace, 1).await);
    assert_eq!(staff.status(&order).await.as_deref(), Some("pending"));
    let user = Bound::Uuid(Some(app.company.staff.id.0));
    let become_support = "UPDATE memberships SET role = 'support' WHERE user_id = $1";
    assert_eq!(app.execute(become_support, [user.clone()]).await, 1);
    let refused = staff.transition(&order, "accept", json!({})).await;
    assert_eq!(refused["errors"][0]["code"], "NOT_PERMITTED");
    assert_eq!(app.execute("DELETE FROM memberships WHERE user_id = $1", [user]).await, 1);
    assert_eq!(staff.status(&order).await, None);
    assert_eq!(staff.data(ORDERS, json!({})).await["orders"]["nodes"], json!([]));
    let refused = staff.transition(&order, "accept", json!({})).await;
    assert_eq!(refused["errors"][0]["code"], "NOT_FOUND");
    let viewer = staff.data("{ viewer { user { id } memberships { role } } }", json!({})).await;
    assert_eq!(viewer["viewer"]["memberships"], json!([]));
}
