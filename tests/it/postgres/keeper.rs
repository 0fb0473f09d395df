//! A shell script that keeps a throwaway PostgreSQL cluster for as long as this process lives: for the tests, for
//! the load binary and for the fault suite.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// Settings of a cluster that loses nothing that it has acknowledged.
pub const DURABLE: &str = "-c fsync=on -c synchronous_commit=on -c full_page_writes=on";

/// Where a cluster's files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// Under /tmp.
    OnDisk,
    /// In memory where there is plenty (23 ms for a fresh database), else under /tmp (up to 500 ms once a slow
    /// disk has to write it all back).
    InMemory,
}

/// Lives as long as this process, then stops the server and removes the folder. Processes are killed and statics
/// never dropped, so the end of standard input is the signal: the kernel closes it however this process ends.
/// Signals are ignored so that Ctrl-C cannot end this script too early. All paths are short enough for a socket's
/// 107 bytes. Its first line says the cluster's folder, or something else and then why there is none.
const SCRIPT: &str = r#"
trap '' HUP INT PIPE TERM
base=/tmp
if [ "$2" = memory ] &&
  [ "$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print ($4 > 4 * 1024 * 1024) }')" = 1 ] &&
  awk '$1 == "MemAvailable:" { exit !($2 > 8 * 1024 * 1024) }' /proc/meminfo
then base=/dev/shm; fi
dir=$(mktemp -d "$base/$1-XXXXXX") && chmod 0755 "$dir" || exit 1
if initdb -D "$dir/data" -U postgres -A trust --no-sync -E UTF8 --locale=C.UTF-8 >"$dir/log" 2>&1 &&
  pg_ctl -D "$dir/data" -w -l "$dir/log" -o "-c listen_addresses='' -k $dir $3" start >>"$dir/log" 2>&1
then echo "$dir"; else echo failed; cat "$dir/log"; fi
exec >/dev/null 2>&1
cat >/dev/null
pg_ctl -D "$dir/data" -m immediate stop
rm -rf "$dir"
"#;

/// Starts a cluster with these settings besides, in a folder whose name begins so; the folder, and what keeps the
/// cluster. It ends when its standard input does.
pub fn keep(name: &str, files: Files, settings: &str) -> Result<(PathBuf, Child), String> {
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
    let place = if files == Files::InMemory { "memory" } else { "disk" };
    let mut keeper = command()?
        .args(["sh", "-c", SCRIPT, "keeper", name, place, settings])
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
