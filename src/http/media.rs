//! Media types: what an answer is written as, and which bodies are read.

use std::cmp::Reverse;

use axum::http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE},
};

/// What an answer can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/json`, which every client knows.
    Json,
    /// `application/graphql-response+json`, which makes it safe to answer with other codes than 200.
    Graphql,
    /// `text/event-stream`, an event for each answer.
    Events,
}

/// The client accepts nothing that can be written; 406.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the answer can be `application/graphql-response+json`, `application/json` or `text/event-stream`, \
     each in UTF-8; the header `Accept` allows none of them"
)]
pub(super) struct NotAcceptable;

/// Why a body is not read; 415.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsupported {
    /// Nothing says what it is. A guess would let other sites send requests without asking first.
    #[error("send the operation as JSON, with the header `Content-Type: application/json`")]
    Untold,
    /// It is something else, or several things.
    #[error("send the operation as JSON; the header `Content-Type` must be `application/json`")]
    Type,
    /// It is in another encoding.
    #[error("send the operation in UTF-8; the header `Content-Type` names another charset")]
    Charset,
    /// It is compressed.
    #[error("send the operation as it is; bodies with a `Content-Encoding` are not read")]
    Encoding,
}

impl Media {
    /// In the order of our preference, which decides where a wildcard allows several. The oldest comes
    /// first: whoever does not name the newer ones may not know them.
    const ALL: [Media; 3] = [Media::Json, Media::Graphql, Media::Events];

    /// The value of `Content-Type`.
    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Media::Json => "application/json; charset=utf-8",
            Media::Graphql => "application/graphql-response+json; charset=utf-8",
            Media::Events => "text/event-stream; charset=utf-8",
        })
    }

    fn name(self) -> (&'static str, &'static str) {
        match self {
            Media::Json => ("application", "json"),
            Media::Graphql => ("application", "graphql-response+json"),
            Media::Events => ("text", "event-stream"),
        }
    }
}

/// What to answer with: the type with the highest weight; among equals the one named most exactly, then
/// the one named first.
///
/// Without an `Accept` the specification leaves the choice to us. It is the older type, because only
/// clients older than the specification leave the header out.
///
/// # Errors
/// Nothing suits.
pub(super) fn negotiate(headers: &HeaderMap) -> Result<Media, NotAcceptable> {
    let accept = || headers.get_all(ACCEPT).iter().filter(|value| !value.as_bytes().trim_ascii().is_empty());
    if accept().next().is_none() {
        return Ok(Media::Json);
    }
    // A range that cannot be read allows nothing, and takes nothing away from the others.
    let texts = accept().filter_map(|value| value.to_str().ok());
    let ranges: Vec<Range> = texts.flat_map(|text| split(text, ',')).filter_map(Range::read).collect();
    Media::ALL
        .into_iter()
        .filter_map(|media| Some((appeal(&ranges, media)?, media)))
        .min_by_key(|(appeal, _)| Reverse(*appeal))
        .map(|(_, media)| media)
        .ok_or(NotAcceptable)
}

/// How much a type is wanted: weight, exactness, and how early it is named.
type Appeal = (u16, u8, Reverse<usize>);

/// The most exact range decides about a type, whatever the others say.
fn appeal(ranges: &[Range], media: Media) -> Option<Appeal> {
    let fitting = ranges.iter().enumerate().filter_map(|(at, range)| {
        let exactness = range.exactness(media)?;
        Some((exactness, range.weight, Reverse(at)))
    });
    let (exactness, weight, at) = fitting.max()?;
    (weight > 0).then_some((weight, exactness, at))
}

/// One entry of `Accept`.
#[derive(Debug)]
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths; 0 is "not this".
    weight: u16,
}

impl<'a> Range<'a> {
    /// Nothing, where the text is not a range or wants another encoding than ours. Parameters that our
    /// types do not have are passed over.
    fn read(text: &'a str) -> Option<Range<'a>> {
        let mut parts = split(text, ';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut weight = 1000;
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = parameter(part)?;
            if name.eq_ignore_ascii_case("q") {
                weight = thousandths(value)?;
            } else if name.eq_ignore_ascii_case("charset") && !is_utf8(value) {
                return None;
            }
        }
        Some(Range { kind, subtype, weight })
    }

    /// How exactly the range names a type; nothing if it does not.
    fn exactness(&self, media: Media) -> Option<u8> {
        let (kind, subtype) = media.name();
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (own, "*") if own.eq_ignore_ascii_case(kind) => Some(1),
            (own, exact) if own.eq_ignore_ascii_case(kind) && exact.eq_ignore_ascii_case(subtype) => Some(2),
            _ => None,
        }
    }
}

/// Whether a body can be read: JSON, in UTF-8, not compressed. Forms and plain text are not: a page of
/// another site can send them without asking first.
///
/// # Errors
/// What is in the way.
pub(super) fn readable(headers: &HeaderMap) -> Result<(), Unsupported> {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let kind = kinds.next().ok_or(Unsupported::Untold)?.to_str().map_err(|_| Unsupported::Type)?;
    // Two readers of the same request could believe a different one of two headers.
    if kinds.next().is_some() {
        return Err(Unsupported::Type);
    }
    let mut parts = split(kind, ';').map(str::trim);
    if !parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        return Err(Unsupported::Type);
    }
    for part in parts.filter(|part| !part.is_empty()) {
        let (name, value) = parameter(part).ok_or(Unsupported::Type)?;
        if name.eq_ignore_ascii_case("charset") && !is_utf8(value) {
            return Err(Unsupported::Charset);
        }
    }
    let plain = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.split(',').all(is_identity));
    if headers.get_all(CONTENT_ENCODING).iter().all(plain) { Ok(()) } else { Err(Unsupported::Encoding) }
}

fn is_identity(coding: &str) -> bool {
    let coding = coding.trim();
    coding.is_empty() || coding.eq_ignore_ascii_case("identity")
}

fn is_utf8(charset: &str) -> bool {
    charset.eq_ignore_ascii_case("utf-8")
}

/// The parts of a header's value; a separator between quotes separates nothing.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |letter: char| {
        let separates = letter == separator && !quoted;
        if escaped {
            escaped = false;
        } else if letter == '"' {
            quoted = !quoted;
        } else {
            escaped = quoted && letter == '\\';
        }
        separates
    })
}

/// A name and its value without quotes.
fn parameter(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let value = value.trim();
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    Some((name.trim(), inner.unwrap_or(value)))
}

/// A weight from 0 to 1. Some widespread clients leave out the leading zero or write more than three
/// digits; the fourth and later ones do not count.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().map(|digit| u16::from(digit - b'0')).chain([0; 3]);
    let part = digits.take(3).fold(0, |sum, digit| sum * 10 + digit);
    match whole {
        "0" => Some(part),
        "" if !fraction.is_empty() => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
#[path = "media_tests.rs"]
mod tests;
