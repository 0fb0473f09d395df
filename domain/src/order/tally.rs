//! How many orders stand in each status: counted once, then moved by events.

use std::collections::BTreeMap;

use super::Filter;
use crate::{
    actor::{Grant, standing},
    event::{Event, Facet},
    permission::Field,
};

/// A status as a viewer sees it: the workflow's code and the status's own, the public one for buyers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seen {
    /// The workflow.
    pub workflow: String,
    /// The status.
    pub status: String,
}

/// The orders that somebody with these grants sees and that match a filter, counted by status. A number is
/// never zero. Which person it is does not matter beyond the grants: who placed an order sees it no better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    grants: Vec<Grant>,
    filter: Filter,
    counts: BTreeMap<Seen, i64>,
}

impl Tally {
    /// A tally that begins with these counts; a status may be named several times.
    pub fn new(grants: Vec<Grant>, filter: Filter, counted: impl IntoIterator<Item = (Seen, i64)>) -> Tally {
        let mut tally = Tally { grants, filter, counts: BTreeMap::new() };
        for (seen, count) in counted {
            tally.add(seen, count);
        }
        tally
    }

    /// The numbers.
    pub fn counts(&self) -> &BTreeMap<Seen, i64> {
        &self.counts
    }

    /// How many orders there are in all.
    pub fn total(&self) -> i64 {
        self.counts.values().sum()
    }

    /// Takes an event in; whether that changed a number.
    pub fn advance(&mut self, event: &Event) -> bool {
        self.moved(event.before.as_ref(), event.after.as_ref())
    }

    /// Takes an event back that the counts hold already; whether that changed a number.
    pub fn rewind(&mut self, event: &Event) -> bool {
        self.moved(event.after.as_ref(), event.before.as_ref())
    }

    fn moved(&mut self, from: Option<&Facet>, to: Option<&Facet>) -> bool {
        let (from, to) = (self.sees(from), self.sees(to));
        let changed = from != to;
        for (sight, by) in [(from, -1), (to, 1)] {
            if let Some((workflow, status)) = sight.filter(|_| changed) {
                self.add(Seen { workflow: workflow.to_owned(), status: status.to_owned() }, by);
            }
        }
        changed
    }

    /// Under which workflow and status an order with these columns is counted, if it is.
    fn sees<'f>(&self, facet: Option<&'f Facet>) -> Option<(&'f str, &'f str)> {
        let facet = facet?;
        let standing = standing(&self.grants, None, &facet.parties, facet.deleted);
        if standing.is_empty() || !self.filter.matches(facet, standing) {
            return None;
        }
        let internal = Field::InternalStatus.shows(standing);
        let status = if internal { &facet.status } else { &facet.public_status };
        Some((&facet.workflow, status))
    }

    fn add(&mut self, seen: Seen, count: i64) {
        let number = self.counts.entry(seen.clone()).or_default();
        *number += count;
        if *number == 0 {
            self.counts.remove(&seen);
        }
    }
}
