//! The protocol: every message, every close code, and what follows what.

use std::time::Duration;

use super::*;

/// One thing that comes to pass.
enum Step {
    Text(&'static str),
    Frame(Frame<'static>),
    Event(Event),
}

use Step::Text;

const INIT: Step = Text(r#"{"type":"connection_init"}"#);
const ACK: &str = r#"send {"type":"connection_ack"}"#;
const OVER: Step = Step::Event(Event::Stopping);
/// An operation that runs as the first one, under the id `a`.
const RUN: Step = Text(r#"{"type":"subscribe","id":"a","payload":{"query":"{a}"}}"#);

fn limits() -> Limits {
    Limits { operations: 2, per_second: 10, burst: 20, ..Limits::default() }
}

fn machine() -> Machine {
    Machine::new(Arc::new(limits()), Instant::now())
}

/// An action in one line.
fn told(action: Action) -> String {
    match action {
        Action::Nothing => String::new(),
        Action::Send(text) => format!("send {text}"),
        Action::Init(payload) => format!("init {}", serde_json::Value::Object(payload)),
        Action::Start(Key(key), envelope) => format!("start {key} {}", envelope.request.query),
        Action::Stop(Key(key)) => format!("stop {key}"),
        Action::Close(CloseFrame { code, reason }) => format!("close {code} {reason}"),
        Action::Leave => "leave".to_owned(),
    }
}

fn step(machine: &mut Machine, step: Step) -> String {
    told(match step {
        Step::Text(text) => machine.received(Frame::Text(text), Instant::now()),
        Step::Frame(frame) => machine.received(frame, Instant::now()),
        Step::Event(event) => machine.happened(event),
    })
}

fn accepted() -> Step {
    Step::Event(Event::Accepted(None))
}

fn next(key: u64) -> Step {
    Step::Event(Event::Output(Key(key), Output::Next(Utf8Bytes::from_static(r#"{"data":1}"#))))
}

fn errors(key: u64) -> Step {
    Step::Event(Event::Output(Key(key), Output::Errors(Utf8Bytes::from_static(r#"[{"message":"no"}]"#))))
}

fn ended(key: u64) -> Step {
    Step::Event(Event::Ended(Key(key)))
}

/// Plays a conversation; each step is written with its outcome.
fn play<const N: usize>(script: [(Step, &str); N]) {
    let mut machine = machine();
    for (number, (does, outcome)) in script.into_iter().enumerate() {
        assert_eq!(step(&mut machine, does), outcome, "step {number}");
    }
}

/// A machine whose client was let in and runs the operation `a`.
fn running() -> Machine {
    let mut machine = machine();
    for (does, outcome) in [(INIT, "init {}"), (accepted(), ACK), (RUN, "start 1 {a}")] {
        assert_eq!(step(&mut machine, does), outcome);
    }
    machine
}

#[test]
fn a_client_is_let_in_runs_an_operation_and_leaves() {
    play([
        (Text(r#"{"type":"connection_init","payload":{"token":"t"}}"#), r#"init {"token":"t"}"#),
        (accepted(), ACK),
        (RUN, "start 1 {a}"),
        (next(1), r#"send {"id":"a","type":"next","payload":{"data":1}}"#),
        (next(1), r#"send {"id":"a","type":"next","payload":{"data":1}}"#),
        (ended(1), r#"send {"id":"a","type":"complete"}"#),
        (Step::Frame(Frame::Close), "leave"),
        (OVER, ""),
    ]);
}

#[test]
fn the_acknowledgement_may_say_more() {
    let mut payload = Object::new();
    payload.insert("hello".to_owned(), true.into());
    let said = r#"send {"type":"connection_ack","payload":{"hello":true}}"#;
    play([(INIT, "init {}"), (Step::Event(Event::Accepted(Some(payload))), said)]);
}

#[test]
fn messages_that_are_wrong_close_with_4400_and_say_why() {
    let long = format!(r#"{{"type":"complete","id":"{}"}}"#, "ä".repeat(129));
    let cases = [
        ("", "it is not a JSON object"),
        ("{", "it is not a JSON object"),
        ("[]", "it is not a JSON object"),
        (r#"["subscribe","a",{"query":"{a}"}]"#, "it is not a JSON object"),
        ("null", "it is not a JSON object"),
        ("{}", "`type` is missing"),
        (r#"{"type":1}"#, "`type` is not a string"),
        (r#"{"type":"start","id":"a"}"#, "`type` is none that a client may send"),
        (r#"{"type":"next","id":"a"}"#, "`type` is none that a client may send"),
        (r#"{"type":"connection_ack"}"#, "`type` is none that a client may send"),
        (r#"{"type":"connection_init","payload":"t"}"#, "`payload` is not an object"),
        (r#"{"type":"ping","payload":[]}"#, "`payload` is not an object"),
        (r#"{"type":"pong","payload":1}"#, "`payload` is not an object"),
        (r#"{"type":"complete"}"#, "`id` is missing"),
        (r#"{"type":"complete","id":null}"#, "`id` is not a string"),
        (r#"{"type":"complete","id":""}"#, "`id` is empty"),
        (&long, "`id` is too long"),
        (r#"{"type":"subscribe","payload":{"query":"{a}"}}"#, "`id` is missing"),
        (r#"{"type":"subscribe","id":7,"payload":{"query":"{a}"}}"#, "`id` is not a string"),
        (r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#, "`id` is empty"),
        (r#"{"type":"subscribe","id":"a"}"#, "`payload` is missing"),
        (r#"{"type":"subscribe","id":"a","payload":"{a}"}"#, "`payload` is not an object"),
        (r#"{"type":"subscribe","id":"a","payload":{}}"#, "`query` is missing or empty"),
    ];
    for (text, why) in cases {
        let action = machine().received(Frame::Text(text), Instant::now());
        assert_eq!(told(action), format!("close 4400 Invalid message: {why}"), "{text}");
    }
}

#[test]
fn a_payload_that_is_no_request_closes_with_4400_and_names_the_member() {
    for (payload, member) in [
        (r#"{"query":1}"#, "`query`"),
        (r#"{"query":"{a}","operationName":1}"#, "`operationName`"),
        (r#"{"query":"{a}","variables":[]}"#, "`variables`"),
        (r#"{"query":"{a}","extensions":1}"#, "`extensions`"),
        (r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}"#, "sha256Hash"),
    ] {
        let text = format!(r#"{{"type":"subscribe","id":"a","payload":{payload}}}"#);
        let said = told(machine().received(Frame::Text(&text), Instant::now()));
        assert!(said.starts_with("close 4400 Invalid message: ") && said.contains(member), "{said}");
    }
}

#[test]
fn nesting_without_end_is_not_followed() {
    let text = format!(r#"{{"type":"ping","payload":{}}}"#, r#"{"a":"#.repeat(100_000));
    let action = machine().received(Frame::Text(&text), Instant::now());
    assert_eq!(told(action), "close 4400 Invalid message: it is not a JSON object");
}

#[test]
fn binary_frames_close_with_4400() {
    play([(Step::Frame(Frame::Binary), "close 4400 Invalid message: it is binary, not text"), (INIT, "")]);
}

#[test]
fn an_operation_before_the_acknowledgement_closes_with_4401() {
    play([(RUN, "close 4401 Unauthorized"), (INIT, "")]);
    play([(INIT, "init {}"), (RUN, "close 4401 Unauthorized"), (accepted(), "")]);
}

#[test]
fn a_client_that_is_refused_is_closed_with_4403() {
    let refused = |why: &str| Step::Event(Event::Refused(why.to_owned()));
    play([(INIT, "init {}"), (refused(""), "close 4403 Forbidden"), (RUN, "")]);
    play([(INIT, "init {}"), (refused("no account"), "close 4403 Forbidden: no account")]);
}

#[test]
fn an_expired_token_closes_with_4403() {
    let mut machine = running();
    assert_eq!(step(&mut machine, Step::Event(Event::Expired)), "close 4403 token expired");
    assert_eq!(step(&mut machine, next(1)), "");
}

#[test]
fn a_client_that_is_not_let_in_in_time_is_closed_with_4408() {
    let late = || Step::Event(Event::Late);
    play([(late(), "close 4408 Connection initialisation timeout"), (INIT, "")]);
    play([(INIT, "init {}"), (late(), "close 4408 Connection initialisation timeout"), (accepted(), "")]);
    play([(INIT, "init {}"), (accepted(), ACK), (late(), ""), (RUN, "start 1 {a}")]);
}

#[test]
fn an_id_that_is_in_use_closes_with_4409() {
    let mut machine = running();
    assert_eq!(step(&mut machine, RUN), "close 4409 Subscriber for a already exists");
    assert_eq!(step(&mut machine, next(1)), "");
}

#[test]
fn a_second_introduction_closes_with_4429() {
    play([(INIT, "init {}"), (INIT, "close 4429 Too many initialisation requests"), (accepted(), "")]);
    assert_eq!(step(&mut running(), INIT), "close 4429 Too many initialisation requests");
}

#[test]
fn a_server_that_stops_closes_with_1001() {
    assert_eq!(step(&mut running(), OVER), "close 1001 the server stops; connect again");
}

#[test]
fn a_reason_is_cut_where_a_close_frame_ends() {
    let id = "ä".repeat(128);
    let text = format!(r#"{{"type":"subscribe","id":"{id}","payload":{{"query":"{{a}}"}}}}"#);
    let mut machine = running();
    let _ = machine.received(Frame::Text(&text), Instant::now());
    let reason = told(machine.received(Frame::Text(&text), Instant::now()));
    assert_eq!(reason, format!("close 4409 Subscriber for {}", "ä".repeat(54)));
}

#[test]
fn a_ping_is_answered_with_its_payload_at_any_time() {
    let ping = || Text(r#"{"type":"ping","payload":{"at":[1,"x"]}}"#);
    let pong = r#"send {"type":"pong","payload":{"at":[1,"x"]}}"#;
    let bare = Text(r#"{"type":"ping"}"#);
    play([(ping(), pong), (bare, r#"send {"type":"pong"}"#), (INIT, "init {}"), (ping(), pong)]);
    assert_eq!(step(&mut running(), ping()), pong);
}

#[test]
fn a_pong_and_frames_that_only_show_life_need_no_answer() {
    let pong = || Text(r#"{"type":"pong","payload":{"a":1}}"#);
    play([(pong(), ""), (Step::Frame(Frame::Heartbeat), ""), (INIT, "init {}"), (pong(), "")]);
}

#[test]
fn what_comes_too_late_from_a_completed_operation_is_dropped() {
    let complete = || Text(r#"{"type":"complete","id":"a"}"#);
    let mut machine = running();
    assert_eq!(step(&mut machine, complete()), "stop 1");
    for late in [next(1), errors(1), ended(1), complete()] {
        assert_eq!(step(&mut machine, late), "");
    }
}

#[test]
fn an_id_is_free_again_after_every_kind_of_end() {
    let ends = || [(Text(r#"{"type":"complete","id":"a"}"#), true), (errors(1), false), (ended(1), false)];
    for (end, by_client) in ends() {
        let mut machine = running();
        assert_eq!(step(&mut machine, end).starts_with("stop"), by_client);
        assert_eq!(step(&mut machine, RUN), "start 2 {a}");
        // The first one's outputs are not taken for the second one's.
        assert_eq!(step(&mut machine, next(1)), "");
        assert_eq!(step(&mut machine, next(2)), r#"send {"id":"a","type":"next","payload":{"data":1}}"#);
    }
}

#[test]
fn request_errors_are_told_as_an_error_and_nothing_else() {
    let mut machine = running();
    let told = step(&mut machine, errors(1));
    assert_eq!(told, r#"send {"id":"a","type":"error","payload":[{"message":"no"}]}"#);
    assert_eq!(step(&mut machine, ended(1)), "");
}

#[test]
fn a_complete_of_an_operation_that_nobody_knows_is_ignored() {
    let complete = || Text(r#"{"type":"complete","id":"x"}"#);
    play([(complete(), ""), (INIT, "init {}"), (accepted(), ACK), (complete(), "")]);
}

#[test]
fn one_operation_too_many_is_refused_and_the_socket_lives() {
    let second = || Text(r#"{"type":"subscribe","id":"b","payload":{"query":"{b}"}}"#);
    let third = || Text(r#"{"type":"subscribe","id":"c","payload":{"query":"{c}"}}"#);
    let mut machine = running();
    assert_eq!(step(&mut machine, second()), "start 2 {b}");
    let refused = step(&mut machine, third());
    assert!(refused.starts_with(r#"send {"id":"c","type":"error","payload":[{"message""#), "{refused}");
    assert!(refused.contains("RATE_LIMITED"), "{refused}");
    assert_eq!(step(&mut machine, ended(1)), r#"send {"id":"a","type":"complete"}"#);
    assert_eq!(step(&mut machine, third()), "start 3 {c}");
}

#[test]
fn a_client_that_sends_too_many_messages_is_closed_with_4429() {
    let start = Instant::now();
    let mut machine = Machine::new(Arc::new(limits()), start);
    let mut ping =
        |after: u64| told(machine.received(Frame::Heartbeat, start + Duration::from_millis(after)));
    for _ in 0..20 {
        assert_eq!(ping(0), "");
    }
    // A tenth of a second is worth one message, and no more.
    assert_eq!(ping(100), "");
    assert_eq!(ping(150), "close 4429 Too many messages");
}

#[test]
fn a_steady_client_is_never_stopped() {
    let start = Instant::now();
    let mut machine = Machine::new(Arc::new(limits()), start);
    for n in 0..1_000 {
        let at = start + Duration::from_millis(100 * n);
        assert_eq!(told(machine.received(Frame::Heartbeat, at)), "");
    }
}

#[test]
fn ids_travel_back_as_they_came() {
    let id = r#""\n\u0000 \"x\" ä \ud83d\ude00""#;
    let run = format!(r#"{{"type":"subscribe","id":{id},"payload":{{"query":"{{a}}"}}}}"#);
    let mut machine = running();
    assert_eq!(told(machine.received(Frame::Text(&run), Instant::now())), "start 2 {a}");
    let sent = step(&mut machine, next(2));
    let sent: serde_json::Value = serde_json::from_str(sent.strip_prefix("send ").unwrap()).unwrap();
    assert_eq!(sent["id"], serde_json::from_str::<serde_json::Value>(id).unwrap());
    let complete = format!(r#"{{"type":"complete","id":{id}}}"#);
    assert_eq!(told(machine.received(Frame::Text(&complete), Instant::now())), "stop 2");
}

#[test]
fn a_request_arrives_whole() {
    let text = r#"{"type":"subscribe","id":"b","payload":{"query":"query A($n: Int){a}","operationName":"A",
        "variables":{"n":[1,{"m":null}]},"extensions":{"x":{"y":1}}}}"#;
    let Action::Start(_, envelope) = running().received(Frame::Text(text), Instant::now()) else {
        panic!("it does not start");
    };
    let whole = serde_json::to_value(&envelope.request).unwrap();
    let wanted = serde_json::json!({ "query": "query A($n: Int){a}", "operationName": "A",
        "variables": { "n": [1, { "m": null }] }, "extensions": { "x": { "y": 1 } } });
    assert_eq!(whole, wanted);
}

#[test]
fn what_may_be_null_or_missing_is_taken_as_missing() {
    let text = r#"{"type":"subscribe","id":"b","payload":{"query":"{a}","operationName":null,"variables":null,
        "extensions":null,"more":1},"more":2}"#;
    let Action::Start(_, envelope) = running().received(Frame::Text(text), Instant::now()) else {
        panic!("it does not start");
    };
    let request = &envelope.request;
    assert!(
        request.operation_name.is_none() && request.variables.is_empty() && request.extensions.is_empty()
    );
    play([(Text(r#"{"type":"connection_init","payload":null}"#), "init {}")]);
}

#[test]
fn a_response_is_an_error_only_when_nothing_was_executed() {
    use async_graphql::{PathSegment, Response, ServerError, Value};

    let refused = ServerError::new("no such field", None);
    let broke_off = ServerError { path: vec![PathSegment::Field("a".to_owned())], ..refused.clone() };
    let output = Output::of(&Response::from_errors(vec![refused.clone()]));
    assert_eq!(output, Output::Errors(r#"[{"message":"no such field"}]"#.into()));
    let output = Output::of(&Response::from_errors(vec![broke_off]));
    assert!(matches!(output, Output::Next(json) if json.contains(r#""path":["a"]"#)));
    assert_eq!(Output::of(&Response::new(Value::from(1))), Output::Next(r#"{"data":1}"#.into()));
}
