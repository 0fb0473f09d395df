//! The table of settings: what each is called, what it is without being set, what it is for. Flags, help,
//! `ordo config` and the checks of README and example file all come from here.

/// A setting's names: in the file (its flag is the same with hyphens) and in the environment.
#[derive(Debug)]
pub struct Setting {
    /// The name in the settings file.
    pub key: &'static str,
    /// The environment variable.
    pub variable: &'static str,
    /// What it is when nobody says anything.
    pub default: Option<&'static str>,
    /// What a value is, for the help.
    pub value: &'static str,
    /// What it is for, for the help.
    pub help: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Secret,
}

impl Setting {
    /// A secret is never shown, and has no flag: it would stand in the list of processes.
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }

    /// In the file, a number needs no quotes.
    pub fn is_number(&self) -> bool {
        self.kind == Kind::Number
    }

    /// The flag's name, without its dashes.
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// The setting of this name.
    pub fn named(key: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    const fn defaults_to(mut self, default: &'static str) -> Setting {
        self.default = Some(default);
        self
    }

    const fn number(mut self) -> Setting {
        self.kind = Kind::Number;
        self
    }

    const fn secret(mut self) -> Setting {
        self.kind = Kind::Secret;
        self
    }
}

const fn setting(
    key: &'static str,
    variable: &'static str,
    value: &'static str,
    help: &'static str,
) -> Setting {
    Setting { key, variable, default: None, value, help, kind: Kind::Text }
}

/// Every setting, in the order in which people think of them.
pub const SETTINGS: [Setting; 31] = [
    setting("listen", "ORDO_LISTEN", "ADDRESS", "The address to listen on").defaults_to("127.0.0.1:8000"),
    setting("database_url", "DATABASE_URL", "URL", "The database, sqlite: or postgres:")
        .defaults_to(super::DATABASE),
    setting("database_connections", "ORDO_DATABASE_CONNECTIONS", "N", "Connections to the database")
        .defaults_to("8")
        .number(),
    setting(
        "nats_url",
        "NATS_URL",
        "URL",
        "Instances on one PostgreSQL wake each other by NATS, not by NOTIFY: nats: or tls:",
    ),
    setting("jwt_secret", "ORDO_JWT_SECRET", "TEXT", "Signs tokens and seals cursors").secret(),
    setting(
        "previous_secrets",
        "ORDO_PREVIOUS_SECRETS",
        "TEXT,…",
        "Earlier jwt_secrets: they open what is stored under them",
    )
    .secret(),
    setting(
        "jwt_public_key_file",
        "ORDO_JWT_PUBLIC_KEY_FILE",
        "FILE",
        "A public key to verify tokens with, PEM",
    ),
    setting("jwt_issuer", "ORDO_JWT_ISSUER", "NAME", "Who issues tokens").defaults_to("ordo"),
    setting("jwt_audience", "ORDO_JWT_AUDIENCE", "NAME", "Whom tokens are for").defaults_to("ordo"),
    setting(
        "identity_providers_file",
        "ORDO_IDENTITY_PROVIDERS_FILE",
        "FILE",
        "Outside identity providers whose tokens are taken, TOML",
    ),
    setting("log", "ORDO_LOG", "LEVEL", "What is logged: a level, or levels by target").defaults_to("info"),
    setting(
        "secret_file",
        "ORDO_SECRET_FILE",
        "FILE",
        "Where a random secret is kept when ORDO_JWT_SECRET is not set",
    ),
    setting("demo", "ORDO_DEMO", "WHEN", "Load the demo company into a new default database: auto or off")
        .defaults_to("auto"),
    setting(
        "tls_certificate_file",
        "ORDO_TLS_CERTIFICATE_FILE",
        "FILE",
        "Serve HTTPS with this certificate, PEM",
    ),
    setting("tls_key_file", "ORDO_TLS_KEY_FILE", "FILE", "The certificate's private key, PEM"),
    setting(
        "trusted_proxies",
        "ORDO_TRUSTED_PROXIES",
        "ADDRESSES",
        "Proxies that are believed about their clients: addresses and networks, with commas",
    ),
    setting(
        "cors_origins",
        "ORDO_CORS_ORIGINS",
        "ORIGINS",
        "Web pages that may call the API: origins, with commas",
    ),
    setting(
        "introspection",
        "ORDO_INTROSPECTION",
        "WHO",
        "Who may read the schema: everybody, members, staff or nobody",
    )
    .defaults_to("members"),
    setting(
        "documents_file",
        "ORDO_DOCUMENTS_FILE",
        "FILE",
        "Trusted documents: a JSON object of texts by id",
    ),
    setting("documents", "ORDO_DOCUMENTS", "WHICH", "Which documents run: any, or trusted ones only")
        .defaults_to("any"),
    setting("operation_seconds", "ORDO_OPERATION_SECONDS", "N", "How long one operation may take")
        .defaults_to("30")
        .number(),
    setting("feed_days", "ORDO_FEED_DAYS", "N", "For how many days streams can be resumed")
        .defaults_to("90")
        .number(),
    setting("log_format", "ORDO_LOG_FORMAT", "FORMAT", "How the log is written: text or json")
        .defaults_to("text"),
    setting(
        "traces_endpoint",
        "ORDO_TRACES_ENDPOINT",
        "URL",
        "Send traces to this OpenTelemetry collector, such as http://localhost:4318",
    ),
    setting("metrics_token", "ORDO_METRICS_TOKEN", "TEXT", "Opens /metrics to others than this machine")
        .secret(),
    setting("requests_per_minute", "ORDO_REQUESTS_PER_MINUTE", "N", "Requests of one person or address")
        .defaults_to("1200")
        .number(),
    setting(
        "cost_per_minute",
        "ORDO_COST_PER_MINUTE",
        "N",
        "Cost of the operations of one person or address",
    )
    .defaults_to("2000000")
    .number(),
    setting("logins_per_minute", "ORDO_LOGINS_PER_MINUTE", "N", "Attempts to log in from one address")
        .defaults_to("10")
        .number(),
    setting("sockets", "ORDO_SOCKETS", "N", "Sockets that one person may have open")
        .defaults_to("100")
        .number(),
    setting("subscriptions", "ORDO_SUBSCRIPTIONS", "N", "Subscriptions that one person may have open")
        .defaults_to("500")
        .number(),
    setting("connections", "ORDO_CONNECTIONS", "N", "Connections of clients at once")
        .defaults_to("20000")
        .number(),
];
