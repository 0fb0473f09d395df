//! What lives as long as the process, handed to every edge.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use domain::{
    book::Book,
    mint::Mint,
    order::Head,
    workflow::{self, Definition},
};
use tokio::sync::Mutex;
use uuid::Builder;

use crate::{
    bus::{Feed, Pace, Tallies, Wire},
    error::{Error, Result},
    hashing::Hashing,
    keys::Keys,
    store::{self, Reads, Store, workflow::Stored},
};

/// Time and chance, from outside, so that a test or the demo can fix them.
pub trait World: Send + Sync + fmt::Debug {
    /// The present moment.
    fn now(&self) -> DateTime<Utc>;
    /// 32 bytes that nobody can guess.
    fn seed(&self) -> [u8; 32];

    /// A mint for the present moment.
    fn mint(&self) -> Mint {
        Mint::new(self.now(), self.seed())
    }
}

/// The machine's clock and random numbers.
#[derive(Clone, Copy, Debug)]
pub struct Machine;

impl World for Machine {
    #[expect(clippy::disallowed_methods, reason = "the one place where the clock is read")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn seed(&self) -> [u8; 32] {
        rand::random()
    }
}

/// Every workflow as this process knows it: read at its start, and again when the log says that one was saved.
#[derive(Clone, Debug, Default)]
pub struct Workflows {
    book: Arc<ArcSwap<Book>>,
    /// Whoever reads takes a turn, so that what was read first is never put in place last.
    turn: Arc<Mutex<()>>,
}

impl Workflows {
    /// All of them, as they are known now. One decision or answer takes them once.
    pub fn now(&self) -> Arc<Book> {
        self.book.load_full()
    }

    /// Reads them again.
    ///
    /// # Errors
    /// The database's; when a stored workflow has faults, for this version of the program: then the ones that
    /// were known stay.
    pub async fn read_again(&self, from: &impl Reads) -> Result<()> {
        let _turn = self.turn.lock().await;
        self.book.store(Arc::new(read_book(from, &self.now()).await?));
        Ok(())
    }

    /// Reads them again, unless somebody has since the book was looked into.
    async fn read_past(&self, from: &impl Reads, book: &Arc<Book>) -> Result<()> {
        let _turn = self.turn.lock().await;
        let now = self.now();
        if Arc::ptr_eq(book, &now) {
            self.book.store(Arc::new(read_book(from, &now).await?));
        }
        Ok(())
    }

    /// What a look finds in the book; where it finds nothing, another process may have saved it a moment ago, and
    /// they are read again. Twice at most: whoever read in between may have begun too early.
    async fn look<T>(&self, from: &impl Reads, find: impl Fn(&Book) -> Option<T>) -> Result<Option<T>> {
        for _ in 0..2 {
            let book = self.now();
            if let Some(found) = find(&book) {
                return Ok(Some(found));
            }
            self.read_past(from, &book).await?;
        }
        Ok(find(&self.now()))
    }

    /// The newest version of a workflow, which new orders follow; read again if this process knows none.
    ///
    /// # Errors
    /// As [`Workflows::read_again`].
    pub async fn newest_of(&self, from: &impl Reads, code: &str) -> Result<Option<Arc<Definition>>> {
        self.look(from, |book| book.newest(code).cloned()).await
    }

    /// The version that an order follows; read again if this process knows no such version, or not with the
    /// status that the order is in.
    ///
    /// # Errors
    /// As [`Workflows::read_again`].
    pub async fn followed(&self, from: &impl Reads, head: &Head) -> Result<Option<Arc<Definition>>> {
        let Head { workflow, workflow_version, status, .. } = head;
        let found =
            self.look(from, |book| book.followed(workflow, *workflow_version, status).cloned()).await?;
        Ok(found.or_else(|| self.version(workflow, *workflow_version)))
    }

    /// The newest version of a workflow, which new orders follow.
    pub fn newest(&self, code: &str) -> Option<Arc<Definition>> {
        self.book.load().newest(code).cloned()
    }

    /// The version that an order follows.
    pub fn version(&self, code: &str, version: i32) -> Option<Arc<Definition>> {
        self.book.load().version(code, version).cloned()
    }
}

/// The application: the store, the workflows, the live feed.
#[derive(Clone, Debug)]
pub struct App {
    /// The database.
    pub store: Store,
    /// Every workflow.
    pub book: Workflows,
    /// The live feed.
    pub feed: Arc<Feed>,
    /// Counts that are watched.
    pub tallies: Arc<Tallies>,
    /// Keys derived from the server's secret.
    pub keys: Keys,
    /// Hashes of passwords, few at a time.
    pub hashing: Hashing,
    /// Time and chance.
    pub world: Arc<dyn World>,
}

impl App {
    /// Migrates the database, ships the built-in workflows into it, and reads what the process needs.
    /// The feed does not run yet; see [`Feed::run`].
    ///
    /// # Errors
    /// When the database cannot be used, or a stored workflow has faults.
    pub async fn start(store: Store, secret: &[u8], world: Arc<dyn World>) -> Result<App> {
        store.migrate().await?;
        let mut mint = world.mint();
        for definition in workflow::builtin().map_err(faulty)? {
            let source = workflow::SOURCES.iter().find(|(code, _)| *code == definition.code);
            let shipped = Stored {
                code: definition.code.clone(),
                version: definition.version as i32,
                revision: definition.revision as i32,
                definition: source.map_or_else(String::new, |(_, text)| (*text).to_owned()),
            };
            if !store::workflow::ship(&store, shipped, mint.id(), mint.now()).await? {
                tracing::info!(
                    workflow = definition.code,
                    "people have edited this workflow; it stays theirs"
                );
            }
        }
        let keys = Keys::derive(secret);
        if store.stamps_late() && store::bell::database(&store).await?.is_none() {
            let fresh = Builder::from_random_bytes(half(world.seed())).into_uuid();
            store::bell::identify(&store, fresh, world.now()).await?;
        }
        let feed = Arc::new(Feed::open(store.clone()).await?);
        let book = Workflows::default();
        book.read_again(&store).await?;
        let tallies = Arc::new(Tallies::new(store.clone(), feed.clone(), book.clone()));
        Ok(App { store, book, feed, tallies, keys, hashing: Hashing::default(), world })
    }

    /// The same with another feed, which does not run yet: one whose bell is carried by this.
    ///
    /// # Errors
    /// The database's.
    pub async fn rung_by(mut self, wire: Wire, pace: Pace) -> Result<App> {
        self.feed = Arc::new(Feed::open_with(self.store.clone(), wire, pace).await?);
        self.tallies = Arc::new(Tallies::new(self.store.clone(), self.feed.clone(), self.book.clone()));
        Ok(self)
    }
}

/// As much of a seed as an id has.
fn half(seed: [u8; 32]) -> [u8; 16] {
    std::array::from_fn(|i| seed[i])
}

/// Reads every workflow; what is known at this revision already is not parsed again.
async fn read_book(from: &impl Reads, known: &Book) -> Result<Book> {
    let stored = store::workflow::all(from).await?;
    let definition = |stored: &Stored| {
        let known = known.version(&stored.code, stored.version);
        match known.filter(|known| known.revision as i32 == stored.revision) {
            Some(known) => Ok(known.clone()),
            None => workflow::parse(&stored.definition).map(Arc::new).map_err(faulty),
        }
    };
    let definitions: Result<Vec<Arc<Definition>>> = stored.iter().map(definition).collect();
    Ok(Book::new(definitions?))
}

fn faulty(faults: Vec<workflow::Fault>) -> Error {
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Error::internal(format!("a workflow has faults: {}", faults.join("; ")))
}
