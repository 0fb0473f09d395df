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

#[cfg(test)]
mod tests {
    use domain::{
        actor::{Grant, Parties},
        event::{Audience, EventKind},
        id::{EventId, OrganizationId, UserId},
        role::RoleSet,
        workflow::Category,
    };
    use uuid::Uuid;

    use super::*;

    struct Sheet(Key, Watch);

    impl Filed for Sheet {
        fn key(&self) -> &Key {
            &self.0
        }

        fn watch(&self) -> &Watch {
            &self.1
        }
    }

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn facet(provider: u128, csr: Option<u128>) -> Facet {
        Facet {
            parties: Parties {
                provider: OrganizationId(id(provider)),
                offering: None,
                customer: OrganizationId(id(90)),
                creator: None,
                csr: csr.map(|csr| UserId(id(csr))),
                agent: None,
            },
            workflow: String::new(),
            status: String::new(),
            public_status: String::new(),
            category: Category::Draft,
            public_category: Category::Draft,
            currency: "EUR".parse().unwrap(),
            total: 0,
            paid: 0,
            tags: Vec::new(),
            deleted: false,
        }
    }

    fn event(order: u128, before: Facet, after: Facet) -> Event {
        Event {
            id: EventId(id(1)),
            order: OrderId(id(order)),
            version: 2,
            kind: EventKind::Assigned,
            action: None,
            from: None,
            to: None,
            actor: None,
            reason: None,
            reason_public: false,
            audience: Audience::Public,
            detail: None,
            before: Some(before),
            after: Some(after),
            at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn an_event_concerns_those_who_reach_its_order_before_or_after_it_or_name_it() {
        let reaching = |key: u8, reach| {
            let grants = vec![Grant { reach, roles: RoleSet::EMPTY }];
            Arc::new(Sheet([key; 32], Watch { grants, ..Watch::default() }))
        };
        let naming = |key: u8, order| {
            let orders = Some(vec![OrderId(id(order))]);
            Arc::new(Sheet([key; 32], Watch { orders, ..Watch::default() }))
        };
        let provider = |n| Reach::Provider(OrganizationId(id(n)));
        let sheets = [
            reaching(1, Reach::Everything),
            reaching(2, provider(10)),
            reaching(3, provider(20)),
            reaching(4, provider(30)),
            reaching(5, Reach::Csr(UserId(id(7)))),
            reaching(6, Reach::Unassigned),
            naming(7, 100),
            naming(8, 200),
        ];
        let mut directory = Directory::default();
        sheets.iter().for_each(|sheet| directory.file(sheet));
        let moved = event(100, facet(10, None), facet(20, Some(7)));
        let concerned = |directory: &Directory<Sheet>| -> std::collections::BTreeSet<u8> {
            directory.concerned(&moved).map(|sheet| sheet.0[0]).collect()
        };
        assert_eq!(concerned(&directory), [1, 2, 3, 5, 6, 7].into());
        directory.strike(&sheets[1]);
        directory.strike(&sheets[6]);
        assert_eq!(concerned(&directory), [1, 3, 5, 6].into());
        sheets.iter().for_each(|sheet| directory.strike(sheet));
        assert!(directory.places.is_empty(), "nothing is left behind");
    }
}
