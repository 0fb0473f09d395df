//! People over the API: organisations, accounts, memberships, invitations, and persons made unreadable.

mod erase;
mod invitation;
mod owners;
mod rights;
mod story;

use serde_json::{Value, json};

use crate::harness::{Account, App, Client};

pub const PASSWORD: &str = "correct horse battery";
const ACCOUNT: &str = "account { user { id name email } disabledAt erasedAt createdAt \
    memberships { organization { id name } role offerings since } }";

/// Sends a mutation about people; the whole payload.
pub async fn tell(client: &Client, field: &str, input: Value) -> Value {
    let answer = send(client, field, input).await;
    assert!(answer.get("errors").is_none(), "{field}: {answer:#}");
    answer["data"][field].clone()
}

/// Sends a mutation about people; the whole answer.
pub async fn send(client: &Client, field: &str, input: Value) -> Value {
    let (head, tail) = field.split_at(1);
    let told = match field {
        "organizationSave" => "organization { id kind name email timeZone }".to_owned(),
        "invitationCreate" => "invitation { id email role offerings state expiresAt } token".to_owned(),
        "invitationRevoke" => "invitation { id state }".to_owned(),
        _ => ACCOUNT.to_owned(),
    };
    let document = format!(
        "mutation($input: {}{tail}Input!) {{ {field}(input: $input) {{ {told} \
         errors {{ __typename code message path }} }} }}",
        head.to_uppercase()
    );
    client.send(&document, json!({ "input": input })).await.body
}

/// Carries it out.
pub async fn done(client: &Client, field: &str, input: Value) -> Value {
    let payload = tell(client, field, input).await;
    assert_eq!(payload["errors"], json!([]), "{field}: {payload}");
    payload
}

/// The code of the one error that it is refused with, or of the whole answer.
pub async fn refused(client: &Client, field: &str, input: Value) -> String {
    let answer = send(client, field, input).await;
    let whole = &answer["errors"][0]["extensions"]["code"];
    let code = whole.as_str().or(answer["data"][field]["errors"][0]["code"].as_str());
    code.unwrap_or_else(|| panic!("{field} was carried out: {answer}")).to_owned()
}

/// An account of that person in that organisation.
pub fn seat(account: Account, organization: impl ToString, role: &str) -> Value {
    json!({ "user": account.id.to_string(), "organization": organization.to_string(), "role": role })
}

/// Invites and accepts: somebody with an account and a password of their own, logged in.
pub async fn newcomer(app: &App, inviter: &Client, invitation: Value) -> Client {
    let email = invitation["email"].as_str().expect("an address").to_lowercase();
    // Lists are by age.
    app.world.advance(chrono::TimeDelta::milliseconds(1));
    let made = done(inviter, "invitationCreate", invitation).await;
    let name = email.split('@').next().expect("a name");
    let input = json!({ "token": made["token"], "name": name, "password": PASSWORD });
    done(&app.anonymous(), "invitationAccept", input).await;
    app.world.advance(chrono::TimeDelta::milliseconds(1));
    log_in(app, &email).await
}

/// A client with a session of its own.
pub async fn log_in(app: &App, email: &str) -> Client {
    let document = "mutation($input: LoginInput!) { login(input: $input) { session { accessToken } \
        errors { code } } }";
    let input = json!({ "input": { "email": email, "password": PASSWORD } });
    let session = app.anonymous().data(document, input).await["login"]["session"].clone();
    let token = session["accessToken"].as_str().unwrap_or_else(|| panic!("{email} cannot log in"));
    Client::new(&app.url, Some(token.to_owned()))
}

/// A page of accounts: name and e-mail address.
pub async fn users(client: &Client, filter: Value) -> Vec<(String, Option<String>)> {
    let query = "query($where: UserWhereInput) { users(where: $where, first: 100) { nodes { user { name email } } } }";
    let data = client.data(query, json!({ "where": filter })).await;
    let nodes = data["users"]["nodes"].as_array().expect("nodes").iter();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    nodes.map(|node| (text(&node["user"]["name"]).expect("a name"), text(&node["user"]["email"]))).collect()
}
