//! What a text holds before anything parses it: one pass over its bytes that ends at the first limit.
//! It must never see less than the parser does: a bracket that it takes for part of a string and the
//! parser does not would recurse without a limit.

use super::budget::{Excess, Limits, within};

/// The bytes of a name or number that count as one token. The parser ends a number at a zero and a `true`
/// or `null` anywhere, so a long word may be many values to it.
const WORD: usize = 32;

/// Checks a text's length, and its tokens and open brackets outside of strings and comments.
///
/// # Errors
/// Where there are more than allowed, or a block string never ends.
pub(super) fn scan(text: &str, limits: &Limits) -> Result<(), Excess> {
    within("bytes of text", text.len(), limits.bytes)?;
    let mut rest = text.as_bytes();
    let (mut tokens, mut open) = (0_usize, 0_usize);
    while let [byte, ..] = rest {
        match byte {
            b'{' | b'[' | b'(' => open += 1,
            b'}' | b']' | b')' => open = open.saturating_sub(1),
            _ => {}
        }
        tokens += usize::from(!matches!(byte, b' ' | b',' | b'\t' | b'\n' | b'\r' | b'#'));
        for (what, asked, allowed) in
            [("open brackets", open, limits.brackets), ("tokens", tokens, limits.tokens)]
        {
            if asked > allowed {
                return Err(Excess::TooMuch { what, asked: usize::MAX, allowed });
            }
        }
        rest = behind(rest).ok_or(Excess::OpenString)?;
    }
    Ok(())
}

/// What follows the first token; nothing where that is a block string without an end. The parser would
/// read such a one as an empty string and go on right behind it, for each of them after a look at all that
/// follows: a minute for 200 kB.
fn behind(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [b'#', after @ ..] => Some(skip(after, |byte| !matches!(byte, b'\n' | b'\r'))),
        [b'"', b'"', b'"', after @ ..] => block(after),
        [b'"', after @ ..] => Some(string(after)),
        [b'.', b'.', b'.', after @ ..] => Some(after),
        [b'0', after @ ..] => Some(after),
        [byte, ..] if is_word(*byte) => {
            let (word, after) = rest.split_at(rest.len().min(WORD));
            match word.iter().position(|byte| !is_word(*byte)) {
                Some(end) => Some(&rest[end..]),
                None => Some(after),
            }
        }
        [_, after @ ..] => Some(after),
        [] => Some(rest),
    }
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// What is left from the first byte on that is not to be skipped.
fn skip(rest: &[u8], skipped: impl Fn(u8) -> bool) -> &[u8] {
    let end = rest.iter().position(|byte| !skipped(*byte)).unwrap_or(rest.len());
    &rest[end..]
}

/// What follows a string. One that does not end on its line is a fault, at which the parser ends.
fn string(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [] | [b'\n' | b'\r', ..] => return rest,
            [b'"', after @ ..] => return after,
            [b'\\', _, after @ ..] => after,
            [_, after @ ..] => after,
        };
    }
}

/// What follows a block string, if it ends.
fn block(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match rest {
            [] => return None,
            [b'"', b'"', b'"', after @ ..] => return Some(after),
            [b'\\', b'"', b'"', b'"', after @ ..] => after,
            [_, after @ ..] => after,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        scan(text, &Limits::default()).map_or_else(|excess| excess.to_string(), |()| String::new())
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let many = "{[(".repeat(100);
        for (text, refused) in [
            (format!("# {many}\n{{ a(b: \"{many} \\\" {many}\") }}"), false),
            (format!("{{ a(b: \"\"\"{many} \\\"\"\" \n {many}\"\"\") }}"), false),
            (format!("{{ a(b: \"\"\"{many}\"\"\", c: \"{many}\", d: \"\\\\\") }}"), false),
            (format!("# c\r{many}"), true),
            (format!("{{a(b:\"\") {many}"), true),
            (format!("{{a(b:\"\\\\\") {many}"), true),
            (format!("{{a(b:\"\"\"\"\"\" {many}"), true),
            (format!("{{a(b:\"\n{many}"), true),
        ] {
            assert_eq!(refusal(&text).contains("open brackets"), refused, "{text}");
        }
    }

    #[test]
    fn as_many_brackets_as_allowed_may_be_open() {
        let limit = Limits::default().brackets;
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert_eq!(refusal(&nested(limit).repeat(20)), "");
        assert!(refusal(&nested(limit + 1)).contains("open brackets"));
    }

    #[test]
    fn a_block_string_without_an_end_is_refused() {
        for text in ["{ a(b: [\"\"\" \" {a:{a:1}}])}", "\"\"\"", "\"\"\"\"", "\"\"\"\\\"\"\"", "{a \"\"\"{"] {
            assert!(refusal(text).contains("block string"), "{text}");
        }
    }

    #[test]
    fn every_piece_that_the_parser_may_take_for_a_token_counts() {
        for (text, tokens) in [
            ("", 0),
            (" ,\t\r\n# a b c", 0),
            ("# a\nb", 1),
            ("{ a_1 }", 3),
            ("{...A...B}", 6),
            ("a(b:$c)@d", 9),
            ("\"a b\" \"\"\"c \"d\" e\"\"\"", 2),
            ("[12 0 00]", 6),
            ("!|=&", 4),
            ("{é}", 4),
        ] {
            let within = |tokens| scan(text, &Limits { tokens, ..Limits::default() }).is_ok();
            assert!(within(tokens), "{text}");
            assert!(tokens == 0 || !within(tokens - 1), "{text}");
        }
    }

    #[test]
    fn a_text_of_too_many_tokens_is_refused() {
        let limits = Limits { bytes: usize::MAX, ..Limits::default() };
        for piece in ["a ", "a:b ", "...A", "0", "\"\"", "{}", "truenull".repeat(4).as_str()] {
            let excess = scan(&piece.repeat(1_000_000), &limits).unwrap_err();
            assert!(excess.to_string().contains("more than 5000 tokens"), "{piece}");
        }
        for text in [" ".repeat(1_000_000), format!("{{ a(b: \"{}\") }}", "x ".repeat(1_000_000))] {
            assert_eq!(scan(&text, &limits), Ok(()));
            assert!(refusal(&text).contains("bytes of text"));
        }
    }

    #[test]
    fn any_bytes_can_be_scanned() {
        let pieces = ["\"", "\\", "\"\"\"", "#", "\n", "{", "]", "é", ".", "a", "0", "\0", "\u{feff}"];
        for a in pieces {
            for b in pieces {
                for c in pieces {
                    let _ = refusal(&format!("{a}{b}{c}{a}"));
                }
            }
        }
    }
}
