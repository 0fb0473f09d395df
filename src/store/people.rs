//! Organisations, accounts and memberships.

pub mod account;
mod erase;
pub mod invitation;
pub mod membership;
pub mod rights;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
pub use domain::people::OrganizationKind;
use domain::{
    actor::{Membership, Person},
    id::{EventId, MembershipId, OrganizationId, ProductId, SessionId, UserId},
    people::{RightsChange, Seat},
    role::Role,
};
use entity::{membership as row, organization, user};
use sea_orm::{EntityTrait, IntoActiveModel};
use uuid::Uuid;

use super::{
    Reads, Store, Tx,
    sql::{Row, Sql, to_json},
    subject::{self, Changed},
};
use crate::error::Result;

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// What it is.
    pub kind: OrganizationKind,
    /// Its name.
    pub name: String,
    /// Its e-mail address.
    pub email: Option<String>,
    /// Its time zone, a name of the IANA database.
    pub time_zone: String,
    /// Since when it is known.
    pub created_at: DateTime<Utc>,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its e-mail address, unique.
    pub email: String,
    /// Its name.
    pub name: String,
}

/// An account with its memberships, and what narrows it; none when it does not exist, is disabled, or is a
/// service token that was revoked.
///
/// # Errors
/// The database's.
pub async fn person(from: &impl Reads, id: UserId) -> Result<Option<Person>> {
    person_within(from, id, None).await
}

/// An account as [`person`] reads it, in the same statement; none, too, when the session is not its own or
/// has been ended.
///
/// # Errors
/// The database's.
pub async fn person_within(
    from: &impl Reads,
    id: UserId,
    session: Option<SessionId>,
) -> Result<Option<Person>> {
    let mut sql = Sql::new(
        from.db(),
        "SELECT t.actions, m.organization_id, m.role, m.offering_ids FROM users u \
         LEFT JOIN memberships m ON m.user_id = u.id LEFT JOIN service_tokens t ON t.user_id = u.id \
         WHERE u.disabled_at IS NULL AND t.revoked_at IS NULL AND u.id = ",
    );
    sql.bind(id.0);
    if let Some(session) = session {
        sql.push(" AND EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.id AND s.revoked_at IS NULL");
        sql.push(" AND s.id = ").bind(session.0).push(")");
    }
    let mut only: Option<BTreeSet<String>> = None;
    let read = |row: &mut Row<'_>| {
        only = row.maybe_json()?;
        read_membership(row)
    };
    let rows = sql.all(from.db(), read).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let memberships = rows.into_iter().flatten().collect();
    Ok(Some(Person { id, memberships, only: only.map(Arc::new) }))
}

/// Several accounts as [`person`] reads one; those that it would not give are missing.
///
/// # Errors
/// The database's.
pub async fn persons(from: &impl Reads, ids: &[UserId]) -> Result<HashMap<UserId, Person>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(
        from.db(),
        "SELECT u.id, t.actions, m.organization_id, m.role, m.offering_ids FROM users u \
         LEFT JOIN memberships m ON m.user_id = u.id LEFT JOIN service_tokens t ON t.user_id = u.id \
         WHERE u.disabled_at IS NULL AND t.revoked_at IS NULL AND ",
    );
    sql.among("u.id", &ids);
    let rows = sql.all(from.db(), |row| Ok((row.id()?, row.maybe_json()?, read_membership(row)?)));
    let mut persons: HashMap<UserId, Person> = HashMap::new();
    for (id, only, membership) in rows.await? {
        let only = only.map(Arc::new);
        let person = persons.entry(id).or_insert(Person { id, memberships: Vec::new(), only });
        person.memberships.extend(membership);
    }
    Ok(persons)
}

/// None for an account without memberships.
fn read_membership(row: &mut Row<'_>) -> Result<Option<Membership>> {
    let Some(organization) = row.maybe_id()? else { return Ok(None) };
    let role = row.named(|name| Role::parse(&name.to_ascii_lowercase()))?;
    let offerings: Vec<Uuid> = row.json()?;
    let offerings = offerings.into_iter().map(ProductId).collect();
    Ok(Some(Membership { organization, role, offerings }))
}

fn read_user(row: &mut Row<'_>) -> Result<User> {
    Ok(User { id: row.id()?, email: row.get()?, name: row.get()? })
}

/// Accounts by id.
///
/// # Errors
/// The database's.
pub async fn users(from: &impl Reads, ids: &[UserId]) -> Result<HashMap<UserId, User>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(from.db(), "SELECT id, email, name FROM users WHERE ");
    sql.among("id", &ids);
    let users = sql.all(from.db(), read_user).await?;
    Ok(users.into_iter().map(|user| (user.id, user)).collect())
}

/// What is no machine's: those have a token of their own, which says until when.
const PERSON: &str = " AND u.disabled_at IS NULL AND NOT EXISTS \
    (SELECT 1 FROM service_tokens t WHERE t.user_id = u.id)";

/// The account with this e-mail address, if it is a person's.
///
/// # Errors
/// The database's.
pub async fn user_by_email(from: &impl Reads, email: &str) -> Result<Option<User>> {
    let mut sql = Sql::new(from.db(), "SELECT u.id, u.email, u.name FROM users u WHERE u.email = ");
    sql.bind(email).push(PERSON);
    sql.one(from.db(), read_user).await
}

/// The operator of the installation; none before it is founded.
///
/// # Errors
/// The database's.
pub async fn operator(from: &impl Reads) -> Result<Option<OrganizationId>> {
    let sql = Sql::new(from.db(), "SELECT id FROM organizations WHERE kind = 'OPERATOR' ORDER BY id LIMIT 1");
    sql.one(from.db(), |row| row.id()).await
}

/// The first person with this role, for tokens made on the command line.
///
/// # Errors
/// The database's.
pub async fn user_by_role(from: &impl Reads, role: Role) -> Result<Option<User>> {
    let mut sql = Sql::new(
        from.db(),
        "SELECT u.id, u.email, u.name FROM users u JOIN memberships m ON m.user_id = u.id \
         WHERE m.role = ",
    );
    sql.bind(role.name().to_ascii_uppercase()).push(PERSON).push(" ORDER BY u.id LIMIT 1");
    sql.one(from.db(), read_user).await
}

const ORGANIZATION: &str = "SELECT id, kind, name, email, time_zone, created_at FROM organizations WHERE ";

fn read_organization(row: &mut Row<'_>) -> Result<Organization> {
    Ok(Organization {
        id: row.id()?,
        kind: row.named(OrganizationKind::parse)?,
        name: row.get()?,
        email: row.get()?,
        time_zone: row.get()?,
        created_at: row.get()?,
    })
}

/// Organisations by id.
///
/// # Errors
/// The database's.
pub async fn organizations(
    from: &impl Reads,
    ids: &[OrganizationId],
) -> Result<HashMap<OrganizationId, Organization>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(from.db(), ORGANIZATION);
    sql.among("id", &ids);
    let rows = sql.all(from.db(), read_organization).await?;
    Ok(rows.into_iter().map(|organization| (organization.id, organization)).collect())
}

/// A stretch of a list that is sorted by id.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// After this id.
    pub after: Option<Uuid>,
    /// Before this id.
    pub before: Option<Uuid>,
    /// The last ones instead of the first.
    pub from_end: bool,
    /// At most so many.
    pub limit: usize,
}

impl Stretch {
    /// Appends the conditions, the order and the limit.
    pub(super) fn push(self, sql: &mut Sql) {
        if let Some(id) = self.after {
            sql.push(" AND id > ").bind(id);
        }
        if let Some(id) = self.before {
            sql.push(" AND id < ").bind(id);
        }
        let direction = if self.from_end { "DESC" } else { "ASC" };
        sql.push(&format!(" ORDER BY id {direction} LIMIT {}", self.limit));
    }
}

/// Organisations by age: all, or the providers and those named. In the list's own direction.
///
/// # Errors
/// The database's.
pub async fn organization_page(
    store: &Store,
    only: Option<&[OrganizationId]>,
    stretch: Stretch,
) -> Result<Vec<Organization>> {
    let mut sql = Sql::new(store.db(), ORGANIZATION);
    match only {
        None => {
            sql.push("TRUE");
        }
        Some(own) => {
            let own: Vec<Uuid> = own.iter().map(|id| id.0).collect();
            sql.push("(kind = 'PROVIDER'");
            if !own.is_empty() {
                sql.push(" OR ").among("id", &own);
            }
            sql.push(")");
        }
    }
    stretch.push(&mut sql);
    let mut rows = sql.all(store.db(), read_organization).await?;
    if stretch.from_end {
        rows.reverse();
    }
    Ok(rows)
}

impl Tx {
    /// Inserts an organisation.
    ///
    /// # Errors
    /// The database's.
    pub async fn insert_organization(&self, new: &Organization) -> Result<()> {
        let row = organization::Model {
            id: new.id.0,
            kind: new.kind.name().to_owned(),
            name: new.name.clone(),
            email: new.email.clone(),
            time_zone: new.time_zone.clone(),
            created_at: new.created_at,
        };
        organization::Entity::insert(row.into_active_model()).exec_without_returning(self.db()).await?;
        Ok(())
    }

    /// Inserts an account.
    ///
    /// # Errors
    /// The database's.
    pub async fn insert_user(&self, new: &User, created_at: DateTime<Utc>) -> Result<()> {
        let row = user::Model {
            id: new.id.0,
            email: new.email.clone(),
            name: new.name.clone(),
            created_at,
            disabled_at: None,
            erased_at: None,
        };
        user::Entity::insert(row.into_active_model()).exec_without_returning(self.db()).await?;
        Ok(())
    }

    /// Gives an organisation another name, e-mail address and time zone.
    ///
    /// # Errors
    /// The database's.
    pub async fn update_organization(&self, changed: &Organization) -> Result<()> {
        let mut sql = Sql::new(self.db(), "UPDATE organizations SET name = ");
        sql.bind(changed.name.as_str()).push(", email = ").bind(changed.email.clone());
        sql.push(", time_zone = ").bind(changed.time_zone.as_str()).push(" WHERE id = ").bind(changed.id.0);
        sql.run(self.db()).await?;
        Ok(())
    }

    /// Inserts a membership that the program founds, and notes that the account's rights changed.
    ///
    /// # Errors
    /// The database's.
    pub async fn insert_membership(
        &self,
        id: MembershipId,
        user: UserId,
        new: &Membership,
        created_at: DateTime<Utc>,
    ) -> Result<()> {
        self.insert_seat(id, user, new, created_at).await?;
        let change = RightsChange::Membership {
            organization: new.organization,
            before: None,
            after: Some(Seat::from(new)),
        };
        // The one event of a membership's beginning has its id.
        let changed = Changed::Standing { user, by: None, change: &change };
        subject::note(self, EventId(id.0), changed, created_at).await
    }

    async fn insert_seat(
        &self,
        id: MembershipId,
        user: UserId,
        new: &Membership,
        created_at: DateTime<Utc>,
    ) -> Result<()> {
        let offerings: Vec<Uuid> = new.offerings.iter().map(|id| id.0).collect();
        let row = row::Model {
            id: id.0,
            user_id: user.0,
            organization_id: new.organization.0,
            role: new.role.name().to_ascii_uppercase(),
            offering_ids: to_json(&offerings)?,
            created_at,
        };
        row::Entity::insert(row.into_active_model()).exec_without_returning(self.db()).await?;
        Ok(())
    }
}
