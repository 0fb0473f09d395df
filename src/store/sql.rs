//! A statement in the making, and rows read by position. Both databases take `$1`; limits are
//! written out, because PostgreSQL plans a bound LIMIT afresh on every call.

use sea_orm::{
    ConnectionTrait, DbBackend, QueryResult, Statement, Value,
    sea_query::ArrayType,
    sqlx::{
        Decode, Row as _, Type,
        postgres::{PgRow, Postgres},
        sqlite::{Sqlite, SqliteRow},
        types::Json,
    },
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::{Error, Result};

/// Text with bound values.
#[derive(Debug)]
pub struct Sql {
    backend: DbBackend,
    text: String,
    values: Vec<Value>,
}

impl Sql {
    /// Begins a statement for the database of this connection.
    pub fn new(db: &impl ConnectionTrait, text: &str) -> Sql {
        Sql { backend: db.get_database_backend(), text: text.to_owned(), values: Vec::new() }
    }

    /// Whether it is for PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        self.backend == DbBackend::Postgres
    }

    /// Appends text of our own, never of a caller's.
    pub fn push(&mut self, text: &str) -> &mut Sql {
        self.text.push_str(text);
        self
    }

    /// Appends a value as a placeholder. A text with NUL, which PostgreSQL has not, becomes NULL: it is
    /// stored nowhere, and nothing equals it.
    pub fn bind(&mut self, value: impl Into<Value>) -> &mut Sql {
        self.values.push(match value.into() {
            Value::String(Some(text)) if text.contains('\0') => Value::String(None),
            value => value,
        });
        let number = self.values.len();
        self.text.push('$');
        self.text.push_str(&number.to_string());
        self
    }

    /// Appends `column` = one of the ids. One text whatever their number on PostgreSQL, few texts on
    /// SQLite, so that prepared statements are found again.
    pub fn among(&mut self, column: &str, ids: &[Uuid]) -> &mut Sql {
        self.push(column);
        if self.is_postgres() {
            let ids = ids.iter().map(|id| Value::Uuid(Some(*id))).collect();
            let array = Value::Array(ArrayType::Uuid, Some(Box::new(ids)));
            return self.push(" = ANY(").bind(array).push(")");
        }
        self.push(" IN (");
        let padded = ids.len().next_power_of_two();
        for i in 0..padded {
            if i > 0 {
                self.push(",");
            }
            self.bind(ids.get(i).or(ids.last()).copied());
        }
        self.push(")")
    }

    /// Appends `column` = one of the texts.
    pub fn among_texts<'t>(&mut self, column: &str, texts: impl IntoIterator<Item = &'t str>) -> &mut Sql {
        self.push(column).push(" IN (NULL");
        for text in texts {
            self.push(",").bind(text);
        }
        self.push(")")
    }

    /// Runs it and reads every row.
    pub async fn all<T>(
        self,
        db: &impl ConnectionTrait,
        mut read: impl FnMut(&mut Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let rows = db.query_all_raw(self.statement()).await?;
        rows.iter().map(|row| read(&mut Row::of(row)?)).collect()
    }

    /// Runs it and reads the first row.
    pub async fn one<T>(
        self,
        db: &impl ConnectionTrait,
        read: impl FnOnce(&mut Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let row = db.query_one_raw(self.statement()).await?;
        row.as_ref().map(|row| read(&mut Row::of(row)?)).transpose()
    }

    /// Runs it for its effect: how many rows it touched.
    pub async fn run(self, db: &impl ConnectionTrait) -> Result<u64> {
        Ok(db.execute_raw(self.statement()).await?.rows_affected())
    }

    /// The statement's text, for plans.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Text and values as they are run, for plans with their costs.
    pub fn statement(self) -> Statement {
        Statement::from_sql_and_values(self.backend, self.text, self.values)
    }
}

/// What a column may hold, read alike from both databases.
pub trait Column<'r>: Decode<'r, Postgres> + Type<Postgres> + Decode<'r, Sqlite> + Type<Sqlite> {}

impl<'r, T: Decode<'r, Postgres> + Type<Postgres> + Decode<'r, Sqlite> + Type<Sqlite>> Column<'r> for T {}

/// A row, read column by column from the left; straight from the driver's row, because a page reads
/// some thousand columns.
#[expect(missing_debug_implementations, reason = "the driver's rows have none")]
pub struct Row<'r> {
    row: Source<'r>,
    next: usize,
}

enum Source<'r> {
    Postgres(&'r PgRow),
    Sqlite(&'r SqliteRow),
}

impl<'r> Row<'r> {
    fn of(row: &'r QueryResult) -> Result<Row<'r>> {
        let postgres = row.try_as_pg_row().map(Source::Postgres);
        let row = postgres.or_else(|| row.try_as_sqlite_row().map(Source::Sqlite));
        Ok(Row { row: row.ok_or_else(|| Error::internal("a row of another database"))?, next: 0 })
    }

    /// The next column.
    pub fn get<T: Column<'r>>(&mut self) -> Result<T> {
        let value = match self.row {
            Source::Postgres(row) => row.try_get(self.next),
            Source::Sqlite(row) => row.try_get(self.next),
        };
        self.next += 1;
        value.map_err(|error| Error::Internal(error.into()))
    }

    /// Leaves out the next column.
    pub fn skip(&mut self) {
        self.next += 1;
    }

    /// The next column, an id.
    pub fn id<T: From<Uuid>>(&mut self) -> Result<T> {
        Ok(T::from(self.get::<Uuid>()?))
    }

    /// The next column, an id that may be missing.
    pub fn maybe_id<T: From<Uuid>>(&mut self) -> Result<Option<T>> {
        Ok(self.get::<Option<Uuid>>()?.map(T::from))
    }

    /// The next column, the name of a value of a closed set.
    pub fn named<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
        let name: &str = self.get()?;
        parse(name).ok_or_else(|| Error::internal(format!("column {} holds {name:?}", self.next)))
    }

    /// The next column, JSON of a known shape.
    pub fn json<T: DeserializeOwned + 'static>(&mut self) -> Result<T> {
        Ok(self.get::<Json<T>>()?.0)
    }

    /// The next column, JSON of a known shape that may be missing.
    pub fn maybe_json<T: DeserializeOwned + 'static>(&mut self) -> Result<Option<T>> {
        Ok(self.get::<Option<Json<T>>>()?.map(|json| json.0))
    }
}

/// A value as JSON for a column.
pub fn to_json(value: &impl serde::Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(value).map_err(|error| Error::Internal(error.into()))
}

/// Updates rows by id in one statement: `columns[0]` is the id. Both databases name the columns of
/// VALUES column1, column2, ….
pub async fn update_many(
    db: &impl ConnectionTrait,
    table: &str,
    columns: &[&str],
    rows: Vec<Vec<Value>>,
) -> Result<u64> {
    if rows.is_empty() {
        return Ok(0);
    }
    let mut sql = Sql::new(db, "UPDATE ");
    sql.push(table).push(" SET ");
    for (i, column) in columns.iter().enumerate().skip(1) {
        sql.push(if i > 1 { ", " } else { "" }).push(column).push(&format!(" = v.column{}", i + 1));
    }
    sql.push(" FROM (VALUES ");
    for (r, row) in rows.into_iter().enumerate() {
        for (c, value) in row.into_iter().enumerate() {
            sql.push(match (r, c) {
                (0, 0) => "(",
                (_, 0) => "),(",
                _ => ",",
            });
            sql.bind(value);
        }
    }
    sql.push(")) AS v WHERE ").push(table).push(".").push(columns[0]).push(" = v.column1");
    sql.run(db).await
}
