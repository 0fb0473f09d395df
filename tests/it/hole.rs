//! A hole in the log, which nothing but a hand can make: nobody is led past it unawares.

use std::{sync::Arc, time::Duration};

use ordo::bus::{Feed, Pace, Wire};

use crate::harness::App;

const HOUR: Duration = Duration::from_secs(3_600);
/// Where the missing event is hidden.
const FAR: i64 = 1_000_000;

/// A feed behind three events of which the second is missing.
async fn before_a_hole(app: &App, patience: Duration) -> Arc<Feed> {
    let pace = Pace { poll: Duration::from_millis(20), hole: patience, ..Pace::default() };
    let start = app.inner.feed.now().await.seq;
    let feed = Feed::open_with(app.inner.store.clone(), Wire::Notify, pace).await.expect("a feed");
    for _ in 0..3 {
        app.place(&app.staff(), &app.company.webspace, 1).await;
    }
    assert_eq!(app.inner.feed.now().await.seq, start + 3);
    assert_eq!(
        app.execute("UPDATE events SET seq = $1 WHERE seq = $2", [FAR.into(), (start + 2).into()]).await,
        1
    );
    let feed = Arc::new(feed);
    tokio::spawn(feed.clone().run());
    feed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_waits_in_front_of_a_hole_and_goes_on_when_it_is_filled() {
    let app = App::start().await;
    let feed = before_a_hole(&app, HOUR).await;
    let start = app.inner.feed.head().seq - 3;
    let mut listener = feed.listen(feed.now().await);
    assert_eq!(listener.position().seq, start + 1, "up to the hole");
    assert_eq!(feed.now().await.seq, start + 1);
    assert!(!feed.is_maimed());
    app.execute("UPDATE events SET seq = $2 WHERE seq = $1", [FAR.into(), (start + 2).into()]).await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let next = listener.next().await.expect("events");
        seen.extend(next.iter().map(|record| record.seq));
    }
    assert_eq!(seen, [start + 2, start + 3]);
    assert!(!feed.is_maimed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_that_nobody_fills_is_passed_over_and_told() {
    let app = App::start().await;
    let feed = before_a_hole(&app, Duration::from_millis(1)).await;
    let start = app.inner.feed.head().seq - 3;
    let mut listener = feed.listen(feed.head());
    let mut seen = Vec::new();
    while seen.last() != Some(&(start + 3)) {
        let next = listener.next().await.expect("events");
        seen.extend(next.iter().map(|record| record.seq));
    }
    assert!(feed.is_maimed());
    assert!(!seen.contains(&(start + 2)), "{seen:?}");
}
