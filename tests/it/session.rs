//! Logging in, staying in, logging out, and the passwords for it.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use domain::id::{SessionId, UserId};
use ordo::{
    app::World,
    keys::{Keys, Purpose},
    store::session::MOST_SESSIONS,
    usecase::session::reset_token,
};
use sea_orm::Value as Bound;
use serde_json::{Value, json};

use crate::{
    access::socket,
    harness::{Account, Answer, App, Client, SECRET},
};

const PASSWORD: &str = "correct horse battery";
const ORDERS: &str = "{ orders { nodes { id } } }";
const SESSION: &str = "session { accessToken expiresAt refreshToken refreshExpiresAt \
    viewer { user { email } memberships { role } } } errors { __typename code message path }";

/// Sends a mutation about accounts.
pub async fn send(client: &Client, field: &str, input: Value) -> Answer {
    let (head, tail) = field.split_at(1);
    let input_type = format!("{}{tail}Input", head.to_uppercase());
    let selection = match field {
        "login" | "refresh" => SESSION,
        "passwordResetToken" => "token expiresAt errors { __typename code message path }",
        _ => "errors { __typename code message path }",
    };
    let document = format!("mutation($input: {input_type}!) {{ {field}(input: $input) {{ {selection} }} }}");
    client.send(&document, json!({ "input": input })).await
}

/// The payload of a mutation about accounts.
async fn tell(client: &Client, field: &str, input: Value) -> Value {
    let answer = send(client, field, input).await;
    assert!(answer.body.get("errors").is_none(), "{field}: {:#}", answer.body);
    answer.body["data"][field].clone()
}

/// The code of the only error of a payload; empty on success.
fn code(payload: &Value) -> &str {
    let errors = payload["errors"].as_array().expect("errors");
    assert!(errors.len() < 2, "{payload}");
    errors.first().map_or("", |error| error["code"].as_str().expect("a code"))
}

/// Gives an account a password, as an administrator would.
async fn set_password(app: &App, user: UserId, password: &str) {
    let (store, keys) = (&app.inner.store, &app.inner.keys);
    let (token, _) = reset_token(store, keys, user, app.world.now()).await.expect("a token");
    let done = tell(&app.anonymous(), "passwordReset", json!({ "token": token, "new": password })).await;
    assert_eq!(code(&done), "", "{done}");
}

/// What a log-in or renewal gave.
struct Tokens {
    access: String,
    refresh: String,
}

impl Tokens {
    fn of(payload: &Value) -> Tokens {
        let text = |name: &str| payload["session"][name].as_str().expect("a token").to_owned();
        Tokens { access: text("accessToken"), refresh: text("refreshToken") }
    }

    async fn begin(app: &App, email: &str, password: &str) -> Tokens {
        let input = json!({ "email": email, "password": password });
        Tokens::of(&tell(&app.anonymous(), "login", input).await)
    }

    fn client(&self, app: &App) -> Client {
        Client::new(&app.url, Some(self.access.clone()))
    }

    async fn renew(&self, app: &App) -> Value {
        tell(&app.anonymous(), "refresh", json!({ "refreshToken": self.refresh })).await
    }
}

/// An application whose staff can log in.
async fn with_password() -> App {
    let app = App::start().await;
    set_password(&app, app.company.staff.id, PASSWORD).await;
    app
}

const STAFF: &str = "staff@example.test";

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_begun_and_renewed_in_two_tabs_and_a_token_used_again_ends_it() {
    let app = with_password().await;
    let nobody = app.anonymous();
    let begun = tell(&nobody, "login", json!({ "email": STAFF, "password": PASSWORD })).await;
    assert_eq!(begun["session"]["viewer"]["user"]["email"], STAFF);
    assert_eq!(begun["session"]["viewer"]["memberships"][0]["role"], "staff");
    assert_eq!(begun["session"]["expiresAt"], "2026-03-02T09:15:00.000Z");
    assert_eq!(begun["session"]["refreshExpiresAt"], "2026-04-01T09:00:00.000Z");
    let first = Tokens::of(&begun);
    first.client(&app).data(ORDERS, json!({})).await;

    app.world.advance(TimeDelta::minutes(10));
    let (left, right) = tokio::join!(first.renew(&app), first.renew(&app));
    let (left, right) = (Tokens::of(&left), Tokens::of(&right));
    assert_eq!(left.refresh, right.refresh, "two tabs go on with one successor");
    assert_ne!(left.refresh, first.refresh);
    app.world.advance(TimeDelta::seconds(10));
    assert_eq!(Tokens::of(&first.renew(&app).await).refresh, left.refresh, "for ten seconds");

    app.world.advance(TimeDelta::minutes(10));
    let answer = first.client(&app).send(ORDERS, json!({})).await;
    assert_eq!((answer.status, answer.codes()), (401, vec!["UNAUTHENTICATED"]), "it counted a quarter");
    let third = Tokens::of(&left.renew(&app).await);
    third.client(&app).data(ORDERS, json!({})).await;

    let reused = first.renew(&app).await;
    assert_eq!((code(&reused), &reused["session"]), ("SESSION_ENDED", &Value::Null));
    assert_eq!(code(&third.renew(&app).await), "SESSION_ENDED", "the family ends for everybody");
    let answer = third.client(&app).send(ORDERS, json!({})).await;
    assert_eq!((answer.status, answer.codes()), (401, vec!["UNAUTHENTICATED"]));
    let because = "SELECT COUNT(*) FROM sessions WHERE revoked_because = 'REUSE'";
    assert_eq!(app.count_of(because).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_predecessor_is_refused_after_ten_seconds_and_a_session_after_thirty_days() {
    let app = with_password().await;
    let first = Tokens::begin(&app, STAFF, PASSWORD).await;
    let second = Tokens::of(&first.renew(&app).await);
    app.world.advance(TimeDelta::milliseconds(10_001));
    assert_eq!(code(&first.renew(&app).await), "SESSION_ENDED");
    assert_eq!(code(&second.renew(&app).await), "SESSION_ENDED");

    let mut last = Tokens::begin(&app, STAFF, PASSWORD).await;
    app.world.advance(TimeDelta::days(30) - TimeDelta::minutes(1));
    let renewed = last.renew(&app).await;
    assert_eq!(renewed["session"]["expiresAt"], renewed["session"]["refreshExpiresAt"], "no longer than all");
    last = Tokens::of(&renewed);
    app.world.advance(TimeDelta::minutes(1));
    assert_eq!(code(&last.renew(&app).await), "SESSION_ENDED");
    Tokens::begin(&app, STAFF, PASSWORD).await;
    assert_eq!(app.count("sessions").await, 1, "what is over is forgotten with the next log-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_logs_out_is_out_at_once_on_requests_and_streams() {
    let app = with_password().await;
    let one = Tokens::begin(&app, STAFF, PASSWORD).await;
    let other = Tokens::begin(&app, STAFF, PASSWORD).await;
    let mut stream = one.client(&app).subscribe("subscription { orderEvents { kind } }", json!({})).await;
    assert_eq!(stream.change().await["kind"], "STARTED");
    for _ in 0..2 {
        let out = tell(&app.anonymous(), "logout", json!({ "refreshToken": one.refresh })).await;
        assert_eq!(code(&out), "");
    }
    assert_eq!(one.client(&app).send(ORDERS, json!({})).await.status, 401);
    assert_eq!(code(&one.renew(&app).await), "SESSION_ENDED");
    assert!(socket(&app, Some(&one.access), None).await.contains("UNAUTHENTICATED"));
    // Rights of streams are read again once they are a second old.
    let out = Instant::now();
    while out.elapsed() < Duration::from_millis(1_100) {
        app.place(&app.consumer(), &app.company.server, 1).await;
    }
    app.place(&app.consumer(), &app.company.server, 1).await;
    loop {
        let message = stream.message().await;
        if message.to_string().contains("UNAUTHENTICATED") {
            break;
        }
        assert_eq!(message["type"], "next", "{message}");
    }
    other.client(&app).data(ORDERS, json!({})).await;
    assert_eq!(code(&tell(&other.client(&app), "logout", json!({})).await), "");
    assert_eq!(other.client(&app).send(ORDERS, json!({})).await.status, 401);
    let elsewhere = tell(&app.staff(), "logout", json!({})).await;
    assert_eq!((code(&elsewhere), &elsewhere["errors"][0]["path"]), ("VALIDATION", &json!(["refreshToken"])));
}

/// The text of the answer to a log-in, and how many statements it took.
async fn attempt(app: &App, email: &str, password: &str) -> (u64, String) {
    let query = format!("mutation($input: LoginInput!) {{ login(input: $input) {{ {SESSION} }} }}");
    let body = json!({ "query": query, "variables": { "input": { "email": email, "password": password } } });
    let request = reqwest::Client::new().post(format!("{}/graphql", app.url)).json(&body);
    let work = async { request.send().await.expect("an answer").text().await.expect("text") };
    app.statements_of(work).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_an_unknown_address_from_a_wrong_password() {
    let app = with_password().await;
    set_password(&app, app.company.csr.id, PASSWORD).await;
    let disable = "UPDATE users SET disabled_at = created_at WHERE id = $1";
    app.execute(disable, [Bound::Uuid(Some(app.company.csr.id.0))]).await;
    let long = "x".repeat(10_000);
    let attempts = [
        ("wrong password", STAFF, "another horse battery"),
        ("unknown", "nobody@example.test", PASSWORD),
        ("disabled", "csr@example.test", PASSWORD),
        ("without a password", "admin@example.test", PASSWORD),
        ("another letter case", "Staff@example.test", PASSWORD),
        ("nothing at all", "", ""),
        ("NUL", "staff@example.test\0", "\0"),
        ("very long", &long, &long),
    ];
    // The feed's reader polls now and then: the least of several counts is the attempt's own.
    let mut told = Vec::new();
    for (what, email, password) in attempts {
        let (mut least, mut text) = (u64::MAX, String::new());
        for _ in 0..3 {
            let (statements, answer) = attempt(&app, email, password).await;
            (least, text) = (least.min(statements), answer);
        }
        told.push((what, least, text));
    }
    for (what, statements, text) in &told {
        assert!(text.contains("INVALID_CREDENTIALS"), "{what}: {text}");
        assert_eq!((statements, text), (&told[0].1, &told[0].2), "{what}");
    }
    assert_eq!(told[0].1, 1, "one statement reads the account");
    assert_eq!(app.count("sessions").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_every_other_session_and_the_old_password() {
    let app = with_password().await;
    let own = Tokens::begin(&app, STAFF, PASSWORD).await;
    let other = Tokens::begin(&app, STAFF, PASSWORD).await;
    let change = async |current: &str, new: &str| {
        tell(&own.client(&app), "passwordChange", json!({ "current": current, "new": new })).await
    };
    assert_eq!(code(&change("a wrong password", "another horse battery").await), "INVALID_CREDENTIALS");
    assert_eq!(code(&change(PASSWORD, "short").await), "VALIDATION");
    other.client(&app).data(ORDERS, json!({})).await;
    assert_eq!(code(&change(PASSWORD, "another horse battery").await), "");
    own.client(&app).data(ORDERS, json!({})).await;
    assert_eq!(code(&own.renew(&app).await), "");
    assert_eq!(other.client(&app).send(ORDERS, json!({})).await.status, 401);
    assert_eq!(code(&other.renew(&app).await), "SESSION_ENDED");
    let old = tell(&app.anonymous(), "login", json!({ "email": STAFF, "password": PASSWORD })).await;
    assert_eq!(code(&old), "INVALID_CREDENTIALS");
    Tokens::begin(&app, STAFF, "another horse battery").await;
    assert_eq!(code(&change("another horse battery", PASSWORD).await), "");
    assert_eq!(code(&change(PASSWORD, PASSWORD).await), "", "whoever knows it may set it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_sets_a_password_once_within_an_hour_and_any_change_spends_it() {
    let app = App::start().await;
    let whom = json!({ "user": app.company.staff.id.to_string() });
    let given = async || {
        let given = tell(&app.admin(), "passwordResetToken", whom.clone()).await;
        assert_eq!(code(&given), "");
        given["token"].as_str().expect("a token").to_owned()
    };
    let reset = async |token: &str, new: &str| {
        tell(&app.anonymous(), "passwordReset", json!({ "token": token, "new": new })).await
    };
    let (first, second) = (given().await, given().await);
    assert_eq!(code(&reset(&first, "short").await), "VALIDATION", "and not spent");
    assert_eq!(code(&reset(&first, PASSWORD).await), "");
    assert_eq!(code(&reset(&first, PASSWORD).await), "INVALID_TOKEN", "once");
    assert_eq!(code(&reset(&second, PASSWORD).await), "INVALID_TOKEN", "spent by the first");
    let session = Tokens::begin(&app, STAFF, PASSWORD).await;
    let third = given().await;
    let change = json!({ "current": PASSWORD, "new": "another horse battery" });
    assert_eq!(code(&tell(&session.client(&app), "passwordChange", change).await), "");
    assert_eq!(code(&reset(&third, PASSWORD).await), "INVALID_TOKEN", "spent by a change");
    let fourth = given().await;
    app.world.advance(TimeDelta::minutes(60));
    assert_eq!(code(&reset(&fourth, PASSWORD).await), "INVALID_TOKEN", "too late");
    let session = Tokens::begin(&app, STAFF, "another horse battery").await;
    let fifth = given().await;
    app.world.advance(TimeDelta::minutes(10));
    assert_eq!(code(&reset(&fifth, PASSWORD).await), "");
    assert_eq!(session.client(&app).send(ORDERS, json!({})).await.status, 401, "a reset ends all sessions");
    let nobody = json!({ "user": "user_01h455vb4pex5vsknk084sn02q" });
    assert_eq!(code(&tell(&app.admin(), "passwordResetToken", nobody).await), "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_use_a_reset_token_at_once_set_one_password() {
    let app = App::start().await;
    let (store, keys, user) = (&app.inner.store, &app.inner.keys, app.company.staff.id);
    let (token, _) = reset_token(store, keys, user, app.world.now()).await.expect("a token");
    let nobody = app.anonymous();
    let reset = |new: &str| tell(&nobody, "passwordReset", json!({ "token": token, "new": new }));
    let (one, other) = tokio::join!(reset("the first password"), reset("the second password"));
    let mut codes = [code(&one), code(&other)];
    codes.sort_unstable();
    assert_eq!(codes, ["", "INVALID_TOKEN"]);
    let set = if code(&one).is_empty() { "the first password" } else { "the second password" };
    Tokens::begin(&app, STAFF, set).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_password_is_refused_with_its_place_and_not_repeated() {
    let app = App::start().await;
    let (store, keys, user) = (&app.inner.store, &app.inner.keys, app.company.staff.id);
    let (token, _) = reset_token(store, keys, user, app.world.now()).await.expect("a token");
    for new in
        ["elevenchars", &"ab".repeat(65), "aaaaaaaaaaaaaaaa", "staff@example.test", "a NUL \0 inside it"]
    {
        let answer = send(&app.anonymous(), "passwordReset", json!({ "token": token, "new": new })).await;
        let refused = &answer.body["data"]["passwordReset"];
        assert_eq!((code(refused), &refused["errors"][0]["path"]), ("VALIDATION", &json!(["new"])), "{new}");
        assert!(!answer.body.to_string().contains(new), "{new}");
    }
    // What is no text at all is refused before, and not repeated either.
    let query =
        "mutation($new: String!) { passwordReset(input: { token: \"x\", new: $new }) { errors { code } } }";
    let answer = app.anonymous().send(query, json!({ "new": ["correct horse battery"] })).await;
    assert_eq!(answer.codes(), ["BAD_USER_INPUT"]);
    assert!(!answer.body.to_string().contains("horse"), "{:#}", answer.body);
    assert_eq!(app.count("credentials").await, 0);
}

/// Every text that differs from this one in one letter, is cut, or is something else altogether.
pub fn forgeries(text: &str) -> Vec<String> {
    let flipped = (0..text.len()).map(|at| {
        let mut bytes = text.as_bytes().to_vec();
        // Another letter of those that base64 has.
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).expect("ASCII")
    });
    let mut all: Vec<String> = flipped.filter(|other| other != text).collect();
    all.extend([text[1..].to_owned(), text[..text.len() - 1].to_owned(), format!("{text}A")]);
    all.extend([format!("{text}="), String::new(), "garbage".to_owned(), "A".repeat(100_000)]);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_forged_refresh_and_reset_token_is_refused_and_ends_nothing() {
    let app = with_password().await;
    let session = Tokens::begin(&app, STAFF, PASSWORD).await;
    let (store, keys, user) = (&app.inner.store, &app.inner.keys, app.company.staff.id);
    let (reset, _) = reset_token(store, keys, user, app.world.now()).await.expect("a token");
    let another = Keys::derive(b"another secret, just as long as ours is");
    let said = keys.open::<20>(Purpose::Refresh, &session.refresh).expect("what it says");
    let mut refreshes = forgeries(&session.refresh);
    refreshes.extend([
        reset.clone(),
        session.access.clone(),
        another.seal(Purpose::Refresh, &said),
        keys.seal(Purpose::Reset, &said),
        keys.seal(Purpose::Service, &said),
        keys.seal(Purpose::Refresh, &said[..19]),
        format!("ordo_{}", session.refresh),
    ]);
    for token in refreshes {
        let refused = tell(&app.anonymous(), "refresh", json!({ "refreshToken": token })).await;
        assert_eq!(code(&refused), "SESSION_ENDED", "{token}");
        let out = tell(&app.anonymous(), "logout", json!({ "refreshToken": token })).await;
        assert_eq!(code(&out), "", "{token}");
    }
    let said = keys.open::<28>(Purpose::Reset, &reset).expect("what it says");
    let mut resets = forgeries(&reset);
    resets.extend([
        session.refresh.clone(),
        another.seal(Purpose::Reset, &said),
        keys.seal(Purpose::Refresh, &said),
        keys.seal(Purpose::Reset, &said[..27]),
    ]);
    for token in resets {
        let refused =
            tell(&app.anonymous(), "passwordReset", json!({ "token": token, "new": PASSWORD })).await;
        assert_eq!(code(&refused), "INVALID_TOKEN", "{token}");
    }
    // No access token either, over any way in.
    for token in [&session.refresh, &reset] {
        assert_eq!(Client::new(&app.url, Some(token.clone())).send(ORDERS, json!({})).await.status, 401);
    }
    session.client(&app).data(ORDERS, json!({})).await;
    assert_eq!(code(&session.renew(&app).await), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_somebody_elses_session_or_of_none_that_exists_opens_nothing() {
    let app = with_password().await;
    set_password(&app, app.company.admin.id, PASSWORD).await;
    let theirs = Tokens::begin(&app, "admin@example.test", PASSWORD).await;
    let said = app.inner.keys.open::<20>(Purpose::Refresh, &theirs.refresh).expect("what it says");
    let id = uuid::Uuid::from_slice(&said[..16]).expect("an id");
    let now = app.world.now().timestamp();
    let with = |sid: Value| {
        let claims = json!({ "sub": app.company.staff.id.to_string(), "iss": "ordo", "aud": "ordo",
            "nbf": now, "exp": now + 60, "sid": sid });
        let key = jsonwebtoken::EncodingKey::from_secret(SECRET);
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("a token")
    };
    let unknown: SessionId = app.world.mint().id();
    for sid in [json!(SessionId(id).to_string()), json!(unknown.to_string()), json!("nonsense"), json!(7)] {
        let answer = Client::new(&app.url, Some(with(sid.clone()))).send(ORDERS, json!({})).await;
        assert_eq!((answer.status, answer.codes()), (401, vec!["UNAUTHENTICATED"]), "{sid}");
    }
    Client::new(&app.url, Some(with(Value::Null))).data(ORDERS, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_a_session_costs_no_statement_more() {
    let app = with_password().await;
    let session = Tokens::begin(&app, STAFF, PASSWORD).await.client(&app);
    let mut least = [u64::MAX; 2];
    for _ in 0..5 {
        for (least, client) in least.iter_mut().zip([&app.staff(), &session]) {
            let query = "{ viewer { expiresAt } }";
            *least = (*least).min(app.statements_of(client.data(query, json!({}))).await.0);
        }
    }
    assert_eq!(least, [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_a_hundred_sessions_and_the_oldest_goes() {
    let app = with_password().await;
    let first = Tokens::begin(&app, STAFF, PASSWORD).await;
    let (user, world) = (app.company.staff.id, app.world.clone());
    let filled = app.inner.store.write(async move |tx| {
        for _ in 1..MOST_SESSIONS {
            world.advance(TimeDelta::milliseconds(1));
            let mut mint = world.mint();
            tx.begin_session(mint.id(), user, mint.now(), mint.now() + TimeDelta::days(1)).await?;
        }
        Ok(())
    });
    filled.await.expect("sessions");
    assert_eq!(app.count("sessions").await, i64::from(MOST_SESSIONS));
    first.client(&app).data(ORDERS, json!({})).await;
    app.world.advance(TimeDelta::milliseconds(1));
    Tokens::begin(&app, STAFF, PASSWORD).await;
    assert_eq!(app.count("sessions").await, i64::from(MOST_SESSIONS));
    assert_eq!(first.client(&app).send(ORDERS, json!({})).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_disabled_renews_nothing() {
    let app = with_password().await;
    let session = Tokens::begin(&app, STAFF, PASSWORD).await;
    let Account { id, .. } = app.company.staff;
    app.execute("UPDATE users SET disabled_at = created_at WHERE id = $1", [Bound::Uuid(Some(id.0))]).await;
    assert_eq!(code(&session.renew(&app).await), "SESSION_ENDED");
    assert_eq!(session.client(&app).send(ORDERS, json!({})).await.status, 401);
}
