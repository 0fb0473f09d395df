//! The address that a request comes from: the peer's, or what trusted proxies say of it.
//! A header is believed only as far as a trusted proxy wrote it, from the right to the left.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::{IpNet, Ipv4Net};

/// Elements of a header that are looked at. No honest chain of proxies is that long.
const HOPS: usize = 64;
/// Bytes of all lines of a header that are looked at.
const LOOKED_AT: usize = 8_192;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Headers by which a proxy shows itself.
const SIGNS: [HeaderName; 6] = [
    header::FORWARDED,
    FORWARDED_FOR,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
    header::VIA,
];

/// The networks whose word about a client's address is taken. Without any, no header is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Reads addresses and networks with commas between, such as `10.0.0.0/8, ::1`. No text, no proxies.
    ///
    /// # Errors
    /// A sentence that names the entry which is neither.
    pub fn parse(text: &str) -> Result<Proxies, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(network).collect::<Result<_, _>>().map(Proxies)
    }

    /// The client's address for limits and the log. A peer that is no trusted proxy is the client
    /// itself, whatever it claims. Otherwise the chain is walked from the right, and the first address
    /// that is no trusted proxy counts; what cannot be read ends the walk at the last address believed.
    ///
    /// `Forwarded` (RFC 7239) and `X-Forwarded-For` must not contradict each other: most proxies write
    /// only one and pass the other on as the client sent it. If they do, the peer counts.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        let said = |name, read| headers.contains_key(&name).then(|| self.walk(peer, headers, name, read));
        match (said(header::FORWARDED, forwarded_for), said(FORWARDED_FOR, node)) {
            (Some(one), Some(other)) if one != other => peer,
            (Some(client), _) | (None, Some(client)) => client,
            (None, None) => peer,
        }
    }

    fn walk(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        name: HeaderName,
        read: fn(&str) -> Option<IpAddr>,
    ) -> IpAddr {
        let mut believed = peer;
        let mut left = LOOKED_AT;
        let lines = headers.get_all(name).into_iter().rev();
        for element in lines.flat_map(|line| elements(line.as_bytes())).take(HOPS) {
            let Some(rest) = left.checked_sub(element.len() + 1) else { break };
            left = rest;
            let element = element.trim_ascii();
            if element.is_empty() {
                continue;
            }
            let Some(address) = std::str::from_utf8(element).ok().and_then(read) else { break };
            believed = address;
            if !self.trusts(address) {
                break;
            }
        }
        believed
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Whether the request shows any sign of having come through a proxy.
pub fn forwarded(headers: &HeaderMap) -> bool {
    SIGNS.iter().any(|name| headers.contains_key(name))
}

/// What limits count by: an IPv4 address whole, of an IPv6 address the first 64 bits. A household or a
/// rented machine has a network of that size, and every address in it, to itself.
pub fn key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

/// A network or a single address. IPv4 within IPv6 is taken as IPv4, as clients' addresses are.
fn network(entry: &str) -> Result<IpNet, String> {
    let read = entry.parse().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
    let network = read.map_err(|_| {
        format!("`{entry}` is neither an address nor a network; write `10.0.0.0/8, 127.0.0.1, ::1`")
    })?;
    let within = match (network.addr().to_canonical(), network.prefix_len().checked_sub(96)) {
        (IpAddr::V4(address), Some(length)) => Ipv4Net::new(address, length).ok(),
        _ => None,
    };
    Ok(within.map_or(network, IpNet::from))
}

/// The elements of a line, from the right, split at commas outside quotes. From that side nothing that a
/// client wrote before can change how a proxy's element reads; quotes behind a backslash would, and
/// elements with a backslash are not believed.
fn elements(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    // One byte more than is looked at: an element cut off here is then too long to be believed.
    let tail = &line[line.len().saturating_sub(LOOKED_AT + 1)..];
    tail.rsplit(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    })
}

/// The node that an element of `Forwarded` names in its one `for`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    if element.contains('\\') {
        return None;
    }
    let mut quoted = false;
    let pairs = element.split(move |sign| {
        quoted ^= sign == '"';
        sign == ';' && !quoted
    });
    let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    let mut named = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("for")).map(|(_, value)| value);
    let (Some(value), None) = (named.next(), named.next()) else { return None };
    match value.strip_prefix('"') {
        Some(value) => node(value.strip_suffix('"')?),
        None => node(value),
    }
}

/// An address, with or without a port; IPv6 with a port stands in brackets. Never a name, `unknown` or
/// an obfuscated one.
fn node(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Some((address, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        let address: Ipv6Addr = address.parse().ok()?;
        let fits = rest.is_empty() || rest.strip_prefix(':').is_some_and(port);
        return fits.then(|| address.to_canonical());
    }
    let (address, rest) = text.split_once(':')?;
    let address = address.parse().ok()?;
    port(rest).then_some(IpAddr::V4(address))
}

/// A port, or its obfuscated name.
fn port(text: &str) -> bool {
    text.starts_with('_') || text.parse::<u16>().is_ok()
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
