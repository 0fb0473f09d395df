//! Hashing passwords: dear on purpose, so few at a time, and a short line before the door. Queries keep the
//! rest of the processor.

use std::{sync::Arc, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

use crate::{
    error::{Error, Result},
    secret::Secret,
};

/// How many wait for their turn; whoever comes then is told to come again.
const WAITING: usize = 64;
/// When to come again.
const RETRY: Duration = Duration::from_secs(1);
/// Memory in KiB, passes and lanes: OWASP's parameters for Argon2id, about 30 ms of one processor.
const MEMORY: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// What is compared where there is no password, so that this takes as long as where there is one. It is the
/// hash of nothing in particular; the answer does not depend on it.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$b3JkbyBkdW1teSBzYWx0IQ\
    $MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";

/// Hashes and compares passwords, as many at a time as half the processors.
#[derive(Clone, Debug)]
pub struct Hashing {
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Default for Hashing {
    fn default() -> Hashing {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Hashing::with((cores / 2).max(1), WAITING)
    }
}

impl Hashing {
    fn with(running: usize, waiting: usize) -> Hashing {
        Hashing {
            running: Arc::new(Semaphore::new(running)),
            places: Arc::new(Semaphore::new(running + waiting)),
        }
    }

    /// The hash of a new password, as a PHC string.
    ///
    /// # Errors
    /// RATE_LIMITED when too many wait.
    pub(crate) async fn hash(&self, password: Secret, salt: [u8; 16]) -> Result<String> {
        let hashed = self.run(move || {
            let hash: argon2::password_hash::Result<PasswordHash> =
                argon2().hash_password_with_salt(password.bytes(), &salt);
            hash.map(|hash| hash.to_string())
        });
        hashed.await?.map_err(|error| Error::internal(format!("a password cannot be hashed: {error}")))
    }

    /// Whether this is the password of that hash; the same work and a no where there is no hash.
    ///
    /// # Errors
    /// RATE_LIMITED when too many wait.
    pub(crate) async fn verify(&self, password: Secret, hash: Option<String>) -> Result<bool> {
        self.run(move || {
            let parsed = PasswordHash::new(hash.as_deref().unwrap_or(DUMMY));
            let same = parsed.is_ok_and(|parsed| argon2().verify_password(password.bytes(), &parsed).is_ok());
            same && hash.is_some()
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let busy = |_| Error::RateLimited { retry_after: RETRY };
        let place = self.places.clone().try_acquire_owned().map_err(busy)?;
        let turn = self.running.clone().acquire_owned().await;
        let turn = turn.map_err(|error| Error::Internal(error.into()))?;
        let work = tokio::task::spawn_blocking(move || {
            let done = work();
            // Only now: whoever asked may have gone away, the work has not.
            drop((turn, place));
            done
        });
        work.await.map_err(|error| Error::Internal(error.into()))
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY, PASSES, LANES, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_is_hashed_as_the_dummy_is_and_no_other_is_it() {
        let hashing = Hashing::with(1, 1);
        let hash = hashing.hash(secret("correct horse battery"), [7; 16]).await.unwrap();
        let shape = |hash: &str| hash.rsplitn(3, '$').map(str::len).collect::<Vec<_>>();
        assert_eq!(shape(&hash), shape(DUMMY));
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(PasswordHash::new(DUMMY).is_ok(), "else it would cost nothing");
        assert!(hashing.verify(secret("correct horse battery"), Some(hash.clone())).await.unwrap());
        assert!(!hashing.verify(secret("correct horse batterY"), Some(hash)).await.unwrap());
        assert!(!hashing.verify(secret("correct horse battery"), None).await.unwrap());
        assert!(!hashing.verify(secret("correct horse battery"), Some("plain".to_owned())).await.unwrap());
    }

    #[tokio::test]
    async fn whoever_finds_the_line_full_is_told_to_come_again() {
        let hashing = Hashing::with(1, 1);
        let turn = hashing.running.clone().acquire_owned().await.unwrap();
        let waiting = [(), ()].map(|()| {
            let hashing = hashing.clone();
            tokio::spawn(async move { hashing.verify(secret("anything"), None).await })
        });
        while hashing.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = hashing.verify(secret("anything"), None).await;
        assert!(matches!(refused, Err(Error::RateLimited { .. })), "{refused:?}");
        drop(turn);
        for waiting in waiting {
            assert!(!waiting.await.unwrap().unwrap());
        }
        assert_eq!(hashing.places.available_permits(), 2);
    }
}
