//! What the log tells of besides orders: that something changed. Written with the change, in its transaction.

use chrono::{DateTime, Utc};
use domain::id::{EventId, JobId, UserId};
use uuid::Uuid;

use super::{Reads, Tx, event, sql::Sql};
use crate::error::Result;

/// The kind of subject that accounts are.
pub(super) const ACCOUNT: &str = "ACCOUNT";
/// The kind of subject that workflows are.
pub(super) const WORKFLOW: &str = "WORKFLOW";

/// The kind of subject that jobs are.
pub(super) const JOB: &str = "JOB";

/// The first half of the keys by which writers of one subject take turns; "ords" in ASCII.
const TURNS: i32 = 0x6f72_6473;

/// A subject that is no order, whose change is noted in the log.
#[derive(Clone, Copy, Debug)]
pub(super) enum Changed<'a> {
    /// The rights of an account.
    Rights(UserId),
    /// A workflow, by its code.
    Workflow(&'a str),
    /// How far a job has come.
    Job(JobId),
}

impl Changed<'_> {
    /// Subject kind, subject, kind of event.
    fn names(self) -> (&'static str, Uuid, &'static str) {
        match self {
            Changed::Rights(user) => (ACCOUNT, user.0, "RIGHTS_CHANGED"),
            Changed::Job(job) => (JOB, job.0, "CHANGED"),
            // A workflow is named by its code, subjects by a UUID.
            Changed::Workflow(code) => {
                (WORKFLOW, Uuid::new_v5(&Uuid::NAMESPACE_OID, code.as_bytes()), "SAVED")
            }
        }
    }

    /// Waits for others who change the subject, until the end of the transaction. Not by the subject's row:
    /// this comes last, and whoever changes several rows has locked them in an order of its own.
    async fn lock(self, tx: &Tx) -> Result<()> {
        let (_, subject, _) = self.names();
        let mut sql = Sql::new(tx.db(), "SELECT 1 FROM pg_advisory_xact_lock(");
        // The low half of an id is random. Keys of two numbers are apart from those of one.
        sql.bind(TURNS).push(", ").bind(subject.as_u128() as i32).push(")");
        match sql.is_postgres() {
            true => sql.one(tx.db(), |_| Ok(())).await.map(|_| ()),
            false => Ok(()),
        }
    }
}

/// Notes a change of something that is no order: that it changed, not how, nor by whom.
pub(super) async fn note(tx: &Tx, id: EventId, changed: Changed<'_>, at: DateTime<Utc>) -> Result<()> {
    changed.lock(tx).await?;
    let (subject_kind, subject, kind) = changed.names();
    let detail = match changed {
        Changed::Rights(_) | Changed::Job(_) => None,
        Changed::Workflow(code) => Some(serde_json::json!({ "code": code })),
    };
    let mut sql = Sql::new(
        tx.db(),
        "INSERT INTO events (uid, subject_kind, subject_id, kind, detail, at, actor_kind, reason_public, \
         audience, subject_version) VALUES (",
    );
    sql.bind(id.0).push(", ").bind(subject_kind).push(", ").bind(subject).push(", ").bind(kind);
    sql.push(", ").bind(detail).push(", ").bind(at).push(", 'SYSTEM', FALSE, 'STAFF', ");
    sql.push("(SELECT COALESCE(MAX(subject_version), 0) + 1 FROM events WHERE subject_kind = ");
    sql.bind(subject_kind).push(" AND subject_id = ").bind(subject).push("))");
    sql.run(tx.db()).await?;
    event::place(tx).await
}
