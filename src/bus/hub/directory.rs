//! Which groups an event may concern, without asking all of them: each is filed under the orders it names, or
//! else under the sets of orders that it reaches.

use std::{collections::HashMap, sync::Arc};

use domain::{
    actor::Reach,
    event::{Event, Facet},
    id::OrderId,
    order::Watch,
};

use super::Key;

/// Where a group is filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Order(OrderId),
    Reach(Reach),
}

/// What can be filed.
pub(super) trait Filed {
    fn key(&self) -> &Key;
    fn watch(&self) -> &Watch;
}

/// Groups by place.
pub(super) struct Directory<G> {
    places: HashMap<Place, HashMap<Key, Arc<G>>>,
}

impl<G> Default for Directory<G> {
    fn default() -> Directory<G> {
        Directory { places: HashMap::new() }
    }
}

impl<G: Filed> Directory<G> {
    pub(super) fn file(&mut self, group: &Arc<G>) {
        for place in places(group.watch()) {
            self.places.entry(place).or_default().insert(*group.key(), group.clone());
        }
    }

    pub(super) fn strike(&mut self, group: &Arc<G>) {
        for place in places(group.watch()) {
            if let Some(groups) = self.places.get_mut(&place) {
                groups.remove(group.key());
                if groups.is_empty() {
                    self.places.remove(&place);
                }
            }
        }
    }

    /// All groups that may have something to do with an event. A group can come more than once.
    pub(super) fn concerned(&self, event: &Event) -> impl Iterator<Item = &Arc<G>> {
        let facets = event.before.iter().chain(&event.after);
        let reaches = facets.flat_map(|Facet { parties, .. }| Reach::of(parties)).map(Place::Reach);
        let places = [Place::Order(event.order)].into_iter().chain(reaches);
        places.filter_map(|place| self.places.get(&place)).flat_map(HashMap::values)
    }
}

/// Where a watch is filed: by its orders where it names some, which are few.
fn places(watch: &Watch) -> Vec<Place> {
    match &watch.orders {
        Some(orders) => orders.iter().copied().map(Place::Order).collect(),
        None => watch.grants.iter().map(|grant| Place::Reach(grant.reach)).collect(),
    }
}
