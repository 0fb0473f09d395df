//! The id of a request: in its answer, in every line of the log that it causes, and quoted by whoever
//! reports an error. Work that goes on in another task takes it along.

use std::{future::Future, sync::Arc};

use tracing::{Instrument, Span};

/// Characters of an id at most.
const LONGEST: usize = 64;

tokio::task_local! {
    static CURRENT: Option<RequestId>;
}

/// What a request is called: 1 to 64 letters, digits, dots, hyphens and underscores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The client's own id where it can be taken over, else a random one.
    pub fn given_or_new(given: Option<&str>) -> RequestId {
        let fits = |id: &&str| {
            (1..=LONGEST).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        RequestId(given.filter(fits).map_or_else(random, str::to_owned).into())
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn random() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// Work that belongs to this request.
pub fn within<F: Future>(id: RequestId, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(Some(id), work)
}

/// The request and the span that work belongs to, if any; for work that goes on in another task.
#[derive(Clone, Debug)]
pub struct Belonging {
    request: Option<RequestId>,
    span: Span,
}

impl Belonging {
    /// What the caller belongs to.
    pub fn here() -> Belonging {
        let request = CURRENT.try_with(Clone::clone).ok().flatten();
        Belonging { request, span: Span::current() }
    }

    /// Work that belongs to the same, wherever it runs.
    pub fn carried<F: Future>(self, work: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self.request, work.instrument(self.span))
    }
}

/// Work for another task, which belongs to what its caller belongs to.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> + use<F> {
    Belonging::here().carried(work)
}

/// What to call an error of ours: as its request, or by a random id where there is none.
pub fn incident() -> String {
    let current = CURRENT.try_with(|id| id.as_ref().map(|id| id.as_str().to_owned()));
    current.ok().flatten().unwrap_or_else(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_over_where_it_is_harmless() {
        let longest = "x".repeat(64);
        for id in ["a", "0aF-9_.", longest.as_str()] {
            assert_eq!(RequestId::given_or_new(Some(id)).as_str(), id);
        }
        for id in ["", "a b", "a\nb", "ä", "a;b", "{a}", &"x".repeat(65)] {
            let made = RequestId::given_or_new(Some(id));
            assert!(made.as_str().len() == 16 && made.as_str() != id, "{id:?}");
        }
        assert_ne!(RequestId::given_or_new(None), RequestId::given_or_new(None));
    }

    #[tokio::test]
    async fn an_error_is_called_as_its_request_in_other_tasks_too() {
        let id = RequestId::given_or_new(Some("r-1"));
        let work = within(id, async {
            let apart = tokio::spawn(carried(async { incident() })).await.unwrap();
            (incident(), apart)
        });
        assert_eq!(work.await, ("r-1".to_owned(), "r-1".to_owned()));
        assert_eq!(tokio::spawn(carried(async { incident() })).await.unwrap().len(), 16);
    }
}
