//! The page at `/`: what this is and what to send first. Nothing on it is loaded from elsewhere.

use std::fmt::Write;

use axum::{
    extract::State,
    http::{
        HeaderMap, Uri,
        header::{CONTENT_SECURITY_POLICY, HOST},
    },
    response::{Html, IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

/// The first query to send.
pub const QUERY: &str = "{ orders(first: 3) { nodes { id number status { label } customer { name } } } }";
/// A first mutation.
pub const MUTATION: &str = "mutation ($order: ID!) {
  orderAddNote(input: { order: $order, body: \"Called the customer\" }) {
    order { number version }
    errors { code message }
  }
}";
/// A first subscription.
pub const SUBSCRIPTION: &str =
    "subscription { orderEvents { kind cursor event { at action } order { number } } }";

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;\
color:#1b1f24;background:#fff}pre{background:#f4f5f7;padding:.8rem;overflow:auto;border-radius:6px;\
font-size:14px}th{text-align:left;vertical-align:top;padding-right:1rem}td code{word-break:break-all;\
font-size:12px}";

/// What the start page shows besides the fixed text.
#[derive(Clone, Default)]
pub struct StartPage {
    /// A token for each role, only of the demo company, only for a new database.
    pub tokens: Option<Vec<(String, String)>>,
    /// Whether this server is called with TLS.
    pub tls: bool,
}

impl std::fmt::Debug for StartPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StartPage").field("shows_tokens", &self.tokens.is_some()).finish()
    }
}

/// The page, under a policy that allows its own style and nothing else.
pub(super) async fn show(State(page): State<StartPage>, uri: Uri, headers: HeaderMap) -> Response {
    // HTTP/2 has no `Host`: what it says instead stands in the URI.
    let named = uri.authority().map(|authority| authority.as_str());
    let host = named.or_else(|| headers.get(HOST)?.to_str().ok()).unwrap_or_default();
    // A foreign page can point its own name at this machine; it must not read the tokens by that.
    let tokens = page.tokens.as_deref().filter(|_| is_this_machine(host));
    let style = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    ([(CONTENT_SECURITY_POLICY, policy)], Html(html(page.tls, host, tokens))).into_response()
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

fn html(tls: bool, host: &str, tokens: Option<&[(String, String)]>) -> String {
    let host = escape(if host.is_empty() { "127.0.0.1:8000" } else { host });
    let (query, mutation, subscription) = (escape(QUERY), escape(MUTATION), escape(SUBSCRIPTION));
    let s = if tls { "s" } else { "" };
    let curl = escape(&curl(&format!("http{s}://{host}"), "$TOKEN"));
    let tokens = tokens.map_or_else(String::new, token_table);
    format!(
        "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>Ordo</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Ordo</h1>
<p>An order-management backend. It speaks GraphQL at <code>http{s}://{host}/graphql</code> (POST; GET for queries)
and over WebSocket at <code>ws{s}://{host}/graphql</code> (protocol <code>graphql-transport-ws</code>).
<code>/readyz</code> says whether it can work.</p>
<h2>A token</h2>
<p>Every request carries <code>Authorization: Bearer TOKEN</code>; a socket sends it in the payload of
<code>connection_init</code>, as <code>{{\"token\": \"TOKEN\"}}</code>. In the server's folder:</p>
<pre>TOKEN=$(ordo token --as staff | tail -n 1)</pre>
<p>Instead of <code>staff</code>: another role, or the e-mail address of an account.</p>
{tokens}<h2>A first query</h2>
<pre>{query}</pre>
<pre>{curl}</pre>
<h2>A first mutation</h2>
<pre>{mutation}</pre>
<p>with the variables <code>{{\"order\": \"order_…\"}}</code>, an <code>id</code> from the query above.</p>
<h2>A first subscription</h2>
<pre>{subscription}</pre>
<p>Every change of every order that you may see, the moment it is committed.</p>
</body>
</html>
"
    )
}

fn token_table(tokens: &[(String, String)]) -> String {
    let mut table = String::from("<h2>Tokens of the demo company</h2>\n<table>\n");
    for (role, token) in tokens {
        // Writing to a String cannot fail.
        let _ = writeln!(table, "<tr><th>{}</th><td><code>{}</code></td></tr>", escape(role), escape(token));
    }
    table + "</table>\n"
}

/// The first query as a line for a shell.
pub fn curl(url: &str, token: &str) -> String {
    format!(
        "curl -s {url}/graphql -H \"Authorization: Bearer {token}\" -H 'Content-Type: application/json' \
         -d '{{\"query\": \"{QUERY}\"}}'"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_shown_to_this_machine_only() {
        for host in ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example:80"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn what_a_client_sends_is_escaped() {
        assert!(html(false, "<script>", None).contains("http://&lt;script&gt;/graphql"));
        let tokens = [("staff".to_owned(), "a<b".to_owned())];
        assert!(html(true, "localhost", Some(&tokens)).contains("<code>a&lt;b</code>"));
    }
}
