//! What the front door is told by its operator.

use std::time::Duration;

use super::texts::Trusted;
use crate::config::Introspection;

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
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            introspection: Introspection::Members,
            trusted: Trusted::default(),
            only_trusted: false,
            operation_time: Duration::from_secs(30),
            cors_origins: Vec::new(),
        }
    }
}
