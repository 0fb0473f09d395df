//! The worker's place in the feed, kept in a file that is whole at any moment.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use anyhow::{Context, Result};

/// A cursor, and the file that keeps it.
pub(super) struct Cursor {
    file: Option<PathBuf>,
    at: Option<String>,
}

impl Cursor {
    /// The cursor in this file, if there is one.
    pub(super) fn open(file: Option<PathBuf>) -> Result<Cursor> {
        let at = match file.as_ref().map(|file| (file, std::fs::read_to_string(file))) {
            None => None,
            Some((_, Ok(text))) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Some((_, Err(error))) if error.kind() == io::ErrorKind::NotFound => None,
            Some((file, Err(error))) => {
                return Err(error)
                    .with_context(|| format!("the cursor file {} cannot be read", file.display()));
            }
        };
        Ok(Cursor { file, at })
    }

    pub(super) fn at(&self) -> Option<&str> {
        self.at.as_deref()
    }

    pub(super) fn move_to(&mut self, cursor: &str) {
        self.at = Some(cursor.to_owned());
    }

    /// The server does not serve it any more.
    pub(super) fn forget(&mut self) {
        self.at = None;
    }

    /// Keeps it. Where that fails the worker goes on: what it missed while it was away, the list tells.
    pub(super) fn save(&self) {
        let (Some(file), Some(at)) = (&self.file, &self.at) else { return };
        let partial = file.with_extension("partial");
        let saved = std::fs::File::create(&partial)
            .and_then(|mut open| open.write_all(at.as_bytes()))
            .and_then(|()| std::fs::rename(&partial, file));
        if let Err(error) = saved {
            tracing::warn!(%error, file = %file.display(), "the cursor cannot be kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_found_again_and_a_missing_file_is_no_cursor() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cursor");
        let mut cursor = Cursor::open(Some(file.clone())).unwrap();
        assert_eq!(cursor.at(), None);
        for at in ["abc", "a longer one", "x"] {
            cursor.move_to(at);
            cursor.save();
            assert_eq!(Cursor::open(Some(file.clone())).unwrap().at(), Some(at));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing partial is left");
        assert!(Cursor::open(Some(folder.path().to_owned())).is_err());
    }
}
