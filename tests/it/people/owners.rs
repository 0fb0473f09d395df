//! Who may do what about whom, and that nobody leaves an organisation without an owner: however many try at once.

use domain::{actor::Membership, role::Role};
use futures_util::future::join_all;
use serde_json::json;

use super::{done, refused, seat, send, tell};
use crate::harness::{Account, App, Client};

#[tokio::test(flavor = "multi_thread")]
async fn owners_give_the_roles_of_their_own_organisation_and_administrators_any_that_there_are() {
    let app = App::start().await;
    let company = &app.company;
    let (provider, customer, operator) = (company.provider_org, company.customer, company.operator);
    let table: [(&str, Client, Account, _, &str, &str); 16] = [
        ("an owner", app.provider(), company.worker, provider, "PROVIDER", ""),
        ("an owner", app.provider(), company.manager, provider, "WORKER", "VALIDATION"),
        ("an owner", app.provider(), company.manager, provider, "STAFF", "VALIDATION"),
        ("an owner, elsewhere", app.provider(), company.manager, company.rival_org, "MANAGER", "NOT_FOUND"),
        ("an owner, at the operator", app.provider(), company.provider, operator, "ADMIN", "NOT_FOUND"),
        ("an owner, of a stranger", app.provider(), company.consumer, provider, "MANAGER", "NOT_FOUND"),
        ("a customer's owner", app.approver(), company.consumer, customer, "APPROVER", ""),
        ("a customer's owner", app.approver(), company.consumer, customer, "MANAGER", "VALIDATION"),
        ("a manager", app.manager(), company.manager, provider, "PROVIDER", "FORBIDDEN"),
        ("staff", app.staff(), company.staff, operator, "ADMIN", "FORBIDDEN"),
        ("support", app.support(), company.support, operator, "STAFF", "FORBIDDEN"),
        ("a csr", app.csr(), company.csr, operator, "STAFF", "FORBIDDEN"),
        ("an agent", app.agent(), company.agent, operator, "STAFF", "FORBIDDEN"),
        ("an administrator", app.admin(), company.support, operator, "STAFF", ""),
        ("an administrator", app.admin(), company.staff, provider, "MANAGER", ""),
        ("an administrator", app.admin(), company.staff, provider, "ADMIN", "VALIDATION"),
    ];
    for (who, client, account, organization, role, expected) in table {
        let input = seat(account, organization, role);
        match expected {
            "" => drop(done(&client, "membershipSet", input).await),
            code => assert_eq!(refused(&client, "membershipSet", input).await, code, "{who} {role}"),
        }
        let invitation = json!({ "organization": organization.to_string(), "role": role,
            "email": "somebody@example.test" });
        match expected {
            // Strangers are invited: whether they have an account is nobody's business.
            "" => drop(done(&client, "invitationCreate", invitation).await),
            "NOT_FOUND" if who.ends_with("stranger") => {
                drop(done(&client, "invitationCreate", invitation).await)
            }
            code => assert_eq!(refused(&client, "invitationCreate", invitation).await, code, "{who} {role}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_owner_and_the_last_administrator_cannot_be_taken_away_in_any_way() {
    let app = App::start().await;
    let (company, admin) = (&app.company, app.admin());
    let id = |account: Account| account.id.to_string();
    for (account, organization, role, demoted, email, code) in [
        (company.admin, company.operator, "ADMIN", "STAFF", "admin@example.test", "LAST_ADMIN"),
        (
            company.provider,
            company.provider_org,
            "PROVIDER",
            "MANAGER",
            "provider@example.test",
            "LAST_OWNER",
        ),
        (company.approver, company.customer, "APPROVER", "CONSUMER", "approver@example.test", "LAST_OWNER"),
    ] {
        let place = json!({ "user": id(account), "organization": organization.to_string() });
        let client = app.client(account);
        assert_eq!(refused(&client, "membershipRemove", place.clone()).await, code);
        let demotion = seat(account, organization, demoted);
        assert_eq!(refused(&client, "membershipSet", demotion.clone()).await, code);
        let disabled = json!({ "user": id(account), "disabled": true });
        assert_eq!(refused(&admin, "userSave", disabled).await, code);
        let erased = json!({ "user": id(account), "confirm": email });
        assert_eq!(refused(&admin, "userErase", erased).await, code);
        done(&client, "membershipSet", seat(account, organization, role)).await;
        // The way out: one more, and then it goes.
        let second = app.enrol("second", Vec::new()).await;
        done(&admin, "membershipSet", seat(second, organization, role)).await;
        done(&admin, "membershipSet", demotion).await;
        if code == "LAST_ADMIN" {
            done(&app.client(second), "membershipSet", seat(account, organization, role)).await;
        }
        let erase = "UPDATE users SET email = 'gone-' || id WHERE name = 'second'";
        app.execute(erase, []).await;
    }
    // One who is disabled looks after nothing.
    let other = Membership { organization: company.rival_org, role: Role::Provider, offerings: Vec::new() };
    let other = app.enrol("other", vec![other]).await;
    done(&admin, "userSave", json!({ "user": id(other), "disabled": true })).await;
    let place = json!({ "user": id(company.rival), "organization": company.rival_org.to_string() });
    let told = tell(&admin, "membershipRemove", place).await;
    assert_eq!(told["errors"][0]["code"], "LAST_OWNER");
    let message = told["errors"][0]["message"].as_str().expect("a sentence");
    assert!(message.contains("give another of its members the role"), "the way out: {message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_four_administrators_who_remove_each_other_at_once_one_remains() {
    let app = App::start().await;
    let (operator, role) = (app.company.operator, Role::Admin);
    let mut all = vec![app.company.admin];
    for name in 1..64 {
        let member = Membership { organization: operator, role, offerings: Vec::new() };
        let name: &'static str = Box::leak(format!("admin{name}").into_boxed_str());
        all.push(app.enrol(name, vec![member]).await);
    }
    let admin = app.admin();
    // All by one who asks as an administrator until the very end: each removes another, by each of three ways.
    let removals = all.iter().enumerate().map(|(at, account)| {
        let user = account.id.to_string();
        let (client, organization) = (admin.clone(), operator.to_string());
        async move {
            let (field, input) = match at % 3 {
                0 => ("membershipRemove", json!({ "user": user, "organization": organization })),
                1 => {
                    ("membershipSet", json!({ "user": user, "organization": organization, "role": "STAFF" }))
                }
                _ => ("userSave", json!({ "user": user, "disabled": true })),
            };
            send(&client, field, input).await;
        }
    });
    join_all(removals).await;
    // Whoever was faster may have taken the rest's right to go on; then the survivors do.
    for account in &all {
        let client = app.client(*account);
        let place = json!({ "user": account.id.to_string(), "organization": operator.to_string() });
        send(&client, "membershipRemove", place).await;
    }
    let left = "SELECT COUNT(*) FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.role = 'ADMIN' AND \
        u.disabled_at IS NULL";
    assert_eq!(app.count_of(left).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_owners_who_leave_at_the_same_moment_one_stays() {
    for _ in 0..8 {
        let app = App::start().await;
        let company = &app.company;
        let owner =
            Membership { organization: company.customer, role: Role::Approver, offerings: Vec::new() };
        let other = app.enrol("other", vec![owner]).await;
        let leave = async |account: Account| {
            let place =
                json!({ "user": account.id.to_string(), "organization": company.customer.to_string() });
            tell(&app.client(account), "membershipRemove", place).await["errors"].clone()
        };
        let (one, two) = tokio::join!(leave(company.approver), leave(other));
        let codes = [one[0]["code"].as_str(), two[0]["code"].as_str()];
        assert!(codes.contains(&None) && codes.contains(&Some("LAST_OWNER")), "{codes:?}");
    }
}
