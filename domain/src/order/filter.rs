//! What a list or a live subscription is narrowed to, and what an event means to it.

use chrono::{DateTime, Utc};

use crate::{
    actor::{Grant, standing},
    event::{Event, EventKind, Facet},
    id::{OrderId, OrganizationId, UserId},
    money::Currency,
    permission::{self, Field},
    role::RoleSet,
    workflow::Category,
};

/// Conditions on an order; all that are set must hold. None means "do not care", an empty list means
/// "nothing matches".
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Workflow codes.
    pub workflow: Option<Vec<String>>,
    /// Status codes, as the viewer sees them: public ones for buyers.
    pub status: Option<Vec<String>>,
    /// Categories of the status.
    pub category: Option<Vec<Category>>,
    /// Customers.
    pub customer: Option<Vec<OrganizationId>>,
    /// Providers.
    pub provider: Option<Vec<OrganizationId>>,
    /// Customer-service representatives.
    pub csr: Option<Vec<UserId>>,
    /// Delivery agents.
    pub agent: Option<Vec<UserId>>,
    /// Currency of the amounts.
    pub currency: Option<Currency>,
    /// Created at or after.
    pub created_from: Option<DateTime<Utc>>,
    /// Created before.
    pub created_until: Option<DateTime<Utc>>,
    /// Status changed at or after.
    pub changed_from: Option<DateTime<Utc>>,
    /// Status changed before.
    pub changed_until: Option<DateTime<Utc>>,
    /// Deleted orders instead of the others; for those who may see them.
    pub deleted: bool,
    /// Only what waits for a worker; matches nothing for those who see no attempts.
    pub awaits_worker: bool,
}

impl Filter {
    /// The condition that an event cannot be matched against, if any: live filters read only the
    /// columns that events carry.
    pub fn not_live(&self) -> Option<&'static str> {
        let created = self.created_from.or(self.created_until);
        let changed = self.changed_from.or(self.changed_until);
        let waiting = self.awaits_worker.then_some("awaitsWorker");
        created.map(|_| "createdAt").or(changed.map(|_| "statusChangedAt")).or(waiting)
    }

    /// Whether archived orders are asked for, by name or because what was deleted is; otherwise they are
    /// left out. For a viewer who does not see internal statuses an archived order looks like others of
    /// its public category, so naming any category asks for it.
    pub fn names_archived(&self, internal: bool) -> bool {
        self.deleted
            || self.status.is_some()
            || self.category.as_ref().is_some_and(|c| !internal || c.contains(&Category::Archived))
    }

    /// Whether the filter asks who works on an order; it matches nothing for those who may not know.
    pub fn names_assignments(&self) -> bool {
        self.csr.is_some() || self.agent.is_some()
    }

    /// Whether an order with these columns matches, as a viewer with this standing sees it.
    pub fn matches(&self, facet: &Facet, standing: RoleSet) -> bool {
        fn one_of<T: PartialEq>(wanted: &Option<Vec<T>>, value: Option<&T>) -> bool {
            wanted.as_ref().is_none_or(|wanted| value.is_some_and(|value| wanted.contains(value)))
        }
        let internal = Field::InternalStatus.shows(standing);
        let (status, category) = match internal {
            true => (&facet.status, &facet.category),
            false => (&facet.public_status, &facet.public_category),
        };
        (Field::Assignments.shows(standing) || !self.names_assignments())
            && facet.deleted == self.deleted
            && (facet.category != Category::Archived || self.names_archived(internal))
            && one_of(&self.workflow, Some(&facet.workflow))
            && one_of(&self.status, Some(status))
            && one_of(&self.category, Some(category))
            && one_of(&self.customer, Some(&facet.parties.customer))
            && one_of(&self.provider, Some(&facet.parties.provider))
            && one_of(&self.csr, facet.parties.csr.as_ref())
            && one_of(&self.agent, facet.parties.agent.as_ref())
            && self.currency.is_none_or(|currency| currency == facet.currency)
    }
}

/// What a subscriber watches, and with which rights.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// What the subscriber's memberships reach.
    pub grants: Vec<Grant>,
    /// The subscriber; none where what it reaches does not depend on who it is.
    pub user: Option<UserId>,
    /// What it asked for.
    pub filter: Filter,
    /// Only these orders; any if none.
    pub orders: Option<Vec<OrderId>>,
    /// Of orders in the list, only changes of the status as the subscriber sees it.
    pub statuses_only: bool,
}

/// What an event means to one subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The order was created inside the list.
    Created,
    /// The order came into the list.
    Entered,
    /// Something about an order in the list changed.
    Changed,
    /// The order left the list.
    Left,
    /// The order was deleted and is gone for this viewer.
    Removed,
    /// Nothing this subscriber may know or asked for.
    Nothing,
}

impl Watch {
    /// The viewer's standing on an order with these columns, empty when it is out of scope.
    fn standing(&self, facet: &Facet) -> RoleSet {
        standing(&self.grants, self.user, &facet.parties, facet.deleted)
    }

    fn sees(&self, facet: Option<&Facet>) -> bool {
        facet.is_some_and(|facet| {
            let standing = self.standing(facet);
            !standing.is_empty() && self.filter.matches(facet, standing)
        })
    }

    /// Whether a change of an order in the list is one that was asked for, and for this viewer's eyes.
    fn told_of(&self, event: &Event) -> bool {
        let Some(after) = &event.after else { return false };
        let standing = self.standing(after);
        permission::covers(permission::reads(event.audience), standing)
            && (!self.statuses_only || has_moved(event, Field::InternalStatus.shows(standing)))
    }
}

/// Whether the status changed, as a viewer sees it: the internal one or the public one.
fn has_moved(event: &Event, internal: bool) -> bool {
    let status = |facet: &Facet| match internal {
        true => facet.status.clone(),
        false => facet.public_status.clone(),
    };
    event.before.as_ref().map(status) != event.after.as_ref().map(status)
}

/// What an event means to a subscriber: decided from the event alone, so that a stream resumes
/// anywhere without memory of its subscriber.
pub fn sight(watch: &Watch, event: &Event) -> Sight {
    if watch.orders.as_ref().is_some_and(|orders| !orders.contains(&event.order)) {
        return Sight::Nothing;
    }
    let (before, after) = (watch.sees(event.before.as_ref()), watch.sees(event.after.as_ref()));
    match (before, after) {
        (false, false) => Sight::Nothing,
        (false, true) if event.kind == EventKind::Created => Sight::Created,
        (false, true) => Sight::Entered,
        (true, false) if matches!(event.kind, EventKind::Deleted | EventKind::Purged) => Sight::Removed,
        (true, false) => Sight::Left,
        (true, true) if watch.told_of(event) => Sight::Changed,
        (true, true) => Sight::Nothing,
    }
}
