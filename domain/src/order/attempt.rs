//! Attempts at lines, and the resources that they work on: begun, ended, given up.

use super::{
    Attempt, ErrorCategory, Facts, Failure, FreeText, InputsState, ItemStatus, LineInputs, Order, OrderKind,
    Outcome, Resource, ResourceState, command::limits, decision::Working, effect, inputs,
};
use crate::{
    id::{AttemptId, ItemId},
    refusal::Refusal,
    workflow::{Definition, Effect, Origin},
};

/// The stage that the last failed attempt was in; where there is none, the first status that an
/// attempt can fail in.
pub(super) fn failed_stage(order: &Order, workflow: &Definition) -> String {
    let failed = order.attempts.iter().filter(|attempt| attempt.outcome == Outcome::Failed);
    let stage = failed
        .max_by_key(|attempt| attempt.ended_at)
        .map(|attempt| attempt.stage.clone())
        .filter(|stage| workflow.status(stage).is_some());
    let first = || {
        let row = workflow.transitions.iter().find(|row| row.effects.contains(&Effect::CloseAttemptFailed));
        match row.map(|row| &row.from) {
            Some(Origin::Statuses(codes)) => codes.first().cloned(),
            _ => None,
        }
    };
    stage.or_else(first).unwrap_or_else(|| order.head.status.clone())
}

/// A running attempt's stage is the status that the order is in.
pub(super) fn follow_stage(working: &mut Working<'_>) {
    let Order { head, attempts, .. } = &mut working.order;
    for attempt in attempts.iter_mut().filter(|attempt| attempt.outcome == Outcome::Running) {
        attempt.stage.clone_from(&head.status);
    }
}

pub(super) fn open_attempts(
    working: &mut Working<'_>,
    facts: &Facts,
    chosen: Option<&[ItemId]>,
    given: &[LineInputs],
) -> Result<(), Refusal> {
    let workable = [ItemStatus::Pending, ItemStatus::Failed];
    let ids: Vec<ItemId> =
        working.items(chosen).filter(|item| workable.contains(&item.status)).map(|item| item.id).collect();
    inputs::check_lines(given, &ids)?;
    let now = working.mint.now();
    for id in ids {
        let attempt_id = working.mint.id();
        let sealed = given.iter().find(|line| line.item == id).map(|line| line.sealed.clone());
        let inputs = sealed.is_some().then_some(InputsState::Sealed);
        working.inputs.extend(sealed.map(|sealed| (attempt_id, sealed)));
        let attempts = &mut working.order.attempts;
        let last = attempts.iter().filter(|attempt| attempt.item == id).max_by_key(|attempt| attempt.number);
        let (number, fence) = last.map_or((0, 0), |last| (last.number, last.fence));
        attempts.push(Attempt {
            id: attempt_id,
            item: id,
            number: number + 1,
            stage: working.order.head.status.clone(),
            outcome: Outcome::Running,
            started_at: now,
            ended_at: None,
            failure: None,
            claim: None,
            fence,
            inputs,
        });
        begin_resource(working, facts, id)?;
        for item in working.items(Some(&[id])) {
            item.status = ItemStatus::Provisioning;
            item.attempts = number + 1;
        }
    }
    Ok(())
}

/// CREATE brings a resource into being on the first attempt; UPDATE and TERMINATE work on theirs.
fn begin_resource(working: &mut Working<'_>, facts: &Facts, id: ItemId) -> Result<(), Refusal> {
    let state = match working.order.head.kind {
        OrderKind::Create => ResourceState::Creating,
        OrderKind::Update => ResourceState::Updating,
        OrderKind::Terminate => ResourceState::Terminating,
        OrderKind::Sale => return Ok(()),
    };
    let now = working.mint.now();
    let new_id = working.mint.id();
    let Order { head, items, resources, .. } = &mut working.order;
    let Some(item) = items.iter_mut().find(|item| item.id == id) else {
        return Ok(());
    };
    if let Some(resource) = resources.iter_mut().find(|resource| Some(resource.id) == item.resource) {
        // What this order brings into being was nothing before it; what it works on keeps the state
        // that it had at the first attempt.
        if head.kind != OrderKind::Create {
            resource.previous_state.get_or_insert(resource.state);
        }
        resource.state = state;
        resource.updated_at = now;
        return Ok(());
    }
    let product = item.product.and_then(|id| facts.products.get(&id));
    let product = product.ok_or_else(|| {
        Refusal::invalid("items", format!("the product of `{}` has left the catalogue", item.name))
    })?;
    item.resource = Some(new_id);
    resources.push(Resource {
        id: new_id,
        product: product.id,
        provider: head.parties.provider,
        customer: head.parties.customer,
        name: item.name.clone(),
        state,
        previous_state: None,
        backend_id: None,
        held_by: None,
        created_at: now,
        updated_at: now,
    });
    Ok(())
}

/// Notes what the work on a line is called at the provider's backend, if that is told.
pub(super) fn name_at_backend(
    working: &mut Working<'_>,
    item: ItemId,
    backend_id: Option<&str>,
) -> Result<(), Refusal> {
    let name = FreeText { path: "backendId", most: limits::NAME }.optional(backend_id)?;
    let Order { items, resources, .. } = &mut working.order;
    let own = items.iter().find(|line| line.id == item).and_then(|line| line.resource);
    if name.is_some() {
        for resource in resources.iter_mut().filter(|resource| Some(resource.id) == own) {
            resource.backend_id.clone_from(&name);
        }
    }
    Ok(())
}

/// Ends the running attempts, or one of them, and returns the items they were for. Whoever held one holds it no
/// longer.
fn end_attempts(
    working: &mut Working<'_>,
    only: Option<AttemptId>,
    end: impl Fn(&mut Attempt),
) -> Vec<ItemId> {
    let now = working.mint.now();
    let meant = |attempt: &&mut Attempt| only.is_none_or(|id| attempt.id == id);
    let running = working.order.attempts.iter_mut().filter(|a| a.outcome == Outcome::Running);
    running
        .filter(meant)
        .map(|attempt| {
            attempt.ended_at = Some(now);
            attempt.claim = None;
            if attempt.inputs == Some(InputsState::Sealed) {
                attempt.inputs = Some(InputsState::Destroyed);
            }
            end(attempt);
            attempt.item
        })
        .collect()
}

/// Sets the state of the resources of some items, as a function of the state they are in. A resource
/// that comes to rest forgets what it was before the order.
pub(super) fn move_resources(
    working: &mut Working<'_>,
    items: &[ItemId],
    next: impl Fn(OrderKind, &Resource) -> ResourceState,
) {
    let now = working.mint.now();
    let Order { head, items: lines, resources, .. } = &mut working.order;
    let concerned = lines.iter().filter(|item| items.contains(&item.id)).filter_map(|item| item.resource);
    for id in concerned {
        for resource in resources.iter_mut().filter(|resource| resource.id == id) {
            resource.state = next(head.kind, resource);
            resource.updated_at = now;
            if matches!(resource.state, ResourceState::Ok | ResourceState::Terminated) {
                resource.previous_state = None;
            }
        }
    }
}

/// Ends the running attempts, or one of them, well; returns the items.
pub(super) fn succeed(working: &mut Working<'_>, only: Option<AttemptId>) -> Vec<ItemId> {
    let items = end_attempts(working, only, |attempt| attempt.outcome = Outcome::Succeeded);
    move_resources(working, &items, |kind, _| match kind {
        OrderKind::Terminate => ResourceState::Terminated,
        OrderKind::Create | OrderKind::Update | OrderKind::Sale => ResourceState::Ok,
    });
    items
}

/// Ends one attempt well, and its line with it.
pub(super) fn deliver(
    working: &mut Working<'_>,
    id: AttemptId,
    backend_id: Option<&str>,
) -> Result<(), Refusal> {
    let items = succeed(working, Some(id));
    let kind = working.order.head.kind;
    for item in working.items(Some(&items)) {
        item.status = effect::activated(kind);
    }
    items.iter().try_for_each(|item| name_at_backend(working, *item, backend_id))
}

/// Ends one attempt badly. What it left behind is named first: a resource with a name at the backend is not
/// gone.
pub(super) fn fail_with(
    working: &mut Working<'_>,
    id: AttemptId,
    failure: &Failure,
    backend_id: Option<&str>,
) -> Result<(), Refusal> {
    if let Some(item) = working.order.attempts.iter().find(|it| it.id == id).map(|it| it.item) {
        name_at_backend(working, item, backend_id)?;
    }
    fail(working, Some(id), Some(failure));
    Ok(())
}

/// Ends the running attempts, or one of them, with a failure.
pub(super) fn fail(working: &mut Working<'_>, only: Option<AttemptId>, failure: Option<&Failure>) {
    let items = end_attempts(working, only, |attempt| {
        attempt.outcome = Outcome::Failed;
        attempt.failure = failure.cloned();
    });
    move_resources(working, &items, |kind, resource| match (kind, &resource.backend_id) {
        (OrderKind::Create, None) => ResourceState::Terminated,
        (OrderKind::Create, Some(_)) | (OrderKind::Update, _) => ResourceState::Erred,
        (OrderKind::Terminate | OrderKind::Sale, _) => ResourceState::Ok,
    });
    for item in working.items(Some(&items)) {
        item.status = ItemStatus::Failed;
        item.failed_of = Some(failure.map_or(ErrorCategory::Other, |failure| failure.category));
    }
}

/// Gives up what still runs at an order that was called off or closed, whatever its workflow says.
pub(super) fn give_up(working: &mut Working<'_>) {
    let under_way = abandon(working);
    move_resources(working, &under_way, given_up);
    for item in working.items(Some(&under_way)).filter(|item| item.status == ItemStatus::Provisioning) {
        item.status = ItemStatus::Cancelled;
    }
}

/// Gives the running attempts up, and with them what they were at.
pub(super) fn abandon(working: &mut Working<'_>) -> Vec<ItemId> {
    end_attempts(working, None, |attempt| attempt.outcome = Outcome::Abandoned)
}

/// What becomes of a resource when the work on it is given up: what was to come into being does not,
/// what was there before is as it was.
pub(super) fn given_up(kind: OrderKind, resource: &Resource) -> ResourceState {
    match kind {
        OrderKind::Create => ResourceState::Terminated,
        OrderKind::Update | OrderKind::Terminate | OrderKind::Sale => {
            resource.previous_state.unwrap_or(resource.state)
        }
    }
}
