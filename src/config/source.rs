//! Where settings come from: flags win over environment variables, those over the file, that over defaults.

use std::{collections::BTreeMap, fmt, io, path::PathBuf};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use super::{ConfigError, FILE, Result, SETTINGS, Setting, shown::Shown};

/// Names the settings file, like the flag `--config`.
const FILE_VARIABLE: &str = "ORDO_CONFIG";

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

/// The layers, and where a value in them came from.
pub(super) struct Values {
    figment: Figment,
    file: String,
    directory: PathBuf,
}

impl Values {
    pub(super) fn gather(sources: &Sources) -> Result<Values> {
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
        let figment = figment.merge(Layer("flag", flags.collect()));
        Ok(Values { figment, file, directory: sources.directory.clone() })
    }

    /// The text of a setting, none where nobody set it.
    pub(super) fn optional(&self, key: &'static str) -> Result<Option<String>> {
        let Ok(value) = self.figment.find_value(key) else {
            return Ok(None);
        };
        let is_number = Setting::named(key).is_some_and(Setting::is_number);
        let text = match &value {
            Value::String(_, text) => text.trim().to_owned(),
            Value::Num(_, number) if is_number => {
                number.to_i128().map_or_else(|| "a fraction".to_owned(), |number| number.to_string())
            }
            _ => return Err(self.fault(key, "must be a text in quotes")),
        };
        if text.is_empty() {
            return Err(self.fault(key, "must not be empty; leave it out to have the default"));
        }
        Ok(Some(text))
    }

    /// The value of a setting that was set or has a default.
    pub(super) fn checked<T>(
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

    /// A whole number between two others.
    pub(super) fn number<T>(&self, key: &'static str, least: T, most: T) -> Result<T>
    where
        T: std::str::FromStr + PartialOrd + fmt::Display + Copy,
    {
        let text = self.optional(key)?.unwrap_or_default();
        let number = text.parse().ok().filter(|number| *number >= least && *number <= most);
        number.ok_or_else(|| {
            let shown: String = text.chars().take(60).collect();
            let what = format_args!("must be a whole number from {least} to {most}, not {shown:?}");
            self.fault(key, what)
        })
    }

    /// The text of the file that a setting names.
    pub(super) fn file(&self, key: &'static str) -> Result<Option<String>> {
        let Some(path) = self.optional(key)? else {
            return Ok(None);
        };
        let read = std::fs::read_to_string(self.directory.join(&path));
        read.map(Some)
            .map_err(|error| self.fault(key, format_args!("names {path:?}, which cannot be read: {error}")))
    }

    /// Each setting as it may be shown.
    pub(super) fn shown(&self) -> Result<BTreeMap<&'static str, Shown>> {
        SETTINGS.iter().map(|one| Ok((one.key, Shown::of(one, self)?))).collect()
    }

    pub(super) fn fault(&self, key: &'static str, what: impl fmt::Display) -> ConfigError {
        let origin = Setting::named(key).map_or_else(String::new, |one| self.origin(one));
        sentence(key, &origin, what)
    }

    pub(super) fn origin(&self, setting: &Setting) -> String {
        match self.figment.find_metadata(setting.key).map(|metadata| metadata.name.as_ref()) {
            Some("flag") => format!("flag --{}", setting.flag()),
            Some("variable") => format!("environment variable {}", setting.variable),
            Some("default") | None => "default".to_owned(),
            Some(_) => format!("file {}", self.file),
        }
    }
}

pub(super) fn sentence(key: &str, origin: &str, what: impl fmt::Display) -> ConfigError {
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
        if Setting::named(key).is_none() {
            let known: Vec<&str> = SETTINGS.iter().map(|one| one.key).collect();
            let known = known.join(", ");
            return Err(ConfigError(format!("`{key}` (file {file}) is not a setting; there are {known}")));
        }
    }
    Ok(layer)
}
