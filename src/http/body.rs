//! Reads a body: so many bytes and no more, in so much time and no more.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode, header::CONTENT_LENGTH},
};
use futures_util::StreamExt;
use tokio::time::timeout;

/// The largest body that is read.
pub(super) const LARGEST: usize = 1 << 20;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    /// It is too large.
    #[error("the body is larger than 1 MiB")]
    TooLarge,
    /// It took too long.
    #[error("the body took more than {} seconds to arrive", .0.as_secs_f32())]
    TooSlow(Duration),
    /// The connection broke.
    #[error("the body ended before it was complete")]
    Broken,
}

impl Unread {
    /// The status of the refusal.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Unread::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Unread::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Unread::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

/// Reads a body to its end. A client that sends a byte now and then has no more time than any other.
///
/// # Errors
/// When it is too large, too slow, or incomplete.
pub(super) async fn read(body: Body, headers: &HeaderMap, patience: Duration) -> Result<Bytes, Unread> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > LARGEST) {
        return Err(Unread::TooLarge);
    }
    timeout(patience, collect(body)).await.unwrap_or(Err(Unread::TooSlow(patience)))
}

async fn collect(body: Body) -> Result<Bytes, Unread> {
    let mut chunks = body.into_data_stream();
    let mut next = async || chunks.next().await.transpose().map_err(|_| Unread::Broken);
    let Some(first) = next().await? else { return Ok(Bytes::new()) };
    // Most bodies come in one piece, which need not be copied.
    let Some(second) = next().await? else { return bounded(first) };
    let mut read = bounded(first)?.to_vec();
    let mut more = Some(second);
    while let Some(chunk) = more {
        if read.len() + chunk.len() > LARGEST {
            return Err(Unread::TooLarge);
        }
        read.extend_from_slice(&chunk);
        more = next().await?;
    }
    Ok(read.into())
}

fn bounded(bytes: Bytes) -> Result<Bytes, Unread> {
    if bytes.len() > LARGEST { Err(Unread::TooLarge) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use futures_util::stream;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn body(sizes: &[usize]) -> Body {
        let chunks: Vec<_> = sizes.iter().map(|size| Ok::<_, std::io::Error>(vec![b'x'; *size])).collect();
        Body::from_stream(stream::iter(chunks))
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_in_any_number_of_pieces() {
        let none = HeaderMap::new();
        for (sizes, outcome) in [
            (&[][..], Ok(0)),
            (&[7], Ok(7)),
            (&[LARGEST], Ok(LARGEST)),
            (&[LARGEST + 1], Err(Unread::TooLarge)),
            (&[LARGEST, 1], Err(Unread::TooLarge)),
            (&[1, 2, LARGEST - 3], Ok(LARGEST)),
        ] {
            assert_eq!(read(body(sizes), &none, LONG).await.map(|bytes| bytes.len()), outcome, "{sizes:?}");
        }
        let announced = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from(LARGEST + 1))]);
        assert_eq!(read(body(&[1]), &announced, LONG).await, Err(Unread::TooLarge));
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let drips = stream::once(async { Ok::<_, std::io::Error>("x") }).chain(stream::pending());
        let patience = Duration::from_millis(20);
        let read = read(Body::from_stream(drips), &HeaderMap::new(), patience).await;
        assert_eq!(read, Err(Unread::TooSlow(patience)));
    }
}
