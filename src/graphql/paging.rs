//! Relay's paging arguments, checked, and ids from outside.

use std::{borrow::Cow, fmt::Display, str::FromStr};

use async_graphql::{
    ID, ObjectType, OutputType,
    connection::{Connection, CursorType, Edge, EmptyFields},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    store::people::Stretch,
};

/// The most that one page holds.
pub const MAX_PAGE: usize = 100;
/// What a page holds when nothing is said.
pub const DEFAULT_PAGE: usize = 25;

/// What a page counts towards the limit of complexity: its elements, as many as it may hold. Computed
/// before the arguments are checked, so whatever they are the product stays far from overflow.
pub fn cost(size: Option<i32>, each: usize) -> usize {
    let size = size.map_or(DEFAULT_PAGE, |size| usize::try_from(size).unwrap_or(0));
    each.saturating_mul(size.min(MAX_PAGE)).min(1 << 40)
}

/// `first`, `after`, `last`, `before`, as they came.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// The first so many.
    pub first: Option<i32>,
    /// After this cursor.
    pub after: Option<String>,
    /// The last so many.
    pub last: Option<i32>,
    /// Before this cursor.
    pub before: Option<String>,
}

/// What a page is, once checked.
#[derive(Clone, Copy, Debug)]
pub struct Window<K> {
    /// After this key.
    pub after: Option<K>,
    /// Before this key.
    pub before: Option<K>,
    /// The last ones instead of the first.
    pub from_end: bool,
    /// How many are shown.
    pub size: usize,
}

impl Args {
    /// Checks the arguments and reads the cursors.
    ///
    /// # Errors
    /// BAD_USER_INPUT, naming the argument.
    pub fn window<K>(&self, read: impl Fn(&str) -> Option<K>) -> Result<Window<K>> {
        let size = |argument: &'static str, n: i32| {
            usize::try_from(n).ok().filter(|n| (1..=MAX_PAGE).contains(n)).ok_or_else(|| {
                Error::bad_input(argument, format!("`{argument}` is between 1 and {MAX_PAGE}"))
            })
        };
        let (from_end, size) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(Error::bad_input("last", "say `first` or `last`, not both"));
            }
            (Some(first), None) => (false, size("first", first)?),
            (None, Some(last)) => (true, size("last", last)?),
            (None, None) => (false, DEFAULT_PAGE),
        };
        let key = |argument: &'static str, cursor: &Option<String>| match cursor {
            None => Ok(None),
            Some(cursor) => read(cursor).map(Some).ok_or_else(|| {
                let message = "this is not a cursor of this list, sorted as it is now";
                Error::bad_input(argument, message)
            }),
        };
        Ok(Window { after: key("after", &self.after)?, before: key("before", &self.before)?, from_end, size })
    }
}

impl<K> Window<K> {
    /// One more than is shown, to know whether there are more.
    pub fn limit(&self) -> usize {
        self.size + 1
    }

    /// A connection of rows that were read with [`Window::limit`], in the list's direction.
    pub fn connection<R, C, N, F>(
        &self,
        mut rows: Vec<R>,
        fields: F,
        mut node: impl FnMut(R) -> (C, N),
    ) -> Connection<Cursor<C>, N, F, EmptyFields>
    where
        C: Display + Send + Sync,
        N: OutputType,
        F: ObjectType,
    {
        let more = rows.len() > self.size;
        if more && self.from_end {
            rows.remove(0);
        }
        rows.truncate(self.size);
        let (previous, next) = match self.from_end {
            true => (more, self.before.is_some()),
            false => (self.after.is_some(), more),
        };
        let mut connection = Connection::with_additional_fields(previous, next, fields);
        connection.edges.extend(rows.into_iter().map(|row| {
            let (cursor, node) = node(row);
            Edge::new(Cursor(cursor), node)
        }));
        connection
    }

    /// A connection over rows that are all in memory already, numbered from zero.
    pub fn slice<R, N: OutputType>(
        window: Window<usize>,
        rows: Vec<R>,
        mut node: impl FnMut(R) -> N,
    ) -> Connection<Cursor<usize>, N, EmptyFields, EmptyFields> {
        let start = window.after.map_or(0, |after| after + 1);
        let end = window.before.unwrap_or(usize::MAX).min(rows.len());
        let range = start..end.max(start);
        let (start, end) = match window.from_end {
            true => (range.end.saturating_sub(window.limit()).max(range.start), range.end),
            false => (range.start, range.end.min(range.start + window.limit())),
        };
        let rows = rows.into_iter().enumerate().skip(start).take(end - start).collect();
        window.connection(rows, EmptyFields, |(i, row)| (i, node(row)))
    }
}

/// A cursor, written only where it is selected. Opaque: clients that read one would depend on what it holds.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<K>(pub K);

impl<K: Display> CursorType for Cursor<K> {
    type Error = &'static str;

    /// Never called: [`Args::window`] reads what comes in, to name the argument that is wrong.
    fn decode_cursor(_: &str) -> std::result::Result<Cursor<K>, &'static str> {
        Err("cursors are read with their arguments")
    }

    fn encode_cursor(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.to_string())
    }
}

/// The text of a cursor.
pub fn uncursor(cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().filter(|bytes| bytes.len() <= 200)?;
    String::from_utf8(bytes).ok()
}

/// Reads the cursor of a list in memory.
pub fn index(text: &str) -> Option<usize> {
    uncursor(text)?.parse().ok()
}

impl Window<Uuid> {
    /// The stretch of a list sorted by id.
    pub fn stretch(&self) -> Stretch {
        Stretch { after: self.after, before: self.before, from_end: self.from_end, limit: self.limit() }
    }
}

/// Reads the cursor of a list sorted by id.
pub fn uuid(text: &str) -> Option<Uuid> {
    uncursor(text)?.parse().ok()
}

/// Reads a typed id.
///
/// # Errors
/// BAD_USER_INPUT, naming the argument.
pub fn parse_id<T>(id: &ID, argument: impl Into<Cow<'static, str>>) -> Result<T>
where
    T: FromStr<Err = domain::id::IdError>,
{
    id.parse().map_err(|error: domain::id::IdError| Error::bad_input(argument, error.to_string()))
}
