//! What writers and readers share: where the servers are, and tokens.

use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::{Context, Result};
use chrono::TimeDelta;
use domain::id::UserId;
use ordo::{
    app::{Machine, World},
    http::auth::Auth,
};

use super::process::SECRET;

/// How long a client waits for an answer.
const ANSWER: Duration = Duration::from_secs(15);

/// The doors of the instances, which move when an instance starts again.
#[derive(Clone, Debug, Default)]
pub struct Doors(Arc<RwLock<Vec<SocketAddr>>>);

impl Doors {
    /// Sets all.
    pub fn set(&self, addresses: Vec<SocketAddr>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = addresses;
    }

    /// Each in turn.
    pub fn pick(&self, turn: usize) -> Result<SocketAddr> {
        let doors = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let one = turn.checked_rem(doors.len()).and_then(|turn| doors.get(turn));
        one.copied().context("no server was started")
    }
}

/// Somebody with an account, who asks for a new token whenever one is needed.
#[derive(Clone)]
pub struct Login {
    auth: Auth,
    user: UserId,
    life: TimeDelta,
}

impl Login {
    /// Tokens that live this long.
    pub fn new(user: UserId, life: TimeDelta) -> Login {
        Login { auth: Auth::with_secret(SECRET.as_bytes(), "ordo", "ordo"), user, life }
    }

    /// A new one.
    pub fn token(&self) -> Result<String> {
        let now = Machine.now();
        Ok(self.auth.issue(self.user, now, now + self.life)?)
    }
}

/// An HTTP client with connections of its own. It trusts nobody's certificate, for none is shown here.
pub fn http() -> Result<reqwest::Client> {
    // An error says only that this was done before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().tls_certs_only([]).timeout(ANSWER).build()?)
}
