//! Workflows carried between files and the database, by the real program, while a server runs.

use std::{path::Path, time::Duration};

use serde_json::json;
use tempfile::TempDir;
use tokio::{process::Command, time::timeout};

use crate::{
    cli::{ANY_PORT, LONG_SECRET, Server, ordo, printed, run, text},
    harness::{Client, Database},
    postgres,
};

/// A folder, and the database that the program uses in it.
struct Place {
    folder: TempDir,
    database_url: String,
}

impl Place {
    async fn new() -> Place {
        let database_url = match Database::of_this_run() {
            Database::Sqlite => "sqlite://shop.db?mode=rwc".to_owned(),
            Database::Postgres => postgres::empty().await,
        };
        Place { folder: TempDir::new().expect("a folder"), database_url }
    }

    fn ordo(&self, arguments: &[&str]) -> Command {
        let mut command = ordo(self.folder.path(), arguments);
        command.env("DATABASE_URL", &self.database_url).env("ORDO_JWT_SECRET", LONG_SECRET);
        command
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).expect("a file");
    }

    /// What it says on standard error when it fails.
    async fn refused(&self, arguments: &[&str]) -> String {
        let output = run(self.ordo(arguments)).await;
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        format!("{}{}", text(&output.stdout), text(&output.stderr))
    }
}

/// The revision of a workflow that a server knows, and whether it has a status.
async fn known(client: &Client, status: &str) -> (i64, bool) {
    let query = "{ workflow(code: \"delivery\") { revision statuses { code } } }";
    let workflow = client.data(query, json!({})).await["workflow"].clone();
    let statuses = workflow["statuses"].as_array().expect("statuses");
    let found = statuses.iter().any(|known| known["code"] == status);
    (workflow["revision"].as_i64().expect("a revision"), found)
}

const ON_HOLD: &str = "\n[[status]]\ncode = \"on_hold\"\nlabel = \"On hold\"\ncategory = \"PENDING\"\n\
    color = \"#7c3aed\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_is_exported_edited_and_imported_and_the_running_server_learns_of_it() {
    let place = Place::new().await;
    printed(place.ordo(&["demo"])).await;
    let server = Server::start(place.ordo(&ANY_PORT), "Ordo listens on").await;
    let token = printed(place.ordo(&["token", "--as", "staff"])).await;
    let staff = Client::new(&server.url, Some(token.trim().to_owned()));

    let exported = printed(place.ordo(&["workflow", "export", "delivery"])).await;
    place.write("same.toml", &exported);
    let said = printed(place.ordo(&["workflow", "import", "same.toml"])).await;
    assert_eq!(said, "delivery is so already: version 1, revision 1\n");
    let edited = exported.replacen("\n[[transition]]", &format!("{ON_HOLD}\n[[transition]]"), 1);
    place.write("held.toml", &edited);
    let said = printed(place.ordo(&["workflow", "import", "--dry-run", "held.toml"])).await;
    assert_eq!(said, "delivery would be saved: version 1, revision 2\n");
    assert_eq!(known(&staff, "on_hold").await, (1, false));
    let said = printed(place.ordo(&["workflow", "import", "held.toml"])).await;
    assert_eq!(said, "delivery is saved: version 1, revision 2\n");
    let learned = async {
        while known(&staff, "on_hold").await != (2, true) {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), learned).await.expect("the server learns of it in time");

    let stale = exported.replacen("label = \"Delivery\"", "label = \"Parcels\"", 1);
    place.write("stale.toml", &stale);
    let said = place.refused(&["workflow", "import", "stale.toml"]).await;
    assert!(said.contains("it is at version 1, revision 2 now") && said.lines().count() == 1, "{said}");
    let fewer = exported.replacen("version = 1\nrevision = 1\n", "", 1).replacen("editable = true\n", "", 1);
    place.write("fewer.toml", &fewer);
    let said = printed(place.ordo(&["workflow", "import", "fewer.toml"])).await;
    assert!(said.starts_with("delivery is saved: version 2, revision 1\n"), "{said}");
    assert!(said.contains("  status[on_hold]: is removed\n"), "{said}");
    let first = printed(place.ordo(&["workflow", "export", "delivery", "--version", "1"])).await;
    assert_eq!(
        first.replacen("revision = 2", "revision = 1", 1),
        edited,
        "a version that orders follow stays"
    );
    let shipped = printed(place.ordo(&["workflow", "export", "delivery", "--shipped"])).await;
    assert_eq!(shipped, exported);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_imported_or_exported_is_said_with_its_place() {
    let place = Place::new().await;
    let nothing = Path::new("shop.db");
    if Database::of_this_run() == Database::Sqlite {
        let said = place.refused(&["workflow", "export", "delivery"]).await;
        assert!(said.contains("there is no database yet"), "{said}");
        assert!(!place.folder.path().join(nothing).exists(), "and none is made");
    }
    printed(place.ordo(&["demo"])).await;
    let exported = printed(place.ordo(&["workflow", "export", "cloud"])).await;
    let broken = exported.replacen("to = \"cancelled\"", "to = \"lost\"", 1).replacen("#", "", 1);
    place.write("broken.toml", &broken);
    let said = place.refused(&["workflow", "import", "broken.toml"]).await;
    assert!(
        said.lines().all(|line| line.starts_with("broken.toml: ")) && said.lines().count() == 2,
        "{said}"
    );
    place.write("large.toml", &"#".repeat(10 << 20));
    let said = place.refused(&["workflow", "import", "large.toml"]).await;
    assert!(said.contains("large.toml has 10485760 bytes; a definition has at most 262144"), "{said}");
    for arguments in [vec!["nowhere"], vec!["cloud", "--version", "2"], vec!["nowhere", "--shipped"]] {
        let said = place.refused(&[vec!["workflow", "export"], arguments].concat()).await;
        assert!(said.contains("there is no workflow `"), "{said}");
    }
}
