//! Claims: which are required, and whom and what they name.

use chrono::TimeDelta;
use domain::role::Role;
use serde_json::json;

use super::{
    super::{
        settings,
        tests::stand_in::{ISSUER, claims, now, with, without},
    },
    *,
};

/// The verdict of a provider with these lines in its settings.
fn verdict(more: &str, claims: Value) -> Result<Claimed, Denied> {
    let head = format!("[[provider]]\nissuer = {ISSUER:?}\njwks_url = \"https://id.example.com/keys\"\n");
    let settings = settings::parse(&format!("{head}audience = [\"ordo\", \"orders\"]\n{more}")).unwrap();
    claimed(claims.as_object().unwrap(), &settings[0], now())
}

fn email(address: &str) -> Account {
    Account::Email(address.to_owned())
}

#[test]
fn what_is_required_is_required_by_name_and_type() {
    for name in ["iss", "aud", "sub", "exp", "email"] {
        assert_eq!(verdict("", without(name)), Err(Denied::Forged), "{name}");
        for value in [Value::Null, json!(true), json!({}), json!([]), json!([[]]), json!("")] {
            assert_eq!(verdict("", with(name, value.clone())), Err(Denied::Forged), "{name} {value}");
        }
    }
    for name in ["nbf", "iat"] {
        for value in [Value::Null, json!("1800000000"), json!([])] {
            assert_eq!(verdict("", with(name, value.clone())), Err(Denied::Forged), "{name} {value}");
        }
    }
    assert!(verdict("", claims()).is_ok());
}

#[test]
fn a_token_is_for_us_when_one_of_our_names_is_among_its_audience() {
    for audience in [json!("ordo"), json!("orders"), json!(["other", "ordo"])] {
        assert!(verdict("", with("aud", audience.clone())).is_ok(), "{audience}");
    }
    for audience in [json!("Ordo"), json!("ordo orders"), json!(["other"]), json!({ "ordo": true })] {
        assert_eq!(verdict("", with("aud", audience.clone())), Err(Denied::Forged), "{audience}");
    }
}

#[test]
fn times_count_with_a_leeway_and_without_their_fraction() {
    let at = now().timestamp();
    for name in ["nbf", "iat"] {
        assert!(verdict("", with(name, json!(at + 30))).is_ok(), "{name}");
        assert!(verdict("", with(name, json!(at as f64 + 30.9))).is_ok(), "{name}");
        assert_eq!(verdict("", with(name, json!(at + 31))), Err(Denied::NotYetValid), "{name}");
        assert_eq!(verdict("", with(name, json!(u64::MAX))), Err(Denied::NotYetValid), "{name}");
    }
    let expires_at = |value| verdict("", with("exp", value)).unwrap().expires_at;
    assert_eq!(expires_at(json!(at as f64 + 60.7)), now() + TimeDelta::seconds(60));
    assert_eq!(expires_at(json!(u64::MAX)).timestamp(), 253_402_300_799);
    assert_eq!(expires_at(json!(-1)).timestamp(), 0);
}

#[test]
fn an_e_mail_address_has_to_be_vouched_for() {
    assert_eq!(verdict("", claims()).unwrap().account, email("olga@example.com"));
    for value in [json!(false), json!("true"), json!(1), Value::Null] {
        assert_eq!(verdict("", with("email_verified", value.clone())), Err(Denied::Unverified), "{value}");
    }
    assert_eq!(verdict("", without("email_verified")), Err(Denied::Unverified));
    let trusting = "require_verified_email = false\n";
    assert!(verdict(trusting, without("email_verified")).is_ok());
}

#[test]
fn an_address_that_no_account_can_have_is_refused() {
    let longest = format!("{}@example.com", "o".repeat(242));
    assert!(verdict("", with("email", longest.clone().into())).is_ok());
    for address in [format!("o{longest}"), "olga\0@example.com".to_owned(), "olga@example.com\n".to_owned()] {
        assert_eq!(verdict("", with("email", address.clone().into())), Err(Denied::Forged), "{address:?}");
    }
}

#[test]
fn another_claim_may_name_the_account_by_id_or_address() {
    let user = domain::id::UserId(uuid::Uuid::from_u128(7));
    let named =
        |value: Value| verdict("user_claim = \"ordo.user\"\n", with("ordo", json!({ "user": value })));
    assert_eq!(named(user.to_string().into()).unwrap().account, Account::Id(user));
    assert_eq!(named("o@example.com".into()).unwrap().account, email("o@example.com"));
    for value in ["olga", "user_", "order_01h455vb4pex5vsknk084sn02q", "USER_01h455vb4pex5vsknk084sn02q"] {
        assert_eq!(named(value.into()), Err(Denied::Forged), "{value}");
    }
    assert_eq!(verdict("user_claim = \"ordo.user\"\n", claims()), Err(Denied::Forged));
}

const ROLES: &str = "[provider.roles]\nstaff = \"staff\"\nhelp = \"support\"\n";

fn roles(path: &str, claims: Value) -> Result<Vec<Role>, Denied> {
    let claimed = verdict(&format!("roles_claim = {path:?}\n{ROLES}"), claims)?;
    Ok(claimed.roles.unwrap().iter().map(|granted| granted.role).collect())
}

#[test]
fn a_value_gives_its_role_and_what_is_not_in_the_settings_gives_none() {
    let groups = |value| roles("groups", with("groups", value));
    assert_eq!(groups(json!("staff")), Ok(vec![Role::Staff]));
    assert_eq!(groups(json!(["help", 7, null, "x", "staff", "help"])), Ok(vec![Role::Support, Role::Staff]));
    for value in [json!("staff help"), json!("Staff"), json!([]), json!(["admin"]), json!({ "staff": 1 })] {
        assert_eq!(groups(value.clone()), Err(Denied::UnknownRole), "{value}");
    }
    assert_eq!(roles("groups", claims()), Err(Denied::UnknownRole));
}

#[test]
fn without_a_claim_for_roles_the_accounts_own_memberships_count() {
    assert_eq!(verdict("", with("groups", json!(["staff"]))).unwrap().roles, None);
}

#[test]
fn a_path_is_followed_unless_a_claim_has_its_very_name() {
    let nested = || with("realm", json!({ "roles": ["staff"], "dotted.name": ["help"] }));
    assert_eq!(roles("realm.roles", nested()), Ok(vec![Role::Staff]));
    assert_eq!(roles("realm.dotted.name", nested()), Ok(vec![Role::Support]));
    assert_eq!(roles("realm.roles.staff", nested()), Err(Denied::UnknownRole));
    let mut both = with("a", json!({ "b": ["staff"] }));
    both["a.b"] = json!(["help"]);
    assert_eq!(roles("a.b", both), Ok(vec![Role::Support]));
    let name = "https://example.com/roles";
    assert_eq!(roles(name, with(name, json!(["help"]))), Ok(vec![Role::Support]));
}
