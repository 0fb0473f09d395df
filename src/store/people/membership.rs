//! Who is what in which organisation: read for many accounts at once, changed for one at a time.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{
    actor::Membership,
    id::{EventId, MembershipId, OrganizationId, ProductId, UserId},
    mint::Mint,
    people::{RightsChange, Seat},
    role::Role,
};
use uuid::Uuid;

use super::{ORGANIZATION, Organization, read_organization};
use crate::{
    error::Result,
    store::{
        Reads, Tx,
        sql::{Row, Sql},
        subject::{self, Changed},
    },
};

/// What somebody is in an organisation, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seated {
    /// Where.
    pub organization: OrganizationId,
    /// As what.
    pub seat: Seat,
    /// Since when.
    pub since: DateTime<Utc>,
}

fn read(row: &mut Row<'_>) -> Result<(UserId, Seated)> {
    let (user, organization) = (row.id()?, row.id()?);
    let role = row.named(|name| Role::parse(&name.to_ascii_lowercase()))?;
    let offerings: Vec<Uuid> = row.json()?;
    let seat = Seat { role, offerings: offerings.into_iter().map(ProductId).collect() };
    Ok((user, Seated { organization, seat, since: row.get()? }))
}

/// Memberships of accounts, the oldest first: one statement, however many accounts.
///
/// # Errors
/// The database's.
pub async fn of_accounts(from: &impl Reads, users: &[UserId]) -> Result<HashMap<UserId, Vec<Seated>>> {
    if users.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = users.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(
        from.db(),
        "SELECT user_id, organization_id, role, offering_ids, created_at FROM memberships WHERE ",
    );
    sql.among("user_id", &ids).push(" ORDER BY id");
    let mut all: HashMap<UserId, Vec<Seated>> = HashMap::new();
    for (user, seated) in sql.all(from.db(), read).await? {
        all.entry(user).or_default().push(seated);
    }
    Ok(all)
}

impl Tx {
    /// Memberships of one account, the oldest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn memberships(&self, user: UserId) -> Result<Vec<Seated>> {
        Ok(of_accounts(self, &[user]).await?.remove(&user).unwrap_or_default())
    }

    /// Organisations, locked until the end, in the order of their ids: whoever takes the last owner away waits
    /// for whoever takes the last but one. Lock the account before.
    ///
    /// # Errors
    /// The database's.
    pub async fn lock_organizations(&self, ids: &[OrganizationId]) -> Result<Vec<Organization>> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let mut sql = Sql::new(self.db(), ORGANIZATION);
        sql.among("id", &ids).push(" ORDER BY id");
        if sql.is_postgres() {
            sql.push(" FOR NO KEY UPDATE");
        }
        sql.all(self.db(), read_organization).await
    }

    /// How many people besides this one look after an organisation as its owners and can log in. Lock the
    /// organisation before.
    ///
    /// # Errors
    /// The database's.
    pub async fn other_owners(&self, of: &Organization, besides: UserId) -> Result<usize> {
        let mut sql = Sql::new(
            self.db(),
            "SELECT COUNT(*) FROM memberships m JOIN users u ON u.id = m.user_id \
             WHERE u.disabled_at IS NULL AND m.organization_id = ",
        );
        sql.bind(of.id.0).push(" AND m.role = ").bind(of.kind.owner().name().to_ascii_uppercase());
        sql.push(" AND m.user_id <> ").bind(besides.0);
        let count: Option<i64> = sql.one(self.db(), |row| row.get()).await?;
        Ok(count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0))
    }

    /// Makes this all that an account is in an organisation, or takes it out, and notes who did it. Whoever
    /// loses something there takes the invitations along that they gave out.
    ///
    /// # Errors
    /// The database's.
    pub async fn set_seat(
        &self,
        mint: &mut Mint,
        by: Option<UserId>,
        (user, organization): (UserId, OrganizationId),
        seat: Option<Seat>,
    ) -> Result<()> {
        let mut before: Vec<Seat> = self
            .memberships(user)
            .await?
            .into_iter()
            .filter(|seated| seated.organization == organization)
            .map(|seated| seated.seat)
            .collect();
        if before.as_slice() == seat.as_slice() {
            return Ok(());
        }
        let mut sql = Sql::new(self.db(), "DELETE FROM memberships WHERE user_id = ");
        sql.bind(user.0).push(" AND organization_id = ").bind(organization.0);
        sql.run(self.db()).await?;
        if let Some(Seat { role, offerings }) = seat.clone() {
            let new = Membership { organization, role, offerings };
            self.insert_seat(mint.id::<MembershipId>(), user, &new, mint.now()).await?;
        }
        if !before.is_empty() {
            self.withdraw_invitations(user, mint.now()).await?;
        }
        // Accounts of before this was one membership each may have had several there.
        let rest = before.split_off(before.len().min(1));
        let first = RightsChange::Membership { organization, before: before.pop(), after: seat };
        self.note_rights(mint, by, user, &first).await?;
        for lost in rest {
            let change = RightsChange::Membership { organization, before: Some(lost), after: None };
            self.note_rights(mint, by, user, &change).await?;
        }
        Ok(())
    }

    /// Notes how somebody's rights changed, and who changed them.
    ///
    /// # Errors
    /// The database's.
    pub async fn note_rights(
        &self,
        mint: &mut Mint,
        by: Option<UserId>,
        user: UserId,
        change: &RightsChange,
    ) -> Result<()> {
        let (id, now): (EventId, _) = (mint.id(), mint.now());
        subject::note(self, id, Changed::Standing { user, by, change }, now).await
    }
}
