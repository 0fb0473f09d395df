//! What belongs to the objects of one answer, read once for all of them: whichever of them is asked
//! first fetches for its siblings too. No delay, no queue, nothing shared between answers.

use std::{collections::HashMap, fmt, future::Future, hash::Hash, ops::Deref, sync::Arc};

use domain::{
    id::{EventId, OrderId, OrganizationId, ProductId, ResourceId, UserId},
    order::{
        Attempt, Change, Invoice, Item, Note, Particulars, Payment, Product, Refund, Resource, Schedule,
    },
};
use tokio::sync::OnceCell;

use crate::{
    error::{Error, Result},
    store::{
        Store, catalogue, edit, order, parts,
        people::{self, Organization, User},
        timer,
    },
};

/// Something that is found by a key, many at a time.
pub trait Part: Sized + Send + Sync + 'static {
    /// The key.
    type Key: Copy + Eq + Hash + Send + Sync + fmt::Debug;
    /// Finds what belongs to the keys; one statement, however many they are.
    fn fetch(
        store: &Store,
        keys: &[Self::Key],
    ) -> impl Future<Output = Result<HashMap<Self::Key, Self>>> + Send;
}

macro_rules! parts {
    ($($key:ty => $part:ty, $fetch:path;)*) => {$(
        impl Part for $part {
            type Key = $key;
            async fn fetch(store: &Store, keys: &[$key]) -> Result<HashMap<$key, Self>> {
                $fetch(store, keys).await
            }
        }
    )*};
}

parts! {
    UserId => User, people::users;
    OrganizationId => Organization, people::organizations;
    ProductId => Product, catalogue::products;
    ResourceId => Resource, parts::resources;
    OrderId => Particulars, order::particulars;
    OrderId => Vec<Item>, parts::items;
    OrderId => Vec<Attempt>, parts::attempts;
    OrderId => Invoice, parts::invoices;
    OrderId => Vec<Payment>, parts::payments;
    OrderId => Vec<Refund>, parts::refunds;
    OrderId => Vec<Note>, parts::notes;
    OrderId => HashMap<EventId, Vec<Change>>, edit::of_orders;
    OrderId => Vec<Schedule>, timer::schedules;
}

/// The keys of all siblings, and what was found once somebody asked.
#[derive(Debug)]
pub struct Siblings<P: Part> {
    known: HashMap<P::Key, Arc<P>>,
    keys: Vec<P::Key>,
    found: OnceCell<HashMap<P::Key, Arc<P>>>,
}

impl<P: Part> Siblings<P> {
    /// Siblings with these keys; repeated ones are fetched once.
    pub fn new(keys: impl IntoIterator<Item = P::Key>) -> Siblings<P> {
        Siblings::knowing(keys, HashMap::new())
    }

    /// Siblings of which some were read together with something else; only the rest is ever fetched.
    pub fn knowing(keys: impl IntoIterator<Item = P::Key>, known: HashMap<P::Key, P>) -> Siblings<P> {
        let known = shared(known);
        let mut distinct = Vec::new();
        for key in keys {
            if !known.contains_key(&key) && !distinct.contains(&key) {
                distinct.push(key);
            }
        }
        Siblings { known, keys: distinct, found: OnceCell::new() }
    }

    /// All that there is.
    ///
    /// # Errors
    /// The database's.
    pub async fn all(&self, store: &Store) -> Result<impl Iterator<Item = (&P::Key, &Arc<P>)>> {
        Ok(self.known.iter().chain(self.found(store).await?))
    }

    /// What belongs to one of the keys.
    ///
    /// # Errors
    /// The database's.
    pub async fn get(&self, store: &Store, key: P::Key) -> Result<Option<Arc<P>>> {
        if let Some(known) = self.known.get(&key) {
            return Ok(Some(known.clone()));
        }
        Ok(self.found(store).await?.get(&key).cloned())
    }

    async fn found(&self, store: &Store) -> Result<&HashMap<P::Key, Arc<P>>> {
        match self.found.get() {
            Some(found) => Ok(found),
            // In a box: one sibling fetches, and all of them would make room for it in their futures.
            None => Box::pin(self.fetch(store)).await,
        }
    }

    async fn fetch(&self, store: &Store) -> Result<&HashMap<P::Key, Arc<P>>> {
        self.found.get_or_try_init(async || Ok(shared(P::fetch(store, &self.keys).await?))).await
    }
}

fn shared<K: Eq + Hash, P>(found: HashMap<K, P>) -> HashMap<K, Arc<P>> {
    found.into_iter().map(|(key, part)| (key, Arc::new(part))).collect()
}

/// Siblings whose names came with what mentions them: whoever shows no more than names needs no statement.
#[derive(Debug)]
pub struct Named<P: Part> {
    names: HashMap<P::Key, String>,
    siblings: Siblings<P>,
}

impl<P: Part> Named<P> {
    /// Siblings with these keys; the names of some may be known.
    pub fn new(keys: impl IntoIterator<Item = P::Key>, names: HashMap<P::Key, String>) -> Arc<Named<P>> {
        Arc::new(Named { names, siblings: Siblings::new(keys) })
    }

    /// Siblings of which all is known.
    pub fn whole(known: HashMap<P::Key, P>) -> Arc<Named<P>> {
        Arc::new(Named { names: HashMap::new(), siblings: Siblings::knowing([], known) })
    }

    /// All that there is.
    ///
    /// # Errors
    /// The database's.
    pub async fn all(&self, store: &Store) -> Result<impl Iterator<Item = (&P::Key, &Arc<P>)>> {
        self.siblings.all(store).await
    }
}

/// One of the siblings.
#[derive(Debug)]
pub struct Member<P: Part> {
    /// Its key.
    pub key: P::Key,
    among: Arc<Named<P>>,
}

impl<P: Part> Member<P> {
    /// The sibling with this key.
    pub fn new(key: P::Key, among: &Arc<Named<P>>) -> Member<P> {
        Member { key, among: among.clone() }
    }

    /// One that is known and alone.
    pub fn single(key: P::Key, known: P) -> Member<P> {
        Member { key, among: Named::whole(HashMap::from([(key, known)])) }
    }

    /// Its name, if that is all that is known of it.
    pub fn name(&self) -> Option<&str> {
        self.among.names.get(&self.key).map(String::as_str)
    }

    /// All of it.
    ///
    /// # Errors
    /// The database's, and when it does not exist.
    pub async fn whole(&self, store: &Store) -> Result<Arc<P>> {
        let found = self.among.siblings.get(store, self.key).await?;
        found.ok_or_else(|| Error::internal(format!("{:?} is mentioned and does not exist", self.key)))
    }
}

impl<P: Part> Clone for Member<P> {
    fn clone(&self) -> Member<P> {
        Member { key: self.key, among: self.among.clone() }
    }
}

/// One of several that were read together, shared instead of copied.
#[derive(Debug)]
pub struct One<T> {
    all: Arc<Vec<T>>,
    at: usize,
}

impl<T> One<T> {
    /// Each of them.
    pub fn each(all: &Arc<Vec<T>>) -> impl ExactSizeIterator<Item = One<T>> {
        let all = all.clone();
        (0..all.len()).map(move |at| One { all: all.clone(), at })
    }

    /// What stands at the same place among others.
    pub fn beside<U>(&self, others: Arc<Vec<U>>) -> Option<One<U>> {
        (self.at < others.len()).then_some(One { all: others, at: self.at })
    }

    /// Its place among them, from 1.
    pub fn position(&self) -> i32 {
        i32::try_from(self.at + 1).unwrap_or(i32::MAX)
    }
}

impl<T> Clone for One<T> {
    fn clone(&self) -> One<T> {
        One { all: self.all.clone(), at: self.at }
    }
}

impl<T> Deref for One<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.all[self.at]
    }
}
