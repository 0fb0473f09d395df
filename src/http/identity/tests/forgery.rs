//! Tokens of an outside provider that are not: every one is refused, and told why.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::{
    super::Identities,
    stand_in::{Answer, Provider, Signer, claims, encoded, keys, now, sealed, with, without},
};
use crate::http::auth::Denied;

/// A provider with one key of each kind.
async fn provider() -> (Provider, [Signer; 3]) {
    let signers = [Signer::rsa("r"), Signer::ec("e"), Signer::ed("d")];
    (Provider::of(&signers.each_ref()).await, signers)
}

async fn verdict(identities: &Identities, token: &str) -> Denied {
    identities.verify(token, now()).await.unwrap_err()
}

fn header(signer: &Signer, name: &str, value: Value) -> Value {
    let mut header = signer.header();
    header[name] = value;
    header
}

#[tokio::test]
async fn a_token_that_nobody_signed_is_refused() {
    let (provider, signers) = provider().await;
    let identities = provider.trusted("");
    for signer in &signers {
        for algorithm in ["none", "None", "NONE", "nOnE", ""] {
            let message =
                format!("{}.{}", encoded(&header(signer, "alg", algorithm.into())), encoded(&claims()));
            for signature in ["", "AA", "signature"] {
                let token = format!("{message}.{signature}");
                assert_eq!(verdict(&identities, &token).await, Denied::Forged, "{algorithm} {signature}");
            }
        }
        let message = format!("{}.{}", encoded(&signer.header()), encoded(&claims()));
        for signature in ["", "AA", "not/base64", &"A".repeat(86), &"A".repeat(342)] {
            assert_eq!(verdict(&identities, &format!("{message}.{signature}")).await, Denied::Forged);
        }
    }
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let (provider, signers) = provider().await;
    let identities = provider.trusted("");
    let body: String = keys::RSA_PUBLIC.lines().filter(|line| !line.starts_with("-----")).collect();
    let mut secrets = vec![
        keys::RSA_PUBLIC.as_bytes().to_vec(),
        keys::RSA_PUBLIC.trim().as_bytes().to_vec(),
        STANDARD.decode(body).unwrap(),
    ];
    for jwk in signers.iter().map(Signer::jwk) {
        secrets.push(jwk.to_string().into_bytes());
        for part in ["n", "x"].iter().filter_map(|part| jwk[part].as_str()) {
            secrets.extend([part.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(part).unwrap()]);
        }
    }
    assert_eq!(secrets.len(), 12);
    for secret in &secrets {
        let secret = EncodingKey::from_secret(secret);
        for signer in &signers {
            for name in ["HS256", "RS256", "ES256", "EdDSA", "hs256"] {
                let token = sealed(&header(signer, "alg", name.into()), &claims(), &secret, Algorithm::HS256);
                assert_eq!(verdict(&identities, &token).await, Denied::Forged, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn a_symmetric_key_in_the_set_verifies_nothing() {
    let provider = Provider::of(&[]).await;
    let secret = b"a secret that should not have been published";
    let jwk = json!({ "kty": "oct", "kid": "s", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(secret) });
    provider.answers(Answer::Keys(vec![jwk]));
    let header = json!({ "alg": "HS256", "kid": "s" });
    let token = sealed(&header, &claims(), &EncodingKey::from_secret(secret), Algorithm::HS256);
    assert_eq!(verdict(&provider.trusted(""), &token).await, Denied::Forged);
}

#[tokio::test]
async fn a_token_signed_with_another_key_is_refused() {
    let (provider, _) = provider().await;
    let identities = provider.trusted("");
    assert_eq!(verdict(&identities, &Signer::other_rsa("r").token(&claims())).await, Denied::Forged);
    assert_eq!(verdict(&identities, &Signer::other_rsa("new").token(&claims())).await, Denied::Forged);
}

#[tokio::test]
async fn a_changed_token_is_refused() {
    let (provider, signers) = provider().await;
    let identities = provider.trusted("");
    for signer in &signers {
        let (one, other) = (signer.token(&claims()), signer.token(&with("sub", "8".into())));
        let [one, other]: [Vec<&str>; 2] = [one.split('.').collect(), other.split('.').collect()];
        let mixed = format!("{}.{}.{}", one[0], other[1], one[2]);
        assert_eq!(verdict(&identities, &mixed).await, Denied::Forged, "{}", signer.id);
    }
}

#[tokio::test]
async fn an_algorithm_that_is_not_the_keys_is_refused() {
    let (provider, signers) = provider().await;
    let identities = provider.trusted("");
    for signer in &signers {
        for name in ["RS256", "ES256", "EdDSA"].into_iter().filter(|name| signer.header()["alg"] != *name) {
            let token = signer.token_of(&header(signer, "alg", name.into()), &claims());
            assert_eq!(verdict(&identities, &token).await, Denied::Forged, "{} {name}", signer.id);
        }
    }
    // Rightly signed with the right key, in a way that we do not allow.
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        for name in [format!("{algorithm:?}"), "RS256".to_owned()] {
            let header = header(&signers[0], "alg", name.into());
            let token = sealed(&header, &claims(), &signers[0].key, algorithm);
            assert_eq!(verdict(&identities, &token).await, Denied::Forged, "{algorithm:?}");
        }
    }
    for value in [json!("rs256"), json!("RS256 "), json!(["RS256"]), Value::Null] {
        let token = signers[0].token_of(&header(&signers[0], "alg", value), &claims());
        assert_eq!(verdict(&identities, &token).await, Denied::Forged);
    }
}

#[tokio::test]
async fn an_algorithm_that_the_settings_do_not_name_is_refused() {
    let (provider, signers) = provider().await;
    for allowed in &signers {
        let name = allowed.header()["alg"].clone();
        let identities = provider.trusted(&format!("algorithms = [{name}]\n"));
        for signer in &signers {
            let verdict = identities.verify(&signer.token(&claims()), now()).await.map(|_| ());
            let expected = if signer.id == allowed.id { Ok(()) } else { Err(Denied::Forged) };
            assert_eq!(verdict, expected, "{} where {name} is allowed", signer.id);
        }
    }
}

#[tokio::test]
async fn a_header_that_asks_for_more_is_refused() {
    let (provider, signers) = provider().await;
    let identities = provider.trusted("");
    let asks = [
        ("crit", json!(["b64"])),
        ("crit", json!([])),
        ("crit", Value::Null),
        ("typ", json!("logout+jwt")),
        ("typ", json!("secevent+jwt")),
        ("typ", json!("JWE")),
        ("typ", json!("")),
        ("typ", json!(7)),
        ("typ", Value::Null),
        ("kid", json!(7)),
        ("kid", Value::Null),
    ];
    for (name, value) in asks {
        for signer in &signers {
            let token = signer.token_of(&header(signer, name, value.clone()), &claims());
            assert_eq!(verdict(&identities, &token).await, Denied::Forged, "{name} {value}");
        }
    }
}

#[tokio::test]
async fn a_key_in_the_header_is_not_looked_at() {
    let (provider, signers) = provider().await;
    let elsewhere = Provider::of(&[&Signer::other_rsa("r")]).await;
    let identities = provider.trusted("");
    let forger = Signer::other_rsa("r");
    let asks = [
        ("jwk", forger.jwk()),
        ("jku", elsewhere.url.clone().into()),
        ("x5u", elsewhere.url.clone().into()),
        ("x5c", json!(["MIIB"])),
    ];
    for (name, value) in asks {
        let forged = forger.token_of(&header(&forger, name, value.clone()), &claims());
        assert_eq!(verdict(&identities, &forged).await, Denied::Forged, "{name}");
        let genuine = signers[0].token_of(&header(&signers[0], name, value), &claims());
        assert!(identities.verify(&genuine, now()).await.is_ok(), "{name}");
    }
    assert_eq!((provider.asked(), elsewhere.asked()), (1, 0));
}

#[tokio::test]
async fn a_key_id_is_a_name_and_never_a_place() {
    let (provider, signers) = provider().await;
    let identities = provider.trusted("");
    for id in ["", "../r", "r\0", "R", "' OR 1=1", "http://127.0.0.1/"] {
        let token = signers[0].token_of(&header(&signers[0], "kid", id.into()), &claims());
        assert_eq!(verdict(&identities, &token).await, Denied::Forged, "{id:?}");
    }
}

#[tokio::test]
async fn claims_are_checked_however_well_they_are_signed() {
    let (provider, signers) = provider().await;
    let identities = provider.trusted("roles_claim = \"groups\"\n[provider.roles]\nstaff = \"staff\"\n");
    let at = now().timestamp();
    let mut good = with("groups", json!("staff"));
    assert!(identities.verify(&signers[2].token(&good), now()).await.is_ok());
    let cases = [
        ("iss", json!("https://id.example.com"), Denied::Forged),
        ("iss", json!(["https://id.example.com/"]), Denied::Forged),
        ("aud", json!("other"), Denied::Forged),
        ("exp", json!((at + 60).to_string()), Denied::Forged),
        ("exp", json!(at - 30), Denied::Expired),
        ("nbf", json!(at + 31), Denied::NotYetValid),
        ("iat", json!(at + 31), Denied::NotYetValid),
        ("sub", json!(7), Denied::Forged),
        ("email", json!("olga"), Denied::Forged),
        ("email_verified", json!(false), Denied::Unverified),
        ("groups", json!("everybody"), Denied::UnknownRole),
    ];
    for (name, value, expected) in cases {
        let kept = std::mem::replace(&mut good[name], value.clone());
        assert_eq!(verdict(&identities, &signers[2].token(&good)).await, expected, "{name} {value}");
        // What was not there before goes again.
        if kept.is_null() {
            good.as_object_mut().unwrap().remove(name);
        } else {
            good[name] = kept;
        }
    }
    for name in ["exp", "sub", "iss", "aud"] {
        assert_eq!(verdict(&identities, &signers[2].token(&without(name))).await, Denied::Forged, "{name}");
    }
}

#[tokio::test]
async fn what_is_no_token_is_malformed() {
    let (provider, signers) = provider().await;
    let identities = provider.trusted("");
    let payload = encoded(&claims());
    let mut texts: Vec<String> =
        ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", "é.é.é"].map(str::to_owned).to_vec();
    texts.push(format!("{}.{payload}", encoded(&signers[0].header())));
    texts.push(format!("not json.{payload}."));
    texts.push(format!("{}.{payload}.", encoded(&json!([]))));
    texts.push(format!("{}.more", signers[0].token(&claims())));
    texts.push(format!("{}=.{payload}.AA", encoded(&signers[0].header())));
    texts.push(signers[0].token(&json!(["https://id.example.com/"])));
    texts.push(signers[0].token(&with("name", "x".repeat(9_000).into())));
    let nested = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
    texts.push(format!("{}.{payload}.AA", URL_SAFE_NO_PAD.encode(nested)));
    // Two readers could take two different claims from this one.
    let twice = claims().to_string().replacen('{', "{\"iss\":\"other\",", 1);
    texts.push(format!("{}.{}.AA", encoded(&signers[0].header()), URL_SAFE_NO_PAD.encode(twice)));
    for text in texts {
        assert_eq!(verdict(&identities, &text).await, Denied::Malformed, "{text}");
    }
    assert_eq!(provider.asked(), 1, "only the tokens that name the provider made us ask");
}
