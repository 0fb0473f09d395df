//! The program as people start it: the real binary in a folder of its own.

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::{
    harness::{Client, Database},
    postgres,
    session::send,
};

/// How long the program may take for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take to end.
const SOON: Duration = Duration::from_secs(5);
pub const LONG_SECRET: &str = "a secret of the tests, long enough for anybody";

/// The program with these arguments in this folder, without any setting of the one who runs the tests.
pub fn ordo(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ordo"));
    command.args(arguments).current_dir(folder).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if name == "DATABASE_URL" || name == "NATS_URL" || name.to_string_lossy().starts_with("ORDO_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs it to its end.
pub async fn run(mut command: Command) -> Output {
    timeout(PATIENCE, command.stdin(Stdio::null()).output()).await.expect("an end in time").expect("it runs")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// What it printed, given that all went well.
pub async fn printed(command: Command) -> String {
    let output = run(command).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// A server that runs.
pub struct Server {
    pub process: Child,
    pub url: String,
    /// What it printed at the start.
    greeting: String,
    _rest: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts it and reads what it prints, up to the `last` line.
    pub async fn start(mut command: Command, last: &str) -> Server {
        crate::harness::speak_tls();
        let folder = command.as_std().get_current_dir().expect("a folder");
        let log = std::fs::File::create(folder.join(LOG)).expect("a log");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut process = command.spawn().expect("it starts");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let mut greeting = String::new();
        loop {
            let line = timeout(PATIENCE, lines.next_line()).await.expect("a line in time").expect("a line");
            let line = line.unwrap_or_else(|| panic!("it ended after\n{greeting}"));
            greeting += &format!("{line}\n");
            if line.starts_with(last) {
                break;
            }
        }
        let rest = &greeting[greeting.find("http").expect("an address")..];
        let end = rest.find(|c: char| c.is_whitespace() || c == ',').expect("its end");
        let url = rest[..end].to_owned();
        Server { process, url, greeting, _rest: lines }
    }

    /// Asks it to end, and it does, well and in time.
    pub async fn stop(mut self) {
        self.terminate().await;
        self.ended(SOON).await;
    }

    /// Asks it to end.
    pub async fn terminate(&self) {
        let pid = self.process.id().expect("it still runs").to_string();
        let kill = Command::new("sh").args(["-c", &format!("kill -TERM {pid}")]).status().await;
        assert!(kill.expect("a signal").success());
    }

    /// Waits until it has ended, well and in time.
    pub async fn ended(&mut self, time: Duration) {
        let status = timeout(time, self.process.wait()).await.expect("an end in time").expect("a status");
        assert!(status.success(), "{status}");
    }
}

/// What a server wrote to standard error, in its folder.
pub const LOG: &str = "log.txt";
/// A free port of this machine, at least a moment ago.
pub const ANY_PORT: [&str; 2] = ["--listen", "127.0.0.1:0"];

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_makes_a_company_and_a_secret_and_prints_a_query_that_works() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(ordo(folder.path(), &ANY_PORT), "curl ").await;
    assert!(folder.path().join("ordo.db").is_file());
    let secret = std::fs::metadata(folder.path().join("ordo.secret")).expect("a secret");
    assert_eq!((secret.permissions().mode() & 0o777, secret.len()), (0o600, 64));

    // The printed command, executed.
    let curl = server.greeting.lines().last().unwrap();
    let between = |from: &str, to: &str| {
        let rest = curl.split_once(from).expect(from).1;
        rest.split_once(to).expect(to).0.to_owned()
    };
    let request = reqwest::Client::new().post(between("curl -s ", " "));
    let request = request.bearer_auth(between("Bearer ", "\"")).header("content-type", "application/json");
    let response = request.body(between("-d '", "'")).send().await.unwrap();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["data"]["orders"]["nodes"].as_array().map(Vec::len), Some(3), "{body}");

    // A token for every role, each of which opens the door to that role.
    let lines: Vec<&str> = server.greeting.lines().collect();
    let tokens: Vec<_> = lines.windows(2).filter(|pair| pair[1].starts_with("eyJ")).collect();
    assert_eq!(tokens.len(), 10, "{}", server.greeting);
    for pair in tokens {
        let client = Client::new(&server.url, Some(pair[1].to_owned()));
        let data =
            client.data("{ viewer { memberships { role } } orders(first: 1) { nodes { id } } }", json!({}));
        let data = data.await;
        let roles = data["viewer"]["memberships"].as_array().unwrap();
        assert!(roles.iter().any(|membership| membership["role"] == pair[0]), "{}: {data}", pair[0]);
        assert_ne!(data["orders"]["nodes"], json!([]), "{} has something to look at", pair[0]);
    }

    let ready = reqwest::get(format!("{}/readyz", server.url)).await.unwrap();
    assert_eq!(
        (ready.status().as_u16(), ready.text().await.unwrap().as_str()),
        (200, "{\"checks\":{\"database\":\"ok\",\"feed\":\"ok\"},\"status\":\"ready\"}")
    );
    let page = reqwest::get(&server.url).await.unwrap().text().await.unwrap();
    for shown in [ordo::http::QUERY, "Tokens of the demo company", lines[3]] {
        assert!(page.contains(shown), "{shown}");
    }
    let stranger = reqwest::Client::new().get(&server.url).header("host", "evil.example");
    assert!(!stranger.send().await.unwrap().text().await.unwrap().contains(lines[3]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_query_mutation_and_subscription_work_as_printed() {
    let readme = include_str!("../../README.md");
    for shown in [ordo::http::QUERY, ordo::http::MUTATION, ordo::http::SUBSCRIPTION] {
        assert!(readme.contains(shown), "README.md shows\n{shown}");
    }
    let folder = TempDir::new().unwrap();
    let server = Server::start(ordo(folder.path(), &ANY_PORT), "curl ").await;
    let token = printed(ordo(folder.path(), &["token", "--as", "staff"])).await;
    let token = token.lines().last().expect("a token").to_owned();
    let staff = Client::new(&server.url, Some(token));
    let found = staff.data(ordo::http::QUERY, json!({})).await;
    let order = &found["orders"]["nodes"][0];
    assert!(order["status"]["label"].is_string() && order["customer"]["name"].is_string(), "{order}");
    let mut live = staff.subscribe(ordo::http::SUBSCRIPTION, json!({})).await;
    assert_eq!(live.change().await["kind"], "STARTED");
    let noted = staff.data(ordo::http::MUTATION, json!({ "order": order["id"] })).await;
    assert_eq!(noted["orderAddNote"]["errors"], json!([]));
    assert_eq!(noted["orderAddNote"]["order"]["number"], order["number"]);
    let change = live.change().await;
    assert_eq!((&change["kind"], &change["order"]["number"]), (&json!("NOTE"), &order["number"]));
    assert!(change["event"]["at"].is_string() && change["cursor"].is_string());
    // A socket that is open does not hold up the end.
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_loads_nothing_and_prints_no_token() {
    let folder = TempDir::new().unwrap();
    Server::start(ordo(folder.path(), &ANY_PORT), "curl ").await.stop().await;
    let secret = std::fs::read(folder.path().join("ordo.secret")).unwrap();
    let again =
        Server::start(ordo(folder.path(), &["serve", "--listen", "localhost:0"]), "Ordo listens on").await;
    assert_eq!(again.greeting.lines().count(), 1, "{}", again.greeting);
    let page = reqwest::get(&again.url).await.unwrap().text().await.unwrap();
    assert!(page.contains(ordo::http::QUERY) && !page.contains("eyJ"));
    let token = printed(ordo(folder.path(), &["token", "--as", "admin", "--hours", "1"])).await;
    let admin = Client::new(&again.url, Some(token.trim().to_owned()));
    let count =
        admin.data("{ orders { totalCount } organizations(first: 100) { nodes { id } } }", json!({})).await;
    let orders = count["orders"]["totalCount"].as_i64().unwrap();
    assert!((100..=220).contains(&orders), "{orders} orders: one company, not two");
    assert_eq!(count["organizations"]["nodes"].as_array().map(Vec::len), Some(6));
    again.stop().await;
    assert_eq!(std::fs::read(folder.path().join("ordo.secret")).unwrap(), secret);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_loaded_where_it_was_not_asked_for() {
    for (arguments, variable) in [
        (vec!["--listen", "127.0.0.1:0", "--demo", "off"], None),
        (vec!["--listen", "127.0.0.1:0", "--database-url", "sqlite://other.db?mode=rwc"], None),
        (vec!["--listen", "0.0.0.0:0"], Some(("ORDO_JWT_SECRET", LONG_SECRET))),
    ] {
        let folder = TempDir::new().unwrap();
        let mut command = ordo(folder.path(), &arguments);
        command.envs(variable);
        let server = Server::start(command, "Ordo listens on").await;
        assert!(!server.greeting.contains("demo company"), "{arguments:?}");
        assert_eq!(folder.path().join("ordo.secret").exists(), variable.is_none(), "{arguments:?}");
        server.stop().await;
        let mut token = ordo(folder.path(), &["token", "--as", "staff"]);
        token.args(arguments.iter().skip(2)).envs(variable);
        let output = run(token).await;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains("there is no account for `staff`"), "{}", text(&output.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_demo_and_token_work_on_the_database_that_is_named() {
    let folder = TempDir::new().unwrap();
    let database_url = match Database::of_this_run() {
        Database::Sqlite => "sqlite://shop.db?mode=rwc".to_owned(),
        Database::Postgres => postgres::empty().await,
    };
    let with = |arguments: &[&str]| {
        let mut command = ordo(folder.path(), arguments);
        command.env("DATABASE_URL", &database_url).env("ORDO_JWT_SECRET", LONG_SECRET);
        command
    };
    for _ in 0..2 {
        assert_eq!(printed(with(&["migrate"])).await, "the database is at the newest version\n");
    }
    assert!(printed(with(&["demo"])).await.starts_with("the demo company is loaded"));
    let twice = run(with(&["demo"])).await;
    assert_eq!(twice.status.code(), Some(1));
    assert!(text(&twice.stderr).contains("the database is not empty"), "{}", text(&twice.stderr));
    let output = run(with(&["token", "--as", "provider"])).await;
    let token = text(&output.stdout);
    assert_eq!(token.lines().count(), 1, "standard output is the token alone: {token}");
    let email = text(&output.stderr);
    let email = email.split_once('<').and_then(|(_, rest)| rest.split_once('>')).expect("whose it is").0;
    let by_email = printed(with(&["token", "--as", email])).await;
    let server = Server::start(with(&["--listen", "127.0.0.1:0"]), "Ordo listens on").await;
    let mut people = Vec::new();
    for token in [token, by_email] {
        let client = Client::new(&server.url, Some(token.trim().to_owned()));
        people.push(client.data("{ viewer { user { email } } orders { totalCount } }", json!({})).await);
    }
    assert_eq!(people[0]["viewer"]["user"]["email"], email);
    assert_eq!(people[0], people[1]);
    let token = printed(with(&["password-reset", "--for", email])).await;
    let nobody = Client::new(&server.url, None);
    let input = json!({ "token": token.trim(), "new": "correct horse battery" });
    let reset = send(&nobody, "passwordReset", input).await;
    assert_eq!(reset.body["data"]["passwordReset"]["errors"], json!([]), "{:#}", reset.body);
    let input = json!({ "email": email, "password": "correct horse battery" });
    let login = send(&nobody, "login", input).await;
    assert_eq!(login.body["data"]["login"]["session"]["viewer"]["user"]["email"], email);
    server.stop().await;
    let output = run(with(&["password-reset", "--for", "nobody@x"])).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("there is no account for `nobody@x`"));
    for who in ["nobody@x", "chief", ""] {
        let output = run(with(&["token", "--as", who])).await;
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.contains(&format!("there is no account for `{who}`; name an e-mail address")), "{said}");
        assert!(output.stdout.is_empty());
    }
    assert!(!folder.path().join("ordo.secret").exists() && !folder.path().join("ordo.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_printed_without_any_setting() {
    let folder = TempDir::new().unwrap();
    let mut command = ordo(folder.path(), &["schema"]);
    command.env("ORDO_LISTEN", "nonsense");
    assert_eq!(printed(command).await, include_str!("../../schema.graphql"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn workflow_files_are_checked_and_every_fault_is_named() {
    let folder = TempDir::new().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("domain/src/workflow/builtin");
    let mut checked = 0;
    for file in std::fs::read_dir(&shipped).unwrap() {
        let file = file.unwrap().path();
        let said = printed(ordo(folder.path(), &["workflow", "check", file.to_str().unwrap()])).await;
        assert_eq!(said, format!("{}: ok\n", file.display()));
        checked += 1;
    }
    assert_eq!(checked, 5);
    let cloud = std::fs::read_to_string(shipped.join("cloud.toml")).unwrap();
    let broken = cloud.replacen("to = \"cancelled\"", "to = \"lost\"", 1).replace("initial = true", "");
    let strange = cloud.replacen("\"staff\"", "\"chief\"", 1);
    for (name, content, places) in [
        ("broken.toml", broken.as_str(), vec!["lost", "initial"]),
        ("strange.toml", strange.as_str(), vec!["line ", "`chief`"]),
        ("empty.toml", "", vec!["code"]),
        ("no.toml", "= =", vec!["1"]),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
        let output = run(ordo(folder.path(), &["workflow", "check", name])).await;
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.lines().all(|line| line.starts_with(&format!("{name}: "))), "{said}");
        for place in places {
            assert!(said.contains(place), "{name} at {place}: {said}");
        }
    }
    let output = run(ordo(folder.path(), &["workflow", "check", "lost.toml"])).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("ordo: lost.toml cannot be read: "), "{}", text(&output.stderr));
}

/// Arguments, variables, the settings file, and how the sentence begins.
type Wrong<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str, &'a str);

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_is_one_sentence_that_names_it_and_exit_code_2() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let in_use = ["--listen", address.as_str()];
    let nothing: [(&str, &str); 0] = [];
    let secret = [("ORDO_JWT_SECRET", LONG_SECRET)];
    #[rustfmt::skip]
    let rows: Vec<Wrong<'_>> = vec![
        (&["--listen", "nonsense"], &nothing, "", "`listen` (flag --listen) must be an address with a port"),
        (&[], &[("ORDO_LISTEN", "127.0.0.1")], "", "`listen` (environment variable ORDO_LISTEN) must be"),
        (&[], &nothing, "listen = \"1.2.3.4:99999\"", "`listen` (file ordo.toml) must be an address"),
        (&["--database-url", "mysql://x"], &nothing, "", "`database_url` (flag --database-url) must"),
        (&["--secret-file", "no/such/folder/s"], &nothing, "", "`secret_file` (flag --secret-file) names no/such/folder/s, which cannot be created"),
        (&["--database-url", "sqlite:///no/such/folder/a.db?mode=rwc", "--listen", "127.0.0.1:0"], &secret, "", "`database_url` (flag --database-url) cannot be opened"),
        (&["--database-url", "postgres://localhost:1/x", "--listen", "127.0.0.1:0"], &secret, "", "`database_url` (flag --database-url) cannot be opened"),
        (&[], &[("DATABASE_URL", "postgres://localhost/x")], "", "`jwt_secret` (ORDO_JWT_SECRET) is required with PostgreSQL"),
        (&["--listen", "0.0.0.0:0"], &nothing, "", "`jwt_secret` (ORDO_JWT_SECRET) is required when `listen`"),
        (&[], &[("ORDO_JWT_SECRET", "short")], "", "`jwt_secret` (environment variable ORDO_JWT_SECRET) must have 32 bytes"),
        (&["--database-connections", "0"], &nothing, "", "`database_connections` (flag --database-connections) must"),
        (&["--log", "a=b=c"], &nothing, "", "`log` (flag --log) must"),
        (&["--demo", "yes"], &nothing, "", "`demo` (flag --demo) must be auto or off"),
        (&["--jwt-public-key-file", "no.pem"], &nothing, "", "`jwt_public_key_file` (flag --jwt-public-key-file) names"),
        (&["--config", "no.toml"], &nothing, "", "the settings file no.toml cannot be read"),
        (&[], &nothing, "colour = \"red\"", "`colour` (file ordo.toml) is not a setting"),
        (&[], &nothing, "listen = ", "the settings file ordo.toml cannot be read"),
        (&in_use, &nothing, "", "`listen` (flag --listen) cannot be used"),
    ];
    for (arguments, variables, file, sentence) in rows {
        let folder = TempDir::new().unwrap();
        if !file.is_empty() {
            std::fs::write(folder.path().join("ordo.toml"), file).unwrap();
        }
        let mut command = ordo(folder.path(), arguments);
        command.envs(variables.iter().copied());
        let output = run(command).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {variables:?} {file}: {said}");
        assert!(said.starts_with(&format!("ordo: {sentence}")), "{sentence}: {said}");
        assert_eq!(said.lines().count(), 1, "one sentence: {said}");
        assert!(output.stdout.is_empty());
        assert!(!folder.path().join("ordo.db").exists(), "{sentence}");
    }
}
