//! Stands in for an identity provider in tests: signs tokens, and serves its keys on a loopback port.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::StreamExt;

use super::super::{Identities, settings, source};

pub(in super::super) const ISSUER: &str = "https://id.example.com/";

pub(in super::super) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// Claims that are accepted.
pub(in super::super) fn claims() -> Value {
    let now = now().timestamp();
    json!({
        "iss": ISSUER, "aud": "ordo", "sub": "7", "iat": now, "exp": now + 60,
        "email": "olga@example.com", "email_verified": true,
    })
}

/// The claims with one of them exchanged; null stands for null, not for nothing.
pub(in super::super) fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

/// The claims without one of them.
pub(in super::super) fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name).unwrap();
    claims
}

/// A private key of the provider.
pub(in super::super) struct Signer {
    pub algorithm: Algorithm,
    pub key: EncodingKey,
    pub id: String,
}

impl Signer {
    pub fn rsa(id: &str) -> Signer {
        let key = EncodingKey::from_rsa_pem(keys::RSA.as_bytes()).unwrap();
        Signer { algorithm: Algorithm::RS256, key, id: id.to_owned() }
    }

    pub fn other_rsa(id: &str) -> Signer {
        let key = EncodingKey::from_rsa_pem(keys::OTHER_RSA.as_bytes()).unwrap();
        Signer { algorithm: Algorithm::RS256, key, id: id.to_owned() }
    }

    pub fn ec(id: &str) -> Signer {
        let key = EncodingKey::from_ec_pem(keys::EC.as_bytes()).unwrap();
        Signer { algorithm: Algorithm::ES256, key, id: id.to_owned() }
    }

    pub fn ed(id: &str) -> Signer {
        let key = EncodingKey::from_ed_pem(keys::ED.as_bytes()).unwrap();
        Signer { algorithm: Algorithm::EdDSA, key, id: id.to_owned() }
    }

    /// The public key as it is published.
    pub fn jwk(&self) -> Value {
        let mut jwk = json!(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap());
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk
    }

    pub fn header(&self) -> Value {
        json!({ "alg": format!("{:?}", self.algorithm), "typ": "JWT", "kid": self.id })
    }

    pub fn token(&self, claims: &Value) -> String {
        self.token_of(&self.header(), claims)
    }

    /// A token that is signed, whatever its header says.
    pub fn token_of(&self, header: &Value, claims: &Value) -> String {
        sealed(header, claims, &self.key, self.algorithm)
    }
}

pub(in super::super) fn sealed(
    header: &Value,
    claims: &Value,
    key: &EncodingKey,
    algorithm: Algorithm,
) -> String {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

pub(in super::super) fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// How the provider answers who asks for its keys.
#[derive(Clone)]
pub(in super::super) enum Answer {
    Keys(Vec<Value>),
    Text(String),
    Status(StatusCode),
    Redirect(String),
    Endless,
    Dripping,
    Never,
}

/// A provider that is up. It ends with the test.
pub(in super::super) struct Provider {
    pub url: String,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Provider {
    /// A provider that publishes the keys of these signers.
    pub async fn of(signers: &[&Signer]) -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new(Answer::Keys(Vec::new())));
        let asked = Arc::default();
        let state = (Arc::clone(&answer), Arc::clone(&asked));
        let router = Router::new().route("/jwks.json", get(answered)).with_state(state);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let provider = Provider { url, answer, asked, server };
        provider.publishes(signers);
        provider
    }

    pub fn publishes(&self, signers: &[&Signer]) {
        self.answers(Answer::Keys(signers.iter().map(|signer| signer.jwk()).collect()));
    }

    pub fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// How often it was asked for its keys.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// A server that takes this provider's tokens; `more` are lines of its settings.
    pub fn trusted(&self, more: &str) -> Identities {
        self.trusted_within(source::TIMEOUT, more)
    }

    /// The same, waiting for keys no longer than this.
    pub fn trusted_within(&self, timeout: Duration, more: &str) -> Identities {
        let text = format!(
            "[[provider]]\nissuer = {ISSUER:?}\njwks_url = {:?}\naudience = \"ordo\"\n{more}",
            self.url
        );
        Identities::new(settings::parse(&text).unwrap(), timeout).unwrap()
    }
}

type Script = (Arc<Mutex<Answer>>, Arc<AtomicUsize>);

async fn answered(State((answer, asked)): State<Script>) -> Response {
    asked.fetch_add(1, Ordering::SeqCst);
    let answer = answer.lock().unwrap().clone();
    match answer {
        Answer::Keys(keys) => json!({ "keys": keys }).to_string().into_response(),
        Answer::Text(text) => text.into_response(),
        Answer::Status(status) => status.into_response(),
        Answer::Redirect(to) => (StatusCode::FOUND, [(LOCATION, to)]).into_response(),
        Answer::Endless => {
            let chunk = || Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 4_096]));
            Body::from_stream(tokio_stream::iter(std::iter::repeat_with(chunk))).into_response()
        }
        Answer::Dripping => {
            let chunk = Ok::<_, std::io::Error>(Bytes::from_static(b" "));
            Body::from_stream(tokio_stream::once(chunk).chain(tokio_stream::pending())).into_response()
        }
        Answer::Never => std::future::pending().await,
    }
}

/// Keys made by the openssl program for these tests; they open nothing.
pub(super) mod keys {
    pub(in super::super) const RSA: &str = "-----BEGIN PRIVATE KEY-----
MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDEHvgPcTYMgOY/
0nR5hwuA6aWQdwloBTz9YskWJiggUpMvfJfKaJT5EQn5CIjZJecR92pPWvAWEzCo
MDqztFDrMBCNjeO1zzq47sr3jQeUhUaKIbZT7aCH1HZsJJIKVlURkRE3ww4gu0/y
FrYfJBEp4KCir3gUr7I60nKi15+kOFkgbJE4xQdxHjgvWjTITbZThTDyaZgDXimt
0KJUl2y0kayDJgUHOyuNWamhMPj+fqG1FYxSSvzKKplMkCkcpChLYQavmXb9C5Fk
gcNYUCr9dHIx2m+bXIT7H3Cy0m8kC+7XH8hR7D5jKofPd4BdctWaFpN/gwntNFgD
4pI9JPhrAgMBAAECggEAFyha/SPOkIJl7bJRi4oNKy8rnBfaNfysW3UfLmzZ/xsR
AyHwoHdh49kFtvCxjAaENuRimrUvtUOV0r5DKDYJ+gNmaPiQo0axdeXIdJukAf8M
ucHKUDW2Z2OIijN1RSA1kknxYQa4s9e6VGknHx04o5vBDASxJqwqXPS9kYnpcU/6
3L7VtraMwU8fgXIPNWPyA2Gd/ZjFPndv7wy3BMVQdyrWdFokgisfQUfKxi9xfWRo
5HFrSUn9qmvH8BPL0zD8LU55rJJTv96TwJ5Xtn+w8/kUGvR/fjmjF0SNUeaBDscq
eEa8qsV4oj9pJvgWh9plX/eAXerpK2hH4q8vcHPtHQKBgQD19WMGnSYptOIt4NHf
2MHNnwU2nTZe4mIBO+zXnXFBHPfLB6XCvpIh/X44zSfiQdKYkNi29nwVKvFWeodI
C474ysshmb3LR2vVVD72UHDGU0ofs9lkDWW5ICl70G0RHqNe1vmH7fBBuiak3PGP
fWfuUG0s8MUvufMhP6hPhKq0VQKBgQDMILWZT5uCaz0nlNyAjh3qrdzf4JAro+53
MgmzaPvAjt/HE8VvxuT3fHhPiFrPfDdhp9MuOYsW6ieZqeY2kN2hOe9uH5FCmoDE
NitE48R7rxOs60B2uxDvyOkAmMNA5nQVSYiWc4+h1AC/Qa3Nz5ZIv/szIqOdrxRx
93wa3pu5vwKBgQCP8BAIodTgmXO355bLCh24yLQTVwOnmZJDKJ+dOw05TsuQrKQM
CNyaObAxa5ZIqb6l/DZnNG4/MQdVVZVvyxvba0pfGorguKZZjNjf6wlkdv+s9+Jj
1BdQtIqyY7JAT47KBMK5Er0EqfzNhGN1Vq2I4NZTc3/iQ08OiSNljb0clQKBgCSR
B3b7R8RJKZ9Zj1aIHtvXYWXJeIoYx7Mah5pYCCEqdvPWmtu3KXUcGwFET+AzREh+
I9p3/G6Sa52fTdoggVNMaZO0m/TucHq1qXKhyqTNbBzh155tTE9oEjVFKFUL82eM
0KcC9IvsymV4goYH1cgafAlg/yZUIrl3uAeoMQVJAoGBANjSIU+JpB3c6xTLTFof
nWUHjJLnp2Rd/5QRKdTxMMN1SsL8S2YOoRWRaZouhHKP7NP4v6hYY/zvqkPMBhDn
GqH76MfysYpNWc3wZ56l0pg/mTEgoSd6PlR1p603eTn5Tz3ao5Byd36ZWoGZefT1
3rSmxs2gV6WtvmkUFCgQtG4V
-----END PRIVATE KEY-----
";
    pub(in super::super) const RSA_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxB74D3E2DIDmP9J0eYcL
gOmlkHcJaAU8/WLJFiYoIFKTL3yXymiU+REJ+QiI2SXnEfdqT1rwFhMwqDA6s7RQ
6zAQjY3jtc86uO7K940HlIVGiiG2U+2gh9R2bCSSClZVEZERN8MOILtP8ha2HyQR
KeCgoq94FK+yOtJyotefpDhZIGyROMUHcR44L1o0yE22U4Uw8mmYA14prdCiVJds
tJGsgyYFBzsrjVmpoTD4/n6htRWMUkr8yiqZTJApHKQoS2EGr5l2/QuRZIHDWFAq
/XRyMdpvm1yE+x9wstJvJAvu1x/IUew+YyqHz3eAXXLVmhaTf4MJ7TRYA+KSPST4
awIDAQAB
-----END PUBLIC KEY-----
";
    pub(in super::super) const OTHER_RSA: &str = "-----BEGIN PRIVATE KEY-----
MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQC3z+phW++1xWQP
7ah9nz+wv1cl3CZ+mB6jU/n4DmP43vlrtDfDq8VEh0xZk4trBdgah8cJaTx3GChI
eK6tMe+g4tm5dyBL+FzHnvu8Ltt63nk9ez/2v/kOJJFA7zp+qlxnnJoVwluOapk4
CpRZeGvpYdmlneVGuA9hb45HMfI4D6G63As1ACiII26OFzdZ2uLMVHG7k0EstoiW
My1wwFMb4DAcjtj9QDYDvgBsMy7NcC9Ti3kXXhUgk01ENkTI6mNu/gk/Kg/4TrWt
dun16wR3+OerR2+2sWaCrtm5cBXXGLD6hOJQ7Xz+ljE9NCdj1BOiAAOSAm6dW4V0
4beC52wJAgMBAAECggEADzDOf8qNaE4md3cGe1BFfxXHDdzQbRqlAI48fKqyyiLi
RcuEZsY7tK7CSW5bQaZfXkztjupsqfJ8BMY9eFiFw1vwDqboy0J8p24tA3ezYYeA
iUtV5U5m9qtgujczFDv/zDvJ06XG84F9hV9BdJXyRBy3NBvVEoe8VKr3nQxkhkun
POKVnMunK8UxBlJoIQHG2M36Aym6HCA3snmzt+0PSPEDEZi0tlJKufZNcCkvN18r
QjpA5C9/VyJjnvH0/4BR0Z/EJDDBtO09Ablyz5DbJCFflFnxBQj8zp9Zhbmc0t2e
dIN3gPsnOjCmt8DyGFebyaAwUsHsYGQc82pGth7sAQKBgQD4Xc3UllypfKZp8HpO
lLNTH2dsFOGOhQfI0/gQncl2CMd5773shq68XfYpORNpKmIg8gvsnYdrB9NpjVx2
KEPk6OLrUvIF/JZ19BxrCHQKHM6BiHWa8lh35u20U1/DTibAb3ztCsT0HiyDhDWJ
bIlE/I2b2koVXkdD3gR8LejsAQKBgQC9di+Z5vkY2NZU1/dkGo0pO9yKa+CvdCol
YMLE+UKuNcUgbKvyZlH+jF4j5xu2glKRgJrSWCGRhJUmE/k2XHo22OOGbjS5MM7p
C53cQpPXigwS2qMdUN6h1LuCNtspzGEHm9H5KgcJY6Ez/ixA/c+tqTw3fy2Rixt+
08wiFDcgCQKBgBhk9kOMJTvMb3f2U70GI/rlGb5m6qSZ8mLKVxIivVfnktgqMQhb
TixYOkZgQcTRkePUglFSQ6vCkARNCyjb2ZdRPICKnBT0cz7QpD3rDaK0o5/bbFm0
tfXI684LZluDgJDkImwR47hqgkrEoJGH5I+vEqWdMiuZH/zNgLlFtRwBAoGAUJ5s
zPFSx7blJP8s/wSpUoVtZ91Vo3Mrx/Hvjv9910F8GzsCw8e0VjuGh4J88WFtHwr5
Vk44IoKnMKfJIM+jFZme34IfnzncoZ/W0XXnEQ1l69PrGrthsL0j+Nm80oFsPF+a
roqqqd0iKEycqh8WcxATVo4gZtEppwMa1tmBR3kCgYAIpoJH66IkbBof/Zp/ozn8
pEdwYicx9s0ITXFzeElSKxmdlw/kh3U1dEJYfCP0Fa9hd7KhWciJB49IOpOoTpI9
aUNKPDnyTbinAOpF139M1ML7sXBp8CFk5PDJhWdxS5Jj0hzDqhIta7ww3QsCCRCu
vgHRXp/AnyStYLRIX4zT7Q==
-----END PRIVATE KEY-----
";
    pub(in super::super) const EC: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgIsoWUvmFvAm806V6
9fHN+K2lxUgyzogkDowtOv8LCFihRANCAAQajoNmGTqOAZCr5zGAqQBE0FlCbgNT
d1kDZeCSYHDTuRDcNIkXYgjA6m8bGDW15vLhy4oZrTm1ZlOXtMWT6wcK
-----END PRIVATE KEY-----
";
    pub(in super::super) const ED: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIImi2eS6T0zKCgLfoBaFJdcmv3hppMjlcBZbA330pGBz
-----END PRIVATE KEY-----
";
}
