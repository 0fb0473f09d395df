//! The tables: up, down and up again, the same on both databases, and by two processes at once.

use std::collections::{BTreeMap, BTreeSet};

use migration::{Migrator, MigratorTrait};
use ordo::store::Store;
use sea_orm::{ConnectionTrait, Database as Connection, DatabaseConnection, DbBackend, Statement};

use crate::{harness::Database, postgres};

/// A database without any table, and the folder that holds it.
async fn empty(database: Database) -> (String, Option<tempfile::TempDir>) {
    match database {
        Database::Postgres => (postgres::empty().await, None),
        Database::Sqlite => {
            let folder = tempfile::tempdir().expect("a folder");
            (format!("sqlite://{}?mode=rwc", folder.path().join("ordo.db").display()), Some(folder))
        }
    }
}

/// The first column of each row.
async fn texts(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await;
    rows.expect("rows").iter().map(|row| row.try_get_by_index(0).expect("text")).collect()
}

/// Tables, indexes and constraints as the database itself words them; not the migrations' own record.
async fn schema(db: &DatabaseConnection) -> BTreeSet<String> {
    let told = match db.get_database_backend() {
        DbBackend::Postgres => {
            let columns = "SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, \
                column_default, is_identity) FROM information_schema.columns WHERE table_schema = 'public'";
            let indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'";
            let constraints = "SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) \
                FROM pg_constraint WHERE connamespace = 'public'::regnamespace";
            let mut told = texts(db, columns).await;
            told.extend(texts(db, indexes).await);
            told.extend(texts(db, constraints).await);
            told
        }
        _ => texts(db, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").await,
    };
    // SQLite keeps the table of its counters once there was one.
    let own = |text: &String| !text.contains("seaql_migrations") && !text.contains("sqlite_sequence");
    told.into_iter().filter(own).collect()
}

/// The tables with their columns.
async fn columns(db: &DatabaseConnection) -> BTreeMap<String, BTreeSet<String>> {
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT table_name || '.' || column_name FROM information_schema.columns \
             WHERE table_schema = 'public'"
        }
        _ => {
            "SELECT m.name || '.' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
        }
    };
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in texts(db, sql).await {
        let (table, column) = name.split_once('.').expect("a table and a column");
        tables.entry(table.to_owned()).or_default().insert(column.to_owned());
    }
    tables
}

#[tokio::test(flavor = "multi_thread")]
async fn down_undoes_up_and_up_again_makes_the_same_tables() {
    let (url, _folder) = empty(Database::of_this_run()).await;
    let db = Connection::connect(&url).await.expect("a connection");
    let nothing = schema(&db).await;
    Migrator::up(&db, None).await.expect("up");
    let made = schema(&db).await;
    assert!(made.len() > nothing.len() + 30, "{made:#?}");
    Migrator::down(&db, None).await.expect("down");
    assert_eq!(schema(&db).await.difference(&nothing).count(), 0, "down leaves nothing");
    Migrator::up(&db, None).await.expect("up again");
    assert_eq!(schema(&db).await, made);
    Migrator::up(&db, None).await.expect("up when there is nothing to do");
    assert_eq!(schema(&db).await, made);
    assert_eq!(Migrator::get_pending_migrations(&db).await.expect("pending").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_single_step_down_is_undone_by_its_step_up() {
    let (url, _folder) = empty(Database::of_this_run()).await;
    let db = Connection::connect(&url).await.expect("a connection");
    let mut after_each = vec![schema(&db).await];
    for _ in Migrator::migrations() {
        Migrator::up(&db, Some(1)).await.expect("a step up");
        after_each.push(schema(&db).await);
    }
    for before in after_each.iter().rev().skip(1) {
        Migrator::down(&db, Some(1)).await.expect("a step down");
        let differing: Vec<_> = schema(&db).await.symmetric_difference(before).cloned().collect();
        assert_eq!(differing, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_have_the_same_tables_and_columns() {
    if Database::of_this_run() != Database::Postgres {
        return;
    }
    let mut all = Vec::new();
    for database in [Database::Sqlite, Database::Postgres] {
        let (url, _folder) = empty(database).await;
        let db = Connection::connect(&url).await.expect("a connection");
        Migrator::up(&db, None).await.expect("up");
        all.push(columns(&db).await);
    }
    assert!(all[0].len() > 15, "{:?}", all[0].keys());
    assert_eq!(all[0], all[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_on_a_fresh_database_all_find_it_migrated() {
    let (url, _folder) = empty(Database::of_this_run()).await;
    let starts = (0..4).map(|_| {
        let url = url.clone();
        tokio::spawn(async move {
            let store = Store::open(&url, 2).await.expect("a store");
            store.migrate().await.expect("the tables");
            store.close().await.expect("closed");
        })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.expect("a start");
    }
    let db = Connection::connect(&url).await.expect("a connection");
    assert_eq!(Migrator::get_pending_migrations(&db).await.expect("pending").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_open_a_fresh_file_at_once_take_turns() {
    for _ in 0..50 {
        let (url, _folder) = empty(Database::Sqlite).await;
        let opening: Vec<_> = (0..16)
            .map(|_| {
                let url = url.clone();
                tokio::spawn(async move { Store::open(&url, 1).await })
            })
            .collect();
        for opened in opening {
            opened.await.expect("no panic").expect("a store").close().await.expect("closed");
        }
    }
}
