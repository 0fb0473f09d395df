//! The last of what a program printed, however much that was.

/// The most that is kept, in bytes.
const KEPT: usize = 1 << 20;

/// Takes everything, and keeps the end of it.
#[derive(Debug, Default)]
pub(super) struct Tail(Vec<u8>);

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&bytes[bytes.len().saturating_sub(KEPT)..]);
        // Cut only now and then: each cut moves what is kept.
        if self.0.len() > 2 * KEPT {
            self.0.drain(..self.0.len() - KEPT);
        }
    }

    /// What is kept, as text; the control characters that the API takes from nobody are left out.
    pub(super) fn text(&self) -> String {
        let kept = &self.0[self.0.len().saturating_sub(KEPT)..];
        let text = String::from_utf8_lossy(kept);
        text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
    }
}

/// The last line that is not blank, up to so many characters.
pub(super) fn last_line(text: &str, most: usize) -> Option<String> {
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(most).collect())
}

/// The last so many characters, if there are any but blanks.
pub(super) fn end(text: &str, most: usize) -> Option<String> {
    let text = text.trim();
    let skipped = text.chars().count().saturating_sub(most);
    Some(text.chars().skip(skipped).collect::<String>()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_no_more() {
        let mut tail = Tail::default();
        for n in 0..40u32 {
            tail.push(&vec![b'a' + (n % 26) as u8; 100_000]);
            assert!(tail.0.len() <= 2 * KEPT + 100_000);
        }
        tail.push(&[b'x'; 3 * KEPT]);
        tail.push(b"\nthe\0 end\r\n\n");
        let text = tail.text();
        assert_eq!(text.len(), KEPT - 2, "two of the kept characters are none");
        assert_eq!(last_line(&text, 99).as_deref(), Some("the end"));
        assert_eq!(last_line(&text, 3).as_deref(), Some("the"));
        assert_eq!(end(&text, 5).as_deref(), Some("e end"));
        assert_eq!((last_line(" \n", 9), end(" \n", 9)), (None, None));
    }
}
