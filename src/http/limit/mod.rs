//! How much one may ask for: requests, cost, log-in attempts, sockets, subscriptions. People are limited
//! as themselves, everybody else by address. Nothing here knows HTTP: a refusal says what was asked, what
//! is allowed and when to come back.

mod bucket;
mod open;

use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use governor::clock::{Clock, MonotonicClock};

use self::bucket::Gate;
use super::address;

pub use open::Held;
pub(super) use open::Open;

/// When to ask again for a place that somebody has to leave first: nobody knows, this is polite.
const PLACE: Duration = Duration::from_secs(5);

/// So much a minute on average, and so much at once after a rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What comes back in a minute, evenly.
    pub per_minute: NonZeroU32,
    /// What is there after a rest; more than a day's worth is a day's worth.
    pub burst: NonZeroU32,
}

impl Rate {
    /// A rate. Nothing at all is not a rate: zero is taken as one.
    pub const fn new(per_minute: u32, burst: u32) -> Rate {
        Rate { per_minute: at_least_one(per_minute), burst: at_least_one(burst) }
    }
}

/// What is allowed to one person, or to one address of people who are not signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests. 20 a second is more than an application needs that a person looks at; 200 at once is the
    /// largest page that opens, several times over.
    pub requests: Rate,
    /// Units of cost as the budget of operations counts them. The dearest operation is 200,000: ten of
    /// them a minute, five at once, keep less than one core of the server busy.
    pub cost: Rate,
    /// Log-in attempts from one address. Ten a minute is a family that forgot its passwords; a list of
    /// stolen ones takes years. An office behind one address may need more.
    pub logins_of_address: Rate,
    /// Log-in attempts for one e-mail address, from wherever. Five a minute makes guessing hopeless, and
    /// an owner kept out by somebody else's guesses gets a turn every twelve seconds.
    pub logins_of_email: Rate,
    /// Sockets open at once per person: a hundred tabs.
    pub sockets: u32,
    /// Sockets open at once per address without a person: a whole office between opening and signing in.
    pub sockets_of_address: u32,
    /// Subscriptions open at once per person, over all sockets and streams.
    pub subscriptions: u32,
    /// People and addresses that each rate remembers, some 25 bytes each.
    pub remembered: usize,
}

impl Limits {
    /// For measurements and tests, where one person is a crowd.
    pub fn roomy() -> Limits {
        let much = Rate::new(u32::MAX, 1_000_000_000);
        Limits {
            requests: much,
            cost: much,
            logins_of_address: much,
            logins_of_email: much,
            sockets: u32::MAX,
            sockets_of_address: u32::MAX,
            subscriptions: u32::MAX,
            ..Limits::default()
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            requests: Rate::new(1_200, 200),
            cost: Rate::new(2_000_000, 1_000_000),
            logins_of_address: Rate::new(10, 10),
            logins_of_email: Rate::new(5, 5),
            sockets: 100,
            sockets_of_address: 200,
            subscriptions: 500,
            remembered: 100_000,
        }
    }
}

/// Who is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// Somebody whose token was verified, by id.
    Person([u8; 16]),
    /// Everybody else at an address. A request with an invalid token counts here, so that guessing tokens
    /// is throttled too. Of IPv6, the whole network of 64 bits counts as one.
    Address(IpAddr),
}

/// Too much was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {asked} asked for, {allowed}; try again in {} s", self.seconds())]
pub struct Refused {
    /// After this time the same may be asked again.
    pub retry_after: Duration,
    /// Of what it was too much, such as `requests`.
    pub what: &'static str,
    asked: u32,
    allowed: Allowed,
}

impl Refused {
    /// For `Retry-After`: whole seconds, at least one, never too few.
    pub fn seconds(&self) -> u64 {
        self.retry_after.as_nanos().div_ceil(1_000_000_000).max(1).try_into().unwrap_or(u64::MAX)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allowed {
    Rate(Rate),
    Open(u32),
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowed::Rate(rate) => {
                write!(f, "{} a minute and {} at once allowed", rate.per_minute, rate.burst)
            }
            Allowed::Open(most) => write!(f, "{most} open at once allowed"),
        }
    }
}

/// Keeps the limits. Cheap to share: one look-up in a table for each question.
///
/// What is remembered is a keyed hash and a moment, or a count; no id, no address and no e-mail address.
pub struct Limiter<C: Clock = MonotonicClock> {
    limits: Limits,
    hash: RandomState,
    requests: Gate<C>,
    cost: Gate<C>,
    logins_of_address: Gate<C>,
    logins_of_email: Gate<C>,
    sockets: Arc<Open>,
    subscriptions: Arc<Open>,
}

impl<C: Clock> fmt::Debug for Limiter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl<C: Clock + Clone> Limiter<C> {
    /// Nobody has asked for anything yet.
    pub fn new(limits: Limits, clock: C) -> Limiter<C> {
        let gate = |what, rate| Gate::new(what, rate, limits.remembered, clock.clone());
        Limiter {
            limits,
            hash: RandomState::new(),
            requests: gate("requests", limits.requests),
            cost: gate("cost", limits.cost),
            logins_of_address: gate("log-in attempts from this address", limits.logins_of_address),
            logins_of_email: gate("log-in attempts for this account", limits.logins_of_email),
            sockets: Arc::default(),
            subscriptions: Arc::default(),
        }
    }
}

impl<C: Clock> Limiter<C> {
    /// Counts a request.
    ///
    /// # Errors
    /// Too many.
    pub fn request(&self, who: Who) -> Result<(), Refused> {
        self.requests.take(self.key(who), 1)
    }

    /// Counts what an operation costs. One that costs more than the bucket holds takes a full bucket, so
    /// that it is possible, alone.
    ///
    /// # Errors
    /// Too much; then nothing was taken.
    pub fn cost(&self, who: Who, units: u32) -> Result<(), Refused> {
        self.cost.take(self.key(who), units)
    }

    /// Counts an attempt to log in, before the password is looked at. The same for accounts that exist and
    /// those that do not.
    ///
    /// # Errors
    /// Too many from this address, or for this e-mail address.
    pub fn login(&self, from: IpAddr, email: &str) -> Result<(), Refused> {
        self.logins_of_address.take(self.key(Who::Address(from)), 1)?;
        let mut hasher = self.hash.build_hasher();
        email.trim().chars().flat_map(char::to_lowercase).for_each(|sign| sign.hash(&mut hasher));
        self.logins_of_email.take(hasher.finish(), 1)
    }

    /// A place for a socket, until it is dropped. One that has not said yet whose it is takes its
    /// address's place, and changes it for the person's.
    ///
    /// # Errors
    /// Too many are open.
    pub fn socket(&self, who: Who) -> Result<Held, Refused> {
        let most = match who {
            Who::Person(_) => self.limits.sockets,
            Who::Address(_) => self.limits.sockets_of_address,
        };
        self.place(&self.sockets, "sockets", who, most)
    }

    /// A place for a subscription, until it is dropped.
    ///
    /// # Errors
    /// Too many are open.
    pub fn subscription(&self, who: Who) -> Result<Held, Refused> {
        self.place(&self.subscriptions, "subscriptions", who, self.limits.subscriptions)
    }

    fn place(&self, open: &Arc<Open>, what: &'static str, who: Who, most: u32) -> Result<Held, Refused> {
        let refused = || Refused { retry_after: PLACE, what, asked: 1, allowed: Allowed::Open(most) };
        open.hold(self.key(who), most).ok_or_else(refused)
    }

    fn key(&self, who: Who) -> u64 {
        self.hash.hash_one(match who {
            Who::Address(address) => Who::Address(address::key(address)),
            person @ Who::Person(_) => person,
        })
    }
}

const fn at_least_one(figure: u32) -> NonZeroU32 {
    match NonZeroU32::new(figure) {
        Some(figure) => figure,
        None => NonZeroU32::MIN,
    }
}

#[cfg(test)]
mod tests;
