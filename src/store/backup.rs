//! A copy of the whole database, while others write. It is read back before anybody relies on it.

use std::path::Path;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement};

use super::Store;
use crate::error::{Error, Result};

/// Copies an SQLite database into an empty file, as it is at one moment, and says how many rows each table
/// has in the copy. Writers do not wait meanwhile.
///
/// # Errors
/// The database's; when the copy is not sound, or lacks an event that was there before.
pub async fn sqlite(store: &Store, into: &Path) -> Result<Vec<(String, i64)>> {
    let Some(file) = into.to_str() else {
        return Err(Error::internal("the backup's path is not valid UTF-8"));
    };
    let events = count(&store.writer, "events").await?;
    let db = &store.writer;
    let copy = Statement::from_sql_and_values(db.get_database_backend(), "VACUUM INTO ?", [file.into()]);
    db.execute_raw(copy).await?;
    verify(file, events).await
}

/// Whether the copy is sound; the log only grows, so it has all events that were there before.
async fn verify(file: &str, events: i64) -> Result<Vec<(String, i64)>> {
    let path = file.to_owned();
    let mut options = ConnectOptions::new("sqlite::memory:");
    options.max_connections(1).sqlx_logging(false);
    options.map_sqlx_sqlite_opts(move |options| options.filename(&path).in_memory(false).read_only(true));
    let copy = Database::connect(options).await?;
    let faults = texts(&copy, "PRAGMA integrity_check").await?;
    let orphans = texts(&copy, "SELECT \"table\" FROM pragma_foreign_key_check").await?;
    if faults != ["ok"] || !orphans.is_empty() {
        return Err(Error::internal(format!(
            "the copy is not sound: {} {}",
            faults.join("; "),
            orphans.join(" ")
        )));
    }
    let named =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut tables = Vec::new();
    for table in texts(&copy, named).await? {
        let rows = count(&copy, &table).await?;
        tables.push((table, rows));
    }
    copy.close().await?;
    match tables.iter().find(|(table, _)| table == "events") {
        Some((_, copied)) if *copied >= events => Ok(tables),
        _ => Err(Error::internal("the copy lacks events that the database has")),
    }
}

async fn texts(db: &DatabaseConnection, sql: &str) -> Result<Vec<String>> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

async fn count(db: &DatabaseConnection, table: &str) -> Result<i64> {
    // A name of the database's own, never one of a client.
    let sql = format!("SELECT COUNT(*) FROM \"{table}\"");
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let row = row.ok_or_else(|| Error::internal("a count has no row"))?;
    Ok(row.try_get_by_index(0)?)
}

/// What PostgreSQL's own programs have to know to reach the database of this URL, as variables of their
/// environment: on the command line everybody on the machine could read the password. What the URL leaves
/// out, they take from their environment and `~/.pgpass`, as the server does.
pub fn postgres_environment(url: &str) -> Vec<(&'static str, String)> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let port = place.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let (host, port) = port.unwrap_or((place, ""));
    let host = host.trim_matches(['[', ']']);
    let mut known = vec![
        ("PGUSER", decoded(user)),
        ("PGPASSWORD", decoded(password)),
        ("PGHOST", decoded(host)),
        ("PGPORT", port.to_owned()),
        ("PGDATABASE", decoded(database)),
    ];
    for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if let Some(name) = variable(key) {
            known.retain(|(other, _)| *other != name);
            known.push((name, decoded(&value.replace('+', " "))));
        }
    }
    known.retain(|(_, value)| !value.is_empty());
    known
}

/// The variable for a parameter of the URL, in either of its spellings.
fn variable(parameter: &str) -> Option<&'static str> {
    Some(match parameter {
        "host" | "hostaddr" => "PGHOST",
        "port" => "PGPORT",
        "user" => "PGUSER",
        "password" => "PGPASSWORD",
        "dbname" => "PGDATABASE",
        "sslmode" | "ssl-mode" => "PGSSLMODE",
        "sslrootcert" | "ssl-root-cert" | "ssl-ca" => "PGSSLROOTCERT",
        "sslcert" | "ssl-cert" => "PGSSLCERT",
        "sslkey" | "ssl-key" => "PGSSLKEY",
        _ => return None,
    })
}

/// `%41` is `A`; what is no such code stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_variables_for_postgresqls_programs() {
        let told = |url: &str| {
            let told = postgres_environment(url).into_iter().map(|(name, value)| format!("{name}={value}"));
            told.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            told(
                "postgres://me:p%40ss%2F%25@db.example:5433/shop?sslmode=require&statement-cache-capacity=5"
            ),
            "PGUSER=me PGPASSWORD=p@ss/% PGHOST=db.example PGPORT=5433 PGDATABASE=shop PGSSLMODE=require"
        );
        assert_eq!(
            told("postgresql://postgres@localhost/t1?host=/dev/shm/ordo-1"),
            "PGUSER=postgres PGDATABASE=t1 PGHOST=/dev/shm/ordo-1"
        );
        assert_eq!(told("postgres://[::1]:5432/a"), "PGHOST=::1 PGPORT=5432 PGDATABASE=a");
        assert_eq!(told("postgres://[::1]/a?password=b%2"), "PGHOST=::1 PGDATABASE=a PGPASSWORD=b%2");
        assert_eq!(told("postgres:///a?user=me"), "PGDATABASE=a PGUSER=me");
        assert_eq!(told("postgres://"), "");
        assert_eq!(told("nonsense"), "");
    }
}
