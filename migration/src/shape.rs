//! The words that the migrations are written in: column, key and constraint shapes that many tables share.
//! May use sea_orm_migration alone.
//! Never changes what a released migration creates: a new shape gets a new function.

pub use sea_orm_migration::prelude::*;
pub use sea_orm_migration::schema::{
    big_integer, big_integer_null, blob, boolean, date_null, integer, json_binary, json_binary_null, pk_uuid,
    text, text_null, timestamp_with_time_zone as instant, timestamp_with_time_zone_null as instant_null,
    uuid, uuid_null,
};

/// An ISO 4217 code.
pub fn currency() -> ColumnDef {
    text("currency").check(Func::char_length(Expr::col("currency")).eq(3)).take()
}

/// `column >= least`, for counters and amounts that a bug must not carry below.
pub fn at_least(column: &'static str, least: i64) -> Expr {
    Expr::col(column).gte(least)
}

/// A foreign key to a row that has a life of its own: it cannot be removed while it is referred to.
pub fn refers(table: &'static str, column: &'static str, to: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, column).to(to, "id").take()
}

/// A foreign key to the row that this one is a part of, and goes with.
pub fn belongs(table: &'static str, column: &'static str, to: &'static str) -> ForeignKeyCreateStatement {
    refers(table, column, to).on_delete(ForeignKeyAction::Cascade).take()
}

/// `UNIQUE (columns)`, inside CREATE TABLE.
pub fn unique<const N: usize>(columns: [&'static str; N]) -> IndexCreateStatement {
    over(Index::create().unique(), columns)
}

/// `PRIMARY KEY (columns)`, inside CREATE TABLE.
pub fn primary<const N: usize>(columns: [&'static str; N]) -> IndexCreateStatement {
    over(Index::create().primary(), columns)
}

/// `CREATE INDEX idx_<table>_<name> ON table (columns)`; ascending, for both databases read indexes backwards
/// too.
pub fn index(
    table: &'static str,
    name: &str,
    columns: impl IntoIterator<Item = &'static str>,
) -> IndexCreateStatement {
    let name = format!("idx_{table}_{name}");
    over(Index::create().name(name).table(table), columns)
}

fn over(
    index: &mut IndexCreateStatement,
    columns: impl IntoIterator<Item = &'static str>,
) -> IndexCreateStatement {
    for column in columns {
        index.col(column);
    }
    index.take()
}

/// Drops tables in the order given, their indexes with them.
pub async fn drop_tables<const N: usize>(
    manager: &SchemaManager<'_>,
    tables: [&'static str; N],
) -> Result<(), DbErr> {
    for table in tables {
        manager.drop_table(Table::drop().table(table).take()).await?;
    }
    Ok(())
}
