//! The API as a worker uses it: operations over HTTP, and which of their failures are worth another try.

use std::{fmt, future::Future, time::Duration};

use anyhow::{Context, Result, bail};
use ordo::config::Secret;
use reqwest::{
    Client, RequestBuilder, Response, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    redirect::Policy,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes.
const LONGEST: usize = 8 << 20;
/// The first pause after something failed, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(15));

/// Why an operation has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// No connection, a server that is busy or restarts: worth another try.
    Again(String),
    /// The server says no to this.
    Refused {
        /// The stable code.
        code: String,
        /// The sentence.
        message: String,
    },
    /// The server says no to everything: the token opens nothing, or this is no Ordo.
    Final(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Again(why) | Failure::Final(why) => f.write_str(why),
            Failure::Refused { code, message } => write!(f, "{message} ({code})"),
        }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Failure {
        let error = error.without_url();
        let causes = std::iter::successors(Some(&error as &(dyn std::error::Error + 'static)), |error| {
            std::error::Error::source(*error)
        });
        Failure::Again(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
    }
}

/// Pauses between tries, each twice as long as the one before, up to a bound.
pub(super) struct Pauses(Duration);

impl Pauses {
    pub(super) fn new() -> Pauses {
        Pauses(PAUSES.0)
    }

    pub(super) fn next(&mut self) -> Duration {
        let next = self.0;
        self.0 = (self.0 * 2).min(PAUSES.1);
        next
    }
}

/// Tries until there is an answer or the moment has come; the answer, and when its question was sent.
pub(super) async fn persist<T, F>(until: Instant, mut ask: impl FnMut() -> F) -> Result<(Instant, T), Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut pauses = Pauses::new();
    loop {
        let sent = Instant::now();
        let why = match timeout_at(until, ask()).await {
            Ok(Ok(answer)) => return Ok((sent, answer)),
            Ok(Err(Failure::Again(why))) => why,
            Ok(Err(other)) => return Err(other),
            Err(_) => return Err(Failure::Again("there was no answer in time".to_owned())),
        };
        let pause = pauses.next();
        if Instant::now() + pause >= until {
            return Err(Failure::Again(why));
        }
        tracing::debug!(why, "trying again");
        sleep(pause).await;
    }
}

/// A server, and the token that opens it.
pub(super) struct Api {
    client: Client,
    url: Url,
    bearer: HeaderValue,
}

impl Api {
    pub(super) fn new(url: &str, token: &Secret) -> Result<Api> {
        let address = format!("{}/graphql", url.trim_end_matches('/'));
        let url = Url::parse(&address).with_context(|| format!("--url is no address: {url}"))?;
        if !["http", "https"].contains(&url.scheme()) {
            bail!("--url begins with http:// or https://");
        }
        let mut bearer = HeaderValue::from_bytes(&[b"Bearer ", token.bytes()].concat())
            .ok()
            .context("the service token holds characters that no token has")?;
        bearer.set_sensitive(true);
        // reqwest comes without cryptography of its own. An error says only that this was done before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A redirect would carry the token elsewhere, and so would a proxy where nothing is encrypted.
        let client = Client::builder().connect_timeout(Duration::from_secs(10)).redirect(Policy::none());
        let client = if url.scheme() == "https" { client } else { client.no_proxy() };
        Ok(Api { client: client.build()?, url, bearer })
    }

    fn request(&self, document: &str, variables: &Value) -> RequestBuilder {
        let body = json!({ "query": document, "variables": variables }).to_string();
        let request = self.client.post(self.url.clone()).header(AUTHORIZATION, self.bearer.clone());
        request.header(CONTENT_TYPE, "application/json").body(body)
    }

    /// The only root field of an operation's answer, which has this name. What it lists as `errors` is a refusal.
    pub(super) async fn run(&self, field: &str, document: &str, variables: Value) -> Result<Value, Failure> {
        let request = self.request(document, &variables).header(ACCEPT, "application/json");
        let mut response = request.timeout(TIMEOUT).send().await?;
        let mut answer = read(&mut response).await?;
        refusal(&answer["errors"])?;
        let value = answer["data"][field].take();
        match &value {
            Value::Null => Err(Failure::Final(format!("the server does not know `{field}`"))),
            value => refused(&value["errors"]).map_or(Ok(()), Err),
        }?;
        Ok(value)
    }

    /// A stream of events.
    pub(super) async fn stream(&self, document: &str, variables: Value) -> Result<Response, Failure> {
        let request = self.request(document, &variables).header(ACCEPT, "text/event-stream");
        let mut response = request.send().await?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let answer = read(&mut response).await?;
        refusal(&answer["errors"])?;
        Err(Failure::Again(format!("the server answered {}", response.status())))
    }
}

/// The JSON of an answer, whatever its status: this server tells in it what is wrong.
async fn read(response: &mut Response) -> Result<Value, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LONGEST {
            return Err(Failure::Final(format!("an answer is longer than {LONGEST} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    let status = response.status();
    match serde_json::from_slice(&body) {
        Ok(answer) => Ok(answer),
        // A proxy, or a server that starts: what it says is not for us.
        Err(_) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Err(Failure::Again(format!("the server answered {status}")))
        }
        Err(_) => Err(Failure::Final(format!("this is no Ordo: it answered {status}, and not in JSON"))),
    }
}

/// What the errors at the top of an answer come to.
pub(super) fn refusal(errors: &Value) -> Result<(), Failure> {
    let Some(error) = errors.get(0) else { return Ok(()) };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (code, message) = (text(&error["extensions"]["code"]), text(&error["message"]));
    Err(match code.as_str() {
        "RATE_LIMITED" | "INTERNAL" | "TIMEOUT" | "TOO_SLOW" => Failure::Again(message),
        "UNAUTHENTICATED" | "FORBIDDEN" => Failure::Final(message),
        _ => Failure::Refused { code, message },
    })
}

/// The first of the errors that a payload lists.
fn refused(errors: &Value) -> Option<Failure> {
    let error = errors.get(0)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Some(Failure::Refused { code: text(&error["code"]), message: text(&error["message"]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_tried_again_and_what_stays_is_not() {
        let answered = |code: &str| refusal(&serde_json::json!([{ "extensions": { "code": code } }]));
        for code in ["RATE_LIMITED", "INTERNAL", "TIMEOUT", "TOO_SLOW"] {
            assert!(matches!(answered(code), Err(Failure::Again(_))), "{code}");
        }
        for code in ["UNAUTHENTICATED", "FORBIDDEN"] {
            assert!(matches!(answered(code), Err(Failure::Final(_))), "{code}");
        }
        assert!(matches!(answered("CURSOR_EXPIRED"), Err(Failure::Refused { .. })));
        assert!(refusal(&Value::Null).is_ok());
    }
}
