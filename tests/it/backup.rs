//! `ordo backup` and the way back, on the database of this run.

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use futures_util::future::join;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    cli::{LONG_SECRET, Server, ordo, printed, run, text},
    harness::{App, Client, Database, SECRET},
    postgres,
};

/// Orders placed around a backup, at the least.
const ORDERS: usize = 200;

fn saving(folder: &Path, url: &str, file: &str) -> Command {
    let mut command = ordo(folder, &["backup", file]);
    command.env("DATABASE_URL", url).env("ORDO_JWT_SECRET", LONG_SECRET);
    command
}

/// Brings the backup back, as the README says, and returns the new database's URL.
async fn restored(folder: &Path, file: &str) -> String {
    match Database::of_this_run() {
        Database::Sqlite => {
            std::fs::copy(folder.join(file), folder.join("restored.db")).unwrap();
            format!("sqlite://{}?mode=rwc", folder.join("restored.db").display())
        }
        Database::Postgres => {
            let url = postgres::empty().await;
            let folder_of = url.split_once("host=").unwrap().1.to_owned();
            let name = url.rsplit('/').find(|part| part.starts_with('t')).unwrap();
            let name = name.split('?').next().unwrap();
            let restore = Command::new(postgres::program("pg_restore"))
                .args(["--no-owner", "--exit-on-error", "--username=postgres", "--host", &folder_of])
                .args(["--dbname", name, file])
                .current_dir(folder)
                .output();
            let restore = restore.await.unwrap();
            assert!(restore.status.success(), "{}", text(&restore.stderr));
            url
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_while_orders_are_placed_is_whole_and_serves() {
    let app = App::start().await;
    let folder = TempDir::new().unwrap();
    let staff = app.staff();
    let mut before = Vec::new();
    for _ in 0..ORDERS / 4 {
        before.push(app.place(&staff, &app.company.webspace, 2).await);
    }
    let saved = AtomicBool::new(false);
    let place = async {
        let mut placed = before.len();
        let mut meanwhile = 0;
        while placed < ORDERS || !saved.load(Ordering::SeqCst) {
            meanwhile += usize::from(!saved.load(Ordering::SeqCst));
            app.place(&staff, &app.company.webspace, 2).await;
            placed += 1;
        }
        meanwhile
    };
    let save = async {
        let said = printed(saving(folder.path(), &app.database_url, "saved")).await;
        saved.store(true, Ordering::SeqCst);
        said
    };
    let (meanwhile, said) = join(place, save).await;
    assert!(meanwhile > 1, "nobody waited for the backup");
    assert!(said.starts_with("saved: ") && said.contains("keep the configured secret"), "{said}");
    let mode = std::fs::metadata(folder.path().join("saved")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "for its owner alone");
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert_eq!(names, ["saved"], "nothing else is left behind");

    let url = restored(folder.path(), "saved").await;
    let mut command = ordo(folder.path(), &["--listen", "127.0.0.1:0"]);
    command.env("DATABASE_URL", url).env("ORDO_JWT_SECRET", std::str::from_utf8(SECRET).unwrap());
    let server = Server::start(command, "Ordo listens on").await;
    let mut token = ordo(folder.path(), &["token", "--as", "staff"]);
    token.env("DATABASE_URL", &app.database_url).env("ORDO_JWT_SECRET", std::str::from_utf8(SECRET).unwrap());
    let again = Client::new(&server.url, Some(printed(token).await.trim().to_owned()));
    for order in &before {
        let query = "query($id: ID!) { order(by: { id: $id }) { id version items { nodes { quantity } } \
            timeline { nodes { kind } } } }";
        let now = again.data(query, json!({ "id": order })).await;
        assert_eq!(now, staff.data(query, json!({ "id": order })).await);
        assert_eq!(now["order"]["items"]["nodes"], json!([{ "quantity": 2 }]));
        assert_eq!(now["order"]["timeline"]["nodes"].as_array().map(Vec::len), Some(1));
    }
    let query = "mutation($input: OrderCreateInput!) { orderCreate(input: $input) { order { version } errors { code } } }";
    let customer = app.company.customer.to_string();
    let lines = json!([{ "product": app.company.webspace.id.to_string(), "quantity": 1 }]);
    let input = json!({ "input": { "customer": { "id": customer }, "lines": lines } });
    let placed: Value = again.data(query, input).await;
    assert_eq!(placed["orderCreate"], json!({ "order": { "version": 1 }, "errors": [] }), "life goes on");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_replaces_nothing_and_says_what_is_missing() {
    let app = App::start().await;
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("here"), "mine").unwrap();
    for (file, says) in [
        ("here", "ordo: here is there already; name a new file"),
        ("no/such/folder", "ordo: no/such/folder cannot be written"),
    ] {
        let output = run(saving(folder.path(), &app.database_url, file)).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with(says) && said.lines().count() == 1, "{said}");
    }
    assert_eq!(std::fs::read(folder.path().join("here")).unwrap(), b"mine");
    let nowhere = run(saving(folder.path(), "sqlite://lost.db?mode=rwc", "saved")).await;
    assert!(text(&nowhere.stderr).contains("there is no database to save"), "{}", text(&nowhere.stderr));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no database, no half a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_fails_leaves_no_file_and_tells_no_password() {
    let folder = TempDir::new().unwrap();
    let url = "postgres://me:hidden-word@localhost:1/shop";
    let output = run(saving(folder.path(), url, "saved")).await;
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.starts_with("ordo: `pg_dump` failed: ") && !said.contains("hidden-word"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}
