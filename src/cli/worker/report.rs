//! What a run of the hook comes to: the words in which its end is told to the server.

use std::os::unix::process::ExitStatusExt;

use serde_json::{Map, Value, json};

use super::{
    hook::{Cancelled, End, Ended},
    tail::{end, last_line},
};

/// The longest message and traceback that are sent, in characters.
const MESSAGE: usize = 1_000;
const TRACEBACK: usize = 20_000;

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// Well; the fields of the mutation's input.
    Succeeded(Value),
    /// Badly; the error of the mutation's input.
    Failed(Value),
}

/// What to report, if the attempt is still ours.
pub(super) fn report(ended: &Ended, seconds: u64) -> Option<Report> {
    let told = last_object(&ended.stdout);
    let why = match &ended.end {
        End::Exited(status) if status.success() => {
            let backend_id = told.get("backendId").and_then(Value::as_str);
            return Some(Report::Succeeded(json!({ "backendId": backend_id })));
        }
        End::Exited(status) => match (status.code(), status.signal()) {
            (Some(code), _) => (category(code), format!("the program ended with exit code {code}")),
            (None, signal) => {
                ("INFRASTRUCTURE", format!("the program was killed by signal {}", signal.unwrap_or_default()))
            }
        },
        End::Cancelled(Cancelled::Lost) => return None,
        End::Cancelled(Cancelled::Stopping) => {
            ("INFRASTRUCTURE", "the worker was stopped before the program was done".to_owned())
        }
        End::Cancelled(Cancelled::TimedOut) => {
            ("INFRASTRUCTURE", format!("the program did not end within {seconds} seconds"))
        }
        End::Failed(why) => ("INFRASTRUCTURE", why.clone()),
    };
    let by_itself = matches!(ended.end, End::Exited(_));
    let said = told.get("message").and_then(Value::as_str).and_then(|text| last_line(text, MESSAGE));
    let said = said.or_else(|| last_line(&ended.stderr, MESSAGE)).filter(|_| by_itself);
    let known = told.get("category").and_then(Value::as_str).filter(|name| CATEGORIES.contains(name));
    Some(Report::Failed(json!({
        "category": known.filter(|_| by_itself).unwrap_or(why.0),
        "message": said.unwrap_or(why.1),
        "traceback": end(&ended.stderr, TRACEBACK),
    })))
}

const CATEGORIES: [&str; 4] = ["CAPACITY", "CONFIGURATION", "INFRASTRUCTURE", "OTHER"];

/// What a failure was due to, by the exit code.
fn category(code: i32) -> &'static str {
    match code {
        10 => "CAPACITY",
        11 => "CONFIGURATION",
        12 => "INFRASTRUCTURE",
        _ => "OTHER",
    }
}

/// The last line, if it is a JSON object.
fn last_object(text: &str) -> Map<String, Value> {
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    match serde_json::from_str(line) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    fn ended(end: End, stdout: &str, stderr: &str) -> Ended {
        Ended { end, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
    }

    fn exit(code: i32) -> End {
        End::Exited(ExitStatus::from_raw(code << 8))
    }

    #[test]
    fn success_tells_the_backends_id_if_the_last_line_does() {
        let well = |backend: Value| Some(Report::Succeeded(json!({ "backendId": backend })));
        assert_eq!(
            report(&ended(exit(0), "making\n{\"backendId\": \"vm-7\"}\n\n", ""), 9),
            well("vm-7".into())
        );
        for said in ["", "done", "[1]", "{\"backendId\": 7}", "{\"backendId\": \"vm-7\"}\nbye"] {
            assert_eq!(report(&ended(exit(0), said, "noise"), 9), well(Value::Null), "{said}");
        }
    }

    #[test]
    fn failures_tell_category_message_and_traceback() {
        let signal = End::Exited(ExitStatus::from_raw(9));
        let late = || End::Cancelled(Cancelled::TimedOut);
        let rows = [
            (exit(10), "", "no\nno space\n", "CAPACITY", "no space", Some("no\nno space")),
            (exit(11), "", "", "CONFIGURATION", "the program ended with exit code 11", None),
            (
                exit(1),
                "{\"category\":\"INFRASTRUCTURE\",\"message\":\"ipmi\"}",
                "x",
                "INFRASTRUCTURE",
                "ipmi",
                Some("x"),
            ),
            (exit(1), "{\"category\":\"BAD\"}", "x", "OTHER", "x", Some("x")),
            (signal, "", "", "INFRASTRUCTURE", "the program was killed by signal 9", None),
            (late(), "", "at 3", "INFRASTRUCTURE", "the program did not end within 9 seconds", Some("at 3")),
        ];
        for (end, stdout, stderr, category, message, traceback) in rows {
            let wanted = json!({ "category": category, "message": message, "traceback": traceback });
            assert_eq!(report(&ended(end, stdout, stderr), 9), Some(Report::Failed(wanted)));
        }
        assert_eq!(report(&ended(End::Cancelled(Cancelled::Lost), "", ""), 9), None);
    }
}
