//! What the edges add to sessions: a server that issues nothing, whoever counts attempts, and many at once.

use std::sync::Arc;

use async_graphql::{Request, Variables};
use futures_util::future::join_all;
use ordo::{
    error::{Error, Result},
    graphql::schema,
    http::{self, auth::Auth},
    usecase::session::Attempts,
};
use serde_json::json;

use crate::{
    harness::{App, Client, SECRET},
    session::send,
};

/// The example of RFC 8410; its private half opens nothing here.
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_issues_no_tokens_sends_people_elsewhere() {
    let app = App::start().await;
    let auth = Auth::with_public_key(PUBLIC_KEY, "ordo", "ordo").expect("a key");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let never = std::future::pending();
    let (settings, start) = (http::Settings::default(), http::StartPage::default());
    tokio::spawn(http::serve(listener, app.inner.clone(), auth, settings, start, never));
    let nobody = Client::new(&url, None);
    for (field, input) in [
        ("login", json!({ "email": "staff@example.test", "password": "a long password" })),
        ("refresh", json!({ "refreshToken": "anything" })),
        ("passwordReset", json!({ "token": "anything", "new": "a long password" })),
    ] {
        let answer = send(&nobody, field, input).await;
        let error = &answer.body["data"][field]["errors"][0];
        assert_eq!(
            (&error["code"], &error["__typename"]),
            (&json!("LOGIN_ELSEWHERE"), &json!("LoginElsewhere"))
        );
    }
    // The server's secret still seals service tokens.
    let create = "mutation($input: ServiceTokenCreateInput!) { serviceTokenCreate(input: $input) { token } }";
    let organization = app.company.provider_org.to_string();
    let wanted = json!({ "name": "robot", "organization": organization, "actions": [] });
    let made = app.admin().data(create, json!({ "input": wanted })).await;
    let token = made["serviceTokenCreate"]["token"].as_str().expect("a token").to_owned();
    Client::new(&url, Some(token)).data("{ orders { nodes { id } } }", json!({})).await;
}

/// Lets nobody try.
struct Closed;

impl Attempts for Closed {
    fn admit(&self, email: &str) -> Result<()> {
        assert_eq!(email, "staff@example.test");
        Err(Error::RateLimited { retry_after: std::time::Duration::from_millis(2_500) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_counts_attempts_is_asked_before_anything_is_read() {
    let app = App::start().await;
    let schema = schema(app.inner.clone(), Arc::new(Auth::with_secret(SECRET, "ordo", "ordo")));
    let input = json!({ "input": { "email": "staff@example.test", "password": "a long password" } });
    let query = "mutation($input: LoginInput!) { login(input: $input) { errors { code } } }";
    let request = Request::new(query).variables(Variables::from_json(input)).data(app.inner.clone());
    let attempts: Arc<dyn Attempts> = Arc::new(Closed);
    let answer = schema.execute(request.data(attempts)).await;
    let answer = serde_json::to_value(answer).expect("JSON");
    assert_eq!(
        answer["errors"][0]["extensions"],
        json!({ "code": "RATE_LIMITED", "retryAfter": 3 }),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_bad_log_ins_at_once_each_is_answered_and_queries_go_on() {
    let app = App::start().await;
    let nobody = app.anonymous();
    let attempts = (0..100).map(|n| {
        let email = format!("nobody{n}@example.test");
        send(&nobody, "login", json!({ "email": email, "password": "a wrong password" }))
    });
    let staff = app.staff();
    let queries = async {
        for _ in 0..20 {
            staff.data("{ orders { nodes { id } } }", json!({})).await;
        }
    };
    let (answers, ()) = tokio::join!(join_all(attempts), queries);
    for answer in answers {
        let refused = answer.body["data"]["login"]["errors"][0]["code"] == "INVALID_CREDENTIALS";
        assert!(refused || answer.codes() == ["RATE_LIMITED"], "{:#}", answer.body);
    }
}
