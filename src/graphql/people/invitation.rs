//! Invitations into organisations.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Context, Enum, ID, InputObject, Object, SimpleObject,
    connection::{Connection, EmptyFields},
};
use domain::permission::Duty;
use uuid::Uuid;

use super::{
    Organization, Organizations, User,
    account::Account,
    membership::{MembershipRole, offerings, parse_offerings},
};
use crate::{
    app::App,
    graphql::{
        account::{AccountError, Hidden, attempts, signer},
        failure::{Failure, Result},
        paging::{Args, Cursor, cost, parse_id, uuid},
        scalar::DateTime,
        siblings::{Named, Siblings},
        viewer::{Session, session},
    },
    store::people::{self, invitation},
    usecase::people::{self as keeping, InvitationWanted, Newcomer},
};

/// Whether an invitation can be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum InvitationState {
    /// It waits to be accepted.
    Pending,
    /// It was accepted.
    Accepted,
    /// It was taken back, or another one to the same address took its place.
    Revoked,
    /// It was not accepted in time.
    Expired,
}

/// An invitation into an organisation. Its token was told once, to whoever invited.
#[derive(Clone, Debug)]
pub struct Invitation {
    row: Arc<invitation::Invitation>,
    organizations: Organizations,
    people: Arc<Siblings<people::User>>,
}

impl Invitation {
    /// The invitations of one answer.
    fn all(rows: Vec<invitation::Invitation>) -> Vec<Invitation> {
        let organizations = Named::new(rows.iter().map(|row| row.organization), HashMap::new());
        let people = Arc::new(Siblings::new(rows.iter().map(|row| row.created_by)));
        let invitation = |row| Invitation {
            row: Arc::new(row),
            organizations: organizations.clone(),
            people: people.clone(),
        };
        rows.into_iter().map(invitation).collect()
    }

    /// An invitation alone.
    fn single(row: invitation::Invitation) -> Option<Invitation> {
        Invitation::all(vec![row]).pop()
    }
}

/// An invitation into an organisation. Its token was told once, to whoever invited.
#[Object]
impl Invitation {
    /// Its id.
    async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// Where to.
    async fn organization(&self) -> Organization {
        Organization::among(&self.organizations, self.row.organization)
    }

    /// As what.
    async fn role(&self) -> Result<MembershipRole> {
        Ok(MembershipRole::of(self.row.seat.role)?)
    }

    /// The offerings that a manager is to be narrowed to.
    async fn offerings(&self) -> Vec<ID> {
        offerings(&self.row.seat)
    }

    /// The e-mail address that it is for.
    async fn email(&self) -> &str {
        &self.row.email
    }

    /// Whether it can be accepted.
    async fn state(&self, ctx: &Context<'_>) -> InvitationState {
        let now = ctx.data_unchecked::<App>().world.now();
        match &*self.row {
            row if row.accepted_at.is_some() => InvitationState::Accepted,
            row if row.revoked_at.is_some() => InvitationState::Revoked,
            row if row.is_open(now) => InvitationState::Pending,
            _ => InvitationState::Expired,
        }
    }

    /// Who invites.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let found = self.people.get(&ctx.data_unchecked::<App>().store, self.row.created_by).await;
        found.map(|user| user.map(User::from)).map_err(Failure::from).transpose()
    }

    /// Since when.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// Until when it can be accepted.
    async fn expires_at(&self) -> DateTime {
        DateTime(self.row.expires_at)
    }
}

/// Invites somebody into an organisation.
#[derive(Clone, Debug, InputObject)]
pub struct InvitationCreateInput {
    /// Where to.
    pub organization: ID,
    /// As what.
    pub role: MembershipRole,
    /// The offerings that a manager is to be narrowed to, at most 100.
    pub offerings: Option<Vec<ID>>,
    /// The e-mail address of the one who is invited.
    pub email: String,
}

/// An invitation that was made.
#[derive(Clone, Debug, SimpleObject)]
pub struct InvitationCreatePayload {
    /// The invitation; null when it was refused.
    invitation: Option<Invitation>,
    /// Its token, a secret, to be handed over. It is told this once; null when it was refused.
    token: Option<Hidden>,
    /// Why it was refused; empty on success.
    errors: Vec<AccountError>,
}

/// Accepts an invitation.
#[derive(Clone, Debug, InputObject)]
pub struct InvitationAcceptInput {
    /// Its token.
    pub token: Hidden,
    /// The name of a new account; for those who are not logged in.
    pub name: Option<String>,
    /// The password of a new account, 12 to 128 characters; for those who are not logged in.
    pub password: Option<Hidden>,
}

/// An invitation that was accepted.
#[derive(Clone, Debug, SimpleObject)]
pub struct InvitationAcceptPayload {
    /// The account that is a member now; null when it was refused.
    account: Option<Account>,
    /// Why it was refused; empty on success.
    errors: Vec<AccountError>,
}

/// Takes an invitation back.
#[derive(Clone, Debug, InputObject)]
pub struct InvitationRevokeInput {
    /// The invitation's id.
    pub invitation: ID,
}

/// An invitation that was taken back.
#[derive(Clone, Debug, SimpleObject)]
pub struct InvitationRevokePayload {
    /// The invitation; null when it was refused.
    invitation: Option<Invitation>,
    /// Why it was refused; empty on success.
    errors: Vec<AccountError>,
}

/// Inviting people.
#[derive(Debug, Default)]
pub struct InvitationMutation;

#[Object]
impl InvitationMutation {
    /// Invites somebody into an organisation; for administrators, and for its owners. The answer does not tell
    /// whether the address has an account. One more to the same address takes the place of the one before.
    async fn invitation_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is to be what.")] input: InvitationCreateInput,
    ) -> Result<InvitationCreatePayload> {
        let actor = session(ctx)?.actor();
        let wanted = InvitationWanted {
            organization: parse_id(&input.organization, "input.organization")?,
            role: input.role.into(),
            offerings: parse_offerings(input.offerings)?,
            email: input.email,
        };
        let made = keeping::create_invitation(ctx.data_unchecked::<App>(), actor, wanted).await;
        let (made, errors) = AccountError::split(made)?;
        let (row, token) = made.unzip();
        let invitation = row.and_then(Invitation::single);
        Ok(InvitationCreatePayload { invitation, token: token.map(Hidden), errors })
    }

    /// Accepts an invitation, once. Without a bearer token it makes an account with the invitation's address, which
    /// logs in afterwards; whoever has an account with that address sends their token.
    async fn invitation_accept(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token, and who one is.")] input: InvitationAcceptInput,
    ) -> Result<InvitationAcceptPayload> {
        let InvitationAcceptInput { token, name, password } = input;
        let newcomer = name.zip(password);
        let newcomer = newcomer.map(|(name, password)| Newcomer { name, password: password.into() });
        let actor = ctx.data_opt::<Session>().map(Session::actor);
        let app = ctx.data_unchecked::<App>();
        let who = (actor, newcomer);
        let done = keeping::accept_invitation(app, signer(ctx), attempts(ctx), who, &token.0).await;
        let (account, errors) = Account::split(ctx, done).await?;
        Ok(InvitationAcceptPayload { account, errors })
    }

    /// Takes an invitation back; for administrators, and for the organisation's owners.
    async fn invitation_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: InvitationRevokeInput,
    ) -> Result<InvitationRevokePayload> {
        let actor = session(ctx)?.actor();
        let id = parse_id(&input.invitation, "input.invitation")?;
        let revoked = keeping::revoke_invitation(ctx.data_unchecked::<App>(), actor, id).await;
        let (row, errors) = AccountError::split(revoked)?;
        Ok(InvitationRevokePayload { invitation: row.and_then(Invitation::single), errors })
    }
}

/// Reading invitations.
#[derive(Debug, Default)]
pub struct InvitationQuery;

#[Object]
impl InvitationQuery {
    /// Invitations, oldest first, those that are over too: all of them for administrators, an organisation's own
    /// for its owners.
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "one argument of the field each")]
    async fn invitations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Into this organisation.")] organization: Option<ID>,
        #[graphql(desc = "The first so many, up to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Cursor<Uuid>, Invitation, EmptyFields, EmptyFields>> {
        let scope = keeping::scope(session(ctx)?.actor(), Duty::Invite)?;
        let organization = organization.map(|id| parse_id(&id, "organization")).transpose()?;
        let window = Args { first, after, last, before }.window(uuid)?;
        let store = &ctx.data_unchecked::<App>().store;
        let rows = invitation::page(store, &scope, organization, window.stretch()).await?;
        Ok(window.connection(Invitation::all(rows), EmptyFields, |it| (it.row.id.0, it)))
    }
}
