//! A shell script that keeps a throwaway PostgreSQL cluster for as long as this process lives. The tests
//! and the load binary have a script each; how it is started and heard is the same.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// Runs the script, whose first line says the cluster's folder, or something else and then why there is none.
/// It ends when its standard input does.
pub fn keep(script: &str) -> Result<(PathBuf, Child), String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let path = match newest_installed() {
        Some(bin) => format!("{}:{path}", bin.display()),
        None => path,
    };
    if !path.split(':').any(|folder| PathBuf::from(folder).join("initdb").is_file()) {
        return Err(
            "PostgreSQL's server is missing: no initdb under /usr/lib/postgresql/*/bin or on the PATH. \
             Install it with `apt-get install postgresql`, or run ./test, which does."
                .to_owned(),
        );
    }
    let mut keeper = command()?
        .args(["sh", "-c", script])
        .env("PATH", path)
        .current_dir("/tmp")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| {
            format!("PostgreSQL's keeper does not start (needs env, sh and, as root, setpriv): {error}")
        })?;
    let mut said = String::new();
    let mut rest = String::new();
    if let Some(stdout) = keeper.stdout.take() {
        let mut stdout = BufReader::new(stdout);
        let read = stdout.read_line(&mut said).and_then(|_| stdout.read_to_string(&mut rest));
        read.map_err(|error| format!("PostgreSQL's keeper cannot be heard: {error}"))?;
    }
    match said.trim() {
        folder if folder.starts_with('/') => Ok((folder.into(), keeper)),
        _ => Err(format!("PostgreSQL does not start; it said:\n{rest}")),
    }
}

/// `initdb` refuses root, so root becomes the user that Debian's package made.
pub fn command() -> Result<Command, String> {
    let own =
        std::fs::metadata("/proc/self").map_err(|error| format!("/proc/self cannot be read: {error}"))?;
    if own.uid() != 0 {
        return Ok(Command::new("env"));
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    Ok(command)
}

/// Where the programs of the newest installed version are.
pub fn newest_installed() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let numbered =
        versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())));
    let complete = numbered.map(|(version, path)| (version, path.join("bin")));
    complete.filter(|(_, bin)| bin.join("initdb").is_file()).max().map(|(_, bin)| bin)
}
