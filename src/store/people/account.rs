//! Accounts of people as those who look after them see them. Machines are not among them: see their tokens.

use chrono::{DateTime, Utc};
use domain::{id::UserId, permission::OrganizationScope};
use uuid::Uuid;

use super::{Stretch, User};
use crate::{
    error::Result,
    store::{
        Reads, Store, Tx,
        sql::{Row, Sql},
    },
};

/// A person's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Id, e-mail address and name.
    pub user: User,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when it opens nothing.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When its person was erased.
    pub erased_at: Option<DateTime<Utc>>,
}

const ACCOUNT: &str = "SELECT u.id, u.email, u.name, u.created_at, u.disabled_at, u.erased_at FROM users u \
    WHERE NOT EXISTS (SELECT 1 FROM service_tokens t WHERE t.user_id = u.id)";

fn read(row: &mut Row<'_>) -> Result<Account> {
    Ok(Account {
        user: super::read_user(row)?,
        created_at: row.get()?,
        disabled_at: row.get()?,
        erased_at: row.get()?,
    })
}

/// Which accounts are listed.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Members of these organisations, or everybody.
    pub among: OrganizationScope,
    /// With this in the name.
    pub search: Option<String>,
    /// With this in the e-mail address too.
    pub search_addresses: bool,
    /// Disabled ones alone, or none of them.
    pub disabled: Option<bool>,
}

/// Accounts by age, in the list's own direction.
///
/// # Errors
/// The database's.
pub async fn page(store: &Store, wanted: &Wanted, stretch: Stretch) -> Result<Vec<Account>> {
    let mut sql = Sql::new(store.db(), ACCOUNT);
    if let OrganizationScope::Of(some) = &wanted.among {
        let some: Vec<Uuid> = some.iter().map(|id| id.0).collect();
        sql.push(" AND EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = u.id AND ");
        sql.among("m.organization_id", &some).push(")");
    }
    match wanted.disabled {
        Some(true) => sql.push(" AND u.disabled_at IS NOT NULL"),
        Some(false) => sql.push(" AND u.disabled_at IS NULL"),
        None => &mut sql,
    };
    if let Some(text) = &wanted.search {
        push_search(&mut sql, text, wanted.search_addresses);
    }
    stretch.push(&mut sql);
    let mut rows = sql.all(store.db(), read).await?;
    if stretch.from_end {
        rows.reverse();
    }
    Ok(rows)
}

fn push_search(sql: &mut Sql, text: &str, addresses: bool) {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let (pattern, like) = (format!("%{escaped}%"), if sql.is_postgres() { " ILIKE " } else { " LIKE " });
    sql.push(" AND (u.name").push(like).bind(pattern.as_str()).push(" ESCAPE '\\'");
    if addresses {
        sql.push(" OR u.email").push(like).bind(pattern).push(" ESCAPE '\\'");
    }
    sql.push(")");
}

/// An account by its id; none for machines.
///
/// # Errors
/// The database's.
pub async fn by_id(from: &impl Reads, id: UserId) -> Result<Option<Account>> {
    let mut sql = Sql::new(from.db(), ACCOUNT);
    sql.push(" AND u.id = ").bind(id.0);
    sql.one(from.db(), read).await
}

/// Whose this e-mail address is, whatever the case of its letters: a machine's, too.
///
/// # Errors
/// The database's.
pub async fn by_address(from: &impl Reads, address: &str) -> Result<Option<UserId>> {
    let mut sql = Sql::new(from.db(), "SELECT id FROM users WHERE LOWER(email) = LOWER(");
    sql.bind(address).push(") ORDER BY id LIMIT 1");
    sql.one(from.db(), |row| row.id()).await
}

impl Tx {
    /// An account, locked until the end: whoever changes what its person may waits, and so does a log-in. None
    /// for machines.
    ///
    /// # Errors
    /// The database's.
    pub async fn lock_account(&self, id: UserId) -> Result<Option<Account>> {
        let mut sql = Sql::new(self.db(), ACCOUNT);
        sql.push(" AND u.id = ").bind(id.0);
        if sql.is_postgres() {
            sql.push(" FOR NO KEY UPDATE OF u");
        }
        sql.one(self.db(), read).await
    }

    /// Inserts an account, unless its e-mail address is another's.
    ///
    /// # Errors
    /// The database's.
    pub async fn add_user(&self, new: &User, created_at: DateTime<Utc>) -> Result<bool> {
        let mut sql = Sql::new(self.db(), "INSERT INTO users (id, email, name, created_at) VALUES (");
        sql.bind(new.id.0).push(", ").bind(new.email.as_str()).push(", ").bind(new.name.as_str());
        sql.push(", ").bind(created_at).push(") ON CONFLICT (email) DO NOTHING");
        Ok(sql.run(self.db()).await? > 0)
    }

    /// Gives an account another name, and says since when it is disabled.
    ///
    /// # Errors
    /// The database's.
    pub async fn update_account(&self, changed: &Account) -> Result<()> {
        let mut sql = Sql::new(self.db(), "UPDATE users SET name = ");
        sql.bind(changed.user.name.as_str()).push(", disabled_at = ").bind(changed.disabled_at);
        sql.push(" WHERE id = ").bind(changed.user.id.0);
        sql.run(self.db()).await?;
        Ok(())
    }
}
