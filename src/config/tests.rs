//! Settings: layers, sentences, the secret file.

use super::*;

fn sources() -> (tempfile::TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    let sources = Sources { directory: folder.path().to_owned(), ..Sources::default() };
    (folder, sources)
}

fn with_file(text: &str) -> (tempfile::TempDir, Sources) {
    let (folder, sources) = sources();
    std::fs::write(folder.path().join(FILE), text).unwrap();
    (folder, sources)
}

fn sentence_of(sources: &Sources) -> String {
    Config::load(sources).unwrap_err().to_string()
}

#[test]
fn the_example_file_holds_the_defaults() {
    let (_folder, example) = with_file(include_str!("../../ordo.example.toml"));
    let (_other, none) = sources();
    let (example, none) = (Config::load(&example).unwrap(), Config::load(&none).unwrap());
    assert_eq!(example.listen, none.listen);
    assert_eq!(example.database_url, none.database_url);
    assert_eq!(example.database_connections, none.database_connections);
    assert_eq!((&example.jwt_issuer, &example.jwt_audience), (&none.jwt_issuer, &none.jwt_audience));
    assert_eq!((&example.log, example.demo), (&none.log, none.demo));
    assert_eq!((example.introspection, example.allowed), (none.introspection, none.allowed));
    assert_eq!(example.log_format, none.log_format);
    assert_eq!((example.only_trusted, example.operation_time), (none.only_trusted, none.operation_time));
    let text = include_str!("../../ordo.example.toml");
    for one in &SETTINGS {
        assert!(text.contains(one.key) && text.contains(one.variable), "{} is not explained", one.key);
    }
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let (_folder, mut sources) = with_file("listen = \"127.0.0.1:1\"\njwt_issuer = \"file\"\nlog = \"warn\"");
    sources.variables.insert("ORDO_LISTEN".into(), "127.0.0.1:2".into());
    sources.variables.insert("ORDO_JWT_ISSUER".into(), "variable".into());
    sources.flags.insert("listen", "localhost:3".into());
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:3");
    assert_eq!((config.jwt_issuer.as_str(), config.log.as_str()), ("variable", "warn"));
}

#[test]
fn a_wrong_value_is_one_sentence_that_names_its_origin() {
    let said = |key: &str, value: &str| {
        let (_folder, mut sources) = sources();
        sources.variables.insert(key.to_owned(), value.to_owned());
        sentence_of(&sources)
    };
    assert_eq!(
        said("ORDO_LISTEN", "here"),
        "`listen` (environment variable ORDO_LISTEN) must be an address with a port, such as 127.0.0.1:8000, \
         not \"here\""
    );
    assert_eq!(
        said("DATABASE_URL", "mysql://root:hunter2@db/x"),
        "`database_url` (environment variable DATABASE_URL) must begin with sqlite: or postgres:"
    );
    assert_eq!(
        said("ORDO_DATABASE_CONNECTIONS", "0"),
        "`database_connections` (environment variable ORDO_DATABASE_CONNECTIONS) must be a whole number from \
         1 to 500, not \"0\""
    );
    assert_eq!(
        said("ORDO_JWT_SECRET", "hunter2"),
        "`jwt_secret` (environment variable ORDO_JWT_SECRET) must have 32 bytes or more; it has 7"
    );
    assert!(said("ORDO_JWT_PUBLIC_KEY_FILE", "no.pem").starts_with(
        "`jwt_public_key_file` (environment variable ORDO_JWT_PUBLIC_KEY_FILE) names \"no.pem\", which cannot"
    ));
    assert_eq!(
        said("ORDO_JWT_ISSUER", " "),
        "`jwt_issuer` (environment variable ORDO_JWT_ISSUER) must not be empty; leave it out to have the default"
    );
    assert_eq!(
        said("ORDO_LOG", "ordo=loud"),
        "`log` (environment variable ORDO_LOG) must be a level such as info, or ordo=debug,warn, not \
         \"ordo=loud\""
    );
    assert_eq!(
        said("ORDO_DEMO", "yes"),
        "`demo` (environment variable ORDO_DEMO) must be auto or off, not \"yes\""
    );
    assert_eq!(
        said("ORDO_CORS_ORIGINS", "https://a.example, *"),
        "`cors_origins` (environment variable ORDO_CORS_ORIGINS) must name origins such as \
         https://shop.example.com, without a path, with commas between them, not \"*\""
    );
    assert!(said("ORDO_DOCUMENTS", "trusted").ends_with("`documents_file` names none"));
    assert!(said("ORDO_CONFIG", "no.toml").starts_with("the settings file no.toml cannot be read"));
}

#[test]
fn a_fault_of_the_file_names_the_file() {
    let said_of = |text: &str| {
        let (_folder, sources) = with_file(text);
        sentence_of(&sources)
    };
    assert_eq!(said_of("demo = \"no\""), "`demo` (file ordo.toml) must be auto or off, not \"no\"");
    assert_eq!(said_of("listen = 8000"), "`listen` (file ordo.toml) must be a text in quotes");
    assert!(
        said_of("lisen = \"x\"").starts_with("`lisen` (file ordo.toml) is not a setting; there are listen,")
    );
    assert!(said_of("[http]\nport = 1").starts_with("`http` (file ordo.toml) is not a setting"));
    let broken = said_of("log = \"info\"\njwt_secret = \"hunter2");
    assert!(
        broken.starts_with("the settings file ordo.toml cannot be read: TOML parse error at line 2"),
        "{broken}"
    );
    assert!(!broken.contains("hunter2") && !broken.contains('\n'), "{broken}");
}

#[test]
fn a_flag_is_named_as_it_is_written() {
    let (_folder, mut sources) = sources();
    sources.flags.insert("database_url", "x".into());
    assert_eq!(
        sentence_of(&sources),
        "`database_url` (flag --database-url) must begin with sqlite: or postgres:"
    );
}

#[test]
fn what_is_shown_is_a_settings_file_again_without_secrets() {
    let (_folder, mut first) = with_file("listen = \"127.0.0.1:1\"");
    first.variables.insert("ORDO_JWT_SECRET".into(), "hunter2 ".repeat(8));
    first.variables.insert("DATABASE_URL".into(), "postgres://me:hunter2@db/ordo".into());
    first.flags.insert("demo", "off".into());
    let shown = Config::load(&first).unwrap().shown();
    assert!(!shown.contains("hunter2"), "{shown}");
    for line in [
        "listen = \"127.0.0.1:1\"  # file ordo.toml",
        "database_url = \"postgres://me:…@db/ordo\"  # environment variable DATABASE_URL",
        "# jwt_secret is set (environment variable ORDO_JWT_SECRET) and not shown",
        "demo = \"off\"  # flag --demo",
        "jwt_issuer = \"ordo\"  # default",
        "# tls_key_file is not set",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} in {shown}");
    }
    let (_folder, second) = with_file(&shown);
    assert_eq!(Config::load(&second).unwrap().listen.port(), 1);
}

#[test]
fn without_a_secret_a_private_one_is_made_and_kept() {
    let (folder, sources) = sources();
    let config = Config::load(&sources).unwrap();
    let made = config.secret().unwrap();
    assert_eq!(made.bytes().len(), 64);
    assert_eq!(config.secret().unwrap(), made);
    assert!(!format!("{config:?} {made:?}").contains(std::str::from_utf8(made.bytes()).unwrap()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = std::fs::metadata(folder.path().join("ordo.secret")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
    std::fs::write(folder.path().join("ordo.secret"), "short").unwrap();
    assert!(config.secret().unwrap_err().to_string().ends_with("delete it to have a new one"));
}

#[test]
fn the_secret_file_stands_beside_the_database() {
    assert_eq!(beside("sqlite://data/ordo.db?mode=rwc"), Path::new("data/ordo.secret"));
    assert_eq!(beside("sqlite:///var/ordo.db"), Path::new("/var/ordo.secret"));
    assert_eq!(beside(DATABASE), Path::new("ordo.secret"));
    assert_eq!(beside("sqlite::memory:"), Path::new("ordo.secret"));
}

#[test]
fn a_reachable_installation_needs_a_configured_secret() {
    let said = |key: &'static str, value: &str| {
        let (folder, mut sources) = sources();
        sources.flags.insert(key, value.to_owned());
        let said = Config::load(&sources).unwrap().secret().unwrap_err().to_string();
        assert!(!folder.path().join("ordo.secret").exists());
        said
    };
    assert_eq!(
        said("listen", "0.0.0.0:8000"),
        "`jwt_secret` (ORDO_JWT_SECRET) is required when `listen` is not a loopback address: set it to a random \
         text of 32 bytes or more"
    );
    assert!(said("database_url", "postgres://db/ordo").contains("is required with PostgreSQL"));
}
