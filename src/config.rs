//! Settings: by flag, else by environment variable, else by file, else by default. A wrong one is one
//! sentence that names the setting and where it came from.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use crate::secret::SECRET_BYTES;
pub use crate::secret::Secret;

/// The file that is read when none is named.
pub const FILE: &str = "ordo.toml";
/// The database when none is named.
pub const DATABASE: &str = "sqlite://ordo.db?mode=rwc";
/// Names the settings file, like the flag `--config`.
const FILE_VARIABLE: &str = "ORDO_CONFIG";

/// A setting's names: in the file (its flag is the same with hyphens) and in the environment.
struct Setting {
    key: &'static str,
    variable: &'static str,
    default: Option<&'static str>,
}

const fn setting(key: &'static str, variable: &'static str, default: Option<&'static str>) -> Setting {
    Setting { key, variable, default }
}

const SETTINGS: [Setting; 10] = [
    setting("listen", "ORDO_LISTEN", Some("127.0.0.1:8000")),
    setting("database_url", "DATABASE_URL", Some(DATABASE)),
    setting("database_connections", "ORDO_DATABASE_CONNECTIONS", Some("8")),
    setting("jwt_secret", "ORDO_JWT_SECRET", None),
    setting("jwt_public_key_file", "ORDO_JWT_PUBLIC_KEY_FILE", None),
    setting("jwt_issuer", "ORDO_JWT_ISSUER", Some("ordo")),
    setting("jwt_audience", "ORDO_JWT_AUDIENCE", Some("ordo")),
    setting("log", "ORDO_LOG", Some("info")),
    setting("secret_file", "ORDO_SECRET_FILE", None),
    setting("demo", "ORDO_DEMO", Some("auto")),
];

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

/// Where settings come from. Separate from the process so that tests can name their own.
#[derive(Clone, Default)]
pub struct Sources {
    /// Flags that were given, by setting; `config` names the file.
    pub flags: BTreeMap<&'static str, String>,
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// The working directory.
    pub directory: PathBuf,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables: Vec<_> = self.variables.keys().collect();
        f.debug_struct("Sources")
            .field("flags", &self.flags.keys())
            .field("variables", &variables)
            .finish_non_exhaustive()
    }
}

impl Sources {
    /// These flags, this process's environment and its working directory.
    ///
    /// # Errors
    /// When a variable that names a setting is not text.
    pub fn of_process(flags: BTreeMap<&'static str, String>) -> Result<Sources> {
        let mut variables = BTreeMap::new();
        let known = SETTINGS.iter().map(|setting| setting.variable);
        for name in known.chain([FILE_VARIABLE]) {
            let Some(value) = std::env::var_os(name) else {
                continue;
            };
            let value = value.into_string();
            let value = value.map_err(|_| {
                ConfigError(format!("the environment variable {name} must be UTF-8 text, and it is not"))
            })?;
            variables.insert(name.to_owned(), value);
        }
        Ok(Sources { flags, variables, directory: PathBuf::new() })
    }
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
    /// The configured secret.
    pub jwt_secret: Option<Secret>,
    /// The configured public key, as PEM text.
    pub jwt_public_key: Option<String>,
    /// Who issues tokens.
    pub jwt_issuer: String,
    /// Whom tokens are for.
    pub jwt_audience: String,
    /// What is logged: a level, or levels by target.
    pub log: String,
    /// Where a secret is kept when none is configured.
    pub secret_file: PathBuf,
    /// Whether the demo company may be loaded.
    pub demo: Demo,
    origins: BTreeMap<&'static str, String>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("jwt_secret", &self.jwt_secret)
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}

/// One layer of settings: name and values as text.
struct Layer(&'static str, Vec<(&'static str, String)>);

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0)
    }

    fn data(&self) -> std::result::Result<Map<Profile, Dict>, figment::Error> {
        let values = self.1.iter().map(|(key, value)| ((*key).to_owned(), Value::from(value.clone())));
        Ok(Map::from([(Profile::Default, values.collect())]))
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
            database_connections: values.checked("database_connections", |text| {
                let number = text.parse().ok().filter(|number| (1..=500).contains(number));
                number.ok_or("must be a whole number from 1 to 500")
            })?,
            jwt_secret: values.secret()?,
            jwt_public_key: values.public_key(&sources.directory)?,
            jwt_issuer: values.checked("jwt_issuer", |text| Ok(text.to_owned()))?,
            jwt_audience: values.checked("jwt_audience", |text| Ok(text.to_owned()))?,
            log: values.checked("log", |text| {
                let known = tracing_subscriber::EnvFilter::try_new(text);
                known.map(|_| text.to_owned()).map_err(|_| "must be a level such as info, or ordo=debug,warn")
            })?,
            demo: values.checked("demo", |text| match text {
                "auto" => Ok(Demo::Auto),
                "off" => Ok(Demo::Off),
                _ => Err("must be auto or off"),
            })?,
            origins: values.origins()?,
        })
    }

    /// A fault of this setting that shows only in use, with where the setting came from.
    pub fn fault(&self, key: &'static str, what: impl fmt::Display) -> ConfigError {
        sentence(key, self.origins.get(key).map_or("default", String::as_str), what)
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

/// The layers, and where a value in them came from.
struct Values {
    figment: Figment,
    file: String,
}

impl Values {
    fn gather(sources: &Sources) -> Result<Values> {
        let named = sources.flags.get("config").or_else(|| sources.variables.get(FILE_VARIABLE));
        let file = named.map_or(FILE, String::as_str).to_owned();
        let path = sources.directory.join(&file);
        let defaults = SETTINGS.iter().filter_map(|one| Some((one.key, one.default?.to_owned()))).collect();
        let mut figment = Figment::from(Layer("default", defaults));
        match std::fs::read_to_string(&path) {
            Ok(text) => figment = figment.merge(file_layer(&file, &text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {}
            Err(error) => {
                return Err(ConfigError(format!("the settings file {file} cannot be read: {error}")));
            }
        }
        let variables =
            SETTINGS.iter().filter_map(|one| Some((one.key, sources.variables.get(one.variable)?.clone())));
        let flags = SETTINGS.iter().filter_map(|one| Some((one.key, sources.flags.get(one.key)?.clone())));
        let figment = figment.merge(Layer("variable", variables.collect()));
        Ok(Values { figment: figment.merge(Layer("flag", flags.collect())), file })
    }

    fn optional(&self, key: &'static str) -> Result<Option<String>> {
        let Ok(value) = self.figment.find_value(key) else {
            return Ok(None);
        };
        let text = match &value {
            Value::String(_, text) => text.trim().to_owned(),
            Value::Num(_, number) if key == "database_connections" => {
                number.to_i128().map_or_else(|| "a fraction".to_owned(), |number| number.to_string())
            }
            _ => return Err(self.fault(key, "must be a text in quotes")),
        };
        if text.is_empty() {
            return Err(self.fault(key, "must not be empty; leave it out to have the default"));
        }
        Ok(Some(text))
    }

    fn checked<T>(
        &self,
        key: &'static str,
        check: impl FnOnce(&str) -> std::result::Result<T, &'static str>,
    ) -> Result<T> {
        let text = self.optional(key)?.unwrap_or_default();
        check(&text).map_err(|what| {
            if key == "database_url" {
                return self.fault(key, what);
            }
            let shown: String = text.chars().take(60).collect();
            self.fault(key, format_args!("{what}, not {shown:?}"))
        })
    }

    fn secret(&self) -> Result<Option<Secret>> {
        let Some(text) = self.optional("jwt_secret")? else {
            return Ok(None);
        };
        if text.len() < SECRET_BYTES {
            let what = format_args!("must have {SECRET_BYTES} bytes or more; it has {}", text.len());
            return Err(self.fault("jwt_secret", what));
        }
        Ok(Some(Secret::new(text)))
    }

    fn public_key(&self, directory: &Path) -> Result<Option<String>> {
        let key = "jwt_public_key_file";
        let Some(path) = self.optional(key)? else {
            return Ok(None);
        };
        let read = std::fs::read_to_string(directory.join(&path));
        read.map(Some)
            .map_err(|error| self.fault(key, format_args!("names {path:?}, which cannot be read: {error}")))
    }

    fn origin(&self, key: &'static str) -> String {
        let names = SETTINGS.iter().find(|one| one.key == key);
        let variable = names.map_or("", |one| one.variable);
        match self.figment.find_metadata(key).map(|metadata| metadata.name.as_ref()) {
            Some("flag") => format!("flag --{}", key.replace('_', "-")),
            Some("variable") => format!("environment variable {variable}"),
            Some("default") | None => "default".to_owned(),
            Some(_) => format!("file {}", self.file),
        }
    }

    fn origins(&self) -> Result<BTreeMap<&'static str, String>> {
        Ok(SETTINGS.iter().map(|one| (one.key, self.origin(one.key))).collect())
    }

    fn fault(&self, key: &'static str, what: impl fmt::Display) -> ConfigError {
        sentence(key, &self.origin(key), what)
    }
}

fn sentence(key: &str, origin: &str, what: impl fmt::Display) -> ConfigError {
    ConfigError(format!("`{key}` ({origin}) {what}"))
}

/// The settings of a file, once all its keys are known.
fn file_layer(file: &str, text: &str) -> Result<figment::providers::Data<Toml>> {
    let layer = Toml::string(text);
    let data = layer.data().map_err(|error| {
        // The middle of the text quotes the file, which may hold a secret.
        let text = error.to_string();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let (first, last) = (lines.first().copied().unwrap_or("not TOML"), lines.last().copied());
        let last = last.filter(|last| lines.len() > 1 && !last.contains('|'));
        let last = last.map_or_else(String::new, |last| format!(": {last}"));
        ConfigError(format!("the settings file {file} cannot be read: {first}{last}"))
    })?;
    let keys = data.values().flat_map(|dict| dict.keys());
    for key in keys {
        if !SETTINGS.iter().any(|one| one.key == key) {
            let known: Vec<&str> = SETTINGS.iter().map(|one| one.key).collect();
            let known = known.join(", ");
            return Err(ConfigError(format!("`{key}` (file {file}) is not a setting; there are {known}")));
        }
    }
    Ok(layer)
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
#[path = "config_tests.rs"]
mod tests;
