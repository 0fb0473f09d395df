//! The log: events appended with the change they tell of, stamped with a dense position once they
//! are committed, read from any position.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use domain::{
    event::{Audience, Event, EventKind},
    id::{EventId, JobId, OrderId, UserId},
};
use entity::event;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    EntityTrait,
};
use uuid::Uuid;

use super::{
    Reads, Store, Tx,
    sql::{Row, Sql, to_json},
    subject::{ACCOUNT, JOB, SETTINGS, WORKFLOW},
};
use crate::error::Result;

/// An event at its position in the log.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Dense, from 1, in commit order per order. None on PostgreSQL until it is stamped.
    pub seq: Option<i64>,
    /// The event.
    pub event: Event,
}

/// An entry of the log, whatever it is about.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its position: dense, from 1, one series for all subjects.
    pub seq: i64,
    /// Its id.
    pub id: EventId,
    /// What it is about.
    pub subject: Subject,
}

/// What an entry of the log is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// An order, and what happened to it.
    Order(Arc<Logged>),
    /// An account, whose rights are to be read anew: a membership or service token was made or revoked, or a
    /// session was ended.
    Account(UserId),
    /// A workflow, of which a definition was saved: its code.
    Workflow(String),
    /// The operator's settings, which were saved.
    Settings,
    /// A job, which has come further or ended.
    Job(JobId),
    /// Something that only a newer version of this program knows. It has its position all the same.
    Unknown,
}

impl Record {
    /// Where it stands.
    pub fn position(&self) -> Position {
        Position { seq: self.seq, event: self.id }
    }

    /// What happened, if it is about an order.
    pub fn order(&self) -> Option<&Arc<Logged>> {
        match &self.subject {
            Subject::Order(logged) => Some(logged),
            Subject::Account(_)
            | Subject::Workflow(_)
            | Subject::Settings
            | Subject::Job(_)
            | Subject::Unknown => None,
        }
    }
}

/// A place in the log: the position and id of an event, or the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Position, zero before the first event.
    pub seq: i64,
    /// The event's id, by which a restored backup is told from the log it was taken of.
    pub event: EventId,
}

impl Position {
    /// Before the first event.
    pub const START: Position = Position { seq: 0, event: EventId(Uuid::nil()) };
}

const SUBJECT: &str = "ORDER";

const COLUMNS: &str = "seq, uid, subject_id, subject_version, kind, action, from_status, \
    to_status, actor_id, reason, reason_public, audience, detail, before, after, at";

fn read_record(row: &mut Row<'_>) -> Result<Record> {
    let (kind, code): (String, Option<String>) = (row.get()?, row.get()?);
    if kind == SUBJECT {
        let logged = read(row)?;
        let (seq, id) = (logged.seq.unwrap_or_default(), logged.event.id);
        return Ok(Record { seq, id, subject: Subject::Order(Arc::new(logged)) });
    }
    let (seq, id, subject): (_, _, Uuid) = (row.get()?, row.id()?, row.id()?);
    let subject = match kind.as_str() {
        ACCOUNT => Subject::Account(UserId(subject)),
        JOB => Subject::Job(JobId(subject)),
        WORKFLOW => Subject::Workflow(code.unwrap_or_default()),
        SETTINGS => Subject::Settings,
        _ => Subject::Unknown,
    };
    Ok(Record { seq, id, subject })
}

fn read(row: &mut Row<'_>) -> Result<Logged> {
    let seq = row.get()?;
    let event = Event {
        id: row.id()?,
        order: row.id()?,
        version: row.get()?,
        kind: row.named(EventKind::parse)?,
        action: row.get()?,
        from: row.get()?,
        to: row.get()?,
        actor: row.maybe_id()?,
        reason: row.get()?,
        reason_public: row.get()?,
        audience: row.named(Audience::parse)?,
        detail: row.maybe_json()?,
        before: row.maybe_json()?,
        after: row.maybe_json()?,
        at: row.get()?,
    };
    Ok(Logged { seq, event })
}

/// Appends events in their order. On SQLite, where writers follow each other, they get their
/// position at once; on PostgreSQL a later [`stamp`] gives it, because a number taken before the
/// commit would let readers pass a slower transaction by.
pub(super) async fn append<'e>(tx: &Tx, events: impl Iterator<Item = &'e Event>) -> Result<()> {
    let rows: Vec<event::ActiveModel> = events.map(new_row).collect::<Result<_>>()?;
    for batch in rows.chunks(50) {
        event::Entity::insert_many(batch.to_vec()).exec_without_returning(tx.db()).await?;
    }
    place(tx).await
}

/// Gives what was appended its position, where that can be done before the commit.
pub(super) async fn place(tx: &Tx) -> Result<()> {
    let sql = Sql::new(tx.db(), "UPDATE events SET seq = id WHERE seq IS NULL");
    if !sql.is_postgres() {
        sql.run(tx.db()).await?;
    }
    Ok(())
}

fn new_row(event: &Event) -> Result<event::ActiveModel> {
    Ok(event::ActiveModel {
        id: NotSet,
        seq: Set(None),
        uid: Set(event.id.0),
        subject_kind: Set(SUBJECT.to_owned()),
        subject_id: Set(event.order.0),
        subject_version: Set(event.version),
        kind: Set(event.kind.name().to_owned()),
        action: Set(event.action.clone()),
        from_status: Set(event.from.clone()),
        to_status: Set(event.to.clone()),
        actor_kind: Set(if event.actor.is_some() { "USER" } else { "SYSTEM" }.to_owned()),
        actor_id: Set(event.actor.map(|id| id.0)),
        reason: Set(event.reason.clone()),
        reason_public: Set(event.reason_public),
        audience: Set(event.audience.name().to_owned()),
        detail: Set(event.detail.as_ref().map(to_json).transpose()?),
        before: Set(event.before.as_ref().map(to_json).transpose()?),
        after: Set(event.after.as_ref().map(to_json).transpose()?),
        at: Set(event.at),
    })
}

/// Blanks the reasons that people gave for changes of these orders; what happened, and who did it, stays.
pub(super) async fn forget_reasons(tx: &Tx, orders: &[Uuid]) -> Result<()> {
    let mut sql = Sql::new(tx.db(), "UPDATE events SET reason = NULL WHERE reason IS NOT NULL AND ");
    sql.push("subject_kind = ").bind(SUBJECT).push(" AND ").among("subject_id", orders);
    sql.run(tx.db()).await.map(|_| ())
}

/// The key of the lock that the one stamper holds; "ordo" in ASCII.
const STAMPER: i64 = 0x6f72_646f;

/// Events that one transaction stamps at most.
const STAMPS: i64 = 1_000;

/// What became of an attempt to stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamped {
    /// Another instance is at it just now.
    Elsewhere,
    /// Nothing waited any more.
    Nothing,
    /// So many have their positions now, up to this one.
    UpTo {
        /// The newest position.
        head: i64,
        /// Whether more may wait.
        more: bool,
    },
}

/// Gives committed events their positions, up to 1,000 of them in the order of their ids, and rings the bell
/// of this database, if there is one, when the transaction commits: one NOTIFY for all. PostgreSQL only.
///
/// The lock is a statement of its own: the statement that stamps must take its snapshot after the
/// lock is held, or it could see positions that the previous holder has used already. It goes with the
/// transaction, after what that has written can be seen; so `MAX(seq)` is the head, and nobody else's.
/// The commit waits for the disk like any other (`synchronous_commit` is left alone): a position that a
/// client was told must not be given again to another event after a crash.
///
/// # Errors
/// The database's.
pub async fn stamp(store: &Store, bell: Option<Uuid>) -> Result<Stamped> {
    store
        .write(async move |tx| {
            let mut lock = Sql::new(tx.db(), "SELECT pg_try_advisory_xact_lock(");
            lock.bind(STAMPER).push(")");
            if !lock.one(tx.db(), |row| row.get()).await?.unwrap_or(false) {
                return Ok(Stamped::Elsewhere);
            }
            let stamp = format!(
                "WITH unstamped AS MATERIALIZED (SELECT id FROM events WHERE seq IS NULL), \
                numbered AS (SELECT id, row_number() OVER (ORDER BY id) AS place FROM unstamped \
                ORDER BY id LIMIT {STAMPS}), \
                head AS (SELECT COALESCE(MAX(seq), 0) AS seq FROM events), \
                stamped AS (UPDATE events SET seq = head.seq + numbered.place FROM numbered, head \
                WHERE events.id = numbered.id RETURNING events.seq) \
                SELECT MAX(seq), COUNT(*)"
            );
            let mut stamp = Sql::new(tx.db(), &stamp);
            if let Some(database) = bell {
                stamp.push(", pg_notify(").bind(super::bell::CHANNEL);
                stamp.push(", ").bind(database.to_string()).push(" || ' ' || MAX(seq))");
            }
            stamp.push(" FROM stamped HAVING COUNT(*) > 0");
            let stamped = stamp.one(tx.db(), |row| Ok((row.get()?, row.get::<i64>()?))).await?;
            Ok(stamped
                .map_or(Stamped::Nothing, |(head, count)| Stamped::UpTo { head, more: count == STAMPS }))
        })
        .await
}

/// The newest of the committed events that wait for their position, if any do: up to there they wait.
///
/// # Errors
/// The database's.
pub async fn unstamped(store: &Store) -> Result<Option<i64>> {
    let sql = Sql::new(store.db(), "SELECT id FROM events WHERE seq IS NULL ORDER BY id DESC LIMIT 1");
    sql.one(store.db(), |row| row.get()).await
}

/// Whether events up to this id wait for their position.
///
/// # Errors
/// The database's.
pub async fn unstamped_up_to(store: &Store, id: i64) -> Result<bool> {
    let mut sql = Sql::new(store.db(), "SELECT 1 FROM events WHERE seq IS NULL AND id <= ");
    sql.bind(id).push(" LIMIT 1");
    Ok(sql.one(store.db(), |row| row.get::<i32>()).await?.is_some())
}

/// What happened to orders and is committed, but has no position yet, newest first.
///
/// # Errors
/// The database's.
pub async fn without_position(from: &impl Reads) -> Result<Vec<Event>> {
    let mut sql = Sql::new(from.db(), "SELECT ");
    sql.push(COLUMNS).push(" FROM events WHERE seq IS NULL AND subject_kind = ").bind(SUBJECT);
    sql.push(" ORDER BY id DESC");
    let events = sql.all(from.db(), read).await?;
    Ok(events.into_iter().map(|logged| logged.event).collect())
}

/// What the log holds after a position, oldest first.
///
/// # Errors
/// The database's.
pub async fn after(store: &Store, seq: i64, limit: usize) -> Result<Vec<Record>> {
    let mut sql = Sql::new(store.db(), "SELECT subject_kind, detail ->> 'code', ");
    sql.push(COLUMNS).push(" FROM events WHERE seq > ").bind(seq);
    sql.push(&format!(" ORDER BY seq LIMIT {limit}"));
    sql.all(store.db(), read_record).await
}

/// The newest position.
///
/// # Errors
/// The database's.
pub async fn head(from: &impl Reads) -> Result<Position> {
    let text = "SELECT seq, uid FROM events WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1";
    let head = Sql::new(from.db(), text).one(from.db(), read_position).await?;
    Ok(head.unwrap_or(Position::START))
}

/// What stands at a position, if anything does, and the trim mark: positions below it are not served.
///
/// # Errors
/// The database's.
pub async fn at(store: &Store, seq: i64) -> Result<(Option<Position>, i64)> {
    let text = "SELECT t.seq, e.seq, e.uid FROM feed_trim t LEFT JOIN events e ON e.seq = ";
    let mut sql = Sql::new(store.db(), text);
    sql.bind(seq);
    let read = |row: &mut Row<'_>| {
        let (mark, seq, event) = (row.get()?, row.get::<Option<i64>>()?, row.maybe_id()?);
        Ok((seq.zip(event).map(|(seq, event)| Position { seq, event }), mark))
    };
    Ok(sql.one(store.db(), read).await?.unwrap_or_default())
}

/// How many events one step of the trim mark passes.
const TRIM: usize = 1_000;

/// Moves the trim mark to the last event before the first one that is not older, and says where it stands. It
/// never goes back, whoever moves it. The events stay: they are the timelines.
///
/// # Errors
/// The database's.
pub async fn trim(store: &Store, older: DateTime<Utc>) -> Result<i64> {
    loop {
        let mark = at(store, 0).await?.1;
        let mut sql = Sql::new(store.db(), "SELECT seq, at FROM events WHERE seq > ");
        sql.bind(mark).push(&format!(" ORDER BY seq LIMIT {TRIM}"));
        let next: Vec<(i64, DateTime<Utc>)> = sql.all(store.db(), |row| Ok((row.get()?, row.get()?))).await?;
        let passed = next.iter().take_while(|(_, at)| *at < older);
        let Some((seq, _)) = passed.last().copied() else { return Ok(mark) };
        let moved = store.write(async move |tx| {
            let mut sql = Sql::new(tx.db(), "UPDATE feed_trim SET seq = ");
            sql.bind(seq).push(" WHERE seq < ").bind(seq);
            sql.run(tx.db()).await
        });
        moved.await?;
    }
}

fn read_position(row: &mut Row<'_>) -> Result<Position> {
    Ok(Position { seq: row.get()?, event: row.id()? })
}

/// The events of orders that have these ids.
///
/// # Errors
/// The database's.
pub async fn by_ids(from: &impl Reads, ids: &[EventId]) -> Result<HashMap<EventId, Logged>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(from.db(), "SELECT ");
    sql.push(COLUMNS)
        .push(" FROM events WHERE subject_kind = ")
        .bind(SUBJECT)
        .push(" AND ")
        .among("uid", &ids);
    let events = sql.all(from.db(), read).await?;
    Ok(events.into_iter().map(|logged| (logged.event.id, logged)).collect())
}

/// A stretch of the timelines of some orders: versions between two bounds, the first or last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stretch {
    /// After this version.
    pub after: Option<i64>,
    /// Before this version.
    pub before: Option<i64>,
    /// The last ones instead of the first.
    pub from_end: bool,
    /// At most so many per order.
    pub limit: usize,
}

/// The timelines of orders on which the viewer reads these audiences, oldest first: one statement,
/// however many orders.
///
/// # Errors
/// The database's.
pub async fn timelines(
    from: &impl Reads,
    orders: &[OrderId],
    audiences: &[Audience],
    stretch: Stretch,
) -> Result<HashMap<OrderId, Vec<Logged>>> {
    let ids: Vec<Uuid> = orders.iter().map(|id| id.0).collect();
    let mut sql = Sql::new(from.db(), "SELECT ");
    sql.push(COLUMNS);
    sql.push(" FROM (SELECT e.*, ROW_NUMBER() OVER (PARTITION BY subject_id ORDER BY subject_version ");
    sql.push(if stretch.from_end { "DESC" } else { "ASC" });
    sql.push(") AS place FROM events e WHERE subject_kind = ").bind(SUBJECT);
    sql.push(" AND ").among("subject_id", &ids);
    sql.push(" AND ").among_texts("audience", audiences.iter().map(|audience| audience.name()));
    if let Some(version) = stretch.after {
        sql.push(" AND subject_version > ").bind(version);
    }
    if let Some(version) = stretch.before {
        sql.push(" AND subject_version < ").bind(version);
    }
    sql.push(&format!(") numbered WHERE place <= {} ORDER BY subject_id, subject_version", stretch.limit));
    let mut timelines: HashMap<OrderId, Vec<Logged>> = HashMap::new();
    for logged in sql.all(from.db(), read).await? {
        timelines.entry(logged.event.order).or_default().push(logged);
    }
    Ok(timelines)
}
