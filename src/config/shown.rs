//! What `ordo config` prints: every setting and where it came from, secrets hidden, as text that is a
//! settings file again.

use std::fmt::Write;

use super::{Config, SETTINGS, Setting, source::Values};

/// One setting as it may be shown.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// Where the value came from.
    pub(super) origin: String,
    /// The value; none where there is none, or where it is a secret.
    value: Option<String>,
    is_set: bool,
}

impl Shown {
    pub(super) fn of(setting: &Setting, values: &Values) -> super::Result<Shown> {
        let text = values.optional(setting.key)?;
        let is_set = text.is_some();
        let value = text.filter(|_| !setting.is_secret());
        let value = match setting.key {
            "database_url" => value.map(|url| without_password(&url)),
            "nats_url" => value.map(|urls| without_passwords(&urls)),
            _ => value,
        };
        Ok(Shown { origin: values.origin(setting), value, is_set })
    }
}

impl Config {
    /// Every setting and where it came from. Secrets are named, never shown.
    pub fn shown(&self) -> String {
        let mut text = String::new();
        for setting in &SETTINGS {
            let Some(Shown { origin, value, is_set }) = self.shown.get(setting.key) else { continue };
            let key = setting.key;
            // Writing to a String cannot fail.
            let _ = match value {
                Some(value) => writeln!(text, "{key} = {value:?}  # {origin}"),
                None if *is_set => writeln!(text, "# {key} is set ({origin}) and not shown"),
                None => writeln!(text, "# {key} is not set"),
            };
        }
        text
    }
}

/// Addresses of NATS without passwords. A user without a password is a token there, and as secret as one.
fn without_passwords(urls: &str) -> String {
    let shown = urls.split(',').map(|url| match url.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, place)) => format!("{scheme}://…@{place}"),
            None => url.to_owned(),
        },
        None => "…".to_owned(),
    });
    shown.collect::<Vec<_>>().join(",")
}

/// The address of a database without the password, wherever it stands in it.
fn without_password(url: &str) -> String {
    let (address, parameters) = url.split_once('?').map_or((url, None), |(front, back)| (front, Some(back)));
    let mut shown = match address.split_once("://").map(|(scheme, rest)| (scheme, rest.rsplit_once('@'))) {
        Some((scheme, Some((login, place)))) => {
            let (user, password) = login.split_once(':').map_or((login, ""), |(user, _)| (user, ":…"));
            format!("{scheme}://{user}{password}@{place}")
        }
        _ => address.to_owned(),
    };
    for (at, parameter) in parameters.into_iter().flat_map(|text| text.split('&')).enumerate() {
        let name = parameter.split('=').next().unwrap_or_default();
        let hidden = if name.to_ascii_lowercase().contains("password") {
            format!("{name}=…")
        } else {
            parameter.to_owned()
        };
        shown = format!("{shown}{}{hidden}", if at == 0 { '?' } else { '&' });
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{without_password, without_passwords};

    #[test]
    fn of_nats_nothing_is_shown_but_where_it_is() {
        for (urls, shown) in [
            ("nats://host:4222", "nats://host:4222"),
            ("nats://token@host", "nats://…@host"),
            ("tls://me:hun@ter2@a:1,nats://b", "tls://…@a:1,nats://b"),
            ("me:hunter2@a", "…"),
        ] {
            assert_eq!(without_passwords(urls), shown);
        }
    }

    #[test]
    fn a_password_is_hidden_wherever_it_stands() {
        for (url, shown) in [
            ("sqlite://ordo.db?mode=rwc", "sqlite://ordo.db?mode=rwc"),
            ("postgres://db/ordo", "postgres://db/ordo"),
            ("postgres://me@db/ordo", "postgres://me@db/ordo"),
            ("postgres://me:hunter2@db:5432/ordo", "postgres://me:…@db:5432/ordo"),
            ("postgres://me:hun@ter2@db/ordo?a=b", "postgres://me:…@db/ordo?a=b"),
            ("postgres://db/ordo?user=me&password=hunter2&x=y", "postgres://db/ordo?user=me&password=…&x=y"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
