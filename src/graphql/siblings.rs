//! What belongs to the objects of one answer, read once for all of them: whichever of them is asked
//! first fetches for its siblings too. No delay, no queue, nothing shared between answers.

use std::{collections::HashMap, fmt, future::Future, hash::Hash};

use domain::{
    id::{OrderId, OrganizationId, ProductId, ResourceId, UserId},
    order::{Attempt, Invoice, Item, Note, Particulars, Payment, Product, Refund, Resource},
};
use tokio::sync::OnceCell;

use crate::{
    error::Result,
    store::{
        Store, catalogue, order, parts,
        people::{self, Organization, User},
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
}

/// The keys of all siblings, and what was found once somebody asked.
#[derive(Debug)]
pub struct Siblings<P: Part> {
    keys: Vec<P::Key>,
    found: OnceCell<HashMap<P::Key, P>>,
}

impl<P: Part> Siblings<P> {
    /// Siblings with these keys; repeated ones are fetched once.
    pub fn new(keys: impl IntoIterator<Item = P::Key>) -> Siblings<P> {
        let mut distinct = Vec::new();
        for key in keys {
            if !distinct.contains(&key) {
                distinct.push(key);
            }
        }
        Siblings { keys: distinct, found: OnceCell::new() }
    }

    /// All that was found.
    ///
    /// # Errors
    /// The database's.
    pub async fn all(&self, store: &Store) -> Result<&HashMap<P::Key, P>> {
        self.found.get_or_try_init(|| P::fetch(store, &self.keys)).await
    }

    /// What belongs to one of the keys.
    ///
    /// # Errors
    /// The database's.
    pub async fn get(&self, store: &Store, key: P::Key) -> Result<Option<&P>> {
        Ok(self.all(store).await?.get(&key))
    }
}
