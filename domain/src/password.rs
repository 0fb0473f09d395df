//! What a password must be. Length is what counts; what is drawn from a keyboard by rule is not asked for.

use crate::refusal::Refusal;

/// The fewest characters.
pub const SHORTEST: usize = 12;
/// The most characters.
pub const LONGEST: usize = 128;
/// The most bytes: no hash is asked for more.
pub const MOST_BYTES: usize = 512;

/// Whether a new password of the account with this e-mail address is acceptable. `path` is its place in the
/// input; the refusal never repeats it.
///
/// # Errors
/// VALIDATION: too short or long, the e-mail address, nothing but spaces or one character, or with NUL.
pub fn check(path: &str, password: &str, email: &str) -> Result<(), Refusal> {
    let refuse = |message: &str| Err(Refusal::invalid(path, message));
    let length = password.chars().count();
    if !(SHORTEST..=LONGEST).contains(&length) || password.len() > MOST_BYTES {
        return refuse("a password has 12 to 128 characters");
    }
    if password.contains('\0') {
        return refuse("a password must not contain NUL");
    }
    let mut characters = password.trim().chars();
    let first = characters.next();
    if characters.all(|character| Some(character) == first) {
        return refuse("a password is more than one character, repeated");
    }
    if password.trim().to_lowercase() == email.trim().to_lowercase() {
        return refuse("a password is not the e-mail address");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(password: &str) -> bool {
        check("new", password, "Ada.Lovelace@example.test").is_ok()
    }

    #[test]
    fn a_phrase_is_a_password() {
        assert!(accepted("correct horse battery"));
        assert!(accepted("twelve chars"));
        assert!(accepted(&"ab".repeat(64)));
    }

    #[test]
    fn what_is_too_short_too_long_or_no_secret_is_refused_and_not_repeated() {
        let long = "ab".repeat(64) + "c";
        let wide = "🦀🐙".repeat(65);
        for password in [
            "",
            "eleven char",
            &long,
            &wide,
            "            ",
            "aaaaaaaaaaaaaaaa",
            "  aaaaaaaaaaaa  ",
            "with a NUL \0 inside",
            "ada.lovelace@example.test",
            "ADA.LOVELACE@EXAMPLE.TEST ",
        ] {
            let refusal = check("new", password, "Ada.Lovelace@example.test").expect_err(password);
            assert_eq!(refusal.code(), "VALIDATION");
            assert!(password.is_empty() || !refusal.to_string().contains(password), "{password}");
        }
    }
}
