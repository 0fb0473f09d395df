//! Tokens: what is let in, and every way of being kept out.

use futures_util::FutureExt;
use serde_json::json;

use super::*;

const SECRET: &[u8] = b"a secret of more than thirty-two bytes";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn user() -> UserId {
    UserId(uuid::Uuid::from_u128(7))
}

fn auth() -> Auth {
    Auth::with_secret(SECRET, "ordo", "ordo")
}

fn claims() -> Value {
    let now = now().timestamp();
    json!({ "sub": user().to_string(), "iss": "ordo", "aud": "ordo", "nbf": now, "exp": now + 60 })
}

fn signed(claims: &Value) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

fn with(key: &str, value: Value) -> String {
    let mut claims = claims();
    claims[key] = value;
    signed(&claims)
}

/// Own tokens are verified at once: nothing has to be fetched.
fn verify(auth: &Auth, token: &str, now: DateTime<Utc>) -> Result<Verified, Denied> {
    auth.verify(token, now).now_or_never().unwrap()
}

fn verdict(token: &str) -> Result<Verified, Denied> {
    verify(&auth(), token, now())
}

#[test]
fn a_token_that_was_issued_is_verified_and_remembered_until_it_expires() {
    let auth = auth();
    let expires_at = now() + TimeDelta::minutes(5);
    let token = auth.issue(user(), now(), expires_at).unwrap();
    let verified = Verified { account: Account::Id(user()), session: None, roles: None, expires_at };
    assert_eq!(verify(&auth, &token, now()), Ok(verified.clone()));
    assert_eq!(auth.inner.verified.iter().count(), 1);
    assert_eq!(verify(&auth, &token, expires_at + TimeDelta::seconds(29)), Ok(verified));
    assert_eq!(verify(&auth, &token, expires_at + LEEWAY), Err(Denied::Expired));
}

#[test]
fn times_count_with_a_leeway() {
    let at = now().timestamp();
    assert_eq!(verdict(&with("exp", (at - 30).into())), Err(Denied::Expired));
    assert!(verdict(&with("exp", (at - 29).into())).is_ok());
    assert_eq!(verdict(&with("nbf", (at + 31).into())), Err(Denied::NotYetValid));
    assert!(verdict(&with("nbf", (at + 30).into())).is_ok());
    assert!(verdict(&with("exp", json!(at as f64 + 0.5))).is_ok());
    assert!(verdict(&with("exp", json!(u64::MAX))).is_ok());
    assert_eq!(verdict(&with("exp", json!("tomorrow"))), Err(Denied::Forged));
}

#[test]
fn every_claim_is_required_by_name() {
    for name in ["sub", "exp", "nbf", "iss", "aud"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(verdict(&signed(&claims)), Err(Denied::Forged), "{name}");
        assert_eq!(verdict(&with(name, Value::Null)), Err(Denied::Forged), "{name}");
    }
    assert!(verdict(&signed(&claims())).is_ok());
}

#[test]
fn a_token_for_somebody_else_is_refused() {
    assert_eq!(verdict(&with("iss", "other".into())), Err(Denied::Forged));
    assert_eq!(verdict(&with("aud", "other".into())), Err(Denied::Forged));
    assert!(verdict(&with("aud", json!(["other", "ordo"]))).is_ok());
    assert_eq!(verdict(&with("sub", "order_01h455vb4pex5vsknk084sn02q".into())), Err(Denied::Forged));
}

#[test]
fn another_key_another_algorithm_and_none_are_refused() {
    let key = EncodingKey::from_secret(b"another secret of more than thirty-two bytes");
    let other = encode(&Header::new(Algorithm::HS256), &claims(), &key).unwrap();
    assert_eq!(verdict(&other), Err(Denied::Forged));
    let longer =
        encode(&Header::new(Algorithm::HS512), &claims(), &EncodingKey::from_secret(SECRET)).unwrap();
    assert_eq!(verdict(&longer), Err(Denied::Forged));
    let encoded =
        |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string().as_bytes());
    for algorithm in ["none", "None", "HS256"] {
        let header = encoded(&json!({ "alg": algorithm, "typ": "JWT" }));
        assert!(verdict(&format!("{header}.{}.", encoded(&claims()))).is_err(), "{algorithm}");
    }
    for text in ["", ".", "..", "a.b", "a.b.c.d", "a.b.c", "é.é.é"] {
        assert_eq!(verdict(text), Err(Denied::Malformed), "{text}");
    }
    assert_eq!(verdict(&"a".repeat(LONGEST + 1)), Err(Denied::Malformed));
}

#[test]
fn the_header_is_bearer_and_a_token_and_stands_once() {
    let token = signed(&claims());
    let of = |values: &[String]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        auth().bearer(&headers, now()).now_or_never().unwrap().map(|who| who.is_some())
    };
    assert_eq!(of(&[]), Ok(false));
    assert_eq!(of(&[format!("Bearer {token}")]), Ok(true));
    assert_eq!(of(&[format!("bearer  {token}")]), Ok(true));
    for wrong in [token.clone(), format!("Basic {token}"), "Bearer".to_owned(), "Bearer ".to_owned()] {
        assert_eq!(of(std::slice::from_ref(&wrong)), Err(Denied::Malformed), "{wrong}");
    }
    let twice = format!("Bearer {token}");
    assert_eq!(of(&[twice.clone(), twice]), Err(Denied::Malformed));
}

/// Keys made by the openssl program for these tests; they open nothing.
mod keys {
    pub(super) const RSA: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAnw0OhOKkmDxqqJArNY50
59wRrd9x9R9Ai3OsG3fnpi6+JwcSmfRpSlecYUiBQrh8yRUeFet9uu+ncyTTM8nN
Q7HHIwyCcNjz0U/kyjEQxoPdhTQLJeeugfMYoXqS0Wn7a6oaCeUdMaIsagednLJJ
/FrYdK9uV6wx2SD0CWEd4+BQzsgUt3kCQQ2jci/d8Uyz2vXckyiK03WLAsiab5BK
b6MZ+3Na7sQ82zoeJ70RysVWcC/x3I/4kfcAPG5SR4Iw/w0509X/L4tSHmxOFn0V
HgYII5s2gIlX5I8sLiELTQXTwxaA6UHSd7W+lLjgqqTvOwUjhmg+wqt+Ny9/+zLY
dQIDAQAB
-----END PUBLIC KEY-----
";
    pub(super) const RSA_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCfDQ6E4qSYPGqo
kCs1jnTn3BGt33H1H0CLc6wbd+emLr4nBxKZ9GlKV5xhSIFCuHzJFR4V632676dz
JNMzyc1DsccjDIJw2PPRT+TKMRDGg92FNAsl566B8xihepLRaftrqhoJ5R0xoixq
B52cskn8Wth0r25XrDHZIPQJYR3j4FDOyBS3eQJBDaNyL93xTLPa9dyTKIrTdYsC
yJpvkEpvoxn7c1ruxDzbOh4nvRHKxVZwL/Hcj/iR9wA8blJHgjD/DTnT1f8vi1Ie
bE4WfRUeBggjmzaAiVfkjywuIQtNBdPDFoDpQdJ3tb6UuOCqpO87BSOGaD7Cq343
L3/7Mth1AgMBAAECggEABIwhROPc/FxH2WNr1NdqmMF2QPAhSDaZSBNp0Yw7U4lF
FwUQ/1VZWE6Kck6aIX/4U2B28H3/5YMaGMTuA+5KX9vam3ItXZAaYnrkCfLerapS
AE+1XONTnjQG2YERZwrebRzbKzrBe6yNFAf9NeB0FJK9WxKz9y49a52RVJ5R9jSl
USm7bHLLy75wn5QbH408EX/CawnF2/O9QZWzu0cz3OKoC3aHUE13yEMR/3LgGibK
VjMPr1VR7Jutj5IbpmxbqgCSpXcXpfdKSFDO69Zd0d2Sb+HIGQSWXt2q7e+t/Gis
HrypNypaxPzj7Me404Fp3Xe4RPogiKPOPH6FKSJN4QKBgQDY+1DvhN1H5+fd26A4
B/F/Wszy5VfqOOjYGfvwqLgvFoD4IHYmfH1x00CJ11+q19pKzYWK/tBAhLO6g5gd
Zqab2L96H2UuWFUV5a/zMuIsntxsM48PtpkQIdmWxAgzjAFBfE33X4FhGjTYxZJw
slGAC8HWHGVOzS0bNoXNJFOlVQKBgQC7putMYlzY6Zh8dRdJ35tm85AKmVRQK2Rm
ffcB+HKk2UAQAnapC1NilaPy2vzV/JlYfO/kIYxQH+XmkDO63lQ+g8GwQtbKV9Fo
GQbIcSSR6djJ4kluKxZhLdoOYZPH/vSVFvXnLwYHF82fzM61wQdRaq7T3BtkQhf4
MIyCE9hmoQKBgQDQwfKbjxwKi28Ef8KFRfcuDWEzrD3KRliXWWCQqPMTsrYAg9LI
smtKsPHd7I3JZAVMhLGgCgq4mDQHFYaretB/DqkiSMRjM28hMyv2cxUx0uHFZFGW
z5ox8C9VI2O0nFW0+HBWuNdUYg9II8YBkT5iUG18nzNE/pgQH4PZ28JyRQKBgFIP
6Q56ZYgmf5zNx+VyeA9JrFA2RXzZvQplQ8QE1n3o0+8sZKAAZ/LQ5eWqhq89zAG6
gV4OncHccTmnDjhGSikcjXN7h1rtlJIlf6XgdNGqpjeDUgFvrlXJK3bmjS4E/QjG
BbuYANbRPgcIFc2+IGkmclYMB56MmNbcxFWOQDCBAoGAZlL5qas9hV33yIwU+V2r
Dhmx0pI8vLQNhxFocOr9uWsWYozXzLmAH9OrEKfsoKor/CSncrX+/J1M794fD7Gm
uDVbsVZ8CSVJ0t4G5G9RMHuueA0MhDYuUQaRFkDQuvT54K29GjLaqXtSR02DMX5F
DXVLCYzomAOVWBBZO6CCf4o=
-----END PRIVATE KEY-----
";
    pub(super) const RSA_SHORT: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDIOU0JZxoGnNLQ3njLQe2o8ofR
7KudgeqsD91mWrLAbvFwVkDJyegs8rhs1fRbbVomulYQL+Rh4xCOaHLZ5kmxryoA
8n9eqEgNF3hxhrH51yNP182kl0ytQyvb42hVsjWOfVjFo/dAiRWtIw3VVun5Msw4
49hpiOSLDCpNbQiKRwIDAQAB
-----END PUBLIC KEY-----
";
    pub(super) const EC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAERYcd/3q/louq3ILqayenNmvegeDB
zfecsp1QiF5cp1O3mlvgwQ8bJxA80ZFCqbDDddE33Q79BBRQe004KcTcUg==
-----END PUBLIC KEY-----
";
    pub(super) const EC_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgm1SdmmuinXNIANA7
oUUdehTe3TLzBxJU0Wc9Oe0ufWOhRANCAARFhx3/er+Wi6rcguprJ6c2a96B4MHN
95yynVCIXlynU7eaW+DBDxsnEDzRkUKpsMN10TfdDv0EFFB7TTgpxNxS
-----END PRIVATE KEY-----
";
    pub(super) const EC_P384: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAETxM6Y1CN6R47l5AK1HbP0qrg8HZkwGp+
TRYvRvOcr6CTW2rTZWIqETS+Gqhfh1vxmFhKyOLQ4KHcqBgiKCenmuxQo7qlYiNY
EIX+Nrsk1eM8YN8U5MavuMpwvO0antI+
-----END PUBLIC KEY-----
";
    pub(super) const EC_SECP256K1: &str = "-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEbQslQ0QG2vClq1zZK8c57S3mLPb8YFy7
SBTQYXNg7iLUYGswyS8BQna9eSMeFinUWEAxP4QCQtWQl5PvE6U6Rw==
-----END PUBLIC KEY-----
";
    pub(super) const ED: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEABcWA3X3i1/nPwlEyB0YUYchktSPS8/0QhrgM7IuTs9U=
-----END PUBLIC KEY-----
";
    pub(super) const ED_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIB91rv+ffP6OlS5r66R8KkxhPG8M9bf9baY+XNME6Vtz
-----END PRIVATE KEY-----
";
}

#[test]
fn the_kind_of_the_public_key_decides_the_algorithm() {
    let pairs = [
        (keys::RSA, EncodingKey::from_rsa_pem(keys::RSA_PRIVATE.as_bytes()).unwrap(), Algorithm::RS256),
        (keys::EC, EncodingKey::from_ec_pem(keys::EC_PRIVATE.as_bytes()).unwrap(), Algorithm::ES256),
        (keys::ED, EncodingKey::from_ed_pem(keys::ED_PRIVATE.as_bytes()).unwrap(), Algorithm::EdDSA),
    ];
    for (public, private, algorithm) in &pairs {
        let auth = Auth::with_public_key(public, "ordo", "ordo").unwrap();
        let token = encode(&Header::new(*algorithm), &claims(), private).unwrap();
        assert!(verify(&auth, &token, now()).is_ok(), "{algorithm:?}");
        assert_eq!(auth.issue(user(), now(), now()), Err(NotAnIssuer));
        for (_, other, algorithm) in pairs.iter().filter(|(other, ..)| other != public) {
            let token = encode(&Header::new(*algorithm), &claims(), other).unwrap();
            assert_eq!(verify(&auth, &token, now()), Err(Denied::Forged), "{algorithm:?}");
        }
    }
}

#[test]
fn a_public_key_is_no_secret() {
    for public in [keys::RSA, keys::EC, keys::ED] {
        let auth = Auth::with_public_key(public, "ordo", "ordo").unwrap();
        for secret in [public, public.trim()] {
            let key = EncodingKey::from_secret(secret.as_bytes());
            let token = encode(&Header::new(Algorithm::HS256), &claims(), &key).unwrap();
            assert_eq!(verify(&auth, &token, now()), Err(Denied::Forged));
        }
    }
}

#[test]
fn a_key_that_will_not_do_is_refused_at_the_start() {
    let refused = |pem: &str| Auth::with_public_key(pem, "ordo", "ordo").unwrap_err();
    assert_eq!(refused(keys::RSA_PRIVATE), KeyError::Private);
    assert_eq!(refused(keys::ED_PRIVATE), KeyError::Private);
    assert_eq!(refused(keys::EC_P384), KeyError::Unknown);
    assert_eq!(refused(keys::EC_SECP256K1), KeyError::Unknown);
    assert_eq!(refused(keys::RSA_SHORT), KeyError::Weak);
    assert_eq!(refused("hello"), KeyError::Unknown);
    assert_eq!(refused(""), KeyError::Unknown);
}

#[test]
fn a_session_is_in_the_token_and_counts_where_the_server_signs_alone() {
    let session = SessionId(uuid::Uuid::from_u128(9));
    let expires_at = now() + TimeDelta::minutes(5);
    let token = auth().sign(user(), session, now(), expires_at).unwrap();
    assert_eq!(
        verdict(&token),
        Ok(Verified { account: Account::Id(user()), session: Some(session), roles: None, expires_at })
    );
    assert_eq!(verdict(&with("sid", session.to_string().into())).unwrap().session, Some(session));
    for sid in [json!("nonsense"), json!(user().to_string()), json!(7), json!([])] {
        assert_eq!(verdict(&with("sid", sid.clone())), Err(Denied::Forged), "{sid}");
    }
    let elsewhere = Auth::with_public_key(keys::ED, "ordo", "ordo").unwrap();
    assert!(!elsewhere.issues());
    let signed = elsewhere.sign(user(), session, now(), expires_at);
    assert!(matches!(signed, Err(Error::LoginElsewhere)));
    let private = EncodingKey::from_ed_pem(keys::ED_PRIVATE.as_bytes()).unwrap();
    for sid in ["b7e2d1", &session.to_string()] {
        let mut claims = claims();
        claims["sid"] = sid.into();
        let token = encode(&Header::new(Algorithm::EdDSA), &claims, &private).unwrap();
        assert_eq!(verify(&elsewhere, &token, now()).unwrap().session, None, "{sid} is theirs");
    }
}

#[test]
fn a_service_token_counts_until_its_end_where_its_seal_is_known() {
    let keys = Keys::derive(SECRET);
    let expires_at = now() + TimeDelta::minutes(5);
    let token = Service { user: user(), expires_at: Some(expires_at) }.seal(&keys);
    let knowing = auth().knowing(keys.clone());
    let verified = Verified { account: Account::Id(user()), session: None, roles: None, expires_at };
    assert_eq!(verify(&knowing, &token, now()), Ok(verified.clone()));
    assert_eq!(knowing.credentials(&format!("Bearer {token}"), now()).now_or_never().unwrap(), Ok(verified));
    assert_eq!(verify(&knowing, &token, expires_at + LEEWAY), Err(Denied::Expired));
    assert_eq!(verdict(&token), Err(Denied::Forged));
    let other = auth().knowing(Keys::derive(b"another secret"));
    assert_eq!(verify(&other, &token, now()), Err(Denied::Forged));
    let endless = Service { user: user(), expires_at: None }.seal(&keys);
    assert!(verify(&knowing, &endless, now() + TimeDelta::days(365_000)).is_ok());
}
