//! The accounts of machines, narrowed to actions.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use domain::{
    id::{EventId, OrganizationId, ProductId, ServiceTokenId, UserId},
    permission::OrganizationScope,
};
use entity::service_token;
use sea_orm::{EntityTrait, IntoActiveModel};
use uuid::Uuid;

use super::{
    Reads, Store, Tx,
    people::Stretch,
    sql::{Row, Sql, to_json},
    subject::{self, Changed},
};
use crate::error::Result;

/// A service token, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceToken {
    /// Its id; the same UUID as its account's.
    pub id: ServiceTokenId,
    /// What it is for.
    pub name: String,
    /// The provider it works for.
    pub organization: OrganizationId,
    /// The offerings it is narrowed to; none for all of the provider's.
    pub offerings: Vec<ProductId>,
    /// The actions it may take.
    pub actions: BTreeSet<String>,
    /// Who made it.
    pub created_by: UserId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends; none for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl ServiceToken {
    /// The account that acts with it.
    pub fn account(&self) -> UserId {
        UserId(self.id.0)
    }
}

const TOKEN: &str = "SELECT u.id, u.name, t.organization_id, (SELECT m.offering_ids FROM memberships m \
    WHERE m.user_id = t.user_id AND m.organization_id = t.organization_id AND m.role = 'WORKER'), \
    t.actions, t.created_by, t.created_at, t.expires_at, t.revoked_at \
    FROM service_tokens t JOIN users u ON u.id = t.user_id WHERE ";

fn read_token(row: &mut Row<'_>) -> Result<ServiceToken> {
    let (id, name, organization) = (row.id()?, row.get()?, row.id()?);
    let offerings: Vec<Uuid> = row.maybe_json()?.unwrap_or_default();
    Ok(ServiceToken {
        id,
        name,
        organization,
        offerings: offerings.into_iter().map(ProductId).collect(),
        actions: row.json()?,
        created_by: row.id()?,
        created_at: row.get()?,
        expires_at: row.get()?,
        revoked_at: row.get()?,
    })
}

fn within(sql: &mut Sql, scope: &OrganizationScope) {
    match scope {
        OrganizationScope::Every => sql.push("TRUE"),
        OrganizationScope::Of(providers) => {
            let providers: Vec<Uuid> = providers.iter().map(|id| id.0).collect();
            sql.among("t.organization_id", &providers)
        }
    };
}

/// Service tokens by id, of those in scope.
///
/// # Errors
/// The database's.
pub async fn by_ids(
    from: &impl Reads,
    scope: &OrganizationScope,
    ids: &[ServiceTokenId],
) -> Result<HashMap<ServiceTokenId, ServiceToken>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(from.db(), TOKEN);
    within(&mut sql, scope);
    sql.push(" AND ").among("t.user_id", &ids);
    let rows = sql.all(from.db(), read_token).await?;
    Ok(rows.into_iter().map(|token| (token.id, token)).collect())
}

/// Service tokens in scope by age, of one organisation if it is named. In the list's own direction.
///
/// # Errors
/// The database's.
pub async fn page(
    store: &Store,
    scope: &OrganizationScope,
    organization: Option<OrganizationId>,
    stretch: Stretch,
) -> Result<Vec<ServiceToken>> {
    let mut sql = Sql::new(store.db(), TOKEN);
    within(&mut sql, scope);
    if let Some(organization) = organization {
        sql.push(" AND t.organization_id = ").bind(organization.0);
    }
    stretch.push(&mut sql);
    let mut rows = sql.all(store.db(), read_token).await?;
    if stretch.from_end {
        rows.reverse();
    }
    Ok(rows)
}

impl Tx {
    /// Inserts a service token; its account and membership are there.
    ///
    /// # Errors
    /// The database's.
    pub async fn insert_service_token(&self, new: &ServiceToken) -> Result<()> {
        let row = service_token::Model {
            user_id: new.id.0,
            organization_id: new.organization.0,
            actions: to_json(&new.actions)?,
            expires_at: new.expires_at,
            created_by: new.created_by.0,
            created_at: new.created_at,
            revoked_at: new.revoked_at,
        };
        service_token::Entity::insert(row.into_active_model()).exec_without_returning(self.db()).await?;
        Ok(())
    }

    /// Revokes a service token, unless it is revoked, and notes it as this event.
    ///
    /// # Errors
    /// The database's.
    pub async fn revoke_service_token(
        &self,
        noted: EventId,
        id: ServiceTokenId,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut sql = Sql::new(self.db(), "UPDATE service_tokens SET revoked_at = ");
        sql.bind(now).push(" WHERE revoked_at IS NULL AND user_id = ").bind(id.0);
        match sql.run(self.db()).await? {
            0 => Ok(()),
            _ => subject::note(self, noted, Changed::Rights(UserId(id.0)), now).await,
        }
    }
}
