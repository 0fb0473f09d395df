//! Equal subscriptions: told once, heard by all.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use domain::{id::UserId, order::Watch};
use tokio::time::{Instant, sleep, timeout};

use super::{
    AGAIN, Key, Limits, MOST_PATIENCE, PATIENCE, Teller, Tidings,
    desk::{BATCH, Desk, Kept, Told},
    directory::Filed,
    page, sighting,
};
use crate::{
    bus::Feed,
    error::{Error, Result},
    store::event::{Logged, Position},
};

/// Subscriptions with one key. Whoever finds it idle and has something to tell begins a task that tells until
/// there is nothing more; so a group tells one thing after the other, and an idle group is data alone.
pub(super) struct Group<T: Teller> {
    pub(super) key: Key,
    watch: Watch,
    teller: T,
    feed: Arc<Feed>,
    kept: Kept,
    desk: Mutex<Desk<T::Words, T::Who>>,
    /// The earliest position that members wish it had begun at, while somebody reads back to it.
    wished: Mutex<Option<i64>>,
}

impl<T: Teller> Filed for Group<T> {
    fn key(&self) -> &Key {
        &self.key
    }

    fn watch(&self) -> &Watch {
        &self.watch
    }
}

impl<T: Teller> Group<T> {
    /// A group that hears everything after a position.
    pub(super) fn new(
        key: Key,
        (watch, teller): (Watch, T),
        (feed, kept): (Arc<Feed>, Kept),
        (since, limits): (i64, Limits),
    ) -> Arc<Group<T>> {
        let (desk, wished) = (Mutex::new(Desk::new(since, limits)), Mutex::new(None));
        Arc::new(Group { key, watch, teller, feed, kept, desk, wished })
    }

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk<T::Words, T::Who>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn teller(&self) -> &T {
        &self.teller
    }

    pub(super) fn is_empty(&self) -> bool {
        self.desk().is_empty()
    }

    /// Whether words are meant for nobody in particular.
    pub(super) fn is_impersonal(&self) -> bool {
        self.watch.user.is_none()
    }

    /// Takes an event that it has something to do with.
    pub(super) fn consider(self: &Arc<Self>, position: Position, logged: &Arc<Logged>) {
        if let Some(tidings) = sighting(&self.watch, position, logged) {
            self.offer(tidings);
        }
    }

    /// Something was said about an account's rights: whoever listens with it is looked at again, at once and
    /// before anything else is told.
    pub(super) fn doubt(self: &Arc<Self>, account: UserId) {
        if self.desk().doubt(|who| self.teller.is_account(who, account)) {
            let group = self.clone();
            tokio::spawn(async move {
                // What fails now is done before the next is told.
                let _ = group.check().await;
            });
        }
    }

    /// Once a second: forgets what is old, and says where the log stands when that is due.
    pub(super) fn beat(self: &Arc<Self>, now: Instant, position: Position) {
        let due = {
            let mut desk = self.desk();
            desk.trim(now);
            desk.is_due(now)
        };
        if due {
            self.offer(Tidings::Checkpoint(position));
        }
    }

    fn offer(self: &Arc<Self>, tidings: Tidings) {
        if self.desk().offer(tidings) {
            tokio::spawn(self.clone().work());
        }
    }

    async fn work(self: Arc<Self>) {
        loop {
            let batch = self.desk().batch();
            if batch.is_empty() {
                return;
            }
            let told = self.told(batch).await;
            let (wakers, rest) = {
                let mut desk = self.desk();
                (desk.tell(told), desk.rest())
            };
            wake(wakers);
            // What happens meanwhile is told together.
            if let Some(rest) = rest {
                sleep(rest).await;
            }
        }
    }

    /// Tells all of them, however often it takes: the members' rights are read first.
    async fn told(&self, tidings: Vec<Tidings>) -> Vec<Told<T::Words>> {
        let told = |(tidings, words)| {
            let bytes = self.teller.weigh(&words);
            Told::new(tidings, words, bytes, &self.kept)
        };
        let mut patience = PATIENCE;
        loop {
            let tried = timeout(patience, self.try_tell(&tidings)).await;
            // It may only have been much to tell.
            patience = (patience * 2).min(MOST_PATIENCE);
            match tried.unwrap_or_else(|_| Err(Error::internal("the database says nothing"))) {
                Ok(words) => return tidings.into_iter().zip(words).map(told).collect(),
                Err(error) => {
                    tracing::error!(error = ?error, "subscribers could not be told; trying again");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    async fn try_tell(&self, tidings: &[Tidings]) -> Result<Vec<T::Words>> {
        self.check().await?;
        self.teller.tell(tidings.to_vec()).await
    }

    /// Reads the rights of the members anew, where what was read is old or in doubt.
    async fn check(&self) -> Result<()> {
        let now = Instant::now();
        let stale = self.desk().stale(now);
        if !stale.is_empty() {
            let moved = self.teller.moved(stale.clone()).await?;
            wake(self.desk().checked(&stale, &moved, now));
        }
        Ok(())
    }

    /// Tells what came before all that it has told, back to a position: done once for all who come with old
    /// cursors at the same time.
    pub(super) fn reach_back(self: &Arc<Self>, to: i64) {
        let mut wished = self.wished.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = wished.is_none();
        *wished = Some(wished.map_or(to, |wish| wish.min(to)));
        if begins {
            tokio::spawn(self.clone().grant_wishes());
        }
    }

    async fn grant_wishes(self: Arc<Self>) {
        loop {
            let since = self.desk().since;
            let wish = {
                let mut wished = self.wished.lock().unwrap_or_else(PoisonError::into_inner);
                *wished = wished.filter(|wish| *wish < since);
                *wished
            };
            let Some(to) = wish else { return };
            let told = self.stretch(to, since).await;
            wake(self.desk().reach_back(to, since, told));
        }
    }

    /// All that concerns the group after a position, up to another.
    async fn stretch(&self, mut after: i64, until: i64) -> Vec<Told<T::Words>> {
        let mut told = Vec::new();
        while after < until {
            match page(&self.feed, &self.watch, after).await {
                Ok(None) => break,
                Ok(Some((mut tidings, last))) => {
                    tidings.retain(|tidings| tidings.position().seq <= until);
                    for batch in tidings.chunks(BATCH) {
                        told.extend(self.told(batch.to_vec()).await);
                    }
                    after = last.seq;
                }
                Err(error) => {
                    tracing::error!(error = ?error, "the log could not be read; trying again");
                    sleep(AGAIN).await;
                }
            }
        }
        told
    }
}

/// Outside the lock: whoever is woken looks at once.
fn wake(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}
