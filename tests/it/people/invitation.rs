//! Invitations: a token that opens once, and tells nothing about anybody.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use futures_util::future::join_all;
use ordo::http::{self, Limits};
use serde_json::{Value, json};

use super::{PASSWORD, done, log_in, newcomer, refused, seat, send, tell};
use crate::{
    harness::{App, Client},
    session::forgeries,
};

fn into_the_provider(app: &App, email: &str) -> Value {
    let organization = app.company.provider_org.to_string();
    json!({ "organization": organization, "role": "MANAGER", "email": email })
}

/// The token of a fresh invitation.
async fn invite(app: &App, inviter: &Client, email: &str) -> Value {
    app.world.advance(TimeDelta::milliseconds(1));
    done(inviter, "invitationCreate", into_the_provider(app, email)).await["token"].clone()
}

fn acceptance(token: &Value) -> Value {
    json!({ "token": token, "name": "New Comer", "password": PASSWORD })
}

/// What invitations somebody reads: address and state.
async fn invitations(client: &Client) -> Vec<(String, String)> {
    let query = "{ invitations { nodes { email state role createdBy { name } organization { name } } } }";
    let data = client.data(query, json!({})).await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let nodes = data["invitations"]["nodes"].as_array().expect("nodes").clone();
    nodes.iter().map(|node| (text(&node["email"]), text(&node["state"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_were_forged_used_revoked_replaced_or_too_late_read_alike() {
    let app = App::start().await;
    let owner = app.provider();
    let nobody = app.anonymous();
    let used = invite(&app, &owner, "used@example.test").await;
    done(&nobody, "invitationAccept", acceptance(&used)).await;
    let replaced = invite(&app, &owner, "twice@example.test").await;
    invite(&app, &owner, "twice@example.test").await;
    app.world.advance(TimeDelta::milliseconds(1));
    let revoked = done(&owner, "invitationCreate", into_the_provider(&app, "back@example.test")).await;
    let back = json!({ "invitation": revoked["invitation"]["id"] });
    assert_eq!(done(&owner, "invitationRevoke", back.clone()).await["invitation"]["state"], "REVOKED");
    assert_eq!(refused(&app.rival(), "invitationRevoke", back).await, "NOT_FOUND");
    // Whoever has an account logs in first; without, it reads like any other.
    let known = invite(&app, &owner, "consumer@example.test").await;
    let stray = invite(&app, &owner, "elsewhere@example.test").await;
    let expired = invite(&app, &owner, "late@example.test").await;
    let mut tokens: Vec<Value> =
        vec![used.clone(), replaced, revoked["token"].clone(), known.clone(), json!("nonsense")];
    tokens.extend(forgeries(stray.as_str().expect("a token")).into_iter().step_by(7).map(Value::from));
    let mut told = BTreeSet::new();
    for token in &tokens {
        told.insert(tell(&nobody, "invitationAccept", acceptance(token)).await.to_string());
    }
    // Somebody else's, for who is logged in.
    let other = tell(&app.approver(), "invitationAccept", json!({ "token": stray })).await;
    told.insert(other.to_string());
    app.world.advance(TimeDelta::days(7));
    told.insert(tell(&nobody, "invitationAccept", acceptance(&expired)).await.to_string());
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told.first().expect("one").contains("INVALID_TOKEN"));
    let states = invitations(&app.provider()).await;
    let states: Vec<&str> = states.iter().map(|(_, state)| state.as_str()).collect();
    assert_eq!(states, ["ACCEPTED", "REVOKED", "EXPIRED", "REVOKED", "EXPIRED", "EXPIRED", "EXPIRED"]);
    assert!(invitations(&app.rival()).await.is_empty());
    assert_eq!(app.staff().send("{ invitations { nodes { id } } }", json!({})).await.codes(), ["FORBIDDEN"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_answered_alike_whether_the_address_has_an_account_or_not() {
    let app = App::start().await;
    let mut told = BTreeSet::new();
    for email in ["consumer@example.test", "nobody@example.test"] {
        let mut made = done(&app.provider(), "invitationCreate", into_the_provider(&app, email)).await;
        assert!(made["token"].as_str().is_some_and(|token| token.len() == 43));
        made["token"] = Value::Null;
        made["invitation"]["id"] = Value::Null;
        made["invitation"]["email"] = Value::Null;
        told.insert(made.to_string());
    }
    assert_eq!(told.len(), 1, "{told:#?}");
    let stored = "SELECT COUNT(*) FROM invitations WHERE length(token) = 32";
    assert_eq!(app.count_of(stored).await, 2, "hashes alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_an_account_joins_with_it_and_keeps_what_they_were_elsewhere() {
    let app = App::start().await;
    let token = invite(&app, &app.provider(), "Consumer@example.test").await;
    let joined = done(&app.consumer(), "invitationAccept", json!({ "token": token })).await;
    let roles: Vec<&str> = joined["account"]["memberships"]
        .as_array()
        .expect("memberships")
        .iter()
        .map(|membership| membership["role"].as_str().expect("a role"))
        .collect();
    assert_eq!(roles, ["CONSUMER", "MANAGER"]);
    let (robot, _) = crate::service_token::machine(&app, json!({})).await;
    let token = invite(&app, &app.provider(), "robot@example.test").await;
    assert_eq!(refused(&robot, "invitationAccept", json!({ "token": token })).await, "FORBIDDEN");
    let nameless = tell(&app.anonymous(), "invitationAccept", json!({ "token": token })).await;
    assert_eq!(nameless["errors"][0]["code"], "VALIDATION");
    let weak = json!({ "token": token, "name": "R", "password": "short" });
    assert_eq!(refused(&app.anonymous(), "invitationAccept", weak).await, "VALIDATION");
    done(&app.anonymous(), "invitationAccept", acceptance(&token)).await;
    log_in(&app, "robot@example.test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_makes_one_account_however_many_accept_it_at_once() {
    let app = App::start().await;
    let token = invite(&app, &app.provider(), "once@example.test").await;
    let nobody = app.anonymous();
    let tries = (0..12).map(|_| tell(&nobody, "invitationAccept", acceptance(&token)));
    let told = join_all(tries).await;
    let (taken, late): (Vec<_>, Vec<_>) = told.iter().partition(|payload| payload["errors"] == json!([]));
    assert_eq!((taken.len(), late.len()), (1, 11), "{told:#?}");
    assert!(late.iter().all(|payload| payload["errors"][0]["code"] == "INVALID_TOKEN"));
    assert_eq!(app.count_of("SELECT COUNT(*) FROM users WHERE email = 'once@example.test'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_loses_their_rights_leaves_no_invitation_behind() {
    let app = App::start().await;
    let company = &app.company;
    let invitation = json!({ "organization": company.provider_org.to_string(), "role": "PROVIDER",
        "email": "second@example.test" });
    let second = newcomer(&app, &app.provider(), invitation).await;
    let door = done(&second, "invitationCreate", into_the_provider(&app, "friend@example.test")).await;
    let viewer = second.data("{ viewer { user { id } } }", json!({})).await;
    let place = json!({ "user": viewer["viewer"]["user"]["id"],
        "organization": company.provider_org.to_string() });
    done(&app.provider(), "membershipRemove", place).await;
    let late = tell(&app.anonymous(), "invitationAccept", acceptance(&door["token"])).await;
    assert_eq!(late["errors"][0]["code"], "INVALID_TOKEN");
    // Nor may an invitation take the last owner's role away.
    let token = invite(&app, &app.provider(), "provider@example.test").await;
    assert_eq!(refused(&app.provider(), "invitationAccept", json!({ "token": token })).await, "LAST_OWNER");
    done(&app.provider(), "membershipSet", seat(company.provider, company.provider_org, "PROVIDER")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_guessed_no_faster_than_passwords() {
    let limits = Limits { logins_of_address: Limits::default().logins_of_address, ..Limits::roomy() };
    let app = App::start_with(http::Settings { limits, ..http::Settings::default() }).await;
    let mut codes = BTreeSet::new();
    for guess in 0..30 {
        let answer =
            send(&app.anonymous(), "invitationAccept", acceptance(&json!(format!("guess {guess}")))).await;
        let whole = answer["errors"][0]["extensions"]["code"].as_str();
        let code = whole.or(answer["data"]["invitationAccept"]["errors"][0]["code"].as_str());
        codes.insert(code.expect("a code").to_owned());
    }
    assert_eq!(codes, BTreeSet::from(["INVALID_TOKEN".to_owned(), "RATE_LIMITED".to_owned()]));
}
