//! Answers: which status, which type and which members each kind of response gets.

use async_graphql::{EmptyMutation, EmptySubscription, Error, Object, Request, Schema, value};
use axum::http::HeaderValue;
use serde_json::json;

use super::*;

type Json = serde_json::Value;

struct Query;

#[Object]
impl Query {
    async fn echo(&self, number: i32) -> i32 {
        number
    }

    /// Takes the whole answer with it.
    async fn fails(&self) -> Result<i32, Error> {
        Err(Error::new("no"))
    }

    /// Takes only itself.
    async fn may_fail(&self) -> Option<Result<i32, Error>> {
        Some(Err(Error::new("no")))
    }
}

async fn response(request: Request) -> Answer {
    Schema::build(Query, EmptyMutation, EmptySubscription).limit_depth(3).finish().execute(request).await
}

async fn text(response: Response) -> String {
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn written(answer: Answer, media: Media) -> (u16, Json) {
    let stage = Stage::of(&answer);
    let response = write(answer, media, stage);
    assert_eq!(response.headers()[CONTENT_TYPE], media.content_type());
    (response.status().as_u16(), serde_json::from_str(&text(response).await).unwrap())
}

/// The requests that do not begin.
fn refused() -> [Request; 8] {
    let numbered = "query A($n: Int!) { echo(number: $n) }";
    let with =
        |variables: Json| Request::new(numbered).variables(async_graphql::Variables::from_json(variables));
    [
        Request::new("{"),
        Request::new(""),
        Request::new("{ nope }"),
        Request::new("{ echo }"),
        Request::new("{ echo(number: \"x\") }"),
        Request::new("{ echo(number: 1) }").operation_name("B"),
        Request::new("query A { __typename } query B { __typename }"),
        with(json!({ "n": "x" })),
    ]
}

#[tokio::test]
async fn what_did_not_begin_has_no_data_and_a_status_that_fits_the_type() {
    for (media, status) in [(Media::Graphql, 400), (Media::Json, 200)] {
        for request in refused() {
            let what = format!("{request:?}");
            let (found, body) = written(response(request).await, media).await;
            assert_eq!(found, status, "{what}: {body}");
            assert!(!body["errors"].as_array().unwrap().is_empty(), "{what}: {body}");
            assert_eq!(body.get("data"), None, "{what}: {body}");
        }
    }
}

#[tokio::test]
async fn what_began_is_200_whatever_came_of_it() {
    for media in [Media::Graphql, Media::Json] {
        let (status, body) = written(response(Request::new("{ echo(number: 7) }")).await, media).await;
        assert_eq!((status, body), (200, json!({ "data": { "echo": 7 } })));

        let (status, body) =
            written(response(Request::new("{ echo(number: 7) mayFail }")).await, media).await;
        assert_eq!((status, &body["data"]), (200, &json!({ "echo": 7, "mayFail": null })));
        assert_eq!(body["errors"][0]["path"], json!(["mayFail"]));

        let (status, body) = written(response(Request::new("{ echo(number: 7) fails }")).await, media).await;
        assert_eq!((status, body.get("data")), (200, Some(&Json::Null)), "{body}");
        assert_eq!(body["errors"][0]["path"], json!(["fails"]));
    }
}

#[tokio::test]
async fn what_broke_or_came_late_is_our_fault() {
    for media in [Media::Graphql, Media::Json] {
        for (stage, status) in [(Stage::Broken, 500), (Stage::Late, 503)] {
            let response = write(Answer::from_errors(vec![ServerError::new("sorry", None)]), media, stage);
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(text(response).await, r#"{"errors":[{"message":"sorry"}]}"#);
        }
    }
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_ask_again() {
    let mut error = crate::http::fault::error("RATE_LIMITED", "slow down".to_owned());
    error.extensions.get_or_insert_default().set("retryAfter", 7);
    for stage in [Stage::Begun, Stage::Refused] {
        let response = write(Answer::from_errors(vec![error.clone()]), Media::Json, stage);
        assert_eq!(
            (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
            (429, &"7".parse().unwrap())
        );
    }
}

#[test]
fn the_type_names_the_encoding() {
    for (media, name) in [
        (Media::Json, "application/json; charset=utf-8"),
        (Media::Graphql, "application/graphql-response+json; charset=utf-8"),
        (Media::Events, "text/event-stream; charset=utf-8"),
    ] {
        assert_eq!(media.content_type(), name);
    }
}

#[tokio::test]
async fn the_body_is_utf8_with_errors_first() {
    let mut answer = Answer::new(value!({ "name": "Run🏃\n\"Swim\"" }));
    answer.errors = vec![ServerError::new("é", None)];
    let body = text(write(answer, Media::Json, Stage::Begun)).await;
    assert_eq!(body, r#"{"errors":[{"message":"é"}],"data":{"name":"Run🏃\n\"Swim\""}}"#);
}

#[tokio::test]
async fn extensions_and_headers_are_kept() {
    for stage in [Stage::Begun, Stage::Refused, Stage::Broken] {
        let mut answer = Answer::from_errors(vec![ServerError::new("no", None)]);
        answer = answer.extension("cost", value!(7));
        answer.http_headers.insert("x-more", HeaderValue::from_static("1"));
        let response = write(answer, Media::Graphql, stage);
        assert_eq!(response.headers()["x-more"], "1");
        let body: Json = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(body["extensions"], json!({ "cost": 7 }));
    }
}

#[tokio::test]
async fn a_request_that_is_no_operation_is_refused_in_the_shape_of_a_response() {
    let refused = refuse(StatusCode::NOT_ACCEPTABLE, "BAD_USER_INPUT", "a \"word\"", Media::Json);
    assert_eq!(refused.status(), StatusCode::NOT_ACCEPTABLE);
    assert_eq!(refused.headers()[CONTENT_TYPE], Media::Json.content_type());
    let error = json!({ "message": "a \"word\"", "extensions": { "code": "BAD_USER_INPUT" } });
    assert_eq!(text(refused).await, json!({ "errors": [error] }).to_string());
    let streaming = refuse(StatusCode::BAD_REQUEST, "X", "y", Media::Events);
    assert_eq!(streaming.headers()[CONTENT_TYPE], Media::Graphql.content_type());
}
