//! What the front door is told by its operator.

use std::time::Duration;

use super::{
    address::Proxies,
    limit::Limits,
    listen::{Bounds, Tls},
    socket,
    texts::Trusted,
};
use crate::{
    bus::hub,
    config::{Introspection, Secret},
};

/// How the front door behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may read the schema.
    pub introspection: Introspection,
    /// Documents that clients may name.
    pub trusted: Trusted,
    /// Whether no other documents run.
    pub only_trusted: bool,
    /// How long one operation may take.
    pub operation_time: Duration,
    /// Origins of web pages that may call the API.
    pub cors_origins: Vec<String>,
    /// Proxies that are believed about their clients.
    pub proxies: Proxies,
    /// What one person or address may ask for.
    pub limits: Limits,
    /// What a connection may take.
    pub bounds: Bounds,
    /// What one socket may take.
    pub sockets: socket::Limits,
    /// What is kept for subscribers.
    pub live: hub::Limits,
    /// The certificate, for HTTPS.
    pub tls: Option<Tls>,
    /// Browsers are told to come with TLS only: right when TLS is spoken here or in front of it.
    pub tls_only: bool,
    /// Opens `/metrics` to those who are not on this machine.
    pub metrics_token: Option<Secret>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            introspection: Introspection::Members,
            trusted: Trusted::default(),
            only_trusted: false,
            operation_time: Duration::from_secs(30),
            cors_origins: Vec::new(),
            proxies: Proxies::default(),
            limits: Limits::default(),
            bounds: Bounds::default(),
            sockets: socket::Limits::default(),
            live: hub::Limits::default(),
            tls: None,
            tls_only: false,
            metrics_token: None,
        }
    }
}
