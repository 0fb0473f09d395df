//! Key sets: which keys count.

use serde_json::json;

use super::{
    super::tests::stand_in::{Signer, claims},
    *,
};

fn read(keys: &[Value]) -> Keys {
    Keys::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

/// Whether a key still counts with one of its members exchanged.
fn counts(signer: &Signer, name: &str, value: Value) -> bool {
    let mut jwk = signer.jwk();
    jwk[name] = value;
    read(&[jwk]).len() == 1
}

#[test]
fn a_key_that_we_do_not_know_does_not_spoil_the_others() {
    let signer = Signer::ec("e");
    let strange = [
        json!(null),
        json!(7),
        json!({}),
        json!({ "kty": "PQC", "kid": "e", "pub": "AA" }),
        json!({ "kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA" }),
        json!({ "kty": "oct", "k": "c2VjcmV0" }),
        json!({ "kty": "RSA", "n": 7, "e": "AQAB" }),
    ];
    let keys: Vec<Value> = strange.into_iter().chain([signer.jwk()]).collect();
    let keys = read(&keys);
    assert_eq!(keys.len(), 1);
    let token = signer.token(&claims());
    let token = Token::read(&token).unwrap();
    assert!(keys.find(&token).unwrap().has_signed(&token));
}

#[test]
fn a_key_is_for_signatures_and_for_the_algorithm_of_its_kind() {
    for signer in [Signer::rsa("r"), Signer::ec("e"), Signer::ed("d")] {
        let ours = signer.header()["alg"].clone();
        assert!(counts(&signer, "alg", ours.clone()));
        assert!(counts(&signer, "use", "sig".into()));
        assert!(counts(&signer, "key_ops", json!(["verify"])));
        for algorithm in ["RS256", "ES256", "EdDSA", "HS256", "PS256", "RS384", "RSA-OAEP", "none", "x"] {
            assert_eq!(counts(&signer, "alg", algorithm.into()), ours == algorithm, "{ours} {algorithm}");
        }
        for value in [json!("enc"), json!("SIG"), json!(7)] {
            assert!(!counts(&signer, "use", value));
        }
        for value in [json!(["encrypt"]), json!([]), json!("verify")] {
            assert!(!counts(&signer, "key_ops", value));
        }
    }
}

#[test]
fn a_key_that_is_weak_or_of_the_wrong_size_does_not_count() {
    let of = |bytes: usize| json!(URL_SAFE_NO_PAD.encode(vec![0xff; bytes]));
    let rsa = Signer::rsa("r");
    for (bytes, expected) in [(0, false), (128, false), (255, false), (256, true), (512, true), (513, false)]
    {
        assert_eq!(counts(&rsa, "n", of(bytes)), expected, "{bytes}");
    }
    // Zeros in front do not make a short key long.
    let padded: Vec<u8> = [vec![0; 200], vec![0xff; 128]].concat();
    assert!(!counts(&rsa, "n", URL_SAFE_NO_PAD.encode(padded).into()));
    assert!(!counts(&rsa, "n", "no base64!".into()));
    let (ec, ed) = (Signer::ec("e"), Signer::ed("d"));
    for bytes in [0, 31, 33, 48] {
        assert!(!counts(&ec, "x", of(bytes)) && !counts(&ec, "y", of(bytes)) && !counts(&ed, "x", of(bytes)));
    }
    assert!(!counts(&ec, "crv", "P-384".into()));
    assert!(!counts(&ed, "crv", "Ed448".into()));
    assert!(!counts(&ed, "crv", "P-256".into()));
}

#[test]
fn a_key_that_is_no_point_or_has_a_bad_exponent_verifies_nothing() {
    let forged = |signer: &Signer, name: &str, value: &str| {
        let mut jwk = signer.jwk();
        jwk[name] = value.into();
        let (keys, token) = (read(&[jwk]), signer.token(&claims()));
        let token = Token::read(&token).unwrap();
        !keys.find(&token).unwrap().has_signed(&token)
    };
    let zeros = URL_SAFE_NO_PAD.encode([0; 32]);
    assert!(forged(&Signer::ec("e"), "x", &zeros));
    assert!(forged(&Signer::ed("d"), "x", &zeros));
    for exponent in ["AQ", "Ag", "AA", "", "____________"] {
        assert!(forged(&Signer::rsa("r"), "e", exponent), "{exponent}");
    }
}

#[test]
fn several_keys_that_fit_are_not_tried_in_turn() {
    let (one, other, ec) = (Signer::rsa("same"), Signer::other_rsa("same"), Signer::ec("same"));
    let (of_rsa, of_ec) = (one.token(&claims()), ec.token(&claims()));
    let keys = read(&[one.jwk(), other.jwk(), ec.jwk()]);
    assert!(keys.find(&Token::read(&of_rsa).unwrap()).is_none());
    assert!(keys.find(&Token::read(&of_ec).unwrap()).is_some());
}

#[test]
fn a_set_has_a_most() {
    let keys: Vec<Value> = (0..100).map(|number| Signer::ed(&number.to_string()).jwk()).collect();
    assert_eq!(read(&keys).len(), MOST);
}

#[test]
fn what_is_not_a_key_set_is_none() {
    for text in ["", "null", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]", "\u{feff}{\"keys\":[]}"] {
        assert!(Keys::read(text.as_bytes()).is_none(), "{text}");
    }
    assert!(Keys::read(b"{\"keys\":[\xff]}").is_none());
    assert!(Keys::read("[".repeat(200_000).as_bytes()).is_none());
    assert_eq!(Keys::read(b"{\"keys\":[]}").map(|keys| keys.len()), Some(0));
}
