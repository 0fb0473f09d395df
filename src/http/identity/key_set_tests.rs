//! Keys that change, are taken back, or cannot be had.

use std::time::Duration;

use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::json;
use tokio::task::JoinSet;

use super::super::tests::stand_in::{Answer, Provider, Signer, claims, now, with};
use crate::http::auth::Denied;

fn after(seconds: i64) -> chrono::DateTime<chrono::Utc> {
    now() + TimeDelta::seconds(seconds)
}

/// A token that lives for two days.
fn lasting(signer: &Signer) -> String {
    signer.token(&with("exp", (now().timestamp() + 172_800).into()))
}

#[tokio::test]
async fn a_new_key_is_found_without_a_restart() {
    let (old, new) = (Signer::rsa("1"), Signer::other_rsa("2"));
    let provider = Provider::of(&[&old]).await;
    let identities = provider.trusted("");
    assert!(identities.verify(&lasting(&old), now()).await.is_ok());
    provider.publishes(&[&old, &new]);
    // Not within 30 s of the last request, then at once.
    assert_eq!(identities.verify(&lasting(&new), after(29)).await, Err(Denied::Forged));
    assert!(identities.verify(&lasting(&new), after(30)).await.is_ok());
    assert!(identities.verify(&lasting(&old), after(31)).await.is_ok());
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn a_key_that_is_taken_back_stops_after_ten_minutes_even_for_tokens_that_are_remembered() {
    let (old, new) = (Signer::rsa("1"), Signer::ec("2"));
    let provider = Provider::of(&[&old, &new]).await;
    let identities = provider.trusted("");
    let (of_old, of_new) = (lasting(&old), lasting(&new));
    for token in [&of_old, &of_new] {
        assert!(identities.verify(token, now()).await.is_ok());
    }
    provider.publishes(&[&new]);
    assert!(identities.verify(&of_old, after(599)).await.is_ok());
    assert_eq!(identities.verify(&of_old, after(600)).await, Err(Denied::Forged));
    assert!(identities.verify(&of_new, after(600)).await.is_ok());
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn a_key_that_is_exchanged_under_its_old_id_stops_too() {
    let (old, new) = (Signer::rsa("same"), Signer::other_rsa("same"));
    let provider = Provider::of(&[&old]).await;
    let identities = provider.trusted("");
    assert!(identities.verify(&lasting(&old), now()).await.is_ok());
    provider.publishes(&[&new]);
    assert_eq!(identities.verify(&lasting(&old), after(600)).await, Err(Denied::Forged));
    assert!(identities.verify(&lasting(&new), after(600)).await.is_ok());
}

#[tokio::test]
async fn keys_that_did_not_change_leave_verified_tokens_remembered() {
    let signer = Signer::rsa("1");
    let provider = Provider::of(&[&signer]).await;
    let identities = provider.trusted("");
    for at in [0, 600, 1_200] {
        assert!(identities.verify(&lasting(&signer), after(at)).await.is_ok());
    }
    assert_eq!(provider.asked(), 3);
    assert_eq!(identities.0[0].remembered.iter().count(), 1);
}

#[tokio::test]
async fn a_provider_that_takes_back_every_key_is_obeyed() {
    let signer = Signer::rsa("1");
    let provider = Provider::of(&[&signer]).await;
    let identities = provider.trusted("");
    assert!(identities.verify(&lasting(&signer), now()).await.is_ok());
    provider.publishes(&[]);
    assert_eq!(identities.verify(&lasting(&signer), after(600)).await, Err(Denied::Forged));
}

#[tokio::test]
async fn a_thousand_tokens_with_made_up_keys_cause_one_request() {
    let signer = Signer::ed("known");
    let provider = Provider::of(&[&signer]).await;
    let identities = provider.trusted("");
    assert!(identities.verify(&signer.token(&claims()), now()).await.is_ok());
    let mut flood = JoinSet::new();
    for number in 0..1_000 {
        let mut header = signer.header();
        header["kid"] = json!(format!("made up {number}"));
        let (identities, token) = (identities.clone(), signer.token_of(&header, &claims()));
        flood.spawn(async move { identities.verify(&token, after(30)).await });
    }
    let verdicts = flood.join_all().await;
    assert!(verdicts.iter().all(|verdict| *verdict == Err(Denied::Forged)));
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn the_first_requests_share_one_fetch_and_are_all_let_in() {
    let signer = Signer::ed("1");
    let provider = Provider::of(&[&signer]).await;
    let identities = provider.trusted("");
    let (token, mut crowd) = (lasting(&signer), JoinSet::new());
    for _ in 0..100 {
        let (identities, token) = (identities.clone(), token.clone());
        crowd.spawn(async move { identities.verify(&token, now()).await });
    }
    assert!(crowd.join_all().await.iter().all(Result::is_ok));
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn a_caller_that_hangs_up_does_not_keep_the_keys_from_the_others() {
    let signer = Signer::ed("1");
    let provider = Provider::of(&[&signer]).await;
    let identities = provider.trusted("");
    let token = lasting(&signer);
    let mut hasty = Box::pin(identities.verify(&token, now()));
    assert!(futures_util::poll!(&mut hasty).is_pending());
    drop(hasty);
    assert!(identities.verify(&token, now()).await.is_ok());
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn while_the_provider_is_down_the_last_keys_count_for_a_day() {
    let signer = Signer::rsa("1");
    let provider = Provider::of(&[&signer]).await;
    let identities = provider.trusted("");
    let token = lasting(&signer);
    assert!(identities.verify(&token, now()).await.is_ok());
    provider.answers(Answer::Status(StatusCode::SERVICE_UNAVAILABLE));
    assert!(identities.verify(&token, after(600)).await.is_ok());
    // One request in 30 s, however many tokens come.
    assert!(identities.verify(&token, after(629)).await.is_ok());
    assert_eq!(provider.asked(), 2);
    assert!(identities.verify(&token, after(86_399)).await.is_ok());
    assert_eq!(identities.verify(&token, after(86_400)).await, Err(Denied::NoKeys));
    provider.publishes(&[&signer]);
    assert!(identities.verify(&token, after(86_430)).await.is_ok());
}

#[tokio::test]
async fn a_provider_that_is_away_at_the_start_is_asked_again() {
    let signer = Signer::rsa("1");
    let provider = Provider::of(&[&signer]).await;
    let identities = provider.trusted("");
    provider.answers(Answer::Status(StatusCode::BAD_GATEWAY));
    let token = lasting(&signer);
    assert_eq!(identities.verify(&token, now()).await, Err(Denied::NoKeys));
    provider.publishes(&[&signer]);
    assert_eq!(identities.verify(&token, after(29)).await, Err(Denied::NoKeys));
    assert_eq!(provider.asked(), 1);
    assert!(identities.verify(&token, after(30)).await.is_ok());
}

#[tokio::test]
async fn a_clock_that_is_put_back_does_not_keep_us_from_asking() {
    let (old, new) = (Signer::rsa("1"), Signer::ec("2"));
    let provider = Provider::of(&[&old]).await;
    let identities = provider.trusted("");
    assert!(identities.verify(&lasting(&old), now()).await.is_ok());
    provider.publishes(&[&old, &new]);
    let token = |signer: &Signer| signer.token(&with("iat", (now().timestamp() - 5_000).into()));
    assert!(identities.verify(&token(&new), after(-3_600)).await.is_ok());
    provider.publishes(&[&new]);
    assert_eq!(identities.verify(&token(&old), after(-4_200)).await, Err(Denied::Forged));
}

#[tokio::test]
async fn an_answer_that_is_no_key_set_is_bounded_and_changes_nothing() {
    let signer = Signer::rsa("1");
    let provider = Provider::of(&[&signer]).await;
    let elsewhere = Provider::of(&[&Signer::ec("2")]).await;
    let identities = provider.trusted_within(Duration::from_secs(1), "");
    let token = lasting(&signer);
    assert!(identities.verify(&token, now()).await.is_ok());
    let text = |text: &str| Answer::Text(text.to_owned());
    let good = json!({ "keys": [Signer::ec("2").jwk()] }).to_string();
    let answers = [
        text(&format!("{good}{}", " ".repeat(256 * 1024))),
        Answer::Endless,
        Answer::Dripping,
        Answer::Never,
        text(""),
        text("<html>Bad gateway</html>"),
        text("{\"keys\": 7}"),
        text("{\"error\": \"unavailable\"}"),
        Answer::Redirect(elsewhere.url.clone()),
    ];
    let mut at = 600;
    for (number, answer) in answers.into_iter().enumerate() {
        provider.answers(answer);
        assert!(identities.verify(&token, after(at)).await.is_ok(), "{number}");
        assert_eq!(identities.verify(&lasting(&Signer::ec("2")), after(at)).await, Err(Denied::Forged));
        assert_eq!(provider.asked(), number + 2);
        at += 30;
    }
    assert_eq!(elsewhere.asked(), 0);
    provider.publishes(&[&Signer::ec("2")]);
    assert!(identities.verify(&lasting(&Signer::ec("2")), after(at)).await.is_ok());
}
