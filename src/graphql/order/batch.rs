//! The orders of one answer, and what belongs to them, read once for all of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    event::Audience,
    id::{OrderId, OrganizationId, ProductId},
    order::{Attempt, Head, Invoice, Item, Note, Particulars, Payment, Product, Refund, Resource},
    permission,
    role::RoleSet,
};
use tokio::sync::OnceCell;

use crate::{
    error::Result,
    graphql::siblings::Siblings,
    store::{
        Store,
        event::{self, Logged, Stretch},
        people::{Organization, User},
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

/// The orders of one answer.
#[derive(Debug)]
pub struct Batch {
    heads: Vec<Arc<Head>>,
    /// Lines.
    pub items: Siblings<Vec<Item>>,
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
    /// Contact, addresses and notes.
    pub particulars: Siblings<Particulars>,
    /// Customers and providers.
    pub organizations: Arc<Siblings<Organization>>,
    /// Creators, representatives, agents.
    pub people: Arc<Siblings<User>>,
    products: OnceCell<Siblings<Product>>,
    resources: OnceCell<Siblings<Resource>>,
    authors: OnceCell<Arc<Siblings<User>>>,
    timelines: Mutex<HashMap<(Stretch, u8), TimelineCell>>,
}

impl Batch {
    /// A batch of these orders.
    pub fn new(heads: Vec<Arc<Head>>) -> Arc<Batch> {
        let ids = || heads.iter().map(|head| head.id);
        let parties = || heads.iter().map(|head| head.parties);
        Arc::new(Batch {
            items: Siblings::new(ids()),
            attempts: Siblings::new(ids()),
            invoices: Siblings::new(ids()),
            payments: Siblings::new(ids()),
            refunds: Siblings::new(ids()),
            notes: Siblings::new(ids()),
            particulars: Siblings::new(ids()),
            organizations: Arc::new(Siblings::new(
                parties().flat_map(|p| -> [OrganizationId; 2] { [p.customer, p.provider] }),
            )),
            people: Arc::new(Siblings::new(parties().flat_map(|p| [p.creator, p.csr, p.agent]).flatten())),
            products: OnceCell::new(),
            resources: OnceCell::new(),
            authors: OnceCell::new(),
            timelines: Mutex::default(),
            heads,
        })
    }

    /// The products of all lines.
    ///
    /// # Errors
    /// The database's.
    pub async fn products(&self, store: &Store) -> Result<&Siblings<Product>> {
        self.products
            .get_or_try_init(async || {
                let items = self.items.all(store).await?.values().flatten();
                let ids: Vec<ProductId> = items.filter_map(|item| item.product).collect();
                Ok(Siblings::new(ids))
            })
            .await
    }

    /// The resources of all lines.
    ///
    /// # Errors
    /// The database's.
    pub async fn resources(&self, store: &Store) -> Result<&Siblings<Resource>> {
        self.resources
            .get_or_try_init(async || {
                let items = self.items.all(store).await?.values().flatten();
                let ids: Vec<_> = items.filter_map(|item| item.resource).collect();
                Ok(Siblings::new(ids))
            })
            .await
    }

    /// Who wrote notes, recorded payments and refunds.
    ///
    /// # Errors
    /// The database's.
    pub async fn authors(&self, store: &Store) -> Result<Arc<Siblings<User>>> {
        let authors = self.authors.get_or_try_init(async || {
            let notes = self.notes.all(store).await?.values().flatten().filter_map(|note| note.author);
            let mut ids: Vec<_> = notes.collect();
            let payments = self.payments.all(store).await?.values().flatten();
            ids.extend(payments.filter_map(|payment| payment.recorded_by));
            let refunds = self.refunds.all(store).await?.values().flatten();
            ids.extend(refunds.filter_map(|refund| refund.recorded_by));
            Ok(Arc::new(Siblings::new(ids)))
        });
        authors.await.cloned()
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
