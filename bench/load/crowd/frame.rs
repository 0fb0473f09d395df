//! Frames of WebSocket (RFC 6455), as far as a measurement needs them: read where they lie, written whole.

use anyhow::{Result, bail};

/// A message; the server sends each in one frame.
pub const TEXT: u8 = 0x1;
/// The end, with a code and a reason.
pub const CLOSE: u8 = 0x8;
/// Answered with the same payload as a [`PONG`].
pub const PING: u8 = 0x9;
/// The answer to a ping.
pub const PONG: u8 = 0xA;
/// A message is never larger; whoever sends more is not measured but stopped.
const LARGEST: usize = 1 << 20;

/// A frame from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
}

/// The first frame and how many bytes it takes; nothing while it is not whole.
pub fn first(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>> {
    let [head, short, rest @ ..] = bytes else { return Ok(None) };
    let (start, length) = match (short, rest) {
        (0..=125, _) => (2, usize::from(*short)),
        (126, [high, low, ..]) => (4, usize::from(u16::from_be_bytes([*high, *low]))),
        (127, rest) if rest.len() >= 8 => {
            let length = rest[..8].iter().fold(0, |length: u64, byte| length << 8 | u64::from(*byte));
            (10, usize::try_from(length)?)
        }
        (126 | 127, _) => return Ok(None),
        _ => bail!("the server sent a masked frame"),
    };
    if length > LARGEST {
        bail!("a message is too long: {length} bytes");
    }
    let end = start + length;
    let whole = bytes.get(start..end);
    Ok(whole.map(|payload| (Frame { opcode: head & 0x0F, payload }, end)))
}

/// A frame of a client is masked; with zeros, which change nothing.
pub fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => frame.push(0x80 | length),
        (_, Ok(length)) => {
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a server writes it: without a mask.
    fn sent(payload: &[u8]) -> Vec<u8> {
        let mut frame = masked(TEXT, payload);
        let mask = frame.len() - payload.len() - 4;
        frame.drain(mask..mask + 4);
        frame[1] &= 0x7F;
        frame
    }

    #[test]
    fn a_frame_of_any_length_is_read_once_it_is_whole() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let bytes = sent(&payload);
            for cut in [1, 2, bytes.len() - 1].into_iter().filter(|cut| *cut < bytes.len()) {
                assert_eq!(first(&bytes[..cut]).unwrap(), None, "{length}, cut at {cut}");
            }
            let two = [&bytes[..], b"more"].concat();
            let frame = Frame { opcode: TEXT, payload: &payload };
            assert_eq!(first(&two).unwrap(), Some((frame, bytes.len())), "{length}");
        }
    }

    #[test]
    fn a_frame_that_is_masked_or_endless_is_refused() {
        assert!(first(&masked(TEXT, b"x")).is_err());
        assert!(first(&[0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0]).is_err());
    }
}
