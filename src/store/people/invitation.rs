//! Invitations into organisations.

use chrono::{DateTime, Utc};
use domain::{
    id::{InvitationId, OrganizationId, ProductId, UserId},
    people::Seat,
    permission::OrganizationScope,
    role::Role,
};
use entity::invitation;
use sea_orm::{EntityTrait, IntoActiveModel};
use uuid::Uuid;

use super::Stretch;
use crate::{
    error::Result,
    store::{
        Reads, Store, Tx,
        sql::{Row, Sql, to_json},
    },
};

/// An invitation, without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Where to.
    pub organization: OrganizationId,
    /// As what.
    pub seat: Seat,
    /// For whom, in lower case.
    pub email: String,
    /// Who invites.
    pub created_by: UserId,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// When it was accepted.
    pub accepted_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Invitation {
    /// Whether it can be accepted now.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.accepted_at.is_none() && self.revoked_at.is_none() && now < self.expires_at
    }
}

const INVITATION: &str = "SELECT id, organization_id, role, offering_ids, email, created_by, created_at, \
    expires_at, accepted_at, revoked_at FROM invitations WHERE ";
/// What nobody has accepted or taken back.
const PENDING: &str = "accepted_at IS NULL AND revoked_at IS NULL";

fn read(row: &mut Row<'_>) -> Result<Invitation> {
    let (id, organization) = (row.id()?, row.id()?);
    let role = row.named(|name| Role::parse(&name.to_ascii_lowercase()))?;
    let offerings: Vec<Uuid> = row.json()?;
    Ok(Invitation {
        id,
        organization,
        seat: Seat { role, offerings: offerings.into_iter().map(ProductId).collect() },
        email: row.get()?,
        created_by: row.id()?,
        created_at: row.get()?,
        expires_at: row.get()?,
        accepted_at: row.get()?,
        revoked_at: row.get()?,
    })
}

fn within(sql: &mut Sql, scope: &OrganizationScope) {
    match scope {
        OrganizationScope::Every => sql.push("TRUE"),
        OrganizationScope::Of(some) => {
            let some: Vec<Uuid> = some.iter().map(|id| id.0).collect();
            sql.among("organization_id", &some)
        }
    };
}

/// Invitations in scope by age, into one organisation if it is named. In the list's own direction.
///
/// # Errors
/// The database's.
pub async fn page(
    store: &Store,
    scope: &OrganizationScope,
    organization: Option<OrganizationId>,
    stretch: Stretch,
) -> Result<Vec<Invitation>> {
    let mut sql = Sql::new(store.db(), INVITATION);
    within(&mut sql, scope);
    if let Some(organization) = organization {
        sql.push(" AND organization_id = ").bind(organization.0);
    }
    stretch.push(&mut sql);
    let mut rows = sql.all(store.db(), read).await?;
    if stretch.from_end {
        rows.reverse();
    }
    Ok(rows)
}

/// An invitation in scope.
///
/// # Errors
/// The database's.
pub async fn by_id(
    from: &impl Reads,
    scope: &OrganizationScope,
    id: InvitationId,
) -> Result<Option<Invitation>> {
    let mut sql = Sql::new(from.db(), INVITATION);
    within(&mut sql, scope);
    sql.push(" AND id = ").bind(id.0);
    sql.one(from.db(), read).await
}

/// The invitation with this hash of its token.
///
/// # Errors
/// The database's.
pub async fn by_token(from: &impl Reads, token: [u8; 32]) -> Result<Option<Invitation>> {
    let mut sql = Sql::new(from.db(), INVITATION);
    sql.push("token = ").bind(token.to_vec());
    sql.one(from.db(), read).await
}

/// How many invitations into an organisation wait to be accepted.
///
/// # Errors
/// The database's.
pub async fn pending(from: &impl Reads, organization: OrganizationId, now: DateTime<Utc>) -> Result<i64> {
    let mut sql = Sql::new(from.db(), "SELECT COUNT(*) FROM invitations WHERE ");
    sql.push(PENDING).push(" AND organization_id = ").bind(organization.0);
    sql.push(" AND expires_at > ").bind(now);
    Ok(sql.one(from.db(), |row| row.get()).await?.unwrap_or(0))
}

impl Tx {
    /// Inserts an invitation, with the hash of its token. One to the same address, into the same organisation,
    /// opens nothing from now on.
    ///
    /// # Errors
    /// The database's.
    pub async fn insert_invitation(&self, new: &Invitation, token: [u8; 32]) -> Result<()> {
        let mut sql = self.revoking(new.created_at);
        sql.push(" AND organization_id = ").bind(new.organization.0);
        sql.push(" AND email = ").bind(new.email.as_str());
        sql.run(self.db()).await?;
        let offerings: Vec<Uuid> = new.seat.offerings.iter().map(|id| id.0).collect();
        let row = invitation::Model {
            id: new.id.0,
            organization_id: new.organization.0,
            role: new.seat.role.name().to_ascii_uppercase(),
            offering_ids: to_json(&offerings)?,
            email: new.email.clone(),
            token: token.to_vec(),
            created_by: new.created_by.0,
            created_at: new.created_at,
            expires_at: new.expires_at,
            accepted_at: None,
            accepted_by: None,
            revoked_at: None,
        };
        invitation::Entity::insert(row.into_active_model()).exec_without_returning(self.db()).await?;
        Ok(())
    }

    /// The invitation with this hash of its token, locked until the end: it is accepted once.
    ///
    /// # Errors
    /// The database's.
    pub async fn invitation_of(&self, token: [u8; 32]) -> Result<Option<Invitation>> {
        let mut sql = Sql::new(self.db(), INVITATION);
        sql.push("token = ").bind(token.to_vec());
        if sql.is_postgres() {
            sql.push(" FOR UPDATE");
        }
        sql.one(self.db(), read).await
    }

    /// Notes that somebody accepted an invitation.
    ///
    /// # Errors
    /// The database's.
    pub async fn accept_invitation(&self, id: InvitationId, by: UserId, now: DateTime<Utc>) -> Result<()> {
        let mut sql = Sql::new(self.db(), "UPDATE invitations SET accepted_at = ");
        sql.bind(now).push(", accepted_by = ").bind(by.0).push(" WHERE id = ").bind(id.0);
        sql.run(self.db()).await?;
        Ok(())
    }

    /// Takes an invitation back, unless it was accepted or taken back.
    ///
    /// # Errors
    /// The database's.
    pub async fn revoke_invitation(&self, id: InvitationId, now: DateTime<Utc>) -> Result<()> {
        let mut sql = self.revoking(now);
        sql.push(" AND id = ").bind(id.0);
        sql.run(self.db()).await?;
        Ok(())
    }

    /// Takes back what somebody has given out: nobody leaves a door open behind themselves.
    ///
    /// # Errors
    /// The database's.
    pub async fn withdraw_invitations(&self, by: UserId, now: DateTime<Utc>) -> Result<()> {
        let mut sql = self.revoking(now);
        sql.push(" AND created_by = ").bind(by.0);
        sql.run(self.db()).await?;
        Ok(())
    }

    fn revoking(&self, now: DateTime<Utc>) -> Sql {
        let mut sql = Sql::new(self.db(), "UPDATE invitations SET revoked_at = ");
        sql.bind(now).push(" WHERE ").push(PENDING);
        sql
    }
}
