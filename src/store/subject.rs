//! What the log tells of besides orders: that something changed. Written with the change, in its transaction.

use chrono::{DateTime, Utc};
use domain::{
    id::{EventId, JobId, UserId},
    people::RightsChange,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Reads, Tx, event,
    sql::{Sql, to_json},
};
use crate::error::Result;

/// The kind of subject that accounts are.
pub(super) const ACCOUNT: &str = "ACCOUNT";
/// The kind of subject that workflows are.
pub(super) const WORKFLOW: &str = "WORKFLOW";
/// The kind of subject that jobs are.
pub(super) const JOB: &str = "JOB";
/// The kind of subject that the operator's settings are; there is one.
pub(super) const SETTINGS: &str = "SETTINGS";

/// The first half of the keys by which writers of one subject take turns; "ords" in ASCII.
const TURNS: i32 = 0x6f72_6473;

/// A subject that is no order, whose change is noted in the log.
#[derive(Clone, Copy, Debug)]
pub(super) enum Changed<'a> {
    /// The rights of an account, in a way that no audit asks for: one of its sessions ended, its token.
    Rights(UserId),
    /// What somebody may, by whom, if it was not the program itself, and how.
    Standing { user: UserId, by: Option<UserId>, change: &'a RightsChange },
    /// A workflow, by its code.
    Workflow(&'a str),
    /// How far a job has come.
    Job(JobId),
    /// The operator's settings: who changed them, from what to what.
    Settings { by: UserId, before: &'a Value, after: &'a Value },
}

/// The subject that the settings are.
pub(super) fn settings() -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, b"settings")
}

/// What is said of a change besides that there was one.
#[derive(Default)]
struct Said {
    action: Option<&'static str>,
    by: Option<UserId>,
    detail: Option<Value>,
    before: Option<Value>,
    after: Option<Value>,
}

impl Changed<'_> {
    /// Subject kind, subject, kind of event.
    fn names(self) -> (&'static str, Uuid, &'static str) {
        match self {
            Changed::Rights(user) | Changed::Standing { user, .. } => (ACCOUNT, user.0, "RIGHTS_CHANGED"),
            // A workflow is named by its code, subjects by a UUID.
            Changed::Workflow(code) => {
                (WORKFLOW, Uuid::new_v5(&Uuid::NAMESPACE_OID, code.as_bytes()), "SAVED")
            }
            Changed::Job(job) => (JOB, job.0, "CHANGED"),
            Changed::Settings { .. } => (SETTINGS, settings(), "SAVED"),
        }
    }

    fn said(self) -> Result<Said> {
        Ok(match self {
            Changed::Rights(_) | Changed::Job(_) => Said::default(),
            Changed::Standing { by, change, .. } => {
                let detail = Some(to_json(&change.detail())?);
                Said { action: Some(change.name()), by, detail, ..Said::default() }
            }
            Changed::Workflow(code) => Said { detail: Some(json!({ "code": code })), ..Said::default() },
            Changed::Settings { by, before, after } => {
                let (before, after) = (Some(before.clone()), Some(after.clone()));
                Said { by: Some(by), before, after, ..Said::default() }
            }
        })
    }

    /// Waits for others who change the subject; see [`lock`].
    pub(super) async fn lock(self, tx: &Tx) -> Result<()> {
        lock(tx, self.names().1).await
    }
}

/// Waits for others who change the subject, until the end of the transaction. Not by the subject's row: this comes
/// last, and whoever changes several rows has locked them in an order of its own.
pub(super) async fn lock(tx: &Tx, subject: Uuid) -> Result<()> {
    let mut sql = Sql::new(tx.db(), "SELECT 1 FROM pg_advisory_xact_lock(");
    // The low half of an id is random. Keys of two numbers are apart from those of one.
    sql.bind(TURNS).push(", ").bind(subject.as_u128() as i32).push(")");
    match sql.is_postgres() {
        true => sql.one(tx.db(), |_| Ok(())).await.map(|_| ()),
        false => Ok(()),
    }
}

/// Notes a change of something that is no order: that it changed; where an audit asks for it also how, and by whom.
pub(super) async fn note(tx: &Tx, id: EventId, changed: Changed<'_>, at: DateTime<Utc>) -> Result<()> {
    let (subject_kind, subject, kind) = changed.names();
    lock(tx, subject).await?;
    let Said { action, by, detail, before, after } = changed.said()?;
    let actor_kind = if by.is_some() { "USER" } else { "SYSTEM" };
    let mut sql = Sql::new(
        tx.db(),
        "INSERT INTO events (uid, subject_kind, subject_id, kind, action, actor_kind, actor_id, detail, before, \
         after, at, reason_public, audience, subject_version) VALUES (",
    );
    sql.bind(id.0).push(", ").bind(subject_kind).push(", ").bind(subject).push(", ").bind(kind);
    sql.push(", ").bind(action).push(", ").bind(actor_kind).push(", ").bind(by.map(|id| id.0));
    sql.push(", ").bind(detail).push(", ").bind(before).push(", ").bind(after).push(", ").bind(at);
    sql.push(
        ", FALSE, 'STAFF', (SELECT COALESCE(MAX(subject_version), 0) + 1 FROM events WHERE subject_kind = ",
    );
    sql.bind(subject_kind).push(" AND subject_id = ").bind(subject).push("))");
    sql.run(tx.db()).await?;
    event::place(tx).await
}
