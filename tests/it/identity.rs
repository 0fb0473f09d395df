//! Tokens of an outside identity provider, over each way in. The provider's own keys, and every way to
//! forge a token of it, are tested beside the code.

use axum::{Json, Router, routing::get};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use ordo::{app::World, http::Identities};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    access::socket,
    harness::{App, Client},
};

const ISSUER: &str = "https://id.example.com/";
const ED: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIImi2eS6T0zKCgLfoBaFJdcmv3hppMjlcBZbA330pGBz
-----END PRIVATE KEY-----
";

fn key() -> EncodingKey {
    EncodingKey::from_ed_pem(ED.as_bytes()).unwrap()
}

/// Serves the provider's keys, and describes it with these further settings.
async fn provider(further: &str) -> Identities {
    crate::harness::speak_tls();
    let mut jwk = json!(Jwk::from_encoding_key(&key(), Algorithm::EdDSA).unwrap());
    jwk["kid"] = json!("1");
    let keys = json!({ "keys": [jwk] });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().route("/jwks.json", get(|| async { Json(keys) }));
    tokio::spawn(async { axum::serve(listener, routes).await });
    let described = format!(
        "[[provider]]\nissuer = \"{ISSUER}\"\njwks_url = \"http://{address}/jwks.json\"\naudience = \"ordo\"\n{further}"
    );
    Identities::parse(&described).unwrap()
}

fn token(app: &App, claims: Value) -> String {
    let now = app.world.now().timestamp();
    let mut all = json!({
        "iss": ISSUER, "aud": "ordo", "sub": "7", "exp": now + 600,
        "email": "staff@example.test", "email_verified": true,
    });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let header = Header { kid: Some("1".to_owned()), ..Header::new(Algorithm::EdDSA) };
    encode(&header, &all, &key()).unwrap()
}

const VIEWER: &str = "{ viewer { user { email } memberships { role organization { id } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_each_way_in_for_the_account_with_its_address() {
    let app = App::start_trusting(provider("").await).await;
    let right = token(&app, json!({}));
    let viewer = Client::new(&app.url, Some(right.clone())).data(VIEWER, json!({})).await["viewer"].clone();
    assert_eq!(viewer["user"]["email"], "staff@example.test");
    assert_eq!(viewer["memberships"][0]["role"], "staff");
    assert_eq!(socket(&app, Some(&right), None).await, "open");
    assert_eq!(socket(&app, None, Some(json!({ "token": right }))).await, "open");
    let own = app.staff().data("{ viewer { expiresAt } }", json!({})).await;
    assert!(own["viewer"]["expiresAt"].is_string(), "our own tokens count as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_right_is_refused_on_each_way_in() {
    let app = App::start_trusting(provider("").await).await;
    let now = app.world.now().timestamp();
    let right = token(&app, json!({}));
    let (head, _) = right.rsplit_once('.').unwrap();
    for (what, token) in [
        ("expired", token(&app, json!({ "exp": now - 31 }))),
        ("to come", token(&app, json!({ "nbf": now + 31 }))),
        ("for somebody else", token(&app, json!({ "aud": "other" }))),
        ("from somebody else", token(&app, json!({ "iss": "https://other.example.com/" }))),
        ("of an unverified address", token(&app, json!({ "email_verified": false }))),
        ("without a signature", format!("{head}.")),
    ] {
        let answer = Client::new(&app.url, Some(token.clone())).send(VIEWER, json!({})).await;
        assert_eq!((answer.status, answer.codes()), (401, vec!["UNAUTHENTICATED"]), "{what}");
        let stream = reqwest::Client::new().post(format!("{}/graphql", app.url)).bearer_auth(&token);
        let stream = stream.header("accept", "text/event-stream").json(&json!({ "query": "{ __typename }" }));
        assert_eq!(stream.send().await.unwrap().status(), 401, "{what}");
        assert_eq!(socket(&app, Some(&token), None).await, "401", "{what}");
        assert_eq!(socket(&app, None, Some(json!({ "token": token }))).await, "4403", "{what}");
    }
    // Nobody here: that shows only when the database is asked.
    let nobody = token(&app, json!({ "email": "nobody@example.test" }));
    let answer = Client::new(&app.url, Some(nobody)).send(VIEWER, json!({})).await;
    assert_eq!((answer.status, answer.codes()), (401, vec!["UNAUTHENTICATED"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_that_the_provider_gives_count_in_place_of_the_accounts_own() {
    let further = "roles_claim = \"groups\"\n[provider.roles]\nhelpers = \"support\"\n";
    let app = App::start_trusting(provider(further).await).await;
    let order = app.place(&app.consumer(), &app.company.instant, 1).await;
    let helper = Client::new(&app.url, Some(token(&app, json!({ "groups": ["helpers", "others"] }))));
    let viewer = helper.data(VIEWER, json!({})).await["viewer"].clone();
    let at_operator =
        json!([{ "role": "support", "organization": { "id": app.company.operator.to_string() } }]);
    assert_eq!(viewer["memberships"], at_operator);
    assert!(helper.status(&order).await.is_some(), "support sees every order");
    let assign =
        "mutation($input: OrderAssignCsrInput!) { orderAssignCsr(input: $input) { errors { code } } }";
    let input = json!({ "order": order, "csr": null });
    let refused = helper.data(assign, json!({ "input": input })).await;
    assert_eq!(refused["orderAssignCsr"]["errors"][0]["code"], "NOT_PERMITTED", "staff may, support may not");
    // A stream keeps the roles when it reads its rights anew.
    let mut stream = helper.subscribe("subscription { orderEvents { kind } }", json!({})).await;
    assert_eq!(stream.change().await["kind"], "STARTED");
    app.place(&app.consumer(), &app.company.instant, 1).await;
    assert_eq!(stream.change().await["kind"], "CREATED");

    let without = Client::new(&app.url, Some(token(&app, json!({ "groups": ["others"] }))));
    assert_eq!(without.send(VIEWER, json!({})).await.status, 401, "no value stands for a role");
}
