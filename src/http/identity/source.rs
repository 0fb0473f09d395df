//! Fetching a provider's keys: one bounded request.

use std::{error::Error, iter::successors, time::Duration};

use reqwest::{Client, StatusCode, Url, redirect::Policy};

use super::keys::Keys;

/// The longest that a provider may take, from the name to the last byte.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest key set that is read, in bytes.
const LONGEST: usize = 256 * 1024;

/// Why keys could not be fetched. Addresses are left out: who reads the log knows them from the settings.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// No connection, a broken one, or too slow a one.
    #[error("{0}")]
    Request(String),
    /// Another answer than 200; redirects are not followed.
    #[error("the answer was {0}, and 200 is wanted")]
    Status(StatusCode),
    /// More than a key set can be.
    #[error("the answer is longer than {LONGEST} bytes")]
    TooLong,
    /// JSON of another kind, or none.
    #[error("the answer is not a JSON Web Key Set")]
    NotKeys,
}

impl From<reqwest::Error> for Failed {
    /// With every cause: the first one says only that sending failed.
    fn from(error: reqwest::Error) -> Failed {
        let error = error.without_url();
        let causes = successors(Some(&error as &(dyn Error + 'static)), |error| Error::source(*error));
        Failed::Request(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
    }
}

/// Where a provider publishes its keys.
pub(super) struct Source {
    client: Client,
    url: Url,
}

impl Source {
    /// A source at this address, over TLS where it is https. No redirect is followed: keys come from where
    /// the settings say, or not at all. For the same reason no proxy is asked for what is not encrypted.
    ///
    /// # Errors
    /// When TLS cannot be set up on this machine.
    pub fn new(url: Url, timeout: Duration) -> Result<Source, reqwest::Error> {
        // reqwest comes without cryptography of its own. An error says only that this was done before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(timeout).redirect(Policy::none());
        let client = if url.scheme() == "https" { client } else { client.no_proxy() };
        Ok(Source { client: client.build()?, url })
    }

    /// The keys, as they are now.
    ///
    /// # Errors
    /// When they cannot be had.
    pub async fn fetch(&self) -> Result<Keys, Failed> {
        let mut response = self.client.get(self.url.clone()).send().await?;
        if response.status() != StatusCode::OK {
            return Err(Failed::Status(response.status()));
        }
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if document.len() + chunk.len() > LONGEST {
                return Err(Failed::TooLong);
            }
            document.extend_from_slice(&chunk);
        }
        Keys::read(&document).ok_or(Failed::NotKeys)
    }
}
