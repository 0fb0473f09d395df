//! The settings file of outside identity providers: read whole, with everything that is wrong at once.

use std::{collections::BTreeMap, net::IpAddr};

use domain::{id::IdError, role::Role};
use jsonwebtoken::Algorithm;
use reqwest::Url;
use toml::Table;

use super::{Granted, entry::Entry, token};

/// The longest file, in bytes.
const LONGEST: usize = 256 * 1024;
/// The most providers.
const MOST: usize = 16;
/// The claim that names the account where the settings name none.
const EMAIL: &str = "email";

/// Roles of the operator. All others belong to an organisation that has to be named.
const OPERATOR: [Role; 5] = [Role::Admin, Role::Staff, Role::Support, Role::Csr, Role::Agent];
/// Roles in an organisation. A manager is not among them: one manages offerings, which a value here cannot
/// name, and without any would see nothing.
const ELSEWHERE: [Role; 4] = [Role::Provider, Role::Worker, Role::Approver, Role::Consumer];

/// What is known about a provider.
#[derive(Debug)]
pub(super) struct Settings {
    /// What its tokens say as `iss`, letter for letter.
    pub issuer: String,
    /// Where its keys are: https, or this machine.
    pub jwks_url: Url,
    /// Its names for us; a token has to be for one of them.
    pub audience: Vec<String>,
    /// How its tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// The claim that names the account.
    pub user_claim: String,
    /// Whether the provider has to vouch for the e-mail address (`email_verified`).
    pub require_verified_email: bool,
    /// How its tokens give roles, where they do.
    pub roles: Option<Roles>,
}

/// How tokens give roles.
#[derive(Debug)]
pub(super) struct Roles {
    /// The claim that holds the values.
    pub claim: String,
    /// What each value stands for.
    pub of: BTreeMap<String, Granted>,
}

/// Reads the file.
///
/// # Errors
/// Every fault, as a sentence with its place: `provider[0].issuer: …`, counted from 0.
pub(super) fn parse(text: &str) -> Result<Vec<Settings>, Vec<String>> {
    if text.len() > LONGEST {
        return Err(vec![format!("the file has {} bytes; {LONGEST} are the most", text.len())]);
    }
    let table: Table = text.parse().map_err(|error| vec![not_toml(text, &error)])?;
    let mut file = Entry::new("", table);
    let tables: Vec<Table> =
        file.take("provider", "a list of tables, each under `[[provider]]`").unwrap_or_default();
    if tables.len() > MOST {
        file.fault("provider", format!("{} are described; {MOST} are the most", tables.len()));
    }
    let (mut faults, mut described, mut issuers) = (file.finish(), Vec::new(), Vec::new());
    for (number, table) in tables.into_iter().enumerate() {
        let mut entry = Entry::new(&format!("provider[{number}]."), table);
        described.extend(provider(&mut entry, &mut issuers));
        faults.extend(entry.finish());
    }
    if faults.is_empty() { Ok(described) } else { Err(faults) }
}

fn not_toml(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    format!("line {line}: this is not TOML: {}", error.message().replace('\n', ", "))
}

/// Reads one provider. Everything is read before anything is given up, so that every fault is told.
/// `issuers` are those of the providers before it.
fn provider(entry: &mut Entry, issuers: &mut Vec<Option<String>>) -> Option<Settings> {
    for key in ["issuer", "jwks_url", "audience"] {
        entry.require(key);
    }
    let issuer = entry.text("issuer");
    if let Some(twin) = issuers.iter().position(|other| issuer.is_some() && *other == issuer) {
        entry.fault("issuer", format_args!("is that of provider[{twin}] too; describe each provider once"));
    }
    issuers.push(issuer.clone());
    let jwks_url = jwks_url(entry);
    let audience = entry.texts("audience");
    let algorithms = algorithms(entry);
    let user_claim = entry.text("user_claim").unwrap_or_else(|| EMAIL.to_owned());
    let require_verified_email = require_verified_email(entry, &user_claim);
    let roles = roles(entry);
    Some(Settings {
        issuer: issuer?,
        jwks_url: jwks_url?,
        audience: audience?,
        algorithms,
        user_claim,
        require_verified_email,
        roles,
    })
}

fn jwks_url(entry: &mut Entry) -> Option<Url> {
    const KEY: &str = "jwks_url";
    let text = entry.text(KEY)?;
    let Ok(url) = Url::parse(&text) else {
        entry.fault(KEY, "must be an address such as https://id.example.com/jwks.json");
        return None;
    };
    let secure = url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url);
    if !secure {
        entry.fault(KEY, "must begin with https://; http:// is for 127.0.0.1, [::1] and localhost alone");
    }
    let anonymous = url.username().is_empty() && url.password().is_none();
    if !anonymous {
        entry.fault(KEY, "must not hold a name or a password; keys are public");
    }
    (secure && anonymous).then_some(url)
}

/// Whether what is sent there stays on this machine.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn algorithms(entry: &mut Entry) -> Vec<Algorithm> {
    const KEY: &str = "algorithms";
    let known = token::ALGORITHMS.map(|(name, _)| name).join(", ");
    let Some(names) = entry.texts(KEY) else {
        return token::ALGORITHMS.map(|(_, algorithm)| algorithm).to_vec();
    };
    let mut algorithms = Vec::new();
    for name in names {
        match token::algorithm(&name) {
            Some(algorithm) => algorithms.push(algorithm),
            None => entry.fault(KEY, format_args!("{name:?} is not supported; there are {known}")),
        }
    }
    algorithms
}

fn require_verified_email(entry: &mut Entry, user_claim: &str) -> bool {
    const KEY: &str = "require_verified_email";
    let wanted: Option<bool> = entry.take(KEY, "true or false");
    let is_email = user_claim == EMAIL;
    if wanted == Some(true) && !is_email {
        entry.fault(KEY, format_args!("vouches for the claim `email`, and `user_claim` is {user_claim:?}"));
    }
    is_email && wanted.unwrap_or(true)
}

fn roles(entry: &mut Entry) -> Option<Roles> {
    const KEY: &str = "roles";
    let claim = entry.text("roles_claim");
    let table: Option<Table> = entry.take(KEY, "a table of values and roles");
    match (&claim, &table) {
        (Some(_), None) => {
            entry.fault("roles_claim", "needs [provider.roles], which says what its values stand for")
        }
        (None, Some(_)) => entry.fault(KEY, "needs `roles_claim`, which says where the values are"),
        _ => {}
    }
    let table = table?;
    if table.is_empty() {
        entry.fault(KEY, "must name at least one value");
    }
    let mut of = BTreeMap::new();
    for (value, role) in table {
        match role.as_str().ok_or_else(|| "must be a text".to_owned()).and_then(granted) {
            Ok(granted) => {
                of.insert(value, granted);
            }
            Err(what) => entry.fault(&format!("{KEY}.{value}"), what),
        }
    }
    Some(Roles { claim: claim?, of })
}

/// `staff`, or `provider@org_…`.
fn granted(text: &str) -> Result<Granted, String> {
    let (name, organization) = text.split_once('@').map_or((text, None), |(name, id)| (name, Some(id)));
    let role = Role::parse(name).filter(|role| OPERATOR.contains(role) || ELSEWHERE.contains(role));
    let role = role.ok_or_else(|| {
        let (operator, elsewhere) = (names(&OPERATOR), names(&ELSEWHERE));
        format!("{name:?} cannot be given; there are {operator} and, with an organisation, {elsewhere}")
    })?;
    match (organization, OPERATOR.contains(&role)) {
        (None, true) => Ok(Granted { role, organization: None }),
        (None, false) => Err(format!("must name the organisation: {name}@org_…")),
        (Some(_), true) => Err(format!("is a role of the operator, who needs no naming: {name}")),
        (Some(id), false) => {
            let id = id.parse().map_err(|error: IdError| error.to_string())?;
            Ok(Granted { role, organization: Some(id) })
        }
    }
}

fn names(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
