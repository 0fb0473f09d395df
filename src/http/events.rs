//! GraphQL over server-sent events, distinct connections: each stream is a response of its own.

use std::{convert::Infallible, time::Duration};

use axum::{
    http::{HeaderName, HeaderValue, header::CACHE_CONTROL},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt, future, stream};
use tokio::sync::watch;

use super::{live::Said, socket::Output};

/// How often a silent stream shows that it is alive; proxies give up after 30 to 60 seconds.
const HEARTBEAT: Duration = Duration::from_secs(12);

/// Streams answers until there are no more, or the server stops. The end is told with `complete`, unless
/// the client shall come back: because its token has expired, or because the server stops.
pub(super) fn respond(
    answers: impl Stream<Item = Said> + Send + 'static,
    mut stopping: watch::Receiver<bool>,
) -> Response {
    // A query or a mutation ends by itself, and its client waits for the answer.
    let ends = answers.size_hint() == (1, Some(1));
    let stop = async move {
        if ends || stopping.wait_for(|stopping| *stopping).await.is_err() {
            // Nobody is there who could stop it.
            future::pending::<()>().await;
        }
    };
    // Nothing says that there is nothing more; a server that stops does not say it.
    let steps = answers.map(Some).chain(stream::once(future::ready(None))).take_until(stop);
    let events = steps.scan(false, |logged_out, step| {
        future::ready(match step {
            Some(said) => {
                *logged_out = said.is_logged_out;
                Some(next(&said))
            }
            None if *logged_out => None,
            // Browsers pass on no event without data.
            None => Some(Event::default().event("complete").data("null")),
        })
    });
    let events = events.map(Ok::<_, Infallible>);
    let mut response =
        Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("")).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that collect an answer before they pass it on would hold back every event.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// One answer. Its cursor becomes the event's id, so that a browser resumes by itself.
fn next(said: &Said) -> Event {
    let event = Event::default().event("next");
    let event = match &said.cursor {
        Some(cursor) => event.id(&**cursor),
        None => event,
    };
    match &said.output {
        Output::Next(answer) => event.data(answer.as_str()),
        Output::Errors(errors) => event.data([r#"{"errors":"#, errors.as_str(), "}"].concat()),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{Response as Answer, value};

    use super::*;
    use crate::http::fault;

    async fn streamed(answers: Vec<Answer>) -> String {
        let (_running, stopping) = watch::channel(false);
        let response = respond(stream::iter(answers.iter().map(Said::of).collect::<Vec<_>>()), stopping);
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn each_answer_is_an_event_with_its_cursor_and_the_end_is_told() {
        let answers = vec![
            Answer::new(value!({ "orderEvents": { "cursor": "a-1_B", "kind": "STARTED" } })),
            Answer::new(value!({ "orderEvents": { "cursor": "a\nid: b" } })),
            Answer::from_errors(vec![fault::error("BAD_USER_INPUT", "no".to_owned())]),
        ];
        let wanted = concat!(
            "event: next\nid: a-1_B\ndata: {\"data\":{\"orderEvents\":{\"cursor\":\"a-1_B\",\"kind\":\"STARTED\"}}}\n\n",
            "event: next\ndata: {\"data\":{\"orderEvents\":{\"cursor\":\"a\\nid: b\"}}}\n\n",
            "event: next\ndata: {\"errors\":[{\"message\":\"no\",\"extensions\":{\"code\":\"BAD_USER_INPUT\"}}]}\n\n",
            "event: complete\ndata: null\n\n",
        );
        assert_eq!(streamed(answers).await, wanted);
    }

    #[tokio::test]
    async fn what_answers_once_is_answered_though_the_server_stops() {
        let (_running, stopping) = watch::channel(true);
        let late = async {
            tokio::task::yield_now().await;
            Said::of(&Answer::new(value!({ "orderSubmit": { "replayed": false } })))
        };
        let body = respond(stream::once(late), stopping).into_body();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("replayed") && text.contains("complete"), "{text}");
    }

    #[tokio::test]
    async fn who_shall_come_back_is_not_told_that_all_is_said() {
        let expired = Answer::from_errors(vec![fault::error("UNAUTHENTICATED", "expired".to_owned())]);
        let text = streamed(vec![expired]).await;
        assert!(text.starts_with("event: next") && !text.contains("complete"), "{text}");

        let (running, stopping) = watch::channel(false);
        let response = respond(stream::pending(), stopping);
        running.send_replace(true);
        assert_eq!(axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap(), "");
    }
}
