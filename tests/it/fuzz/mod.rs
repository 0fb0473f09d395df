//! Five thousand requests that nobody would think of, from everybody: whatever is sent, the answer is an
//! answer, says nothing of the inside, and the server is as healthy as before.

mod document;
mod envelope;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use self::{document::Fuzz, envelope::Sent};
use crate::{
    harness::{App, Client, Subscriber, Wanted},
    proof::sdl::Sdl,
};

/// Where chance begins; a case is made from this and its number alone.
const SEED: u64 = 20_261_121;
/// How many cases there are.
const CASES: u64 = 5_000;
/// How many are under way at once.
const AT_ONCE: usize = 8;

/// Words of the inside, which no error may say.
const INSIDE: [&str; 18] = [
    "sqlx",
    "sea_orm",
    "sea-orm",
    "sqlite",
    "postgres",
    "SELECT ",
    "INSERT INTO",
    "UNIQUE constraint",
    "FOREIGN KEY",
    "no such table",
    "no such column",
    "order_items",
    "deleted_at",
    "panicked",
    "RUST_BACKTRACE",
    ".rs:",
    "/src/",
    "async_graphql",
];

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_strange_requests_are_answered_and_leave_the_server_as_it_was() {
    let app = App::start().await;
    let sdl = Sdl::of_the_program();
    let words = words(&app).await;
    let roles = app.roles();
    let calm = pace(&app).await;
    let (begun, before) = (Instant::now(), resident());
    let mut tally: BTreeMap<String, usize> = BTreeMap::new();
    let mut most = before;
    let cases = stream::iter(0..CASES).map(|number| {
        let random = StdRng::seed_from_u64(SEED + number);
        let variables = Vec::new();
        let mut fuzz = Fuzz { random, sdl: &sdl, words: &words, variables, sober: false, aliases: 0 };
        let (role, client) = fuzz.pick(&roles);
        let sent = fuzz.case();
        async move {
            let case = format!("seed {SEED}, case {number}, as {role}");
            (number, outcome(&client, &sent, &case).await)
        }
    });
    let mut cases = cases.buffer_unordered(AT_ONCE);
    while let Some((number, outcome)) = cases.next().await {
        *tally.entry(outcome).or_default() += 1;
        if number % 50 == 0 {
            most = most.max(resident());
        }
    }
    let took = begun.elapsed();
    println!(
        "{CASES} cases in {:.1} s, {} MiB at most ({} before)",
        took.as_secs_f32(),
        most >> 10,
        before >> 10
    );
    println!("{tally:#?}");
    assert!(most << 10 < crate::hostile::memory(), "{} MiB are in use", most >> 10);
    let carried_out = |outcome: &str| outcome == "data" || outcome.ends_with("while it ran");
    let begun: usize = tally.iter().filter(|(outcome, _)| carried_out(outcome)).map(|(_, count)| count).sum();
    assert!(begun * 5 > CASES as usize, "hardly anything was carried out: {tally:#?}");
    // And it goes on working, as quickly in kind.
    let order = app.place(&app.consumer(), &app.company.webspace, 1).await;
    app.act(&app.staff(), &order, "accept", json!({})).await;
    let tired = pace(&app).await;
    assert!(tired < calm * 10 + Duration::from_millis(250), "{calm:?} before, {tired:?} after");
}

/// Sends a case and says in a word what came of it.
async fn outcome(client: &Client, sent: &Sent, case: &str) -> String {
    let about = || format!("{case}\n{}", sent.shown());
    let answer = match sent {
        Sent::Post(body, kind) => client.post(body.clone(), kind).await,
        Sent::Get(pairs) => client.get(pairs).await,
        Sent::Socket(texts) => return converse(client, texts, &about()).await,
    };
    let (status, body) = answer;
    assert!(status < 500, "{status} to {}\n{body}", about());
    let body: Value =
        serde_json::from_str(&body).unwrap_or_else(|_| panic!("no JSON to {}\n{body}", about()));
    expect_sound(&body, &about())
}

/// An answer has data or errors, every error a sentence and a code, and none is our fault.
fn expect_sound(body: &Value, about: &str) -> String {
    let shown = || format!("{about}\n{}", body.to_string().chars().take(4_000).collect::<String>());
    let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(body.get("data").is_some() || !errors.is_empty(), "neither data nor errors: {}", shown());
    for error in errors {
        let message = error["message"].as_str().unwrap_or_default();
        let code = error["extensions"]["code"].as_str().unwrap_or_default();
        assert!(!message.is_empty() && !code.is_empty(), "an error without words or code: {}", shown());
        assert_ne!(code, "INTERNAL", "{}", shown());
        let told = INSIDE.iter().find(|word| message.contains(*word) && !about.contains(*word));
        assert!(told.is_none(), "{told:?} is of the inside: {}", shown());
    }
    let Some(first) = errors.first() else { return "data".to_owned() };
    let code = first["extensions"]["code"].as_str().unwrap_or_default();
    // What was carried out as far as the argument that is named, and what was not even begun.
    let begun = first.get("path").is_some();
    if begun { format!("{code} while it ran") } else { code.to_owned() }
}

/// Says these texts on a socket; it answers each in the protocol's words, or closes with a code.
async fn converse(client: &Client, texts: &[String], about: &str) -> String {
    let mut socket = Subscriber::connect(client.url(), client.token()).await;
    for text in texts {
        if socket.say(text).await.is_err() {
            break;
        }
    }
    let _ = socket.say(r#"{"type":"ping"}"#).await;
    loop {
        match socket.hear().await {
            Ok(message) => match message["type"].as_str() {
                Some("pong") => return "socket".to_owned(),
                Some("next") => drop(expect_sound(&message["payload"], about)),
                Some("error") => drop(expect_sound(&json!({ "errors": message["payload"] }), about)),
                Some("complete" | "ping" | "connection_ack") => {}
                _ => panic!("{message} to {about}"),
            },
            Err(code) => {
                assert_ne!(code, Some(1011), "our fault, to {about}");
                return "socket closed".to_owned();
            }
        }
    }
}

/// Texts that mean something here.
async fn words(app: &App) -> Vec<String> {
    let company = &app.company;
    let wanted = [&company.server, &company.webspace, &company.parcel, &company.allocation];
    let statuses = ["failed", "pending", "processing", "pending_consumer"];
    let wanted: Vec<Wanted> =
        wanted.iter().zip(statuses).map(|(goods, status)| Wanted::new(goods, status)).collect();
    let mut words = app.stand(&wanted).await;
    let query = "{ orders { eventsCursor edges { cursor } nodes { number items { nodes { id } } } } }";
    let list = app.staff().data(query, json!({})).await["orders"].clone();
    words.extend(list["eventsCursor"].as_str().map(str::to_owned));
    for (at, more) in [("edges", "cursor"), ("nodes", "number")] {
        let each = list[at].as_array().into_iter().flatten();
        words.extend(each.filter_map(|it| it[more].as_str()).map(str::to_owned));
    }
    words.extend([&company.server, &company.rival_server].map(|goods| goods.id.to_string()));
    words.extend([company.customer, company.provider_org, company.rival_org].map(|id| id.to_string()));
    words.extend([company.csr, company.agent, company.consumer].map(|account| account.id.to_string()));
    let codes =
        ["cancel", "submit", "process", "set_status", "retry", "cloud", "delivery", "draft", "a reason"];
    words.extend(codes.map(str::to_owned));
    words
}

/// How long a small query takes, in the middle of twenty.
async fn pace(app: &App) -> Duration {
    let staff = app.staff();
    let mut took = Vec::new();
    for _ in 0..20 {
        let begun = Instant::now();
        staff.data("{ viewer { user { name } } orders(first: 5) { totalCount } }", json!({})).await;
        took.push(begun.elapsed());
    }
    took.sort();
    took[took.len() / 2]
}

/// What this process holds in memory, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or_default()
}
