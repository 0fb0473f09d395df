//! Invitations: given out with a token that is told once, accepted once, taken back.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use domain::{
    actor::{Actor, Person},
    id::{InvitationId, OrganizationId, ProductId, UserId},
    mint::Mint,
    password,
    people::{address, seat},
    permission::Duty,
    refusal::Refusal,
    role::Role,
};
use sha2::{Digest, Sha256};

use super::{check_offerings, membership::take, name, organization, scope};
use crate::{
    app::App,
    error::{Error, Result},
    secret::Secret,
    store::{
        Tx,
        people::{
            self, User,
            account::{Account, by_address},
            invitation::{self, Invitation},
        },
    },
    usecase::session::{Attempts, Signer},
};

/// How long an invitation can be accepted.
pub const INVITATION: TimeDelta = TimeDelta::days(7);
/// The most that wait to be accepted, into one organisation.
const MOST_PENDING: i64 = 1_000;
/// The bytes of a token: as many as its hash has.
const TOKEN: usize = 32;

/// Who is invited to be what.
#[derive(Clone, Debug)]
pub struct InvitationWanted {
    /// Where to.
    pub organization: OrganizationId,
    /// As what.
    pub role: Role,
    /// The offerings that a manager is to be narrowed to.
    pub offerings: Vec<ProductId>,
    /// For whom.
    pub email: String,
}

/// Invites somebody; the token is told this once, to whoever invites. The answer does not tell whether the
/// address has an account.
///
/// # Errors
/// FORBIDDEN, NOT_FOUND for an organisation out of reach, VALIDATION.
pub async fn create_invitation(
    app: &App,
    actor: &Actor,
    wanted: InvitationWanted,
) -> Result<(Invitation, String)> {
    let scope = scope(actor, Duty::Invite)?;
    let created_by = actor.user().ok_or(Error::Forbidden)?;
    let email = address("email", &wanted.email)?;
    let (mut mint, token) = (app.world.mint(), app.world.seed());
    let made = app.store.write(async move |tx| {
        let organization = organization(&*tx, &scope, wanted.organization).await?;
        let seat = seat(organization.kind, wanted.role, wanted.offerings)?;
        check_offerings(&*tx, organization.id, &seat.offerings).await?;
        if invitation::pending(&*tx, organization.id, mint.now()).await? >= MOST_PENDING {
            let message = format!("{MOST_PENDING} invitations wait to be accepted; revoke some");
            return Err(Refusal::invalid("organization", message).into());
        }
        let (created_at, expires_at) = (mint.now(), mint.now() + INVITATION);
        let invitation = Invitation {
            id: mint.id(),
            organization: organization.id,
            seat,
            email,
            created_by,
            created_at,
            expires_at,
            accepted_at: None,
            revoked_at: None,
        };
        tx.insert_invitation(&invitation, hash(&token)).await?;
        Ok(invitation)
    });
    Ok((made.await?, URL_SAFE_NO_PAD.encode(token)))
}

/// Takes an invitation back.
///
/// # Errors
/// FORBIDDEN, NOT_FOUND.
pub async fn revoke_invitation(app: &App, actor: &Actor, id: InvitationId) -> Result<Invitation> {
    let (scope, now) = (scope(actor, Duty::Invite)?, app.world.mint().now());
    let revoked = app.store.write(async move |tx| {
        let not_found = || Error::from(Refusal::NotFound { what: "invitation" });
        invitation::by_id(&*tx, &scope, id).await?.ok_or_else(not_found)?;
        tx.revoke_invitation(id, now).await?;
        // As it is now: somebody else may have been first.
        invitation::by_id(&*tx, &scope, id).await?.ok_or_else(not_found)
    });
    revoked.await
}

/// Somebody without an account, who makes one by accepting.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// The name.
    pub name: String,
    /// The password.
    pub password: Secret,
}

/// Accepts an invitation: a newcomer gets an account with the invitation's address, and whoever is logged in and
/// has that address becomes a member. Anything else about the token reads alike, and so does one for an address
/// that has an account while nobody is logged in.
///
/// # Errors
/// INVALID_TOKEN, VALIDATION, RATE_LIMITED, LOGIN_ELSEWHERE for newcomers of servers without passwords; LAST_OWNER,
/// LAST_ADMIN when the invitation would take an owner's role away; FORBIDDEN for service tokens.
pub async fn accept_invitation(
    app: &App,
    signer: &dyn Signer,
    attempts: Option<&dyn Attempts>,
    (actor, newcomer): (Option<&Actor>, Option<Newcomer>),
    token: &str,
) -> Result<Account> {
    // Counted by token, too: like an address, whoever guesses names one.
    attempts.map_or(Ok(()), |attempts| attempts.admit(&token.chars().take(64).collect::<String>()))?;
    let mut bytes = [0; TOKEN];
    let read = URL_SAFE_NO_PAD.decode_slice(token, &mut bytes);
    let token =
        read.ok().filter(|length| *length == TOKEN).map(|_| hash(&bytes)).ok_or(Error::InvalidToken)?;
    let account = match actor {
        Some(Actor::User(Person { id, only: None, .. })) => join(app, *id, token).await?,
        Some(_) => return Err(Error::Forbidden),
        None => {
            let newcomer = newcomer
                .ok_or_else(|| Refusal::invalid("name", "say a name and a password, or log in first"))?;
            enter(app, signer, newcomer, token).await?
        }
    };
    app.feed.ring();
    Ok(account)
}

/// A member with an account of before.
async fn join(app: &App, user: UserId, token: [u8; 32]) -> Result<Account> {
    let mut mint = app.world.mint();
    let joined = app.store.write(async move |tx| {
        let account = tx.lock_account(user).await?.ok_or(Error::InvalidToken)?;
        let invitation = open(&tx, token, &mint).await?;
        if account.user.email.to_lowercase() != invitation.email {
            return Err(Error::InvalidToken);
        }
        sit_down(&tx, &mut mint, &account, invitation).await?;
        Ok(account)
    });
    joined.await
}

/// A member with an account of their own from now on. The password is hashed only for a token that opens.
async fn enter(app: &App, signer: &dyn Signer, newcomer: Newcomer, token: [u8; 32]) -> Result<Account> {
    if !signer.issues() {
        return Err(Error::LoginElsewhere);
    }
    let (mut mint, seed) = (app.world.mint(), app.world.seed());
    let known = invitation::by_token(&app.store, token).await?;
    let known = known.filter(|invitation| invitation.is_open(mint.now())).ok_or(Error::InvalidToken)?;
    if by_address(&app.store, &known.email).await?.is_some() {
        return Err(Error::InvalidToken);
    }
    let name = name("name", &newcomer.name)?;
    password::check("password", newcomer.password.text(), &known.email)?;
    let mut salt = [0; 16];
    salt.copy_from_slice(&seed[..16]);
    let password = app.hashing.hash(newcomer.password, salt).await?;
    let entered = app.store.write(async move |tx| {
        let invitation = open(&tx, token, &mint).await?;
        let user = User { id: mint.id(), email: invitation.email.clone(), name };
        // Somebody else may have been first.
        if !tx.add_user(&user, mint.now()).await? {
            return Err(Error::InvalidToken);
        }
        tx.set_password(user.id, &password, 1, mint.now()).await?;
        let account = Account { user, created_at: mint.now(), disabled_at: None, erased_at: None };
        sit_down(&tx, &mut mint, &account, invitation).await?;
        Ok(account)
    });
    entered.await
}

/// The invitation of a token, if it can be accepted.
async fn open(tx: &Tx, token: [u8; 32], mint: &Mint) -> Result<Invitation> {
    let found = tx.invitation_of(token).await?;
    found.filter(|invitation| invitation.is_open(mint.now())).ok_or(Error::InvalidToken)
}

async fn sit_down(tx: &Tx, mint: &mut Mint, account: &Account, invitation: Invitation) -> Result<()> {
    let Invitation { id, organization, seat, created_by, .. } = invitation;
    let user = account.user.id;
    let found = people::organizations(tx, &[organization]).await?.remove(&organization);
    let found = found.ok_or(Error::InvalidToken)?;
    let seats = tx.memberships(user).await?;
    take(tx, account, &seats, (&found, &seat)).await?;
    tx.set_seat(mint, Some(created_by), (user, organization), Some(seat)).await?;
    tx.accept_invitation(id, user, mint.now()).await
}

/// What is stored of a token. It has 256 random bits: nobody finds it from this.
fn hash(token: &[u8; TOKEN]) -> [u8; TOKEN] {
    Sha256::digest(token).into()
}
