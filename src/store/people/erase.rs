//! A person made unreadable: what is theirs is blanked or removed, what is the ledger's stays.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::{
    id::{OrganizationId, ServiceTokenId, UserId},
    people::{RightsDetail, Seat},
    permission::BUYING,
};
use uuid::Uuid;

use super::account::Account;
use crate::{
    error::Result,
    store::{Reads, Tx, sql::Sql},
};

/// Orders that one statement blanks.
const CHUNK: usize = 1_000;

impl Tx {
    /// Takes name and e-mail address from an account, for good, and removes whatever it could get in with: the
    /// password, sessions, invitations. Keeps the account, which orders and events name.
    ///
    /// # Errors
    /// The database's.
    pub async fn erase_account(&self, account: &Account, now: DateTime<Utc>) -> Result<()> {
        let user = account.user.id;
        let mut sql = Sql::new(self.db(), "UPDATE users SET name = 'Erased user', email = ");
        // Nobody has an address there: RFC 2606.
        sql.bind(format!("erased-{}@erased.invalid", user.0)).push(", disabled_at = ").bind(now);
        sql.push(", erased_at = ").bind(now).push(" WHERE id = ").bind(user.0);
        sql.run(self.db()).await?;
        for table in ["credentials", "sessions"] {
            let mut sql = Sql::new(self.db(), &format!("DELETE FROM {table} WHERE user_id = "));
            sql.bind(user.0);
            sql.run(self.db()).await?;
        }
        let mut sql = Sql::new(self.db(), "DELETE FROM idempotency WHERE actor = ");
        sql.bind(user.to_string());
        sql.run(self.db()).await?;
        let mut sql = Sql::new(self.db(), "DELETE FROM invitations WHERE accepted_by = ");
        sql.bind(user.0).push(" OR email = ").bind(account.user.email.to_lowercase());
        sql.run(self.db()).await?;
        Ok(())
    }

    /// Takes name and e-mail address from the organisation that a person who buys is.
    ///
    /// # Errors
    /// The database's.
    pub async fn erase_customer(&self, id: OrganizationId) -> Result<()> {
        let mut sql = Sql::new(self.db(), "UPDATE organizations SET name = 'Erased customer', email = NULL");
        sql.push(" WHERE kind = 'PERSON' AND id = ").bind(id.0);
        sql.run(self.db()).await?;
        Ok(())
    }

    /// Whether nobody but this person is in an organisation.
    ///
    /// # Errors
    /// The database's.
    pub async fn is_alone(&self, user: UserId, organization: OrganizationId) -> Result<bool> {
        let mut sql = Sql::new(self.db(), "SELECT 1 FROM memberships WHERE organization_id = ");
        sql.bind(organization.0).push(" AND user_id <> ").bind(user.0).push(" LIMIT 1");
        Ok(sql.one(self.db(), |row| row.get::<i32>()).await?.is_none())
    }

    /// The customers that somebody has bought for: is a member of, or was, as the log tells.
    ///
    /// # Errors
    /// The database's.
    pub async fn bought_for(&self, user: UserId) -> Result<BTreeSet<OrganizationId>> {
        let now = self.memberships(user).await?.into_iter();
        let now = now.filter(|seated| BUYING.has(seated.seat.role)).map(|seated| seated.organization);
        let mut customers: BTreeSet<OrganizationId> = now.collect();
        let mut sql = Sql::new(
            self.db(),
            "SELECT detail FROM events WHERE subject_kind = 'ACCOUNT' AND action IS NOT NULL AND subject_id = ",
        );
        sql.bind(user.0);
        for detail in sql.all(self.db(), |row| row.maybe_json::<RightsDetail>()).await?.into_iter().flatten()
        {
            let bought = |seat: &Option<Seat>| seat.as_ref().is_some_and(|seat| BUYING.has(seat.role));
            let there = bought(&detail.before) || bought(&detail.after);
            customers.extend(detail.organization.filter(|_| there));
        }
        Ok(customers)
    }

    /// Blanks contact, addresses, note, network address and what edits said of them, of the orders that somebody placed for these
    /// customers. What orders are about, their amounts and events stay. No event tells of it: events hold
    /// nothing of all this.
    ///
    /// # Errors
    /// The database's.
    pub async fn erase_orders(&self, user: UserId, customers: &BTreeSet<OrganizationId>) -> Result<()> {
        let customers: Vec<Uuid> = customers.iter().map(|id| id.0).collect();
        let mut last = Uuid::nil();
        loop {
            // A stretch by itself, so that no statement takes longer than statements may.
            let mut sql = Sql::new(self.db(), "SELECT id FROM orders WHERE creator_id = ");
            sql.bind(user.0).push(" AND ").among("customer_id", &customers).push(" AND id > ").bind(last);
            sql.push(&format!(" ORDER BY id LIMIT {CHUNK}"));
            let ids: Vec<Uuid> = sql.all(self.db(), |row| row.get()).await?;
            let Some(next) = ids.last() else { return Ok(()) };
            last = *next;
            let mut sql = Sql::new(
                self.db(),
                "UPDATE orders SET contact = '{}', shipping_address = NULL, billing_address = NULL, \
                 customer_note = NULL, client_ip = NULL WHERE ",
            );
            sql.among("id", &ids);
            sql.run(self.db()).await?;
            let mut sql = Sql::new(self.db(), "DELETE FROM order_edits WHERE ");
            sql.among("order_id", &ids);
            sql.run(self.db()).await?;
        }
    }

    /// The tokens that somebody has made and that still open something: whoever made them knows them.
    ///
    /// # Errors
    /// The database's.
    pub async fn tokens_made_by(&self, user: UserId) -> Result<Vec<ServiceTokenId>> {
        let mut sql = Sql::new(
            self.db(),
            "SELECT user_id FROM service_tokens WHERE revoked_at IS NULL AND created_by = ",
        );
        sql.bind(user.0);
        sql.all(self.db(), |row| row.id()).await
    }
}
