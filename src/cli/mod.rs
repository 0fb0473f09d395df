//! The command line: what each command does, and what it prints; one file for each that is long.
//! It may use the application, the settings and clap.
//! What never happens here: a rule, SQL, an answer to a client.

mod backup;
mod bell;
mod door;
mod keys;
mod timers;
mod token;
#[cfg(unix)]
mod worker;
mod workflow;

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result, anyhow, bail};
use chrono::TimeDelta;
use clap::{Arg, ArgMatches, Args, FromArgMatches, Parser, Subcommand};
use domain::role::Role;
use ordo::{
    app::{App, Machine},
    config::{self, Config, Demo, SETTINGS, Secret, Setting, Sources},
    error::Error,
    graphql,
    http::{self, StartPage, auth::Auth},
    store::Store,
    telemetry::{log, trace::Traces},
    usecase,
};
use tokio::{net::TcpListener, sync::oneshot};

/// An order-management backend: GraphQL with live, resumable subscriptions.
#[derive(Debug, Parser)]
#[command(name = "ordo", version)]
pub struct Arguments {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Settings; each wins over its environment variable, and that over the file.
#[derive(Debug)]
struct Flags(BTreeMap<&'static str, String>);

impl Args for Flags {
    fn augment_args(command: clap::Command) -> clap::Command {
        let file = Arg::new("config").long("config").value_name("FILE").global(true);
        let file = file.help("The settings file [env: ORDO_CONFIG] [default: ordo.toml, if there]");
        let flags = SETTINGS.iter().filter(|setting| !setting.is_secret()).map(flag);
        command.arg(file).args(flags)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Flags::augment_args(command)
    }
}

/// The flag of a setting. Its default stands in the help only: a flag that is not given leaves the word to
/// the environment.
fn flag(setting: &'static Setting) -> Arg {
    let Setting { key, variable, default, value, help, .. } = setting;
    let default = default.map_or_else(String::new, |default| format!(" [default: {default}]"));
    let flag = Arg::new(key).long(setting.flag()).value_name(value).global(true);
    flag.help(format!("{help} [env: {variable}]{default}"))
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Flags, clap::Error> {
        let keys = SETTINGS.iter().filter(|setting| !setting.is_secret()).map(|setting| setting.key);
        let given = keys.chain(["config"]).filter_map(|key| {
            let value: &String = matches.get_one(key)?;
            Some((key, value.clone()))
        });
        Ok(Flags(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Flags::from_arg_matches(matches)?;
        Ok(())
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve (what happens without a command, too)
    Serve,
    /// Bring the database to the newest version
    Migrate,
    /// Print the GraphQL schema
    Schema,
    /// Print a token; the bare token is the last line
    Token {
        /// A role (admin, staff, provider, consumer …) or an account's e-mail address
        #[arg(long = "as", value_name = "ROLE|EMAIL")]
        who: String,
        /// How long it is valid
        #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=8_784))]
        hours: u32,
    },
    /// Print a token that sets an account's password, once; the bare token is the last line
    PasswordReset {
        /// The account's e-mail address
        #[arg(long = "for", value_name = "EMAIL")]
        who: String,
    },
    /// Load the demo company into an empty database
    Demo,
    /// Print every setting and where it came from; secrets are named, never shown
    Config,
    /// Save the whole database to a file, while the server runs
    Backup {
        /// A file that does not exist yet
        file: PathBuf,
    },
    /// Run a program for each attempt at provisioning that a service token may claim
    #[cfg(unix)]
    Worker(worker::Options),
    /// List what time does next to orders: when, which order, what
    Timers(timers::Options),
    /// Look after the keys that seal what is stored
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Look after workflows
    #[command(subcommand)]
    Workflow(workflow::Command),
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { flags, command } = arguments;
    match command {
        // These need no settings, and must work whatever the settings are.
        Some(Command::Schema) => print(&graphql::sdl())?,
        Some(Command::Workflow(workflow::Command::Check { file })) => return workflow::check(&file),
        command => {
            let config = Config::load(&Sources::of_process(flags.0)?)?;
            if let Some(Command::Config) = command {
                print(&config.shown())?;
                return Ok(ExitCode::SUCCESS);
            }
            let traces = start_log(&config)?;
            let done = carry_out(&config, command.unwrap_or(Command::Serve)).await;
            if let Some(traces) = traces {
                traces.flush().await;
            }
            return done;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Carries out a command that needs the settings.
async fn carry_out(config: &Config, command: Command) -> Result<ExitCode> {
    match command {
        Command::Migrate => migrate(config).await?,
        Command::Token { who, hours } => token::print_for(config, &who, hours).await?,
        Command::PasswordReset { who } => token::print_reset(config, &who).await?,
        Command::Demo => demo(config).await?,
        Command::Timers(options) => timers::list(config, &options).await?,
        Command::Keys(command) => keys::run(config, command).await?,
        Command::Backup { file } => backup::run(config, &file).await?,
        #[cfg(unix)]
        Command::Worker(options) => worker::run(options).await?,
        Command::Workflow(command) => return workflow::run(config, command).await,
        Command::Serve | Command::Schema | Command::Config => serve(config).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn start_log(config: &Config) -> Result<Option<Traces>> {
    let traces = config.traces_endpoint.as_deref().map(Traces::to).transpose();
    let traces = traces.map_err(|error| config.fault("traces_endpoint", error))?;
    let colours = std::io::stderr().is_terminal();
    log::start(&config.log, config.log_format, colours, traces.as_ref())?;
    Ok(traces)
}

async fn migrate(config: &Config) -> Result<()> {
    let store = open(config).await?;
    store.migrate().await.map_err(plain).context("the database could not be migrated")?;
    store.close().await.map_err(plain)?;
    print("the database is at the newest version\n")
}

async fn demo(config: &Config) -> Result<()> {
    config.secret()?;
    let app = start(open(config).await?, config).await?;
    if !usecase::demo::is_empty(&app).await.map_err(plain)? {
        bail!("the database is not empty; `ordo demo` wants a new one (--database-url)");
    }
    usecase::demo::load(&app).await.map_err(plain).context("the demo company could not be loaded")?;
    app.store.close().await.map_err(plain)?;
    print("the demo company is loaded; now run `ordo serve`, and `ordo token --as staff`\n")
}

async fn serve(config: &Config) -> Result<()> {
    let secret = config.secret()?;
    let auth = auth(config, secret.bytes())?;
    let settings = door::settings(config)?;
    let wire = bell::wire(config)?;
    // Before the database: where the address is taken, nothing shall be left behind.
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.map_err(|error| {
        config.fault("listen", format_args!("cannot be used: {} ({error})", config.listen))
    })?;
    let address = listener.local_addr().context("the address cannot be read")?;
    let demo = wants_demo(config);
    if demo {
        load_demo_apart(config).await?;
    }
    let app = start(open(config).await?, config).await?;
    let app = bell::hung(app, wire).await?;
    let mut start = StartPage { tls: settings.tls.is_some(), ..StartPage::default() };
    if demo {
        start.tokens = Some(token::of_the_demo(&app, &auth).await?);
    }
    tokio::spawn(app.feed.clone().run());
    tokio::spawn(usecase::upkeep::run(app.clone(), TimeDelta::days(config.feed_days.into())));
    tokio::spawn(usecase::order::watch_leases(app.clone()));
    let (end, ended) = oneshot::channel::<()>();
    // Told to end, or left without anybody who could tell it.
    let jobs = tokio::spawn(usecase::job::run(app.clone(), async { drop(ended.await) }));
    let stop = stop_signal()?;
    let scheme = if start.tls { "https" } else { "http" };
    greet(&format!("{scheme}://{address}"), start.tokens.as_deref())?;
    let store = app.store.clone();
    http::serve(listener, app, auth, settings, start, stop).await.context("the server stopped")?;
    // What jobs are at is done to its end; what is not is taken up again by the next server.
    drop(end);
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), jobs).await;
    // Statements of clients that are gone may still run; they are given up with the process.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), store.close()).await;
    Ok(())
}

/// Only a new database on the default file, for this machine only.
fn wants_demo(config: &Config) -> bool {
    config.demo == Demo::Auto
        && config.is_local()
        && config.database_url == config::DATABASE
        && config.sqlite_file().is_some_and(|file| !file.exists())
}

/// Loads the demo company by `ordo demo`, a process of its own: what loading takes would stay with a
/// server that then idles for days.
async fn load_demo_apart(config: &Config) -> Result<()> {
    let program = std::env::current_exe().context("the program cannot be found again")?;
    let mut command = tokio::process::Command::new(program);
    command.args(["--database-url", &config.database_url, "demo"]);
    let done = command.stdin(std::process::Stdio::null()).output().await;
    let done = done.context("`ordo demo` could not be started")?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        bail!("the demo company could not be loaded: {said}");
    }
    Ok(())
}

fn greet(url: &str, tokens: Option<&[(String, String)]>) -> Result<()> {
    let Some(tokens) = tokens else {
        return print(&format!("Ordo listens on {url}\n"));
    };
    let mut text = format!("Ordo listens on {url}, with a demo company in ordo.db.\n");
    for (role, token) in tokens {
        text += &format!("\n{role}\n{token}\n");
    }
    if let Some((_, token)) = tokens.iter().find(|(role, _)| role == Role::Staff.name()) {
        text += &format!("\nA first query, as staff:\n{}\n", http::curl(url, token));
    }
    print(&text)
}

fn auth(config: &Config, secret: &[u8]) -> Result<Auth> {
    let (issuer, audience) = (&config.jwt_issuer, &config.jwt_audience);
    let own = match &config.jwt_public_key {
        None => Auth::with_secret(secret, issuer, audience),
        Some(pem) => Auth::with_public_key(pem, issuer, audience)
            .map_err(|error| config.fault("jwt_public_key_file", error))?,
    };
    Ok(own.trusting(door::identities(config)?))
}

async fn open(config: &Config) -> Result<Store> {
    Store::open(&config.database_url, config.database_connections).await.map_err(|error| {
        config.fault("database_url", format_args!("cannot be opened: {:#}", plain(error))).into()
    })
}

/// The store of a database that is there: a command about accounts does not make an empty one.
async fn open_existing(config: &Config) -> Result<Store> {
    if config.sqlite_file().is_some_and(|file| !file.exists()) {
        bail!("there is no database yet; run `ordo serve` or `ordo demo` first");
    }
    open(config).await
}

async fn start(store: Store, config: &Config) -> Result<App> {
    let app = App::start(store, config.secret()?.bytes(), Arc::new(Machine)).await;
    let app = app.map_err(plain).context("the database could not be brought up")?;
    let keys = app.keys.clone().remembering(config.previous_secrets.iter().map(Secret::bytes));
    Ok(App { keys, ..app })
}

/// An error as the person at the console may see it: with its inside, on one line.
fn plain(error: Error) -> anyhow::Error {
    match error {
        Error::Internal(inside) => {
            // Its own text already holds its causes.
            let text = inside.to_string();
            let words: Vec<&str> = text.split_whitespace().collect();
            anyhow!(words.join(" "))
        }
        other => other.into(),
    }
}

/// Prints to standard output; a reader that has gone away is no fault of ours.
fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// SIGTERM, or an interrupt from the keyboard, from now on: a signal that comes before the server listens
/// to it is not lost, and does not end the process in the middle of its work.
#[cfg(unix)]
fn stop_signal() -> Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).context("signals cannot be received");
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping");
    })
}

/// An interrupt from the keyboard.
#[cfg(not(unix))]
fn stop_signal() -> Result<impl Future<Output = ()> + Send> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        tracing::info!("stopping");
    })
}
