//! What the feed still serves: a mark that only moves on, cursors on either side of it, and readers who are
//! behind it already.

use chrono::TimeDelta;
use futures_util::future::join_all;
use ordo::{
    store::event::{self, Position},
    usecase::upkeep::trim,
};
use serde_json::{Value, json};

use crate::harness::{App, Subscriber};

const EVENTS: &str = "subscription($after: String) { orderEvents(after: $after) { kind cursor orderId } }";
const DAYS: TimeDelta = TimeDelta::days(90);

/// So many orders, and the positions of their events.
async fn orders(app: &App, count: usize) -> Vec<Position> {
    for _ in 0..count {
        app.place(&app.consumer(), &app.company.server, 1).await;
    }
    let head = app.inner.feed.now().await;
    let log = event::after(&app.inner.store, 0, 10_000).await.expect("the log");
    assert_eq!(log.last().map(|record| record.position()), Some(head));
    let told = log.iter().filter(|record| record.order().is_some());
    told.map(|record| record.position()).collect()
}

fn cursor(app: &App, position: Position) -> String {
    app.inner.keys.cursors().seal(position)
}

/// The first message behind a cursor, or the code that it is refused with.
async fn resumed(app: &App, position: Position) -> Result<Subscriber, String> {
    let mut stream = app.staff().subscribe(EVENTS, json!({ "after": cursor(app, position) })).await;
    let message = stream.message().await;
    match message["payload"]["data"]["orderEvents"]["kind"].as_str() {
        Some("STARTED") => Ok(stream),
        _ => {
            let text = message.to_string();
            let codes = ["CURSOR_EXPIRED", "CURSOR_INVALID"].into_iter().filter(|code| text.contains(code));
            Err(codes.collect())
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_at_the_mark_is_served_and_one_before_it_has_expired() {
    let app = App::start().await;
    let old = orders(&app, 4).await;
    app.world.advance(TimeDelta::days(60));
    let young = orders(&app, 3).await[4..].to_vec();
    assert_eq!(trim(&app.inner, DAYS).await.expect("a mark"), 0);
    assert!(resumed(&app, Position::START).await.is_ok(), "nothing was trimmed");
    app.world.advance(TimeDelta::days(31));
    let mark = trim(&app.inner, DAYS).await.expect("a mark");
    assert_eq!(mark, old[3].seq, "the last event that is too old");
    for position in [Position::START, old[0], old[2]] {
        assert_eq!(resumed(&app, position).await.err().as_deref(), Some("CURSOR_EXPIRED"), "{position:?}");
    }
    let mut stream = resumed(&app, old[3]).await.expect("all after it is there");
    for position in &young {
        assert_eq!(stream.change().await["cursor"], json!(cursor(&app, *position)));
    }
    for position in young {
        assert!(resumed(&app, position).await.is_ok());
    }
    let timeline = "{ orders { nodes { timeline(first: 5) { nodes { kind } } } } }";
    let shown = app.staff().data(timeline, json!({})).await.to_string();
    assert_eq!(shown.matches("CREATED").count(), 7, "timelines stay whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_the_log_never_gave_is_invalid_wherever_the_mark_is() {
    let app = App::start().await;
    let known = orders(&app, 3).await;
    let newest = known[2];
    let ahead = Position { seq: newest.seq + 1, ..newest };
    let foreign = Position { event: known[0].event, ..newest };
    for position in [ahead, foreign, Position { seq: i64::MAX, ..newest }, Position { seq: -1, ..newest }] {
        let code = resumed(&app, position).await.err();
        let expected = if position.seq < 0 { "CURSOR_EXPIRED" } else { "CURSOR_INVALID" };
        assert_eq!(code.as_deref(), Some(expected), "{position:?}");
    }
    app.world.advance(TimeDelta::days(91));
    trim(&app.inner, DAYS).await.expect("a mark");
    for position in [ahead, foreign] {
        assert_eq!(resumed(&app, position).await.err().as_deref(), Some("CURSOR_INVALID"), "{position:?}");
    }
    for garbled in ["", "AAAA", "not a cursor", &cursor(&app, newest)[1..]] {
        let mut stream = app.staff().subscribe(EVENTS, json!({ "after": garbled })).await;
        let message = stream.message().await.to_string();
        assert!(message.contains("CURSOR_INVALID"), "{garbled:?}: {message}");
    }
    assert!(resumed(&app, newest).await.is_ok(), "all is old, and nothing comes after it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_behind_the_mark_reads_on() {
    let app = App::start().await;
    let mut reader = resumed(&app, Position::START).await.expect("a stream");
    let told = orders(&app, 60).await;
    assert_eq!(reader.change().await["cursor"], json!(cursor(&app, told[0])));
    app.world.advance(TimeDelta::days(400));
    assert_eq!(trim(&app.inner, DAYS).await.expect("a mark"), told[59].seq);
    for position in &told[1..] {
        assert_eq!(reader.change().await["cursor"], json!(cursor(&app, *position)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mark_never_goes_back_whoever_moves_it() {
    let app = App::start().await;
    orders(&app, 5).await;
    app.world.advance(TimeDelta::days(91));
    let newest = orders(&app, 5).await[4].seq;
    let moved = join_all((0..4).map(|i| trim(&app.inner, TimeDelta::days(90 + i)))).await;
    assert!(moved.into_iter().all(|mark| mark.expect("a mark") <= newest));
    assert_eq!(trim(&app.inner, TimeDelta::days(10_000)).await.expect("a mark"), newest);
    assert_eq!(app.count_of("SELECT COUNT(*) FROM feed_trim").await, 1);
    let value: Value = json!(app.count_of("SELECT seq FROM feed_trim").await);
    assert_eq!(value, json!(newest));
}
