//! Passwords and sessions: what somebody logs in with, and the families of tokens that come of it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{
    id::{EventId, SessionId, UserId},
    session::Family,
};
use entity::session;
use sea_orm::{EntityTrait, IntoActiveModel};
use uuid::Uuid;

use super::{
    Reads, Tx,
    sql::{Row, Sql},
    subject::{self, Changed},
};
use crate::error::Result;

/// The most sessions that an account has at once; the oldest goes when one more begins.
pub const MOST_SESSIONS: u32 = 100;

/// An account as far as passwords go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Whose it is.
    pub user: UserId,
    /// The e-mail address.
    pub email: String,
    /// The hash of the password, none before the first.
    pub password: Option<String>,
    /// How often the password was set.
    pub version: i32,
}

/// How an account is named.
#[derive(Clone, Copy, Debug)]
pub enum Who<'a> {
    /// By its e-mail address.
    Email(&'a str),
    /// By its id.
    User(UserId),
}

/// An account that may have a password: it exists, is not disabled, and is no machine's.
///
/// # Errors
/// The database's.
pub async fn account(from: &impl Reads, who: Who<'_>) -> Result<Option<Account>> {
    let mut sql = Sql::new(
        from.db(),
        "SELECT u.id, u.email, c.password, c.version FROM users u \
         LEFT JOIN credentials c ON c.user_id = u.id LEFT JOIN service_tokens t ON t.user_id = u.id \
         WHERE u.disabled_at IS NULL AND t.user_id IS NULL AND ",
    );
    match who {
        Who::Email(email) => sql.push("u.email = ").bind(email),
        Who::User(user) => sql.push("u.id = ").bind(user.0),
    };
    let read = |row: &mut Row<'_>| {
        let (user, email, password) = (row.id()?, row.get()?, row.get()?);
        Ok(Account { user, email, password, version: row.get::<Option<i32>>()?.unwrap_or(0) })
    };
    sql.one(from.db(), read).await
}

/// Why a session ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// Its owner logged out.
    Logout,
    /// A refresh token was used again.
    Reuse,
    /// The password was changed.
    Password,
    /// The account was disabled.
    Disabled,
}

impl Because {
    /// The name in the database.
    const fn name(self) -> &'static str {
        match self {
            Because::Logout => "LOGOUT",
            Because::Reuse => "REUSE",
            Because::Password => "PASSWORD",
            Because::Disabled => "DISABLED",
        }
    }
}

/// Whose these sessions are, those that have not been ended.
///
/// # Errors
/// The database's.
pub async fn holders(from: &impl Reads, ids: &[SessionId]) -> Result<HashMap<SessionId, UserId>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(from.db(), "SELECT id, user_id FROM sessions WHERE revoked_at IS NULL AND ");
    sql.among("id", &ids);
    let rows = sql.all(from.db(), |row| Ok((row.id()?, row.id()?))).await?;
    Ok(rows.into_iter().collect())
}

impl Tx {
    /// How often the account's password was set, locked until the end: whoever logs in and whoever changes
    /// the password wait for each other. None when the account is gone or disabled.
    ///
    /// # Errors
    /// The database's.
    pub async fn password_version(&self, user: UserId) -> Result<Option<i32>> {
        let mut lock = Sql::new(self.db(), "SELECT id FROM users WHERE disabled_at IS NULL AND id = ");
        lock.bind(user.0);
        if lock.is_postgres() {
            lock.push(" FOR NO KEY UPDATE");
        }
        if lock.one(self.db(), |row| row.id::<UserId>()).await?.is_none() {
            return Ok(None);
        }
        // Read behind the lock: PostgreSQL would give a join the version from before the wait.
        let mut sql = Sql::new(self.db(), "SELECT version FROM credentials WHERE user_id = ");
        sql.bind(user.0);
        Ok(Some(sql.one(self.db(), |row| row.get()).await?.unwrap_or(0)))
    }

    /// Sets a password; `version` is the new one.
    ///
    /// # Errors
    /// The database's.
    pub async fn set_password(
        &self,
        user: UserId,
        hash: &str,
        version: i32,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut sql =
            Sql::new(self.db(), "INSERT INTO credentials (user_id, password, version, changed_at) VALUES (");
        sql.bind(user.0).push(", ").bind(hash).push(", ").bind(version).push(", ").bind(now).push(
            ") ON CONFLICT (user_id) DO UPDATE SET password = excluded.password, \
             version = excluded.version, changed_at = excluded.changed_at",
        );
        sql.run(self.db()).await?;
        Ok(())
    }

    /// Begins a session, and forgets those of the same account that are over or too many.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin_session(
        &self,
        id: SessionId,
        user: UserId,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<()> {
        let mut sql = Sql::new(self.db(), "DELETE FROM sessions WHERE user_id = ");
        sql.bind(user.0).push(" AND (expires_at <= ").bind(now);
        sql.push(" OR id NOT IN (SELECT id FROM sessions WHERE user_id = ").bind(user.0);
        sql.push(&format!(" ORDER BY id DESC LIMIT {}))", MOST_SESSIONS - 1));
        sql.run(self.db()).await?;
        let row = session::Model {
            id: id.0,
            user_id: user.0,
            created_at: now,
            expires_at,
            generation: 1,
            rotated_at: now,
            revoked_at: None,
            revoked_because: None,
        };
        session::Entity::insert(row.into_active_model()).exec_without_returning(self.db()).await?;
        Ok(())
    }

    /// A session and whose it is, locked until the end.
    ///
    /// # Errors
    /// The database's.
    pub async fn session(&self, id: SessionId) -> Result<Option<(UserId, Family)>> {
        let mut sql = Sql::new(
            self.db(),
            "SELECT user_id, generation, rotated_at, expires_at, revoked_at FROM sessions WHERE id = ",
        );
        sql.bind(id.0);
        if sql.is_postgres() {
            sql.push(" FOR UPDATE");
        }
        let read = |row: &mut Row<'_>| {
            let (user, generation, rotated_at, expires_at) = (row.id()?, row.get()?, row.get()?, row.get()?);
            let revoked = row.get::<Option<DateTime<Utc>>>()?.is_some();
            Ok((user, Family { generation, rotated_at, expires_at, revoked }))
        };
        sql.one(self.db(), read).await
    }

    /// Makes this generation the newest.
    ///
    /// # Errors
    /// The database's.
    pub async fn rotate(&self, id: SessionId, generation: i32, now: DateTime<Utc>) -> Result<()> {
        let mut sql = Sql::new(self.db(), "UPDATE sessions SET generation = ");
        sql.bind(generation).push(", rotated_at = ").bind(now).push(" WHERE id = ").bind(id.0);
        sql.run(self.db()).await?;
        Ok(())
    }

    /// Ends a session, unless it has ended, and notes it.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_session(&self, id: SessionId, because: Because, now: DateTime<Utc>) -> Result<()> {
        let mut sql = self.ending(because, now);
        sql.push(" AND id = ").bind(id.0).push(" RETURNING user_id");
        match sql.one(self.db(), |row| row.id()).await? {
            // A session ends once, and that event has its id.
            Some(user) => subject::note(self, EventId(id.0), Changed::Rights(user), now).await,
            None => Ok(()),
        }
    }

    /// Ends all sessions of an account but one, and notes it as this event.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_sessions(
        &self,
        noted: EventId,
        (user, except): (UserId, Option<SessionId>),
        because: Because,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut sql = self.ending(because, now);
        sql.push(" AND user_id = ").bind(user.0);
        if let Some(except) = except {
            sql.push(" AND id <> ").bind(except.0);
        }
        match sql.run(self.db()).await? {
            0 => Ok(()),
            _ => subject::note(self, noted, Changed::Rights(user), now).await,
        }
    }

    fn ending(&self, because: Because, now: DateTime<Utc>) -> Sql {
        let mut sql = Sql::new(self.db(), "UPDATE sessions SET revoked_at = ");
        sql.bind(now).push(", revoked_because = ").bind(because.name()).push(" WHERE revoked_at IS NULL");
        sql
    }
}
