//! Settings: by flag, else by environment variable, else by file, else by default. A wrong one is one
//! sentence that names the setting and where it came from.
//! It may use the files it is told to read, and of the program only types of values.
//! What never happens here: a connection, a default that depends on the machine.

mod setting;
mod shown;
mod source;

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

pub use setting::{SETTINGS, Setting};
use shown::Shown;
pub use source::Sources;
use source::Values;

use crate::secret::SECRET_BYTES;
pub use crate::{secret::Secret, telemetry::log::Format};

/// The file that is read when none is named.
pub const FILE: &str = "ordo.toml";
/// The database when none is named.
pub const DATABASE: &str = "sqlite://ordo.db?mode=rwc";

/// What is wrong with the settings, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

type Result<T> = std::result::Result<T, ConfigError>;

/// Whether the demo company may be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demo {
    /// Into a new database on the default file, on a loopback address.
    Auto,
    /// Never.
    Off,
}

/// Who may read the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Introspection {
    /// Everybody, without a token too.
    Everybody,
    /// Whoever has an account.
    Members,
    /// Whoever works for the operator.
    Staff,
    /// Nobody.
    Nobody,
}

/// The settings of one process.
#[derive(Clone)]
pub struct Config {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The database; may hold a password.
    pub database_url: String,
    /// Connections to the database.
    pub database_connections: u32,
    /// Servers of NATS, by which instances wake each other; may hold a password.
    pub nats_url: Option<String>,
    /// The configured secret.
    pub jwt_secret: Option<Secret>,
    /// Earlier secrets, which open what is stored under them.
    pub previous_secrets: Vec<Secret>,
    /// The configured public key, as PEM text.
    pub jwt_public_key: Option<String>,
    /// Who issues tokens.
    pub jwt_issuer: String,
    /// Whom tokens are for.
    pub jwt_audience: String,
    /// Outside identity providers, as written.
    pub identity_providers: Option<String>,
    /// What is logged: a level, or levels by target.
    pub log: String,
    /// How the log is written.
    pub log_format: Format,
    /// The collector of traces.
    pub traces_endpoint: Option<String>,
    /// Opens the metrics to others than this machine.
    pub metrics_token: Option<Secret>,
    /// Where a secret is kept when none is configured.
    pub secret_file: PathBuf,
    /// Whether the demo company may be loaded.
    pub demo: Demo,
    /// The certificate and its private key, as PEM text.
    pub tls: Option<(String, Secret)>,
    /// Proxies that are believed, as written.
    pub trusted_proxies: Option<String>,
    /// Origins of web pages that may call the API.
    pub cors_origins: Vec<String>,
    /// Who may read the schema.
    pub introspection: Introspection,
    /// The manifest of trusted documents, as written.
    pub documents: Option<String>,
    /// Whether nothing but trusted documents runs.
    pub only_trusted: bool,
    /// How long one operation may take.
    pub operation_time: Duration,
    /// For how many days after an event its cursor is served.
    pub feed_days: u32,
    /// What clients may ask for.
    pub allowed: Allowed,
    shown: BTreeMap<&'static str, Shown>,
}

/// What one person or address may ask for, and all together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Requests a minute.
    pub requests_per_minute: u32,
    /// Cost of operations a minute.
    pub cost_per_minute: u32,
    /// Attempts to log in a minute.
    pub logins_per_minute: u32,
    /// Sockets at once.
    pub sockets: u32,
    /// Subscriptions at once.
    pub subscriptions: u32,
    /// Connections at once, all together.
    pub connections: u32,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("shown", &self.shown)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Reads and checks every setting.
    ///
    /// # Errors
    /// The first wrong one, as a sentence.
    pub fn load(sources: &Sources) -> Result<Config> {
        let values = Values::gather(sources)?;
        let secret_file = values.optional("secret_file")?.map(|path| sources.directory.join(path));
        let database_url = values.checked("database_url", |url| {
            let known = ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme));
            known.then(|| url.to_owned()).ok_or("must begin with sqlite: or postgres:")
        })?;
        Ok(Config {
            listen: values.checked("listen", address)?,
            secret_file: secret_file.unwrap_or_else(|| sources.directory.join(beside(&database_url))),
            database_url,
            database_connections: values.number("database_connections", 1, 500)?,
            nats_url: values.optional("nats_url")?,
            jwt_secret: secret(&values)?,
            previous_secrets: previous(&values)?,
            jwt_public_key: values.file("jwt_public_key_file")?,
            jwt_issuer: values.checked("jwt_issuer", |text| Ok(text.to_owned()))?,
            jwt_audience: values.checked("jwt_audience", |text| Ok(text.to_owned()))?,
            identity_providers: values.file("identity_providers_file")?,
            log: values.checked("log", |text| {
                let known = tracing_subscriber::EnvFilter::try_new(text);
                known.map(|_| text.to_owned()).map_err(|_| "must be a level such as info, or ordo=debug,warn")
            })?,
            log_format: values.checked("log_format", |text| match text {
                "text" => Ok(Format::Text),
                "json" => Ok(Format::Json),
                _ => Err("must be text or json"),
            })?,
            traces_endpoint: values.optional("traces_endpoint")?,
            metrics_token: values.optional("metrics_token")?.map(Secret::new),
            demo: values.checked("demo", |text| match text {
                "auto" => Ok(Demo::Auto),
                "off" => Ok(Demo::Off),
                _ => Err("must be auto or off"),
            })?,
            tls: tls(&values)?,
            trusted_proxies: values.optional("trusted_proxies")?,
            cors_origins: origins(&values)?,
            introspection: values.checked("introspection", |text| match text {
                "everybody" => Ok(Introspection::Everybody),
                "members" => Ok(Introspection::Members),
                "staff" => Ok(Introspection::Staff),
                "nobody" => Ok(Introspection::Nobody),
                _ => Err("must be everybody, members, staff or nobody"),
            })?,
            documents: values.file("documents_file")?,
            only_trusted: only_trusted(&values)?,
            operation_time: Duration::from_secs(values.number("operation_seconds", 1, 3_600)?),
            feed_days: values.number("feed_days", 1, 36_500)?,
            allowed: allowed(&values)?,
            shown: values.shown()?,
        })
    }

    /// A fault of this setting that shows only in use, with where the setting came from.
    pub fn fault(&self, key: &'static str, what: impl fmt::Display) -> ConfigError {
        source::sentence(key, self.shown.get(key).map_or("default", |shown| &shown.origin), what)
    }

    /// The file of an SQLite database.
    pub fn sqlite_file(&self) -> Option<&Path> {
        sqlite_file(&self.database_url)
    }

    /// Whether only this machine can reach the server.
    pub fn is_local(&self) -> bool {
        self.listen.ip().is_loopback()
    }

    /// The server's secret: the configured one; on a private installation else the one in the secret
    /// file, which is made on first use.
    ///
    /// # Errors
    /// When one has to be configured, or the file cannot be used.
    pub fn secret(&self) -> Result<Secret> {
        if let Some(secret) = &self.jwt_secret {
            return Ok(secret.clone());
        }
        let why = if !self.database_url.starts_with("sqlite:") {
            "with PostgreSQL"
        } else if !self.is_local() {
            "when `listen` is not a loopback address"
        } else {
            return crate::secret::kept_in(&self.secret_file).map_err(|what| self.fault("secret_file", what));
        };
        Err(ConfigError(format!(
            "`jwt_secret` (ORDO_JWT_SECRET) is required {why}: set it to a random text of {SECRET_BYTES} bytes \
             or more"
        )))
    }
}

fn secret(values: &Values) -> Result<Option<Secret>> {
    let Some(text) = values.optional("jwt_secret")? else {
        return Ok(None);
    };
    if text.len() < SECRET_BYTES {
        let what = format_args!("must have {SECRET_BYTES} bytes or more; it has {}", text.len());
        return Err(values.fault("jwt_secret", what));
    }
    Ok(Some(Secret::new(text)))
}

/// Earlier secrets, with commas between them. They were secrets: none is shorter than one may be.
fn previous(values: &Values) -> Result<Vec<Secret>> {
    let text = values.optional("previous_secrets")?.unwrap_or_default();
    let each: Vec<&str> = text.split(',').map(str::trim).filter(|secret| !secret.is_empty()).collect();
    if each.iter().any(|secret| secret.len() < SECRET_BYTES) {
        let what =
            format_args!("must name secrets of {SECRET_BYTES} bytes or more, with commas between them");
        return Err(values.fault("previous_secrets", what));
    }
    Ok(each.into_iter().map(|secret| Secret::new(secret.to_owned())).collect())
}

/// The certificate and its key: both or neither.
fn tls(values: &Values) -> Result<Option<(String, Secret)>> {
    match (values.file("tls_certificate_file")?, values.file("tls_key_file")?) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, Secret::new(key)))),
        (None, None) => Ok(None),
        (Some(_), None) => {
            Err(values.fault("tls_key_file", "is missing; the certificate needs its private key"))
        }
        (None, Some(_)) => {
            Err(values.fault("tls_certificate_file", "is missing; the private key needs its certificate"))
        }
    }
}

/// Origins of web pages, each `https://host` or with a port, as browsers write them.
fn origins(values: &Values) -> Result<Vec<String>> {
    let text = values.optional("cors_origins")?.unwrap_or_default();
    let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    let wrong = |origin: &&str| {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        host.is_none_or(|host| host.is_empty() || host.contains(['/', '?', '#', '@', '*', ' ']))
    };
    if let Some(origin) = origins.clone().find(wrong) {
        let what =
            "must name origins such as https://shop.example.com, without a path, with commas between them";
        return Err(values.fault("cors_origins", format_args!("{what}, not {origin:?}")));
    }
    Ok(origins.map(str::to_ascii_lowercase).collect())
}

/// Whether nothing but trusted documents runs; then there have to be some.
fn only_trusted(values: &Values) -> Result<bool> {
    let only = values.checked("documents", |text| match text {
        "any" => Ok(false),
        "trusted" => Ok(true),
        _ => Err("must be any or trusted"),
    })?;
    if only && values.optional("documents_file")?.is_none() {
        return Err(
            values.fault("documents", "allows trusted documents only, and `documents_file` names none")
        );
    }
    Ok(only)
}

fn allowed(values: &Values) -> Result<Allowed> {
    let number = |key| values.number(key, 1, 1_000_000_000);
    Ok(Allowed {
        requests_per_minute: number("requests_per_minute")?,
        cost_per_minute: number("cost_per_minute")?,
        logins_per_minute: number("logins_per_minute")?,
        sockets: number("sockets")?,
        subscriptions: number("subscriptions")?,
        connections: values.number("connections", 1, 1_000_000)?,
    })
}

fn address(text: &str) -> std::result::Result<SocketAddr, &'static str> {
    if let Some(port) = text.strip_prefix("localhost:").and_then(|port| port.parse().ok()) {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    text.parse().map_err(|_| "must be an address with a port, such as 127.0.0.1:8000")
}

fn sqlite_file(url: &str) -> Option<&Path> {
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let file = rest.split('?').next().unwrap_or(rest);
    (!file.is_empty() && file != ":memory:").then(|| Path::new(file))
}

/// The secret file beside a database.
fn beside(url: &str) -> PathBuf {
    sqlite_file(url).and_then(Path::parent).unwrap_or(Path::new("")).join("ordo.secret")
}

#[cfg(test)]
mod tests;
