//! The outcome of a rule: an order before and after, and what happened. The store writes the
//! difference in one transaction.

use super::{Change, Item, ItemStatus, Order, Particulars, Resource, Sealed, awaits_worker, claim};
use crate::{
    event::{Audience, Detail, Event, EventKind, Facet},
    id::{AttemptId, EventId, ScheduleId, UserId},
    mint::Mint,
    refusal::Refusal,
    workflow::Definition,
};

/// A change that the rules allow. Its fields cannot be set outside this module's parents, so an
/// illegal or unauthorised write does not compile.
#[derive(Clone, Debug)]
pub struct Decision {
    before: Option<Order>,
    after: Order,
    particulars: Option<Particulars>,
    events: Vec<Event>,
    /// The resources as they were: an UPDATE works on one that is older than its order.
    resources: Vec<Resource>,
    inputs: Vec<(AttemptId, Sealed)>,
    awaits_worker: bool,
    gone: bool,
    edit: Option<(EventId, Vec<Change>)>,
}

impl Decision {
    /// The order as it was loaded; none when it is new.
    pub fn before(&self) -> Option<&Order> {
        self.before.as_ref()
    }

    /// The resources that existed before, as they were.
    pub fn resources_before(&self) -> &[Resource] {
        &self.resources
    }

    /// The order as it will be.
    pub fn after(&self) -> &Order {
        &self.after
    }

    /// Whether the order will wait for a worker; see [`awaits_worker`].
    pub fn awaits_worker(&self) -> bool {
        self.awaits_worker
    }

    /// Whether the order is removed for good, and what it was with it.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// The inputs of attempts that begin.
    pub fn inputs(&self) -> &[(AttemptId, Sealed)] {
        &self.inputs
    }

    /// What an edit changed, and the event that tells of it.
    pub fn edit(&self) -> Option<&(EventId, Vec<Change>)> {
        self.edit.as_ref()
    }

    /// What is written with a new order, and with an edit.
    pub fn particulars(&self) -> Option<&Particulars> {
        self.particulars.as_ref()
    }

    /// What happened, in order, at least one event.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The same as what came of a schedule, which is done with: its first event says so.
    pub(super) fn of_schedule(mut self, id: ScheduleId, detail: Detail) -> Decision {
        self.after.schedules.retain(|schedule| schedule.id != id);
        if let Some(event) = self.events.first_mut() {
            event.detail = Some(detail);
        }
        self
    }

    /// The version that the stored order must still have.
    pub fn expected_version(&self) -> Option<i64> {
        self.before.as_ref().map(|order| order.head.version)
    }
}

/// A decision in the making: the order as it becomes, and the events so far.
pub(super) struct Working<'a> {
    before: Option<Order>,
    pub(super) order: Order,
    particulars: Option<Particulars>,
    events: Vec<Event>,
    facet: Option<Facet>,
    resources: Vec<Resource>,
    gone: bool,
    edit: Option<(EventId, Vec<Change>)>,
    /// The inputs of attempts that begin.
    pub(super) inputs: Vec<(AttemptId, Sealed)>,
    pub(super) workflow: &'a Definition,
    pub(super) mint: &'a mut Mint,
}

/// What an event says that the order's columns do not.
#[derive(Default)]
pub(super) struct Remark {
    pub action: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub actor: Option<UserId>,
    pub reason: Option<String>,
    pub reason_public: bool,
    pub detail: Option<Detail>,
}

impl<'a> Working<'a> {
    /// Begins with a stored order.
    pub(super) fn on(order: &Order, workflow: &'a Definition, mint: &'a mut Mint) -> Working<'a> {
        Working {
            before: Some(order.clone()),
            facet: Some(order.head.facet(workflow)),
            // Notes are what a decision writes; those of an earlier one are not this one's.
            order: Order { notes: Vec::new(), ..order.clone() },
            resources: order.resources.clone(),
            particulars: None,
            events: Vec::new(),
            gone: false,
            edit: None,
            inputs: Vec::new(),
            workflow,
            mint,
        }
    }

    /// Begins with an order that does not exist yet; its version must be zero.
    pub(super) fn new(
        order: Order,
        particulars: Particulars,
        workflow: &'a Definition,
        mint: &'a mut Mint,
    ) -> Working<'a> {
        let resources = order.resources.clone();
        Working {
            before: None,
            facet: None,
            order,
            resources,
            particulars: Some(particulars),
            events: Vec::new(),
            gone: false,
            edit: None,
            inputs: Vec::new(),
            workflow,
            mint,
        }
    }

    /// From now on the order exists no more.
    pub(super) fn go(&mut self) {
        self.gone = true;
    }

    /// Whether anything more can be done to the order: a deleted one rests.
    pub(super) fn is_there(&self) -> bool {
        !self.gone && self.order.head.deleted_at.is_none()
    }

    /// Tells of an edit, and what is written with it.
    pub(super) fn edited(
        &mut self,
        particulars: Particulars,
        changes: Vec<Change>,
        audience: Audience,
        actor: Option<UserId>,
    ) {
        let remark = Remark { actor, detail: Some(Detail::Edited), ..Remark::default() };
        self.record(EventKind::Updated, audience, remark);
        self.particulars = Some(particulars);
        self.edit = self.events.last().map(|event| (event.id, changes));
    }

    /// Appends an event: one version further, `before` joined to the last `after`.
    pub(super) fn record(&mut self, kind: EventKind, audience: Audience, remark: Remark) {
        self.order.head.version += 1;
        self.order.head.updated_at = self.mint.now();
        let after = self.order.head.facet(self.workflow);
        self.events.push(Event {
            id: self.mint.id(),
            order: self.order.head.id,
            version: self.order.head.version,
            kind,
            action: remark.action,
            from: remark.from,
            to: remark.to,
            actor: remark.actor,
            reason: remark.reason,
            reason_public: remark.reason_public,
            audience,
            detail: remark.detail,
            before: self.facet.replace(after.clone()),
            after: (!self.gone).then_some(after),
            at: self.mint.now(),
        });
    }

    /// The lines that a step concerns: those named, or all.
    pub(super) fn items(&mut self, chosen: Option<&[crate::id::ItemId]>) -> impl Iterator<Item = &mut Item> {
        self.order.items.iter_mut().filter(move |item| chosen.is_none_or(|ids| ids.contains(&item.id)))
    }

    /// What follows for the lines from where they and the order stand.
    fn follow_lines(&mut self) {
        let Order { head, items, .. } = &mut self.order;
        let goes_on = claim::workable(head) && head.deleted_at.is_none();
        let ahead = [ItemStatus::Pending, ItemStatus::Provisioning, ItemStatus::Failed];
        for item in items {
            item.failed_of = item.failed_of.filter(|_| item.status == ItemStatus::Failed);
            item.holds = goes_on && item.resource.is_some() && ahead.contains(&item.status);
        }
    }

    /// Refuses to begin anew on a resource that another order has not finished with: no two lines hold one.
    /// The database refuses it too.
    pub(super) fn holds_alone(&mut self) -> Result<(), Refusal> {
        let held = |item: &Item| {
            self.before
                .as_ref()
                .is_some_and(|it| it.items.iter().any(|line| line.id == item.id && line.holds))
        };
        let anew: Vec<_> = self.order.items.iter().filter(|item| !held(item)).map(|item| item.id).collect();
        self.follow_lines();
        let Order { head, items, resources, .. } = &self.order;
        for item in items.iter().filter(|item| item.holds && anew.contains(&item.id)) {
            let resource = resources.iter().find(|resource| Some(resource.id) == item.resource);
            let other = resource.and_then(|resource| resource.held_by).filter(|order| *order != head.id);
            if other.is_some() {
                return Err(Refusal::ResourceBusy { path: Vec::new(), order: other });
            }
        }
        Ok(())
    }

    /// The finished decision.
    pub(super) fn finish(mut self) -> Decision {
        self.follow_lines();
        Decision {
            awaits_worker: awaits_worker(self.workflow, &self.order.head, &self.order.attempts),
            before: self.before,
            after: self.order,
            particulars: self.particulars,
            events: self.events,
            resources: self.resources,
            gone: self.gone,
            edit: self.edit,
            inputs: self.inputs,
        }
    }
}
