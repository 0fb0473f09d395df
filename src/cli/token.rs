//! Tokens printed at the console: for an account, for its password, and for every role of the demo company.

use anyhow::{Context, Result, bail};
use chrono::TimeDelta;
use domain::role::Role;
use ordo::{
    app::{App, Machine, World},
    config::Config,
    http::auth::{Auth, NotAnIssuer},
    keys::Keys,
    store::{Store, people},
    usecase::{self, session::Signer},
};

use super::{auth, open_existing, plain, print};

/// Roles that a membership can give, and so a token can be asked for.
const ROLES: [Role; 10] = [
    Role::Admin,
    Role::Staff,
    Role::Support,
    Role::Csr,
    Role::Provider,
    Role::Manager,
    Role::Worker,
    Role::Approver,
    Role::Consumer,
    Role::Agent,
];
/// How long the tokens of the demo are valid.
const DEMO_HOURS: u32 = 24 * 7;

/// `ordo token`.
pub(super) async fn print_for(config: &Config, who: &str, hours: u32) -> Result<()> {
    let auth = auth(config, config.secret()?.bytes())?;
    let store = open_existing(config).await?;
    let token = issue(&store, &auth, who, hours).await?;
    let Some((name, token)) = token else {
        let roles: Vec<&str> = ROLES.iter().map(|role| role.name()).collect();
        bail!("there is no account for `{who}`; name an e-mail address or one of {}", roles.join(", "));
    };
    store.close().await.map_err(plain)?;
    eprintln!("for {name}, valid for {hours} hours:");
    print(&format!("{token}\n"))
}

/// `ordo password-reset`.
pub(super) async fn print_reset(config: &Config, email: &str) -> Result<()> {
    let secret = config.secret()?;
    if !auth(config, secret.bytes())?.issues() {
        return Err(NotAnIssuer.into());
    }
    let store = open_existing(config).await?;
    let user = people::user_by_email(&store, email).await;
    let user = user.map_err(plain).context("the account could not be read; was the database migrated?")?;
    let Some(user) = user else { bail!("there is no account for `{email}`") };
    let keys = Keys::derive(secret.bytes());
    let given = usecase::session::reset_token(&store, &keys, user.id, Machine.now()).await;
    let (token, _) = given.map_err(plain)?;
    store.close().await.map_err(plain)?;
    eprintln!("for {} <{}>, valid for an hour, in `passwordReset`:", user.name, user.email);
    print(&format!("{token}\n"))
}

/// A token for the account with this role or e-mail address, and whose it is.
async fn issue(store: &Store, auth: &Auth, who: &str, hours: u32) -> Result<Option<(String, String)>> {
    let role = ROLES.into_iter().find(|role| role.name() == who);
    let user = match role {
        Some(role) => people::user_by_role(store, role).await,
        None => people::user_by_email(store, who).await,
    };
    let user = user.map_err(plain).context("the account could not be read; was the database migrated?")?;
    let Some(user) = user else { return Ok(None) };
    let now = Machine.now();
    let token = auth.issue(user.id, now, now + TimeDelta::hours(hours.into()))?;
    Ok(Some((format!("{} <{}>", user.name, user.email), token)))
}

/// A token per role, by role, where this server issues them.
pub(super) async fn of_the_demo(app: &App, auth: &Auth) -> Result<Vec<(String, String)>> {
    let mut tokens = Vec::new();
    for role in ROLES {
        match issue(&app.store, auth, role.name(), DEMO_HOURS).await {
            Ok(Some((_, token))) => tokens.push((role.name().to_owned(), token)),
            Ok(None) => {}
            // Tokens come from elsewhere: then there is nothing to print.
            Err(error) if error.is::<NotAnIssuer>() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(tokens)
}
