//! Things that are open at once, counted per key. Bounded by what is open.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    hash::BuildHasherDefault,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::bucket::Hashed;

type Counts = HashMap<u64, u32, BuildHasherDefault<Hashed>>;

/// How many are open, per key. A key with none is not remembered.
#[derive(Default)]
pub(in super::super) struct Open(Mutex<Counts>);

impl Open {
    /// A place for one more of `key`, if fewer than `most` are taken.
    pub(in super::super) fn hold(self: &Arc<Self>, key: u64, most: u32) -> Option<Held> {
        if most == 0 {
            return None;
        }
        let mut counts = self.counts();
        let count = counts.entry(key).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Held { open: Arc::clone(self), key })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is taken; dropped, it is free.
#[must_use = "the place is free again once this is dropped"]
pub struct Held {
    open: Arc<Open>,
    key: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.open.counts().entry(self.key) {
            match count.get().checked_sub(1) {
                None | Some(0) => drop(count.remove()),
                Some(left) => drop(count.insert(left)),
            }
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

#[cfg(test)]
impl Open {
    pub(super) fn keys(&self) -> usize {
        self.counts().len()
    }
}
