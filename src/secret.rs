//! The server's secret, and the file that keeps it where none is configured.

use std::{
    fmt,
    io::{self, Write},
    path::Path,
};

/// A secret has at least as many bytes as the hash it keys.
pub(crate) const SECRET_BYTES: usize = 32;

/// Bytes or text that no log may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret of this text.
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// The secret's text.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The secret's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The secret in this file, which is made when it is not there.
///
/// # Errors
/// What is wrong with the file, as a clause about the setting that names it.
pub(crate) fn kept_in(path: &Path) -> Result<Secret, String> {
    let fails = |what: &str, error: &dyn fmt::Display| {
        format!("names {}, which cannot be {what}: {error}", path.display())
    };
    match private_file(path) {
        Ok(mut file) => {
            let bytes: [u8; SECRET_BYTES] = rand::random();
            let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
            written.map_err(|error| fails("written", &error))?;
            Ok(Secret(text))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let text = std::fs::read_to_string(path).map_err(|error| fails("read", &error))?;
            let text = text.trim().to_owned();
            if text.len() < SECRET_BYTES {
                return Err(fails("used", &"it holds fewer than 32 bytes; delete it to have a new one"));
            }
            warn_if_open(path);
            Ok(Secret(text))
        }
        Err(error) => Err(fails("created", &error)),
    }
}

/// Creates a file that only its owner may read.
fn private_file(path: &Path) -> io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn warn_if_open(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        tracing::warn!("others may read {}: run chmod 600 on it", path.display());
    }
}

#[cfg(not(unix))]
fn warn_if_open(_path: &Path) {}
