//! Writers and readers around a fault, and the check afterwards.

use std::{
    collections::HashMap,
    ops::Range,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use chrono::TimeDelta;
use domain::{
    event::Facet,
    id::OrderId,
    permission,
    role::{Role, RoleSet},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    check::{Due, Row, Testimony, Verdict, judge},
    client::{Doors, Login},
    journal::{Entry, Journal},
    reader::{Heard, Reader, Transport},
    site::{Cast, Site},
    table::{Person, Table},
    writer::{Write, Writer},
};

/// How long work or delivery may take, with everything healed.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long nobody looks before looking again.
const GLANCE: Duration = Duration::from_millis(20);

/// What the writers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Each has orders of its own: moves, notes, and new orders.
    Own,
    /// All write notes on all orders.
    Shared,
    /// Each hands its orders to somebody and takes them back.
    HandOver,
}

/// How much goes on.
#[derive(Clone, Debug)]
pub struct Shape {
    pub work: Work,
    pub writers: usize,
    /// Of each writer, or of all where they share.
    pub orders: usize,
    /// Of all clients' tokens.
    pub life: TimeDelta,
    /// Where writers go, if not where readers do.
    pub doors: Option<Doors>,
    /// Readers besides the usual ones.
    pub besides: Vec<Ear>,
}

/// Who listens, how, and at which door first.
pub type Ear = (Who, Transport, usize);

/// The readers that are always there.
const USUAL: [Ear; 4] = [
    (Who::Staff, Transport::Socket, 0),
    (Who::Staff, Transport::Stream, 1),
    (Who::Provider, Transport::Socket, 1),
    (Who::Customer, Transport::Socket, 0),
];
/// Readers that begin at the same time.
const AT_ONCE: usize = 32;

impl Shape {
    /// A handful of writers with orders of their own.
    pub fn usual() -> Shape {
        let life = TimeDelta::hours(12);
        Shape { work: Work::Own, writers: 8, orders: 4, life, doors: None, besides: Vec::new() }
    }
}

/// Who listens, and so what it sees.
#[derive(Clone, Copy, Debug)]
pub enum Who {
    Staff,
    Provider,
    Customer,
    Csr,
    Agent,
}

impl Who {
    fn person(self, cast: &Cast) -> Person {
        match self {
            Who::Staff => cast.staff,
            Who::Provider => cast.provider,
            Who::Customer => cast.customer,
            Who::Csr => cast.csr,
            Who::Agent => cast.agent,
        }
    }

    fn role(self) -> Role {
        match self {
            Who::Staff => Role::Staff,
            Who::Provider => Role::Provider,
            Who::Customer => Role::Approver,
            Who::Csr => Role::Csr,
            Who::Agent => Role::Agent,
        }
    }

    fn sees(self, cast: &Cast, facet: Option<&Facet>) -> bool {
        let (person, Some(facet)) = (self.person(cast), facet) else { return false };
        let parties = &facet.parties;
        match self {
            Who::Staff => true,
            Who::Provider => parties.provider == person.organization,
            Who::Customer => parties.customer == person.organization,
            // What nobody has is for everybody at the desk.
            Who::Csr => parties.csr.is_none_or(|csr| csr == person.user),
            Who::Agent => parties.agent == Some(person.user),
        }
    }

    /// What a row means to it; a second, much smaller statement of the rules than the product's own.
    fn due(self, cast: &Cast, row: &Row) -> Due {
        let reads = permission::covers(permission::reads(row.audience), RoleSet::of(&[self.role()]));
        match (self.sees(cast, row.before.as_ref()), self.sees(cast, row.after.as_ref())) {
            (false, false) => Due::Nothing,
            (true, false) => Due::Left,
            (true, true) if !reads => Due::Nothing,
            // An order that comes and goes may be gone when its event is told.
            (_, true) if matches!(self, Who::Csr | Who::Agent) => Due::Word,
            (_, true) => Due::Event,
        }
    }
}

/// A reader, and who it is.
pub struct Listener {
    pub who: Who,
    pub reader: Reader,
    /// Rights that were taken away: everything up to the first position is due, nothing after the second.
    pub taken: Option<(i64, i64)>,
}

/// Work under way.
pub struct Load {
    table: Table,
    cast: Cast,
    doors: Doors,
    life: TimeDelta,
    pub journal: Journal,
    pub listeners: Vec<Listener>,
    spare: Option<OrderId>,
    writers: JoinSet<()>,
    /// What a writer could not go on after.
    failure: watch::Sender<Option<String>>,
    stop: watch::Sender<bool>,
    base: i64,
}

impl Load {
    /// Lets the usual readers begin, then the writers.
    pub async fn begin(site: &Site, shape: Shape) -> Result<Load> {
        let (cast, table, doors) = (site.cast, site.table.clone(), site.doors.clone());
        let journal = Journal::begin(site.folder.path())?;
        settled(&table).await?;
        let (base, _) = table.head().await?;
        let (listeners, writers) = (Vec::new(), JoinSet::new());
        let (stop, failure, life) = (watch::Sender::new(false), watch::Sender::new(None), shape.life);
        let mut load =
            Load { table, cast, doors, life, journal, listeners, spare: None, writers, failure, stop, base };
        load.listen(USUAL.into_iter().chain(shape.besides.iter().copied())).await?;
        load.write(shape).await?;
        Ok(load)
    }

    /// Adds readers, many at a time; before the first write.
    async fn listen(&mut self, readers: impl Iterator<Item = Ear>) -> Result<()> {
        let begin = |(who, transport, door): Ear| {
            let (login, doors) = (Login::new(who.person(&self.cast).user, self.life), self.doors.clone());
            async move {
                let reader = Reader::begin(transport, door, doors, login).await?;
                anyhow::Ok(Listener { who, reader, taken: None })
            }
        };
        self.listeners = stream::iter(readers).map(begin).buffered(AT_ONCE).try_collect().await?;
        Ok(())
    }

    /// Makes the orders and lets the writers go.
    async fn write(&mut self, shape: Shape) -> Result<()> {
        let doors = shape.doors.as_ref().unwrap_or(&self.doors).clone();
        let writer = |n: usize| {
            let login = Login::new(self.cast.staff.user, self.life);
            Writer::new(format!("writer-{n}"), n, doors.clone(), login, self.journal.clone())
        };
        let mut first = writer(shape.writers)?;
        self.spare = Some(first.write(create(&self.cast)).await?.order);
        let mut shared = Vec::new();
        for _ in 0..if shape.work == Work::Shared { shape.orders } else { 0 } {
            shared.push(first.write(create(&self.cast)).await?.order);
        }
        let writers: Vec<Writer> = (0..shape.writers).map(writer).collect::<Result<_>>()?;
        for writer in writers {
            let (cast, stop, shared) = (self.cast, self.stop.subscribe(), shared.clone());
            let failure = self.failure.clone();
            self.writers.spawn(async move {
                if let Err(error) = work(writer, shape.work, cast, shape.orders, shared, stop).await {
                    failure.send_replace(Some(format!("{error:#}")));
                }
            });
        }
        Ok(())
    }

    /// The log's head before the first write.
    pub fn base(&self) -> i64 {
        self.base
    }

    /// An order that no writer touches.
    pub fn spare(&self) -> Result<OrderId> {
        self.spare.context("no order was made yet")
    }

    /// Waits for so many more acknowledged writes.
    pub async fn progress(&self, writes: usize) -> Result<()> {
        let mut count = self.journal.count();
        let wanted = *count.borrow() + writes;
        let mut failure = self.failure.subscribe();
        tokio::select! {
            written = timeout(PATIENCE, count.wait_for(|count| *count >= wanted)) => {
                written.context("nothing is written")??;
                Ok(())
            }
            failed = failure.wait_for(Option::is_some) => {
                let failed = failed?;
                failing(&failed)
            }
        }
    }

    /// Stops the writers, waits until everybody has heard everything, and joins it all.
    pub async fn finish(mut self) -> Result<Finished> {
        self.stop.send_replace(true);
        while let Some(ended) = self.writers.join_next().await {
            ended?;
        }
        failing(&self.failure.borrow())?;
        settled(&self.table).await?;
        let log = self.table.log(self.base).await?;
        let due: Vec<Vec<Due>> =
            self.listeners.iter().map(|listener| dues(&self.cast, listener, &log)).collect();
        let begun = Instant::now();
        let behind = |listener: &Listener, due: &Vec<Due>| listener.reader.count() < certain(due);
        while self.listeners.iter().zip(&due).any(|(listener, due)| behind(listener, due)) {
            if begun.elapsed() > PATIENCE {
                break;
            }
            sleep(GLANCE).await;
        }
        // What comes twice comes soon after.
        sleep(GLANCE).await;
        let entries = self.journal.entries();
        let heard: Vec<Heard> = self.listeners.iter().map(|listener| listener.reader.heard()).collect();
        let writes: Vec<_> = entries.iter().map(|entry| entry.write).collect();
        let readers: Vec<Testimony> = due.into_iter().zip(&heard).map(testify).collect();
        let verdict = judge(&writes, &log, &readers);
        Ok(Finished { verdict, entries, log, heard })
    }
}

/// What is left of the work.
pub struct Finished {
    pub verdict: Verdict,
    pub entries: Vec<Entry>,
    pub log: Vec<Row>,
    /// By listener.
    pub heard: Vec<Heard>,
}

impl Finished {
    /// The check's sum, what the fault has to say, and for how long nobody could write.
    pub fn report(&self, note: &str) -> (Verdict, String) {
        let gaps = self.entries.windows(2).map(|pair| pair[1].at.saturating_duration_since(pair[0].at));
        let pause = gaps.max().unwrap_or_default();
        (self.verdict, format!("{note}; longest pause of all writes {pause:.1?}"))
    }

    /// What was acknowledged within this time reached the first listener so late, nearly all of it.
    pub fn p99(&self, within: &Range<Instant>) -> Result<Duration> {
        let heard = self.heard.first().context("nobody listened")?;
        let told: HashMap<_, Instant> =
            heard.receipts.iter().filter_map(|(receipt, at)| Some((receipt.event?.0, *at))).collect();
        let entries = self.entries.iter().filter(|entry| within.contains(&entry.at));
        let delay = |entry: &Entry| Some(told.get(&entry.write.event)?.saturating_duration_since(entry.at));
        let mut delays: Vec<Duration> = entries.filter_map(delay).collect();
        delays.sort_unstable();
        let place = (delays.len() * 99).div_ceil(100).saturating_sub(1);
        delays.get(place).copied().context("nothing was acknowledged within that time")
    }
}

fn failing(failure: &Option<String>) -> Result<()> {
    match failure {
        Some(failure) => bail!("a writer cannot go on: {failure}"),
        None => Ok(()),
    }
}

/// Waits until every committed event has its position.
async fn settled(table: &Table) -> Result<()> {
    let begun = Instant::now();
    while table.head().await?.1 > 0 {
        if begun.elapsed() > PATIENCE {
            bail!("events are left without a position");
        }
        sleep(GLANCE).await;
    }
    Ok(())
}

fn dues(cast: &Cast, listener: &Listener, log: &[Row]) -> Vec<Due> {
    let due = |row: &Row| match (listener.taken, listener.who.due(cast, row)) {
        (Some((_, over)), _) if row.seq > over => Due::Nothing,
        (Some((certain, _)), Due::Event) if row.seq > certain => Due::Maybe,
        (_, due) => due,
    };
    log.iter().map(due).collect()
}

/// Messages that must come.
fn certain(due: &[Due]) -> usize {
    due.iter().filter(|due| !matches!(due, Due::Maybe | Due::Nothing)).count()
}

fn testify((due, heard): (Vec<Due>, &Heard)) -> Testimony {
    Testimony { due, receipts: heard.receipts.iter().map(|(receipt, _)| receipt.clone()).collect() }
}

/// A new order.
pub fn create(cast: &Cast) -> Write {
    Write::Create { customer: cast.customer.organization, product: cast.product }
}

/// One writer's work, until it is told to stop.
async fn work(
    mut writer: Writer,
    work: Work,
    cast: Cast,
    orders: usize,
    shared: Vec<OrderId>,
    stop: watch::Receiver<bool>,
) -> Result<()> {
    let mut orders_of_its_own = Vec::new();
    for _ in 0..if shared.is_empty() { orders } else { 0 } {
        orders_of_its_own.push(writer.write(create(&cast)).await?.order);
    }
    let orders = if shared.is_empty() { orders_of_its_own } else { shared };
    for turn in 0.. {
        for order in &orders {
            if *stop.borrow() {
                return Ok(());
            }
            writer.write(step(work, turn, *order, &cast)).await?;
        }
        if work == Work::Own {
            writer.write(create(&cast)).await?;
        }
    }
    Ok(())
}

/// What is done to an order in this turn. No two turns in a row do the same, for that would be no change.
fn step(work: Work, turn: usize, order: OrderId, cast: &Cast) -> Write {
    let (own, hand_over) = (work == Work::Own, work == Work::HandOver);
    match turn % 4 {
        0 if own => Write::Move { order, to: "processing" },
        2 if own => Write::Move { order, to: "pending" },
        0 if hand_over => Write::Csr { order, to: Some(cast.staff.user) },
        1 if hand_over => Write::Agent { order, to: Some(cast.agent.user) },
        2 if hand_over => Write::Csr { order, to: None },
        3 if hand_over => Write::Agent { order, to: None },
        _ => Write::Note { order },
    }
}
