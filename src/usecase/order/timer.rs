//! What time does to orders: timers that are due fire, each once, whoever looks.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use domain::{
    actor::Actor,
    id::{OrderId, OrganizationId, UserId},
    order::{Around, Decision, Fired, Order, Timers, fire},
    workflow::Definition,
};

use super::{change::facts_of, workflow};
use crate::{
    app::App,
    error::Result,
    store::{
        self, Tx, people, settings,
        timer::{self, Kind, Pending},
    },
};

/// Orders per transaction.
const MOST: usize = 100;
/// After how long an order is looked at again whose workflow this process does not know.
const AGAIN: TimeDelta = TimeDelta::minutes(15);
/// The longest that clocks are put forward at once.
const LEAP_HOURS: i64 = 3;

/// Fires all timers that are due, and says how many did. However many processes do so at once, each fires once:
/// the order is locked, and its timer goes in the transaction that tells of it.
///
/// # Errors
/// The database's.
pub async fn fire_timers(app: &App) -> Result<usize> {
    let mut fired = 0;
    loop {
        let due = timer::due(&app.store, app.world.now(), MOST).await?;
        if due.is_empty() {
            return Ok(fired);
        }
        let more = due.len() == MOST;
        let Looked { taken, changed } = look_at(app, due).await?;
        if changed > 0 {
            app.feed.ring();
        }
        fired += changed;
        // Another process holds all of them, and goes on with the rest.
        if taken == 0 || !more && changed == 0 {
            return Ok(fired);
        }
    }
}

/// What came of looking at orders.
struct Looked {
    /// How many nobody else held.
    taken: usize,
    /// Of how many a timer fired.
    changed: usize,
}

/// Looks at these orders, locked, as they are now.
async fn look_at(app: &App, due: Vec<OrderId>) -> Result<Looked> {
    let context = app.clone();
    let looked = app.store.write(async move |tx| {
        let orders = load(&tx, due).await?;
        let now = context.world.now();
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for order in &orders {
            match workflow(&context, &*tx, &order.head).await {
                Ok(workflow) => known.push((workflow, order)),
                Err(_) => unknown.push(&order.head),
            }
        }
        let (changed, quiet) = decide_all(&context, &tx, &known, now).await?;
        store::save(&tx, &changed).await?;
        tx.look_again(&quiet).await?;
        tx.put_off(&unknown, now, now + AGAIN).await?;
        Ok(Looked { taken: orders.len(), changed: changed.len() })
    });
    looked.await
}

/// The orders that nobody else holds, with what is scheduled for them.
async fn load(tx: &Tx, due: Vec<OrderId>) -> Result<Vec<Order>> {
    let unheld = tx.unheld(due).await?;
    if unheld.is_empty() {
        return Ok(Vec::new());
    }
    let mut orders = tx.orders(&Actor::System, &unheld).await?;
    let mut schedules = timer::schedules(tx, &unheld).await?;
    for order in &mut orders {
        order.schedules = schedules.remove(&order.head.id).unwrap_or_default();
    }
    Ok(orders)
}

/// One timer of each order: what fired, and what only has to be looked at later.
async fn decide_all(
    app: &App,
    tx: &Tx,
    orders: &[(Arc<Definition>, &Order)],
    now: DateTime<Utc>,
) -> Result<(Vec<Decision>, Vec<Timers>)> {
    let borrowed: Vec<_> = orders.iter().map(|(workflow, order)| (&**workflow, *order)).collect();
    let facts = facts_of(tx, &borrowed, now).await?;
    let makers = makers(tx, &borrowed, now).await?;
    let (mut changed, mut quiet) = (Vec::new(), Vec::new());
    for ((workflow, order), (facts, tomorrow)) in borrowed.into_iter().zip(&facts) {
        let around = Around { workflow, facts, tomorrow: *tomorrow, makers: &makers };
        match fire(order, around, &mut app.world.mint()) {
            Fired::Changed(decision) => changed.push(*decision),
            Fired::Quiet(timers) if timers != Timers::of(order) => quiet.push(timers),
            Fired::Quiet(_) => {}
        }
    }
    Ok((changed, quiet))
}

/// Those whose schedules are due, with the rights they have now.
async fn makers(
    tx: &Tx,
    orders: &[(&Definition, &Order)],
    now: DateTime<Utc>,
) -> Result<HashMap<UserId, Actor>> {
    let schedules = orders.iter().flat_map(|(_, order)| &order.schedules);
    let makers: HashSet<UserId> =
        schedules.filter(|schedule| schedule.plan.at <= now).map(|schedule| schedule.made_by).collect();
    if makers.is_empty() {
        return Ok(HashMap::new());
    }
    let makers: Vec<UserId> = makers.into_iter().collect();
    let persons = people::persons(tx, &makers).await?;
    Ok(persons.into_iter().map(|(id, person)| (id, Actor::User(person))).collect())
}

/// The customers' days: today, and when tomorrow begins. Those of Greenwich where no zone is known.
pub(super) struct Calendar {
    now: DateTime<Utc>,
    zones: HashMap<OrganizationId, Tz>,
}

impl Calendar {
    /// Of these customers.
    pub(super) async fn of(tx: &Tx, customers: &[OrganizationId], now: DateTime<Utc>) -> Result<Calendar> {
        let found = people::organizations(tx, customers).await?;
        let zone = |customer: &people::Organization| customer.time_zone.parse().ok();
        let zones = found.into_iter().filter_map(|(id, customer)| Some((id, zone(&customer)?))).collect();
        Ok(Calendar { now, zones })
    }

    fn zone(&self, customer: OrganizationId) -> Tz {
        self.zones.get(&customer).copied().unwrap_or(Tz::UTC)
    }

    /// The customer's today.
    pub(super) fn today(&self, customer: OrganizationId) -> NaiveDate {
        self.now.with_timezone(&self.zone(customer)).date_naive()
    }

    /// When the customer's next day begins.
    pub(super) fn tomorrow(&self, customer: OrganizationId) -> DateTime<Utc> {
        let next = self.today(customer).succ_opt();
        next.map_or(self.now + TimeDelta::days(1), |day| beginning(day, self.zone(customer)))
    }
}

/// The moment at which a day begins in a zone. Where clocks are put forward at midnight, that is later.
fn beginning(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    let hours = (0..=LEAP_HOURS).map(|hours| midnight + TimeDelta::hours(hours));
    let mut moments = hours.filter_map(|local| zone.from_local_datetime(&local).earliest());
    moments.next().map_or(midnight.and_utc(), |moment| moment.to_utc())
}

/// What is due next: at most so many timers, and whether orders may expire. An order whose day is over nowhere
/// yet is looked at a little earlier; what is told here is when its customer's day is over.
///
/// # Errors
/// The database's.
pub async fn next_timers(store: &store::Store, limit: usize) -> Result<(Vec<Pending>, bool)> {
    let enabled = settings::read(store).await?.expiry_enabled;
    let mut pending = timer::pending(store, limit).await?;
    pending.retain(|timer| enabled || timer.kind != Kind::Expiry);
    for timer in &mut pending {
        let over = timer.expires_on.and_then(|day| day.succ_opt()).filter(|_| timer.kind == Kind::Expiry);
        if let Some(next) = over {
            let end = beginning(next, timer.time_zone.parse().unwrap_or(Tz::UTC));
            // A status may run out before the day does, which no zone is ahead of by more than a day.
            if end > timer.at && end - timer.at <= TimeDelta::hours(26) {
                timer.at = end;
            }
        }
    }
    pending.sort_by_key(|timer| (timer.at, timer.order));
    pending.truncate(limit);
    Ok((pending, enabled))
}
