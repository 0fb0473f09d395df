//! The habits of the house that neither the compiler nor clippy can see, each with the sentence it fails with.
//! Reads the repository's own files as plain text and asks cargo for the licences; needs no database.
//! Never a matter of taste: what is not worth failing a build over is not here.

#![expect(clippy::expect_used, reason = "what a test cannot read, it fails on")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use spdx::{Expression, Licensee, ParseMode};

/// Which room must not know what; a room is a folder with everything below it. ARCHITECTURE.md has the picture.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "domain/src",
        &[
            "tokio",
            "sea_orm",
            "async_graphql",
            "axum",
            "entity::",
            "async fn",
            "Utc::now",
            "SystemTime::now",
            "Instant::now",
            "getrandom",
            "std::env",
            "std::fs",
            "std::net",
        ],
    ),
    ("entity/src", &["domain::", "tokio", "async_graphql", "axum", "Utc::now"]),
    ("migration/src", &["entity::", "domain::", "async_graphql", "axum", "Utc::now"]),
    (
        "src/store",
        &["async_graphql", "axum", "crate::usecase", "crate::graphql", "crate::bus", "crate::http"],
    ),
    ("src/bus", &["async_graphql", "axum", "crate::usecase", "crate::graphql", "crate::http", "sea_orm"]),
    ("src/usecase", &["sea_orm", "entity::", "async_graphql", "axum", "crate::graphql", "crate::http"]),
    ("src/graphql", &["sea_orm", "entity::", ".begin(", ".commit(", "crate::http"]),
    ("src/config", &["sea_orm", "axum", "async_graphql", "crate::store", "crate::http", "crate::graphql"]),
    ("src/http", &["sea_orm", "entity::", "crate::store"]),
    ("src/cli", &["sea_orm", "entity::", "async_graphql", "axum"]),
    (
        "src/telemetry",
        &[
            "sea_orm::",
            "entity::",
            "domain::",
            "async_graphql",
            "axum",
            "crate::store",
            "crate::bus",
            "crate::usecase",
            "crate::graphql",
            "crate::http",
        ],
    ),
];

/// What stands above a block of resolvers.
const RESOLVERS: &[&str] = &["#[Object", "#[ComplexObject", "#[Subscription"];

/// The folders with code that ships.
const SHIPPED: &[&str] = &["src", "domain/src", "entity/src", "migration/src"];

#[test]
fn no_room_knows_what_it_must_not_know() {
    let mut wrong = Vec::new();
    for (room, forbidden) in ARROWS {
        let files = rust_files(room);
        assert!(!files.is_empty(), "{room} has no file, so its arrow guards nothing");
        for file in files {
            let text = read(&file);
            for word in *forbidden {
                wrong.extend(
                    lines_with(&text, word).map(|line| format!("{file}:{line}: {room} never uses `{word}`")),
                );
            }
        }
    }
    assert_none(&wrong, "an arrow points the wrong way; ARCHITECTURE.md says where such code goes");
}

#[test]
fn every_room_has_its_arrows() {
    let known: BTreeSet<_> = ARROWS.iter().map(|(room, _)| (*room).to_owned()).collect();
    let wrong: Vec<_> = folders("src").into_iter().filter(|room| !known.contains(room)).collect();
    assert_none(&wrong, "a new room needs a row in ARROWS, in tests/it/tidy.rs");
}

#[test]
fn a_resolver_that_may_fail_puts_the_option_outside() {
    let needle = concat!("Result<", "Option<");
    let mut wrong = Vec::new();
    for file in rust_files("src/graphql") {
        let text = read(&file);
        if !RESOLVERS.iter().any(|attribute| text.contains(attribute)) {
            continue;
        }
        for (number, signature) in signatures(&text) {
            if signature.contains(needle) {
                wrong.push(format!("{file}:{number}"));
            }
        }
    }
    assert_none(
        &wrong,
        "async-graphql nulls the parent of a failed `Result<Option<T>>`; return `Option<Result<T>>`",
    );
}

#[test]
fn every_room_introduces_itself() {
    let rooms = folders("src").into_iter().map(|room| format!("{room}/mod.rs"));
    let crates = SHIPPED.iter().map(|folder| format!("{folder}/lib.rs"));
    let introduced =
        |file: &String| read(file).lines().take_while(|line| line.starts_with("//!")).count() >= 3;
    let wrong: Vec<_> = rooms.chain(crates).filter(|file| !introduced(file)).collect();
    assert_none(
        &wrong,
        "open with three `//!` lines: what it is for, what it may use, what never happens here",
    );
}

#[test]
fn deny_toml_allows_every_dependency_and_its_licence() {
    let deny: toml::Table = read("deny.toml").parse().expect("deny.toml is TOML");
    let licences = &deny["licenses"];
    let banned = deny["bans"]["deny"].as_array().expect("bans.deny is a list");
    let allowed = licensees(&licences["allow"]);
    let exceptions = licences["exceptions"].as_array().expect("licenses.exceptions is a list");
    let mut wrong = Vec::new();
    for package in metadata()["packages"].as_array().expect("packages") {
        let (name, licence) =
            (package["name"].as_str().unwrap_or("?"), package["license"].as_str().unwrap_or("none"));
        if banned.iter().any(|one| one["crate"].as_str() == Some(name)) {
            wrong.push(format!("{name}: banned"));
        }
        let named = exceptions.iter().filter(|exception| exception["crate"].as_str() == Some(name));
        let extra: Vec<_> = named.flat_map(|exception| licensees(&exception["allow"])).collect();
        let may =
            |required: &spdx::LicenseReq| allowed.iter().chain(&extra).any(|one| one.satisfies(required));
        if !Expression::parse_mode(licence, ParseMode::LAX).is_ok_and(|expression| expression.evaluate(may)) {
            wrong.push(format!("{name}: {licence}"));
        }
    }
    assert_none(&wrong, "deny.toml does not allow this dependency");
}

#[test]
fn no_file_is_too_long_to_read() {
    let long = |file: &String| read(file).lines().count() > 500;
    let wrong: Vec<_> = shipped_files().into_iter().filter(long).collect();
    assert_none(&wrong, "more than 500 lines; a long file mixes concerns");
}

#[test]
fn nothing_that_ships_panics_for_convenience() {
    let mut wrong = Vec::new();
    // A test module may have a file or a folder of its own.
    let shipped =
        |file: &String| file != "src/main.rs" && !file.ends_with("tests.rs") && !file.contains("/tests/");
    for file in shipped_files().into_iter().filter(shipped) {
        let text = read(&file);
        let ships = text.split("#[cfg(test)]").next().unwrap_or_default();
        for word in [".unwrap()", ".expect(\"", "todo!"] {
            wrong.extend(lines_with(ships, word).map(|line| format!("{file}:{line}: `{word}`")));
        }
    }
    assert_none(&wrong, "return an error instead");
}

#[test]
fn no_test_is_switched_off() {
    let needle = concat!("#[", "ignore");
    let mut wrong = Vec::new();
    for file in shipped_files().into_iter().chain(rust_files("tests")) {
        wrong.extend(lines_with(&read(&file), needle).map(|line| format!("{file}:{line}")));
    }
    assert_none(&wrong, "repair the test or delete it");
}

#[test]
fn the_readme_explains_every_setting() {
    let explained = settings(&read("README.md"));
    let wrong: Vec<_> = settings(&read("src/config/setting.rs")).difference(&explained).cloned().collect();
    assert_none(&wrong, "src/config reads this variable, but README.md does not name it");
}

#[test]
fn the_readme_says_how_to_run_and_how_to_test() {
    let readme = read("README.md");
    let wrong: Vec<_> =
        ["cargo run", "./test"].into_iter().filter(|command| !readme.contains(command)).collect();
    assert_none(&wrong, "README.md does not name this command");
}

/// The numbers of the lines with `word`, comments left out. `crate::room` is also found in `use crate::{room, …}`.
fn lines_with<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let room = word.strip_prefix("crate::");
    let mut grouped = false;
    code(text).filter_map(move |(number, line)| {
        grouped |= line.contains("use crate::{");
        let found = has_word(line, word) || grouped && room.is_some_and(|room| has_name(line, room));
        grouped &= !line.contains(';');
        found.then_some(number)
    })
}

/// Numbered lines that are not comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Whether `word` stands in `line` and is not the end of a longer name; `tokio` is also found in `tokio_stream`.
fn has_word(line: &str, word: &str) -> bool {
    let named = word.starts_with(is_name);
    line.match_indices(word).any(|(at, _)| !(named && line[..at].ends_with(is_name)))
}

fn has_name(line: &str, name: &str) -> bool {
    line.split(|character| !is_name(character)).any(|one| one == name)
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Each function's line and its signature up to the body, white space taken out.
fn signatures(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<_> = code(text).collect();
    let begins = (0..lines.len()).filter(|index| has_name(lines[*index].1, "fn"));
    let whole = begins.map(|index| {
        let body = lines[index..].iter().position(|(_, line)| line.contains('{')).unwrap_or(0);
        let signature = lines[index..=index + body].iter().flat_map(|(_, line)| line.split_whitespace());
        let signature: String = signature.collect();
        (lines[index].0, signature.split('{').next().unwrap_or_default().to_owned())
    });
    whole.collect()
}

/// The names of environment variables that a text mentions.
fn settings(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !(character.is_ascii_uppercase() || character == '_'));
    let named = words.filter(|word| {
        ["DATABASE_URL", "NATS_URL"].contains(word) || word.starts_with("ORDO_") && *word != "ORDO_"
    });
    named.map(str::to_owned).collect()
}

fn licensees(list: &toml::Value) -> Vec<Licensee> {
    let names = list.as_array().expect("a list of licences").iter().filter_map(toml::Value::as_str);
    names.map(|name| Licensee::parse(name).unwrap_or_else(|error| panic!("{name}: {error}"))).collect()
}

fn metadata() -> serde_json::Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let arguments = ["metadata", "--format-version", "1", "--locked"];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn shipped_files() -> Vec<String> {
    SHIPPED.iter().flat_map(|folder| rust_files(folder)).collect()
}

/// All Rust files below a folder, as paths from the root. A folder that is gone fails: its rule would be silent.
fn rust_files(folder: &str) -> Vec<String> {
    let (folders, files): (Vec<_>, Vec<_>) =
        entries(folder).into_iter().partition(|path| root().join(path).is_dir());
    let own = files.into_iter().filter(|path| path.ends_with(".rs"));
    own.chain(folders.iter().flat_map(|folder| rust_files(folder))).collect()
}

fn folders(folder: &str) -> Vec<String> {
    entries(folder).into_iter().filter(|path| root().join(path).is_dir()).collect()
}

fn entries(folder: &str) -> Vec<String> {
    let listed = std::fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut paths: Vec<_> = listed
        .map(|entry| entry.expect("a readable folder").path())
        .map(|path: PathBuf| path.strip_prefix(root()).expect("inside the root").display().to_string())
        .collect();
    paths.sort();
    paths
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn assert_none(wrong: &[impl AsRef<str>], rule: &str) {
    let list: Vec<_> = wrong.iter().map(AsRef::as_ref).collect();
    assert!(list.is_empty(), "{rule}:\n  {}", list.join("\n  "));
}
