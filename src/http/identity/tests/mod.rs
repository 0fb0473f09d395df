//! Tokens of outside providers: what is let in, for whom, and for how long.

mod forgery;
pub(super) mod stand_in;

use chrono::TimeDelta;
use domain::{
    id::{OrganizationId, UserId},
    role::Role,
};
use serde_json::json;

use self::stand_in::{ISSUER, Signer, claims, now, with, without};
use super::*;

fn olga() -> Claimed {
    let account = Account::Email("olga@example.com".to_owned());
    Claimed { account, roles: None, expires_at: now() + TimeDelta::seconds(60) }
}

#[tokio::test]
async fn each_algorithm_is_verified_with_its_kind_of_key() {
    let signers = [Signer::rsa("r"), Signer::ec("e"), Signer::ed("d")];
    let provider = stand_in::Provider::of(&signers.each_ref()).await;
    let identities = provider.trusted("");
    for signer in &signers {
        assert_eq!(identities.verify(&signer.token(&claims()), now()).await, Ok(olga()), "{}", signer.id);
    }
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn a_verified_token_is_remembered_until_it_expires() {
    let signer = Signer::ed("d");
    let provider = stand_in::Provider::of(&[&signer]).await;
    let identities = provider.trusted("");
    let token = signer.token(&claims());
    for seconds in [0, 60, 89] {
        assert_eq!(identities.verify(&token, now() + TimeDelta::seconds(seconds)).await, Ok(olga()));
    }
    assert_eq!(identities.0[0].remembered.iter().count(), 1);
    assert_eq!(identities.verify(&token, now() + TimeDelta::seconds(90)).await, Err(Denied::Expired));
}

#[tokio::test]
async fn a_token_without_a_key_id_is_taken_where_one_key_alone_fits_it() {
    let (rsa, other, ec) = (Signer::rsa("a"), Signer::other_rsa("b"), Signer::ec("c"));
    let token = |signer: &Signer| {
        let header = json!({ "alg": format!("{:?}", signer.algorithm) });
        signer.token_of(&header, &claims())
    };
    let provider = stand_in::Provider::of(&[&rsa, &other, &ec]).await;
    let identities = provider.trusted("");
    assert_eq!(identities.verify(&token(&ec), now()).await, Ok(olga()));
    assert_eq!(identities.verify(&token(&rsa), now()).await, Err(Denied::Forged));
    let provider = stand_in::Provider::of(&[&rsa, &ec]).await;
    assert_eq!(provider.trusted("").verify(&token(&rsa), now()).await, Ok(olga()));
}

#[tokio::test]
async fn kinds_of_tokens_that_open_an_api_are_taken_in_any_spelling() {
    let signer = Signer::ed("d");
    let provider = stand_in::Provider::of(&[&signer]).await;
    let identities = provider.trusted("");
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        let mut header = signer.header();
        header["typ"] = json!(typ);
        assert_eq!(identities.verify(&signer.token_of(&header, &claims()), now()).await, Ok(olga()), "{typ}");
    }
}

#[tokio::test]
async fn claims_that_many_providers_leave_out_are_not_required() {
    let signer = Signer::ed("d");
    let provider = stand_in::Provider::of(&[&signer]).await;
    let identities = provider.trusted("");
    assert!(claims().get("nbf").is_none());
    assert_eq!(identities.verify(&signer.token(&without("iat")), now()).await, Ok(olga()));
}

#[tokio::test]
async fn the_issuer_decides_which_provider_is_asked() {
    let (ours, theirs) = (Signer::rsa("same"), Signer::other_rsa("same"));
    let (first, second) = (stand_in::Provider::of(&[&ours]).await, stand_in::Provider::of(&[&theirs]).await);
    let text = format!(
        "[[provider]]\nissuer = {ISSUER:?}\njwks_url = {:?}\naudience = \"ordo\"\n\
         [[provider]]\nissuer = \"other\"\njwks_url = {:?}\naudience = [\"a\", \"ordo\"]\n",
        first.url, second.url
    );
    let identities = Identities::parse(&text).unwrap();
    assert_eq!(identities.issuers().collect::<Vec<_>>(), [ISSUER, "other"]);
    let token = theirs.token(&with("iss", "other".into()));
    assert_eq!(identities.issuer_of(&token), Some("other"));
    assert_eq!(identities.verify(&token, now()).await, Ok(olga()));
    // The second provider cannot speak for the first.
    let token = theirs.token(&claims());
    assert_eq!(identities.issuer_of(&token), Some(ISSUER));
    assert_eq!(identities.verify(&token, now()).await, Err(Denied::Forged));
}

#[tokio::test]
async fn without_a_provider_no_token_is_anybodys() {
    let identities = Identities::parse("").unwrap();
    let token = Signer::ed("d").token(&claims());
    assert!(identities.is_empty());
    assert_eq!(identities.issuer_of(&token), None);
    assert_eq!(identities.verify(&token, now()).await, Err(Denied::Forged));
}

#[tokio::test]
async fn roles_come_from_the_token_where_the_settings_say_so() {
    let signer = Signer::ed("d");
    let provider = stand_in::Provider::of(&[&signer]).await;
    let identities = provider.trusted(
        "user_claim = \"account\"\nroles_claim = \"realm.roles\"\n[provider.roles]\n\
         order-staff = \"staff\"\nacme = \"provider@org_00000000000000000000000007\"\n",
    );
    let user = UserId(uuid::Uuid::from_u128(9));
    let mut claims = with("realm", json!({ "roles": ["acme", "everybody", "order-staff", "acme"] }));
    claims["account"] = json!(user.to_string());
    let acme = Some(OrganizationId(uuid::Uuid::from_u128(7)));
    let roles = vec![
        Granted { role: Role::Provider, organization: acme },
        Granted { role: Role::Staff, organization: None },
    ];
    let expires_at = now() + TimeDelta::seconds(60);
    let claimed = Claimed { account: Account::Id(user), roles: Some(roles), expires_at };
    assert_eq!(identities.verify(&signer.token(&claims), now()).await, Ok(claimed));
}
