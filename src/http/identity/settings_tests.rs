//! The settings file: what it may say, and everything that is wrong with it at once.

use domain::id::OrganizationId;

use super::*;

const FULL: &str = r#"
[[provider]]
issuer = "https://id.example.com/"
jwks_url = "https://id.example.com/jwks.json"
audience = "ordo"
algorithms = ["RS256", "ES256"]
user_claim = "email"
require_verified_email = true
roles_claim = "groups"
[provider.roles]
order-staff = "staff"
"acme owners" = "provider@org_00000000000000000000000007"

[[provider]]
issuer = "workers"
jwks_url = "http://[::1]:9000/keys"
audience = ["ordo", "orders"]
user_claim = "sub"
"#;

fn faults(text: &str) -> Vec<String> {
    parse(text).unwrap_err()
}

/// The faults of a provider with these lines beside what is required.
fn faults_with(more: &str) -> Vec<String> {
    let head = "[[provider]]\nissuer = \"a\"\njwks_url = \"https://a.example.com\"\naudience = \"ordo\"\n";
    faults(&format!("{head}{more}"))
}

#[test]
fn the_documented_example_is_read() {
    let read = parse(FULL).unwrap();
    let [full, short] = read.as_slice() else { panic!("two providers") };
    assert_eq!(full.algorithms, [Algorithm::RS256, Algorithm::ES256]);
    assert_eq!(full.audience, ["ordo"]);
    assert!(full.require_verified_email);
    let roles = full.roles.as_ref().unwrap();
    let acme = Some(OrganizationId(uuid::Uuid::from_u128(7)));
    assert_eq!(roles.of["order-staff"], Granted { role: Role::Staff, organization: None });
    assert_eq!(roles.of["acme owners"], Granted { role: Role::Provider, organization: acme });
    assert_eq!(short.algorithms.len(), 3);
    assert_eq!(short.audience, ["ordo", "orders"]);
    assert!(!short.require_verified_email && short.roles.is_none());
}

#[test]
fn an_e_mail_address_has_to_be_verified_unless_the_settings_say_otherwise() {
    let head = "[[provider]]\nissuer = \"a\"\njwks_url = \"https://a.example.com\"\naudience = \"ordo\"\n";
    assert!(parse(head).unwrap()[0].require_verified_email);
    assert!(!parse(&format!("{head}require_verified_email = false")).unwrap()[0].require_verified_email);
}

#[test]
fn every_fault_of_every_provider_is_told_at_once() {
    let text = r#"
providers = 1
[[provider]]
issuer = "a"
jwks_url = "http://id.example.com/keys"
audience = []
algorithms = ["HS256", "none", "RS256"]
user_claim = 7
require_verified_email = "yes"
roles_claim = "groups"
jwks_uri = "https://id.example.com"
[provider.roles]
a = "king"
b = "provider"
c = "staff@org_00000000000000000000000007"
d = "system"
e = "creator"
f = "manager@org_00000000000000000000000007"
g = "worker@acme"
h = ["staff"]
[[provider]]
issuer = "a"
[[provider]]
"#;
    let there_are = "there are admin, staff, support, csr, agent and, with an organisation, provider, worker, \
                     approver, consumer";
    assert_eq!(
        faults(text),
        [
            "providers: there is no such setting".to_owned(),
            "provider[0].jwks_url: must begin with https://; http:// is for 127.0.0.1, [::1] and localhost alone"
                .to_owned(),
            "provider[0].audience: must name at least one".to_owned(),
            "provider[0].algorithms: \"HS256\" is not supported; there are RS256, ES256, EdDSA".to_owned(),
            "provider[0].algorithms: \"none\" is not supported; there are RS256, ES256, EdDSA".to_owned(),
            "provider[0].user_claim: must be a text".to_owned(),
            "provider[0].require_verified_email: must be true or false".to_owned(),
            format!("provider[0].roles.a: \"king\" cannot be given; {there_are}"),
            "provider[0].roles.b: must name the organisation: provider@org_…".to_owned(),
            "provider[0].roles.c: is a role of the operator, who needs no naming: staff".to_owned(),
            format!("provider[0].roles.d: \"system\" cannot be given; {there_are}"),
            format!("provider[0].roles.e: \"creator\" cannot be given; {there_are}"),
            format!("provider[0].roles.f: \"manager\" cannot be given; {there_are}"),
            "provider[0].roles.g: not a valid id: expected `org_` followed by 26 characters, got \"acme\""
                .to_owned(),
            "provider[0].roles.h: must be a text".to_owned(),
            "provider[0].jwks_uri: there is no such setting".to_owned(),
            "provider[1].jwks_url: is missing".to_owned(),
            "provider[1].audience: is missing".to_owned(),
            "provider[1].issuer: is that of provider[0] too; describe each provider once".to_owned(),
            "provider[2].issuer: is missing".to_owned(),
            "provider[2].jwks_url: is missing".to_owned(),
            "provider[2].audience: is missing".to_owned(),
        ]
    );
}

#[test]
fn keys_come_over_https_or_from_this_machine() {
    let with_url = |url: &str| {
        parse(&format!("[[provider]]\nissuer = \"a\"\njwks_url = {url:?}\naudience = \"ordo\"\n")).is_ok()
    };
    for url in ["https://a.example.com/keys?v=1", "http://localhost:1/", "http://127.9.9.9/", "http://[::1]/"]
    {
        assert!(with_url(url), "{url}");
    }
    for url in [
        "http://id.example.com/",
        "http://localhost.example.com/",
        "http://127.0.0.1.example.com/",
        "http://10.0.0.1/",
        "ftp://localhost/",
        "file:///etc/keys",
        "data:application/json,{}",
        "https://user:secret@id.example.com/",
        "https://user@id.example.com/",
        "id.example.com/keys",
        "https://",
        "",
    ] {
        assert!(!with_url(url), "{url}");
    }
}

#[test]
fn algorithms_are_ours_or_none() {
    for none in ["[]", "\"\"", "7", "[7]"] {
        assert_eq!(faults_with(&format!("algorithms = {none}")).len(), 1, "{none}");
    }
    for name in ["HS256", "none", "rs256", "RS512", "PS256", "ES384", "EdDSA "] {
        let fault =
            format!("provider[0].algorithms: {name:?} is not supported; there are RS256, ES256, EdDSA");
        assert_eq!(faults_with(&format!("algorithms = [{name:?}]")), [fault]);
    }
}

#[test]
fn settings_that_need_each_other_stand_together() {
    let told = |more: &str, expected: &str| assert_eq!(faults_with(more), [expected], "{more}");
    told(
        "roles_claim = \"groups\"",
        "provider[0].roles_claim: needs [provider.roles], which says what its values stand for",
    );
    told(
        "[provider.roles]\na = \"staff\"",
        "provider[0].roles: needs `roles_claim`, which says where the values are",
    );
    told("roles_claim = \"a\"\n[provider.roles]", "provider[0].roles: must name at least one value");
    told(
        "user_claim = \"upn\"\nrequire_verified_email = true",
        "provider[0].require_verified_email: vouches for the claim `email`, and `user_claim` is \"upn\"",
    );
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    let [fault] =
        <[String; 1]>::try_from(faults("[[provider]]\nissuer = \"a\"\njwks_url = https\n")).unwrap();
    assert!(fault.starts_with("line 3: this is not TOML: "), "{fault}");
    assert_eq!(faults("provider = 1"), ["provider: must be a list of tables, each under `[[provider]]`"]);
    assert_eq!(
        faults("[provider]\nissuer = \"a\""),
        ["provider: must be a list of tables, each under `[[provider]]`"]
    );
}

#[test]
fn the_file_its_texts_and_its_providers_are_bounded() {
    let long = "x".repeat(LONGEST + 1);
    assert_eq!(faults(&long), ["the file has 262145 bytes; 262144 are the most"]);
    assert_eq!(faults_with(&format!("user_claim = {:?}", "x".repeat(1_025))).len(), 1);
    let many: String = (0..=MOST)
        .map(|number| {
            format!("[[provider]]\nissuer = \"{number}\"\njwks_url = \"https://a.example.com\"\naudience = \"o\"\n")
        })
        .collect();
    assert_eq!(faults(&many), ["provider: 17 are described; 16 are the most"]);
}
