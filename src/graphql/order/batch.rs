//! The orders of one answer, and what belongs to them, read once for all of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    event::Audience,
    id::{EventId, OrderId, OrganizationId},
    order::{Attempt, Change, Head, Invoice, Item, Note, Particulars, Payment, Refund, Resource, Schedule},
    permission,
    role::RoleSet,
};
use tokio::sync::OnceCell;

use super::resource::Histories;
use crate::{
    error::Result,
    graphql::{
        people::Organizations,
        product::Products,
        siblings::{Named, Siblings},
    },
    store::{
        Store,
        event::{self, Logged, Stretch},
        parts::{self, Line},
        people::User,
    },
};

/// A stretch of the timelines of a batch, with the people who appear in them.
#[derive(Debug)]
pub struct Timelines {
    /// Events by order, oldest first.
    pub events: HashMap<OrderId, Vec<Logged>>,
    /// Who did them.
    pub people: Arc<Siblings<User>>,
}

type TimelineCell = Arc<OnceCell<Timelines>>;

/// The lines of a batch, and what they name.
#[derive(Debug)]
pub struct Lines {
    lines: HashMap<OrderId, Arc<Vec<Line>>>,
    /// The same, with all that there is about them.
    pub items: Siblings<Vec<Item>>,
    /// Their products.
    pub products: Products,
    resources: OnceCell<Siblings<Resource>>,
    histories: OnceCell<Arc<Histories>>,
}

impl Lines {
    /// Those of one order, by position.
    pub fn of(&self, order: OrderId) -> Arc<Vec<Line>> {
        self.lines.get(&order).cloned().unwrap_or_default()
    }

    /// What they provide.
    ///
    /// # Errors
    /// The database's.
    pub async fn resources(&self, store: &Store) -> Result<&Siblings<Resource>> {
        let read = async || {
            let items = self.items.all(store).await?.flat_map(|(_, items)| items.iter());
            Ok(Siblings::new(items.filter_map(|item| item.resource)))
        };
        self.resources.get_or_try_init(read).await
    }

    /// The orders about what they provide.
    ///
    /// # Errors
    /// The database's.
    pub async fn histories(&self, store: &Store) -> Result<Arc<Histories>> {
        let read = async || {
            let items = self.items.all(store).await?.flat_map(|(_, items)| items.iter());
            Ok(Histories::of(items.filter_map(|item| item.resource).collect()))
        };
        self.histories.get_or_try_init(read).await.cloned()
    }
}

/// The orders of one answer.
#[derive(Debug)]
pub struct Batch {
    heads: Vec<Arc<Head>>,
    /// Attempts.
    pub attempts: Siblings<Vec<Attempt>>,
    /// Newest invoices.
    pub invoices: Siblings<Invoice>,
    /// Payments.
    pub payments: Siblings<Vec<Payment>>,
    /// Refunds.
    pub refunds: Siblings<Vec<Refund>>,
    /// Notes.
    pub notes: Siblings<Vec<Note>>,
    /// What edits changed.
    pub edits: Siblings<HashMap<EventId, Vec<Change>>>,
    /// What is wanted later.
    pub schedules: Siblings<Vec<Schedule>>,
    /// Contact, addresses and notes.
    pub particulars: Siblings<Particulars>,
    /// Customers and providers.
    pub organizations: Organizations,
    /// Creators, representatives, agents.
    pub people: Arc<Siblings<User>>,
    lines: OnceCell<Lines>,
    authors: OnceCell<Arc<Siblings<User>>>,
    makers: OnceCell<Siblings<User>>,
    timelines: Mutex<HashMap<(Stretch, u8), TimelineCell>>,
}

impl Batch {
    /// A batch of these orders; names of their parties may be known.
    pub fn new(heads: Vec<Arc<Head>>, names: HashMap<OrganizationId, String>) -> Arc<Batch> {
        let ids = || heads.iter().map(|head| head.id);
        let parties = || heads.iter().map(|head| head.parties);
        Arc::new(Batch {
            attempts: Siblings::new(ids()),
            invoices: Siblings::new(ids()),
            payments: Siblings::new(ids()),
            refunds: Siblings::new(ids()),
            notes: Siblings::new(ids()),
            edits: Siblings::new(ids()),
            schedules: Siblings::new(ids()),
            particulars: Siblings::new(ids()),
            organizations: Named::new(parties().flat_map(|p| [p.customer, p.provider]), names),
            people: Arc::new(Siblings::new(parties().flat_map(|p| [p.creator, p.csr, p.agent]).flatten())),
            lines: OnceCell::new(),
            authors: OnceCell::new(),
            makers: OnceCell::new(),
            timelines: Mutex::default(),
            heads,
        })
    }

    /// The lines of all orders: what lists show of them, or all at once if whoever asks first needs more.
    ///
    /// # Errors
    /// The database's.
    pub async fn lines(&self, store: &Store, more: impl FnOnce() -> bool) -> Result<&Lines> {
        match self.lines.get() {
            Some(lines) => Ok(lines),
            None => Box::pin(self.lines.get_or_try_init(async || self.read_lines(store, more()).await)).await,
        }
    }

    /// The lines, once somebody has asked for them.
    pub fn known_lines(&self) -> Option<&Lines> {
        self.lines.get()
    }

    async fn read_lines(&self, store: &Store, more: bool) -> Result<Lines> {
        let orders: Vec<OrderId> = self.heads.iter().map(|head| head.id).collect();
        let (items, found) = match more {
            false => (Siblings::new(orders.iter().copied()), parts::lines(store, &orders).await?),
            true => {
                let items = parts::items(store, &orders).await?;
                let found = parts::Lines::of(&items);
                (Siblings::knowing(orders, items), found)
            }
        };
        let products = found.lines.values().flatten().filter_map(|line| line.product);
        Ok(Lines {
            products: Named::new(products, found.products),
            lines: found.lines.into_iter().map(|(order, lines)| (order, Arc::new(lines))).collect(),
            resources: OnceCell::new(),
            histories: OnceCell::new(),
            items,
        })
    }

    /// Who wrote notes, recorded payments and refunds.
    ///
    /// # Errors
    /// The database's.
    pub async fn authors(&self, store: &Store) -> Result<Arc<Siblings<User>>> {
        let authors = self.authors.get_or_try_init(async || {
            let notes = self.notes.all(store).await?.flat_map(|(_, notes)| notes.iter());
            let mut ids: Vec<_> = notes.filter_map(|note| note.author).collect();
            let payments = self.payments.all(store).await?.flat_map(|(_, payments)| payments.iter());
            ids.extend(payments.filter_map(|payment| payment.recorded_by));
            let refunds = self.refunds.all(store).await?.flat_map(|(_, refunds)| refunds.iter());
            ids.extend(refunds.filter_map(|refund| refund.recorded_by));
            Ok(Arc::new(Siblings::new(ids)))
        });
        authors.await.cloned()
    }

    /// Who made schedules.
    ///
    /// # Errors
    /// The database's.
    pub async fn makers(&self, store: &Store) -> Result<&Siblings<User>> {
        let read = async || {
            let schedules = self.schedules.all(store).await?.flat_map(|(_, schedules)| schedules.iter());
            Ok(Siblings::new(schedules.map(|schedule| schedule.made_by)))
        };
        self.makers.get_or_try_init(read).await
    }

    /// A stretch of the timelines as somebody with this standing reads them. Read for all orders of
    /// the batch at once; orders on which the viewer reads other audiences have a stretch of their own.
    ///
    /// # Errors
    /// The database's.
    pub async fn timeline(
        &self,
        store: &Store,
        standing: RoleSet,
        stretch: Stretch,
    ) -> Result<Arc<OnceCell<Timelines>>> {
        let reads = |audience: &Audience| permission::covers(permission::reads(*audience), standing);
        let audiences: Vec<Audience> = Audience::ALL.into_iter().filter(reads).collect();
        let width = audiences.len() as u8;
        let cell = {
            let mut timelines = self.timelines.lock().unwrap_or_else(PoisonError::into_inner);
            timelines.entry((stretch, width)).or_default().clone()
        };
        cell.get_or_try_init(async || {
            let ids: Vec<OrderId> = self.heads.iter().map(|head| head.id).collect();
            let events = event::timelines(store, &ids, &audiences, stretch).await?;
            let actors = events.values().flatten().filter_map(|logged| logged.event.actor);
            let people = Arc::new(Siblings::new(actors.collect::<Vec<_>>()));
            Ok::<_, crate::error::Error>(Timelines { people, events })
        })
        .await?;
        Ok(cell)
    }
}
